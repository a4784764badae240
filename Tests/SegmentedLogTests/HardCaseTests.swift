import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Cases that were once wrong, one test each.
@Suite struct HardCaseTests {
    /// A log that takes no more events, and whose active segment takes nothing more either.
    private func full(
        _ world: World, _ configuration: LogConfiguration = World.small()
    ) throws -> (Log, Int) {
        let log = try world.open(configuration)
        var count = 0
        while (try? log.append([put(count, bytes: 400)])) != nil { count += 1 }
        return (log, count)
    }

    @Test func closingAFullLogWithARefusedAppendStillWaitingReturns() throws {
        let world = World()
        let (log, _) = try full(world)
        world.runtime.advance(by: 1_000_000_000)
        log.submit([try put(9)]) { _ in }
        try log.close()
    }

    @Test func closingReturnsWhenAMarkDidNotFitIntoTheSegment() throws {
        let world = World()
        let log = try world.open(World.small { $0.idleMarkDelay = 1_000 })
        // Fills the segment to the block that its seal needs.
        for index in 0..<14 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle(horizon: 10_000_000)
        try log.close()
    }

    @Test func aRetirementThatFailedIsFinishedByTheNext() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        let segments = log.segments.dropLast().map(\.number)
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: 5))
        #expect(throws: LogError.self) { try log.retire(segments) }
        try log.retire([])
        #expect(world.segmentNames().count <= 2, "\(world.segmentNames())")
        let again = try world.afterPowerCut().open()
        #expect(again.recoveryReport.losses.isEmpty)
        #expect(try again.tags().last == 59)
    }

    @Test func aLogWhoseSegmentsAreAsSmallAsItsReserveCountsThemAfterReopening() throws {
        let configuration = World.small { $0.segmentBytes = 24 << 10 }
        let world = World()
        do {
            let log = try world.open(configuration)
            var count = 0
            while (try? log.append([put(count, bytes: 400)])) != nil { count += 1 }
        }
        let next = world.afterPowerCut()
        let log = try next.open(configuration)
        #expect(throws: LogError.self) { for index in 0..<200 { _ = try log.append([put(1000 + index, bytes: 400)]) } }
        #expect(next.disk.allocatedBytes() <= configuration.capacityBytes)
        try log.retire(log.segments.dropLast().map(\.number))
        _ = try log.append([put(5000)])
    }

    private static let large = World.withSpares

    /// A log of so many segments of which all but the active one were let go, with the number of its events. Some of their files
    /// are kept as spares.
    private func drained(_ world: World, segments: Int = 6) throws -> (Log, Int) {
        let log = try world.open(Self.large)
        var count = 0
        while log.segments.count < segments {
            _ = try log.append([put(count, bytes: 900)])
            count += 1
        }
        world.runtime.runUntilIdle()
        try log.retire(log.segments.dropLast().map(\.number))
        world.runtime.runUntilIdle()
        #expect(world.spares.count > 1)
        return (log, count)
    }

    /// As many as an eighth of the room for segments holds: once two ended at once, each made the only spare that was kept then,
    /// and one of the two was forgotten: its room was lost until the next opening.
    @Test func retirementsThatEndAtOnceKeepNoMoreSparesThanOneAlone() throws {
        for seed in 1..<40 as Range<UInt64> {
            let world = World(seed: seed)
            let (log, _) = try full(world, Self.large)
            let most = Int(log.room.segmentBudgetBytes / 8 / (16 << 10))
            #expect(most > 1)
            let old = log.segments.dropLast().filter { $0.kind == .regular }.prefix(8).map(\.number)
            for number in old { log.retire([number]) { #expect($0 == nil) } }
            world.runtime.runUntilIdle()
            let spares = world.spares
            #expect(spares.count == most, "seed \(seed): \(world.names())")
            #expect(log.room.segmentBytesInUse == world.regularSegmentBytes, "none is forgotten, seed \(seed)")
        }
    }

    /// What was taken need not be written twice when as much is put again.
    @Test func retiredSegmentsAreUsedAgain() throws {
        let world = World()
        var (log, count) = try drained(world)
        let spares = world.spares.count
        var zeros = 0
        world.disk.beforeOperation = { if $0.operation == .prewrite { zeros += 1 } }
        let before = log.segments.count
        while log.segments.count < before + spares {
            _ = try log.append([put(count, bytes: 900)])
            count += 1
        }
        #expect(zeros == 0)
        let again = world.afterPowerCut()
        world.disk.beforeOperation = nil
        #expect(try again.open(Self.large).tags().last == count - 1)
        again.runtime.runUntilIdle()
        #expect(again.spares.isEmpty)
    }

    /// Out of descriptors for a while: each attempt lost a spare, whose file stayed and was not counted.
    @Test(arguments: [EMFILE, EIO, ENOENT]) func aSpareThatCannotBeOpenedIsNotForgotten(_ errno: Int32) throws {
        let world = World()
        var (log, count) = try drained(world)
        let spares = world.spares.count
        world.disk.faults.add(Fault(.open, errno: errno, on: .prefix("spare-"), count: 2))
        let before = log.segments.count
        while log.segments.count < before + 3 {
            // What waits for the segment is told, and tries again.
            _ = try? log.append([put(count, bytes: 900)])
            world.runtime.advance(by: 200_000_000)
            count += 1
        }
        world.runtime.runUntilIdle()
        if errno == ENOENT {
            // The simulated disk has them still; nothing of the log's does.
            #expect(world.spares.count <= spares)
        } else {
            #expect(log.room.segmentBytesInUse == world.regularSegmentBytes)
        }
        #expect(world.disk.allocatedBytes() <= Self.large.capacityBytes)
    }

    /// One segment of another size needs the room of several spares.
    @Test func sparesAreGivenUpForALargeAppend() throws {
        let world = World()
        let log = try world.open(Self.large)
        var count = 0
        while (try? log.append([put(count, bytes: 900)])) != nil { count += 1 }
        world.runtime.advance(by: 1_000_000_000)
        let old = log.segments.dropLast().filter { $0.kind == .regular }
        try log.retire(old.prefix(6).map(\.number))
        world.runtime.runUntilIdle()
        let spares = world.spares.count
        #expect(spares > 1)
        _ = try log.append([put(count, bytes: 75_000)])
        #expect(world.spares.count < spares)
        #expect(world.disk.allocatedBytes() <= Self.large.capacityBytes)
        #expect(try world.afterPowerCut().open(Self.large).tags().last == count)
    }

    /// Not for want of capacity: others have filled the disk.
    @Test func onAFullDiskSparesAreGivenUpForALargeAppend() throws {
        let world = World()
        let (log, count) = try drained(world, segments: 8)
        let spares = world.spares.count
        world.disk.options.capacityBytes = world.disk.allocatedBytes()
        let large = 48_000
        try #require(UInt64(large) < UInt64(spares) * (16 << 10), "or giving all of them up would not be enough")
        // Whatever waits for a segment that the disk has no room for is told; with spares there is no need.
        _ = try log.append([put(count, bytes: large)])
        #expect(world.spares.count < spares)
        #expect(try log.tags().last == count)
        #expect(log.room.segmentBytesInUse <= log.room.segmentBudgetBytes)
        #expect(try world.afterPowerCut().open(Self.large).tags().last == count)
    }

    /// Only the reserve was wanted: no spare that was given up would have helped, and both reserves, and the thread, were lost to it.
    @Test func aReserveThatCannotBeWrittenIsNotTriedForEverBesideSpares() throws {
        let world = World()
        let (log, _) = try drained(world)
        // Spares are promised to puts, so that records go on in the reserve.
        while log.changeClaim(from: 0, to: 600) {}
        try #require(!world.spares.isEmpty)
        for operation in [SimulatedOperation.write, .create] {
            world.disk.faults.add(Fault(operation, errno: ENOSPC, count: Fault.forever))
        }
        var refusal: LogError?
        for index in 0..<200 where refusal == nil {
            let record = try note(index, bytes: 400)
            do throws(LogError) { _ = try log.append([record]) } catch { refusal = error }
            world.runtime.advance(by: 200_000_000)
        }
        #expect(refusal?.code == .full && !world.spares.isEmpty)
        world.disk.faults.removeAll()
        try log.close()
    }

    /// What a retirement was at when it was lowered was kept, beyond the capacity, until it was used.
    @Test func aCapacityThatIsLoweredWhileSparesAreMadeTakesThemToo() throws {
        var configuration = LogConfiguration(capacityBytes: 4 << 20)
        configuration.segmentBytes = 64 << 10
        configuration.snapshotLimitBytes = 8 << 10
        for steps in 0..<40 {
            let world = World()
            let log = try world.open(configuration)
            var count = 0
            // The active one is hardly begun, and wants no other ahead.
            while log.segments.count < 8 {
                _ = try log.append([put(count, bytes: 9_000)])
                count += 1
            }
            world.runtime.runUntilIdle()
            log.retire(log.segments.dropLast().map(\.number)) { _ in }
            for _ in 0..<steps { _ = world.runtime.step() }
            try log.setCapacity(log.room.capacityBytes - log.room.segmentBudgetBytes + 2 * (64 << 10))
            world.runtime.runUntilIdle()
            #expect(log.room.segmentBytesInUse <= log.room.segmentBudgetBytes, "after \(steps): \(world.names())")
        }
    }

    @Test func aLowerCapacityTakesAsManySparesAsItMust() throws {
        let world = World()
        let (log, _) = try drained(world, segments: 8)
        try log.setCapacity(log.room.capacityBytes - log.room.segmentBudgetBytes + 2 * (16 << 10))
        world.runtime.runUntilIdle()
        #expect(log.room.segmentBytesInUse <= log.room.segmentBudgetBytes, "\(world.names())")
    }

    @Test func aReaderInTheReserveDoesNotStopTheDrain() throws {
        let world = World()
        let (log, _) = try full(world)
        let reader = log.makeReader()
        for index in 0..<200 {
            _ = try log.append([note(index, bytes: 400)])
            while try reader.next() != nil {}
        }
        #expect(world.disk.allocatedBytes() <= World.small().capacityBytes)
    }

    @Test(arguments: [Fault.Outcome.absent, .whole])
    func anOpenFrameWhoseWriteFailedIsCutOffByTheEpochThatFollows(_ outcome: Fault.Outcome) throws {
        let world = World()
        do {
            let log = try world.open()
            for index in 0..<5 { _ = try log.append([put(index)]) }
        }
        let next = world.afterPowerCut()
        next.disk.faults.add(Fault(.complete, errno: 5, outcome: outcome))
        let log = try next.open()
        #expect(log.recoveryReport.remarks.contains { $0.contains("cannot be written on") })
        _ = try log.append([put(5)])
        let last = try next.afterPowerCut(.everything, seed: 3).open(World.small { $0.damagePolicy = .strict })
        #expect(try last.tags() == Array(0...5))
        #expect(last.recoveryReport.losses.isEmpty)
    }

    @Test func aSealThatNamesItsOwnSegmentIsNoSeal() throws {
        let world = World()
        var life: SegmentLife?
        var place = LSN(segment: SegmentNumber(1), offset: 0)
        var header: FrameHeader?
        do {
            let log = try world.open()
            for index in 0..<3 { _ = try log.append([put(index)]) }
            place = log.durableThrough.lsn
            let reader = log.makeReader()
            while case .frame(let frame) = try reader.next() { header = frame.header }
            let bytes = try world.bytes(of: "0000000000000001.seg")
            life = try unsafe IdentityBlock(decoding: bytes.span.bytes).life
        }
        let last = try #require(header)
        let seal = try FramePayload(
            type: .seal, raw: SealRecord(nextSegment: SegmentNumber(1), nextSalt: 7).encode())
        let buffer = AlignedBuffer(byteCount: 512)
        buffer.withMutableBytes { (bytes: inout MutableRawSpan) in
            Frame.write(
                seal, baseSequence: EventSequence(4), commitTime: 0, durableThrough: last.durableThrough,
                epoch: last.epoch, nonce: last.nonce, frameBytes: seal.minimumFrameBytes, life: life!,
                position: place.offset, into: &bytes, at: 0)
        }
        var forged: [UInt8] = []
        for index in 0..<512 { forged.append(unsafe buffer.bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
        try world.overwrite("0000000000000001.seg", Int(place.offset)..<Int(place.offset) + 512) {
            forged[$0 - Int(place.offset)]
        }
        #expect(try world.afterPowerCut().open().tags() == [0, 1, 2])
    }

    @Test func aSmallerSnapshotLimitThanTheLogsSnapshotIsRefusedWithNothingTouched() throws {
        let world = World()
        do {
            let log = try Log.open(
                at: World.path, fileSystem: world.system, runtime: world.runtime, configuration: World.small(),
                clientState: {
                    ClientCheckpoint(
                        through: DurableThrough(
                            lsn: LSN(segment: SegmentNumber(1), offset: 8192), nextSequence: EventSequence(1)),
                        bytes: [UInt8](repeating: 1, count: 700))
                })
            _ = try log.append([put(0)])
            try log.checkpoint()
        }
        let next = world.afterPowerCut()
        let before = next.disk.liveHash
        #expect(throws: LogError.self) { try next.open(World.small { $0.snapshotLimitBytes = 800 }) }
        #expect(next.disk.liveHash == before)
    }

    @Test func aCrashAfterRetiringASegmentThatWasJustSealedIsNoDamage() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<20 { log.submit([try put(index, bytes: 900)]) { _ in } }
        let isJustSealed = {
            let durable = log.durableThrough.lsn
            return durable.segment == SegmentNumber(1) && log.segments.first?.endOffset == durable.offset
        }
        #expect(world.runtime.run(until: isJustSealed))
        log.retire([SegmentNumber(1)]) { error in #expect(error == nil) }
        world.runtime.runUntilIdle()
        #expect(log.segments.first?.number != SegmentNumber(1))
        for checkpointed in [true, false] {
            let next = world.afterPowerCut()
            if !checkpointed { try next.unlink("checkpoint") }
            let again = try next.open(World.small { $0.damagePolicy = .strict })
            #expect(again.recoveryReport.losses.isEmpty)
            #expect(try again.tags().last == 19)
        }
    }

    @Test func aReserveSegmentOfAnotherSizeDoesNotBecomeTheReserveAgain() throws {
        let world = World()
        do {
            let (log, _) = try full(world)
            for index in 0..<46 { _ = try log.append([note(index, bytes: 400)]) }
        }
        let configuration = World.small {
            $0.snapshotLimitBytes = 4096
            $0.segmentBytes = 32 << 10
            $0.capacityBytes = 640 << 10
        }
        let next = world.afterPowerCut()
        let log = try next.open(configuration)
        for index in 0..<300 { _ = try log.append([note(index, bytes: 400)]) }
        let last = try next.afterPowerCut(.nothing, seed: 3).open(configuration)
        #expect(last.recoveryReport.losses.isEmpty)
        #expect(last.recoveryReport.unreadable.isEmpty)
    }

    /// After a failed write no segment is active for a while, and in the end perhaps for good: every segment has ended.
    @Test(arguments: [1, Fault.forever])
    func segmentsAreNotLetGoWhileNoneIsActive(_ failures: Int) throws {
        let world = World()
        let log = try world.open()
        for index in 0..<5 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        world.disk.faults.add(Fault(.complete, errno: 5, count: failures))
        log.submit([try put(5)]) { _ in }
        let refusals = Refusals()
        for _ in 0..<40 {
            log.retire(log.segments.map(\.number)) { error in if error != nil { refusals.count += 1 } }
            world.runtime.step()
        }
        world.runtime.runUntilIdle()
        #expect((log.readOnlyError != nil) == (failures > 1))
        #expect(log.segments.isEmpty == false)
        #expect(refusals.count > 0)
        world.disk.faults.removeAll()
        let again = try world.afterPowerCut().open()
        #expect(again.recoveryReport.losses.isEmpty)
    }

    private final class Refusals: @unchecked Sendable { var count = 0 }

    @Test func aSegmentThatWasBeingMadeWhenTheCapacityWasLoweredGoesAgain() throws {
        for steps in 0..<12 {
            let world = World(seed: UInt64(steps))
            let log = try world.open()
            var count = 0
            while log.segments.count < 8 {
                _ = try log.append([put(count, bytes: 400)])
                count += 1
            }
            for _ in 0..<steps { _ = world.runtime.step() }
            try log.setCapacity(270 << 10)
            world.runtime.runUntilIdle()
            let room = log.room
            #expect(room.segmentBytesInUse <= max(room.segmentBudgetBytes, room.liveBytes), "\(steps) steps")
            #expect(world.disk.allocatedBytes() <= 270 << 10, "\(steps) steps")
        }
    }

    @Test func muchDamageInAFullLogIsOpenedAllTheSame() throws {
        let world = World()
        let (log, count) = try full(world)
        let names = log.segments.prefix(4).map { "000000000000000\($0.number).seg" }
        for name in names {
            for sector in stride(from: 17, to: 31, by: 2) {
                try world.overwrite(name, (sector * 512)..<(sector * 512 + 512))
            }
        }
        let again = try world.afterPowerCut().open()
        let tags = try again.tags()
        #expect(tags.last == count - 1 || tags.contains(count - 1))
    }

    @Test(arguments: [SimulatedOperation.open, .write, .synchronize, .rename, .synchronizeDirectory])
    func aReserveThatFailedOnceIsMadeAnew(_ operation: SimulatedOperation) throws {
        let world = World()
        let (log, count) = try full(world)
        for index in 0..<20 { _ = try log.append([note(index, bytes: 400)]) }
        let target: Fault.Target = operation == .synchronizeDirectory ? .anything : .prefix("reserve")
        world.disk.faults.add(Fault(operation, errno: 5, on: target))
        var refused = 0
        for index in 0..<200 where (try? log.append([note(index, bytes: 400)])) == nil {
            refused += 1
            world.runtime.advance(by: 200_000_000)
        }
        #expect(refused <= 2, "\(String(describing: log.lastBackgroundFailure))")
        #expect(world.disk.allocatedBytes() <= World.small().capacityBytes)
        let again = try world.afterPowerCut().open()
        #expect(try again.tags() == Array(0..<count))
    }
}

extension World {
    /// What the files take that are, or can become, segments of 16 KiB.
    fileprivate var regularSegmentBytes: UInt64 {
        UInt64((spares + segmentNames()).count { contents($0).count == 16 << 10 } << 14)
    }
}
