import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// The weaker durabilities: what was synced is never lost, what was not is lost from the end only, and a crash is no damage.
@Suite struct DurabilityTests {
    private static func weak(
        _ durability: DurabilityMode, _ change: (inout LogConfiguration) -> Void = { _ in }
    ) -> LogConfiguration {
        World.small {
            $0.durability = durability
            $0.syncIntervalNanoseconds = 50_000_000
            change(&$0)
        }
    }

    /// Tags 0... in order, none missing in the middle.
    private func isPrefix(_ tags: [Int]) -> Bool { tags == Array(0..<tags.count) }

    @Test(arguments: [DurabilityMode.interval, .none])
    func whatWasSynchronizedSurvivesAPowerCutAndTheRestSurvivesTheProcess(_ durability: DurabilityMode) throws {
        let world = World()
        let log = try world.open(Self.weak(durability))
        for index in 0..<30 { _ = try log.append([put(index, bytes: 400)]) }
        try log.synchronize()
        #expect(log.syncedThrough == log.durableThrough)
        let covered = log.syncedThrough.nextSequence
        for index in 30..<40 { _ = try log.append([put(index, bytes: 400)]) }
        #expect(log.durableThrough.nextSequence.rawValue == 41)
        #expect(try log.tags() == Array(0..<40))
        let killed = try world.afterKill().open(Self.weak(durability))
        #expect(try killed.tags() == Array(0..<40))
        let cut = try world.afterPowerCut().open(Self.weak(durability))
        let tags = try cut.tags()
        #expect(isPrefix(tags) && tags.count >= 30)
        #expect(cut.recoveryReport.losses.isEmpty)
        #expect(cut.durableThrough.nextSequence >= covered)
    }

    @Test func underIntervalASyncComesByItselfAndUnderNoneItDoesNot() throws {
        for durability in [DurabilityMode.interval, .none] {
            let world = World()
            let log = try world.open(Self.weak(durability))
            _ = try log.append([put(0)])
            #expect(log.syncedThrough.lsn < log.durableThrough.lsn)
            world.runtime.runUntilIdle(horizon: 60_000_000)
            #expect((log.syncedThrough == log.durableThrough) == (durability == .interval))
            #expect((log.statistics.syncs > 0) == (durability == .interval))
        }
    }

    @Test func theModeIsRecordedAndClosingMakesEverythingDurable() throws {
        let world = World()
        let log = try world.open(Self.weak(.none))
        for index in 0..<20 { _ = try log.append([put(index, bytes: 400)]) }
        try log.close()
        let again = try world.afterPowerCut().open(Self.weak(.none))
        #expect(again.recoveryReport.wasClosedCleanly)
        #expect(try again.tags() == Array(0..<20))
        let reader = again.makeReader()
        var modes: [DurabilityMode] = []
        while case .frame(let frame) = try reader.next() {
            if frame.header.type == .open {
                modes.append(unsafe try OpenRecord(decoding: frame.payload.span.bytes).durability)
            }
        }
        #expect(modes == [.none, .none])
    }

    @Test(arguments: [SimulatedOperation.synchronize, .write])
    func aFailedSyncOrWriteEndsWritingAndReadingGoesOn(_ operation: SimulatedOperation) throws {
        let world = World()
        let log = try world.open(Self.weak(.interval))
        for index in 0..<5 { _ = try log.append([put(index)]) }
        try log.synchronize()
        _ = try log.append([put(5)])
        world.disk.faults.add(Fault(operation, errno: EIO, outcome: .absent))
        if operation == .synchronize {
            #expect(throws: LogError.self) { try log.synchronize() }
        } else {
            #expect(throws: LogError.self) { _ = try log.append([put(6)]) }
        }
        #expect(log.readOnlyError?.message.contains("durability") == true)
        #expect(throws: LogError.self) { _ = try log.append([put(7)]) }
        #expect(throws: LogError.self) { try log.synchronize() }
        #expect(try log.tags().prefix(5) == [0, 1, 2, 3, 4])
        try? log.close()
        let again = try world.afterPowerCut().open(Self.weak(.interval))
        let tags = try again.tags()
        #expect(isPrefix(tags) && tags.count >= 5)
        #expect(again.recoveryReport.losses.isEmpty)
    }

