import DurableChannel
import SimulatedFileIO

/// One process on a simulated disk, and the channel there.
final class World {
    let disk: SimulatedDisk
    let runtime: SimulatedRuntime
    let system: SimulatedFileSystem
    static let path = "/var/channel"

    init(_ disk: SimulatedDisk = SimulatedDisk(), seed: UInt64 = 1) {
        self.disk = disk
        runtime = SimulatedRuntime(seed: seed)
        system = SimulatedFileSystem(disk: disk, runtime: runtime)
    }

    /// Nobody looks at the disk any more when this process is over: what it had under way may come to an end there.
    var isLastOnItsDisk = false

    /// Work that nobody will run any more holds the channel that asked for it, and so does an append that a channel
    /// submitted (a delivery count, a retirement) until it is answered.
    deinit {
        if isLastOnItsDisk { runtime.runUntilIdle() }
        runtime.dropAllWork()
    }

    /// Small segments, so that every few transactions roll.
    static func small(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 512 << 10)
        configuration.segmentBytes = 24 << 10
        configuration.snapshotLimitBytes = 4096
        configuration.whenFull = .reject
        configuration.compression = .none
        configuration.leaseStep = 8
        change(&configuration)
        return configuration
    }

    func open(_ configuration: ChannelConfiguration = small()) throws(ChannelError) -> FileChannel {
        try FileChannel.open(at: Self.path, configuration: configuration, fileSystem: system, runtime: runtime)
    }

    /// The next process, on the same disk after the power came back.
    func afterPowerCut(_ choice: CrashChoice = .nothing, seed: UInt64 = 2) -> World {
        isLastOnItsDisk = true
        return World(disk.crashed(keeping: choice), seed: seed)
    }

    /// The next process, on the same running machine.
    func afterKill(_ choice: CrashChoice = .everything, seed: UInt64 = 2) -> World {
        isLastOnItsDisk = true
        return World(disk.killed(keeping: choice), seed: seed)
    }

    func segmentNames() -> [String] { (disk.names(in: Self.path) ?? []).filter { $0.hasSuffix(".seg") } }
}

extension FileChannel {
    /// Puts one transaction of events with these bodies.
    @discardableResult
    func put(_ bodies: [String], bookmark: (String, String)? = nil, producer: ProducerStamp? = nil)
        throws(ChannelError) -> PutReceipt
    {
        var put = try beginPut(producer: producer)
        for body in bodies { try put.append(body: body) }
        if let bookmark { try put.setBookmark(bookmark.0, Array(bookmark.1.utf8)) }
        return try put.commit()
    }

    /// Takes up to `count` events and commits.
    func take(_ count: Int = 1000) throws(ChannelError) -> [TakenEvent] {
        let take = try beginTake(maxEvents: count)
        let events = Array(take.events)
        try take.commit()
        return events
    }

    /// Whether put = held + taken + dropped + lost.
    var isBalanced: Bool {
        let metrics = self.metrics
        return metrics.putEvents
            == metrics.heldEvents + metrics.takenEvents + metrics.droppedEvents + metrics.lostEvents
    }
}

extension TakenEvent {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension [TakenEvent] {
    var texts: [String] { map(\.text) }
    var numbers: [UInt64] { map(\.sequence.rawValue) }
}
