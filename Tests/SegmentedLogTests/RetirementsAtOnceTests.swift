import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing
import TestSupport

/// A retirement that finds only what an earlier one has left behind, beside one whose snapshot is on its way.
@Suite struct RetirementsAtOnceTests {
    private final class Progress: @unchecked Sendable {
        var isAcknowledged = false
        var isFirstDone = false
        var isSecondDone = false
        var isInside = false
        var isBetween = false
    }

    private static func configuration(_ durability: DurabilityMode) -> LogConfiguration {
        World.small {
            $0.durability = durability
            $0.groupsInFlight = 1
            $0.capacityBytes = 640 << 10
            $0.snapshotLimitBytes = 2048
        }
    }

    @Test(arguments: [DurabilityMode.none, .interval])
    func whatACheckpointListsIsNotRemoved(_ durability: DurabilityMode) throws {
        var found = 0
        for seed in 1..<40 as Range<UInt64> where found < 3 {
            let moments = try retireSideBySide(durability, seed: seed)
            found += moments.isEmpty ? 0 : 1
            for disk in moments {
                for choice in [CrashChoice.nothing] + disk.legalCrashChoices(limit: 20) {
                    let next = World(disk.crashed(keeping: choice), seed: 9)
                    next.clientStateBytes = 10
                    #expect(try next.open(Self.configuration(durability)).recoveryReport.losses.isEmpty)
                }
            }
        }
        #expect(found == 3)
    }

    /// What a power cut may meet from the place on where the first one's snapshot was acknowledged while the other wrote its slot;
    /// nothing where that did not come about.
    private func retireSideBySide(_ durability: DurabilityMode, seed: UInt64) throws -> [SimulatedDisk] {
        let world = World(SimulatedDisk(), seed: seed)
        world.clientStateBytes = 10
        let log = try world.open(Self.configuration(durability))
        var tag = 0
        while log.segments.count < 5 {
            _ = try log.append([put(tag, bytes: 900)])
            tag += 1
            world.runtime.runUntilIdle()
        }
        // Segment 1 has been let go, and the checkpoint could not be written: the file stays.
        world.disk.faults.add(Fault(.open, errno: EIO, on: .name("checkpoint")))
        world.disk.faults.add(Fault(.create, errno: EIO))
        #expect(throws: LogError.self) { try log.retire([SegmentNumber(1)]) }
        world.disk.faults.removeAll()
        world.runtime.runUntilIdle()
        try log.synchronize()

        let progress = Progress()
        let cell = WaitCell()
        let runtime = world.runtime
        runtime.permitsWaitingWork = true
        var moments: [SimulatedDisk] = []
        log.retire([SegmentNumber(2)]) { _ in progress.isFirstDone = true }
        runtime.step()
        log.submit([try put(777)]) { _ in
            progress.isAcknowledged = true
            runtime.signal(cell, value: 1)
        }
        log.retire([]) { _ in progress.isSecondDone = true }
        world.disk.beforeOperation = { [unowned world] record in
            if progress.isBetween { moments.append(world.disk.clone()) }
            guard record.path.hasSuffix("checkpoint"), record.operation != .open, !progress.isInside,
                !progress.isBetween, !progress.isAcknowledged, !progress.isSecondDone
            else { return }
            progress.isInside = true
            // Other threads get their turn while this one writes its slot.
            _ = world.runtime.wait(for: cell)
            progress.isInside = false
            progress.isBetween = !log.segments.contains { $0.number == SegmentNumber(2) } && !progress.isFirstDone
        }
        runtime.runUntilIdle()
        world.disk.beforeOperation = nil
        return moments
    }
}
