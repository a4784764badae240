import Glibc
import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing
import TestSupport

/// What an opening finds and nothing needs goes behind it; and a segment gets its name only when it is soon wanted, so that little
/// is found.
@Suite struct FoundFilesTests {
    private static let large = World.withSpares
    private static let segmentBytes: UInt64 = 16 << 10

    /// A process that was killed with spares and with a segment that was ready; how many events it has.
    private static func killed() throws -> (World, Int) {
        let world = World()
        let log = try world.open(large)
        var count = try world.append(to: log, until: 6, bytes: 900)
        let first = log.segments.last!.baseSequence.rawValue
        try log.retire(log.segments.dropLast().map(\.number))
        world.runtime.runUntilIdle()
        count = try world.append(to: log, from: count, bytes: 900) {
            log.segments.count == world.segmentNames().count - 1
        }
        try #require(log.segments.count == 1)
        let next = world.afterPowerCut()
        try #require(next.spares.count > 1 && next.segmentNames().count == 2)
        return (next, count - Int(first) + 1)
    }

    private static func isOfNoUse(_ name: String, _ log: Log) -> Bool {
        name.hasPrefix("spare-")
            || (name.hasSuffix(".seg") && !log.segments.contains { World.segment($0.number.rawValue) == name })
    }

    // MARK: Behind the opening

    @Test func anOpeningDoesNotWaitForFilesOfNoUseToGo() throws {
        let (world, count) = try Self.killed()
        let before = world.names()
        var unlinked: [String] = []
        world.disk.beforeOperation = { if $0.operation == .unlink { unlinked.append($0.path) } }
        let log = try world.open(Self.large)
        #expect(unlinked.filter { !$0.hasSuffix("/pid") }.isEmpty)
        let left = world.names().filter { Self.isOfNoUse($0, log) }
        #expect(Set(left).isSubset(of: before) && left.count == before.count { $0.hasPrefix("spare-") } + 1)
        #expect(log.recoveryReport.removedFiles.sorted() == left.filter { $0.hasPrefix("spare-") })
        #expect(log.room.liveBytes == UInt64(left.count + 1) * Self.segmentBytes, "nobody is promised their room")
        world.runtime.runUntilIdle()
        #expect(!world.names().contains { Self.isOfNoUse($0, log) })
        #expect(log.room.segmentBytesInUse == Self.segmentBytes && log.lastBackgroundFailure == nil)
        #expect(try log.tags().count == count)
        try log.close()
    }

    /// And closing waits for them.
    @Test func aLogThatIsClosedAtOnceHasRemovedThem() throws {
        let (world, count) = try Self.killed()
        let log = try world.open(Self.large)
        try log.close()
        #expect(!world.names().contains { Self.isOfNoUse($0, log) })
        #expect(try world.afterPowerCut().open(Self.large).tags().count == count)
    }

    /// What the file system does for it, commits would wait for; who closes does not want to.
    @Test(arguments: [false, true]) func theyGoWithPausesUnlessTheLogIsBeingClosed(_ closes: Bool) throws {
        let (world, _) = try Self.killed()
        let clock = PassingTime(world.runtime)
        let log = try Log.open(
            at: World.path, fileSystem: world.system, runtime: clock, configuration: Self.large)
        let found = world.names().count { Self.isOfNoUse($0, log) }
        clock.delays = []
        if closes { try log.close() } else { world.runtime.runUntilIdle(horizon: 1_000_000_000) }
        #expect(!world.names().contains { Self.isOfNoUse($0, log) })
        let pauses = clock.delays.filter { $0 > 0 }
        #expect(pauses.count == (closes ? 0 : found + 1), "one after the checkpoint, one after each file")
        #expect(pauses.allSatisfy { (4_000_000...20_000_000).contains($0) }, "\(pauses)")
    }

    /// Whenever the power goes, no more is there than was counted, whatever of it comes back.
    @Test func theirRoomIsNotFreeBeforeTheirNamesAreGoneForGood() throws {
        let (world, count) = try Self.killed()
        let log = try world.open(Self.large)
        let all = UInt64(world.spares.count + 2) * Self.segmentBytes
        var counted: Set<UInt64> = []
        repeat {
            let inUse = log.room.segmentBytesInUse
            counted.insert(inUse)
            for choice in world.disk.legalCrashChoices(limit: 16) {
                let next = World(world.disk.crashed(keeping: choice), seed: 5)
                let there = (next.spares + next.segmentNames()).reduce(0) { $0 + next.contents($1).count }
                #expect(UInt64(there) <= inUse, "\(choice)")
                #expect(try next.open(Self.large).tags().count == count)
            }
        } while world.runtime.step()
        #expect(counted == [all, Self.segmentBytes])
    }

