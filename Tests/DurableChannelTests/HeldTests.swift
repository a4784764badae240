import CrashHarness
import DurableChannel
import FileIO
import Glibc
import LogFormat
import SimulatedFileIO
import Testing

/// Row 24 as takers see it, with other bad sectors at each opening: what the disk gives in the end was not given up before.
@Suite struct HeldTests {
    private static func unreadable(_ segment: UInt64, _ range: Range<UInt64>) -> Fault {
        Fault(.read, errno: EIO, on: .name(World.segment(segment)), range: range, count: Fault.forever)
    }

    private static func sector(_ frame: PlacedFrame) -> Fault {
        unreadable(frame.segment, UInt64(frame.offset)..<UInt64(frame.offset + 512))
    }

    /// A take ends at a hole, and what is held is asked for again after a while.
    private static func takeAll(_ world: World, _ channel: FileChannel) throws -> [Int] {
        var tags: [Int] = []
        for _ in 0..<4 {
            let take = try channel.beginTake(maxEvents: 1000)
            tags += Array(take.events).tags
            try take.commit()
            world.runtime.advance(by: 600_000_000_000)
        }
        return tags
    }

    /// Puts one by one until six stand in the fourth segment.
    private static func fillThreeSegments(_ channel: FileChannel, _ world: World) throws -> [PlacedFrame] {
        var tag = 0
        while true {
            try channel.put(tags: [tag], bytes: 600)
            tag += 1
            let puts = try world.frames().filter { $0.header.type == .put }
            if puts.count(where: { $0.segment == 4 }) == 6 { return puts }
        }
    }

    /// Row 24.
    @Test func anEpochThatCannotBeSeenKeepsItsNumber() throws {
        var world = World()
        var channel = try world.open()
        for tag in 0..<6 { try channel.put(tags: [tag], bytes: 300) }
        let frame = try world.frame(holding: 3)
        world = world.afterPowerCut(seed: 31)
        world.disk.faults.add(Self.sector(frame))
        channel = try world.open()
        for tag in 6..<8 { try channel.put(tags: [tag], bytes: 300) }
        let fresh = try #require(try world.frames().last { $0.header.type == .put }).segment
        #expect(fresh > frame.segment)
        world = world.afterPowerCut(seed: 32)
        world.disk.faults.add(Self.unreadable(fresh, 8192..<16384))
        channel = try world.open()
        for tag in 8..<10 { try channel.put(tags: [tag], bytes: 300) }
        world = world.afterPowerCut(seed: 33)
        #expect(try Self.takeAll(world, world.open()).sorted() == Array(0..<10))
    }

    /// Row 24: the first opening was beside two bad sectors, the second beside the segment that the first had begun.
    @Test func anEpochIsAboveEachOneThatCannotBeSeen() throws {
        var world = World()
        var channel = try world.open()
        let puts = try Self.fillThreeSegments(channel, world)
        world = world.afterPowerCut(seed: 34)
        world.disk.faults.add(Self.sector(puts.filter { $0.segment == 3 }.dropLast().last!))
        world.disk.faults.add(Self.sector(puts.filter { $0.segment == 4 }[2]))
        channel = try world.open()
        for tag in 0..<2 { try channel.put(tags: [puts.count + tag], bytes: 600) }
        let fresh = try #require(try world.frames().last { $0.header.type == .put }).segment
        world = world.afterPowerCut(seed: 35)
        world.disk.faults.add(Self.unreadable(fresh, 8192..<16384))
        channel = try world.open()
        for tag in 2..<4 { try channel.put(tags: [puts.count + tag], bytes: 600) }
        world = world.afterPowerCut(seed: 36)
        #expect(try Self.takeAll(world, world.open()).sorted() == Array(0..<puts.count + 4))
    }

    /// Row 24: an opening that got neither the end of a segment nor the one behind it has skipped numbers for both. When the disk
    /// gives them again, there was nothing at those numbers; what was there in front of them is not given up with them.
    @Test func numbersThatWereSkippedCostNothingThatIsThereAfterAll() throws {
        var world = World()
        var channel = try world.open()
        var count = 0
        while !world.segmentNames().contains(World.segment(2)) {
            try channel.put(tags: [count], bytes: 600)
            count += 1
        }
        let last = try #require(try world.frames().last { $0.header.type == .put })
        try #require(last.segment == 1)
        world = world.afterPowerCut(seed: 38)
        world.disk.faults.add(Self.unreadable(1, UInt64(last.offset)..<UInt64(24 << 10)))
        world.disk.faults.add(Self.unreadable(2, 8192..<UInt64(24 << 10)))
        channel = try world.open()
        for tag in count..<count + 2 { try channel.put(tags: [tag], bytes: 600) }
        // So that the next opening does not come by it.
        try channel.checkpoint()
        world = world.afterPowerCut(seed: 39)
        channel = try world.open()
        #expect(Array(try channel.beginTake(maxEvents: 1000).events).tags == Array(0..<count + 2))
        // What that take met is recorded, and it was not committed.
        world = world.afterPowerCut(seed: 40)
        #expect(try Self.takeAll(world, world.open()) == Array(0..<count + 2))
    }

    /// Row 24: where nobody knows how much a place holds, its numbers are many; a take comes by all of them at once.
    @Test func aTakeAsksTheDiskOnceForAPlaceThatItDoesNotGiveHoweverManyEventsMayStandThere() throws {
        var options = SimulatedDisk.Options()
        options.countsReads = true
        var world = World(SimulatedDisk(options))
        var channel = try world.open()
        for tag in 0..<20 { try channel.put(tags: [tag], bytes: 100) }
        let first = try world.frame(holding: 2)
        world = world.afterPowerCut(seed: 37)
        world.disk.faults.add(Self.unreadable(1, UInt64(first.offset)..<UInt64(24 << 10)))
        channel = try world.open()
        #expect(channel.metrics.heldEvents > 100_000)
        let before = world.disk.operationCount
        var tags: [Int] = []
        for _ in 0..<4 {
            let take = try channel.beginTake(maxEvents: 1)
            tags += Array(take.events).tags
            try take.commit()
        }
        #expect(tags == [0])
        #expect(channel.metrics.unreadableEvents > 100_000)
        #expect(world.disk.operationCount - before < 2000)
        world.disk.faults.removeAll()
        world.runtime.advance(by: 600_000_000_000)
        tags += try Self.takeAll(world, channel)
        #expect(tags == Array(0..<20))
    }

    /// Row 24: the end of a segment and the beginning of the next one; what can be read is taken meanwhile.
    @Test(arguments: [false, true]) func aHoleOverASegmentBorderComesBackWhole(_ isReopened: Bool) throws {
        var world = World()
        var channel = try world.open()
        let puts = try Self.fillThreeSegments(channel, world)
        world = world.afterPowerCut()
        let held = puts.filter { $0.segment == 3 }.suffix(3)
        world.disk.faults.add(Self.unreadable(3, UInt64(held.first!.offset)..<UInt64(24 << 10)))
        world.disk.faults.add(Self.unreadable(4, 8192..<8704))
        channel = try world.open()
        var tags = try Self.takeAll(world, channel)
        #expect(tags.count < puts.count)
        world.disk.faults.removeAll()
        if isReopened {
            try channel.checkpoint()
            world = world.afterPowerCut()
            channel = try world.open()
        }
        world.runtime.advance(by: 600_000_000_000)
        tags += try Self.takeAll(world, channel)
        #expect(tags.sorted() == Array(0..<puts.count))
        #expect(channel.metrics.lostEvents == 0)
    }
}
