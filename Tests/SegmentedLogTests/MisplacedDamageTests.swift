import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 4, 5, 16, 19, 20: torn and cut files, and bytes in the wrong place. The log of most tests has 60 puts, 14 to a
/// segment; the newest is 5.
@Suite struct MisplacedDamageTests {
    // MARK: Rows 4 and 5

    /// Row 4.
    @Test(arguments: [512, 4096], [false, true])
    func aTornLastGroupIsCutAtAnySectorAndTheFrameBeforeItIsUnhurt(_ sector: Int, _ inside: Bool) throws {
        var options = SimulatedDisk.Options()
        options.sectorBytes = sector
        options.tearsInsideSectors = inside
        let configuration = World.small {
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 512 << 10
            $0.maximumGroupBytes = 32 << 10
        }
        let first = World(SimulatedDisk(options))
        let log = try first.open(configuration)
        for index in 0..<3 { _ = try log.append([put(index, bytes: 100)]) }
        log.submit([try put(3, bytes: 10_000)]) { _ in }
        first.runtime.run { first.disk.pendingOperations.contains { $0.isInFlight } }
        let write = try #require(first.disk.pendingOperations.last { $0.isInFlight })
        // The last group shares a physical sector with the frames before it where sectors have 4096 bytes.
        var whole = 0
        for choice in first.disk.legalCrashChoices() {
            let world = first.afterPowerCut(choice)
            let (report, readings) = try expectConvergence(world, configuration)
            #expect(report.losses.isEmpty && report.unknown.isEmpty, "\(choice)")
            if choice[write.id] == .whole {
                whole += 1
                #expect(readings == texts(0...3))
            } else {
                #expect(readings == texts(0...2), "\(choice)")
                #expect(report.tail.nextSequence == EventSequence(4), "\(choice)")
            }
        }
        #expect(whole >= 1)
        #expect(first.disk.legalCrashChoices().count > 4)
    }

    /// Row 5.
    @Test func aSegmentWhoseSizeIsThereAndItsDataNotIsUnwrittenSpace() throws {
        let world = try World.killed()
        let tail = try world.frame(tag: 58)
        // All that the last frame was is zeros, as where the size came to the disk and the data did not.
        world.zero(World.segment(5), tail.end..<16384)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(report.tail.lsn.offset == UInt64(tail.end))
        #expect(report.tail.nextSequence == EventSequence(60))
        #expect(readings == texts(0...58))
    }

    /// Row 5.
    @Test func aPreparedSegmentThatIsAllZerosBehindItsIdentityHoldsNothing() throws {
        let world = try World.killed(puts: 24) { world, _ in world.runtime.runUntilIdle() }
        #expect(world.segmentNames().last == World.segment(3))
        #expect(try world.frames(3).isEmpty)
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(readings == texts(0...23))
    }

    /// Row 5.
    @Test func dataBeyondTheSizeThatTheFileGotIsNotMissed() throws {
        // The file ends right behind its frames: of the zeros that were written beforehand only the data is gone.
        let world = try World.killed()
        world.truncate(World.segment(5), to: try world.frame(tag: 59).end)
        let (report, readings) = try expectConvergence(world)
        #expect(report.unknown.isEmpty)
        #expect(readings.filter { Int($0) != nil } == texts(0...59))
        #expect(try world.open().append([put(60)]).sequences.lowerBound >= 61)
    }

    // MARK: Row 16

    /// Row 16.
    @Test func anOldSegmentCutAnywhereLosesWhatIsBehindTheCutAndSaysSo() throws {
        let whole = try World.killed()
        for size in stride(from: 0, to: 16384, by: 512) {
            let world = whole.copy()
            world.truncate(World.segment(3), to: size)
            let log = try world.open()
            let end = try whole.frame(tag: 41).end
            let kept = try (28...41).filter { try whole.frame(tag: $0).end <= size }
            let readings = try log.readings()
            #expect(readings.filter { Int($0) != nil } == texts(0...27) + texts(kept) + texts(42...59), "\(size)")
            let damage = readings.filter { Int($0) == nil }
            if size < end {
                let first = 29 + kept.count
                #expect(damage.count == 1 && damage[0].hasSuffix("sequences \(first)..<43"), "\(size): \(damage)")
            }
        }
    }

