import LogFormat

import FileIO
import SegmentedLog

/// `walbench log`: the log, a bare log and raw writes, in turn, so that their ratios are of one time and one disk.
///
/// - **log**: each thread encodes a batch into one frame and appends it; the encoding counts.
/// - **bare**: the same threads and bytes, encoded beforehand, through ``BareLog``.
/// - **raw**: one thread, blocks of the size that the log's groups had in the measurement before. Its events per second
///   are those that the log has in so many bytes.
struct LogBenchmark {
    let options: Options
    let workplace: Workplace

    private static let appenderCounts = [1, 8]
    private static let eventsInBatch = 100
    private static let bodies = Bodies.random(512)

    func run() throws -> Report {
        let workloads = try Self.appenderCounts.map {
            try Workload(Self.bodies, threads: $0, eventsInBatch: Self.eventsInBatch)
        }
        let baselines = try Baselines(workplace, workloads)
        let log = try MeasuredLog(at: workplace.path("log"))
        let encoding = try workloads.map(Self.encodingMicroseconds)
        var latest = try workloads.map { try measure(log, $0).writes! }
        var series = workloads.map {
            Series(count($0.threads, "appender"), [.log, .bare, .raw], bodyBytes: $0.bodyBytes)
        }
        try interleave(&series, rounds: options.rounds, slices: options.slices) { series, index, subject in
            switch subject {
            case .bare: return [(subject, try baselines.measureBare(workloads[index], for: options.sliceNanoseconds))]
            case .raw:
                let writes = WriteFigures([latest[index]], bodyBytes: series.bodyBytes)
                return try baselines.measureRaw(
                    bytes: writes.groupBytes, eventsEach: writes.eventsInGroup, for: options.sliceNanoseconds)
            default:
                let sample = try measure(log, workloads[index])
                latest[index] = sample.writes!
                return [(subject, sample)]
            }
        }
        try log.close()
        return SeriesReport(
            options: options, title: "batches of \(Self.eventsInBatch) events of \(Self.bodies.name)",
            machine: Machine(workplace), entries: zip(series, encoding).map(entry)
        ).report
    }

    private func measure(_ log: MeasuredLog, _ workload: Workload) throws -> Sample {
        let before = log.traffic.reading
        let measured = try Measurement(threads: workload.threads, for: options.sliceNanoseconds) { thread, turn, _ in
            try log.append(try workload.frame(thread: thread, turn: turn))
        }
        var sample = Sample(measured, eventsEach: Double(workload.eventsInBatch))
        sample.writes = Sample.Writes(
            traffic: log.traffic.reading - before, events: Double(measured.turns * workload.eventsInBatch),
            transactions: Double(measured.turns))
        try log.settle()
        return sample
    }

    /// What one thread, with nothing beside it, needs to make a frame of a batch: in the log's figures, not in the bare
    /// log's.
    private static func encodingMicroseconds(_ workload: Workload) throws -> Double {
        let encoding = try Measurement(threads: 1, for: 50_000_000) { thread, turn, _ in
            _ = try workload.frame(thread: thread, turn: turn)
        }
        return Statistics(encoding.latencies.map { Double($0) / 1000 }).median
    }

    private func entry(_ series: Series, encodingMicroseconds: Double) -> SeriesReport.Entry {
        let writes = series.writes
        return SeriesReport.Entry(
            series: series,
            remarks: [
                "groups of \(kibibytes(writes.groupBytes)), \(decimal(writes.amplification, 2)) B written for each B "
                    + "of event bodies; encoding alone \(decimal(encodingMicroseconds, 1)) us a batch"
            ],
            comparisons: [series.compare("events/s", to: .bare), series.compare("events/s", to: .raw)],
            json: [("writes", writes.json), ("encodingMicroseconds", .number(encodingMicroseconds))])
    }
}
