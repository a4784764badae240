import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

@Suite struct AppendingTests {
    @Test func aNewLogIsEmptyAndEndsBehindItsOpenFrame() throws {
        let world = World()
        let log = try world.open()
        #expect(log.recoveryReport.created)
        #expect(try log.tags() == [])
        #expect(try log.frameTypes() == [.snapshot, .open])
        #expect(log.durableThrough.nextSequence == EventSequence(1))
        #expect(
            world.names() == [
                "0000000000000001.seg", "checkpoint", "pid", "reserve-0", "reserve-1", "settings",
            ])
    }

    @Test func appendsAreNumberedInOrderAndReadBack() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<10 {
            let receipt = try log.append([put(index, events: 3)])
            #expect(receipt.sequences == UInt64(1 + 3 * index)..<UInt64(4 + 3 * index))
        }
        #expect(try log.tags() == Array(0..<10))
    }

    @Test func aCleanCloseIsSeenAndNothingIsReplayedFromBeforeTheCheckpoint() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<5 { _ = try log.append([put(index)]) }
        try log.close()
        let next = world.afterPowerCut()
        var replayed = 0
        let again = try next.open { if $0.header.type == .put { replayed += 1 } }
        #expect(again.recoveryReport.wasClosedCleanly)
        #expect(again.recoveryReport.losses.isEmpty && again.recoveryReport.unknown.isEmpty)
        #expect(replayed == 0, "the checkpoint at close covers everything")
        #expect(try again.tags() == Array(0..<5))
        #expect(try again.append([put(5)]).sequences == 6..<7)
    }

    @Test func appendsRollIntoNewSegments() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        #expect(log.segments.count > 3)
        #expect(try log.tags() == Array(0..<60))
        try log.close()
        let again = try world.afterPowerCut().open()
        #expect(try again.tags() == Array(0..<60))
    }

    @Test func acknowledgedAppendsSurviveAPowerCutWithoutAClose() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        let again = try world.afterPowerCut(.nothing).open()
        #expect(try again.tags() == Array(0..<60))
        #expect(again.recoveryReport.losses.isEmpty)
        #expect(again.epoch == Epoch(2))
    }

    @Test func retiredSegmentsGoAndAreRecycled() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        let before = log.segments
        try log.retire(before.dropLast().map(\.number))
        #expect(log.segments.count == 1)
        let firstLeft = Int(log.segments[0].baseSequence.rawValue) - 1
        #expect(try log.tags() == Array(firstLeft..<60))
        for index in 60..<200 {
            _ = try log.append([put(index, bytes: 400)])
            try log.retire(log.segments.dropLast().map(\.number))
        }
        try log.close()
        let again = try world.afterPowerCut().open()
        #expect(try again.tags().last == 199)
        #expect(again.recoveryReport.losses.isEmpty)
    }

    @Test func aFullLogRefusesEventsTakesNotesAndGoesOnWhenSegmentsAreRetired() throws {
        let world = World()
        let log = try world.open()
        var count = 0
        do {
            while count < 10_000 {
                _ = try log.append([put(count, bytes: 400)])
                count += 1
            }
        } catch let error as LogError {
            #expect(error.code == .full)
        }
        #expect(count > 50 && count < 10_000)
        // In constant space: far more notes than the reserve holds.
        for index in 0..<300 { _ = try log.append([note(index, bytes: 400)]) }
        #expect(throws: LogError.self) { _ = try log.append([put(0)]) }
        #expect(world.disk.allocatedBytes() <= 320 << 10)
        #expect(try log.tags() == Array(0..<count))
        try log.retire([log.segments[0].number])
        world.runtime.advance(by: 1_000_000_000)
        _ = try log.append([put(count)])
        let again = try world.afterPowerCut().open()
        #expect(try again.tags().last == count)
        #expect(again.recoveryReport.losses.isEmpty)
    }
}
