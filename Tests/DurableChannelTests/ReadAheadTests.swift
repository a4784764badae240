import CrashHarness
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

@testable import DurableChannel

/// What is read while a take from the log is worked on: it saves reading, and decides nothing.
@Suite struct ReadAheadTests {
    private static let configuration = World.roomy { $0.tailCacheBytes = 0 }

    /// One put for each of 60 tags, none of them in memory.
    private func backlog() throws -> (World, FileChannel) {
        let world = World()
        let channel = try world.open(Self.configuration)
        for tag in 0..<60 { try channel.put(tags: [tag], bytes: 2500) }
        world.settle()
        return (world, channel)
    }

    @Test func theNextTakeFindsInMemoryWhatWasReadWhileTheLastOneWasWorkedOn() throws {
        let (world, channel) = try backlog()
        var reads = 0
        world.disk.options.countsReads = true
        world.disk.beforeOperation = { if $0.operation == .read, $0.path.hasSuffix(".seg") { reads += 1 } }
        let take = try OpenTake(channel, 10)
        #expect(take.events.tags == Array(0..<10))
        let before = reads
        world.settle()
        #expect(reads > before, "in the background")
        let ahead = reads
        let second = try OpenTake(channel, 20)
        #expect(second.events.tags == Array(10..<30))
        #expect(reads == ahead, "nothing is read twice, and nothing that is there already")
        try take.commit()
        try second.commit()
        world.disk.beforeOperation = nil
        #expect(try channel.take(1000).tags == Array(30..<60))
    }

    /// Row 11. Whoever comes to the damage records it, not who reads ahead.
    @Test func damageThatIsReadAheadIsRecordedByTheTakeThatComesToIt() throws {
        let (world, channel) = try backlog()
        let frame = try world.frame(holding: 15)
        world.flip(World.segment(frame.segment), at: frame.offset + 1000)
        #expect(try channel.take(10).tags == Array(0..<10))
        world.settle()
        #expect(channel.metrics.lostEvents == 0 && channel.metrics.state == .ok)
        #expect(try world.frames().allSatisfy { $0.header.type != .loss })
        #expect(try channel.take(10).tags == Array(10..<14) + Array(15..<21))
        #expect(channel.metrics.lostEvents == 1 && channel.isBalanced)
        #expect(try channel.take(1000).tags == Array(21..<60))
    }

    @Test func aRolledBackTakeComesAgainThoughMoreWasReadAhead() throws {
        let (world, channel) = try backlog()
        let take = try OpenTake(channel, 10)
        world.settle()
        take.rollback()
        #expect(try channel.take(1000).tags == Array(0..<60))
    }

    @Test func aChannelIsClosedWhileItIsReadAhead() throws {
        let (world, channel) = try backlog()
        #expect(try channel.take(10).tags == Array(0..<10))
        try channel.close()
        world.settle()
        let again = try world.next().open(Self.configuration)
        #expect(try again.take(1000).tags == Array(10..<60))
    }
}