    /// Row 16.
    @Test func theNewestSegmentCutAnywhereLosesNothingThatIsThereAndNamesWhatWasProven() throws {
        let (whole, durable) = try DamageTests.checkpointedBehindItsClient()
        for size in stride(from: 0, to: 16384, by: 512) {
            let world = whole.copy()
            world.truncate(World.segment(1), to: size)
            let kept = try (0...9).filter { try whole.frame(tag: $0).end <= size }
            if kept.count < 10 { expectStrictRefuses(world) }
            let log = try world.open()
            #expect(try log.readings().filter { Int($0) != nil } == texts(kept), "\(size)")
            let losses = log.recoveryReport.losses
            if kept.count == 10 {
                // Short as it is, something was cut off; but nothing that anybody vouches for.
                #expect(losses.allSatisfy { $0.firstSequence >= durable.nextSequence }, "\(size)")
            } else {
                #expect(losses.count == 1, "\(size)")
                #expect(losses.first?.firstSequence == EventSequence(UInt64(kept.count + 1)), "\(size)")
                #expect(losses.first.map { $0.endSequence >= durable.nextSequence } == true, "\(size)")
            }
            #expect(try log.append([put(10)]).sequences.lowerBound >= 11, "\(size)")
        }
    }

    /// Row 16: a segment gets its whole size before it gets its name, so a short one was cut.
    @Test func acknowledgedSequencesAreNotUsedAgainWhenTheNewestSegmentWasCut() throws {
        let whole = try World.killed()
        for size in stride(from: 8192, through: try whole.frame(tag: 59).end, by: 512) {
            let world = whole.copy()
            world.truncate(World.segment(5), to: size)
            let kept = try (56...59).filter { try whole.frame(tag: $0).end <= size }
            let log = try world.open()
            #expect(try log.readings().filter { Int($0) != nil } == texts(0...55) + texts(kept), "\(size)")
            let story: Comment = "cut at \(size): \(log.recoveryReport)"
            let report = log.recoveryReport
            let isSaid = !report.losses.isEmpty || report.remarks.contains { $0.contains("short") }
            #expect(kept.count == 4 || isSaid, story)
            #expect(try log.append([put(60)]).sequences.lowerBound >= 61, story)
        }
    }

    // MARK: Row 19

    /// Row 19.
    @Test func aSegmentCopiedOverAnotherIsDamageOfThatOneOnly() throws {
        let world = try World.killed()
        world.setContents(World.segment(3), world.contents(World.segment(2)))
        let (report, readings) = try expectConvergence(world)
        #expect(report.lossTexts.isEmpty)
        #expect(readings.filter { Int($0) != nil } == texts(0...27) + texts(42...59))
        #expect(readings.filter { Int($0) == nil }.count == 1)
        #expect(readings.first { Int($0) == nil }?.hasSuffix("sequences 29..<43") == true)
    }

    /// Row 19.
    @Test func aSegmentUnderANumberBehindTheNewestIsIgnored() throws {
        let world = try World.killed()
        world.setContents(World.segment(6), world.contents(World.segment(5)))
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(report.foreignFiles == [World.segment(6)])
        #expect(readings == texts(0...59))
        let opened = world.copy()
        let log = try opened.open()
        for index in 60..<90 { _ = try log.append([put(index, bytes: 400)]) }
        #expect(opened.contents(World.segment(6)) == world.contents(World.segment(6)), "not ours, not touched")
    }

