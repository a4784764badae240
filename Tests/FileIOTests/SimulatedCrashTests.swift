import FileIO
import Glibc
import SimulatedFileIO
import Testing

/// A simulated disk with one directory, `/disk`, and a process that uses it.
struct Bench {
    let disk: SimulatedDisk
    let runtime: SimulatedRuntime
    let fileSystem: SimulatedFileSystem
    let directory: any StorageDirectory

    init(_ disk: SimulatedDisk = SimulatedDisk(), seed: UInt64 = 1) throws {
        self.disk = disk
        runtime = SimulatedRuntime(seed: seed)
        fileSystem = SimulatedFileSystem(disk: disk, runtime: runtime)
        try fileSystem.makeDirectory(at: "/disk")
        directory = try fileSystem.openDirectory(at: "/disk")
    }

    /// A file whose name and first bytes are durable.
    func durableFile(_ name: String, _ bytes: [UInt8], method: WriteMethod = .writeThenSync) throws -> any StorageFile {
        disk.setContents(of: "/disk/\(name)", to: bytes)
        return try directory.open(name, for: .writing(method))
    }

    func submit(_ file: any StorageFile, _ bytes: [UInt8], at offset: UInt64, _ outcomes: Outcomes = Outcomes()) {
        file.submitWrite(AlignedBuffer(bytes), count: bytes.count, at: offset) { outcomes.add($0) }
    }
}

@Suite struct SimulatedCrashTests {
    private let zeros = [UInt8](repeating: 0, count: 4096)

