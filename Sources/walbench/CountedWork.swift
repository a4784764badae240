import DurableChannel
import FileIO
import Glibc

/// One operation so many times, on one thread, and nothing else: what `tools/count` runs under valgrind, which counts the
/// instructions. That takes two runs, of which one does twice as much; the difference is what the operation costs.
///
/// So what does not grow with the number of events cancels. What would differ from run to run or from disk to disk is kept away:
/// threads and clocks (``SerialRuntime``), checkpoints in between, new segments, the disk's own block and write method.
struct CountedWork {
    enum Operation: String, CaseIterable {
        /// 100 events a transaction, not compressed.
        case put
        /// The same with documents, compressed.
        case putCompressed = "put-lz4"
        /// One event a transaction; then it ends as a killed process does.
        case leave
        /// What `put` has put, 100 a transaction.
        case take
        /// What `leave` has left.
        case open
        /// The segment that any of them has filled.
        case verify
    }

    let options: Options
    let operation: Operation
    private let fileSystem = LinuxFileSystem()

    private static let eventsInTransaction = 100
    /// They make ten transactions, of different content, that are put in turn.
    private static let documents = 1_000
    private static let blockBytes = 4_096
    private static let snapshotLimitBytes = 64 << 10
    /// For all that stands in a segment beside the events.
    private static let otherBytes = 512 << 10

    init(_ options: Options, _ operation: Operation) {
        self.options = options
        self.operation = operation
    }

    private var events: Int { options.events?.first ?? 1_000 }

    /// Ends the process, so that nothing is torn down that an operation does not tear down.
    func run() throws -> Never {
        guard Checksum.isHardware else { throw MissingInstruction() }
        switch operation {
        case .put: try put([[Event](repeating: Self.event(bodyBytes: 512), count: Self.eventsInTransaction)])
        case .putCompressed: try put(Self.batches(of: Documents.make(Self.documents)))
        case .leave: try leave()
        case .take: try take()
        case .open: try expect(Int(openChannel().metrics.heldEvents))
        case .verify: try verify()
        }
        exit(0)
    }

    private func put(_ batches: [[Event]]) throws {
        let channel = try openChannel(segmentBytes: segmentBytes(batches[0]))
        for turn in 0..<events / Self.eventsInTransaction { try put(batches[turn % batches.count], into: channel) }
        try channel.close()
        // The one that is ready for what comes next is as long, which depends on the events; an opening would look through it.
        let directory = try fileSystem.openDirectory(at: options.directory)
        for name in try directory.list().filter({ $0.hasSuffix(".seg") }).dropFirst() { try directory.unlink(name) }
    }

    private func leave() throws {
        let batch = [try eventOfOneBlock()]
        let channel = try openChannel(segmentBytes: segmentBytes(batch))
        for _ in 0..<events { try put(batch, into: channel) }
        // So that the next opening goes over all frames.
        try fileSystem.openDirectory(at: options.directory).unlink("checkpoint")
        _exit(0)
    }

    /// Its frame fills a block: else what is counted would be padding more than anything else.
    private func eventOfOneBlock() throws -> Event {
        let rest = Self.blockBytes - (try frameBytes([Self.event(bodyBytes: 0)]))
        // The length takes another byte or two when it is a greater number.
        return Self.event(bodyBytes: rest - 8)
    }

    private func put(_ batch: [Event], into channel: FileChannel) throws {
        var put = try channel.beginPut()
        for event in batch { try put.append(event) }
        try put.commit()
    }

    private func take() throws {
        let channel = try openChannel()
        var count = 0
        while true {
            let take = try channel.beginTake(maxEvents: Self.eventsInTransaction, maxBytes: 1 << 30)
            if take.isEmpty { break }
            for event in take.events where event.bodyBytes > 0 { count += 1 }
            try take.commit()
        }
        try expect(count)
        try channel.close()
    }

    private func verify() throws {
        let directory = try fileSystem.openDirectory(at: options.directory)
        let check = try SegmentCheck(SegmentNumber(1), in: directory)
        guard check.damagedRanges == 0 else { throw BenchmarkError("\(options.directory) is damaged") }
        try expect(Int(check.events))
    }

    /// Whoever came by fewer events did less.
    private func expect(_ found: Int) throws {
        guard found == events else { throw BenchmarkError("\(options.directory) has \(found) of \(events) events") }
    }

    private func openChannel(segmentBytes: UInt32? = nil) throws -> FileChannel {
        var configuration = ChannelConfiguration(capacityBytes: segmentBytes.map { UInt64($0) * 64 })
        configuration.segmentBytes = segmentBytes
        configuration.snapshotLimitBytes = Self.snapshotLimitBytes
        configuration.compression = operation == .putCompressed ? .lz4 : .none
        configuration.blockBytes = Self.blockBytes
        configuration.writeMethods = [.writeThenSync]
        configuration.checkpointIntervalBytes = 1 << 40
        return try FileChannel.open(
            at: options.directory, configuration: configuration, fileSystem: fileSystem, runtime: SerialRuntime())
    }

    /// All transactions fit into one segment, and what is left of it does not depend on their number: whoever looks for more of
    /// them looks through it, too.
    private func segmentBytes(_ batch: [Event]) throws -> UInt32 {
        let group = (try frameBytes(batch) + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
        return UInt32(Self.otherBytes + events / batch.count * group)
    }

    private func frameBytes(_ batch: [Event]) throws -> Int {
        Frame.minimumBytes(storedBytes: try Workload.encode(batch, id: 0).count)
    }

    private static func event(bodyBytes: Int) -> Event {
        Workload.event([UInt8](repeating: UInt8(ascii: "x"), count: bodyBytes))
    }

    private static func batches(of bodies: [[UInt8]]) -> [[Event]] {
        stride(from: 0, to: bodies.count, by: eventsInTransaction).map { first in
            bodies[first..<first + eventsInTransaction].map(Workload.event)
        }
    }
}

/// Counts with and without the checksum's instruction cannot be compared.
struct MissingInstruction: Error, CustomStringConvertible {
    let description = "there is no instruction for CRC-32C here, or valgrind does not offer it; counts are made with it"
}
