import CrashHarness
import DurableChannel
import FileIO
import Glibc
import Testing
import TestSupport

/// Opening after a kill costs the same however many events are queued: gated by calls and bytes, in processes of their own,
/// on a real disk.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ReadyTests {
    #if DEBUG
        private static let many = 150_000
        private static let segmentBytes: UInt32 = 256 << 10
    #else
        private static let many = 1_000_000
        private static let segmentBytes: UInt32 = 1 << 20
    #endif
    private static let few = 1000
    /// To open one (three calls), read its identity, sync it, survey it and read it.
    private static let callsOfOneSegment = 8
    /// Behind the opening, and perhaps beside it: a checkpoint, the name of a segment that was ready, a sync of the directory.
    private static let callsOfRemoval = 8

    static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 256 << 20)
        configuration.segmentBytes = segmentBytes
        configuration.snapshotLimitBytes = 64 << 10
        configuration.compression = .none
        configuration.whenFull = .reject
        // Where the last checkpoint is, is for the test to say.
        configuration.checkpointIntervalBytes = 1 << 40
        return configuration
    }

    /// Both channels are filled to the beginning of a segment; of the one with few events all that came before is taken. Then
    /// 1,000 events, records up to one place in the segment, a checkpoint, 500 events more, and the end: both logs end at the
    /// same block of a segment. Never returns.
    static func queueAndDie(_ path: String, _ count: Int, holdsFirst: Bool) throws {
        let channel = try openOnDisk(path, configuration)
        var queued = 0
        func put(_ count: Int) throws -> SegmentNumber {
            defer { queued += count }
            return try channel.put(tags: queued..<queued + count, bytes: 20).lsn!.segment
        }
        var segment = try put(1000)
        while queued < count - few { segment = try put(1000) }
        while try put(10) == segment {}
        let held = holdsFirst ? try OpenTake(channel, 1) : nil
        let taken = count == few ? queued - (held?.events.count ?? 0) : holdsFirst ? queued / 4 : 0
        var left = taken
        while left > 0 { left -= try channel.take(min(left, 1000)).count }
        _ = try put(few)
        // What is free by now has gone.
        usleep(300_000)
        let block: UInt64 = 512
        var end = try channel.put(tags: [queued], bytes: 20).lsn!.offset + block
        guard end < UInt64(segmentBytes) / 2 else { exit(4) }
        while end < UInt64(segmentBytes) / 2 {
            try channel.setBookmark("place", [1])
            end += block
        }
        try channel.checkpoint()
        for _ in 0..<50 { _ = try put(10) }
        guard held?.events.first?.tag ?? 0 == 0 else { exit(3) }
        kill(getpid(), SIGKILL)
    }

    /// What an opening cost, as it was written down by the process that did it.
    struct Cost: CustomStringConvertible {
        var calls = 0
        var bytesRead = 0
        var microseconds = 0
        var residentPages = 0
        var segments = 0
        var held = 0
        /// Files that were kept for the next segments: an opening looks at each, and removes them behind it.
        var spares = 0

        init(_ text: String) {
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 7 else { return }
            (calls, bytesRead, microseconds, residentPages, segments, held, spares) = (
                numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]
            )
        }

        var description: String {
            "\(held) events in \(segments) segments: \(calls) calls (\(spares) to look at a spare file), \(bytesRead) bytes "
                + "read, \(microseconds) us, "
                + "\(residentPages * 4) KiB more resident"
        }
    }

    /// Opens, writes down what it cost, and ends.
    static func openAndTell(_ path: String) throws {
        // What the first use of anything costs is not the opening's.
        let warm = path + "-warm"
        try openOnDisk(warm, configuration).close()
        let counted = CountingFileSystem(LinuxFileSystem())
        let runtime = SystemRuntime()
        let spares = TestFiles.names(in: path).count { $0.hasSuffix(".tmp") }
        let before = residentPages()
        let started = runtime.monotonicClock()
        let channel = try FileChannel.open(
            at: path, configuration: configuration, fileSystem: counted, runtime: runtime)
        let microseconds = (runtime.monotonicClock() - started) / 1000
        let (calls, bytes) = (counted.counts.calls, counted.counts.bytesRead)
        let resident = residentPages() - before
        let segments = TestFiles.names(in: path).count { $0.hasSuffix(".seg") }
        let text = "\(calls) \(bytes) \(microseconds) \(resident) \(segments) \(channel.metrics.heldEvents) \(spares)"
        _ = TestFiles.write(Array(text.utf8), to: path + "-cost")
        // What comes first is right, too.
        let take = try channel.beginTake(maxEvents: 1)
        guard take.events.count == 1, channel.isBalanced else { exit(3) }
        take.rollback()
        exit(0)
    }

    private static func residentPages() -> Int {
        Int((TestFiles.text("/proc/self/statm") ?? "").split(separator: " ").dropFirst().first ?? "0") ?? 0
    }

    private func cost(_ count: Int, _ directory: RealDirectory, holdsFirst: Bool, checkpoint: Bool) async -> Cost {
        let path = directory.path + "/c\(count)"
        let kill = await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, count = count as Int, holdsFirst = holdsFirst as Bool] in
            try ReadyTests.queueAndDie(path, count, holdsFirst: holdsFirst)
        }
        #expect(kill != nil)
        if !checkpoint { #expect(unsafe unlink(path + "/checkpoint") == 0) }
        await #expect(processExitsWith: .exitCode(0)) { [path = path as String] in try ReadyTests.openAndTell(path) }
        return Cost(TestFiles.text(path + "-cost") ?? "")
    }

    @Test(arguments: [true, false], [false, true])
    func openingAfterAKillCostsTheSameHoweverManyEventsAreQueued(_ checkpoint: Bool, _ holdsFirst: Bool) async throws {
        let directory = RealDirectory()
        let few = await cost(Self.few, directory, holdsFirst: holdsFirst, checkpoint: checkpoint)
        let many = await cost(Self.many, directory, holdsFirst: holdsFirst, checkpoint: checkpoint)
        print("ready (\(checkpoint ? "with" : "without") checkpoint\(holdsFirst ? ", event 1 held" : "")): \(few)")
        print("ready (\(checkpoint ? "with" : "without") checkpoint\(holdsFirst ? ", event 1 held" : "")): \(many)")
        #expect(few.calls > 0 && (1501...1502).contains(few.held))
        #expect(many.segments >= 16 && many.held >= Self.many / 2)
        // Without a checkpoint replay starts with the newest segment's own snapshot, which covers what was durable when that
        // was prepared: a part of the segment before it is replayed, too, if there is one.
        let others = (checkpoint ? 0 : Self.callsOfOneSegment) + Self.callsOfRemoval + many.spares
        #expect(many.calls - many.spares <= few.calls - few.spares + others)
        #expect(many.bytesRead <= few.bytesRead + (checkpoint ? 0 : Int(Self.segmentBytes)))
        // The accuracy of the measure: pages that an allocator happens to touch.
        #expect(many.residentPages <= few.residentPages + 256, "1 MiB")
    }
}
