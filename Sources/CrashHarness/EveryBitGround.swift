package import DurableChannel
package import FileIO
internal import LogFormat
package import SegmentedLog
package import SimulatedFileIO

/// Where a damaged log is opened: on a simulated disk, or in a real directory.
package protocol EveryBitGround: AnyObject {
    /// A process that opens the log. The one before must have ended.
    func process() -> EveryBitProcess
    /// Of names, kinds, sizes and contents of all that is there: equal for equal bytes only.
    func fingerprint() -> [UInt64]
    /// Puts a file of the log back under its name, as it was, instead of what stands there.
    func restore(_ name: String, _ bytes: [UInt8])
    func names() -> [String]
    /// As ``fingerprint()``, of what stands outside of the directory and is none of the channel's business.
    func outside() -> [UInt64]
    func allocatedBytes() -> UInt64
}

/// A process with the log open, or about to open it.
package final class EveryBitProcess {
    private let path: String
    private let fileSystem: any FileSystem
    private let runtime: any Runtime
    private let end: () -> Void

    /// - Parameter end: called when it is over.
    package init(path: String, _ fileSystem: any FileSystem, _ runtime: any Runtime, end: @escaping () -> Void) {
        self.path = path
        self.fileSystem = fileSystem
        self.runtime = runtime
        self.end = end
    }

    deinit { end() }

    package func open(_ policy: DamagePolicy) throws(ChannelError) -> FileChannel {
        var configuration = EveryBitWriter.configuration
        configuration.damagePolicy = policy
        // What waits would wait for ever: nobody else takes.
        configuration.whenFull = .reject
        return try FileChannel.open(
            at: path, configuration: configuration, fileSystem: fileSystem, runtime: runtime)
    }
}

/// A simulated disk with one log on it.
package final class EveryBitPlace: EveryBitGround {
    package static let path = ChannelRecorder.path

    private let disk: SimulatedDisk

    package init(_ disk: SimulatedDisk) { self.disk = disk }

    package func process() -> EveryBitProcess {
        let process = SimulatedProcess(disk, seed: ChannelSweep.lookingSeed)
        process.isLastOnItsDisk = true
        // Its steps are bounded: what hangs there traps.
        let runtime = ClientRuntime(seed: ChannelSweep.lookingSeed, process.runtime)
        return EveryBitProcess(path: Self.path, process.fileSystem, runtime) { _ = process }
    }

    package func fingerprint() -> [UInt64] { [disk.stateHash, UInt64(disk.pendingOperations.count)] }
    package func restore(_ name: String, _ bytes: [UInt8]) {
        disk.remove(Self.path + "/" + name)
        disk.setContents(of: Self.path + "/" + name, to: bytes)
    }

    package func outside() -> [UInt64] { [] }
    package func names() -> [String] { disk.names(in: Self.path) ?? [] }
    package func allocatedBytes() -> UInt64 { disk.allocatedBytes() }
}

/// All that an opened channel shows, taken and given back.
struct EveryBitLook {
    struct Given {
        var sequence: UInt64
        /// -1 without one.
        var tag: Int
        var event: Event
        var isMarked: Bool
    }

    var events: [Given] = []
    var bookmarks: [String: [UInt8]] = [:]
    var report: RecoveryReport
    /// Afterwards.
    var metrics: ChannelMetrics

    init(_ channel: FileChannel, _ names: [String]) throws(ChannelError) {
        report = channel.recoveryReport
        metrics = channel.metrics
        for name in names { bookmarks[name] = channel.bookmark(name) }
        var events: [Given] = []
        try Self.lookAtAll(channel, &events)
        self.events = events
        metrics = channel.metrics
    }

    /// A take ends at a hole, and the next one goes on behind it.
    private static func lookAtAll(_ channel: FileChannel, _ events: inout [Given]) throws(ChannelError) {
        let take = try channel.beginTake(maxEvents: ChannelSweep.everything, maxBytes: .max)
        guard !take.isEmpty else { return }
        events += take.events.map { event in
            let tag = event.header("tag").flatMap { Int(String(decoding: $0, as: UTF8.self)) }
            return Given(
                sequence: event.sequence.rawValue, tag: tag ?? -1, event: event.event, isMarked: event.isRedelivered)
        }
        try lookAtAll(channel, &events)
        take.rollback()
    }
}