    /// Two durable places say that a segment is gone before it is.
    @Test func aCheckpointIsDurableBeforeASegmentThatWasFoundGoes() throws {
        let (world, _) = try Self.killed()
        let log = try world.open(Self.large)
        var operations: [String] = []
        world.disk.beforeOperation = { operations.append("\($0.operation) \($0.path.split(separator: "/").last!)") }
        world.runtime.runUntilIdle()
        let unlink = try #require(operations.firstIndex { $0.hasPrefix("unlink") && $0.hasSuffix(".seg") })
        let sync = try #require(operations[..<unlink].lastIndex(of: "synchronize checkpoint"))
        #expect(operations[..<sync].contains("write checkpoint"))
        try log.close()
    }

    @Test func whereTheirRoomIsNeededTheyGoBeforeAnythingIsMade() throws {
        for more in [UInt64(0), 10 << 20] {
            let (world, count) = try Self.killed()
            // With this one there is no room for another segment.
            let room = try world.copy().open(Self.large).room
            let bytes = room.segmentBudgetBytes - room.segmentBytesInUse + more
            world.setContents("spare-0000000000000001.tmp", [UInt8](repeating: 7, count: Int(bytes)))
            let order = world.orderOfRemovals(before: .submit)
            let log = try world.open(Self.large)
            #expect(order().before == order().all && order().all > 2)
            #expect(!world.names().contains { Self.isOfNoUse($0, log) })
            #expect(log.recoveryReport.removedFiles.contains("spare-0000000000000001.tmp"))
            #expect(log.room.segmentBytesInUse == Self.segmentBytes)
            #expect(try log.tags().count == count)
        }
    }

    @Test func whereAFreshSegmentIsNeededTheyGoFirst() throws {
        let (world, count) = try Self.killed()
        world.disk.faults.add(Fault(.submit, errno: EIO, on: .suffix(".seg")))
        let order = world.orderOfRemovals(before: .create)
        let log = try world.open(Self.large)
        #expect(order().before == order().all && order().all > 1)
        #expect(log.recoveryReport.remarks.contains { $0.contains("cannot be written on") })
        #expect(world.spares.isEmpty)
        #expect(try log.tags().count == count)
    }

    // MARK: When it fails

    @Test(arguments: [".tmp", ".seg"]) func whatCannotBeRemovedKeepsItsRoomAndIsTriedAgain(_ suffix: String) throws {
        let (world, _) = try Self.killed()
        let log = try world.open(Self.large)
        world.disk.faults.add(Fault(.unlink, errno: EIO, on: .suffix(suffix)))
        world.runtime.runUntilIdle()
        #expect(log.lastBackgroundFailure?.fileError?.operation == .unlink)
        #expect(world.names().count { Self.isOfNoUse($0, log) } == 1, "the others are gone")
        #expect(log.room.segmentBytesInUse == 2 * Self.segmentBytes)
        let left = try #require(world.names().first { Self.isOfNoUse($0, log) })
        // A claim is refused, and that is when it is tried again; and so is making a segment.
        while log.changeClaim(from: 0, to: 6000) {}
        world.runtime.runUntilIdle()
        #expect(!world.names().contains(left))
        #expect(log.room.liveBytes == Self.segmentBytes && log.lastBackgroundFailure == nil)
    }

