import CrashHarness
import DurableChannel
import Glibc
import SimulatedFileIO
import Testing

/// Rows 21 to 29 as a user of the channel meets them: writes, syncs and reads that fail, no room, no descriptors, slow syncs,
/// clocks that jump.
@Suite struct ChannelErrorTests {
    private static let outcomes: [Fault.Outcome] = [
        .absent, .whole, .torn(.sectors([0..<1])), .torn(.tornInside(sector: 0)),
    ]

    /// What the next opening, after a power cut, holds; and that it is balanced.
    private func held(_ world: World, _ configuration: ChannelConfiguration = World.roomy()) throws -> [Int] {
        let channel = try world.afterPowerCut().open(configuration)
        #expect(channel.recoveryReport.losses.isEmpty)
        let tags = try channel.take(10_000).tags
        #expect(channel.isBalanced)
        return tags
    }

    // MARK: Rows 21 and 22, once

    /// Row 21, 22.
    @Test(arguments: 0..<4, [false, true])
    func afterAFailedWriteOfAPutItsOutcomeIsUnknownAndWritingGoesOn(_ outcome: Int, _ twoCalls: Bool) throws {
        let configuration = World.roomy { if twoCalls { $0.writeMethods = [.writeThenSync] } }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<3)
        // With two calls: the `fdatasync` behind the write.
        world.disk.faults.add(Fault(twoCalls ? .complete : .submit, errno: EIO, outcome: Self.outcomes[outcome]))
        let error = failure { try channel.put(tags: 3..<5) }
        #expect(error?.code == .outcomeUnknown)
        #expect(error?.fileError?.errno == EIO)
        #expect(error?.lsn != nil)
        #expect(channel.metrics.unknownOutcomes == 1)
        #expect(channel.metrics.putEvents == 3)
        let receipt = try channel.put(tags: 5..<7)
        #expect(receipt.sequences == 4..<6, "no numbers were given to what failed")
        #expect(channel.metrics.state == .ok)
        #expect(channel.isBalanced)
        #expect(try held(world, configuration) == [0, 1, 2, 5, 6])
        #expect(try channel.take().tags == [0, 1, 2, 5, 6])
    }

    /// Row 21. What was to go for a put that failed is there as it was, in its place.
    @Test(arguments: [0, 2]) func afterAFailedWriteOfAPutThatDropsTheOldestNothingIsDropped(_ rolledBack: Int) throws {
        let configuration = World.roomy {
            $0.capacityEvents = 4
            $0.whenFull = .dropOldest
        }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<4)
        // Some of them had been handed out before.
        if rolledBack > 0 { try OpenTake(channel, rolledBack).rollback() }
        world.settle()
        world.disk.faults.add(Fault(.submit, errno: EIO))
        #expect(failure { try channel.put(tags: 4..<7) }?.code == .outcomeUnknown)
        let metrics = channel.metrics
        #expect(metrics.droppedEvents == 0 && metrics.heldEvents == 4 && metrics.inFlightEvents == 0)
        #expect(try channel.take(3).tags == [0, 1, 2])
        try channel.put(tags: 7..<11)
        #expect(channel.metrics.droppedEvents == 1)
        #expect(try channel.take().tags == [7, 8, 9, 10])
        #expect(channel.isBalanced)
    }

    /// Row 21, 22. Killed, or the power cut, right after the error: whole or not there.
    @Test(arguments: 0..<4) func whatAnUnknownOutcomeLeftIsThereWholeOrNotAtAllAfterACrash(_ outcome: Int) throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<3)
        world.disk.faults.add(Fault(.submit, errno: EIO, outcome: Self.outcomes[outcome]))
        #expect(failure { try channel.put(tags: 3..<6, bytes: 400) }?.code == .outcomeUnknown)
        for next in [world.afterPowerCut(), world.afterPowerCut(.everything), world.afterKill()] {
            let tags = try next.open(World.roomy()).take().tags
            #expect(tags == [0, 1, 2] || tags == [0, 1, 2, 3, 4, 5])
        }
    }

    /// Row 21, 22.
    @Test(arguments: 0..<4, [false, true])
    func afterAFailedWriteOfATakeItsEventsComeAgainWithTheMark(_ outcome: Int, _ twoCalls: Bool) throws {
        let configuration = World.roomy { if twoCalls { $0.writeMethods = [.writeThenSync] } }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<4)
        var take = try channel.beginTake(maxEvents: 2)
        try take.setBookmark("output", [1])
        world.disk.faults.add(Fault(twoCalls ? .complete : .submit, errno: EIO, outcome: Self.outcomes[outcome]))
        let error = commitFailure(take)
        #expect(error?.code == .outcomeUnknown && error?.fileError?.errno == EIO)
        #expect(channel.metrics.takenEvents == 0 && channel.metrics.inFlightEvents == 0)
        #expect(channel.metrics.unknownOutcomes == 1 && channel.metrics.rolledBackTakes == 1)
        #expect(channel.bookmark("output") == nil)
        take = try channel.beginTake()
        #expect(take.events.map(\.tag) == [0, 1, 2, 3])
        #expect(take.events.map(\.isRedelivered) == [true, true, false, false])
        try take.commit()
        #expect(channel.metrics.takenEvents == 4 && channel.isBalanced)
        #expect(try held(world, configuration) == [])
    }

    /// Row 21. The lease may be repeated, so its first failure is nobody's matter.
    @Test func afterAFailedWriteOfALeaseTheTakeGoesOn() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<4)
        world.disk.faults.add(Fault(.submit, errno: EIO))
        let take = try channel.beginTake(maxEvents: 2)
        #expect(take.events.map(\.tag) == [0, 1])
        #expect(world.disk.faults.strikes == 1)
        #expect(try world.afterPowerCut().open(World.roomy()).take().marks.prefix(2) == [true, true])
        try take.commit()
        #expect(try channel.take().tags == [2, 3])
    }

    /// Row 21. Whatever else was under way in the same groups.
    @Test(arguments: 1...20) func aFailedWriteAmidManyCommitsLosesNoneAndInventsNone(_ seed: Int) throws {
        let world = World(seed: UInt64(seed))
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        let outcomes = Outcomes()
        var random = SeededRandom(seed: UInt64(seed))
        world.disk.faults.add(Fault(.submit, errno: EIO, skipping: Int(random.next() % 12)))
        clients.run(
            (0..<8).map { client in
                {
                    for index in 0..<3 {
                        let tag = client * 3 + index
                        outcomes.put(tag, failure { try channel.put(tags: [tag], bytes: 3000) })
                    }
                    guard client < 3, let take = try? OpenTake(channel, 3) else { return }
                    let error = failure { try take.commit() }
                    if error == nil { outcomes.take(take.events.tags) } else { #expect(error?.code == .outcomeUnknown) }
                }
            })
        world.settle()
        #expect(outcomes.puts.values.allSatisfy { $0 == nil || $0 == .outcomeUnknown })
        let kept = Set(outcomes.puts.filter { $0.value == nil }.keys)
        try channel.put(tags: [24])
        let next = try world.afterPowerCut(seed: 77).open(World.roomy())
        let left = try next.take().tags
        #expect(Set(left).isDisjoint(with: outcomes.taken))
        #expect(Set(left).union(outcomes.taken) == kept.union([24]), "seed \(seed)")
        #expect(left.count == Set(left).count)
        #expect(try channel.take().tags == left)
        #expect(channel.isBalanced)
    }

    // MARK: Row 21, for ever

    /// Row 21.
    @Test func afterASecondFailureTheChannelIsReadOnlyAndTakesReadWithinTheLease() throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.leaseStep = 4 })
        try channel.put(tags: 0..<20)
        let before = try OpenTake(channel, 1)
        world.disk.faults.add(Fault(.submit, errno: EIO, count: Fault.forever))
        #expect(failure { try channel.put(tags: [20]) }?.code == .outcomeUnknown)
        world.settle()
        let error = failure { try channel.put(tags: [21]) }
        #expect(error?.code == .readOnly)
        #expect(error?.fileError?.errno == EIO)
        #expect(error?.fileError?.path.hasPrefix(World.path) == true)
        guard case .readOnly(let message) = channel.metrics.state else {
            Issue.record("state is \(channel.metrics.state)")
            return
        }
        #expect(message == error?.message)
        #expect(failure { _ = try channel.beginPut() }?.code == .readOnly)
        #expect(failure { try channel.setBookmark("b", [1]) }?.code == .readOnly)
        #expect(channel.bookmark("b") == nil)
        // The lease reaches to 5.
        let within = try OpenTake(channel, 3)
        #expect(within.events.tags == [1, 2, 3])
        #expect(
            failure { _ = try channel.beginTake() }?.code == .readOnly, "beyond it a repeat could come without its mark"
        )
        #expect(channel.metrics.openTakes == 2)
        // Nothing can be made durable: nobody is given them until the channel is opened again.
        #expect(failure { try before.commit() }?.code == .readOnly)
        #expect(failure { try within.commit() }?.code == .readOnly)
        #expect(channel.metrics.inFlightEvents == 4 && channel.metrics.heldEvents == 20)
        #expect(failure { _ = try channel.beginTake() }?.code == .readOnly)
        #expect(channel.isBalanced)
        world.disk.faults.removeAll()
        #expect(failure { try channel.put(tags: [22]) }?.code == .readOnly, "until it is opened again")
        _ = failure { try channel.close() }
        let after = try world.next().open(World.roomy())
        let events = try after.take()
        #expect(events.tags == Array(0..<20))
        #expect(events.marks == (1...20).map { $0 <= 5 })
    }

    /// Row 21. A take that is rolled back while nothing can be written any more: its events are served again.
    @Test func onAReadOnlyChannelWhatIsRolledBackIsReadAgain() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<6)
        let take = try OpenTake(channel, 2)
        world.disk.faults.add(Fault(.submit, errno: EIO, count: Fault.forever))
        #expect(failure { try channel.put(tags: [6]) }?.code == .outcomeUnknown)
        world.settle()
        take.rollback()
        let again = try OpenTake(channel, 10)
        #expect(again.events.tags == [0, 1, 2, 3, 4, 5])
        #expect(again.events.marks == [true, true, false, false, false, false])
        again.rollback()
        _ = failure { try channel.close() }
    }

    /// Row 21. Segments that were to go stay until the next opening: nothing tries it again meanwhile.
    @Test func aReadOnlyChannelComesToRest() throws {
        let world = World()
        let channel = try world.open(World.small())
        for round in 0..<12 { try channel.put(tags: round * 4..<round * 4 + 4, bytes: 1500) }
        #expect(world.segmentNames().count > 2)
        _ = try channel.take()
        world.disk.faults.add(Fault(.submit, errno: EIO, count: Fault.forever))
        for number in 0..<3 { _ = failure { try channel.put(tags: [100 + number]) } }
        #expect(channel.metrics.state.name == "readOnly")
        var steps = 0
        while steps < 5000, world.runtime.step() { steps += 1 }
        #expect(steps < 5000, "something is asked for again and again")
        _ = failure { try channel.close() }
    }

    /// Row 23.
    @Test(arguments: 0..<8, [Fault.Outcome.absent, .whole])
    func aFailedDirectorySyncLosesNothingThatWasAcknowledged(_ skipping: Int, _ outcome: Fault.Outcome) throws {
        let world = World()
        let channel = try world.open()
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO, skipping: skipping, outcome: outcome))
        var kept: [Int] = []
        var taken: [Int] = []
        for tag in 0..<100 {
            let error = failure { try channel.put(tags: [tag], bytes: 900) }
            if let error {
                #expect([.fileOperation, .full].contains(error.code), "\(error)")
            } else {
                kept.append(tag)
            }
            if tag % 3 == 2 {
                let take = try OpenTake(channel, 3)
                if failure({ try take.commit() }) == nil { taken += take.events.tags }
            }
            if tag % 20 == 19 { world.settle() }
        }
        #expect(world.disk.faults.strikes == 1)
        #expect(kept.count > 60 && channel.isBalanced)
        let left = try held(world, World.small())
        #expect(taken + left == kept)
    }

    // MARK: Row 24

    /// Puts that fill several segments; what is read is not in the cache.
    private func backlog(_ world: World, _ change: (inout ChannelConfiguration) -> Void = { _ in }) throws
        -> FileChannel
    {
        let channel = try world.open(
            World.roomy {
                $0.tailCacheBytes = 0
                change(&$0)
            })
        for tag in 0..<100 { try channel.put(tags: [tag], bytes: 3000) }
        world.settle()
        return channel
    }

    /// Row 24.
    @Test(arguments: 0..<12) func aReadThatFailsOnceCostsNothing(_ skipping: Int) throws {
        let world = World()
        let channel = try backlog(world)
        world.disk.faults.add(Fault(.read, errno: EIO, on: .suffix(".seg"), skipping: skipping))
        #expect(try channel.drain(perCommit: 10) == Array(0..<100))
        #expect(channel.isBalanced && channel.metrics.lostEvents == 0)
    }

    /// Row 24.
    @Test func anEventThatCannotBeReadIsHeldAndTheRestIsServedAndItComesWhenTheDiskGivesItAgain() throws {
        let world = World()
        let channel = try backlog(world)
        let frame = try world.frame(holding: 31)
        let range = UInt64(frame.offset)..<UInt64(frame.offset + 512)
        world.disk.faults.add(
            Fault(.read, errno: EIO, on: .name(World.segment(frame.segment)), range: range, count: Fault.forever))
        #expect(try channel.take(10).tags == Array(0..<10))
        let events = try channel.take(1000)
        #expect(events.tags == Array(10..<30) + Array(31..<100))
        var metrics = channel.metrics
        #expect(metrics.unreadableEvents == 1 && metrics.heldEvents == 1 && metrics.lostEvents == 0)
        guard case .degraded = metrics.state else {
            Issue.record("state is \(metrics.state)")
            return
        }
        #expect(channel.isBalanced)
        // It is tried again after a while, and never given up.
        for _ in 0..<5 {
            #expect(try channel.take().isEmpty)
            world.runtime.advance(by: 6_000_000_000)
        }
        #expect(channel.metrics.unreadableEvents == 1 && channel.metrics.lostEvents == 0)
        // Another opening sees it the same way.
        let other = world.afterPowerCut()
        other.disk.faults.add(
            Fault(.read, errno: EIO, on: .name(World.segment(frame.segment)), range: range, count: Fault.forever))
        let again = try other.open(World.roomy { $0.tailCacheBytes = 0 })
        #expect(try again.take().isEmpty)
        #expect(again.metrics.heldEvents == 1 && again.metrics.lostEvents == 0 && again.isBalanced)
        world.disk.faults.removeAll()
        world.runtime.advance(by: 6_000_000_000)
        #expect(try channel.take().tags == [30])
        metrics = channel.metrics
        #expect(metrics.unreadableEvents == 0 && metrics.heldEvents == 0 && metrics.state == .ok)
        #expect(channel.isBalanced)
    }

    /// Row 24. Nobody puts anything: the taker who waits must come to it by itself.
    @Test func aTakerWhoWaitsIsGivenWhatTheDiskGivesAgain() throws {
        let world = World()
        let channel = try backlog(world)
        let frame = try world.frame(holding: 31)
        world.disk.faults.add(
            Fault(
                .read, errno: EIO, on: .name(World.segment(frame.segment)),
                range: UInt64(frame.offset)..<UInt64(frame.offset + 512), count: Fault.forever))
        #expect(try channel.take(1000).count == 99)
        let disk = world.disk
        world.runtime.schedule(after: 12_000_000_000) { disk.faults.removeAll() }
        let started = world.runtime.monotonicClock()
        let take = try channel.beginTake(waitingUpTo: .seconds(60))
        #expect(take.events.map(\.tag) == [30])
        // Asked for every five seconds.
        let waited = world.runtime.monotonicClock() - started
        #expect((12_000_000_000..<18_000_000_000).contains(waited), "\(waited)")
        try take.commit()
        #expect(channel.metrics.heldEvents == 0)
    }

    /// Row 24.
    @Test func underStrictAnEventThatCannotBeReadIsHeldAsWell() throws {
        let world = World()
        let channel = try backlog(world) { $0.damagePolicy = .strict }
        let frame = try world.frame(holding: 31)
        world.disk.faults.add(
            Fault(
                .read, errno: EIO, on: .name(World.segment(frame.segment)),
                range: UInt64(frame.offset)..<UInt64(frame.offset + 512), count: Fault.forever))
        #expect(try channel.take(1000).count == 99)
        #expect(channel.metrics.unreadableEvents == 1 && channel.metrics.lostEvents == 0)
    }

    // MARK: Rows 25 and 26

    /// Row 25, P9.
    @Test(arguments: [ENOSPC, EDQUOT, EFBIG], [SimulatedOperation.create, .prewrite])
    func whenNoSegmentCanBeMadePutsAreRefusedTakesDrainToZeroAndPutsResume(
        _ errno: Int32, _ operation: SimulatedOperation
    ) throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<10, bytes: 1000)
        world.disk.faults.add(Fault(operation, errno: errno, count: Fault.forever))
        var tag = 10
        var error: ChannelError?
        while error == nil, tag < 2000 {
            error = failure { try channel.put(tags: [tag], bytes: 1000) }
            if error == nil { tag += 1 }
        }
        #expect(error?.code == .full)
        #expect(error?.fileError?.errno == errno, "\(String(describing: error))")
        guard case .degraded = channel.metrics.state else {
            Issue.record("state is \(channel.metrics.state)")
            return
        }
        let before = world.disk.allocatedBytes()
        #expect(try channel.drain() == Array(0..<tag))
        #expect(world.disk.allocatedBytes() <= before)
        #expect(channel.metrics.heldEvents == 0 && channel.isBalanced)
        world.disk.faults.removeAll()
        world.settle()
        try channel.put(tags: tag..<tag + 50, bytes: 1000)
        #expect(channel.metrics.state == .ok)
        #expect(try held(world) == Array(tag..<tag + 50))
    }

    /// Row 25, P9. Somebody else's files fill the disk; nothing may be taken from it, from the moment when puts are refused.
    @Test func aFullDiskIsDrainedOneEventPerCommitInConstantSpace() throws {
        let world = World()
        let configuration = World.roomy()
        let channel = try world.open(configuration)
        for tag in 0..<40 { try channel.put(tags: [tag], bytes: 2000) }
        world.settle()
        world.disk.options.capacityBytes = world.disk.allocatedBytes()
        var tag = 40
        while failure({ try channel.put(tags: [tag], bytes: 2000) }) == nil, tag < 1000 { tag += 1 }
        #expect(tag < 1000)
        // With leases, roll-backs and bookmarks between.
        for next in 0..<tag {
            var take = try channel.beginTake(maxEvents: 1)
            #expect(take.events.map(\.tag) == [next])
            if next % 7 == 3 {
                take.rollback()
                take = try channel.beginTake(maxEvents: 1)
            }
            try take.setBookmark("output", [UInt8(truncatingIfNeeded: next)])
            try take.commit()
        }
        #expect(channel.metrics.heldEvents == 0 && channel.isBalanced)
        let after = try world.afterPowerCut().open(configuration)
        #expect(after.metrics.takenEvents == UInt64(tag) && after.metrics.heldEvents == 0)
        // What was retired has made room: puts go on though the disk is full for others.
        world.settle()
        try channel.put(tags: [tag], bytes: 2000)
        #expect(try channel.take().tags == [tag])
    }

    /// Row 25. A blocked put goes on by itself when the disk has room again, without anybody saying so.
    @Test func aBlockedPutGoesOnWhenTheDiskHasRoomAgain() throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.whenFull = .block(.seconds(100)) })
        let disk = world.disk
        disk.faults.add(Fault(.prewrite, errno: ENOSPC, count: Fault.forever))
        world.runtime.schedule(after: 20_000_000_000) { disk.faults.removeAll() }
        let started = world.runtime.monotonicClock()
        for tag in 0..<200 { try channel.put(tags: [tag], bytes: 1000) }
        let waited = world.runtime.monotonicClock() - started
        #expect((19_000_000_000..<30_000_000_000).contains(waited), "\(waited)")
        #expect(try channel.drain(perCommit: 50) == Array(0..<200))
    }

    /// Row 25. A take's long bookmark needs more than the reserve has; it is refused with a typed error, and the events come
    /// again.
    @Test func onAFullDiskABookmarkThatIsTooLongForTheReserveIsRefusedAndTheEventsComeAgain() throws {
        let world = World()
        var configuration = ChannelConfiguration(capacityBytes: 64 << 20)
        configuration.whenFull = .reject
        configuration.compression = .none
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<3)
        world.settle()
        world.disk.options.capacityBytes = world.disk.allocatedBytes()
        var tag = 3
        while failure({ try channel.put(tags: [tag], bytes: 500_000) }) == nil, tag < 200 { tag += 1 }
        var take = try channel.beginTake(maxEvents: 1)
        try take.setBookmark("output", [UInt8](repeating: 1, count: 60_000))
        let error = commitFailure(take)
        #expect(error == nil || error?.code == .full)
        take = try channel.beginTake(maxEvents: 1)
        if error != nil { #expect(take.events.map(\.tag) == [0] && take.events[0].isRedelivered) }
        try take.commit()
        #expect(channel.isBalanced)
    }

    /// Row 26.
    @Test(arguments: [EMFILE, ENFILE, ENOMEM], [SimulatedOperation.open, .create])
    func withoutDescriptorsOrMemoryCallsFailTypedAndNothingIsLost(_ errno: Int32, _ operation: SimulatedOperation)
        throws
    {
        let world = World()
        let channel = try world.open(World.small { $0.tailCacheBytes = 0 })
        world.disk.faults.add(Fault(operation, errno: errno, on: .matching { $0 != "pid" }, count: Fault.forever))
        var kept: [Int] = []
        var codes: Set<ChannelError.Code> = []
        for tag in 0..<60 {
            if let error = failure({ try channel.put(tags: [tag], bytes: 900) }) {
                codes.insert(error.code)
                if let file = error.fileError { #expect(file.errno == errno && file.reason == .outOfResources) }
            } else {
                kept.append(tag)
            }
        }
        if operation == .open {
            // What is to be read needs a descriptor. The position stays.
            let error = failure { _ = try channel.beginTake() }
            #expect(error?.code == .fileOperation && error?.fileError?.errno == errno)
            #expect(channel.metrics.inFlightEvents == 0)
        }
        #expect(codes.isSubset(of: [.full, .fileOperation]), "\(codes)")
        world.disk.faults.removeAll()
        world.settle()
        for tag in 60..<70 {
            try channel.put(tags: [tag], bytes: 900)
            kept.append(tag)
        }
        #expect(try channel.drain(perCommit: 10) == kept)
        #expect(channel.isBalanced && channel.metrics.lostEvents == 0)
    }

    // MARK: Row 28

    /// Row 28: nothing is taken for done before it is, and appends wait for room as ever.
    @Test func aSyncThatTakesSecondsIsWaitedForAndClosingWorks() throws {
        let world = World()
        let (channel, clients) = try world.openForClients(World.roomy { $0.capacityEvents = 40 })
        world.disk.faults.add(Fault(.submit, errno: 0, count: Fault.forever, delay: 7_000_000_000))
        let started = world.runtime.monotonicClock()
        try channel.put(tags: 0..<3)
        #expect(world.runtime.monotonicClock() - started >= 7_000_000_000)
        // Many at once share the slow groups.
        let outcomes = Outcomes()
        clients.run(
            (3..<60).map { tag in { outcomes.put(tag, failure { try channel.put(tags: [tag]) }) } })
        let refused = outcomes.puts.values.count { $0 == .full }
        #expect(refused == 20, "the capacity holds with what is under way counted")
        #expect(outcomes.puts.values.allSatisfy { $0 == nil || $0 == .full })
        #expect(channel.metrics.heldEvents == 40)
        #expect(channel.metrics.syncLatency.greatestNanoseconds >= 7_000_000_000)
        let take = try OpenTake(channel, 5)
        try take.commit()
        try channel.close()
        world.disk.faults.removeAll()
        let after = try world.next().open(World.roomy())
        #expect(after.recoveryReport.wasClosedCleanly && after.metrics.heldEvents == 35)
    }

    /// Row 28: closing while slow commits are under way ends when they do, and what it turned away was not put.
    @Test(arguments: 1...150) func closingWaitsForSlowCommitsAndNoLonger(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        world.disk.faults.add(Fault(.submit, errno: 0, count: 4, delay: 30_000_000_000))
        let outcomes = Outcomes()
        let atClose = Problems()
        var bodies: [@Sendable () -> Void] = (0..<5).map { tag in
            { outcomes.put(tag, failure { try channel.put(tags: [tag], bytes: 3000) }) }
        }
        bodies.append {
            clients.sleep(1_000_000)
            let started = clients.monotonicClock()
            #expect(failure { try channel.close() } == nil)
            #expect(clients.monotonicClock() - started < 300_000_000_000)
            atClose.add("\(channel.metrics.putEvents)")
        }
        clients.run(bodies)
        let committed = outcomes.puts.filter { $0.value == nil }.keys.sorted()
        #expect(atClose.all == ["\(committed.count)"], "what the channel knows when it is closed is all of it")
        #expect(outcomes.puts.values.allSatisfy { $0 == nil || $0 == .closed })
        #expect(try world.next().open(World.roomy()).take().tags.sorted() == committed)
    }

    // MARK: Row 29

    /// Row 29.
    @Test(arguments: [-3600_000_000_000 * 24 * 400, 3600_000_000_000 * 24 * 400] as [Int64])
    func aClockThatJumpsChangesNeitherOrderNorAgeToNonsense(_ jump: Int64) throws {
        let world = World()
        let channel = try world.open(World.small { $0.whenFull = .block(.seconds(5)) })
        try channel.put(tags: 0..<5)
        #expect(try #require(channel.metrics.oldestAge) < .seconds(10))
        world.runtime.jumpWallClock(by: jump)
        let age = try #require(channel.metrics.oldestAge)
        #expect(age >= .zero)
        if jump > 0 { #expect(age > .seconds(3600 * 24 * 399)) } else { #expect(age == .zero) }
        try channel.put(tags: 5..<10)
        let take = try OpenTake(channel, 3)
        take.rollback()
        world.runtime.jumpWallClock(by: -jump)
        try channel.put(tags: 10..<15)
        // Waiting goes by the other clock.
        let started = world.runtime.monotonicClock()
        #expect(try channel.take().tags == Array(0..<15))
        let late = try channel.beginTake(waitingUpTo: .seconds(2))
        #expect(late.events.isEmpty)
        #expect((2_000_000_000..<3_000_000_000).contains(world.runtime.monotonicClock() - started))
        world.runtime.jumpWallClock(by: jump)
        try channel.put(tags: [15])
        let after = try world.afterPowerCut().open()
        #expect(try after.take().numbers == [16])
        #expect(after.isBalanced)
    }
}

/// What became of work that ran side by side.
final class Outcomes: @unchecked Sendable {
    private(set) var puts: [Int: ChannelError.Code?] = [:]
    private(set) var taken: Set<Int> = []

    func put(_ tag: Int, _ error: ChannelError?) { puts[tag] = .some(error?.code) }

    func take(_ tags: [Int]) { taken.formUnion(tags) }
}
