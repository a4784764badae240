import FileIO
import LogFormat

/// What an engine is measured beside: a bare log and raw writes.
struct Baselines {
    let raw: [RawWriter]
    private let bareLog: BareLog
    private let workplace: Workplace

    /// - Parameter workloads: what they will be measured with.
    init(_ workplace: Workplace, _ workloads: [Workload]) throws {
        self.workplace = workplace
        raw = try RawWriter.all(in: workplace)
        bareLog = BareLog(
            try workplace.makeBestPrewrittenFile("bare"), blockBytes: workplace.volume.logicalBlockBytes,
            longestPayload: workloads.map(\.longestPayload).max() ?? 0)
    }

    /// The same threads and bytes as the engine's, encoded beforehand and not compressed.
    func measureBare(_ workload: Workload, for nanoseconds: UInt64) throws -> Sample {
        let bareLog = self.bareLog
        let measured = try Measurement(threads: workload.threads, for: nanoseconds) { thread, turn, _ in
            try bareLog.append(workload.payload(thread: thread, turn: turn))
        }
        return Sample(measured, eventsEach: Double(workload.eventsInBatch))
    }

    /// One thread, blocks of that size; by each of the methods.
    func measureRaw(bytes: Double, eventsEach: Double, for nanoseconds: UInt64) throws -> [(Subject, Sample)] {
        let blockBytes = workplace.roundedToBlock(Int(bytes))
        return try raw.map { writer in
            var sample = Sample(try writer.measure(blockBytes: blockBytes, for: nanoseconds), eventsEach: eventsEach)
            sample.method = writer.name
            return (.raw, sample)
        }
    }
}