    @Test func aFailedCheckpointKeepsWhatWasFoundAndIsTriedAgain() throws {
        let (world, count) = try Self.killed()
        let log = try world.open(Self.large)
        let all = world.names().count { Self.isOfNoUse($0, log) }
        world.disk.faults.add(Fault(.write, errno: ENOSPC, on: .name("checkpoint"), count: Fault.forever))
        world.disk.faults.add(Fault(.create, errno: ENOSPC, on: .suffix(".tmp"), count: Fault.forever))
        world.runtime.runUntilIdle()
        #expect(log.lastBackgroundFailure?.fileError?.reason == .noSpace)
        #expect(world.names().count { Self.isOfNoUse($0, log) } == all)
        #expect(try world.afterPowerCut().open(Self.large).tags().count == count)
        world.disk.faults.removeAll()
        let left = Set(world.names().filter { Self.isOfNoUse($0, log) })
        while log.changeClaim(from: 0, to: 6000) {}
        world.runtime.runUntilIdle()
        #expect(left.isDisjoint(with: world.names()))
        #expect(log.room.liveBytes == Self.segmentBytes)
    }

    /// What was promised before a failed write, and while the files go, is there.
    @Test func noClaimIsRefusedForAWriteThatFailsWhileTheyGo() throws {
        let (killed, _) = try Self.killed()
        var met = 0
        for seed in 0..<12 as Range<UInt64> {
            let world = World(killed.disk.clone(), seed: seed)
            let log = try world.open(Self.large)
            let found = Set(world.names().filter { Self.isOfNoUse($0, log) })
            var claims = 0
            while log.changeClaim(from: 0, to: 500) { claims += 1 }
            try #require(claims > 4)
            world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .absent))
            #expect(appendError(log, 100)?.code == .outcomeUnknown)
            if found.isSubset(of: world.names()) { met += 1 }
            try Self.fill(claims, log)
            world.runtime.runUntilIdle(horizon: 10_000_000)
            #expect(log.lastBackgroundFailure == nil && found.isDisjoint(with: world.names()), "seed \(seed)")
        }
        #expect(met > 2, "\(met)")
    }

    @Test func noClaimIsRefusedForFilesThatCanNeverBeRemoved() throws {
        let (world, _) = try Self.killed()
        let log = try world.open(Self.large)
        for suffix in [".tmp", ".seg"] {
            world.disk.faults.add(Fault(.unlink, errno: EPERM, on: .suffix(suffix), count: Fault.forever))
        }
        var claims = 0
        while log.changeClaim(from: 0, to: 500) { claims += 1 }
        // The refusal has them tried again.
        world.runtime.advance(by: 200_000_000)
        repeat {
            while log.changeClaim(from: 0, to: 500) { claims += 1 }
        } while world.runtime.step()
        try Self.fill(claims, log)
        #expect(log.lastBackgroundFailure?.fileError?.operation == .unlink)
    }

    /// The disk has no more than the log: what is of no use there is given up before anything else.
    @Test func onAFullDiskTheyGoBeforeAnybodyIsPromisedAnything() throws {
        let (killed, _) = try Self.killed()
        for seed in 0..<20 as Range<UInt64> {
            let world = World(killed.disk.clone(), seed: seed)
            world.disk.options.capacityBytes = world.disk.allocatedBytes()
            let log = try world.open(Self.large)
            #expect(world.spares.isEmpty)
            #expect(log.changeClaim(from: 0, to: 7000))
            _ = try log.append([put(1, bytes: 6896)], releasing: 7000)
        }
    }

    /// Puts for so many claims of 500 bytes, with records between them that take no room of theirs.
    private static func fill(_ claims: Int, _ log: Log) throws {
        for tag in 0..<claims {
            for number in 0..<20 { _ = try? log.append([note(number, bytes: 400)]) }
            _ = try log.append([put(tag, bytes: 396)], releasing: 500)
        }
    }

    /// As long as a file can be, and empty: `truncate` by any hand.
    @Test func sparseFilesOfAnySizeAreCountedAndRemoved() throws {
        let path = "/dev/shm/sluice-found-\(getpid())"
        guard unsafe access("/dev/shm", W_OK) == 0 else { return }
        let system = LinuxFileSystem()
        let runtime = SystemRuntime()
        defer {
            if let directory = try? system.openDirectory(at: path) {
                for name in (try? directory.list()) ?? [] { try? directory.unlink(name) }
            }
            _ = unsafe rmdir(path)
        }
        var log = try Log.open(at: path, fileSystem: system, runtime: runtime, configuration: Self.large)
        var tag = 0
        while log.segments.count < 6 {
            _ = try log.append([put(tag, bytes: 900)])
            tag += 1
        }
        try log.retire(log.segments.dropLast().map(\.number))
        try log.close()
        let others = ["spare-0000000000000001.tmp", "spare-0000000000000002.tmp"]
        let names = (1...3).map { World.segment(UInt64($0)) } + others
        for name in names {
            let file = unsafe Glibc.open(path + "/" + name, O_CREAT | O_WRONLY, 0o600)
            #expect(file >= 0 && ftruncate(file, Int.max) == 0)
            _ = Glibc.close(file)
        }
        log = try Log.open(at: path, fileSystem: system, runtime: runtime, configuration: Self.large)
        #expect(log.room.segmentBytesInUse == Self.segmentBytes && log.room.liveBytes == Self.segmentBytes)
        #expect(log.lastBackgroundFailure == nil)
        try log.close()
    }

    /// Nobody knows whether they are gone: a later sync that succeeds says nothing.
    @Test func afterAFailedSyncOfTheDirectoryTheirRoomStaysCounted() throws {
        let (world, count) = try Self.killed()
        let log = try world.open(Self.large)
        let all = log.room.segmentBytesInUse
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO))
        world.runtime.runUntilIdle()
        #expect(log.lastBackgroundFailure?.fileError?.operation == .synchronizeDirectory)
        while log.changeClaim(from: 0, to: 6000) {}
        world.runtime.runUntilIdle()
        #expect(log.room.liveBytes == all)
        let again = world.afterPowerCut()
        let next = try again.open(Self.large)
        again.runtime.runUntilIdle()
        #expect(next.room.segmentBytesInUse == Self.segmentBytes)
        #expect(try next.tags().count == count)
    }

    /// A directory, or whatever else has such a name, takes no room of segments, and keeps nothing from opening.
    @Test func whatIsNoFileUnderASpareNameIsReported() throws {
        let (world, count) = try Self.killed()
        try world.system.makeDirectory(at: World.path + "/spare-00000000000000aa.tmp")
        let log = try world.open(Self.large)
        #expect(log.recoveryReport.remarks.contains { $0.contains("spare-00000000000000aa.tmp") })
        world.runtime.runUntilIdle()
        #expect(log.room.segmentBytesInUse == Self.segmentBytes && log.lastBackgroundFailure == nil)
        #expect(try log.tags().count == count)
    }

    // MARK: Late names

    @Test func aSegmentThatIsReadyGetsItsNameWhenAQuarterOfTheActiveOneIsLeft() throws {
        let world = World()
        let log = try world.open(Self.large)
        var tag = 0
        var (half, quarter) = (0, 0)
        while true {
            _ = try log.append([put(tag, bytes: 400)])
            let offset = log.durableThrough.lsn.offset
            world.runtime.runUntilIdle()
            tag += 1
            guard log.segments.count == 1 else { break }
            switch (world.spares.count, world.segmentNames().count) {
            case (1, 1): half = half == 0 ? Int(offset) : half
            case (0, 2): quarter = quarter == 0 ? Int(offset) : quarter
            case let (spares, segments): #expect((spares, segments) == (0, 1) && half == 0, "at \(offset)")
            }
        }
        #expect(half >= 8 << 10 && half < 10 << 10, "made at a half: \(half)")
        #expect(quarter >= 12 << 10 && quarter < 14 << 10, "named at three quarters: \(quarter)")
    }

    /// What failed once and then succeeded is no failure any more.
    @Test func aSegmentWithoutANameIsMadeAllTheSame() throws {
        let world = World()
        let log = try world.open(Self.large)
        world.disk.faults.add(Fault(.create, errno: EIO, on: .suffix(".tmp")))
        for tag in 0..<100 where log.lastBackgroundFailure == nil {
            _ = try log.append([put(tag, bytes: 100)])
            world.runtime.runUntilIdle()
        }
        #expect(log.lastBackgroundFailure?.fileError?.operation == .create && log.segments.count == 1)
        world.runtime.advance(by: 300_000_000)
        while log.changeClaim(from: 0, to: 6000) {}
        world.runtime.runUntilIdle()
        #expect(world.spares.count == 1 && world.segmentNames().count == 1)
        #expect(log.lastBackgroundFailure == nil && log.room.preparationFailure == nil)
    }

    /// Appends so large that a few fill the segment find the next one named, however much is left.
    @Test func beforeLargeAppendsItHasItsNameFromTheBeginning() throws {
        let world = World()
        let log = try world.open(Self.large)
        for tag in 0..<40 {
            _ = try log.append([put(tag, bytes: 1500)])
            world.runtime.runUntilIdle()
            #expect(world.spares.isEmpty)
        }
    }

    /// It waits for nothing that anybody waits for.
    @Test func aLogWithASegmentThatHasNoNameYetIsClosed() throws {
        let (world, log, count) = try Self.unnamed()
        try log.close()
        #expect(world.segmentNames().count == 1)
        let next = world.afterKill()
        let again = try next.open(Self.large)
        #expect(again.recoveryReport.wasClosedCleanly && again.recoveryReport.removedFiles.count == 1)
        #expect(try again.tags().count == count)
    }

    @Test func afterAFailedWriteItBecomesTheSegmentOfTheNextEpoch() throws {
        let (world, log, count) = try Self.unnamed()
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .absent))
        #expect(appendError(log, 100)?.code == .outcomeUnknown)
        world.runtime.runUntilIdle()
        _ = try log.append([put(count)])
        #expect(log.epoch == Epoch(2) && world.spares.isEmpty)
        #expect(log.segments.last?.kind == .regular)
        #expect(try world.afterPowerCut().open(Self.large).tags() == Array(0...count))
    }

    @Test func itGoesWhenTheCapacityIsLowered() throws {
        let (world, log, count) = try Self.unnamed(segments: 2)
        let room = log.room
        try log.setCapacity(room.capacityBytes - room.segmentBudgetBytes + 3 * Self.segmentBytes)
        world.runtime.runUntilIdle()
        #expect(world.spares.count == 1, "there is room for it")
        try log.setCapacity(room.capacityBytes - room.segmentBudgetBytes + 2 * Self.segmentBytes)
        world.runtime.runUntilIdle()
        #expect(world.spares.isEmpty && world.segmentNames().count == 2)
        #expect(log.room.segmentBytesInUse == 2 * Self.segmentBytes)
        #expect(try log.tags().count == count)
        try log.close()
    }

    @Test func anAppendThatDoesNotFitTakesItAtOnce() throws {
        let (world, log, count) = try Self.unnamed()
        _ = try log.append([put(count, bytes: 7500)])
        #expect(log.segments.count == 2 && world.segmentNames().count == 2)
        #expect(try world.afterPowerCut().open(Self.large).tags() == Array(0...count))
    }

    /// A log whose next segment is ready, but for its name.
    private static func unnamed(segments: Int = 1) throws -> (World, Log, Int) {
        let world = World()
        let log = try world.open(large)
        let tag = try world.append(to: log, bytes: 400) {
            !world.spares.isEmpty && log.segments.count >= segments
        }
        try #require(world.segmentNames().count == segments)
        return (world, log, tag)
    }
}

