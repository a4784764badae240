import CrashHarness
import DurableChannel
import SimulatedFileIO
import TestSupport
import Testing

/// Rows 1-9, 35, 36, 39, 42-44: a crash of a channel at every storage operation, with several transactions under way, in every
/// legal way, and again inside recovery.
@Suite struct CrashSweepTests {
    static let seeds: Range<UInt64> = 1..<2
    static let insideEvery = TestDepth.pick(sample: 200, part: 100, whole: 20)
    static let usedEvery = TestDepth.pick(sample: 16, part: 8, whole: 4)
    static let choiceStride = TestDepth.pick(sample: 18, part: 18, whole: 6)
    /// Of the operations every so many are looked at; when not all are, each in one legal way, drawn at random.
    static let momentStride = TestDepth.pick(sample: 64, part: 1, whole: 1)
    static let failingWrites = TestDepth.pick(sample: [5], part: [5], whole: [3, 5, 7])
    static let rounds = TestDepth.pick(sample: 1, part: 2, whole: 4) as UInt64

    /// Small segments and snapshots with room for a few producers and bookmarks.
    static func small(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        World.small {
            $0.capacityBytes = 400 << 10
            $0.segmentBytes = 20 << 10
            $0.snapshotLimitBytes = 3 << 10
            $0.leaseStep = 6
            change(&$0)
        }
    }

    private func sweep(
        _ name: String, _ configuration: ChannelConfiguration = small(), _ options: SimulatedDisk.Options = .init(),
        drainsBy: Int = 100_000, _ workload: (ChannelRecorder) throws -> Void
    ) throws {
        let sweep = ChannelSweep(configuration)
        sweep.depth.choiceStride = Self.choiceStride
        sweep.depth.drainsBy = drainsBy
        sweep.depth.insideEvery = Self.insideEvery
        sweep.depth.usedEvery = Self.usedEvery
        var most = 0
        var moments = 0
        for seed in Self.seeds where sweep.failures.isEmpty {
            let recorder = ChannelRecorder(SimulatedDisk(options), seed: seed, configuration: configuration)
            try workload(recorder)
            most = max(most, recorder.mostGroupsInFlight)
            moments += look(recorder, sweep)
        }
        #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        #expect(sweep.leftInMemory == 0, "channels of \(sweep.openings) openings")
        print(
            "\(name): \(moments) moments, \(sweep.count) distinct states, \(sweep.partial) partly lost, "
                + "\(sweep.openings) openings, up to \(most) groups in flight")
    }

    /// How many moments were looked at.
    private func look(_ recorder: ChannelRecorder, _ sweep: ChannelSweep) -> Int {
        guard Self.momentStride > 1 else {
            sweep.sweep(recorder)
            return recorder.moments.count
        }
        #expect(recorder.objections.isEmpty, "\(recorder.objections.first ?? "")")
        let chosen = stride(from: 0, to: recorder.moments.count, by: Self.momentStride)
        for index in chosen {
            let moment = recorder.moments[index]
            var random = SeededRandom(seed: UInt64(index))
            let choice = moment.disk.randomCrashChoice(using: &random)
            let place = "before op \(index) \(moment.operation)"
            sweep.check(moment.disk.crashed(keeping: choice), moment.model, "power cut \(place), \(choice)")
            sweep.check(moment.disk.killed(keeping: .everything), moment.model, "kill \(place)")
        }
        return Array(chosen).count
    }

    @Test func everyCrashOfCreationAFewPutsAndTakesAndAClose() throws {
        try sweep("creation") { recorder in
            try recorder.open()
            recorder.run([
                { recorder, client in
                    recorder.put(client)
                    recorder.put(client, 1)
                    recorder.bookmark(client)
                },
                { recorder, client in
                    let take = recorder.take(2, waitingUpTo: .seconds(1))
                    recorder.commit(take, bookmark: client)
                },
            ])
            try recorder.close()
        }
    }

    @Test func everyCrashWithPutsAndTakesSideBySideWhileRollingAndRetiring() throws {
        try sweep("side by side") { try Self.sideBySide($0) }
    }

