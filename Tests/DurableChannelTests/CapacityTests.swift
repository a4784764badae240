import CrashHarness
import DurableChannel
import FileIO
import Glibc
import SimulatedFileIO
import Testing
import TestSupport

/// Room for events and bytes is claimed in `append`, so that `commit` does not fail for want of it.
@Suite struct CapacityTests {
    // MARK: Events

    @Test func eventsAreClaimedByAppendsOfTransactionsThatAreOpen() throws {
        let channel = try World().open(World.roomy { $0.capacityEvents = 5 })
        let first = try OpenPut(channel)
        let second = try OpenPut(channel)
        for tag in 0..<3 { try first.append(body(tag)) }
        for tag in 3..<5 { try second.append(body(tag)) }
        #expect(failure { try second.append(body(5)) }?.code == .full)
        #expect(channel.metrics.refusedAppends == 1)
        first.rollback()
        try second.append(body(5))
        #expect(try second.commit().sequences == 1..<4)
        #expect(channel.metrics.heldEvents == 3)
        try channel.put(tags: 6..<8)
        #expect(failure { try channel.put(tags: [8]) }?.code == .full)
        #expect(try channel.drain() == [3, 4, 5, 6, 7])
        try channel.put(tags: 8..<13)
        #expect(channel.isBalanced)
    }

    @Test func aTransactionOfMoreEventsThanTheChannelMayHoldIsTooLargeAndStaysUsable() throws {
        let channel = try World().open(World.roomy { $0.capacityEvents = 3 })
        var put = try channel.beginPut()
        for tag in 0..<3 { try put.append(body: body(tag)) }
        #expect(failure { try put.append(body: body(3)) }?.code == .transactionTooLarge)
        #expect(put.eventCount == 3)
        #expect(try put.commit().sequences == 1..<4)
    }

    // MARK: Bytes

    @Test func aFullChannelRefusesAppendsAndTheTransactionStaysUsable() throws {
        let channel = try World().open(World.mebibyte())
        let count = try channel.fill()
        #expect(count > 300, "of 1 MiB")
        var put = try channel.beginPut()
        let error = failure { try put.append(body: body(0, 1000)) }
        #expect(error?.code == .full)
        #expect(error?.message.contains("take events, or raise capacityBytes") == true)
        #expect(try channel.drain(perCommit: 50) == Array(0..<count))
        try put.append(body: body(count, 1000))
        #expect(try put.commit().sequences == UInt64(count + 1)..<UInt64(count + 2))
        #expect(channel.isBalanced)
    }

