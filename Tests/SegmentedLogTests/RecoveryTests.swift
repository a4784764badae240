import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

@Suite struct RecoveryTests {
    /// A client whose state never gets further than the beginning.
    private func openLagging(
        _ world: World, replayed: (ReplayedFrame) -> Void = { _ in }
    ) throws -> Log {
        try Log.open(
            at: World.path, fileSystem: world.system, runtime: world.runtime, configuration: World.small(),
            clientState: {
                ClientCheckpoint(
                    through: DurableThrough(
                        lsn: LSN(segment: SegmentNumber(1), offset: 8192), nextSequence: EventSequence(1)),
                    bytes: [1, 2, 3])
            }, replay: { (frame) throws(LogError) in replayed(frame) })
    }

    @Test func aClientThatLagsBehindIsGivenEverythingAgainAcrossEpochs() throws {
        var world = World()
        for life in 0..<4 {
            var replayed: [Int] = []
            let log = try openLagging(world) { if $0.header.type == .put { replayed.append(tag($0.payload)) } }
            #expect(replayed == Array(0..<(life * 20)))
            #expect(log.recoveryReport.losses.isEmpty)
            for index in 0..<20 { _ = try log.append([put(life * 20 + index, bytes: 300)]) }
            #expect(try log.tags() == Array(0..<(life * 20 + 20)))
            if life == 2 { try log.close() } else { try log.checkpoint() }
            world = world.afterPowerCut(.nothing, seed: UInt64(life + 9))
        }
    }

    @Test func theClientsStateComesBackAsItWasGiven() throws {
        let world = World()
        let log = try openLagging(world)
        try log.checkpoint()
        let next = world.afterPowerCut()
        var restored: ClientCheckpoint?
        _ = try Log.open(
            at: World.path, fileSystem: next.system, runtime: next.runtime, configuration: World.small(),
            restored: { (state) throws(LogError) in restored = state })
        #expect(restored?.bytes == [1, 2, 3])
        #expect(restored?.through.lsn == LSN(segment: SegmentNumber(1), offset: 8192))
    }

    /// Row 22: frames that stand in the page cache only, because their process was killed before its sync; and at recovery
    /// the sync of that segment fails. What is served must be durable all the same.
    @Test func framesThatCannotBeMadeDurableWhereTheyStandAreCarriedOver() throws {
        let world = World()
        let configuration = World.small { $0.writeMethods = [.writeThenSync] }
        let log = try world.open(configuration)
        for index in 0..<5 { _ = try log.append([put(index)]) }
        log.submit([try put(5)]) { _ in }
        world.runtime.run(until: { world.disk.pendingOperations.contains { $0.isInFlight } })

        let next = world.afterKill(.everything)
        next.disk.faults.add(Fault(.synchronize, errno: 5, on: .suffix(".seg")))
        let again = try next.open(configuration)
        let tags = try again.tags()
        #expect(Array(tags.prefix(5)) == Array(0..<5))
        #expect(again.recoveryReport.remarks.contains { $0.contains("cannot be synced") })
        #expect(again.segments.last?.number != SegmentNumber(1), "a fresh segment: \(again.segments)")
        #expect(try again.append([put(6)]).sequences.lowerBound == UInt64(tags.count + 1))

        let last = try next.afterPowerCut(.nothing, seed: 3).open(configuration)
        #expect(try last.tags() == tags + [6])
        #expect(last.recoveryReport.losses.isEmpty)
    }

    /// An idle log says what is durable, once; then even its last frame is proven.
    @Test func aMarkVouchesForTheLastGroupsOfAnIdleLog() throws {
        let world = World()
        let log = try world.open(World.small { $0.idleMarkDelay = 1_000_000 })
        for index in 0..<3 { _ = try log.append([put(index)]) }
        world.runtime.runUntilIdle(horizon: 10_000_000)
        let types = try log.frameTypes()
        #expect(types == [.snapshot, .open, .put, .put, .put, .mark])
        let frame = log.makeReader()
        var last: LogFrame?
        while case .frame(let item) = try frame.next() { if item.header.type == .put { last = item } }
        try world.damage("0000000000000001.seg", at: Int(last!.lsn.offset) + 100) { $0 ^= 1 }
        let again = try world.afterPowerCut().open()
        #expect(again.recoveryReport.losses.map(\.firstSequence) == [EventSequence(3)])
        #expect(try again.tags() == [0, 1, -1])
    }

    @Test func aReaderIsNotDisturbedWhenItsSegmentIsRetired() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        let reader = log.makeReader()
        _ = try reader.next()
        try log.retire(log.segments.dropLast().map(\.number))
        for index in 60..<120 { _ = try log.append([put(index, bytes: 400)]) }
        var tags: [Int] = []
        while let item = try reader.next() {
            guard case .frame(let frame) = item else {
                Issue.record("\(item)")
                return
            }
            if frame.header.type == .put { tags.append(tag(frame.payload)) }
        }
        #expect(tags.last == 119 && tags == tags.sorted())
    }

    @Test func aDamagedRangeThatAReaderComesToIsRecordedAndSetAside() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        try world.damage("0000000000000002.seg", at: 12_000) { $0 ^= 0x40 }
        let reader = log.makeReader()
        var damage: DamagedRange?
        while let item = try reader.next() { if case .damage(let range) = item { damage = range } }
        let range = try #require(damage)
        #expect(range.endSequence.rawValue - range.firstSequence.rawValue == 1)
        try log.record(range)
        #expect(try log.frameTypes().contains(.loss))
        #expect(world.names().contains { $0.hasPrefix("aside-0000000000000002-") })
    }
}
