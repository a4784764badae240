import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// P7: an opening costs the same whatever the log holds.
@Suite struct OpeningCostTests {
    /// Segments of 32 KiB, with a snapshot that has room for a thousand of them.
    private static let configuration = {
        var configuration = LogConfiguration(capacityBytes: 64 << 20)
        configuration.segmentBytes = 64 << 10
        configuration.snapshotLimitBytes = 48 << 10 - 4096
        configuration.idleMarkDelay = 0
        return configuration
    }()

    /// Segments of many windows of a reader.
    private static let large = {
        var configuration = LogConfiguration(capacityBytes: 16 << 20)
        configuration.segmentBytes = 2 << 20
        configuration.idleMarkDelay = 0
        return configuration
    }()

    private struct Cost: Equatable, CustomStringConvertible {
        var calls: Int
        var bytesRead: Int
        var frames: Int

        var description: String { "\(calls) calls, \(bytesRead) bytes read, \(frames) frames replayed" }
    }

    /// A log with so many live segments, killed ten appends behind a roll; what opening it costs.
    private func cost(segments wanted: Int, checkpoint: Bool = true) throws -> Cost {
        let world = World()
        let log = try world.open(Self.configuration)
        let tag = try world.append(to: log, until: wanted + 1, bytes: 2000)
        try log.retire(log.segments.dropLast(wanted).map(\.number))
        try log.checkpoint()
        for index in 0..<10 { _ = try log.append([put(tag + index, bytes: 200)]) }
        world.runtime.runUntilIdle()
        #expect(log.segments.count == wanted)
        let next = world.afterPowerCut()
        if !checkpoint { try next.unlink("checkpoint") }
        let counting = CountingFileSystem(next.system)
        let again = try Log.open(
            at: World.path, fileSystem: counting, runtime: next.runtime, configuration: Self.configuration)
        #expect(again.recoveryReport.losses.isEmpty)
        #expect(again.segments.count == wanted)
        return Cost(
            calls: counting.counts.calls, bytesRead: counting.counts.bytesRead,
            frames: again.recoveryReport.framesReplayed)
    }

    @Test func anOpeningMakesNoMoreCallsAndReadsNoMoreWithManySegmentsThanWithOne() throws {
        let one = try cost(segments: 1)
        for count in [2, 16, 200] {
            let many = try cost(segments: count)
            #expect(many.calls <= one.calls && many.bytesRead <= one.bytesRead, "\(count): \(many); one: \(one)")
        }
        print("opening: \(one)")
    }

    @Test func withoutACheckpointItIsBoundedByOneSegmentMore() throws {
        let one = try cost(segments: 1, checkpoint: false)
        for count in [2, 16, 200] {
            let many = try cost(segments: count, checkpoint: false)
            #expect(many.calls <= one.calls + 16, "\(count): \(many); one: \(one)")
            #expect(many.bytesRead <= one.bytesRead + 4 * (64 << 10), "\(count): \(many); one: \(one)")
        }
    }

    /// A segment of many read-ahead windows, full of small frames: each pass goes from header to header, and reads it once.
    /// Its own snapshot begins in a segment that is gone, so the ones inside it are looked for.
    @Test func withoutACheckpointASegmentIsReadAFewTimesHoweverManyFramesItHas() throws {
        let segmentBytes = 2 << 20
        let configuration = Self.large
        let world = World()
        let log = try world.open(configuration)
        let tag = try world.append(to: log, until: 2, bytes: 60_000)
        for index in 0..<3000 { _ = try log.append([put(tag + index, bytes: 20)]) }
        try log.retire([log.segments[0].number])
        try log.checkpoint()
        world.runtime.runUntilIdle()
        #expect(log.segments.count == 1)
        let next = world.afterPowerCut()
        try next.unlink("checkpoint")
        let counting = CountingFileSystem(next.system)
        let again = try Log.open(
            at: World.path, fileSystem: counting, runtime: next.runtime, configuration: configuration)
        #expect(again.recoveryReport.segmentsScanned == 1)
        // The active one and the one that is prepared, by three passes or fewer.
        #expect(counting.counts.bytesRead <= 2 * 3 * segmentBytes, "\(counting.counts.bytesRead)")
    }