    /// Row 19.
    @Test func twoSegmentsSwappedAreDamageOfTheseTwoOnly() throws {
        let world = try World.killed()
        let (two, three) = (world.contents(World.segment(2)), world.contents(World.segment(3)))
        world.setContents(World.segment(2), three)
        world.setContents(World.segment(3), two)
        let (_, readings) = try expectConvergence(world)
        #expect(readings.filter { Int($0) != nil } == texts(0...13) + texts(42...59))
        #expect(
            readings.filter { Int($0) == nil }.map { $0.split(separator: ",").last.map(String.init) } == [
                " sequences 15..<29", " sequences 29..<43",
            ])
    }

    /// Row 19.
    @Test(arguments: [3, 6] as [UInt64]) func aSegmentOfAnotherLogIsNotServed(_ number: UInt64) throws {
        let world = try World.killed()
        let other = World(seed: 99)
        let log = try other.open()
        for index in 1000..<1100 { _ = try log.append([put(index, bytes: 400)]) }
        world.setContents(World.segment(number), other.contents(World.segment(number)))
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        if number == 3 {
            #expect(readings.filter { Int($0) != nil } == texts(0...27) + texts(42...59))
            #expect(readings.first { Int($0) == nil }?.hasSuffix("sequences 29..<43") == true)
        } else {
            #expect(report.foreignFiles == [World.segment(6)])
            #expect(readings == texts(0...59))
        }
    }

    /// Row 19.
    @Test func framesOfAFormerLifeOfTheFileAreNeverServed() throws {
        // Segments are recycled again and again, until one is caught half full of its former life.
        let configuration = World.small {
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 512 << 10
        }
        let first = World()
        let log = try first.open(configuration)
        var last: PlacedFrame?
        for index in 0..<400 {
            _ = try log.append([put(index, bytes: 400)])
            try log.retire(log.segments.dropLast().map(\.number))
            let frame = try first.frame(tag: index)
            let behind = first.contents(World.segment(frame.segment))[frame.end...]
            let isLast = try first.frames(frame.segment).last?.offset == frame.offset
            if index > 100, isLast, behind.prefix(1024).contains(where: { $0 != 0 }) {
                last = frame
                break
            }
        }
        let frame = try #require(last, "no file was recycled with its old bytes")
        let world = first.afterPowerCut()
        world.zero(World.segment(frame.segment), frame.offset..<frame.end)
        let (report, readings) = try expectConvergence(world, configuration)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(frame.tag - readings.count..<frame.tag))
    }

    /// Row 19.
    @Test func aFormerLifeOfTheWholeFileIsNotServed() throws {
        // The segment's file as it was under its old number: a stale image brought back by hand.
        let first = World()
        let log = try first.open()
        for index in 0..<20 { _ = try log.append([put(index, bytes: 400)]) }
        let old = first.contents(World.segment(1))
        for index in 20..<60 {
            _ = try log.append([put(index, bytes: 400)])
            try log.retire(log.segments.dropLast().map(\.number))
        }
        let world = first.afterPowerCut()
        world.setContents(World.segment(1), old)
        let expected = try log.readings()
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == expected)
    }

    // MARK: Row 20

    /// Row 20.
    @Test func twoPagesSwappedCostTheFramesInThem() throws {
        let world = try World.killed()
        world.change(World.segment(3)) { bytes in
            let (one, two) = (Array(bytes[8192..<12288]), Array(bytes[12288..<16384]))
            bytes.replaceSubrange(8192..<12288, with: two)
            bytes.replaceSubrange(12288..<16384, with: one)
        }
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty)
        #expect(readings.filter { Int($0) != nil } == texts(0...27) + texts(42...59))
        #expect(readings.filter { Int($0) == nil }.count == 1)
    }

    /// Row 20.
    @Test func twoPagesSwappedInTheNewestSegmentCostTheFramesInThem() throws {
        let configuration = World.small {
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 512 << 10
        }
        let world = try World.killed(puts: 85, configuration)
        let hit = try (46...84).filter { 12288..<20480 ~= (try world.frame(tag: $0)).offset }
        #expect(hit.count == 16)
        world.change(World.segment(2)) { bytes in
            let (one, two) = (Array(bytes[12288..<16384]), Array(bytes[16384..<20480]))
            bytes.replaceSubrange(12288..<16384, with: two)
            bytes.replaceSubrange(16384..<20480, with: one)
        }
        expectStrictRefuses(world, configuration, at: "2/3000")
        let (report, readings) = try expectConvergence(world, configuration)
        let damage = "damaged 2/3000-5000, sequences \(hit[0] + 1)..<\(hit[15] + 2)"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0..<hit[0]) + [damage] + texts((hit[15] + 1)...84))
    }

    /// Row 20.
    @Test func aMisdirectedWriteIsNotReadFromTheWrongPlaceAndCostsWhatItHit() throws {
        let world = try World.killed()
        let (from, onto) = (try world.frame(tag: 58), try world.frame(tag: 57))
        world.change(World.segment(5)) { bytes in
            bytes.replaceSubrange(onto.offset..<onto.end, with: Array(bytes[from.offset..<from.end]))
        }
        expectStrictRefuses(world, at: onto.place)
        let (report, readings) = try expectConvergence(world)
        let damage = "damaged \(onto.place)-\(String(onto.end, radix: 16)), sequences 58..<59"
        #expect(report.lossTexts == [damage])
        #expect(readings == texts(0...56) + [damage] + texts(58...59))
    }

    /// Row 20.
    @Test func aFrameWrittenIntoAnotherSegmentIsNotReadThere() throws {
        let world = try World.killed()
        let (from, onto) = (try world.frame(tag: 59), try world.frame(tag: 17))
        let bytes = Array(world.contents(World.segment(5))[from.offset..<from.end])
        world.change(World.segment(2)) { $0.replaceSubrange(onto.offset..<onto.end, with: bytes) }
        let (_, readings) = try expectConvergence(world)
        let damage = "damaged \(onto.place)-\(String(onto.end, radix: 16)), sequences 18..<19"
        #expect(readings == texts(0...16) + [damage] + texts(18...59))
    }
}
