import CrashHarness
import DurableChannel
import Glibc
import SimulatedFileIO
import Testing

/// Bookmarks are there with the puts or takes of their transaction, or not at all.
@Suite struct BookmarkTests {
    @Test func aBookmarkOfAPutIsThereExactlyWhenItsEventsAre() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: [0])
        try channel.setBookmark("file", [0])
        world.settle()
        var states: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] _ in
            states += disk.legalCrashChoices().map { disk.crashed(keeping: $0) }
        }
        for tag in 1...3 {
            var put = try channel.beginPut()
            try put.append(body: body(tag, 900))
            try put.setBookmark("file", [UInt8(tag)])
            try put.commit()
            #expect(channel.bookmark("file") == [UInt8(tag)])
        }
        states.append(world.disk.crashed(keeping: .nothing))
        #expect(states.count > 6)
        var seen: Set<UInt8> = []
        for state in states {
            let after = try World(state, seed: 5).open()
            let tags = try after.take().tags
            #expect(tags == Array(0..<tags.count))
            #expect(after.bookmark("file") == [UInt8(tags.count - 1)])
            seen.insert(UInt8(tags.count - 1))
        }
        #expect(seen == [0, 1, 2, 3])
    }

    @Test func aBookmarkOfATakeIsThereExactlyWhenItsEventsAreTaken() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<6)
        world.settle()
        var states: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] _ in
            states += disk.legalCrashChoices().map { disk.crashed(keeping: $0) }
        }
        for round in 1...3 {
            var take = try channel.beginTake(maxEvents: 2)
            try take.setBookmark("output", [99])
            try take.setBookmark("output", [UInt8(2 * round)])
            #expect(channel.bookmark("output") == (round == 1 ? nil : [UInt8(2 * round - 2)]))
            try take.commit()
            #expect(channel.bookmark("output") == [UInt8(2 * round)])
        }
        states.append(world.disk.crashed(keeping: .nothing))
        for state in states {
            let after = try World(state, seed: 5).open()
            let left = try after.take().count
            #expect((after.bookmark("output") ?? [0]) == [UInt8(6 - left)])
        }
    }

    @Test func aTakeWithoutEventsCommitsItsBookmark() throws {
        let world = World()
        let channel = try world.open()
        var take = try channel.beginTake()
        let isEmpty = take.isEmpty
        #expect(isEmpty)
        try take.setBookmark("output", [1])
        try take.commit()
        #expect(try world.afterPowerCut().open().bookmark("output") == [1])
    }

    @Test func aBookmarkOfARolledBackTransactionIsNotSet() throws {
        let channel = try World().open()
        var put = try channel.beginPut()
        try put.setBookmark("a", [1])
        put.rollback()
        var take = try channel.beginTake()
        try take.setBookmark("b", [1])
        take.rollback()
        #expect(channel.bookmark("a") == nil && channel.bookmark("b") == nil)
    }

    /// Row 21.
    @Test(arguments: [true, false], [Fault.Outcome.absent, .whole])
    func aBookmarkOfAFailedCommitIsUnchangedAndItsRoomIsGivenBack(_ ofPut: Bool, _ outcome: Fault.Outcome) throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<2)
        try channel.setBookmark("b", [1])
        let take = try channel.beginTake(maxEvents: 1)
        take.rollback()
        world.settle()
        // Nearly all the room there is, several times.
        for _ in 0..<5 {
            world.disk.faults.add(Fault(.submit, errno: EIO, outcome: outcome))
            if ofPut {
                var put = try channel.beginPut()
                try put.append(body: body(7))
                try put.setBookmark("b", [UInt8](repeating: 2, count: 1000))
                #expect(commitFailure(put)?.code == .outcomeUnknown)
            } else {
                var take = try channel.beginTake(maxEvents: 1)
                try take.setBookmark("b", [UInt8](repeating: 2, count: 1000))
                #expect(commitFailure(take)?.code == .outcomeUnknown)
            }
            #expect(channel.bookmark("b") == [1])
            try channel.put(tags: [3])
        }
        #expect(try world.afterPowerCut().open(World.roomy()).bookmark("b") == [1])
        try channel.setBookmark("b", [UInt8](repeating: 3, count: 1200))
        #expect(channel.bookmark("b")?.count == 1200)
    }

    /// Commits side by side set the same bookmark: the one that stands later in the log wins, now and after a crash.
    @Test(arguments: 1...20) func theLastOneInTheLogWins(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        let places = Places()
        clients.run(
            (0..<8).map { client in
                {
                    for round in 0..<3 {
                        let value = UInt8(8 * round + client)
                        guard var put = try? channel.beginPut() else { continue }
                        _ = try? put.append(body: body(Int(value), 700))
                        try? put.setBookmark("b", [value])
                        let receipt = try? put.commit()
                        #expect(receipt?.lsn != nil)
                        if let lsn = receipt?.lsn { places.values[lsn] = value }
                    }
                }
            })
        let last = try #require(places.values.max { $0.key < $1.key })
        #expect(places.values.count == 24)
        #expect(channel.bookmark("b") == [last.value], "seed \(seed)")
        try channel.checkpoint()
        for removesCheckpoint in [true, false] {
            let next = world.afterPowerCut()
            if removesCheckpoint { next.remove("checkpoint") }
            #expect(try next.open(World.roomy()).bookmark("b") == [last.value], "seed \(seed)")
        }
    }

    @Test func bookmarksOutliveTheSegmentsOfTheirTransactions() throws {
        let world = World()
        let channel = try world.open()
        for index in 0..<10 { try channel.setBookmark("name \(index)", [UInt8(index)]) }
        for round in 0..<30 {
            try channel.put(tags: [round], bytes: 3000)
            #expect(try channel.take().tags == [round])
        }
        world.settle()
        #expect(!world.segmentNames().contains(World.segment(1)))
        for removesCheckpoint in [true, false] {
            let next = world.afterPowerCut()
            if removesCheckpoint { next.remove("checkpoint") }
            let after = try next.open()
            #expect((0..<10).allSatisfy { after.bookmark("name \($0)") == [UInt8($0)] })
        }
    }

    private final class Places: @unchecked Sendable { var values: [LSN: UInt8] = [:] }

    /// The room in events and bytes that its appends had claimed.
    @Test func aPutThatIsRefusedForItsBookmarksGivesItsRoomBack() throws {
        let channel = try World().open(World.roomy { $0.capacityEvents = 4 })
        let long = String(repeating: "v", count: 8000)
        for _ in 0..<20 {
            let put = try OpenPut(channel)
            for tag in 0..<4 { try put.append(body(tag, 40_000)) }
            try put.setBookmark("b", long)
            #expect(failure { try put.commit() }?.code == .invalidBookmark)
        }
        try channel.put(tags: 0..<4, bytes: 40_000)
        #expect(try channel.take().tags == [0, 1, 2, 3] && channel.bookmark("b") == nil)
    }
}
