import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 1-6, 8, 9, 36, 42, 43: a crash at every storage operation, in every legal way, and again inside recovery.
@Suite struct CrashSweepTests {
    #if DEBUG
        static let seeds: Range<UInt64> = 1..<2
        static let insideEvery = 40
    #else
        static let seeds: Range<UInt64> = 1..<6
        static let insideEvery = 5
    #endif

    private func sweep(
        _ name: String, _ configuration: LogConfiguration = World.small(), _ options: SimulatedDisk.Options = .init(),
        _ workload: (CrashRecorder) throws -> Void
    ) throws {
        let sweep = CrashSweep(configuration)
        sweep.insideEvery = Self.insideEvery
        var most = 0
        for seed in Self.seeds where sweep.failures.isEmpty {
            let recorder = CrashRecorder(SimulatedDisk(options), seed: seed, configuration: configuration)
            try workload(recorder)
            most = max(most, recorder.log?.mostGroupsInFlight ?? 0)
            sweep.sweep(recorder)
        }
        #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        print("\(name): \(sweep.states.count) distinct states, \(sweep.partial) partly lost, "
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
        try sweep("roll, retire, recycle") { recorder in
            try recorder.open()
            for _ in 0..<8 {
                try recorder.submit(2, bytes: 900)
                recorder.steps(2)
                try recorder.submit(2, bytes: 900)
                recorder.steps(1)
                try recorder.submit(2, bytes: 200, framesEach: 2)
                recorder.steps(7)
            }
            recorder.drain()
            recorder.retire(keeping: 2)
            recorder.drain()
            for _ in 0..<4 {
                try recorder.submit(4, bytes: 900)
                recorder.steps(5)
            }
            recorder.retire(keeping: 1)
            recorder.steps(3)
            try recorder.submit(4, bytes: 500)
            recorder.drain()
            try recorder.close()
        }
    }
}
