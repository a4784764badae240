import CrashHarness
import DurableChannel
import SimulatedFileIO
import Testing

@Suite struct TransactionTests {
    @Test func whatWasPutIsTakenInOrderWithItsHeaders() throws {
        let channel = try World().open()
        var put = try channel.beginPut()
        try put.append(Event(headers: ["host": "web-1", "kind": "access"], body: "first"))
        try put.append(body: "second")
        let receipt = try put.commit()
        #expect(receipt.sequences == 1..<3)
        try channel.put(["third"])

        let take = try channel.beginTake()
        #expect(Array(take.events).texts == ["first", "second", "third"])
        #expect(Array(take.events).numbers == [1, 2, 3])
        #expect(take.events[0].headers.map(\.key) == ["host", "kind"])
        #expect(take.events[0].header("kind").map(Array.init) == Array("access".utf8))
        #expect(take.events.allSatisfy { !$0.isRedelivered && $0.deliveryCount == 0 })
        try take.commit()
        #expect(try channel.take().isEmpty)
        #expect(channel.isBalanced)
        try channel.close()
    }

    @Test func aRolledBackTakeReturnsItsEventsToTheirPlaceWithTheMark() throws {
        let channel = try World().open()
        try channel.put(["a", "b", "c", "d", "e"])
        let first = try channel.beginTake(maxEvents: 2)
        let second = try channel.beginTake(maxEvents: 2)
        #expect(Array(second.events).texts == ["c", "d"])
        first.rollback()
        let third = try channel.beginTake(maxEvents: 1)
        #expect(Array(third.events).texts == ["a"])
        #expect(third.events[0].isRedelivered && third.events[0].deliveryCount == 1)
        try second.commit()
        let rest = try channel.beginTake(maxEvents: 10)
        #expect(Array(rest.events).texts == ["b", "e"])
        #expect(Array(rest.events).map(\.isRedelivered) == [true, false])
        try rest.commit()
        try third.commit()
        #expect(channel.metrics.heldEvents == 0)
        #expect(channel.metrics.takenEvents == 5)
        #expect(channel.isBalanced)
    }

    @Test func aTakeThatIsDroppedIsRolledBack() throws {
        let channel = try World().open()
        try channel.put(["a"])
        do {
            let take = try channel.beginTake()
            #expect(take.events.count == 1)
        }
        let again = try channel.take()
        #expect(again.texts == ["a"] && again[0].isRedelivered)
    }

    @Test func aPutThatIsDroppedIsNotThereAndGivesItsRoomBack() throws {
        let channel = try World().open()
        do {
            var put = try channel.beginPut()
            try put.append(body: "never")
        }
        #expect(try channel.take().isEmpty)
        try channel.put(["a"])
        #expect(try channel.take().numbers == [1])
    }

    @Test func whatWasNotTakenIsThereAfterAPowerCut() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(["a", "b", "c"], bookmark: ("file", "17"))
        let take = try channel.beginTake(maxEvents: 1)
        try take.commit()
        let held = try channel.beginTake(maxEvents: 1)
        let after = try world.afterPowerCut().open()
        let events = try after.take()
        #expect(events.texts == ["b", "c"])
        // The lease reached over all of them.
        #expect(events.map(\.isRedelivered) == [true, true])
        #expect(after.bookmark("file") == Array("17".utf8))
        #expect(after.isBalanced)
        held.rollback()
    }

    @Test func aCleanCloseLowersTheLeaseToWhatWasHandedOut() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(["a", "b", "c"])
        let take = try channel.beginTake(maxEvents: 2)
        take.rollback()
        try channel.close()
        let after = try World(world.disk, seed: 3).open()
        let events = try after.take()
        #expect(events.texts == ["a", "b", "c"])
        #expect(events.map(\.isRedelivered) == [true, true, false])
        #expect(events.map(\.deliveryCount) == [1, 1, 0])
    }

    @Test func segmentsGoWhenTheirEventsAreTaken() throws {
        let world = World()
        let channel = try world.open()
        for round in 0..<40 {
            try channel.put((0..<5).map { "event \(round) \($0) " + String(repeating: "x", count: 400) })
            #expect(try channel.take(5).count == 5)
        }
        world.runtime.runUntilIdle()
        #expect(world.segmentNames().count <= 4, "\(world.segmentNames())")
        #expect(channel.isBalanced)
        try channel.close()
        let after = try World(world.disk, seed: 3).open()
        #expect(after.metrics.takenEvents == 200)
        #expect(try after.put(["next"]).sequences == 201..<202)
    }
}