    @Test func theTimeOfTheLastWriteSurvivesRenamesCopiesAndCrashes() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", zeros)
        let planted = try file.status().modificationTime
        #expect(planted == bench.runtime.wallClock())
        bench.runtime.advance(by: 5)
        try file.put([1, 2, 3])
        #expect(try file.status().modificationTime == planted + 5)
        bench.runtime.advance(by: 5)
        try file.truncate(to: 2)
        bench.runtime.advance(by: 5)
        try bench.directory.rename("a", to: "b")
        try bench.directory.synchronize()
        let (clone, killed) = (bench.disk.clone(), bench.disk.killed())
        for disk in [bench.disk, clone, killed, bench.disk.crashed(keeping: .nothing)] {
            let other = SimulatedFileSystem(disk: disk, runtime: SimulatedRuntime(seed: 2))
            let status = try other.openDirectory(at: "/disk").status(of: "b")
            #expect(status?.modificationTime == planted + 10)
        }
        bench.disk.setModificationTime(of: "/disk/b", to: 7)
        #expect(try file.status().modificationTime == 7)
    }

    @Test func whatWasNotSyncedCanBeLostAndWhatWasCannot() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", zeros)
        try file.put([1, 2, 3])
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a")?.prefix(3) == [0, 0, 0])
        #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a")?.prefix(3) == [1, 2, 3])
        try file.synchronize()
        #expect(bench.disk.pendingOperations.isEmpty)
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a")?.prefix(3) == [1, 2, 3])
    }

    @Test func aSyncedFileWithoutASyncedNameIsGone() throws {
        let bench = try Bench()
        let file = try bench.directory.create("a", method: .writeThenSync)
        try file.put([1, 2, 3])
        try file.synchronize()
        #expect(bench.disk.pendingOperations.map(\.kind) == [.create(name: "a")])
        #expect(bench.disk.crashed(keeping: .nothing).names(in: "/disk") == [])
        try bench.directory.synchronize()
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == [1, 2, 3])
    }

    @Test func aSyncedNameWithoutASyncedFileIsAnEmptyFile() throws {
        let bench = try Bench()
        try bench.directory.create("a", method: .writeThenSync).put([1, 2, 3])
        try bench.directory.synchronize()
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == [])
    }

    @Test func sizeAndDataSurviveApart() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [9])
        try file.put([7, 7, 7], at: 2)
        let ids = bench.disk.pendingOperations.map(\.id)
        #expect(bench.disk.pendingOperations.map(\.kind) == [.size(from: 1, to: 5), .write(2..<5)])
        #expect(bench.disk.crashed(keeping: .only([ids[0]])).contents(of: "/disk/a") == [9, 0, 0, 0, 0])
        #expect(bench.disk.crashed(keeping: .only([ids[1]])).contents(of: "/disk/a") == [9])
        // Bytes that survived behind the size are not there again when the file grows later.
        let later = try Bench(bench.disk.crashed(keeping: .only([ids[1]])))
        try later.directory.open("a", for: .writing(.synced)).truncate(to: 5)
        #expect(later.disk.contents(of: "/disk/a") == [9, 0, 0, 0, 0])
    }

    @Test func aTruncationCanBeLostAndALaterSizeStandsOnIt() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", pattern(1000))
        try file.truncate(to: 10)
        try file.truncate(to: 500)
        let ids = bench.disk.pendingOperations.map(\.id)
        let expected = Array(pattern(10)) + [UInt8](repeating: 0, count: 490)
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == pattern(1000))
        #expect(bench.disk.crashed(keeping: .only([ids[0]])).contents(of: "/disk/a") == pattern(10))
        #expect(bench.disk.crashed(keeping: .only([ids[1]])).contents(of: "/disk/a") == expected)
    }

    @Test(arguments: [512, 4096])
    func writesAreTornAtSectors(_ sectorBytes: Int) throws {
        let bench = try Bench()
        bench.disk.options.sectorBytes = sectorBytes
        let file = try bench.durableFile("a", [UInt8](repeating: 0, count: 4 * sectorBytes))
        // Begins in the middle of the first sector.
        let half = sectorBytes / 2
        try file.put([UInt8](repeating: 1, count: 3 * sectorBytes), at: UInt64(half))
        let write = try #require(bench.disk.pendingOperations.last)
        #expect(write.sectorCount(sectorBytes: sectorBytes) == 4)

        func runs(_ part: KeptPart) -> [Int] {
            let crashed = bench.disk.crashed(keeping: CrashChoice(others: .nothing, exceptions: [write.id: part]))
            let bytes = crashed.contents(of: "/disk/a") ?? []
            return bytes.indices.filter { $0 == 0 ? bytes[0] == 1 : bytes[$0] != bytes[$0 - 1] }
        }
        #expect(runs(.sectors([0..<1])) == [half, sectorBytes])
        let two = [sectorBytes, 2 * sectorBytes, 3 * sectorBytes, 3 * sectorBytes + half]
        #expect(runs(.sectors([1..<2, 3..<4])) == two)
        #expect(runs(.sectors([1..<4])) == [sectorBytes, 3 * sectorBytes + half])
        #expect(runs(.tornInside(sector: 1)) == [half, sectorBytes + half])
        #expect(runs(.whole) == [half, 3 * sectorBytes + half])
    }

    @Test func namesOfADirectoryAreIndependentUnlessTheyAreTheSame() throws {
        let bench = try Bench()
        _ = try bench.durableFile("old", [1])
        try bench.directory.rename("old", to: "older")
        _ = try bench.directory.create("old", method: .synced)
        _ = try bench.directory.create("other", method: .synced)
        let ids = bench.disk.pendingOperations.map(\.id)
        // The new `old` cannot be there while the rename is lost: that would lose the file.
        #expect(bench.disk.crashed(keeping: .only([ids[1]])).names(in: "/disk") == ["old", "older"])
        #expect(bench.disk.crashed(keeping: .only([ids[2]])).names(in: "/disk") == ["old", "other"])
        #expect(bench.disk.crashed(keeping: .only([ids[2]])).contents(of: "/disk/old") == [1])
        #expect(bench.disk.crashed(keeping: .only([ids[0]])).names(in: "/disk") == ["older"])
        let both = CrashChoice(others: .nothing, exceptions: [ids[0]: .bothNames])
        #expect(bench.disk.crashed(keeping: both).names(in: "/disk") == ["old", "older"])
    }

    @Test func aLostUnlinkBringsTheFileBackWithItsDurableBytes() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [1, 2])
        try file.put([3])
        try file.close()
        try bench.directory.unlink("a")
        #expect(bench.disk.names(in: "/disk") == [])
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == [1, 2])
        try bench.directory.synchronize()
        #expect(bench.disk.pendingOperations.isEmpty)
        #expect(bench.disk.crashed(keeping: .nothing).names(in: "/disk") == [])
    }

    @Test func aSubmittedWriteIsDurableWhenItsCompletionRuns() throws {
        for method in WriteMethod.allCases {
            let bench = try Bench()
            let (file, outcomes) = (try bench.durableFile("a", [], method: method), Outcomes())
            bench.submit(file, pattern(1024), at: 0, outcomes)
            #expect(outcomes.count == 0)
            #expect(bench.disk.pendingOperations.map(\.isInFlight) == [true, true])
            #expect(bench.disk.contents(of: "/disk/a") == [])
            #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a") == pattern(1024))
            bench.runtime.runUntilIdle()
            #expect(outcomes.all == [nil])
            #expect(bench.disk.pendingOperations.isEmpty)
            #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == pattern(1024))
        }
    }

    @Test func aDurableWriteMakesAsMuchOfAPendingSizeDurableAsItNeeds() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [], method: .directSynced)
        try file.truncate(to: 1 << 20)
        bench.submit(file, pattern(512), at: 512)
        bench.runtime.runUntilIdle()
        let expected = [UInt8](repeating: 0, count: 512) + pattern(512)
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == expected)
        #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a")?.count == 1 << 20)
    }

    @Test func aKilledProcessLeavesThePageCacheAndItsWritesInFlight() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [UInt8](repeating: 0, count: 2048), method: .synced)
        try file.put([5])
        bench.submit(file, [UInt8](repeating: 1, count: 1024), at: 1024)
        let write = try #require(bench.disk.pendingOperations.last)

        let whole = bench.disk.killed()
        #expect(whole.contents(of: "/disk/a")?[0] == 5 && whole.contents(of: "/disk/a")?[2047] == 1)
        #expect(whole.pendingOperations.allSatisfy { !$0.isInFlight })
        #expect(whole.crashed(keeping: .nothing).contents(of: "/disk/a")?.allSatisfy { $0 == 0 } == true)

        let absent = bench.disk.killed(keeping: .nothing)
        #expect(absent.contents(of: "/disk/a")?[0] == 5 && absent.contents(of: "/disk/a")?[2047] == 0)

        let part = CrashChoice(others: .whole, exceptions: [write.id: .sectors([1..<2])])
        let torn = bench.disk.killed(keeping: part)
        #expect(torn.contents(of: "/disk/a")?[1024] == 0 && torn.contents(of: "/disk/a")?[1536] == 1)
    }

    @Test func afterAFailedSyncTheCacheShowsWhatTheDiskDoesNotHave() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", zeros)
        try file.put([1, 1, 1])
        bench.disk.faults.add(Fault(.synchronize, errno: EIO, on: .name("a")))
        #expect(failure { try file.synchronize() } == FileError(.synchronize, path: "/disk/a", errno: EIO))
        try file.synchronize()
        #expect(try file.bytes(3) == [1, 1, 1])
        #expect(try file.bytes(3, source: .device) == [0, 0, 0])
        #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a")?.prefix(3) == [0, 0, 0])
        // What is written and synced after that is durable, and nothing else.
        try file.put([2], at: 3)
        try file.synchronize()
        #expect(try file.bytes(4) == [1, 1, 1, 2])
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a")?.prefix(4) == [0, 0, 0, 2])
    }

    @Test func aReadFromTheDeviceSeesWhatIsPendingAndMakesNothingDurable() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", zeros)
        try file.put([1])
        #expect(try file.bytes(1, source: .device) == [1])
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a")?[0] == 0)
    }

    @Test func aFailedDirectorySyncLosesTheNames() throws {
        let bench = try Bench()
        _ = try bench.directory.create("a", method: .synced)
        bench.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO))
        #expect(failure { try bench.directory.synchronize() }?.operation == .synchronizeDirectory)
        try bench.directory.synchronize()
        #expect(try bench.directory.list() == ["a"])
        #expect(bench.disk.crashed(keeping: .everything).names(in: "/disk") == [])
    }

    @Test func aDiskThatLiesLosesWhatItAcknowledged() throws {
        let bench = try Bench()
        bench.disk.options.liesAboutSync = true
        let (file, outcomes) = (try bench.directory.create("a", method: .synced), Outcomes())
        bench.submit(file, pattern(512), at: 0, outcomes)
        bench.runtime.runUntilIdle()
        try file.synchronize()
        try bench.directory.synchronize()
        #expect(outcomes.all == [nil])
        #expect(bench.disk.contents(of: "/disk/a") == pattern(512))
        #expect(bench.disk.crashed(keeping: .nothing).names(in: "/disk") == [])
        #expect(bench.disk.crashed(keeping: .everything).contents(of: "/disk/a") == pattern(512))
    }

    @Test func makeDirectoryRepairsTheNameThatAKilledCallLeftInDoubt() throws {
        let disk = SimulatedDisk()
        let first = SimulatedFileSystem(disk: disk, runtime: SimulatedRuntime(seed: 1))
        disk.halt(beforeOperation: 1)
        #expect(failure { try first.makeDirectory(at: "/a/b") }?.reason == .inputOutput)
        let left = disk.killed()
        #expect(left.names(in: "/") == ["a"])
        #expect(left.crashed(keeping: .nothing).names(in: "/") == [])
        try SimulatedFileSystem(disk: left, runtime: SimulatedRuntime(seed: 1)).makeDirectory(at: "/a/b")
        #expect(left.crashed(keeping: .nothing).names(in: "/a") == ["b"])
    }

    // MARK: Enumeration

    @Test func upToEightPendingOperationsAreEnumeratedBySubsets() throws {
        let bench = try Bench()
        for name in ["a", "b", "c"] { _ = try bench.directory.create(name, method: .synced) }
        let choices = bench.disk.legalCrashChoices()
        #expect(choices.count == 8)
        #expect(choices.first == .everything && choices[1] == .nothing)
        #expect(Set(choices.map { bench.disk.crashed(keeping: $0).stateHash }).count == 8)
        #expect(bench.disk.legalCrashChoices(limit: 5) == Array(choices.prefix(5)))
    }

    @Test func moreAreEnumeratedAloneAndByPrefix() throws {
        let bench = try Bench()
        for index in 0..<10 { _ = try bench.directory.create("f\(index)", method: .synced) }
        // All, none, 10 alone lost, 10 alone kept, prefixes of 1...9. The first alone is the prefix of 1, and all but the
        // last is the prefix of 9: those are other choices with the same states.
        let choices = bench.disk.legalCrashChoices()
        #expect(Set(choices).count == choices.count)
        let states = Set(choices.map { bench.disk.crashed(keeping: $0).stateHash })
        #expect(states.count == 29)
    }

    @Test func aWriteOfSeveralSectorsIsCutAtFirstMiddleAndLast() throws {
        let bench = try Bench()
        let file = try bench.durableFile("a", [UInt8](repeating: 0, count: 4096))
        try file.put(pattern(4096).map { $0 | 1 })
        #expect(bench.disk.legalCrashChoices().count == 2 + 6)
        #expect(Set(bench.disk.legalCrashChoices().map { bench.disk.crashed(keeping: $0).stateHash }).count == 8)
        bench.disk.options.tearsInsideSectors = true
        #expect(Set(bench.disk.legalCrashChoices().map { bench.disk.crashed(keeping: $0).stateHash }).count == 10)
        bench.disk.options.sectorBytes = 4096
        bench.disk.options.tearsInsideSectors = false
        #expect(bench.disk.legalCrashChoices().count == 2)
    }

    @Test func equalContentsHaveEqualHashes() throws {
        let (first, second) = (try Bench(), try Bench())
        let file = try first.directory.create("a", method: .synced)
        try file.put(pattern(9000))
        try file.put([1, 2, 3], at: 5000)
        let other = try second.directory.create("b", method: .synced)
        var bytes = pattern(9000)
        bytes.replaceSubrange(5000..<5003, with: [1, 2, 3])
        for offset in stride(from: 8999, through: 0, by: -1) { try other.put([bytes[offset]], at: UInt64(offset)) }
        #expect(first.disk.liveHash != second.disk.liveHash)
        try second.directory.rename("b", to: "a")
        #expect(first.disk.liveHash == second.disk.liveHash)
        #expect(first.disk.durableHash == second.disk.durableHash)
        try file.put([bytes[0] ^ 1])
        #expect(first.disk.liveHash != second.disk.liveHash)
        try file.put([bytes[0]])
        #expect(first.disk.liveHash == second.disk.liveHash)
        try file.truncate(to: 9001)
        #expect(first.disk.liveHash != second.disk.liveHash)
    }

    @Test func aSweepLooksAtThousandsOfStatesASecond() throws {
        let bench = try Bench()
        var files: [any StorageFile] = []
        for index in 0..<10 { files.append(try bench.durableFile("f\(index)", pattern(32_768, seed: UInt8(index)))) }
        for (index, file) in files.enumerated() {
            try file.put(pattern(1024, seed: 200), at: UInt64(index) * 512)
            bench.submit(file, pattern(4096, seed: 100), at: 8192)
        }
        let clock = ContinuousClock()
        var random = SeededRandom(seed: 5)
        var seen: Set<UInt64> = []
        let time = clock.measure {
            for _ in 0..<2000 {
                seen.insert(bench.disk.crashed(keeping: bench.disk.randomCrashChoice(using: &random)).stateHash)
            }
        }
        #expect(seen.count > 1000)
        print("crashed \(2000) states of 10 files x 32 KiB, 20 pending writes, in \(time)")
        // Thousands a second when optimised; this bound only catches a mistake of order.
        #expect(time < .seconds(60))
    }
}
