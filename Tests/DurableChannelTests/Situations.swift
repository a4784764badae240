import CrashHarness
import DurableChannel
import FileIO
import Glibc
import SimulatedFileIO
import TestSupport
import Testing

/// Configurations, answers of calls that fail, and events that tests share.
extension World {
    /// Segments of 64 KiB, and room for some hundred takes, bookmarks and producers.
    static func roomy(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 2 << 20)
        configuration.segmentBytes = 64 << 10
        configuration.snapshotLimitBytes = 8192
        configuration.whenFull = .reject
        configuration.compression = .none
        configuration.leaseStep = 8
        change(&configuration)
        return configuration
    }

    /// The smallest channel that needs no sizes said.
    static func mebibyte(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 1 << 20)
        configuration.whenFull = .reject
        configuration.compression = .none
        change(&configuration)
        return configuration
    }

    /// The same disk for another process; this one stays as it is.
    func copy(seed: UInt64 = 3) -> World { World(disk.clone(), seed: seed) }

    /// The next process after one that closed its channel.
    func next(seed: UInt64 = 4) -> World { World(disk, seed: seed) }

    /// Runs what is due until nothing is, for some time.
    func settle(seconds: Int = 1) {
        for _ in 0..<10 * seconds {
            runtime.runUntilIdle()
            runtime.advance(by: 100_000_000)
        }
        runtime.runUntilIdle()
    }

    /// A channel for clients side by side: threads of which one runs at a time, in an order that the seed decides.
    func openForClients(
        _ configuration: ChannelConfiguration = roomy(), seed: UInt64 = 1
    ) throws(ChannelError) -> (channel: FileChannel, clients: ClientRuntime) {
        let clients = ClientRuntime(seed: seed, runtime)
        let channel = try FileChannel.open(
            at: Self.path, configuration: configuration, fileSystem: system, runtime: clients)
        return (channel, clients)
    }

    /// What opening throws; nil when it does not.
    func openingError(_ configuration: ChannelConfiguration = roomy()) -> ChannelError? {
        failure { try open(configuration).close() }
    }
}

/// What a call throws; nil when it throws nothing. Anything but a `ChannelError` is a mistake.
func failure<R: ~Copyable>(
    _ body: () throws -> R, sourceLocation: SourceLocation = #_sourceLocation
) -> ChannelError? {
    do {
        _ = try body()
        return nil
    } catch let error as ChannelError {
        return error
    } catch {
        Issue.record("not a ChannelError: \(error)", sourceLocation: sourceLocation)
        return nil
    }
}

func commitFailure(_ put: consuming PutTransaction) -> ChannelError? {
    do throws(ChannelError) {
        try put.commit()
        return nil
    } catch {
        return error
    }
}

func commitFailure(_ take: consuming TakeTransaction) -> ChannelError? {
    do throws(ChannelError) {
        try take.commit()
        return nil
    } catch {
        return error
    }
}

/// A put transaction that can stand in an array.
final class OpenPut {
    private var transaction: PutTransaction?

    init(_ channel: FileChannel, producer: ProducerStamp? = nil) throws(ChannelError) {
        transaction = try channel.beginPut(producer: producer)
    }

    var eventCount: Int { transaction?.eventCount ?? 0 }

    @discardableResult func append(_ body: [UInt8]) throws(ChannelError) -> AppendOutcome {
        try transaction!.append(body: body)
    }

    func setBookmark(_ name: String, _ value: String) throws(ChannelError) {
        try transaction!.setBookmark(name, Array(value.utf8))
    }

    @discardableResult func commit() throws(ChannelError) -> PutReceipt { try transaction.take()!.commit() }

    func rollback() { transaction.take()?.rollback() }
}

/// A take transaction that can stand in an array.
final class OpenTake {
    private var transaction: TakeTransaction?
    let events: [TakenEvent]

    init(_ channel: FileChannel, _ count: Int = 1000) throws(ChannelError) {
        let take = try channel.beginTake(maxEvents: count)
        events = Array(take.events)
        transaction = consume take
    }

    func commit() throws(ChannelError) { try transaction.take()!.commit() }

    func rollback() { transaction.take()?.rollback() }
}

/// A body of so many bytes, at least 8, that says which it is.
func body(_ tag: Int, _ bytes: Int = 40) -> [UInt8] {
    var body = [UInt8](repeating: UInt8(truncatingIfNeeded: tag), count: max(8, bytes))
    for index in 0..<8 { body[index] = UInt8(truncatingIfNeeded: tag >> (8 * index)) }
    return body
}

extension TakenEvent {
    /// Which ``body(_:_:)`` it is.
    var tag: Int { body.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } }
}

extension [TakenEvent] {
    var tags: [Int] { map(\.tag) }
    var marks: [Bool] { map(\.isRedelivered) }
}

extension FileChannel {
    /// Puts one transaction of events with these tags.
    @discardableResult
    func put(tags: some Sequence<Int>, bytes: Int = 40, producer: ProducerStamp? = nil) throws(ChannelError)
        -> PutReceipt
    {
        var put = try beginPut(producer: producer)
        for tag in tags { try put.append(body: body(tag, bytes)) }
        return try put.commit()
    }

    /// Puts one event at a time until there is no room; how many there were.
    func fill(from first: Int = 0, bytes: Int = 1000, perTransaction: Int = 10) throws(ChannelError) -> Int {
        var tag = first
        while true {
            var put = try beginPut()
            do throws(ChannelError) {
                for _ in 0..<perTransaction {
                    try put.append(body: body(tag, bytes))
                    tag += 1
                }
            } catch {
                guard error.code == .full else { throw error }
                try put.commit()
                return tag - first
            }
            try put.commit()
        }
    }

    /// Takes everything, so many events per commit; the tags.
    func drain(perCommit count: Int = 1) throws(ChannelError) -> [Int] {
        var tags: [Int] = []
        while true {
            let take = try beginTake(maxEvents: count)
            if take.isEmpty { return tags }
            tags += Array(take.events).tags
            try take.commit()
        }
    }
}

/// The most that the files of a disk ever took, looked at before each operation.
final class Peak {
    private(set) var bytes: UInt64 = 0

    init(_ disk: SimulatedDisk) {
        disk.beforeOperation = { [unowned disk] _ in self.bytes = max(self.bytes, disk.allocatedBytes()) }
    }
}

/// Opens a channel on a real disk and blocks, also where an `async` twin would be chosen.
func openOnDisk(
    _ path: String, _ configuration: ChannelConfiguration = World.mebibyte()
) throws(ChannelError) -> FileChannel {
    try FileChannel.open(at: path, configuration: configuration)
}

/// A new directory on a real disk; it goes with all that is in it when nobody holds this any more.
final class RealDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        path = unsafe mkdtemp(&template).map { name in unsafe String(cString: name) } ?? ""
        precondition(!path.isEmpty, "no directory can be made in /tmp")
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        for name in TestFiles.names(in: path) where unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
