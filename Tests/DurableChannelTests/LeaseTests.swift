import CrashHarness
import DurableChannel
import SimulatedFileIO
import TestSupport
import Testing

/// The redelivery mark: on everything that may be a repeat, and on nothing above the lease.
@Suite struct LeaseTests {
    // MARK: Durable before an event is handed out

    @Test func theLeaseIsDurableBeforeTheFirstEventIsHandedOut() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<50)
        #expect(try world.afterPowerCut().durableLease() <= 1)
        let take = try channel.beginTake(maxEvents: 3)
        #expect(take.events.count == 3)
        let cut = world.afterPowerCut()
        #expect(try cut.durableLease() == 12, "3 handed out, and a step of 8 beyond")
        #expect(try cut.open().take().marks == (1...50).map { $0 < 12 })
    }

    /// Row 44. A lease is asked for by whoever comes to it; all crash points of its writing are looked at.
    @Test func aPowerCutBeforeTheLeaseIsDurableComesBeforeAnyoneHasTheEvents() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<20)
        world.settle()
        var states: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] _ in
            states += disk.legalCrashChoices().map { disk.crashed(keeping: $0) }
        }
        let take = try channel.beginTake(maxEvents: 5)
        world.disk.beforeOperation = nil
        #expect(states.count >= 2)
        for state in states {
            let marks = try World(state, seed: 9).open().take().marks
            // Nobody had been given anything: both are right, half of it is not.
            #expect(marks == [Bool](repeating: false, count: 20) || marks == (1...20).map { $0 < 14 })
        }
        #expect(try world.afterPowerCut().open().take().marks == (1...20).map { $0 < 14 })
        take.rollback()
    }

    /// Row 44, P4. Whatever is done, and whenever the power goes: what was handed out and not durably committed comes again
    /// with its mark, what was committed does not come again, and above the lease there are no marks.
    @Test(arguments: 1...TestDepth.pick(sample: 2, part: 10, whole: 10))
    func everyRepeatCarriesTheMarkAndNothingAboveTheLeaseDoes(_ seed: Int) throws {
        for durability in [DurabilityMode.commit, .interval, .none] {
            var random = SeededRandom(seed: UInt64(seed))
            let configuration = World.roomy { $0.durability = durability }
            let world = World(seed: UInt64(seed))
            let channel = try world.open(configuration)
            var handed: Set<UInt64> = []
            var committed: Set<UInt64> = []
            var takes: [OpenTake] = []
            var tag = 0
            for step in 0..<72 {
                switch random.next() % 7 {
                case 0, 1:
                    let count = Int(random.next() % 12) + 1
                    try channel.put(tags: tag..<tag + count, bytes: 400)
                    tag += count
                case 2, 3:
                    let take = try OpenTake(channel, Int(random.next() % 20) + 1)
                    for event in take.events {
                        let isRepeat = !handed.insert(event.sequence.rawValue).inserted
                        #expect(event.isRedelivered == isRepeat, "seed \(seed), step \(step), event \(event.sequence)")
                    }
                    takes.append(take)
                case 4, 5:
                    guard let index = takes.indices.randomElement(using: &random) else { continue }
                    let take = takes.remove(at: index)
                    if random.next() % 3 == 0 {
                        take.rollback()
                    } else {
                        try take.commit()
                        committed.formUnion(take.events.numbers)
                    }
                default: world.runtime.runUntilIdle()
                }
                guard step % 6 == 5 else { continue }
                let choice = world.disk.randomCrashChoice(using: &random)
                for removesCheckpoint in [false, true] {
                    let cut = world.afterPowerCut(choice, seed: UInt64(step))
                    if removesCheckpoint { cut.remove("checkpoint") }
                    let after = try cut.open(configuration)
                    let events = try after.take(10_000)
                    let story: Comment = "\(durability), seed \(seed), step \(step), \(choice)"
                    if durability == .commit { #expect(committed.isDisjoint(with: events.numbers), story) }
                    let unmarked = events.filter { !$0.isRedelivered }.numbers
                    #expect(handed.isDisjoint(with: unmarked), story)
                    // 8 beyond the furthest that was handed out.
                    let furthest = (handed.max() ?? 0) + 8
                    #expect(events.allSatisfy { !$0.isRedelivered || $0.sequence.rawValue <= furthest }, story)
                    #expect(after.isBalanced, story)
                }
            }
            for take in takes { take.rollback() }
        }
    }

    @Test(arguments: [DurabilityMode.interval, .none])
    func inTheWeakerModesTheLeaseIsSyncedBeforeTheEventsAreHandedOut(_ durability: DurabilityMode) throws {
        let configuration = World.roomy {
            $0.durability = durability
            $0.syncInterval = .seconds(1000)
        }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<5)
        #expect(try world.afterPowerCut().open(configuration).take().isEmpty, "the mode is what it says")
        let first = try OpenTake(channel, 2)
        #expect(try world.afterPowerCut().open(configuration).take().marks == [Bool](repeating: true, count: 5))
        // The lease that rides with a commit, too.
        try channel.put(tags: 5..<60)
        try channel.synchronize()
        var takes = [first]
        for _ in 0..<12 {
            takes.append(try OpenTake(channel, 4))
            let after = try world.afterPowerCut().open(configuration).take()
            let furthest = takes.flatMap(\.events).numbers.max()!
            #expect(after.allSatisfy { $0.isRedelivered || $0.sequence.rawValue > furthest })
            try takes[takes.count - 2].commit()
        }
    }

    /// Within the lease no record is written. A sink discards repeats by number, so no number of what it has may be
    /// given again.
    @Test(arguments: [DurabilityMode.interval, .none])
    func inTheWeakerModesWhatIsHandedOutIsSyncedWithinTheLeaseToo(_ durability: DurabilityMode) throws {
        let configuration = World.roomy {
            $0.durability = durability
            $0.syncInterval = .seconds(1000)
            $0.leaseStep = 100
        }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<2)
        #expect(try channel.take().tags == [0, 1])
        try channel.put(tags: 2..<5)
        #expect(try world.afterPowerCut().open(configuration).metrics.putEvents == 2, "the mode is what it says")
        let held = try OpenTake(channel, 2)
        let after = try world.afterPowerCut().open(configuration)
        #expect(after.metrics.putEvents >= 4)
        let events = try after.take()
        #expect(events.tags.starts(with: held.events.tags) && events.marks.prefix(2) == [true, true])
    }

    @Test(arguments: [true, false]) func leasesAreTakenInStepsAndInABacklogTheyRideWithTheCommits(_ keepsUp: Bool)
        throws
    {
        let world = World()
        let configuration = World.roomy {
            $0.leaseStep = 100
            $0.capacityBytes = 8 << 20
            $0.segmentBytes = 1 << 20
        }
        let channel = try world.open(configuration)
        if !keepsUp { try channel.put(tags: 0..<1000) }
        for round in 0..<200 {
            if keepsUp { try channel.put(tags: round * 5..<round * 5 + 5) }
            #expect(try channel.take(5).count == 5)
        }
        let leases = try world.frames().filter { $0.header.type == .lease }
        #expect(
            (9...21).contains(leases.count), "\(leases.count) for 1,000 events in steps of 100, half used up at most")
        #expect(try leases.map { try LeaseRecord($0).limit.rawValue }.isSorted)
        let commits = try world.frames().filter { $0.header.type == .takeCommit }
        let riding = leases.filter { lease in commits.contains { $0.segment == lease.segment && $0.end == lease.offset }
        }
        #expect(riding.count == (keepsUp ? 0 : leases.count - 1), "but for the first one no taker waits for a lease")
    }

    // MARK: Clean ends

    @Test func aCleanCloseLowersTheLeaseToWhatWasHandedOut() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<30)
        #expect(try channel.take(4).count == 4)
        let open = try OpenTake(channel, 2)
        try channel.close()
        open.rollback()
        for removesCheckpoint in [false, true] {
            let next = world.afterPowerCut()
            if removesCheckpoint { next.remove("checkpoint") }
            let after = try next.open()
            #expect(after.recoveryReport.wasClosedCleanly)
            let events = try after.take()
            #expect(events.numbers == Array(5...30))
            #expect(events.marks == (5...30).map { $0 <= 6 }, "removesCheckpoint: \(removesCheckpoint)")
        }
    }

    /// What a life before the last one may have handed out stays marked, whether or not the last one came to it.
    @Test func aCleanCloseAfterAnUncleanLifeKeepsTheMarksOfWhatWasNotHandedOutAgain() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<30)
        let lost = try OpenTake(channel, 3)
        // The lease reaches to 11.
        let second = world.afterPowerCut()
        let again = try second.open()
        let events = try again.take(2)
        #expect(events.numbers == [1, 2] && events.marks == [true, true])
        try again.close()
        for removesCheckpoint in [false, true] {
            let third = second.afterPowerCut(seed: 7)
            if removesCheckpoint { third.remove("checkpoint") }
            let after = try third.open()
            #expect(after.recoveryReport.wasClosedCleanly)
            #expect(try after.take().marks == (3...30).map { $0 < 12 })
            #expect(after.metrics.redeliveredEvents == 9)
        }
        lost.rollback()
    }

    @Test func aCleanCloseWithoutATakeLeavesNoMarks() throws {
        let world = World()
        for life in 0..<5 {
            let process = World(world.disk, seed: UInt64(life))
            let channel = try process.open()
            try channel.put(tags: life..<life + 1)
            try channel.close()
        }
        #expect(try World(world.disk, seed: 9).open().take().marks == [Bool](repeating: false, count: 5))
    }

    @Test func eventsPutAfterAnUncleanLifeAreNotMarkedThoughTheOldLeaseReachedOverTheirNumbers() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<2)
        let take = try OpenTake(channel, 2)
        let after = try world.afterPowerCut().open()
        try after.put(tags: 2..<6)
        let events = try after.take()
        #expect(events.numbers == [1, 2, 3, 4, 5, 6])
        #expect(events.marks == [true, true, false, false, false, false])
        take.rollback()
    }

    // MARK: Within one life

    @Test func theSameEventCarriesTheMarkAtEachRepeatAndCountsItsDeliveries() throws {
        let channel = try World().open()
        try channel.put(tags: 0..<3)
        for round in 0..<5 {
            let take = try channel.beginTake(maxEvents: 2)
            #expect(take.events.map(\.isRedelivered) == [round > 0, round > 0])
            #expect(take.events.map(\.deliveryCount) == [UInt64(round), UInt64(round)])
            take.rollback()
        }
        let take = try channel.beginTake()
        #expect(take.events.map(\.isRedelivered) == [true, true, false])
        #expect(channel.metrics.redeliveredEvents == 10)
        #expect(channel.metrics.rolledBackTakes == 5)
        try take.commit()
    }
}

extension Array where Element: Comparable {
    fileprivate var isSorted: Bool { zip(self, dropFirst()).allSatisfy { $0 <= $1 } }
}

extension World {
    /// The furthest lease that the log's frames state.
    func durableLease() throws -> UInt64 {
        var furthest: UInt64 = 0
        for frame in try frames() {
            switch frame.header.type {
            case .lease: furthest = max(furthest, try LeaseRecord(frame).limit.rawValue)
            case .snapshot:
                let client = unsafe try Snapshot(decoding: frame.payload.span.bytes).client
                guard !client.isEmpty else { continue }
                let state = unsafe try ClientState(decoding: client.span.bytes)
                furthest = max(furthest, state.groups.first?.leaseLimit.rawValue ?? 0)
            default: break
            }
        }
        return furthest
    }
}
