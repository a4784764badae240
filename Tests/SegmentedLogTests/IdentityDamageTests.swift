import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 10, 13, 17 and 37: what says which log and which segment a file is, and the checkpoint. The log of most tests
/// has 60 puts in five segments: 0-13, 14-27, 28-41, 42-55, and 56-59 in the newest.
@Suite struct IdentityDamageTests {
    /// Row 10.
    @Test(arguments: [0, 1], [1, 3, 4, 5] as [UInt64])
    func oneBadIdentityBlockCostsNothing(_ copy: Int, _ segment: UInt64) throws {
        let world = try World.killed()
        world.spoilIdentity(segment, copies: [copy])
        #expect(openingError(world.copy(), World.small().strict) == nil)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...59))
        // Segment 4 is where replay starts: its seal is not covered by the snapshot of segment 5.
        let isScanned = segment >= 4
        let remark = "one of the two identity blocks of segment \(segment) is damaged"
        #expect(report.remarks.contains(remark) == isScanned)
    }

    /// Row 10.
    @Test(arguments: [1, 2, 4] as [UInt64])
    func aSegmentWithoutAnIdentityIsServedBySaltFromTheSnapshot(_ segment: UInt64) throws {
        let world = try World.killed()
        world.spoilIdentity(segment)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...59))
    }

    /// Row 10.
    @Test func theNewestSegmentWithoutAnIdentityIsServedBySaltFromTheSealBeforeIt() throws {
        let world = try World.killed()
        world.spoilIdentity(5)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...59))
        #expect(report.remarks.contains("both identity blocks of segment 5 are damaged"))
    }

    /// Row 10.
    @Test func theNewestSegmentWithoutAnIdentityIsServedBySaltFromTheCheckpoint() throws {
        let world = try World.killed { _, log in try log.checkpoint() }
        world.spoilIdentity(5)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...59))
    }

    /// Row 10.
    @Test func aMiddleSegmentWithoutAnIdentityIsServedBySaltFromItsSuccessor() throws {
        // No snapshot lists segment 4 when those of 4 and 5 and the checkpoint are gone.
        let world = try World.killed()
        world.remove("checkpoint")
        world.flip(World.segment(5), at: 8192 + 120)
        world.spoilIdentity(4)
        let (report, readings) = try expectConvergence(world)
        #expect(report.base == "snapshot of segment 3")
        #expect(report.lossTexts.count == 1 && report.lossTexts[0].hasSuffix("sequences 57..<57"))
        #expect(readings.filter { Int($0) != nil } == texts(0...59))
    }

    /// Row 10.
    @Test func aLogWhoseIdentitiesAreAllGoneIsServedWithTheCheckpoint() throws {
        let world = try World.killed { _, log in try log.checkpoint() }
        for segment in 1...5 { world.spoilIdentity(UInt64(segment)) }
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(readings == texts(0...59))
    }

    /// Row 10, 18.
    @Test func withoutAnyIdentityAndCheckpointNothingIsTouched() throws {
        let world = try World.killed()
        world.remove("checkpoint")
        for segment in 1...5 { world.spoilIdentity(UInt64(segment)) }
        let before = world.disk.liveHash
        let error = openingError(world)
        #expect(error?.code == .damaged)
        #expect(world.disk.liveHash == before)
    }

    /// Row 10.
    @Test func aTornSegmentUnderASpareNameIsRemoved() throws {
        let world = try World.killed()
        let name = "spare-00000000000000aa.tmp"
        world.setContents(name, Array(world.contents(World.segment(5))[0..<5000]))
        #expect(openingError(world.copy(), World.small().strict) == nil)
        let log = try world.open()
        #expect(log.recoveryReport.removedFiles.contains(name))
        world.runtime.runUntilIdle()
        #expect(!world.names().contains(name))
        #expect(try log.readings() == texts(0...59))
    }

    /// Row 10, 13.
    @Test(arguments: [0, 1], [0, 8, 60, 76, 100, 200])
    func oneBadCheckpointSlotCostsNothing(_ slot: Int, _ byte: Int) throws {
        let world = try World.killed(puts: 30) { _, log in
            try log.checkpoint()
            _ = try log.append([put(30, bytes: 400)])
            try log.checkpoint()
        }
        let half = world.contents("checkpoint").count / 2
        world.flip("checkpoint", at: slot * half + byte)
        #expect(openingError(world.copy(), World.small().strict) == nil)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...30))
        #expect(report.remarks.contains { $0.hasPrefix("checkpoint slot \(slot) not used") })
    }

    /// Row 10.
    @Test(arguments: [0, 1]) func aTornCheckpointSlotCostsNothing(_ slot: Int) throws {
        let world = try World.killed(puts: 30) { _, log in
            try log.checkpoint()
            _ = try log.append([put(30, bytes: 400)])
            try log.checkpoint()
        }
        let half = world.contents("checkpoint").count / 2
        // As a write that stopped behind the header would leave it.
        world.zero("checkpoint", slot * half + 96..<slot * half + half)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...30))
    }

    /// Row 13, 18.
    @Test(arguments: ["both slots", "the file", "its second half", "all of its bytes"])
    func withoutACheckpointNothingIsLost(_ what: String) throws {
        let world = try World.closed()
        let half = world.contents("checkpoint").count / 2
        switch what {
        case "both slots": for slot in 0..<2 { world.flip("checkpoint", at: slot * half + 110) }
        case "the file": world.remove("checkpoint")
        case "its second half": world.truncate("checkpoint", to: half)
        default: world.truncate("checkpoint", to: 0)
        }
        #expect(openingError(world.copy(), World.small().strict) == nil)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(report.wasClosedCleanly)
        #expect(readings == texts(0...59))
        #expect(!report.remarks.isEmpty || what == "its second half")
    }

    // MARK: Missing files

    /// Row 17.
    @Test(arguments: [1, 2, 3] as [UInt64], [false, true])
    func aMissingSegmentIsALossWithItsSequences(_ number: UInt64, _ checkpointed: Bool) throws {
        let world = try World.killed { _, log in if checkpointed { try log.checkpoint() } }
        world.remove(World.segment(number))
        expectStrictRefuses(world)
        let (report, readings) = try expectConvergence(world)
        let first = Int(number - 1) * 14
        #expect(report.lossTexts == ["segmentMissing \(number)/0-end, sequences \(first + 1)..<\(first + 15)"])
        #expect(readings.filter { Int($0) != nil } == texts((0..<60).filter { $0 < first || $0 >= first + 14 }))
    }

    /// Row 17.
    @Test func theSegmentBeforeTheNewestMissingIsALossWithItsSequences() throws {
        let world = try World.killed()
        world.remove(World.segment(4))
        expectStrictRefuses(world)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.allSatisfy { $0.segment == SegmentNumber(4) && $0.reason == .segmentMissing })
        #expect(report.lostSequences == Array(43..<57))
        #expect(readings.filter { Int($0) != nil } == texts(0...41) + texts(56...59))
    }

    /// Row 17.
    @Test(arguments: [false, true])
    func theNewestSegmentMissingIsALossAndItsSequencesAreNotUsedAgain(_ checkpointed: Bool) throws {
        let world = try World.killed { _, log in if checkpointed { try log.checkpoint() } }
        world.remove(World.segment(5))
        expectStrictRefuses(world)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.allSatisfy { $0.segment == SegmentNumber(5) && $0.reason == .segmentMissing })
        #expect(report.lostSequences.starts(with: 57...60), "\(report.lossTexts)")
        #expect(readings.filter { Int($0) != nil } == texts(0...55))
        let log = try world.open()
        let receipt = try log.append([put(60)])
        #expect(receipt.sequences.lowerBound >= 61)
        #expect(receipt.lsn.segment > SegmentNumber(5))
    }

    /// Row 17: what was acknowledged after the last checkpoint is unknown now, and its numbers are not used again.
    @Test(arguments: [false, true])
    func eventsBehindTheLastCheckpointOfAMissingSegmentAreNotNumberedAgain(_ isPrepared: Bool) throws {
        let world = try World.killed { world, log in
            try log.checkpoint()
            for index in 60..<63 { _ = try log.append([put(index, bytes: 400)]) }
            if isPrepared { world.runtime.runUntilIdle() }
        }
        world.remove(World.segment(5))
        if !isPrepared { world.remove(World.segment(6)) }
        let (report, readings) = try expectConvergence(world)
        #expect(report.lostSequences.starts(with: 57...63), "\(report.lossTexts)")
        #expect(readings.filter { Int($0) != nil } == texts(0...55))
        #expect(try world.open().append([put(63)]).sequences.lowerBound >= 64)
    }

    /// Row 17.
    @Test func aMissingSegmentThatADurableSnapshotListsAsRetiredIsHarmless() throws {
        let world = try World.killed { world, log in
            world.runtime.runUntilIdle()
            world.disk.faults.add(Fault(.rename, errno: 5, on: .suffix(".seg"), count: Fault.forever))
            world.disk.faults.add(Fault(.unlink, errno: 5, on: .suffix(".seg"), count: Fault.forever))
            #expect(throws: LogError.self) { try log.retire([SegmentNumber(1), SegmentNumber(3)]) }
        }
        #expect(world.segmentNames().count >= 5, "the names are still there")
        world.remove(World.segment(3))
        #expect(openingError(world.copy(), World.small().strict) == nil)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(readings == texts(14...27) + texts(42...59))
        let opened = world.copy()
        _ = try opened.open()
        opened.runtime.runUntilIdle()
        #expect(!opened.names().contains(World.segment(1)), "retired, and removed at last")
    }

    /// Row 8. Without the checkpoint, the snapshot in the log that let them go is met in replay only.
    @Test func retiredSegmentsWhoseNamesCameBackAreNotServedWithoutACheckpointEither() throws {
        let world = try World.killed { world, log in
            world.runtime.runUntilIdle()
            world.disk.faults.add(Fault(.rename, errno: 5, on: .suffix(".seg"), count: Fault.forever))
            world.disk.faults.add(Fault(.unlink, errno: 5, on: .suffix(".seg"), count: Fault.forever))
            #expect(throws: LogError.self) { try log.retire([SegmentNumber(1), SegmentNumber(3)]) }
        }
        world.remove("checkpoint")
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(readings == texts(14...27) + texts(42...59))
    }

    /// Row 18.
    @Test func aCheckpointAloneIsDamageAndNotANewLog() throws {
        let world = try World.killed { _, log in try log.checkpoint() }
        for number in 1...5 { world.remove(World.segment(UInt64(number))) }
        for name in world.segmentNames() { world.remove(name) }
        expectStrictRefuses(world)
        let log = try world.open()
        #expect(!log.recoveryReport.created)
        #expect(!log.recoveryReport.losses.isEmpty)
        #expect(try log.append([put(60)]).sequences.lowerBound >= 61)
    }

    // MARK: Newer versions

    /// Row 37.
    /// Of the newest segment: older ones are known by name, and a newer version that wrote here has written the newest.
    @Test(arguments: ["version", "incompatible", "readOnlyCompatible"], [5] as [UInt64])
    func anIdentityOfANewerVersionIsRefusedUntouched(_ field: String, _ segment: UInt64) throws {
        let world = try World.killed()
        for copy in 0..<2 {
            world.change(World.segment(segment)) { bytes in
                let base = copy * 4096
                switch field {
                case "version": bytes[base + 8] = 2
                case "incompatible": bytes[base + 32] = 1
                default: bytes[base + 24] = 1
                }
                Self.seal(&bytes, base, upTo: 4092)
            }
        }
        let before = world.disk.liveHash
        for configuration in [World.small(), World.small().strict] {
            let error = openingError(world, configuration)
            #expect(error?.code == .newerVersion, "\(String(describing: error))")
            #expect(world.disk.liveHash == before)
        }
    }

    /// Row 37.
    @Test func aCompatibleFeatureIsIgnored() throws {
        let world = try World.killed()
        for copy in 0..<2 {
            world.change(World.segment(5)) { bytes in
                bytes[copy * 4096 + 16] = 1
                Self.seal(&bytes, copy * 4096, upTo: 4092)
            }
        }
        #expect(try expectConvergence(world).readings == texts(0...59))
    }

    /// Row 37.
    @Test(arguments: [0, 1]) func aCheckpointOfANewerVersionIsRefusedUntouched(_ slot: Int) throws {
        let world = try World.closed()
        let base = slot * world.contents("checkpoint").count / 2
        world.change("checkpoint") { bytes in
            bytes[base + 8] = 2
            Self.seal(&bytes, base, upTo: 92)
        }
        let before = world.disk.liveHash
        #expect(openingError(world)?.code == .newerVersion)
        #expect(world.disk.liveHash == before)
    }

    /// Writes the checksum of `bytes[base..<base + end]` behind it.
    static func seal(_ bytes: inout [UInt8], _ base: Int, upTo end: Int) {
        let covered = Array(bytes[base..<base + end])
        let checksum = unsafe Checksum.crc32c(covered.span.bytes)
        for index in 0..<4 { bytes[base + end + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
    }
}