extension World {
    /// How many spare files will have been removed, and how many of them before the first operation of another kind.
    fileprivate func orderOfRemovals(before kind: SimulatedOperation) -> () -> (before: Int, all: Int) {
        var (before, all) = (0, 0)
        var isMet = false
        disk.beforeOperation = { record in
            if record.operation == kind { isMet = true }
            guard record.operation == .unlink, record.path.hasSuffix(".tmp") else { return }
            all += 1
            if !isMet { before += 1 }
        }
        return { (before, all) }
    }
}

/// Each look at the clock finds it a millisecond further on.
private final class PassingTime: Runtime, @unchecked Sendable {
    private let inner: SimulatedRuntime
    private var passed: UInt64 = 0
    var delays: [UInt64] = []

    init(_ inner: SimulatedRuntime) { self.inner = inner }

    func monotonicClock() -> UInt64 {
        passed += 1_000_000
        return inner.monotonicClock() + passed
    }
    func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) {
        delays.append(delay)
        inner.schedule(after: delay, work)
    }
    func wallClock() -> UInt64 { inner.wallClock() }
    func random() -> UInt64 { inner.random() }
    func wait(for cell: WaitCell) -> UInt32 { inner.wait(for: cell) }
    func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? { inner.wait(for: cell, timeout: timeout) }
    func signal(_ cell: WaitCell, value: UInt32) { inner.signal(cell, value: value) }
    func giveWay() { inner.giveWay() }
}