    @Test func everyCrashWhenEachGroupTakesTwoCallsAndSectorsTearInside() throws {
        var options = SimulatedDisk.Options()
        options.tearsInsideSectors = true
        options.supportsDirectWrites = false
        options.renamesCanLeaveBothNames = true
        try sweep("write, then sync", Self.small { $0.writeMethods = [.directSynced, .writeThenSync] }, options) {
            try Self.sideBySide($0)
        }
    }

    @Test func everyCrashWithBlocksOf4096BytesCompressionAndNoCache() throws {
        var options = SimulatedDisk.Options()
        options.sectorBytes = 4096
        options.logicalBlockBytes = 4096
        let configuration = Self.small {
            $0.capacityBytes = 2 << 20
            $0.segmentBytes = 96 << 10
            $0.compression = .lz4
            $0.tailCacheBytes = 0
        }
        try sweep("blocks of 4096", configuration, options) { try Self.sideBySide($0, bytes: 3000) }
    }

    @Test func everyCrashWhileTheOldestEventsAreDroppedForNewOnes() throws {
        let configuration = Self.small {
            $0.whenFull = .dropOldest
            $0.capacityEvents = 16
        }
        try sweep("drop oldest", configuration) { recorder in
            try recorder.open()
            recorder.run(Self.clients(bytes: 200, rounds: 5))
            recorder.run([{ recorder, client in for _ in 0..<4 { recorder.put(client, 4) } }])
            try recorder.close()
        }
    }

    @Test func everyCrashWhileTheOldestSegmentIsDroppedForRoom() throws {
        let configuration = Self.small {
            $0.whenFull = .dropOldest
            $0.capacityBytes = 248 << 10
        }
        try sweep("drop for room", configuration) { recorder in
            try recorder.open()
            for _ in 0..<2 {
                recorder.run([
                    { recorder, client in for _ in 0..<6 { recorder.put(client, 3, bytes: 900) } },
                    { recorder, client in for _ in 0..<6 { recorder.put(client, 2, bytes: 1200) } },
                    { recorder, client in
                        let held = recorder.take(2, waitingUpTo: .seconds(1))
                        recorder.put(client)
                        recorder.commit(held)
                    },
                ])
            }
            try recorder.close()
        }
    }

    /// Row 25: puts wait until takes have made room, and what is held can be taken in constant space.
    @Test func everyCrashOfAFullChannelThatIsDrainedThroughTheReserve() throws {
        let configuration = Self.small { $0.capacityBytes = 240 << 10 }
        try sweep("full, then drained", configuration, drainsBy: 3) { recorder in
            recorder.expectedErrors = [.full]
            try recorder.open()
            recorder.run(
                (0..<2).map { _ in { recorder, client in while recorder.put(client, 3, bytes: 700) {} } })
            recorder.run([
                { recorder, client in
                    while true {
                        let take = recorder.take(2)
                        if take.isEmpty { break }
                        recorder.commit(take, bookmark: client)
                    }
                }
            ])
            recorder.settleDown()
            recorder.run([{ recorder, client in recorder.put(client) }])
            try recorder.close()
        }
    }

    @Test func everyCrashWhilePutsWaitForTheRoomThatTakesMake() throws {
        let configuration = Self.small {
            $0.capacityBytes = 240 << 10
            $0.whenFull = .block(.seconds(60))
        }
        try sweep("waiting for room", configuration) { recorder in
            try recorder.open()
            let putter: @Sendable (ChannelRecorder, Int) -> Void = { recorder, client in
                for _ in 0..<8 { recorder.put(client, 2, bytes: 900) }
            }
            recorder.run([
                putter, putter,
                { recorder, client in
                    var left = 32
                    while left > 0 {
                        let take = recorder.take(5, waitingUpTo: .seconds(60))
                        left -= take.events.count
                        recorder.commit(take)
                    }
                },
            ])
            try recorder.close()
        }
    }

