import FileIO
import LogFormat

/// What an engine is measured beside: a bare log and raw writes.
struct Baselines {
    let raw: [RawWriter]
    private let bareLog: BareLog
    private let workplace: Workplace
    private let nanoseconds: UInt64

    /// - Parameter workloads: what they will be measured with.
    init(_ options: Options, _ workplace: Workplace, _ workloads: [Workload]) throws {
        self.workplace = workplace
        nanoseconds = options.nanoseconds
        raw = try RawWriter.all(in: workplace)
        bareLog = BareLog(
            try workplace.makeBestPrewrittenFile("bare"), blockBytes: workplace.volume.logicalBlockBytes,
            longestPayload: workloads.map(\.longestPayload).max() ?? 0)
    }

    /// The same threads and bytes as the engine's, encoded beforehand and not compressed.
    func measureBare(_ workload: Workload) throws -> Sample {
        let bareLog = self.bareLog
        let measured = try Measurement(threads: workload.threads, for: nanoseconds) { thread, turn, _ in
            try bareLog.append(workload.payload(thread: thread, turn: turn))
        }
        return Sample(measured, eventsEach: Double(workload.eventsInBatch))
    }

    /// One thread, blocks of that size; the best of the methods, each of which has its share of the time.
    func measureRaw(bytes: Double, eventsEach: Double) throws -> Sample {
        let blockBytes = workplace.roundedToBlock(Int(bytes))
        var best: (method: String, measured: Measurement)?
        for writer in raw {
            let measured = try writer.measure(blockBytes: blockBytes, for: nanoseconds / UInt64(raw.count))
            if measured.operationsPerSecond > best?.measured.operationsPerSecond ?? 0 { best = (writer.name, measured) }
        }
        var sample = Sample(best!.measured, eventsEach: eventsEach)
        sample.method = best!.method
        return sample
    }
}
