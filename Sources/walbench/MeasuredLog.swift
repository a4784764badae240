import FileIO
import LogFormat
import SegmentedLog
import Synchronization

/// The log under measurement, as a user has it: default configuration, and somebody who lets old segments go.
final class MeasuredLog: Sendable {
    let traffic: Traffic
    private let log: Log
    /// The newest segment that an append went to.
    private let newestSegment = Atomic<UInt64>(1)

    /// Room for what is appended faster than it is let go; the disk holds a few segments of it.
    private static let capacityBytes: UInt64 = 8 << 30

    init(at path: String) throws {
        let fileSystem = CountingFileSystem(LinuxFileSystem())
        traffic = fileSystem.traffic
        log = try Log.open(
            at: path, fileSystem: fileSystem, runtime: SystemRuntime(),
            configuration: LogConfiguration(capacityBytes: Self.capacityBytes))
    }

    func append(_ frame: FramePayload) throws {
        let receipt = try log.append([frame])
        let segment = receipt.lsn.segment.rawValue
        // One of the threads that are first in a new segment sees to the ones before it.
        guard newestSegment.max(segment, ordering: .relaxed).oldValue < segment else { return }
        log.retire(endedSegments) { _ in }
    }

    /// Returns when the log has stopped writing: what it still does in the background must not fall into the
    /// measurement of something else.
    func settle() throws {
        try log.retire(endedSegments)
        traffic.waitUntilQuiet()
    }

    func close() throws { try log.close() }

    private var endedSegments: [SegmentNumber] { log.segments.filter { $0.endOffset != nil }.map(\.number) }
}
