import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Row 24: reads that fail, once and for ever. The log of most tests has 60 puts in five segments; the newest holds
/// 56-59.
@Suite struct ReadErrorTests {
    /// A log whose second segment begins with a snapshot of so much and the frame that opened an epoch after a failed write, and goes
    /// on with these puts.
    private static func afterAFailedWrite(
        puts: Range<Int> = 2..<3, bytes: Int = 40, clientStateBytes: Int = 0
    ) throws -> World {
        let world = World()
        world.clientStateBytes = clientStateBytes
        let log = try world.open()
        _ = try log.append([put(0)])
        world.disk.faults.add(Fault(.complete, errno: EIO))
        #expect(throws: LogError.self) { try log.append([put(1)]) }
        for tag in puts { _ = try log.append([put(tag, bytes: bytes)]) }
        #expect(world.names().contains(World.segment(2)))
        return world
    }

    private static func fault(_ segment: UInt64, _ frame: PlacedFrame, count: Int) -> Fault {
        Fault(
            .read, errno: EIO, on: .name(World.segment(segment)),
            range: UInt64(frame.offset)..<UInt64(frame.offset + 512), count: count)
    }

    /// Row 24.
    @Test(arguments: 0..<40) func aReadThatFailsOnceAtOpeningCostsNothing(_ skipping: Int) throws {
        let world = try World.killed()
        world.disk.faults.add(Fault(.read, errno: EIO, on: .suffix(".seg"), skipping: skipping))
        let log = try world.open()
        #expect(log.recoveryReport.losses.isEmpty && log.recoveryReport.unreadable.isEmpty)
        world.disk.faults.removeAll()
        #expect(try log.readings() == texts(0...59))
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty && readings == texts(0...59))
    }

    /// Row 24.
    @Test(arguments: 0..<10) func aReadThatFailsOnceUnderAReaderCostsNothing(_ skipping: Int) throws {
        let world = try World.killed()
        let log = try world.open()
        world.disk.faults.add(Fault(.read, errno: EIO, on: .suffix(".seg"), skipping: skipping))
        #expect(try log.readings() == texts(0...59))
    }

    /// Row 24: what the disk does not give is not damage, and nobody is told to move it away.
    @Test func aDiskThatGivesNothingAtAllIsAnErrorOfTheDiskAndNothingIsTouched() throws {
        let world = try World.killed()
        world.disk.faults.add(Fault(.read, errno: EIO, count: Fault.forever))
        let hash = world.disk.liveHash
        #expect(openingError(world)?.code == .fileOperation)
        #expect(world.disk.liveHash == hash)
        world.disk.faults.removeAll()
        #expect(try world.open().readings() == texts(0...59))
    }

    /// Row 24: the page is in the middle, so that later frames vouch for what cannot be read.
    @Test func aPageThatCannotBeReadIsHeldAndReportedAndTheRestIsServed() throws {
        let configuration = World.small {
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 512 << 10
        }
        let world = try World.killed(puts: 85, configuration)
        let held = try (46...84).filter { 12288..<16384 ~= (try world.frame(tag: $0)).offset }
        #expect(held.count == 8)
        world.disk.faults.add(
            World.unreadable(2, 12288..<16384))
        let hash = world.disk.liveHash
        #expect(openingError(world, configuration.strict)?.code == .damaged)
        #expect(world.disk.liveHash == hash)
        let log = try world.open(configuration)
        let report = log.recoveryReport
        let range = "unreadable 2/3000-4000, sequences \(held[0] + 1)..<\(held[7] + 2)"
        #expect(report.unreadableTexts == [range])
        #expect(report.losses.isEmpty, "held, not lost")
        #expect(try log.count(of: .loss) == 0)
        let readings = try log.readings()
        #expect(readings == texts(0..<held[0]) + [range] + texts(held[7] + 1...84))
        #expect(try log.append([put(85)]).sequences == 86..<87)
        // The disk gives it again: nothing was lost.
        let next = try world.afterPowerCut().open(configuration)
        #expect(next.recoveryReport.losses.isEmpty && next.recoveryReport.unreadable.isEmpty)
        #expect(try next.readings() == texts(0...85))
    }

    /// Row 24: P6, damage costs at most the frames that it touches.
    @Test func aBadSectorCostsOnlyItsFrame() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 18)
        world.disk.faults.add(Self.fault(2, frame, count: Fault.forever))
        let range = "unreadable \(frame.place)-\(String(frame.end, radix: 16)), sequences 19..<20"
        #expect(try world.open().readings() == texts(0...17) + [range] + texts(19...59))
    }

    /// Row 24: what stands there may have been acknowledged, and must come back when the disk gives it again.
    @Test(arguments: [57, 59]) func anUnreadableTailIsHeldAndComesBack(_ tag: Int) throws {
        let world = try World.killed()
        let frame = try world.frame(tag: tag)
        world.disk.faults.add(
            World.unreadable(5, UInt64(frame.offset)..<16384))
        let log = try world.open()
        #expect(log.recoveryReport.unreadable.count == 1)
        #expect(log.recoveryReport.unreadable.first?.firstSequence == EventSequence(UInt64(tag + 1)))
        #expect(log.recoveryReport.losses.isEmpty)
        let receipt = try log.append([put(60)])
        #expect(receipt.sequences.lowerBound >= 61, "sequences may have been used")
        #expect(receipt.lsn.segment > SegmentNumber(5))
        #expect(try log.readings().filter { Int($0) != nil } == texts(Array(0..<tag) + [60]))
        // (Without a checkpoint since, the next opening goes through the segment again, finds that what was held and not used
        // is unwritten space, and reports the numbers that were skipped as lost.)
        try log.checkpoint()
        let next = try world.afterPowerCut().open()
        #expect(next.recoveryReport.losses.isEmpty)
        #expect(try next.readings().filter { Int($0) != nil } == texts(0...60))
    }

    /// Row 24.
    @Test func anUnreadableSectorInAnOldSegmentIsSteppedOverAndComesBack() throws {
        let world = try World.killed()
        let log = try world.open()
        let frame = try world.frame(tag: 20)
        world.disk.faults.add(Self.fault(2, frame, count: Fault.forever))
        let range = "unreadable \(frame.place)-\(String(frame.end, radix: 16)), sequences 21..<22"
        #expect(try log.readings() == texts(0...19) + [range] + texts(21...59))
        world.disk.faults.removeAll()
        #expect(try log.readings() == texts(0...59))
    }

    /// And the checkpoint is gone, and no snapshot can be read: what nobody lists is not let go for that.
    @Test func theOldestSegmentIsKeptWhenNothingThatListsItCanBeRead() throws {
        var world = World()
        var log = try world.open()
        let count = try world.append(to: log, bytes: 900) { [world] in world.segmentNames().count == 3 }
        #expect(log.segments.count == 2, "and one that is ready")
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        world.disk.faults.add(World.unreadable(1, 8192..<16384))
        for number in 2..<4 as Range<UInt64> { world.disk.faults.add(World.unreadable(number, 8192..<9216)) }
        log = try world.open()
        world.runtime.runUntilIdle()
        #expect(world.segmentNames().first == World.segment(1))
        #expect(log.recoveryReport.losses.isEmpty)
        world.disk.faults.removeAll()
        world = world.afterPowerCut()
        #expect(try world.open().tags().prefix(count) == Array(0..<count)[...])
    }

    /// Row 24.
    @Test func aWholeSegmentThatCannotBeReadIsHeldAndTheRestIsServed() throws {
        for number in [2, 3] as [UInt64] {
            let world = try World.killed()
            let log = try world.open()
            world.disk.faults.add(
                Fault(.read, errno: EIO, on: .name(World.segment(number)), count: Fault.forever))
            let first = Int(number - 1) * 14
            let readings = try log.readings()
            #expect(readings.filter { Int($0) != nil } == texts((0...59).filter { $0 < first || $0 >= first + 14 }))
            let held = readings.filter { Int($0) == nil }
            #expect(held.count == 1 && held[0].hasPrefix("unreadable \(number)/"), "\(held)")
            #expect(held.first?.hasSuffix("sequences \(first + 1)..<\(first + 15)") == true)
        }
    }

    /// Row 24: behind what was proven, too, there may be what was acknowledged.
    @Test func whatCannotBeReadOnBothSidesOfTheProvenEndIsHeldAndComesBack() throws {
        let world = World()
        let log = try world.open()
        _ = try log.append([put(0)])
        try log.checkpoint()
        for tag in 1..<3 { _ = try log.append([put(tag)]) }
        let next = world.afterPowerCut()
        next.disk.faults.add(
            World.unreadable(1, 8192..<16384))
        let held = try next.open()
        #expect(held.recoveryReport.losses.isEmpty)
        _ = try held.append([put(3)])
        try held.checkpoint()
        next.runtime.runUntilIdle()
        next.disk.faults.removeAll()
        let tags = try held.readings().filter { Int($0) != nil }
        #expect(tags == texts(0...3))
    }

    /// Row 24: the frame that cut the log there, and what was acknowledged behind it, are not taken for a segment without use.
    @Test func theBeginningOfASegmentThatAFailedWriteMadeIsHeldAndComesBack() throws {
        let world = try Self.afterAFailedWrite()
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        next.disk.faults.add(
            World.unreadable(2, 8192..<12288))
        let held = try next.open()
        #expect(held.recoveryReport.rows["T13 unreadable tail"] == 1)
        #expect(held.recoveryReport.losses.isEmpty)
        #expect(held.recoveryReport.unreadable.map(\.segment) == [SegmentNumber(2)])
        #expect(try held.append([put(3)]).sequences.lowerBound > 2, "sequences may have been used")
        try held.checkpoint()
        next.runtime.runUntilIdle()
        next.disk.faults.removeAll()
        #expect(try held.readings().filter { Int($0) != nil } == texts([0, 2, 3]))
        #expect(try next.afterPowerCut().open().readings().filter { Int($0) != nil } == texts([0, 2, 3]))
    }

    /// Row 24: one opening after the other, and no checkpoint between them.
    @Test func whatIsHeldBehindAFailedWriteIsHeldByEachOpeningUntilTheDiskGivesIt() throws {
        var world = try Self.afterAFailedWrite()
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        let fault = World.unreadable(2, 8192..<12288)
        for tag in 3..<6 {
            world.disk.faults.add(fault)
            let held = try world.open()
            #expect(held.recoveryReport.losses.isEmpty)
            #expect(held.recoveryReport.unreadable.count == 1)
            _ = try held.append([put(tag)])
            #expect(try held.readings().filter { Int($0) != nil } == texts([0] + Array(3...tag)))
            world = world.afterPowerCut()
        }
        world.disk.faults.removeAll()
        #expect(try world.open().readings().filter { Int($0) != nil } == texts([0, 2, 3, 4, 5]))
    }

    /// Row 24: behind a group of which only the first part was written, an opening began its epoch in the next block.
    @Test func aTornTailWithTheNextOpenFrameInABadSectorIsHeldAndComesBack() throws {
        let world = World()
        let log = try world.open()
        _ = try log.append([put(0), put(1, bytes: 600)])
        var frame = try world.frame(tag: 1)
        let next = world.afterPowerCut()
        try next.overwrite(World.segment(1), frame.offset..<(frame.offset + 8))
        let second = try next.open()
        #expect(second.recoveryReport.rows["T9 torn tail"] == 1)
        let receipt = try second.append([put(2)])
        #expect(receipt.lsn.segment == SegmentNumber(1))
        frame = try next.frame(tag: 2)
        let third = next.afterPowerCut()
        third.disk.remove(World.path + "/checkpoint")
        third.disk.faults.add(
            World.unreadable(1, UInt64(frame.offset - 512)..<16384))
        let held = try third.open()
        #expect(held.recoveryReport.losses.isEmpty)
        #expect(held.recoveryReport.unreadable.count == 1)
        #expect(try held.append([put(3)]).sequences.lowerBound > receipt.sequences.lowerBound)
        let readings = try held.readings()
        #expect(readings.filter { Int($0) != nil } == texts([0, 3]))
        #expect(!readings.contains { $0.hasPrefix("damaged") }, "\(readings)")
        let fourth = third.afterPowerCut()
        fourth.disk.faults.removeAll()
        #expect(try fourth.open().readings().filter { Int($0) != nil } == texts([0, 2, 3]))
    }

    /// Row 24: the reader said that there was nothing more, and what stood behind was taken for lost.
    @Test func aReaderStepsOverABadSectorThatALaterEpochCutOff() throws {
        let world = World()
        _ = try world.open().append([put(0), put(1, bytes: 600)])
        let frame = try world.frame(tag: 1)
        let next = world.afterPowerCut()
        try next.overwrite(World.segment(1), frame.offset..<(frame.offset + 8))
        let log = try next.open()
        #expect(try log.append([put(2)]).lsn.segment == SegmentNumber(1))
        let sector = UInt64(frame.offset)..<UInt64(frame.offset + 8)
        next.disk.faults.add(
            World.unreadable(1, sector))
        #expect(try log.readings() == texts([0, 2]))
    }

    /// Row 24: an epoch that cannot be seen keeps its number.
    @Test func aSegmentWhoseLastEpochCannotBeReadComesBackThoughAnotherWasBegun() throws {
        let world = try World.killed()
        #expect(try world.open().append([put(60)]).lsn.segment == SegmentNumber(5))
        let frame = try world.frame(tag: 60)
        let next = world.afterPowerCut()
        let fault = World.unreadable(5, UInt64(frame.offset - 512)..<16384)
        next.disk.faults.add(fault)
        let held = try next.open()
        #expect(held.recoveryReport.losses.isEmpty && held.recoveryReport.unreadable.count == 1)
        let after = next.afterPowerCut()
        after.disk.faults.removeAll()
        #expect(try after.open().readings().filter { Int($0) != nil } == texts(0...60))
    }

    /// Row 24: nothing else says that the segment behind it was begun.
    @Test func aSegmentBehindASealInABadSectorIsHeldAndComesBack() throws {
        let world = World()
        let log = try world.open()
        var tag = 0
        while try log.append([put(tag, bytes: 900)]).lsn.segment == SegmentNumber(1) { tag += 1 }
        let seal = try #require(try world.frames(1).first { $0.header.type == .seal })
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        next.disk.faults.add(
            World.unreadable(1, UInt64(seal.offset)..<UInt64(seal.end)))
        let held = try next.open()
        #expect(held.recoveryReport.losses.isEmpty)
        _ = try held.append([put(tag + 1)])
        let after = next.afterPowerCut()
        after.disk.faults.removeAll()
        #expect(try after.open().readings().filter { Int($0) != nil } == texts(0...tag + 1))
    }

    /// Row 24: its identity says where that epoch cut the log.
    @Test func theFirstFramesOfAnEpochsSegmentAreHeldAndWhatItCutOffStaysOff() throws {
        let world = try Self.afterAFailedWrite(puts: 2..<8, bytes: 900)
        #expect(try world.frame(tag: 7).offset >= 12288)
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        next.disk.faults.add(
            World.unreadable(2, 8192..<12288))
        let held = try next.open()
        #expect(held.recoveryReport.losses.isEmpty && held.recoveryReport.unreadable.count == 1)
        #expect(try held.readings().filter { Int($0) != nil } == texts([0, 6, 7]))
        next.disk.faults.removeAll()
        #expect(try held.readings().filter { Int($0) != nil } == texts([0, 2, 3, 4, 5, 6, 7]))
    }

    /// Row 24: without its identity nobody knows whether an epoch was begun there, and what that cut off.
    @Test func aSegmentWhoseIdentityCannotBeReadAndThatNoSealNamesIsAnErrorAndNothingIsTouched() throws {
        let world = try Self.afterAFailedWrite(puts: 2..<16, bytes: 900)
        #expect(try world.frame(tag: 15).place.hasPrefix("3/"))
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        // Its snapshot, which would tell.
        try next.overwrite(World.segment(3), 8192..<8200)
        next.disk.faults.add(
            World.unreadable(2, 0..<8192))
        let before = next.disk.liveHash
        #expect(openingError(next)?.code == .fileOperation)
        #expect(next.disk.liveHash == before)
        next.disk.faults.removeAll()
        #expect(try next.open().readings().filter { Int($0) != nil } == texts([0] + Array(2..<16)))
    }

    /// Row 24: without it nobody knows which frames are of the log, and what they hold may be the newest there is.
    @Test func aNewestSegmentWhoseIdentityCannotBeReadIsAnErrorAndNothingIsTouched() throws {
        let world = try Self.afterAFailedWrite()
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        next.disk.faults.add(
            World.unreadable(2, 0..<8192))
        let before = next.disk.liveHash
        #expect(openingError(next)?.code == .fileOperation)
        #expect(next.disk.liveHash == before)
        next.disk.faults.removeAll()
        #expect(try next.open().readings().filter { Int($0) != nil } == texts([0, 2]))
    }

    /// Row 24: the one behind the second says whose that is, and the seal before the first whose that is.
    @Test func twoSegmentsInTheMiddleWhoseIdentitiesCannotBeReadAreServed() throws {
        let world = try World.killed()
        world.disk.remove(World.path + "/checkpoint")
        try world.overwrite(World.segment(5), 8192..<8200)
        for number in [3, 4] as [UInt64] {
            world.disk.faults.add(
                World.unreadable(number, 0..<8192))
        }
        let log = try world.open()
        #expect(log.recoveryReport.base == "snapshot of segment 2")
        #expect(try log.readings().filter { Int($0) != nil } == texts(0...59))
    }

    /// Row 24: without a snapshot replay begins at the oldest segment; the one behind it says whose it is.
    @Test func theOldestSegmentIsReadWithoutItsIdentityAndWithoutASnapshot() throws {
        let world = World()
        let log = try world.open()
        var tag = 0
        while try log.append([put(tag, bytes: 900)]).lsn.segment == SegmentNumber(1) { tag += 1 }
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        try next.overwrite(World.segment(2), 8192..<8200)
        next.disk.faults.add(
            World.unreadable(1, 0..<8192))
        let held = try next.open()
        #expect(held.recoveryReport.base == "nothing: no snapshot is left")
        #expect(try held.readings().filter { Int($0) != nil }.prefix(tag) == texts(0..<tag)[...])
    }

    /// Row 24: what can be read would be carried into a new segment, and what cannot would be cut off with the old one.
    @Test func anUnreadableTailOfASegmentThatCannotBeSyncedIsAnErrorAndNothingIsTouched() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 59)
        world.disk.faults.add(Self.fault(5, frame, count: Fault.forever))
        world.disk.faults.add(Fault(.synchronize, errno: EIO, on: .name(World.segment(5)), outcome: .whole))
        #expect(openingError(world)?.code == .fileOperation)
        world.disk.faults.removeAll()
        #expect(try world.open().readings() == texts(0...59))
    }

    /// Rows 11 and 24: somebody cut it, and nothing says how long it was.
    @Test(arguments: [8192, 9000, 12000, 12288])
    func aNewestSegmentWithoutItsIdentityAndCutShortOpens(_ size: Int) throws {
        let world = try World.killed()
        world.disk.remove(World.path + "/checkpoint")
        try world.overwrite(World.segment(5), 0..<8192)
        let bytes = Array(world.contents(World.segment(5)).prefix(size))
        world.disk.setContents(of: World.path + "/" + World.segment(5), to: bytes)
        let log = try world.open()
        #expect(!log.recoveryReport.losses.isEmpty)
        #expect(try log.append([put(60)]).sequences.lowerBound > 60)
    }

    /// Row 24: the snapshot before it can be read.
    @Test func aSegmentWhoseOpenFrameStandsInABadSectorIsHeldAndComesBack() throws {
        let openFrame = { (world: World) in try world.frames(2).first { $0.header.type == .open } }
        let somewhere = try #require(try openFrame(Self.afterAFailedWrite(clientStateBytes: 200)))
        // Sixteen bytes of it are in the sector before.
        let bytes = 200 + (512 - 16 - somewhere.offset % 512 + 512) % 512
        let world = try Self.afterAFailedWrite(clientStateBytes: bytes)
        let opening = try #require(try openFrame(world))
        #expect(opening.offset % 512 == 496)
        let next = world.afterPowerCut()
        next.clientStateBytes = bytes
        next.disk.remove(World.path + "/checkpoint")
        next.disk.faults.add(
            World.unreadable(2, UInt64(opening.offset + 16)..<16384))
        let held = try next.open()
        #expect(held.recoveryReport.losses.isEmpty && held.recoveryReport.unreadable.count == 1)
        _ = try held.append([put(3)])
        next.disk.faults.removeAll()
        #expect(try held.readings().filter { Int($0) != nil } == texts([0, 2, 3]))
    }

    /// Row 24.
    @Test func whatStandsBehindDamageInASegmentThatCannotBeReadIsHeldAndComesBack() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 54)
        #expect(frame.place.hasPrefix("4/"))
        world.disk.remove(World.path + "/checkpoint")
        try world.overwrite(World.segment(4), frame.offset..<(frame.offset + 8))
        try world.overwrite(World.segment(4), (try world.frame(tag: 55)).offset..<16384)
        world.disk.faults.add(
            World.unreadable(5, 8192..<16384))
        let held = try world.open()
        let next = try held.append([put(60)])
        #expect(next.sequences.lowerBound > 60)
        try held.checkpoint()
        let after = world.afterPowerCut()
        after.disk.faults.removeAll()
        let readings = try after.open().readings().filter { Int($0) != nil }
        #expect(readings == texts(Array(0...53) + [56, 57, 58, 59, 60]))
    }

    /// Row 24: its numbers would go to other events.
    @Test func aSegmentThatCannotBeOpenedIsAnErrorAndNothingIsTouched() throws {
        let world = try World.killed()
        let before = world.disk.liveHash
        world.disk.faults.add(Fault(.open, errno: EIO, on: .name(World.segment(5)), count: Fault.forever))
        let error = openingError(world)
        #expect(error?.code == .fileOperation)
        #expect(error?.fileError?.operation == .open)
        world.disk.faults.removeAll()
        #expect(world.disk.liveHash == before)
        #expect(try world.open().readings() == texts(0...59))
    }

    /// Row 24: what is held is not let go, though nothing that was read says that there are events in its segment.
    @Test func aSegmentOfWhichNoEventCanBeReadAtOpeningIsKeptAndComesBack() throws {
        let world = World()
        let log = try world.open()
        for tag in 0..<3 { _ = try log.append([put(tag, bytes: 1200)]) }
        for index in 0..<4 { _ = try log.append([note(index, bytes: 100)]) }
        let next = world.afterPowerCut()
        next.disk.faults.add(
            World.unreadable(1, 8192..<12288))
        let held = try next.open()
        #expect(held.recoveryReport.unreadable.map(\.endSequence) == [EventSequence(4)])
        for tag in 3..<9 { _ = try held.append([put(tag, bytes: 3000)]) }
        try held.checkpoint()
        next.runtime.runUntilIdle()
        #expect(held.segments.first?.number == SegmentNumber(1))
        next.disk.faults.removeAll()
        #expect(try held.readings() == texts(0...8))
        #expect(try next.afterPowerCut().open().readings() == texts(0...8))
    }

    /// Row 24.
    @Test(arguments: [1, 4, 5] as [UInt64])
    func identityBlocksThatCannotBeReadDoNotKeepTheLogShut(_ number: UInt64) throws {
        let world = try World.killed()
        world.disk.faults.add(
            World.unreadable(number, 0..<8192))
        let log = try world.open()
        #expect(log.recoveryReport.losses.isEmpty)
        #expect(try log.readings().filter { Int($0) != nil } == texts(0...59))
    }

    /// Row 24.
    @Test func aCheckpointThatCannotBeReadCostsNothing() throws {
        let world = try World.closed()
        world.disk.faults.add(Fault(.read, errno: EIO, on: .name("checkpoint"), count: Fault.forever))
        let log = try world.open()
        #expect(log.recoveryReport.wasClosedCleanly)
        #expect(log.recoveryReport.remarks.contains { $0.hasPrefix("checkpoint slot") })
        #expect(try log.readings() == texts(0...59))
    }

    /// Row 24.
    @Test func aDirectoryThatCannotBeListedIsATypedErrorAndNothingIsTouched() throws {
        let world = try World.killed()
        let before = world.disk.liveHash
        world.disk.faults.add(Fault(.list, errno: EIO))
        let error = openingError(world)
        #expect(error?.code == .fileOperation)
        #expect(error?.fileError?.operation == .list)
        #expect(world.disk.liveHash == before)
        #expect(try world.open().readings() == texts(0...59))
    }
}
