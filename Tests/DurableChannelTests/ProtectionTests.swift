import CrashHarness
import DurableChannel
import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// What `tools/check-protections` takes out of the channel, and some tests that only such an edit asks for.
@Suite struct ProtectionTests {
    // MARK: The tables

    /// Rows of the fault table that the channel has nothing to do with: a disk that lies, and inspection.
    private static let ofOthers: Set<Int> = [40, 41]

    /// Each row of chapter 13 has a protection that is taken out, and the test that must fail then is named with the row. Rows
    /// that the log alone protects have theirs among the log's.
    @Test func eachFaultOfTheChannelHasAProtectionThatIsTakenOut() throws {
        let text = try #require(TestFiles.text("\(TestFiles.package)/tools/protections"))
        let design = try #require(TestFiles.text("\(TestFiles.package)/DESIGN.md"))
        let table = design.split(separator: "\n").drop { !$0.hasPrefix("## 13. ") }
        var cells: [Int: Substring] = [:]
        for line in table where line.hasPrefix("| ") {
            let row = line.split(separator: "|")
            if let number = Int(String(row[0].filter { $0 != " " })) { cells[number] = row[3] }
        }
        #expect(cells.keys.sorted() == Array(1...44))
        var found: Set<Int> = []
        for entry in text.split(separator: "\nrow ").dropFirst() {
            let lines = entry.split(separator: "\n").map { $0.split(separator: " ") }
            let numbers = lines[0].map { (isOfChannel: $0.hasPrefix("channel:"), row: Int($0.drop { !$0.isNumber })) }
            found.formUnion(numbers.compactMap(\.row))
            let rows = numbers.compactMap { $0.isOfChannel ? $0.row : nil }
            let tests = lines.filter { $0.first == "test" }.compactMap(\.last).map { test in
                let parts = test.split(separator: "/")
                let prefix = ["FileIOTests": "fileio: ", "SegmentedLogTests": "log: "][parts[0]] ?? ""
                return "`\(prefix)\(parts.last ?? "")`"
            }
            guard !rows.isEmpty else { continue }
            for row in rows {
                #expect(
                    tests.contains { cells[row]?.contains($0) == true },
                    "row \(row) of the design names none of \(tests)")
            }
            for test in tests {
                #expect(rows.contains { cells[$0]?.contains(test) == true }, "none of the rows \(rows) names \(test)")
            }
        }
        #expect(Set(1...44).subtracting(found) == Self.ofOthers)
    }

    // MARK: Row 6

    /// Row 6: where the name of a new directory cannot be made durable, there is no channel in it.
    @Test func aChannelWhoseDirectoryCannotBeMadeDurableIsNotMade() async throws {
        let directory = RealDirectory()
        let closed = directory.path + "/closed"
        #expect(unsafe mkdir(closed, 0o700) == 0)
        await #expect(processExitsWith: .exitCode(7)) { [root = directory.path as String] in
            // An administrator may read every directory: as somebody else, who may write to this one and not open it.
            let nobody: uid_t = 65_534
            if getuid() == 0 {
                _ = unsafe chmod(root, 0o755)
                _ = unsafe chown(root + "/closed", nobody, nobody)
            }
            _ = unsafe chmod(root + "/closed", 0o300)
            if getuid() == 0 { guard setuid(nobody) == 0 else { exit(1) } }
            let error = failure { try openOnDisk(root + "/closed/channel") }
            let isTheSync = error?.fileError?.operation == .synchronizeDirectory
            exit(error?.code == .notAChannel && isTheSync && error?.fileError?.errno == EACCES ? 7 : 2)
        }
        _ = unsafe chmod(closed, 0o700)
    }

    // MARK: Row 24

    /// Row 24: a taker who waits for ever is given what the disk gives again, soon, though nobody puts or commits anything.
    @Test func aTakerWhoWaitsForEverComesByItselfToWhatTheDiskGivesAgain() throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.tailCacheBytes = 0 })
        for tag in 0..<100 { try channel.put(tags: [tag], bytes: 3000) }
        world.settle()
        let frame = try world.frame(holding: 31)
        let disk = world.disk
        disk.faults.add(
            Fault(
                .read, errno: EIO, on: .name(World.segment(frame.segment)),
                range: UInt64(frame.offset)..<UInt64(frame.offset + 512), count: Fault.forever))
        #expect(try channel.take(1000).count == 99)
        world.runtime.schedule(after: 12_000_000_000) { disk.faults.removeAll() }
        let started = world.runtime.monotonicClock()
        let take = try channel.beginTake(waitingUpTo: nil)
        #expect(take.events.map(\.tag) == [30])
        try take.commit()
        #expect((12_000_000_000..<18_000_000_000).contains(world.runtime.monotonicClock() - started))
    }

    // MARK: Row 25

    /// Row 25: so many small events in a segment that their takes fill more than what is left of the regular ones before the
    /// first segment is given back. The capacity is used up, or the disk is.
    @Test(arguments: [false, true]) func manySmallEventsAreDrainedOneByOneThroughTheReserve(_ diskIsFull: Bool) throws {
        let world = World()
        let channel = try world.open()
        var count = 0
        if diskIsFull {
            count = 1000
            for first in stride(from: 0, to: count, by: 50) { try channel.put(tags: first..<first + 50, bytes: 8) }
            world.settle()
            world.disk.options.capacityBytes = world.disk.allocatedBytes()
        }
        count += try channel.fill(from: count, bytes: 8, perTransaction: 50)
        let peak = Peak(world.disk)
        var fewestReserves = 2
        for tag in 0..<count {
            #expect(try channel.take(1).tags == [tag])
            fewestReserves = min(fewestReserves, world.names().count { $0.hasPrefix("reserve-") })
        }
        #expect(fewestReserves < 2, "the reserve was needed")
        #expect(peak.bytes <= (world.disk.options.capacityBytes ?? channel.metrics.capacityBytes))
        #expect(channel.metrics.heldEvents == 0 && channel.isBalanced)
        world.settle()
        try channel.put(tags: [count])
        // The process must live as long as its channel: the take waits for the next segment.
        let next = world.afterPowerCut()
        let last = try next.open().take().tags
        #expect(last == [count])
        withExtendedLifetime(next) {}
    }

    // MARK: Row 29

    /// Row 29: the clock jumps while somebody waits, for an event or for room.
    @Test(arguments: [-1, 1] as [Int64]) func aClockThatJumpsDuringAWaitNeitherEndsItNorMakesItLonger(_ sign: Int64)
        throws
    {
        let world = World()
        let channel = try world.open(
            World.roomy {
                $0.capacityEvents = 1
                $0.whenFull = .block(.seconds(3))
            })
        let runtime = world.runtime
        for waitsForRoom in [false, true] {
            let started = runtime.monotonicClock()
            runtime.schedule(after: 1_000_000_000) { [unowned runtime] in
                runtime.jumpWallClock(by: sign * 3600 * 1_000_000_000)
            }
            if waitsForRoom {
                #expect(failure { try channel.put(tags: [1]) }?.code == .full)
            } else {
                let take = try channel.beginTake(waitingUpTo: .seconds(3))
                #expect(take.events.isEmpty)
                try channel.put(tags: [0])
            }
            let waited = runtime.monotonicClock() - started
            #expect((3_000_000_000..<3_500_000_000).contains(waited), "\(waited)")
        }
    }

    // MARK: Row 44

    /// Row 44: in the weaker durabilities, when the events are synced already, and their lease is not.
    @Test(arguments: [DurabilityMode.interval, .none])
    func theLeaseOfEventsThatAreSyncedAlreadyIsSyncedToo(_ durability: DurabilityMode) throws {
        let configuration = World.roomy {
            $0.durability = durability
            $0.syncInterval = .seconds(1000)
        }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<20)
        try channel.synchronize()
        let take = try OpenTake(channel, 3)
        let after = try world.afterPowerCut().open(configuration).take()
        #expect(after.tags == Array(0..<20))
        #expect(after.marks.prefix(3) == [true, true, true])
        take.rollback()
    }

    // MARK: Rows 13 and 37: what a snapshot says of the channel

    /// Row 37: a newer version serves a second consumer group, and a snapshot has its pointers.
    @Test func aSnapshotWithAnotherConsumerGroupIsRefusedUntouched() throws {
        let world = try closed { bytes in
            var state = unsafe try ClientState(decoding: bytes.span.bytes)
            state.groups.append(ClientState.Group(name: "another"))
            return try state.encode()
        }
        let before = world.disk.liveHash
        let error = world.openingError(World.small())
        #expect(error?.code == .newerVersion && error?.message.contains("another") == true)
        #expect(world.disk.liveHash == before)
    }

    /// Row 13: what cannot be understood though its checksum is right is not taken for nothing: positions would be forgotten.
    @Test(arguments: [1, 100, 10_000]) func aSnapshotThatCannotBeUnderstoodIsRefusedUntouched(_ kept: Int) throws {
        let world = try closed { bytes in Array(bytes.prefix(min(kept, bytes.count - 1))) + [0xFF] }
        let before = world.disk.liveHash
        let error = world.openingError(World.small())
        #expect(
            error?.code == .damaged && error?.message.contains("is not valid") == true, "\(String(describing: error))")
        #expect(world.disk.liveHash == before)
    }

    /// A channel with ten events, three of them taken, closed; then all its snapshots say what `change` makes of them.
    private func closed(_ change: ([UInt8]) throws -> [UInt8]) throws -> World {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<10)
        #expect(try channel.take(3).count == 3)
        try channel.close()
        let next = world.next()
        var settings = LogConfiguration(capacityBytes: 512 << 10)
        settings.segmentBytes = 24 << 10
        settings.snapshotLimitBytes = 4096
        let writer = SimulatedRuntime(seed: 99)
        let pointers = Pointers()
        let log = try Log.open(
            at: World.path, fileSystem: SimulatedFileSystem(disk: next.disk, runtime: writer), runtime: writer,
            configuration: settings, clientState: { pointers.checkpoint! },
            restored: { (checkpoint) throws(LogError) in pointers.checkpoint = checkpoint })
        pointers.checkpoint!.bytes = try change(pointers.checkpoint!.bytes)
        try log.close()
        writer.dropAllWork()
        return next.next(seed: 6)
    }

    private final class Pointers: @unchecked Sendable { var checkpoint: ClientCheckpoint? }
}
