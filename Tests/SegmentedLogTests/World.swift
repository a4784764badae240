import Glibc
import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO

/// One process on a simulated disk, and what it knows of a log there.
final class World {
    let disk: SimulatedDisk
    let runtime: SimulatedRuntime
    let system: SimulatedFileSystem
    static let path = "/var/log"
    /// How much a client keeps in each snapshot; 0: there is none.
    var clientStateBytes = 0

    init(_ disk: SimulatedDisk = SimulatedDisk(), seed: UInt64 = 1) {
        self.disk = disk
        runtime = SimulatedRuntime(seed: seed)
        system = SimulatedFileSystem(disk: disk, runtime: runtime)
    }

    /// Work that nobody will run any more holds the log that asked for it.
    deinit { runtime.dropAllWork() }

    /// Segments of 16 KiB, half of which is identity: every few appends roll.
    static func small(_ change: (inout LogConfiguration) -> Void = { _ in }) -> LogConfiguration {
        var configuration = LogConfiguration(capacityBytes: 320 << 10)
        configuration.segmentBytes = 16 << 10
        configuration.snapshotLimitBytes = 1024
        configuration.idleMarkDelay = 0
        configuration.maximumGroupBytes = 4096
        change(&configuration)
        return configuration
    }

    /// With room for a few spares.
    static let withSpares = small {
        $0.capacityBytes = 640 << 10
        $0.snapshotLimitBytes = 2048
    }

    func open(
        _ configuration: LogConfiguration = small(), replay: (ReplayedFrame) -> Void = { _ in }
    ) throws(LogError) -> Log {
        guard clientStateBytes > 0 else {
            return try Log.open(
                at: Self.path, fileSystem: system, runtime: runtime, configuration: configuration,
                replay: { (frame) throws(LogError) in replay(frame) })
        }
        let client = Client(bytes: clientStateBytes)
        let log = try Log.open(
            at: Self.path, fileSystem: system, runtime: runtime, configuration: configuration,
            clientState: { client.checkpoint },
            restored: { (found) throws(LogError) in client.through = found.through },
            replay: { (frame) throws(LogError) in
                replay(frame)
                client.through = DurableThrough(
                    lsn: frame.end,
                    nextSequence: EventSequence(frame.header.baseSequence.rawValue + UInt64(frame.header.eventCount)))
            })
        client.log = log
        return log
    }

    /// One event after the other, with tags from 0, until there are so many segments; the next tag.
    func append(to log: Log, until segments: Int, bytes: Int) throws -> Int {
        try append(to: log, bytes: bytes) { log.segments.count >= segments }
    }

    /// One event after the other, each with all the work that it gives rise to, until the condition holds; the next tag.
    func append(to log: Log, from first: Int = 0, bytes: Int, until holds: () -> Bool) throws -> Int {
        var tag = first
        while !holds() {
            _ = try log.append([put(tag, bytes: bytes)])
            runtime.runUntilIdle()
            tag += 1
        }
        return tag
    }

    /// Knows of everything that is durable, and says so at length.
    private final class Client: @unchecked Sendable {
        weak var log: Log?
        var through = DurableThrough.nothing
        let bytes: [UInt8]

        init(bytes: Int) { self.bytes = (0..<bytes).map { UInt8(truncatingIfNeeded: $0) } }

        var checkpoint: ClientCheckpoint { ClientCheckpoint(through: log?.durableThrough ?? through, bytes: bytes) }
    }

    /// The next process, on the same disk after the power came back.
    func afterPowerCut(_ choice: CrashChoice = .nothing, seed: UInt64 = 2) -> World {
        World(disk.crashed(keeping: choice), seed: seed)
    }

    /// The next process, on the same running machine.
    func afterKill(_ choice: CrashChoice = .everything, seed: UInt64 = 2) -> World {
        World(disk.killed(keeping: choice), seed: seed)
    }

    func names() -> [String] {
        guard let directory = try? system.openDirectory(at: Self.path) else { return [] }
        return (try? directory.list()) ?? []
    }

    func segmentNames() -> [String] { names().filter { $0.hasSuffix(".seg") } }

