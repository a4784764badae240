import FileIO
import Glibc
import LogFormat
import SimulatedFileIO
import TestSupport
import Testing

@testable import SegmentedLog

/// Room that was claimed is there when the append comes, whatever came in between; and the capacity is never exceeded.
@Suite struct ClaimTests {
    static let seeds: Range<UInt64> = 0..<TestDepth.pick(sample: 3, part: 12, whole: 75)

    /// Notes whatever breaks the capacity.
    private func watch(_ world: World, _ capacity: @escaping () -> UInt64) {
        world.disk.beforeOperation = { [unowned disk = world.disk] operation in
            let taken = disk.allocatedBytes()
            if taken > capacity() { Issue.record("\(taken) bytes on disk before \(operation), \(capacity()) allowed") }
        }
    }

    private static func roomy(_ change: (inout LogConfiguration) -> Void = { _ in }) -> LogConfiguration {
        var configuration = LogConfiguration(capacityBytes: 1 << 20)
        configuration.segmentBytes = 64 << 10
        configuration.snapshotLimitBytes = 8192
        configuration.idleMarkDelay = 0
        configuration.maximumGroupBytes = 16 << 10
        change(&configuration)
        return configuration
    }

    // MARK: The promise

    /// Two small claims and one free segment: the first put begins it, records fill it, and the second must still find room.
    @Test(arguments: [false, true])
    func recordsBetweenTwoClaimedPutsDoNotUseUpWhatTheSecondNeeds(_ isRoomy: Bool) throws {
        let world = World()
        let configuration = isRoomy ? Self.roomy() : World.small()
        watch(world) { configuration.capacityBytes }
        let log = try world.open(configuration)
        while log.changeClaim(from: 0, to: 500) { _ = try log.append([put(1, bytes: 396)], releasing: 500) }
        try log.retire(log.segments.dropLast(1).prefix(3).map(\.number))
        world.runtime.runUntilIdle()
        var claims = 0
        while log.changeClaim(from: 0, to: 500) { claims += 1 }
        #expect(claims >= (isRoomy ? 6 : 2))
        for index in 0..<claims {
            for note in 0..<200 { _ = try log.append([SegmentedLogTests.note(note, bytes: 400)]) }
            _ = try log.append([put(index, bytes: 396)], releasing: 500)
        }
        #expect(log.room.claimedBytes == 0)
        let sizes = Set(log.segments.filter { $0.kind == .regular }.map(\.segmentBytes))
        #expect(sizes == [UInt64(log.budget.segmentBytes), log.budget.smallestSegmentBytes(forGroupOf: 512)])
        let again = try world.afterPowerCut().open(configuration)
        #expect(again.recoveryReport.losses.isEmpty)
        #expect(try again.tags() == log.tags())
    }

    private struct Held {
        var claim: Int
        var tag: Int
    }

