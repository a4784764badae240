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

    /// Both channels are filled to the beginning of a segment, which puts the same between them and the end of their logs; of the
    /// one with few events all that came before is taken. Then 1,000 events, a checkpoint, 500 more, and the end. Never
    /// returns.
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

        init(_ text: String) {
            let numbers = text.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 6 else { return }
            (calls, bytesRead, microseconds, residentPages, segments, held) = (
                numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
            )
        }

        var description: String {
            "\(held) events in \(segments) segments: \(calls) calls, \(bytesRead) bytes read, \(microseconds) us, "
                + "\(residentPages * 4) KiB more resident"
        }
    }

    /// Opens, writes down what it cost, and ends.
    static func openAndTell(_ path: String) throws {
        // What the first use of anything costs is not the opening's.
        let warm = path + "-warm"
        try openOnDisk(warm, configuration).close()
        let counted = CountedFileSystem(LinuxFileSystem())
        let runtime = SystemRuntime()
        let before = residentPages()
        let started = runtime.monotonicClock()
        let channel = try FileChannel.open(
            at: path, configuration: configuration, fileSystem: counted, runtime: runtime)
        let microseconds = (runtime.monotonicClock() - started) / 1000
        let (calls, bytes) = (counted.calls, counted.bytesRead)
        let resident = residentPages() - before
        let segments = TestFiles.names(in: path).count { $0.hasSuffix(".seg") }
        let text = "\(calls) \(bytes) \(microseconds) \(resident) \(segments) \(channel.metrics.heldEvents)"
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
        #expect(few.calls > 0 && (1500...1501).contains(few.held))
        #expect(many.segments >= 16 && many.held >= Self.many / 2)
        // A constant: the two logs do not end at the same byte, nor with the same spare files. Nothing here grows with the
        // 100 times as many events.
        #expect(many.calls <= few.calls + 8)
        #expect(many.bytesRead <= few.bytesRead + (checkpoint ? 64 << 10 : Int(Self.segmentBytes)))
        #expect(many.residentPages <= few.residentPages + 1024, "4 MiB")
    }
}