    /// A crash before each storage operation, in every legal way: it opens without damage, has all that was synced, and a
    /// prefix of the rest; and so again after a second power cut.
    @Test(arguments: [DurabilityMode.interval, .none], [false, true])
    func everyCrashUnderAWeakerDurability(_ durability: DurabilityMode, _ retires: Bool) throws {
        let seeds: Range<UInt64> = 1..<TestDepth.pick(sample: 2, part: 2, whole: 3)
        let stride = TestDepth.pick(sample: 8, part: 1, whole: 1)
        var states = 0
        var lost = 0
        for seed in seeds {
            let configuration = Self.weak(durability) { $0.idleMarkDelay = 10_000_000 }
            let disk = SimulatedDisk()
            let world = World(disk, seed: seed)
            struct Moment {
                var disk: SimulatedDisk
                var synced: Int
                var acknowledged: Int
                var retiredBelow: Int
            }
            final class Progress: @unchecked Sendable {
                var synced = 0
                var acknowledged = 0
                var retiredBelow = 0
            }
            let progress = Progress()
            var moments: [Moment] = []
            disk.beforeOperation = { [unowned disk] _ in
                moments.append(
                    Moment(
                        disk: disk.clone(), synced: progress.synced, acknowledged: progress.acknowledged,
                        retiredBelow: progress.retiredBelow))
            }
            let log = try world.open(configuration)
            for index in 0..<40 {
                log.submit([try put(index, bytes: 700)]) { result in
                    if case .success = result { progress.acknowledged = index + 1 }
                }
                for _ in 0..<3 { world.runtime.step() }
                if index % 9 == 8 {
                    world.runtime.runUntilIdle()
                    try log.synchronize()
                    progress.synced = Int(log.syncedThrough.nextSequence.rawValue) - 1
                }
                if index % 11 == 10 { world.runtime.runUntilIdle(horizon: 60_000_000) }
                if retires, index == 30 {
                    world.runtime.runUntilIdle()
                    let old = log.segments.dropLast(2)
                    progress.retiredBelow = Int(old.last?.endSequence.rawValue ?? 1) - 1
                    log.retire(old.map(\.number)) { _ in }
                }
            }
            world.runtime.runUntilIdle()
            try log.close()
            disk.beforeOperation = nil
            for (place, moment) in moments.enumerated() where place % stride == 0 {
                for choice in moment.disk.legalCrashChoices(limit: 24) {
                    states += 1
                    let crashed = moment.disk.crashed(keeping: choice)
                    let story: Comment = "seed \(seed), before operation \(place), \(choice)"
                    let next = World(crashed, seed: 5)
                    let again = try next.open(configuration)
                    #expect(again.recoveryReport.losses.isEmpty && again.recoveryReport.unreadable.isEmpty, story)
                    let tags = try again.tags()
                    let first = tags.first ?? moment.synced
                    #expect(tags == Array(first..<first + tags.count), story)
                    #expect(first <= moment.retiredBelow, story)
                    let end = Int(again.durableThrough.nextSequence.rawValue) - 1
                    #expect(end >= moment.synced && first + tags.count >= moment.synced, story)
                    if end < moment.acknowledged { lost += 1 }
                    let last = try World(next.disk.crashed(keeping: .nothing), seed: 6).open(configuration)
                    #expect(try last.tags() == tags, story)
                }
            }
        }
        print("\(durability), retires \(retires): \(states) distinct states, \(lost) of them lost what was not synced")
        #expect(states > 500 / stride && lost > 50 / stride)
    }
}
