import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 11 to 15: bytes of frames that are not what was written. The log of most tests has 60 puts, 14 to a segment:
/// 0-13, 14-27, 28-41, 42-55, and 56-59 in the newest. The last of them is not vouched for.
@Suite struct DamageTests {
    /// Row 11.
    @Test func aFlippedBitInAPayloadCostsThatFrameOnly() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 57)
        world.flip(World.segment(5), at: frame.offset + 200, bit: 3)
        expectStrictRefuses(world, at: frame.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 58..<59"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...56) + [damage] + texts(58...59))
        #expect(report.rows["T6 damage, then a valid frame"] == 1)
    }

    /// Row 11.
    @Test func aFlippedBitInAnOldSegmentIsFoundWhenItIsRead() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 20)
        world.flip(World.segment(2), at: frame.offset + 96)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(
            readings == texts(0...19) + ["damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 21..<22"]
                + texts(21...59))
    }

    /// Row 11.
    @Test func theSequencesOfADamagedFrameOfSeveralEventsAreNamed() throws {
        let world = try World.killed(events: 7)
        let frame = try world.frame(tag: 58)
        world.flip(World.segment(5), at: frame.offset + 300)
        let (report, _) = try expectConvergence(world)
        #expect(
            report.lossTexts == [
                "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences \(58 * 7 + 1)..<\(59 * 7 + 1)"
            ])
    }

    /// Row 11.
    @Test func aRangeThatAReaderRecordsStandsInTheLogAndIsSetAside() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 20)
        world.flip(World.segment(2), at: frame.offset + 96)
        let log = try world.open()
        let reader = log.makeReader()
        while let item = try reader.next() {
            if case .damage(let range) = item { try log.record(range) }
        }
        #expect(try log.count(of: .loss) == 1)
        let aside = "aside-0000000000000002-\(String(frame.offset, radix: 16))"
        #expect(world.contents(aside) == Array(world.contents(World.segment(2))[frame.offset..<frame.end]))
    }

    /// Row 12.
    @Test(arguments: [0, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 72, 80, 88, 92, 95])
    func aFlippedBitInAHeaderCostsThatFrameOnly(_ byte: Int) throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 57)
        world.flip(World.segment(5), at: frame.offset + byte, bit: 1)
        expectStrictRefuses(world, at: frame.place)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 58..<59"
        let log = try world.open()
        #expect(log.recoveryReport.lossTexts == [damage])
        #expect(try log.readings() == texts(0...56) + [damage] + texts(58...59))
    }

    /// Row 12.
    @Test func aLengthThatIsFarTooLargeIsNotBelieved() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 57)
        for (byte, value) in zip(8..<12, [0xF8, 0xFF, 0xFF, 0x07] as [UInt8]) {
            world.change(World.segment(5)) { $0[frame.offset + byte] = value }
        }
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.count == 1)
        #expect(readings.suffix(2) == texts(58...59))
    }

    /// Row 12.
    @Test(arguments: 1...8) func aFlippedBitInATrailerCostsThatFrameOnly(_ back: Int) throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 58)
        world.flip(World.segment(5), at: frame.end - back, bit: 5)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 59..<60"
        let log = try world.open()
        #expect(log.recoveryReport.lossTexts == [damage])
        #expect(try log.readings() == texts(0...57) + [damage] + ["59"])
    }

    /// Row 13.
    @Test func aDamagedSnapshotFrameCostsNoEventAndReplayStartsFromAnOlderOne() throws {
        let world = try World.killed()
        let snapshot = try #require(try world.frames(5).first)
        #expect(snapshot.header.type == .snapshot)
        world.flip(World.segment(5), at: snapshot.offset + 120)
        expectStrictRefuses(world, at: snapshot.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(snapshot.place)-\(String(snapshot.end, radix: 16)), sequences 57..<57"
        #expect(report.base == "checkpoint slot 1, generation 5")
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...55) + [damage] + texts(56...59))
    }

    /// Row 13.
    @Test func aDamagedPaddingFrameIsFoundAndCostsNoEvent() throws {
        let world = try World.killed(puts: 20, bytes: 300)
        let frames = try world.frames(2)
        let index = try #require(frames.firstIndex { $0.header.type == .put && $0.tag == 17 })
        let padding = frames[index + 1]
        #expect(padding.header.type == .padding)
        world.flip(World.segment(2), at: padding.end - 9)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(padding.place)-\(String(padding.end, radix: 16)), sequences 19..<19"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...17) + [damage] + texts(18...19))
    }

    /// Row 14.
    @Test(arguments: [512, 4096], [0, 0xA5] as [UInt8])
    func aBlockInTheMiddleZeroedOrRandomCostsTheFramesThatItTouches(_ size: Int, _ byte: UInt8) throws {
        let world = try World.killed(puts: 56)
        let first = try world.frame(tag: 44)
        let lost = size / 512
        world.change(World.segment(4)) { bytes in
            for index in first.offset..<first.offset + size { bytes[index] = byte == 0 ? 0 : byte &+ UInt8(index & 15) }
        }
        world.remove("checkpoint")
        let log = try world.open()
        let damage = "damaged \(first.place)-\(String(first.offset + size, radix: 16)), sequences 45..<\(45 + lost)"
        #expect(log.recoveryReport.lossTexts == [damage])
        #expect(try log.readings() == texts(0...43) + [damage] + texts((44 + lost)..<56))
    }

    /// Row 15.
    @Test func theLastFrameIsATornTailWhenNothingVouchesForIt() throws {
        let world = try World.killed()
        let frame = try world.frame(tag: 59)
        world.flip(World.segment(5), at: frame.offset + 100)
        let copy = world.copy()
        #expect(openingError(copy, World.small().strict) == nil)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty && report.unreadable.isEmpty)
        #expect("\(report.tail.lsn)" == frame.place)
        #expect(readings == texts(0...58))
        #expect(try world.open().append([put(60)]).sequences == 60..<61)
    }

    /// Row 15.
    @Test func aMarkVouchesForTheLastFrame() throws {
        let configuration = World.small { $0.idleMarkDelay = 1000 }
        let world = try World.killed(puts: 60, configuration) { world, _ in
            world.runtime.runUntilIdle(horizon: 1_000_000)
        }
        #expect(try world.frames(5).contains { $0.header.type == .mark })
        let frame = try world.frame(tag: 59)
        world.flip(World.segment(5), at: frame.offset + 100)
        expectStrictRefuses(world, at: frame.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 60..<61"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...58) + [damage])
        #expect(try world.open().append([put(60)]).sequences == 61..<62)
    }

    /// Row 15.
    @Test func aCloseVouchesForTheLastFrame() throws {
        let world = try World.closed()
        world.remove("checkpoint")
        let frame = try world.frame(tag: 59)
        world.flip(World.segment(5), at: frame.offset + 100)
        expectStrictRefuses(world, at: frame.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 60..<61"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...58) + [damage])
    }

    /// Row 15.
    @Test func aSealVouchesForTheLastFrameOfItsSegment() throws {
        let configuration = World.small { $0.groupsInFlight = 1 }
        let first = World()
        var cut: SimulatedDisk?
        let log = try first.open(configuration)
        first.disk.beforeOperation = { [unowned disk = first.disk] record in
            // The moment before the first group of the next segment is written: its predecessor is sealed.
            if record.operation == .submit, record.range?.lowerBound == 8192, cut == nil { cut = disk.clone() }
        }
        for index in 0..<16 { _ = try log.append([put(index, bytes: 400)]) }
        first.disk.beforeOperation = nil
        let world = World(try #require(cut).crashed(keeping: .nothing))
        #expect(try world.frames(1).last?.header.type == .seal)
        #expect(try world.frames(2).isEmpty)
        let frame = try world.frame(tag: 13)
        world.flip(World.segment(1), at: frame.offset + 100)
        world.remove("checkpoint")
        expectStrictRefuses(world, configuration, at: frame.place)
        let log2 = try world.open(configuration)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 14..<15"
        #expect(log2.recoveryReport.lossTexts == [damage])
        #expect(try log2.readings() == texts(0...12) + [damage])
        #expect(try log2.append([put(14)]).sequences == 15..<16)
    }

    /// Row 15.
    @Test func aCheckpointVouchesForTheLastFrame() throws {
        let (world, _) = try Self.checkpointedBehindItsClient()
        let frame = try world.frame(tag: 9)
        world.flip(World.segment(1), at: frame.offset + 100)
        expectStrictRefuses(world, at: frame.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(frame.place)-\(String(frame.end, radix: 16)), sequences 10..<11"
        #expect(report.lossTexts == [damage])
        #expect(report.rows["T8 damage to the proven end"] == 1)
        #expect(readings == texts(0...8) + [damage])
        #expect(try world.open().append([put(10)]).sequences == 11..<12)
    }

    /// Row 15.
    @Test func aWholeFrameBehindATornOneIsCutSetAsideAndReported() throws {
        let configuration = World.small {
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 512 << 10
        }
        let first = World()
        let log = try first.open(configuration)
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        for index in 3..<6 { log.submit([try put(index, bytes: 3000)]) { _ in } }
        first.runtime.run { first.disk.pendingOperations.count { $0.isInFlight } == 3 }
        let ids = first.disk.pendingOperations.filter(\.isInFlight).map(\.id)
        #expect(ids.count == 3)
        let world = first.afterPowerCut(.only(ids.dropFirst()))
        let frame = try world.frame(tag: 4)
        let opened = world.copy()
        let again = try opened.open(configuration)
        #expect(again.recoveryReport.losses.isEmpty)
        #expect(
            again.recoveryReport.unknown.map { "\($0.lsn) \($0.type) \($0.firstSequence)..<\($0.endSequence)" } == [
                "\(frame.place) put 5..<6", "\(try world.frame(tag: 5).place) put 6..<7",
            ])
        #expect(try again.readings() == texts(0...2))
        let aside = "aside-0000000000000001-\(String(frame.offset, radix: 16))"
        #expect(again.recoveryReport.setAsideFiles == [aside])
        let end = try world.frame(tag: 5).end
        #expect(opened.contents(aside) == Array(world.contents(World.segment(1))[frame.offset..<end]))
        try expectConvergence(world, configuration)
    }

    /// A log of ten puts whose checkpoint is newer than its client's state.
    static func checkpointedBehindItsClient() throws -> (World, DurableThrough) {
        let first = World()
        let state = StateBox()
        let log = try Log.open(
            at: World.path, fileSystem: first.system, runtime: first.runtime, configuration: World.small(),
            clientState: { state.value! })
        state.value = ClientCheckpoint(through: log.durableThrough, bytes: [7])
        for index in 0..<10 { _ = try log.append([put(index, bytes: 400)]) }
        try log.checkpoint()
        return (first.afterPowerCut(), log.durableThrough)
    }
}

final class StateBox: @unchecked Sendable {
    var value: ClientCheckpoint?
}
