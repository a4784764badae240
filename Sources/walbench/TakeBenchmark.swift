import DurableChannel
import FileIO

/// `walbench take`: first a cold backlog, then puts and takes together (``MixedBenchmark``).
///
/// In each round two equal backlogs are made and put out of memory; one is drained by the channel, the other by
/// ``BareDrain``, in turn. What a round makes is removed before the next.
struct TakeBenchmark {
    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    private static let eventsInTake = 1000
    private static let fillers = 4

    init(_ options: Options, _ workplace: Workplace, _ bodies: Bodies) {
        self.options = options
        self.workplace = workplace
        self.bodies = bodies
    }

    private var events: Int { options.events?.first ?? 300_000 }
    private var batch: Int { options.batches?.first ?? 100 }

    func run() throws -> Report {
        let drain = try runDrain()
        let mixed = try MixedBenchmark(options, workplace, bodies, batch: batch).run()
        return SeriesReport(
            options: options,
            title: "events of \(bodies.name) with two headers, put \(batch) at a time, "
                + "\(bodies.isLines ? "LZ4" : "not compressed")",
            machine: Machine(workplace), entries: [drain, mixed]
        ).report
    }

    private func runDrain() throws -> SeriesReport.Entry {
        let workload = try Workload(bodies, threads: Self.fillers, eventsInBatch: batch)
        let notes = try workplace.makeBestPrewrittenFile("notes", bytes: BareDrain.notesBytes)
        var series = [
            Series(
                "drain \(whole(Double(events))) events, \(Self.eventsInTake) in each durable take, 1 taker",
                [.channel, .bare], bodyBytes: workload.bodyBytes)
        ]
        var cachedBytes = 0
        try interleave(&series, rounds: options.rounds) { _, _, subject in
            let backlog = try Backlog("backlog", in: workplace, workload, events: events, bodies.compression)
            defer { workplace.remove("backlog") }
            guard subject == .channel else {
                var bare = try BareDrain(backlog, notes: notes, takes: Self.eventsInTake, in: workplace)
                cachedBytes = max(cachedBytes, try backlog.cool())
                return [(subject, try bare.run())]
            }
            let channel = try backlog.open()
            cachedBytes = max(cachedBytes, try backlog.cool())
            let sample = try backlog.drain(channel, takes: Self.eventsInTake)
            try channel.close()
            return [(subject, sample)]
        }
        let isCold = cachedBytes == 0
        return SeriesReport.Entry(
            series: series[0],
            remarks: [
                "latencies are of a take with its commit; "
                    + (isCold
                        ? "no page of the segments was in memory when draining began"
                        : "up to \(kibibytes(Double(cachedBytes))) of the segments were NOT dropped from memory before")
            ],
            comparisons: [
                series[0].compare("events/s", to: .bare, name: "B5", options.events == nil ? .atLeast(0.8) : nil)
            ],
            json: [("events", .number(Double(events))), ("cachedBytes", .number(Double(cachedBytes)))])
    }
}
