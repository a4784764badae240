import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// A small log that is opened again and again: it stays usable and within its limit.
@Suite struct CycleTests {
    static let capacity: UInt64 = 1 << 20
    static let cycles = TestDepth.pick(sample: 50, part: 200, whole: 1000)

    private func configuration() -> LogConfiguration {
        var configuration = LogConfiguration(capacityBytes: Self.capacity)
        configuration.idleMarkDelay = 0
        return configuration
    }

    /// Row 36.
    @Test func aThousandCleanReopeningsLeaveAOneMebibyteLogUsable() throws {
        let disk = SimulatedDisk()
        watch(disk)
        for cycle in 0..<Self.cycles {
            let world = World(disk, seed: UInt64(cycle))
            let log = try world.open(configuration())
            #expect(log.recoveryReport.created == (cycle == 0))
            if cycle == 0 { _ = try log.append([put(7)]) }
            try log.close()
        }
        try isUsable(disk)
    }

    /// Row 36.
    @Test func aThousandCrashesAfterOpeningLeaveAOneMebibyteLogUsable() throws {
        var disk = SimulatedDisk()
        var random = SeededRandom(seed: 3)
        for cycle in 0..<Self.cycles {
            watch(disk)
            let world = World(disk, seed: UInt64(cycle))
            let log = try world.open(configuration())
            if cycle == 0 { _ = try log.append([put(7)]) }
            disk.beforeOperation = nil
            disk = disk.crashed(keeping: disk.randomCrashChoice(using: &random))
        }
        try isUsable(disk)
    }

    /// Row 36: the crash comes anywhere inside the opening, so that hardly one comes to its end.
    @Test func aThousandCrashesInsideRecoveryLeaveAOneMebibyteLogUsable() throws {
        var disk = SimulatedDisk()
        do {
            let log = try World(disk).open(configuration())
            _ = try log.append([put(7)])
        }
        var random = SeededRandom(seed: 4)
        for cycle in 0..<Self.cycles {
            let crashing = disk.operationCount + Int.random(in: 0...14, using: &random)
            var crashed: SimulatedDisk?
            watch(disk) { [unowned disk] operation in
                if operation.ordinal >= crashing && crashed == nil { crashed = disk.clone() }
            }
            _ = try World(disk, seed: UInt64(cycle)).open(configuration())
            disk.beforeOperation = nil
            let last = crashed ?? disk
            disk = last.crashed(keeping: last.randomCrashChoice(using: &random))
        }
        try isUsable(disk)
    }

    private func watch(
        _ disk: SimulatedDisk, _ then: @escaping (SimulatedDisk.OperationRecord) -> Void = { _ in }
    ) {
        disk.beforeOperation = { [unowned disk] operation in
            then(operation)
            let taken = disk.allocatedBytes()
            if taken > Self.capacity { Issue.record("\(taken) bytes on disk before \(operation)") }
        }
    }

    private func isUsable(_ disk: SimulatedDisk) throws {
        disk.beforeOperation = nil
        let world = World(disk, seed: 9)
        let log = try world.open(configuration())
        #expect(log.recoveryReport.losses.isEmpty)
        #expect(try log.tags() == [7])
        var count = 0
        while count < 1000, (try? log.append([put(100 + count, bytes: 4000)])) != nil { count += 1 }
        #expect(count > 50, "\(log.segments)")
        #expect(disk.allocatedBytes() <= Self.capacity)
        try log.close()
        #expect(try World(disk, seed: 10).open(configuration()).tags().count == count + 1)
    }
}