    var spares: [String] { names().filter { $0.hasPrefix("spare-") } }

    /// Changes a file's bytes behind everybody's back, durably.
    func damage(_ name: String, at offset: Int, _ change: (inout UInt8) -> Void) throws {
        let directory = try system.openDirectory(at: Self.path)
        let file = try directory.open(name, for: .writing(.writeThenSync))
        let buffer = AlignedBuffer(byteCount: 4096)
        let page = offset / 4096 * 4096
        let count = try file.read(into: buffer, at: 0, count: 4096, from: UInt64(page), source: .cache)
        var bytes = (0..<count).map { unsafe buffer.bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        change(&bytes[offset - page])
        buffer.copy(from: bytes, at: 0)
        try file.write(buffer, count: count, at: UInt64(page))
        try file.synchronize()
    }

    /// Zeros or random bytes over a range, durably.
    func overwrite(_ name: String, _ range: Range<Int>, with byte: (Int) -> UInt8 = { _ in 0 }) throws {
        let directory = try system.openDirectory(at: Self.path)
        let file = try directory.open(name, for: .writing(.writeThenSync))
        let buffer = AlignedBuffer(byteCount: range.count)
        buffer.copy(from: range.map(byte), at: 0)
        try file.write(buffer, count: range.count, at: UInt64(range.lowerBound))
        try file.synchronize()
    }

    func bytes(of name: String) throws -> [UInt8] {
        let directory = try system.openDirectory(at: Self.path)
        let file = try directory.open(name, for: .reading)
        let size = Int(try file.status().size)
        let buffer = AlignedBuffer(byteCount: size)
        let count = try file.read(into: buffer, at: 0, count: size, from: 0, source: .cache)
        return (0..<count).map { unsafe buffer.bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    func unlink(_ name: String) throws {
        let directory = try system.openDirectory(at: Self.path)
        try directory.unlink(name)
        try directory.synchronize()
    }
}

/// An append of `events` events whose payload says which it is.
func put(_ tag: Int, events: Int = 1, bytes: Int = 40) throws -> FramePayload {
    var raw = [UInt8](repeating: UInt8(truncatingIfNeeded: tag), count: max(bytes, 8))
    for index in 0..<8 { raw[index] = UInt8(truncatingIfNeeded: tag >> (8 * index)) }
    return try FramePayload(type: .put, eventCount: UInt32(events), transactionCount: 1, raw: raw)
}

/// A record without events.
func note(_ tag: Int, bytes: Int = 40) throws -> FramePayload {
    var raw = [UInt8](repeating: UInt8(truncatingIfNeeded: tag), count: max(bytes, 8))
    for index in 0..<8 { raw[index] = UInt8(truncatingIfNeeded: tag >> (8 * index)) }
    return try FramePayload(type: .takeCommit, transactionCount: 1, raw: raw)
}

func tag(_ payload: [UInt8]) -> Int {
    var value = 0
    for index in 0..<min(8, payload.count) { value |= Int(payload[index]) << (8 * index) }
    return value
}

extension Log {
    /// The tags of all put frames that can be read, in order; damage as a negative number of lost events.
    func tags() throws -> [Int] {
        let reader = makeReader()
        var tags: [Int] = []
        while let item = try reader.next() {
            switch item {
            case .frame(let frame): if frame.header.type == .put { tags.append(SegmentedLogTests.tag(frame.payload)) }
            case .damage(let range), .unreadable(let range):
                tags.append(-Int(range.endSequence.rawValue - range.firstSequence.rawValue))
            }
        }
        return tags
    }

    func frameTypes() throws -> [FrameType] {
        let reader = makeReader()
        var types: [FrameType] = []
        while let item = try reader.next() {
            if case .frame(let frame) = item, frame.header.type != .padding { types.append(frame.header.type) }
        }
        return types
    }
}

extension World {
    /// A bad sector for ever, or several.
    static func unreadable(_ segment: UInt64, _ range: Range<UInt64>) -> Fault {
        Fault(.read, errno: EIO, on: .name(World.segment(segment)), range: range, count: Fault.forever)
    }
}