    /// Any number of open transactions, any mix of records between claim and append, retirement now and then.
    @Test(arguments: [false, true])
    func anAppendWithinItsClaimIsNeverRefused(_ isRoomy: Bool) throws {
        var granted = 0
        var refused = 0
        var tight = 0
        for seed in Self.seeds {
            var random = SeededRandom(seed: seed)
            let configuration = isRoomy ? Self.roomy() : World.small()
            let world = World(seed: seed)
            watch(world) { configuration.capacityBytes }
            let log = try world.open(configuration)
            let largest = log.maximumAppendBytes
            var held: [Held] = []
            var tag = 0
            let completion: @Sendable (Result<AppendReceipt, LogError>) -> Void = { result in
                if case .failure(let error) = result { Issue.record("seed \(seed): \(error)") }
            }
            for _ in 0..<400 {
                switch Int.random(in: 0..<13, using: &random) {
                case 12:
                    while held.count < 30, log.changeClaim(from: 0, to: 500) {
                        granted += 1
                        held.append(Held(claim: 500, tag: tag))
                        tag += 1
                    }
                case 0...3:
                    let wanted =
                        Int.random(in: 0..<8, using: &random) == 0
                        ? Int.random(in: 1...largest, using: &random) : Int.random(in: 150...2000, using: &random)
                    if log.changeClaim(from: 0, to: wanted) {
                        granted += 1
                        held.append(Held(claim: wanted, tag: tag))
                        tag += 1
                    } else {
                        refused += 1
                    }
                case 4:
                    guard let index = held.indices.randomElement(using: &random) else { continue }
                    let more = min(largest, held[index].claim + Int.random(in: -100...4000, using: &random))
                    guard more > 0 else { continue }
                    if log.changeClaim(from: held[index].claim, to: more) { held[index].claim = more }
                case 5...6:
                    guard let index = held.indices.randomElement(using: &random) else { continue }
                    let one = held.remove(at: index)
                    if one.claim < 120 || Int.random(in: 0..<10, using: &random) == 0 {
                        #expect(log.changeClaim(from: one.claim, to: 0))
                    } else {
                        log.submit(
                            [try put(one.tag, bytes: one.claim - 104)], releasing: one.claim, completion: completion)
                    }
                case 7...9:
                    for _ in 0..<Int.random(in: 1...30, using: &random) {
                        log.submit(
                            [try note(7, bytes: Int.random(in: 8...1200, using: &random))], completion: completion)
                    }
                case 10:
                    let count = log.segments.count
                    guard count > 1, Int.random(in: 0..<2, using: &random) == 0 else { continue }
                    log.retire(log.segments.prefix(Int.random(in: 1..<count, using: &random)).map(\.number)) { error in
                        if let error { Issue.record("seed \(seed): retirement: \(error)") }
                    }
                default:
                    for _ in 0..<Int.random(in: 1...40, using: &random) where !world.runtime.step() { break }
                }
                if Int.random(in: 0..<20, using: &random) == 0 { world.runtime.advance(by: 200_000_000) }
                let regular = UInt64(log.budget.segmentBytes)
                if log.segments.contains(where: { $0.kind == .regular && $0.segmentBytes < regular }) { tight += 1 }
            }
            while let one = held.popLast() {
                for _ in 0..<Int.random(in: 0...150, using: &random) { _ = try log.append([note(8, bytes: 300)]) }
                _ = try log.append([put(one.tag, bytes: max(8, one.claim - 104))], releasing: one.claim)
            }
            world.runtime.runUntilIdle()
            #expect(log.room.claimedBytes == 0)
            let again = try world.afterPowerCut().open(configuration)
            #expect(again.recoveryReport.losses.isEmpty && again.recoveryReport.unreadable.isEmpty)
        }
        print(
            "claims: \(granted) granted, \(refused) refused, \(tight) steps with segments of less than the usual size")
        #expect(granted > 8 * Self.seeds.count && refused > Self.seeds.count)
    }

    /// P9 through claims: refused when full, drained in constant space, and granted again after retirement.
    @Test func aLogThatIsFilledThroughClaimsDrainsForEverAndTakesClaimsAgain() throws {
        for configuration in [World.small(), Self.roomy()] {
            let world = World()
            watch(world) { configuration.capacityBytes }
            let log = try world.open(configuration)
            var count = 0
            while log.changeClaim(from: 0, to: 1000) {
                _ = try log.append([put(count, bytes: 896)], releasing: 1000)
                count += 1
            }
            #expect(count > 50)
            #expect(log.room.freeBytes < UInt64(log.budget.segmentBytes))
            for index in 0..<1000 { _ = try log.append([note(index, bytes: 400)]) }
            #expect(!log.changeClaim(from: 0, to: 1000))
            #expect(try log.tags() == Array(0..<count))
            try log.retire(log.segments.prefix(2).map(\.number))
            world.runtime.runUntilIdle()
            #expect(log.changeClaim(from: 0, to: 1000))
            _ = try log.append([put(count, bytes: 896)], releasing: 1000)
            #expect(try log.tags().last == count)
        }
    }

    // MARK: Their end

