import DurableChannel
import FileIO

/// `walbench take`: first a cold backlog, then puts and takes together (``MixedBenchmark``).
///
/// The drain twice, with a thousand and with a hundred events in each take. In each round two equal backlogs are made and put out of memory; one is drained by the channel, the other by
/// ``BareDrain``, in turn. What a round makes is removed before the next.
struct TakeBenchmark {
    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    /// As the bar has it; and as the field was measured.
    private static let eventsInTake = 1000
    private static let fewerEventsInTake = 100
    private static let fillers = 4

    private var events: Int { options.events?.first ?? 300_000 }
    private var batch: Int { options.batches?.first ?? 100 }

    func run() throws -> Report {
        let drains = try [Self.eventsInTake, Self.fewerEventsInTake].map(runDrain)
        let mixed = try MixedBenchmark(options: options, workplace: workplace, bodies: bodies, batch: batch).run()
        return SeriesReport(
            options: options,
            title: "events of \(bodies.name) with two headers, put \(batch) at a time, "
                + "\(bodies.compression == .lz4 ? "LZ4" : "not compressed")",
            machine: Machine(workplace), entries: drains + [mixed]
        ).report
    }

    private func runDrain(takes eventsInTake: Int) throws -> SeriesReport.Entry {
        let workload = try Workload(bodies, threads: Self.fillers, eventsInBatch: batch)
        let notes = try workplace.makeBestPrewrittenFile("notes-\(eventsInTake)", bytes: BareDrain.notesBytes)
        var series = [
            Series(
                "drain \(whole(Double(events))) events, \(eventsInTake) in each durable take, 1 taker",
                [.channel, .bare], bodyBytes: workload.bodyBytes)
        ]
        var cachedBytes = 0
        try interleave(&series, rounds: options.rounds, slices: 2) { _, _, subject in
            let backlog = try Backlog("backlog", in: workplace, workload, events: events, bodies.compression)
            defer { workplace.remove("backlog") }
            guard subject == .channel else {
                var bare = try BareDrain(backlog, notes: notes, takes: eventsInTake, in: workplace)
                cachedBytes = max(cachedBytes, try backlog.cool())
                return [(subject, try bare.run())]
            }
            let channel = try backlog.open()
            cachedBytes = max(cachedBytes, try backlog.cool())
            let sample = try backlog.drain(channel, takes: eventsInTake)
            try channel.close()
            return [(subject, sample)]
        }
        let isCold = cachedBytes == 0
        let isOfBars = options.events == nil && eventsInTake == Self.eventsInTake
        return SeriesReport.Entry(
            series: series[0],
            remarks: [
                "latencies are of a take with its commit; "
                    + (isCold
                        ? "no page of the segments was in memory when draining began"
                        : "up to \(kibibytes(Double(cachedBytes))) of the segments were NOT dropped from memory before")
            ],
            comparisons: [
                series[0].compare("events/s", to: .bare, name: "B5", isOfBars ? .atLeast(0.8) : nil)
            ],
            json: [("events", .number(Double(events))), ("cachedBytes", .number(Double(cachedBytes)))])
    }
}