    /// What the survey read, replay does not read again.
    @Test func theActiveSegmentAndTheOneThatIsReadyAreReadOnce() throws {
        let world = World()
        let log = try world.open(Self.large)
        for tag in 0..<32 { _ = try log.append([put(tag, bytes: 50_000)]) }
        world.runtime.runUntilIdle()
        #expect(world.segmentNames().count == 2)
        let next = world.afterPowerCut()
        let counting = CountingFileSystem(next.system)
        let again = try Log.open(
            at: World.path, fileSystem: counting, runtime: next.runtime, configuration: Self.large)
        let bytesRead = counting.counts.bytesRead
        // Beside the segments: checkpoint slots, identities, and a piece of each segment in which the base is looked for.
        let others = 2 * (64 << 10) + 4 * 4096 + 2 * (256 << 10)
        #expect(bytesRead <= 2 * (2 << 20) + others, "\(bytesRead)")
        #expect(try again.tags() == Array(0..<32))
        next.runtime.runUntilIdle()
        #expect(next.segmentNames().count == 1, "and then it goes")
    }

    /// What comes after may be all that vouches for what is damaged.
    @Test(arguments: ["flip", "zero", "zero with the event before"], ["flip", "zero"])
    func aSegmentBehindADamagedSealIsReadThroughThoughItsFirstFramesAreDamagedToo(
        _ sealDamage: String, _ firstDamage: String
    ) throws {
        let world = World()
        let log = try world.open(Self.large)
        let tag = try world.append(to: log, until: 2, bytes: 50_000)
        for index in 0..<10 { _ = try log.append([put(tag + index, bytes: 50_000)]) }
        world.runtime.runUntilIdle()
        let next = world.afterPowerCut()
        try next.unlink("checkpoint")
        let seal = try #require(try next.frames(1).last { $0.header.type == .seal })
        if sealDamage.hasPrefix("zero") {
            let event = try #require(try next.frames(1).last { $0.header.type == .put })
            next.zero(World.segment(1), (sealDamage == "zero" ? seal : event).offset..<seal.end)
        } else {
            next.flip(World.segment(1), at: seal.offset + 20)
        }
        if firstDamage == "zero" {
            next.zero(World.segment(2), 8192..<8192 + 4096)
        } else {
            let first = try #require(try next.frames(2).first)
            next.flip(World.segment(2), at: first.offset + 20)
        }
        let again = try next.open(Self.large)
        #expect(try Array(again.tags().suffix(10)) == Array(tag..<tag + 10), "\(again.recoveryReport)")
    }

    /// No seal stands before a segment that was begun after a failed write, and nothing of that write need be there.
    @Test func aSegmentThatBeginsAnEpochIsReadThroughThoughItsBeginningIsZeros() throws {
        let world = World()
        let log = try world.open(Self.large)
        for tag in 0..<3 { _ = try log.append([put(tag, bytes: 50_000)]) }
        world.disk.faults.add(Fault(.submit, errno: EIO, outcome: .absent))
        #expect(throws: LogError.self) { try log.append([put(3, bytes: 50_000)]) }
        for tag in 4..<8 { _ = try log.append([put(tag, bytes: 50_000)]) }
        #expect(log.epoch == Epoch(2) && log.segments.count == 2)
        let next = world.afterPowerCut()
        try next.unlink("checkpoint")
        let begun = log.segments[1].number.rawValue
        next.zero(World.segment(begun), 8192..<8192 + (2 << 20) / 64)
        let again = try next.open(Self.large)
        #expect(try Array(again.tags().suffix(3)) == [5, 6, 7], "\(again.recoveryReport)")
    }

    /// Without it recovery would go through all of the segment before, too.
    @Test func aRollIsFollowedByACheckpoint() throws {
        let world = World()
        let log = try world.open(Self.configuration)
        var tag = 0
        while log.segments.count < 3 {
            _ = try log.append([put(tag, bytes: 2000)])
            tag += 1
        }
        world.runtime.runUntilIdle()
        let next = world.afterPowerCut()
        var replayed = 0
        let again = try next.open(Self.configuration) { _ in replayed += 1 }
        #expect(again.recoveryReport.base.hasPrefix("checkpoint"))
        #expect(again.recoveryReport.segmentsScanned == 1 && replayed < 8, "\(again.recoveryReport)")
    }

    @Test func aCheckpointWritesNoMoreThanItHas() throws {
        let world = World()
        let log = try world.open(Self.configuration)
        let before = log.statistics.bytesWritten
        try log.checkpoint()
        #expect(log.statistics.bytesWritten - before == 4096)
    }
}
