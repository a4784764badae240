import FileIO
import Glibc
import SimulatedFileIO
import Testing

@Suite struct SimulatedFaultTests {
    @Test func aFaultStrikesTheRightOperationsTheRightNumberOfTimes() throws {
        let bench = try Bench()
        let file = try bench.durableFile("1.seg", [0])
        let other = try bench.durableFile("checkpoint", [0])
        bench.disk.faults.add(Fault(.write, errno: EIO, on: .suffix(".seg"), skipping: 2, count: 2))
        let errors = try (0..<6).map { index in
            try other.put([1])
            return failure { try file.put([UInt8(index + 1)]) }?.errno
        }
        #expect(errors == [nil, nil, EIO, EIO, nil, nil])
        #expect(bench.disk.faults.strikes == 2)
        bench.disk.faults.add(Fault(.create, errno: EMFILE, on: .prefix("tmp"), count: Fault.forever))
        for _ in 0..<3 {
            let error = failure { _ = try bench.directory.create("tmp-1", method: .synced) }
            #expect(error == FileError(.create, path: "/disk/tmp-1", errno: EMFILE))
        }
        bench.disk.faults.removeAll()
        _ = try bench.directory.create("tmp-1", method: .synced)
    }

    @Test func readsOfABadSectorFailAndOthersDoNot() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", pattern(4096))
        bench.disk.faults.add(Fault(.read, errno: EIO, range: 1024..<1536, count: Fault.forever))
        #expect(try file.bytes(1024) == pattern(1024))
        #expect(failure { _ = try file.bytes(1025) }?.reason == .inputOutput)
        #expect(failure { _ = try file.bytes(10, at: 1535, source: .device) }?.errno == EIO)
        #expect(try file.bytes(10, at: 1536).count == 10)
    }

    @Test(arguments: [
        (Fault.Outcome.absent, 0), (.whole, 1024), (.torn(.sectors([0..<1])), 512),
    ]) func aFailedSubmittedWriteLeavesWhatTheScriptSays(_ outcome: Fault.Outcome, _ written: Int) throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [UInt8](repeating: 0, count: 4096), method: .directSynced)
        bench.disk.faults.add(Fault(.submit, errno: EIO, outcome: outcome))
        let outcomes = Outcomes()
        bench.submit(file, [UInt8](repeating: 1, count: 1024), at: 0, outcomes)
        bench.runtime.runUntilIdle()
        #expect(outcomes.all == [FileError(.write, path: "/disk/a", errno: EIO)])
        for disk in [bench.disk.crashed(keeping: .nothing), bench.disk.crashed(keeping: .everything)] {
            #expect(disk.contents(of: "/disk/a")?.count { $0 == 1 } == written)
        }
        #expect(try file.bytes(4096).count { $0 == 1 } == written)
    }

    @Test func aFailedWriteThroughTheCacheShowsItsBytesThere() throws {
        for method in [WriteMethod.synced, .writeThenSync] {
            let bench = try Bench()
            let file = try bench.durableFile("a", [UInt8](repeating: 0, count: 4096), method: method)
            bench.disk.faults.add(Fault(.complete, errno: EIO))
            bench.submit(file, [UInt8](repeating: 1, count: 512), at: 0)
            bench.runtime.runUntilIdle()
            try file.synchronize()
            #expect(try file.bytes(512).allSatisfy { $0 == 1 })
            #expect(try file.bytes(512, source: .device).allSatisfy { $0 == 0 })
            #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a")?.allSatisfy { $0 == 0 } == true)
        }
    }

    @Test func aFullDiskRefusesGrowthAndGivesRoomBackWhenFilesGo() throws {
        let bench = try Bench()
        bench.disk.options.capacityBytes = 2 * 4096 + 16_384
        let file = try bench.directory.create("a", method: .writeThenSync)
        #expect(bench.disk.allocatedBytes() == 2 * 4096)
        #expect(try bench.directory.volume().freeBytes == 16_384)
        try file.truncate(to: 1 << 20)
        try file.truncate(to: 0)
        let refused = failure { try file.prewrite(0..<16_385) }
        #expect(refused == FileError(.prewrite, path: "/disk/a", errno: ENOSPC) && refused?.reason == .noSpace)
        #expect(try file.status().size == 0)
        try file.prewrite(0..<12_288)
        // What fits of a write is written, as by the kernel.
        #expect(failure { try file.put(pattern(8192), at: 12_288) }?.errno == ENOSPC)
        #expect(try file.status().size == 16_384)
        #expect(bench.disk.allocatedBytes() == 2 * 4096 + 16_384)
        try file.put(pattern(16_384))
        #expect(failure { _ = try bench.directory.create("b", method: .synced) }?.errno == ENOSPC)
        #expect(failure { try bench.fileSystem.makeDirectory(at: "/disk/c") }?.errno == ENOSPC)
        let outcomes = Outcomes()
        bench.submit(file, [1], at: 16_384, outcomes)
        bench.runtime.runUntilIdle()
        #expect(outcomes.failures.map(\.reason) == [.noSpace])

        try bench.directory.unlink("a")
        #expect(bench.disk.allocatedBytes() == 2 * 4096 + 16_384)
        try file.close()
        #expect(bench.disk.allocatedBytes() == 2 * 4096)
        _ = try bench.directory.create("b", method: .synced)
    }

    @Test func aSlowSyncTakesVirtualTime() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [])
        bench.disk.faults.add(Fault(.synchronize, errno: 0, delay: 3_000_000_000))
        bench.disk.faults.add(Fault(.submit, errno: 0, delay: 2_000_000_000))
        let start = bench.runtime.monotonicClock()
        try file.synchronize()
        #expect(bench.runtime.monotonicClock() - start >= 3_000_000_000)
        let (cell, written) = (WaitCell(), Outcomes())
        bench.submit(file, [1], at: 0, written)
        #expect(bench.runtime.wait(for: cell, timeout: 1_000_000_000) == nil)
        #expect(written.count == 0)
        bench.runtime.runUntilIdle()
        #expect(written.all == [nil])
    }

    @Test func withoutDirectWritesTheMethodIsUnsupported() throws {
        let bench = try Bench()
        bench.disk.options.supportsDirectWrites = false
        let error = failure { _ = try bench.directory.create("a", method: .directSynced) }
        #expect(error?.reason == .unsupported && error?.errno == EINVAL)
        #expect(try bench.directory.list() == [])
    }

    @Test func everyOperationIsShownBeforeItHappens() throws {
        let bench = try Bench()
        var shown: [String] = []
        var states: [SimulatedDisk] = []
        let disk = bench.disk
        disk.beforeOperation = { [unowned disk] record in
            shown.append(record.description)
            states.append(disk.clone())
        }
        let first = disk.operationCount
        let file = try bench.directory.create("a", method: .writeThenSync)
        try file.put([1, 2])
        bench.submit(file, [3], at: 2)
        bench.runtime.runUntilIdle()
        _ = try file.bytes(3)
        try file.synchronize()
        try bench.directory.synchronize()
        try file.close()
        let expected = [
            "create /disk/a", "write /disk/a 0..<2", "submit /disk/a 2..<3", "complete /disk/a 2..<3",
            "synchronize /disk/a", "synchronizeDirectory /disk", "close /disk/a",
        ]
        #expect(shown == expected.enumerated().map { "\(first + $0.offset) \($0.element)" })
        let contents: [[UInt8]?] = [nil, [], [1, 2], [1, 2], [1, 2, 3], [1, 2, 3], [1, 2, 3]]
        #expect(states.map { $0.contents(of: "/disk/a") } == contents)
        #expect(disk.operationCount == first + 7)
        disk.options.countsReads = true
        _ = try? bench.directory.list()
        #expect(shown.last == "\(first + 7) list /disk")
    }

    @Test func aHaltedDiskDoesNothingAnyMore() throws {
        let bench = try Bench()
        let (file, outcomes) = (try bench.durableFile("a", [1]), Outcomes())
        bench.submit(file, [2], at: 0, outcomes)
        bench.disk.halt(beforeOperation: bench.disk.operationCount + 1)
        try file.put([3], at: 1)
        let hash = bench.disk.stateHash
        #expect(failure { try file.put([4], at: 2) }?.errno == EIO)
        #expect(failure { _ = try file.bytes(1) }?.errno == EIO)
        #expect(failure { try file.synchronize() }?.errno == EIO)
        bench.submit(file, [5], at: 3, outcomes)
        bench.runtime.runUntilIdle()
        #expect(outcomes.count == 0 && bench.disk.isHalted && bench.disk.stateHash == hash)
    }

    @Test func locksBelongToAProcessAndEndWithIt() throws {
        let bench = try Bench()
        let second = SimulatedFileSystem(disk: bench.disk, runtime: bench.runtime)
        let directory = try second.openDirectory(at: "/disk")
        #expect(try bench.directory.tryLock())
        #expect(try !directory.tryLock())
        let (file, outcomes) = (try bench.durableFile("a", [0]), Outcomes())
        bench.submit(file, [1], at: 0, outcomes)
        bench.fileSystem.kill()
        #expect(try directory.tryLock())
        #expect(failure { try file.put([2]) }?.errno == EIO)
        bench.runtime.runUntilIdle()
        #expect(outcomes.count == 0)
        #expect(bench.disk.contents(of: "/disk/a") == [1])
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == [0])
        #expect(try bench.disk.killed().names(in: "/disk") == directory.list())
    }
}