    @Test func aClaimEndsWithItsAppendOrItsRefusalAndWhenItIsLowered() throws {
        let world = World()
        let log = try world.open()
        #expect(log.changeClaim(from: 0, to: 700))
        #expect(log.room.claimedBytes == 700)
        _ = try log.append([put(0)], releasing: 700)
        #expect(log.room.claimedBytes == 0)
        #expect(log.changeClaim(from: 0, to: 700))
        #expect(throws: LogError.self) {
            _ = try log.append([put(0, bytes: 60 << 10), put(1, bytes: 60 << 10)], releasing: 700)
        }
        #expect(log.room.claimedBytes == 0)
        #expect(log.changeClaim(from: 0, to: 700))
        #expect(log.changeClaim(from: 700, to: 100))
        #expect(log.room.claimedBytes == 100)
        #expect(log.changeClaim(from: 100, to: 0))
        #expect(log.room.claimedBytes == 0)
        #expect(!log.changeClaim(from: 0, to: log.maximumAppendBytes + 1))
        try log.close()
        #expect(throws: LogError.self) { _ = try log.append([put(0)], releasing: 0) }
    }

    @Test func aClaimEndsWhenTheWriteFails() throws {
        let world = World()
        let log = try world.open()
        #expect(log.changeClaim(from: 0, to: 700))
        world.disk.faults.add(Fault(.complete, errno: EIO, count: Fault.forever))
        #expect(throws: LogError.self) { _ = try log.append([put(0)], releasing: 700) }
        #expect(log.room.claimedBytes == 0)
        world.runtime.runUntilIdle()
        #expect(log.readOnlyError != nil)
        _ = log.changeClaim(from: 0, to: 700)
        #expect(throws: LogError.self) { _ = try log.append([put(0)], releasing: 700) }
        #expect(log.room.claimedBytes == 0)
    }

    /// On a disk without room only what is ready is promised; when there is room again, claims are granted by themselves.
    @Test func onAFullDiskClaimsAreRefusedUntilASegmentCanBeMade() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<9 { _ = try log.append([put(index, bytes: 400)]) }
        world.disk.faults.add(Fault(.create, errno: ENOSPC, count: Fault.forever))
        var granted = 0
        var tag = 9
        for _ in 0..<60 {
            if log.changeClaim(from: 0, to: 600) {
                granted += 1
                do throws(LogError) {
                    guard let frame = try? put(tag, bytes: 400) else { return }
                    _ = try log.append([frame], releasing: 600)
                    tag += 1
                } catch {
                    #expect(error.code == .full)
                }
            }
            world.runtime.runUntilIdle()
        }
        #expect(granted < 40)
        #expect(log.room.preparationFailure?.fileError?.errno == ENOSPC)
        #expect(!log.changeClaim(from: 0, to: 600))
        world.disk.faults.removeAll()
        world.runtime.advance(by: 1_000_000_000)
        #expect(!log.changeClaim(from: 0, to: 600), "asking is what makes it try again")
        world.runtime.runUntilIdle()
        #expect(log.changeClaim(from: 0, to: 600))
        _ = try log.append([put(tag, bytes: 400)], releasing: 600)
        #expect(try log.tags() == Array(0...tag))
    }

    // MARK: The numbers

    @Test func theLongestAppendIsTakenAndOneMoreBlockIsNot() throws {
        for configuration in [World.small(), Self.roomy(), LogConfiguration(capacityBytes: 1 << 20)] {
            let world = World()
            let log = try world.open(configuration)
            let largest = log.maximumAppendBytes
            #expect(largest % 512 == 0 && largest > 0)
            _ = try log.append([put(1, bytes: largest - 104)])
            let error = appendError(log, 2, bytes: largest - 104 + 8)
            #expect(error?.code == .tooLarge, "\(String(describing: error))")
        }
    }

    @Test func theLongestClientStateFitsBesideEverySegment() throws {
        for configuration in [World.small(), Self.roomy(), LogConfiguration(capacityBytes: 1 << 20)] {
            let world = World()
            let limit = try SpaceBudget(configuration, blockBytes: 512).clientStateLimitBytes
            let box = LogBox()
            let log = try Log.open(
                at: World.path, fileSystem: world.system, runtime: world.runtime, configuration: configuration,
                clientState: {
                    ClientCheckpoint(
                        through: box.log?.durableThrough
                            ?? DurableThrough(
                                lsn: LSN(segment: SegmentNumber(1), offset: 8192), nextSequence: EventSequence(1)),
                        bytes: [UInt8](repeating: 7, count: limit))
                })
            box.log = log
            #expect(log.clientStateLimitBytes == limit && limit > 0)
            var count = 0
            while log.changeClaim(from: 0, to: 1000) {
                _ = try log.append([put(count, bytes: 896)], releasing: 1000)
                count += 1
            }
            for index in 0..<200 { _ = try log.append([note(index, bytes: 400)]) }
            try log.checkpoint()
            box.log = nil
        }
    }

    private final class LogBox: @unchecked Sendable { var log: Log? }
    private final class AnswerBox: @unchecked Sendable { var answer: Result<AppendReceipt, LogError>? }

    @Test func whatTheLogSaysOfItsFilesIsWhatTheyTake() throws {
        for configuration in [World.small(), Self.roomy()] {
            let world = World()
            let log = try world.open(configuration)
            var tag = 0
            for round in 0..<30 {
                for _ in 0..<10 where log.changeClaim(from: 0, to: 700) {
                    _ = try log.append([put(tag, bytes: 500)], releasing: 700)
                    tag += 1
                }
                for index in 0..<10 { _ = try log.append([note(index, bytes: 400)]) }
                if round % 7 == 6 { try log.retire(log.segments.dropLast(2).map(\.number)) }
                world.runtime.runUntilIdle()
                let room = log.room
                // The disk counts the two directories above the log's own, too.
                let taken = world.disk.allocatedBytes() - 2 * 4096
                #expect(room.diskBytes >= taken, "round \(round)")
                #expect(room.diskBytes <= taken + 8192, "round \(round)")
                #expect(room.diskBytes <= configuration.capacityBytes)
                #expect(room.liveBytes <= room.segmentBytesInUse)
                #expect(room.freeBytes + room.liveBytes <= room.segmentBudgetBytes)
            }
        }
    }

    // MARK: Changing the capacity

    /// With room for more segments in its snapshots than it begins with.
    private static func growing(_ capacity: UInt64 = 320 << 10) -> LogConfiguration {
        World.small {
            $0.capacityBytes = capacity
            $0.snapshotLimitBytes = 4096
        }
    }

    @Test func aRaisedCapacityLetsWaitingAppendsThroughAndALoweredOneIsKept() throws {
        let world = World()
        var capacity: UInt64 = 320 << 10
        watch(world) { capacity }
        let log = try world.open(Self.growing())
        var count = 0
        while appendError(log, count) == nil { count += 1 }
        capacity = 400 << 10
        try log.setCapacity(capacity)
        #expect(log.room.capacityBytes == 400 << 10)
        let before = count
        while appendError(log, count) == nil { count += 1 }
        #expect(count > before + 30)

        // Lower than what is in use: nothing new, until enough is retired.
        try log.setCapacity(300 << 10)
        let error = appendError(log, count)
        #expect(error?.code == .full)
        #expect(!log.changeClaim(from: 0, to: 500))
        for index in 0..<100 { _ = try log.append([note(index, bytes: 300)]) }
        try log.retire(log.segments.prefix(10).map(\.number))
        world.runtime.runUntilIdle()
        capacity = 300 << 10
        _ = try log.append([put(count)])
        var more = 0
        while appendError(log, 1000 + more) == nil { more += 1 }
        #expect(more > 10)
        #expect(world.disk.allocatedBytes() <= 300 << 10)
        let again = try world.afterPowerCut().open(Self.growing(300 << 10))
        #expect(again.recoveryReport.losses.isEmpty)
    }

    @Test func anAppendThatWaitsForRoomIsLookedAtAgainWhenTheCapacityIsRaised() throws {
        let world = World()
        let log = try world.open(Self.growing())
        var count = 0
        while appendError(log, count) == nil { count += 1 }
        let box = AnswerBox()
        world.runtime.advance(by: 1_000_000_000)
        log.submit([try put(count)]) { box.answer = $0 }
        try log.setCapacity(400 << 10)
        world.runtime.runUntilIdle()
        #expect(try box.answer?.get() != nil)
    }

    @Test func aCapacityThatCannotBeIsRefusedWithNothingChanged() throws {
        let world = World()
        let log = try world.open()
        let room = log.room
        for bytes: UInt64 in [0, 100 << 10, 170_000, 1 << 40, UInt64.max] {
            do throws(LogError) {
                try log.setCapacity(bytes)
                Issue.record("\(bytes) was taken")
            } catch {
                #expect(error.code == .configuration)
            }
        }
        #expect(log.room == room)
    }

    @Test func whatWasClaimedBeforeTheCapacityWasLoweredKeepsItsRoom() throws {
        let world = World()
        watch(world) { 320 << 10 }
        let log = try world.open()
        for index in 0..<20 { _ = try log.append([put(index, bytes: 400)]) }
        var claims = 0
        while log.changeClaim(from: 0, to: 2000) { claims += 1 }
        try log.setCapacity(180 << 10)
        for index in 0..<claims {
            for note in 0..<50 { _ = try log.append([SegmentedLogTests.note(note, bytes: 300)]) }
            _ = try log.append([put(20 + index, bytes: 1896)], releasing: 2000)
        }
        #expect(try log.tags() == Array(0..<20 + claims))
        #expect(!log.changeClaim(from: 0, to: 2000))
    }
}
