import FileIO
import SegmentedLog

/// `walbench log`: the log, a bare log and raw writes, in turn, so that their ratios are of one time and one disk.
///
/// - **log**: each thread encodes a batch into one frame and appends it; the encoding counts.
/// - **bare**: the same threads and bytes, encoded beforehand, through ``BareLog``.
/// - **raw**: one thread, blocks of the size that the log's groups had in the measurement before; the best of the
///   methods, each of which has its share of the time. Its events per second are those that the log has in so many
///   bytes.
struct LogBenchmark {
    enum Subject: String, CaseIterable { case log, bare, raw }

    let options: Options
    let workplace: Workplace

    private static let appenderCounts = [1, 8]

    init(_ options: Options, _ workplace: Workplace) {
        self.options = options
        self.workplace = workplace
    }

    func run() throws -> Report {
        let rawWriters = try RawWriter.all(in: workplace)
        let bare = BareLog(try makeBareFile(), blockBytes: workplace.volume.logicalBlockBytes)
        let log = try MeasuredLog(at: workplace.logPath)
        var series = try Self.appenderCounts.map { try LogSeries(appenders: $0) }

        // Round 0 warms up: memory, the log's first segments, and the size of its groups.
        for round in 0...options.rounds {
            for index in series.indices {
                for turn in Subject.allCases.indices {
                    let subject = Subject.allCases[(round + turn) % Subject.allCases.count]
                    let sample =
                        switch subject {
                        case .log: try measure(log, &series[index])
                        case .bare: try measure(bare, series[index])
                        case .raw: try measure(rawWriters, &series[index])
                        }
                    if round > 0 { series[index].add(sample, of: subject) }
                }
                if round == 0 { series[index].endWarmUp() }
            }
        }
        try log.close()
        return LogReport(options: options, machine: Machine(workplace), series: series).report
    }

    /// Over the best method that the file system has.
    private func makeBareFile() throws(FileError) -> any StorageFile {
        for method in WriteMethod.allCases {
            if let file = try workplace.makePrewrittenFile("bare", method) { return file }
        }
        throw FileError(.create, path: workplace.directory.path, errno: 0, reason: .unsupported)
    }

    private func measure(_ log: MeasuredLog, _ series: inout LogSeries) throws -> LogSeries.Sample {
        let workload = series.workload
        let before = log.traffic.reading
        let measured = try Measurement(threads: series.appenders, for: options.nanoseconds) { thread, turn in
            try log.append(try workload.frame(thread: thread, turn: turn))
        }
        let events = measured.latencies.count * Workload.eventsInBatch
        series.count(log.traffic.reading - before, events: events)
        try log.settle()
        return LogSeries.Sample(measured, eventsEach: Double(Workload.eventsInBatch))
    }

    private func measure(_ bare: BareLog, _ series: LogSeries) throws -> LogSeries.Sample {
        let workload = series.workload
        let measured = try Measurement(threads: series.appenders, for: options.nanoseconds) { thread, turn in
            try bare.append(workload.payload(thread: thread, turn: turn))
        }
        return LogSeries.Sample(measured, eventsEach: Double(Workload.eventsInBatch))
    }

    private func measure(_ writers: [RawWriter], _ series: inout LogSeries) throws -> LogSeries.Sample {
        let blockBytes = workplace.roundedToBlock(Int(series.latestGroupBytes))
        var best: (method: String, measured: Measurement)?
        for writer in writers {
            let share = options.nanoseconds / UInt64(writers.count)
            let measured = try writer.measure(blockBytes: blockBytes, for: share)
            if measured.operationsPerSecond > best?.measured.operationsPerSecond ?? 0 { best = (writer.name, measured) }
        }
        series.rawMethods.append(best!.method)
        return LogSeries.Sample(best!.measured, eventsEach: Double(blockBytes) / series.latestBytesPerEvent)
    }
}