    /// Rows 21, 22, 42: a failed write, with transactions of several clients before and behind it.
    @Test(arguments: [Fault.Outcome.absent, .whole, .torn(.sectors([0..<1]))])
    func everyCrashAroundAFailedWrite(_ outcome: Fault.Outcome) throws {
        var unknown = 0
        for failing in Self.failingWrites {
            try sweep("failed write \(failing), \(outcome)") { recorder in
                recorder.expectedErrors = [.outcomeUnknown]
                // Until the log goes on in the next epoch.
                recorder.expectedCheckpointErrors = [.fileOperation]
                try recorder.open()
                recorder.world.disk.faults.add(
                    Fault(.complete, errno: 5, skipping: failing, outcome: outcome))
                recorder.run(Self.clients(bytes: 300, rounds: 3))
                recorder.run(Self.clients(bytes: 300, rounds: 1))
                unknown += recorder.errors[.outcomeUnknown] ?? 0
                try recorder.close()
            }
        }
        #expect(unknown > 0)
    }

    /// Rows 36, 42: each crash is followed by another life of the channel, which is crashed everywhere again.
    @Test func everyCrashOfAChannelThatWasCrashedBefore() throws {
        let configuration = Self.small()
        let sweep = ChannelSweep(configuration)
        sweep.depth.choiceLimit = 40
        sweep.depth.choiceStride = Self.choiceStride
        sweep.depth.insideEvery = Self.insideEvery * 4
        sweep.depth.usedEvery = Self.usedEvery * 2
        var moments = 0
        for round in 0..<Self.rounds where sweep.failures.isEmpty {
            var random = SeededRandom(seed: 1000 + round)
            var disk = SimulatedDisk()
            var model = ChannelModel()
            for _ in 0..<4 where sweep.failures.isEmpty {
                let recorder = ChannelRecorder(disk, seed: random.next(), configuration: configuration, model: model)
                try recorder.open()
                recorder.run(Self.clients(bytes: Int.random(in: 0...900, using: &random), rounds: 2))
                moments += look(recorder, sweep)
                // The next life begins where a crash at random left this one.
                guard let moment = recorder.moments.randomElement(using: &random) else { continue }
                disk = moment.disk.crashed(keeping: moment.disk.randomCrashChoice(using: &random))
                model = sweep.settled(disk, moment.model) ?? model
            }
        }
        #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        print(
            "lives after lives: \(moments) moments, \(sweep.count) distinct states, \(sweep.partial) partly lost, "
                + "\(sweep.openings) openings")
    }

    /// Three clients put, two take, and one does the rest.
    static func sideBySide(_ recorder: ChannelRecorder, bytes: Int = 400, rounds: Int = 4) throws {
        try recorder.open()
        recorder.run(Self.clients(bytes: bytes, rounds: rounds))
        recorder.settleDown()
        try recorder.close()
        try recorder.open()
        recorder.run(Self.clients(bytes: bytes, rounds: 1))
        try recorder.close()
    }

    static func clients(bytes: Int, rounds: Int) -> [@Sendable (ChannelRecorder, Int) -> Void] {
        let putter: @Sendable (ChannelRecorder, Int) -> Void = { recorder, client in
            for round in 0..<rounds {
                recorder.put(client, 1 + (round + client) % 4, bytes: bytes, shared: round % 2 == 0)
                recorder.retryUnknown(client)
                recorder.runtime.yield()
            }
        }
        // Two takes open at once, committed in the other order; every third rolled back.
        let taker: @Sendable (ChannelRecorder, Int) -> Void = { recorder, client in
            for round in 0..<rounds {
                let one = recorder.take(2 + round % 3, waitingUpTo: .seconds(1))
                let two = recorder.take(3)
                recorder.commit(two, deadLetters: round % 2, bookmark: client)
                if round % 3 == 1 { recorder.rollback(one) } else { recorder.commit(one) }
            }
        }
        let keeper: @Sendable (ChannelRecorder, Int) -> Void = { recorder, client in
            for round in 0..<rounds {
                recorder.bookmark(client)
                if round % 2 == 1 { recorder.checkpoint() }
                recorder.runtime.yield()
            }
        }
        return [putter, putter, putter, taker, taker, keeper]
    }
}