    /// Whatever is appended, committed, rolled back and taken between: no commit is refused for want of room.
    @Test(arguments: 1...12) func noCommitIsRefusedForWantOfRoomThatWasClaimed(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let world = World(seed: UInt64(seed))
        let peak = Peak(world.disk)
        let channel = try world.open(
            seed % 2 == 0 ? World.mebibyte() : World.roomy { $0.capacityBytes = 768 << 10 })
        var puts: [OpenPut] = []
        var takes: [OpenTake] = []
        var refused = 0
        for step in 0..<1500 {
            switch random.next() % 10 {
            case 0: if puts.count < 20 { puts.append(try OpenPut(channel)) }
            case 1...5:
                guard let put = puts.randomElement(using: &random) else { continue }
                let bytes = [20, 700, 3000, 20_000, 40_000].randomElement(using: &random)!
                let error = failure { try put.append(body(step, bytes)) }
                if let error {
                    refused += 1
                    #expect([.full, .transactionTooLarge].contains(error.code), "\(error)")
                }
            case 6:
                guard let index = puts.indices.randomElement(using: &random) else { continue }
                let put = puts.remove(at: index)
                if random.next() % 6 == 0 {
                    put.rollback()
                } else {
                    let error = failure { try put.commit() }
                    #expect(error == nil, "seed \(seed), step \(step)")
                }
            case 7:
                if takes.count < 8 { takes.append(try OpenTake(channel, Int(random.next() % 6) + 1)) }
            default:
                guard let index = takes.indices.randomElement(using: &random) else { continue }
                let take = takes.remove(at: index)
                if random.next() % 4 == 0 { take.rollback() } else { try take.commit() }
            }
            if step % 50 == 0 { #expect(channel.isBalanced) }
        }
        #expect(refused > 20, "the channel was full now and then")
        for put in puts { #expect(failure { try put.commit() } == nil, "seed \(seed)") }
        for take in takes { take.rollback() }
        #expect(peak.bytes <= channel.metrics.capacityBytes)
        #expect(channel.isBalanced)
    }

    @Test func aTransactionLargerThanAQuarterOfTheCapacityIsTooLargeAndStaysUsable() throws {
        let channel = try World().open(World.mebibyte())
        var put = try channel.beginPut()
        try put.append(body: body(1, 100_000))
        #expect(failure { try put.append(body: body(2, 200 << 10)) }?.code == .transactionTooLarge)
        #expect(put.eventCount == 1)
        try put.append(body: body(3, 1000))
        try put.commit()
        #expect(failure { try channel.put(tags: [4], bytes: 256 << 10) }?.code == .transactionTooLarge)
        #expect(try channel.drain() == [1, 3])
    }

    @Test func aTransactionOfAlmostAQuarterOfTheCapacityGoesThroughThoughItNeedsALargerSegment() throws {
        let world = World()
        let peak = Peak(world.disk)
        let channel = try world.open(World.mebibyte())
        for round in 0..<20 {
            try channel.put(tags: [2 * round], bytes: 200_000)
            try channel.put(tags: [2 * round + 1], bytes: 200_000)
            #expect(try channel.drain() == [2 * round, 2 * round + 1])
            world.settle()
        }
        #expect(peak.bytes <= 1 << 20)
    }

    /// Bookmarks count, too: what they take was not claimed by the appends.
    @Test func aBookmarkThatDoesNotFitAnyMoreIsRefusedWhenItIsSetAndNotByTheCommit() throws {
        var refusals = 0
        for pages in 0..<12 {
            // In steps of a page, so that once nothing at all is left.
            let channel = try World().open(
                World.mebibyte {
                    $0.capacityBytes = UInt64((1 << 20) + 4096 * pages)
                    $0.segmentBytes = 128 << 10
                    // With it a claim of a multiple of 16 KiB ends at the end of a page.
                    $0.snapshotLimitBytes = 15 << 10
                })
            // Its claim ends right behind its event, and all the rest of the room is claimed by others.
            let put = try OpenPut(channel)
            try put.append(body(0, (64 << 10) - 200))
            let other = try OpenPut(channel)
            try other.append(body(1))
            var others = [other]
            while true {
                let small = try OpenPut(channel)
                if failure({ try small.append(body(2)) }) != nil { break }
                others.append(small)
            }
            let error = failure { try put.setBookmark("name", String(repeating: "v", count: 2500)) }
            #expect(error == nil || error?.code == .full)
            if error != nil { refusals += 1 }
            for other in others { #expect(failure { try other.commit() } == nil, "\(pages) pages") }
            #expect(failure { try put.commit() } == nil, "\(pages) pages")
            #expect(channel.bookmark("name")?.count == (error == nil ? 2500 : nil))
        }
        #expect(refusals > 0, "the room was all claimed, now and then")
    }

    // MARK: block

    @Test func blockWithATimeoutEndsWithFullAndTheTransactionStaysUsable() throws {
        let world = World()
        let channel = try world.open(
            World.roomy {
                $0.capacityEvents = 2
                $0.whenFull = .block(.milliseconds(300))
            })
        try channel.put(tags: 0..<2)
        var put = try channel.beginPut()
        let started = world.runtime.monotonicClock()
        #expect(failure { try put.append(body: body(2)) }?.code == .full)
        let waited = world.runtime.monotonicClock() - started
        #expect((300_000_000..<400_000_000).contains(waited), "\(waited)")
        #expect(try channel.take(1).tags == [0])
        try put.append(body: body(3))
        try put.commit()
        #expect(try channel.drain() == [1, 3])
    }

    /// What an open transaction has claimed, it keeps: a thread that has two of them open can wait for itself. The time
    /// that it was given is what ends it, and both go on.
    @Test(arguments: [true, false]) func aThreadThatWaitsForTheRoomOfItsOwnOtherPutIsToldSoWhenTheTimeIsOver(
        _ inEvents: Bool
    ) throws {
        let world = World()
        let channel = try world.open(
            World.mebibyte {
                if inEvents { $0.capacityEvents = 4 }
                $0.whenFull = .block(.milliseconds(300))
            })
        let bytes = inEvents ? 40 : 30_000
        let puts = try (0..<2).map { _ in try OpenPut(channel) }
        var appended = [0, 0]
        let started = world.runtime.monotonicClock()
        var refused: Int?
        while refused == nil, appended[0] < 100 {
            for index in 0..<2 where refused == nil {
                let error = failure { try puts[index].append(body(appended[index], bytes)) }
                if error == nil { appended[index] += 1 } else { refused = index }
                #expect(error == nil || error?.code == .full || error?.code == .transactionTooLarge)
            }
        }
        if inEvents { #expect(appended == [2, 2]) }
        let waited = world.runtime.monotonicClock() - started
        if inEvents { #expect((300_000_000..<500_000_000).contains(waited), "\(waited)") }
        // The other one gives its room up, and nobody has to wait.
        puts[1].rollback()
        if inEvents { try puts[0].append(body(appended[0], bytes)) }
        #expect(try puts[0].commit().sequences.count == appended[0] + (inEvents ? 1 : 0))
    }

    @Test(arguments: [true, false]) func aBlockedPutGoesOnByItselfWhenATakeCommits(_ inEvents: Bool) throws {
        let world = World()
        world.runtime.permitsWaitingWork = true
        let channel = try world.open(
            World.mebibyte {
                if inEvents { $0.capacityEvents = 50 }
                $0.whenFull = .block(.seconds(3600))
            })
        let count = inEvents ? 50 : 600
        var tags: [Int] = []
        // In bytes a whole segment must be taken before its room is back.
        let taken = Taken()
        for index in 0..<count {
            world.runtime.schedule(after: UInt64(index + 1) * 1_000_000_000) {
                taken.events += (try? channel.take(1)) ?? []
            }
        }
        while !taken.events.isEmpty || tags.count < 2000 {
            try channel.put(tags: [tags.count], bytes: 1000)
            tags.append(tags.count)
            if !taken.events.isEmpty { break }
        }
        #expect(!taken.events.isEmpty, "it waited, and a take let it go on")
        #expect(taken.events.tags == Array(tags.prefix(taken.events.count)))
        if inEvents { #expect(tags.count == 51 && taken.events.count == 1) }
        #expect(channel.isBalanced)
    }

    @Test(arguments: [true, false]) func onRealFilesABlockedPutGoesOnByItselfWhenATakeCommits(_ inEvents: Bool) throws {
        try TestFiles.withDirectory { root in
            let channel = try FileChannel.open(
                at: root + "/c",
                configuration: World.mebibyte {
                    if inEvents { $0.capacityEvents = 50 }
                    $0.whenFull = .block(.seconds(60))
                })
            let count = 500
            let failures = Problems()
            onThreads(2) { index in
                do throws(ChannelError) {
                    if index == 0 {
                        for tag in 0..<count { try channel.put(tags: [tag], bytes: 4000) }
                    } else {
                        var next = 0
                        while next < count {
                            let take = try channel.beginTake(maxEvents: 20, waitingUpTo: .seconds(60))
                            for event in take.events {
                                if event.tag != next { failures.add("\(event.tag) came for \(next)") }
                                next += 1
                            }
                            try take.commit()
                        }
                    }
                } catch {
                    failures.add("\(error)")
                }
            }
            #expect(failures.all.isEmpty, "\(failures.all.prefix(3))")
            #expect(channel.metrics.takenEvents == UInt64(count))
            try channel.close()
        }
    }

    /// Several who wait for room must not keep each other awake.
    @Test(arguments: [true, false]) func blockedPutsCostNoProcessorTime(_ inEvents: Bool) throws {
        try TestFiles.withDirectory { root in
            let channel = try FileChannel.open(
                at: root + "/c",
                configuration: World.mebibyte {
                    if inEvents { $0.capacityEvents = 2 }
                    $0.whenFull = .block(.milliseconds(700))
                })
            if inEvents { try channel.put(tags: 0..<2) } else { _ = try channel.fill(bytes: 20_000, perTransaction: 1) }
            let problems = Problems()
            onThreads(4) { _ in
                let before = threadTime()
                let code = failure { try channel.put(tags: [9], bytes: 20_000) }?.code
                let used = threadTime() - before
                if code != .full { problems.add("\(String(describing: code))") }
                if used > 100_000_000 {
                    problems.add("\(used / 1_000_000) ms of processor time while it waited for 700 ms")
                }
            }
            #expect(problems.all.isEmpty, "\(problems.all)")
            try channel.close()
        }
    }

    @Test func aBlockedPutGoesOnByItselfWhenTheCapacityIsRaised() throws {
        for inEvents in [true, false] {
            let world = World()
            world.runtime.permitsWaitingWork = true
            let channel = try world.open(
                World.roomy {
                    if inEvents { $0.capacityEvents = 50 } else { $0.capacityBytes = 1 << 20 }
                    $0.whenFull = .block(.seconds(1))
                })
            _ = try channel.fill()
            let started = world.runtime.monotonicClock()
            world.runtime.schedule(after: 500_000_000) {
                if inEvents {
                    try? channel.resize(capacityEvents: 51)
                } else {
                    try? channel.resize(capacityBytes: 2 << 20)
                }
            }
            try channel.put(tags: [0], bytes: 1000)
            let waited = world.runtime.monotonicClock() - started
            #expect((500_000_000..<700_000_000).contains(waited), "\(waited)")
        }
    }

    // MARK: dropOldest

    private static let droppingInEvents = World.roomy {
        $0.capacityEvents = 4
        $0.whenFull = .dropOldest
    }

    @Test func dropOldestGivesUpTheOldestInTheAppendOfThePutThatCausesIt() throws {
        let world = World()
        let channel = try world.open(Self.droppingInEvents)
        try channel.put(tags: 0..<4)
        world.settle()
        var writes = 0
        world.disk.beforeOperation = { record in if record.operation == .submit { writes += 1 } }
        try channel.put(tags: 4..<6)
        #expect(writes == 1)
        world.disk.beforeOperation = nil
        let frames = try world.frames()
        let put = try #require(frames.last { $0.header.type == .put })
        let drop = try #require(frames.last { $0.header.type == .drop })
        #expect(put.end == drop.offset, "the drop stands right behind its put")
        #expect(try DropRecord(drop) == DropRecord(reason: .overflow, group: "default", ranges: [Self.range(1, 3)]))
        #expect(channel.metrics.droppedByReason == [.overflow: 2])
        #expect(channel.metrics.heldEvents == 4)
        #expect(channel.isBalanced)
        let after = try world.afterPowerCut().open(Self.droppingInEvents)
        #expect(after.metrics.droppedByReason == [.overflow: 2] && after.isBalanced)
        for open in [channel, after] { #expect(try open.take().tags == [2, 3, 4, 5]) }
    }

    static func range(_ first: UInt64, _ end: UInt64) -> SequenceRange {
        SequenceRange(first: EventSequence(first), end: EventSequence(end))
    }

    @Test func dropOldestLeavesAloneWhatIsHandedOutAndKeepsTheOrderOfTheRest() throws {
        let channel = try World().open(Self.droppingInEvents)
        try channel.put(tags: 0..<4)
        let held = try OpenTake(channel, 2)
        try channel.put(tags: 4..<6)
        #expect(channel.metrics.droppedEvents == 2, "2 and 3: the oldest that nobody holds")
        held.rollback()
        let again = try channel.take(1)
        #expect(again.tags == [0] && again.marks == [true])
        try channel.put(tags: [6])
        try channel.put(tags: [7])
        #expect(channel.metrics.droppedEvents == 3, "1, which was rolled back")
        #expect(try channel.take().tags == [4, 5, 6, 7])
        #expect(channel.isBalanced)
    }

    /// What another commit is dropping counts as gone already.
    @Test(arguments: 1...10) func dropOldestSideBySideDropsNoMoreThanIsTooMany(_ seed: Int) throws {
        let world = World(seed: UInt64(seed))
        let (channel, clients) = try world.openForClients(
            World.roomy {
                $0.capacityEvents = 40
                $0.whenFull = .dropOldest
            }, seed: UInt64(seed))
        try channel.put(tags: 0..<40)
        let problems = Problems()
        clients.run(
            (0..<6).map { client in
                {
                    for round in 0..<5 {
                        if let error = failure({ try channel.put(tags: 0..<(1 + (client + round) % 4)) }) {
                            problems.add("\(error)")
                        }
                    }
                }
            })
        #expect(problems.all.isEmpty)
        #expect(channel.metrics.heldEvents == 40 && channel.isBalanced)
    }

    /// They handed the turn to drop to each other for ever, and none of them came to do anything.
    @Test(arguments: 1..<6 as Range<UInt64>)
    func severalWhoWaitForRoomUnderDropOldestAreRefusedWhenNothingCanBeDropped(_ seed: UInt64) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(
            World.small {
                $0.capacityBytes = 280 << 10
                $0.whenFull = .dropOldest
            }, seed: seed)
        try channel.put(tags: 0..<20, bytes: 900)
        let held = try OpenTake(channel)
        let problems = Problems()
        clients.run(
            (0..<4).map { _ in
                {
                    let error = failure {
                        var puts: [OpenPut] = []
                        for _ in 0..<200 {
                            puts.append(try OpenPut(channel))
                            try puts[puts.count - 1].append(body(1, 3000))
                        }
                    }
                    problems.add("\(error.map(\.code.rawValue) ?? "none")")
                }
            })
        #expect(problems.all == Array(repeating: "full", count: 4))
        #expect(held.events.count == 20 && channel.isBalanced)
    }

    @Test func dropOldestWhenAllIsHandedOutIsFullRatherThanMoreThanTheCapacity() throws {
        let channel = try World().open(Self.droppingInEvents)
        try channel.put(tags: 0..<4)
        let held = try OpenTake(channel, 4)
        #expect(failure { try channel.put(tags: [4]) }?.code == .full)
        #expect(channel.metrics.heldEvents == 4)
        try held.commit()
        try channel.put(tags: [4])
        #expect(try channel.take().tags == [4])
    }

    /// Room was there when the events were appended, and nobody had the old ones yet; a commit is not refused for it.
    @Test func dropOldestExceedsTheCapacityByWhatWasHandedOutSinceAndNoMoreAndTheNextPutMakesGood() throws {
        for ends in ["rolled back", "committed"] {
            let channel = try World().open(Self.droppingInEvents)
            try channel.put(tags: 0..<4)
            let put = try OpenPut(channel)
            for tag in 4..<8 { try put.append(body(tag)) }
            let held = try OpenTake(channel, 3)
            try put.commit()
            // Of the four that were to go one could: 3.
            #expect(channel.metrics.droppedEvents == 1)
            #expect(channel.metrics.heldEvents == 4 + 3, "the capacity and what is in flight")
            // Those in flight count against new events; what was just put counts as old.
            let next = try OpenPut(channel)
            try next.append(body(8))
            #expect(failure { try next.append(body(9)) }?.code == .full)
            try next.commit()
            #expect(channel.metrics.heldEvents == 4 && channel.metrics.droppedEvents == 5)
            if ends == "committed" { try held.commit() } else { held.rollback() }
            #expect(try channel.take().tags == (ends == "committed" ? [8] : [0, 1, 2, 8]))
            #expect(channel.isBalanced)
        }
    }

    /// Whoever hands out and puts side by side: never more above the capacity than was in flight when the last put was
    /// committed.
    @Test(arguments: 1...10) func dropOldestNeverExceedsTheCapacityByMoreThanWhatIsInFlight(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let capacity: UInt64 = 20
        let channel = try World(seed: UInt64(seed)).open(
            World.roomy {
                $0.capacityEvents = capacity
                $0.whenFull = .dropOldest
            })
        var puts: [OpenPut] = []
        var takes: [OpenTake] = []
        var allowed: UInt64 = 0
        for step in 0..<600 {
            switch random.next() % 8 {
            case 0: if puts.count < 4 { puts.append(try OpenPut(channel)) }
            case 1...3:
                guard let put = puts.randomElement(using: &random) else { continue }
                let code = failure { try put.append(body(step)) }?.code
                #expect(code == nil || code == .full || code == .transactionTooLarge)
            case 4:
                guard !puts.isEmpty else { continue }
                allowed = channel.metrics.inFlightEvents
                try puts.remove(at: Int(random.next() % UInt64(puts.count))).commit()
            case 5...6: if takes.count < 4 { takes.append(try OpenTake(channel, Int(random.next() % 6) + 1)) }
            default:
                guard !takes.isEmpty else { continue }
                let take = takes.remove(at: Int(random.next() % UInt64(takes.count)))
                if random.next() % 2 == 0 { take.rollback() } else { try take.commit() }
            }
            #expect(channel.metrics.heldEvents <= capacity + allowed, "seed \(seed), step \(step)")
        }
        #expect(channel.isBalanced)
    }

    @Test func dropOldestInBytesGoesOnForEverAndKeepsTheNewest() throws {
        let world = World()
        let peak = Peak(world.disk)
        let channel = try world.open(World.mebibyte { $0.whenFull = .dropOldest })
        let count = 3000
        for tag in 0..<count { try channel.put(tags: [tag], bytes: 1000) }
        let metrics = channel.metrics
        #expect(metrics.droppedEvents > 2000 && metrics.heldEvents > 200)
        #expect(metrics.droppedByReason == [.overflow: metrics.droppedEvents])
        #expect(channel.isBalanced)
        let after = try world.afterPowerCut().open(World.mebibyte { $0.whenFull = .dropOldest })
        #expect(after.metrics.droppedEvents == metrics.droppedEvents)
        let left = try channel.drain(perCommit: 100)
        #expect(left == Array((count - left.count)..<count))
        #expect(left.count == Int(metrics.heldEvents))
        #expect(peak.bytes <= 1 << 20)
    }

    @Test func dropOldestInBytesLeavesAloneTheSegmentOfWhatIsHandedOut() throws {
        let channel = try World().open(World.mebibyte { $0.whenFull = .dropOldest })
        for tag in 0..<200 { try channel.put(tags: [tag], bytes: 1000) }
        let held = try OpenTake(channel, 1)
        for tag in 200..<2000 { try channel.put(tags: [tag], bytes: 1000) }
        #expect(channel.metrics.droppedEvents > 1000)
        held.rollback()
        let left = try channel.drain(perCommit: 100)
        #expect(left.first == 0)
        #expect(left == left.sorted() && left.last == 1999)
        #expect(channel.isBalanced)
        #expect(UInt64(left.count) == channel.metrics.takenEvents)
    }

    @Test func dropOldestInBytesIsFullWhenEverySegmentIsHeld() throws {
        let channel = try World().open(World.mebibyte { $0.whenFull = .dropOldest })
        var takes: [OpenTake] = []
        var tag = 0
        var error: ChannelError?
        while error == nil, tag < 300 {
            error = failure { try channel.put(tags: [tag], bytes: 10_000) }
            if error == nil { takes.append(try OpenTake(channel, 1)) }
            tag += 1
        }
        #expect(error?.code == .full)
        #expect(channel.metrics.droppedEvents == 0)
        for take in takes { try take.commit() }
        try channel.put(tags: [tag], bytes: 10_000)
    }

    // MARK: dropNewest

    @Test(arguments: [true, false]) func dropNewestSaysSoAndCountsItApartFromTheEquation(_ inEvents: Bool) throws {
        let channel = try World().open(
            World.mebibyte {
                if inEvents { $0.capacityEvents = 3 }
                $0.whenFull = .dropNewest
            })
        var put = try channel.beginPut()
        var accepted = 0
        if inEvents {
            for tag in 0..<3 { #expect(try put.append(body: body(tag)) == .accepted) }
            accepted = 3
            try put.commit()
        } else {
            put.rollback()
            while try channel.put(tags: [accepted], bytes: 1000).droppedEvents == 0 { accepted += 1 }
        }
        let before = channel.metrics
        put = try channel.beginPut()
        for tag in 0..<2 { #expect(try put.append(body: body(tag, 1000)) == .dropped) }
        #expect(put.eventCount == 0)
        let receipt = try put.commit()
        #expect(receipt.sequences.isEmpty && receipt.droppedEvents == 2)
        let metrics = channel.metrics
        #expect(metrics.droppedNewest == before.droppedNewest + 2)
        #expect(metrics.putEvents == UInt64(accepted) && metrics.droppedEvents == 0)
        #expect(channel.isBalanced)
        #expect(try channel.drain(perCommit: 50) == Array(0..<accepted))
    }

    // MARK: An event that can never be taken

    @Test(arguments: [OverflowPolicy.block(.seconds(30)), .reject, .dropOldest, .dropNewest])
    func onAFullChannelAnEventBeyondALimitIsInvalidAtOnceAndCostsNobodyAnything(_ policy: OverflowPolicy) throws {
        for inEvents in [true, false] {
            let world = World()
            let channel = try world.open(
                World.mebibyte {
                    if inEvents { $0.capacityEvents = 4 }
                    $0.whenFull = policy
                })
            if inEvents {
                try channel.put(tags: 0..<4)
            } else {
                // Not `fill`: with dropOldest that never ends.
                for tag in 0..<900 where failure({ try channel.put(tags: [tag], bytes: 1000) }) != nil { break }
            }
            let before = channel.metrics
            let started = world.runtime.monotonicClock()
            var put = try channel.beginPut()
            let error = failure {
                try put.append(headers: [EventHeader(key: "", value: "no key")], body: body(0, 1000))
            }
            #expect(error?.code == .invalidEvent, "\(policy)")
            #expect(world.runtime.monotonicClock() - started < 1_000_000_000)
            #expect(channel.metrics.droppedEvents == before.droppedEvents)
            #expect(channel.metrics.droppedNewest == before.droppedNewest)
            put.rollback()
        }
    }

    // MARK: Live changes

    @Test func theCapacityInEventsIsChangedLiveInBothDirections() throws {
        let channel = try World().open(World.roomy { $0.capacityEvents = 10 })
        try channel.put(tags: 0..<10)
        try channel.resize(capacityEvents: 4)
        #expect(channel.metrics.capacityEvents == 4)
        #expect(failure { try channel.put(tags: [10]) }?.code == .full)
        #expect(try channel.take(6).count == 6)
        #expect(failure { try channel.put(tags: [10]) }?.code == .full, "4 are held")
        #expect(try channel.take(1).count == 1)
        try channel.put(tags: [10])
        try channel.resize(capacityEvents: 6)
        try channel.put(tags: 11..<13)
        #expect(failure { try channel.put(tags: [13]) }?.code == .full)
        try channel.resize(capacityEvents: nil)
        try channel.put(tags: 13..<40)
        #expect(failure { try channel.resize(capacityEvents: 0) }?.code == .configuration)
        #expect(channel.metrics.capacityEvents == nil)
        #expect(try channel.drain(perCommit: 10) == Array(7..<40))
    }

    @Test func theCapacityInBytesIsChangedLiveInBothDirections() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        let first = try channel.fill()
        try channel.resize(capacityBytes: 3 << 20)
        let second = try channel.fill(from: first)
        #expect(second > 700)
        #expect(world.disk.allocatedBytes() > 2 << 20)
        try channel.resize(capacityBytes: 1 << 20)
        #expect(channel.metrics.capacityBytes == 1 << 20)
        #expect(failure { try channel.put(tags: [0], bytes: 1000) }?.code == .full)
        #expect(try channel.drain(perCommit: 20) == Array(0..<first + second))
        world.settle()
        #expect(world.disk.allocatedBytes() <= 1 << 20)
        let third = try channel.fill()
        #expect(third > 300 && third < first)
        #expect(world.disk.allocatedBytes() <= 1 << 20)
        // It is not part of the format.
        #expect(failure { try channel.resize(capacityBytes: 100 << 10) }?.code == .configuration)
        #expect(channel.metrics.capacityBytes == 1 << 20)
        #expect(try channel.drain(perCommit: 20) == Array(0..<third))
    }

    // MARK: Space that comes back

    /// R9. A taker holds event 1; its segment stays, and every other one comes back.
    @Test func aTakerThatHoldsTheOldestEventPinsItsSegmentOnly() throws {
        let world = World()
        let peak = Peak(world.disk)
        let channel = try world.open(World.mebibyte())
        try channel.put(tags: [-1], bytes: 1000)
        let held = try OpenTake(channel, 1)
        var tag = 0
        var fewest = Int.max
        for _ in 0..<20 {
            let count = try channel.fill(from: tag)
            fewest = min(fewest, count)
            #expect(try channel.drain(perCommit: 7) == Array(tag..<tag + count))
            tag += count
            world.settle()
        }
        #expect(fewest > 250, "not full while all but one is taken")
        #expect(peak.bytes <= 1 << 20)
        try held.commit()
        #expect(channel.metrics.heldEvents == 0 && channel.isBalanced)
        let after = try world.afterPowerCut().open(World.mebibyte())
        #expect(after.metrics.takenEvents == UInt64(tag + 1) && after.isBalanced)
    }

    /// R9, P8, P9, R18: filled to its limit and drained one event per commit, again and again.
    @Test(arguments: 1...2) func aMebibyteIsFilledAndDrainedFiftyTimesWithinItsLimit(_ seed: Int) throws {
        let world = World(seed: UInt64(seed))
        let peak = Peak(world.disk)
        let channel = try world.open(World.mebibyte())
        var tag = 0
        var counts: [Int] = []
        for round in 0..<50 {
            let count = try channel.fill(from: tag, bytes: 3000, perTransaction: 1 + round % 9)
            #expect(try channel.drain() == Array(tag..<tag + count), "round \(round)")
            #expect(channel.metrics.heldEvents == 0)
            counts.append(count)
            tag += count
            // Without this the next round begins while the last segments are on their way back.
            if round % 2 == 0 { world.settle() }
        }
        #expect(peak.bytes <= 1 << 20, "\(peak.bytes)")
        #expect(counts.min()! * 2 > counts.max()!, "\(counts)")
        #expect(channel.isBalanced)
    }

    /// The same on a real disk, with `du`.
    @Test func onARealDiskAMebibyteIsFilledAndDrainedFiftyTimesWithinItsLimit() throws {
        try TestFiles.withDirectory { root in
            let path = root + "/c"
            let channel = try FileChannel.open(at: path, configuration: World.mebibyte())
            var tag = 0
            var counts: [Int] = []
            for _ in 0..<50 {
                let count = try channel.fill(from: tag, bytes: 15_000, perTransaction: 5)
                #expect(try diskUsage(path) <= 1 << 20)
                #expect(try channel.drain() == Array(tag..<tag + count))
                #expect(try diskUsage(path) <= 1 << 20)
                counts.append(count)
                tag += count
            }
            #expect(counts.min()! > 0, "\(counts)")
            #expect(counts.filter { $0 * 2 > counts.max()! }.count > 25, "\(counts)")
            try channel.close()
            #expect(try diskUsage(path) <= 1 << 20)
        }
    }

    /// Held until the test ends.
    private final class Taken: @unchecked Sendable { var events: [TakenEvent] = [] }
}

/// Processor time of this thread, in nanoseconds.
func threadTime() -> Int {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// What `du` says: every file's blocks, and the directory's own.
func diskUsage(_ path: String) throws -> UInt64 {
    let directory = try LinuxFileSystem().openDirectory(at: path)
    defer { directory.close() }
    var sum: UInt64 = 4096
    for name in try directory.list() { sum += try directory.status(of: name)?.allocatedBytes ?? 0 }
    return sum
}

/// What threads found wrong.
final class Problems: @unchecked Sendable {
    private let lock = Lock()
    private var list: [String] = []

    func add(_ problem: String) { lock.withLock { list.append(problem) } }

    var all: [String] { lock.withLock { list } }
}
