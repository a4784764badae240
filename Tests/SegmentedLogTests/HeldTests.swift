import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Row 24, with more than one thing wrong: other bad sectors at each opening, and segments that are gone beside them.
@Suite struct HeldTests {
    /// The sequences that a seek does not find, of as many as were put one by one from the beginning.
    private static func notFound(_ log: Log, puts: Int) throws -> [Int] {
        try (0..<puts).filter { put in
            guard case .frame(let frame)? = try log.makeReader(at: EventSequence(UInt64(put + 1))).next() else {
                return true
            }
            return tag(frame.payload) != put
        }
    }

    /// Row 24: the second opening can see what the first could not, and not the epoch that the first began.
    @Test(arguments: [false, true])
    func anEpochThatCannotBeSeenKeepsItsNumberAlsoWhenItHadBeenBegunBesideABadSector(
        _ hasCheckpoint: Bool
    ) throws {
        var world = World()
        var log = try world.open()
        for tag in 0..<5 { _ = try log.append([put(tag)]) }
        let frame = try world.frame(tag: 2)
        world = world.afterPowerCut(seed: 20)
        if !hasCheckpoint { world.disk.remove(World.path + "/checkpoint") }
        world.disk.faults.add(World.unreadable(1, UInt64(frame.offset)..<UInt64(frame.offset + 512)))
        log = try world.open()
        for tag in 5..<7 { #expect(try log.append([put(tag)]).lsn.segment == SegmentNumber(2)) }
        world = world.afterPowerCut(seed: 21)
        world.disk.faults.add(World.unreadable(2, 8192..<12288))
        log = try world.open()
        #expect(log.recoveryReport.losses.isEmpty)
        for tag in 7..<9 { _ = try log.append([put(tag)]) }
        world = world.afterPowerCut(seed: 22)
        // (The numbers that were skipped for what might have been there are reported as lost: nothing was.)
        #expect(try world.open().readings().filter { Int($0) != nil } == texts(0..<9))
    }

    /// Row 24: an unused segment in a bad sector has a higher number than the one that the log would go on in.
    @Test func anEpochStandsBehindAllThatCannotBeSeen() throws {
        var world = World()
        var log = try world.open()
        for tag in 0..<9 { _ = try log.append([put(tag)]) }
        world.runtime.runUntilIdle()
        world = world.afterPowerCut(seed: 20)
        #expect(world.segmentNames().count == 2)
        world.disk.faults.add(World.unreadable(2, 14848..<15360))
        log = try world.open()
        let receipt = try log.append([put(9)])
        #expect(receipt.lsn.segment > SegmentNumber(2))
        world = world.afterPowerCut(seed: 21)
        #expect(try world.open().readings() == texts(0...9))
    }

    /// Row 24: the opening gave the second segment the first number of all that it held.
    @Test(arguments: [false, true])
    func aHoleOverASegmentBorderIsFoundBySeeksWhenTheDiskGivesItAgain(_ isCheckpointed: Bool) throws {
        let world = try World.killed()
        world.disk.faults.add(World.unreadable(4, 12288..<16384))
        world.disk.faults.add(World.unreadable(5, 8192..<8704))
        let log = try world.open()
        world.disk.faults.removeAll()
        if isCheckpointed { try log.checkpoint() }
        #expect(try log.readings().filter { Int($0) != nil } == texts(0...59))
        #expect(try Self.notFound(log, puts: 60) == [])
        #expect(try Self.notFound(world.afterPowerCut().open(), puts: 60) == [])
    }

    /// Row 24: the second opening sees what the first did not, and not the beginning of the segment that the first went on in.
    @Test func numbersThatAnOpeningPassedOverAreNotGivenByTheNextThatSeesOtherPlaces() throws {
        var world = World()
        let log = try world.open()
        for tag in 0..<3 { _ = try log.append([put(tag, bytes: 600)]) }
        let hidden = try world.frame(tag: 1).offset
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        var next: [UInt64] = []
        for (segment, place) in [(1, hidden / 512 * 512), (2, 8192)] {
            world.disk.faults.removeAll()
            world.disk.faults.add(World.unreadable(UInt64(segment), UInt64(place)..<UInt64(place) + 4096))
            next.append(try world.open().append([put(10 + segment)]).sequences.lowerBound)
            world = world.afterPowerCut()
        }
        #expect(next[0] > 4 && next[1] > next[0])
        world.disk.faults.removeAll()
        #expect(try world.open().readings().filter { Int($0) != nil } == texts([0, 1, 2, 11, 12]))
    }

    /// Rows 17 and 24: neither the segment up to which the checkpoint proves the log, nor what leads to it, nor all behind it.
    @Test(arguments: [8192, 12288] as [UInt64])
    func withTheProvenSegmentGoneBetweenTwoThatCannotBeReadNothingIsNumberedAgain(_ from: UInt64) throws {
        let world = try World.killed(puts: 60) { try $0.pinned() }
        try world.unlink(World.segment(4))
        world.disk.faults.add(World.unreadable(3, from..<16384))
        world.disk.faults.add(World.unreadable(5, 8192..<16384))
        let held = try world.pinned()
        #expect(try held.append([put(100)]).sequences.lowerBound > 60)
        let after = world.afterPowerCut()
        #expect(try after.pinned().readings().contains("59"))
    }

    /// Rows 17 and 24: a segment is gone, and the next one begins with damage and goes on with what cannot be read.
    @Test func behindASegmentThatIsGoneDamageAndThenABadSectorIsHeld() throws {
        let world = try World.killed()
        try world.unlink(World.segment(4))
        try world.overwrite(World.segment(5), 8192..<8704)
        let there = try world.frames(5).filter { $0.header.type == .put }.map(\.tag)
        world.disk.faults.add(World.unreadable(5, 8704..<16384))
        _ = try world.open()
        world.runtime.runUntilIdle()
        let readings = try world.afterPowerCut().open().readings()
        #expect(there.allSatisfy { readings.contains("\($0)") })
    }

    /// Rows 17 and 24: what is missing is named when the disk gives what decides, and no event is given up before.
    @Test(arguments: [8192..<12288, 8192..<16384] as [Range<UInt64>])
    func aSegmentThatIsGoneInFrontOfABadSectorIsNotTakenForOneThatWasLetGo(_ range: Range<UInt64>) throws {
        var world = try World.killed(puts: 60) { try $0.pinned() }
        let gone = try world.frames(3).filter { $0.header.type == .put }.map(\.tag)
        try world.unlink(World.segment(3))
        for _ in 0..<2 {
            world.disk.faults.add(World.unreadable(4, range))
            _ = try world.pinned()
            world = world.afterPowerCut()
        }
        let log = try world.pinned()
        let lost = log.recoveryReport.losses.first { $0.segment == SegmentNumber(3) }
        #expect(lost?.firstSequence == EventSequence(UInt64(gone[0] + 1)))
        #expect(lost?.endSequence == EventSequence(UInt64(gone.last! + 2)))
        #expect(try log.readings().filter { Int($0) != nil } == texts((0..<60).filter { !gone.contains($0) }))
    }

    /// Rows 4 and 24: of a group one sector was not written, and whole frames behind it are left over. A bad sector may hide the frame
    /// that cut them off: so they are wiped, or, where they stand in a block with acknowledged frames (with blocks of a sector they
    /// never do), the log goes on in another segment, whose identity says where it was cut.
    @Test(arguments: [512, 4096]) func aBadSectorWithAnOpenFrameDoesNotBringBackWhatItHadCutOff(_ block: Int) throws {
        let configuration = World.small {
            $0.blockBytes = block
            $0.segmentBytes = 64 << 10
            $0.capacityBytes = 2 << 20
            $0.snapshotLimitBytes = 4096
            $0.maximumGroupBytes = 16384
        }
        var world = World()
        _ = try world.open(configuration).append([put(0, bytes: 300), put(1001, bytes: 1500), put(1002, bytes: 300)])
        let (torn, left) = (try world.frame(tag: 1001), try world.frame(tag: 1002))
        let sector = (torn.offset + 100 + 511) / 512 * 512
        world = world.afterPowerCut()
        try world.overwrite(World.segment(1), sector..<sector + 512)
        let log = try world.open(configuration)
        #expect(log.recoveryReport.rows["T9 torn tail"] == 1)
        let segment = SegmentNumber(block == 512 ? 1 : 2)
        for tag in 1...3 { #expect(try log.append([put(tag)]).lsn.segment == segment) }
        #expect(try world.frames(1).contains { $0.offset == left.offset } == (block == 4096))
        let open = try #require(try world.frames(segment.rawValue).last { $0.header.type == .open })
        let fault = World.unreadable(segment.rawValue, UInt64(open.offset)..<UInt64(open.offset + 512))
        world.disk.faults.add(fault)
        for log in [log, try world.afterPowerCut().with(fault).open(configuration)] {
            let readings = try log.readings()
            #expect(!readings.contains("1002") && !readings.contains { $0.hasPrefix("damaged") }, "\(readings)")
        }
        world.disk.faults.removeAll()
        #expect(try log.readings() == texts(0...3))
    }
}

extension World {
    /// A log whose client keeps its place at the beginning: every snapshot covers nothing, and lists all segments.
    func pinned() throws(LogError) -> Log {
        let start = DurableThrough(lsn: LSN(segment: SegmentNumber(1), offset: 8192), nextSequence: EventSequence(1))
        return try Log.open(
            at: World.path, fileSystem: system, runtime: runtime, configuration: World.small(),
            clientState: { ClientCheckpoint(through: start, bytes: []) }, replay: { (_) throws(LogError) in })
    }

    fileprivate static func killed(puts: Int, _ open: (World) throws -> Log) throws -> World {
        let world = World()
        let log = try open(world)
        for tag in 0..<puts { _ = try log.append([put(tag, bytes: 400)]) }
        return world.afterPowerCut()
    }

    fileprivate func with(_ fault: Fault) -> World {
        disk.faults.add(fault)
        return self
    }
}
