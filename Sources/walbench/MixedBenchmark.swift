import DurableChannel
import Synchronization

/// Puts and takes at once, on one channel, in turn with puts alone.
///
/// Rates of puts are of all that was put, those of takes of what was durably taken meanwhile. Latencies are those of
/// the commits of puts, and of whole takes.
struct MixedBenchmark {
    let options: Options
    let workplace: Workplace
    let bodies: Bodies
    let batch: Int

    private var producers: Int { options.producers?.first ?? 4 }

    func run() throws -> SeriesReport.Entry {
        let workload = try Workload(bodies, threads: producers, eventsInBatch: batch)
        let channel = try MeasuredChannel(at: workplace.path("mixed"), bodies.compression)
        var series = [
            Series(
                "\(count(producers, "put")) and \(count(producers, "take")) together, batches of \(batch)",
                [.beside, .takes, .alone], bodyBytes: workload.bodyBytes)
        ]
        var eventsInTake: [Double] = []
        try interleave(&series, rounds: options.rounds, slices: options.slices) { _, _, subject in
            guard subject == .beside else {
                return [(subject, try channel.measurePuts(workload, for: options.sliceNanoseconds))]
            }
            let (puts, takes) = try measureTogether(channel, workload)
            eventsInTake.append(takes.operations == 0 ? 0 : takes.writes!.events / Double(takes.operations))
            return [(.beside, puts), (.takes, takes)]
        }
        try channel.close()
        let isB6 = bodies.isRandomOfBars && producers == 4 && batch == 100
        let series0 = series[0]
        return SeriesReport.Entry(
            series: series0,
            remarks: [
                "\(decimal(Statistics(eventsInTake).median, 0)) events in a take; with takes beside them "
                    + "\(decimal(series0.writes.amplification, 2)) B are written for each B of event bodies"
            ],
            comparisons: [
                series0.compare("puts/s", .beside, to: .alone, name: "B6", isB6 ? .atLeast(0.7) : nil),
                series0.compare("takes/s", .takes, to: .beside),
            ],
            json: [("producers", .number(Double(producers))), ("writes", series0.writes.json)])
    }

    /// The first half of the threads puts, the other takes.
    private func measureTogether(_ measured: MeasuredChannel, _ workload: Workload) throws -> (Sample, Sample) {
        let producers = self.producers
        let batch = self.batch
        let taken = Atomic<Int>(0)
        let before = measured.traffic.reading
        let measurement = try Measurement(threads: 2 * producers, for: options.sliceNanoseconds) {
            thread, turn, stopwatch in
            guard thread >= producers else {
                return try measured.put(workload.batch(thread: thread, turn: turn), &stopwatch)
            }
            // Not for long: at the end the puts stop, and nobody wakes the takers.
            let take = try measured.channel.beginTake(maxEvents: batch, waitingUpTo: .milliseconds(1))
            let events = take.events.count
            try take.commit()
            if stopwatch.counts { taken.add(events, ordering: .relaxed) }
        }
        let traffic = measured.traffic.reading - before
        try measured.empty()
        let latencies = measurement.latenciesByThread[..<producers].joined().map { Double($0) / 1000 }
        var puts = Sample(
            events: Double(latencies.count * batch), nanoseconds: measurement.elapsed, microseconds: latencies)
        let transactions = measurement.turnsByThread[..<producers].reduce(0, +)
        puts.writes = Sample.Writes(
            traffic: traffic, events: Double(transactions * batch), transactions: Double(transactions))
        let takenEvents = Double(taken.load(ordering: .relaxed))
        var takes = Sample(
            events: takenEvents, nanoseconds: measurement.elapsed,
            microseconds: measurement.latenciesByThread[producers...].joined().map { Double($0) / 1000 })
        takes.writes = Sample.Writes(traffic: traffic, events: takenEvents, transactions: Double(takes.operations))
        return (puts, takes)
    }
}
