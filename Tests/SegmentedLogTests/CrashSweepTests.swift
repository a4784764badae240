import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// Rows 1-6, 8, 9, 36, 42, 43: a crash at every storage operation, in every legal way, and again inside recovery.
@Suite struct CrashSweepTests {
    static let seeds: Range<UInt64> = 1..<TestDepth.pick(sample: 2, part: 2, whole: 4)
    static let insideEvery = TestDepth.pick(sample: 100, part: 40, whole: 5)
    /// Of the operations every so many are looked at.
    static let momentStride = TestDepth.pick(sample: 64, part: 1, whole: 1)
    static let failingWrites = TestDepth.pick(sample: [2], part: [2], whole: [2, 4, 6])

    private func sweep(
        _ name: String, _ configuration: LogConfiguration = World.small(), _ options: SimulatedDisk.Options = .init(),
        clientStateBytes: Int = 0, _ workload: (CrashRecorder) throws -> Void
    ) throws {
        let sweep = CrashSweep(configuration)
        sweep.insideEvery = Self.insideEvery
        sweep.momentStride = Self.momentStride
        sweep.clientStateBytes = clientStateBytes
        var most = 0
        for seed in Self.seeds where sweep.failures.isEmpty {
            let recorder = CrashRecorder(
                SimulatedDisk(options), seed: seed, configuration: configuration, clientStateBytes: clientStateBytes)
            try workload(recorder)
            most = max(most, recorder.log?.mostGroupsInFlight ?? 0)
            sweep.sweep(recorder)
        }
        #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        print(
            "\(name): \(sweep.states.count) distinct states, \(sweep.partial) partly lost, "
                + "\(sweep.reopened) openings, up to \(most) groups in flight")
    }

    @Test func everyCrashOfCreationAndAFewAppends() throws {
        try sweep("creation") { recorder in
            try recorder.open()
            try recorder.submit(3)
            recorder.drain()
            try recorder.close()
        }
    }

    @Test func everyCrashWithFourGroupsInFlightWhileRollingRetiringAndRecycling() throws {
        try sweep("roll, retire, recycle") { try rollAndRetire($0) }
    }

    @Test func everyCrashWhenEachGroupTakesTwoCallsAndSectorsTearInside() throws {
        var options = SimulatedDisk.Options()
        options.tearsInsideSectors = true
        options.supportsDirectWrites = false
        options.renamesCanLeaveBothNames = true
        try sweep("write, then sync", World.small { $0.writeMethods = [.directSynced, .writeThenSync] }, options) {
            try rollAndRetire($0)
        }
    }

    @Test func everyCrashWithBlocksOf4096Bytes() throws {
        var options = SimulatedDisk.Options()
        options.sectorBytes = 4096
        options.logicalBlockBytes = 4096
        try sweep(
            "blocks of 4096",
            World.small {
                $0.segmentBytes = 64 << 10
                $0.capacityBytes = 1 << 20
            }, options
        ) { recorder in
            try rollAndRetire(recorder, bytes: 3500)
        }
    }

    @Test func everyCrashOfAFullLogThatIsDrainedThroughTheReserve() throws {
        try sweep("full, then drained", World.small { $0.capacityBytes = 240 << 10 }) { recorder in
            try recorder.open()
            for _ in 0..<16 {
                try recorder.submit(4, bytes: 900)
                recorder.steps(12)
            }
            recorder.drain()
            for _ in 0..<12 {
                try recorder.notes(6, bytes: 400)
                recorder.drain()
            }
            recorder.retire(keeping: 2)
            recorder.drain()
            recorder.world.runtime.advance(by: 1_000_000_000)
            try recorder.submit(6, bytes: 900)
            recorder.drain()
            try recorder.close()
        }
    }

    /// Rows 21, 22, 42: the latch, with groups in flight before and behind the one that fails; and when the first group of
    /// the segment that the log goes on in takes more than one sector, so that its `open` frame may be there alone.
    @Test(arguments: [Fault.Outcome.absent, .whole, .torn(.sectors([0..<1]))], [0, 500])
    func everyCrashAroundAFailedWrite(_ outcome: Fault.Outcome, _ clientStateBytes: Int) throws {
        var unknown = 0
        for failing in Self.failingWrites {
            try sweep(
                "failed write \(failing), \(outcome), \(clientStateBytes) bytes of client state",
                clientStateBytes: clientStateBytes
            ) { recorder in
                try recorder.open()
                recorder.world.disk.faults.add(
                    Fault(.complete, errno: 5, on: .anything, skipping: failing, outcome: outcome))
                for _ in 0..<5 {
                    try recorder.submit(3, bytes: 900)
                    recorder.steps(4)
                }
                recorder.drain()
                try recorder.submit(2, bytes: 900)
                recorder.drain()
                #expect(recorder.log?.readOnlyError == nil && recorder.log?.epoch == Epoch(2))
                unknown += recorder.model.unknown.count
                try recorder.close()
            }
        }
        #expect(unknown > 0)
    }

    /// Rows 36, 42: each crash is followed by another life of the log, which is crashed everywhere again.
    @Test func everyCrashOfALogThatWasCrashedBefore() throws {
        let rounds: UInt64 = TestDepth.pick(sample: 2, part: 4, whole: 30)
        let configuration = World.small()
        let sweep = CrashSweep(configuration)
        sweep.choiceLimit = 40
        sweep.insideEvery = Self.insideEvery * 4
        sweep.momentStride = Self.momentStride
        for round in 0..<rounds where sweep.failures.isEmpty {
            var random = SeededRandom(seed: 1000 + round)
            var disk = SimulatedDisk()
            var model = Model()
            var tag = 0
            for life in 0..<4 where sweep.failures.isEmpty {
                let recorder = CrashRecorder(
                    disk, seed: random.next(), configuration: configuration, startingAt: tag, model: model)
                try recorder.open()
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    try recorder.submit(Int.random(in: 1...4, using: &random), bytes: 700)
                    recorder.steps(Int.random(in: 1...6, using: &random))
                }
                if life == 2 { recorder.retire(keeping: 1) }
                recorder.steps(Int.random(in: 0...8, using: &random))
                sweep.sweep(recorder)
                tag += 100
                // The next life begins where a crash at random left this one.
                disk.beforeOperation = nil
                disk = disk.crashed(keeping: disk.randomCrashChoice(using: &random))
                let found = try World(disk.clone(), seed: 5).open(configuration).tags()
                #expect(recorder.model.objection(to: found) == nil)
                model = recorder.model.settled(on: found)
            }
        }
        #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        print("lives after lives: \(sweep.states.count) distinct states, \(sweep.reopened) openings")
    }

    private func rollAndRetire(_ recorder: CrashRecorder, bytes: Int = 900) throws {
        try recorder.open()
        for _ in 0..<8 {
            try recorder.submit(2, bytes: bytes)
            recorder.steps(2)
            try recorder.submit(2, bytes: bytes)
            recorder.steps(1)
            try recorder.submit(2, bytes: bytes / 4, framesEach: 2)
            recorder.steps(7)
        }
        recorder.drain()
        recorder.retire(keeping: 2)
        recorder.drain()
        for _ in 0..<4 {
            try recorder.submit(4, bytes: bytes)
            recorder.steps(5)
        }
        recorder.retire(keeping: 1)
        recorder.steps(3)
        try recorder.submit(4, bytes: bytes / 2)
        recorder.drain()
        try recorder.close()
    }
}
