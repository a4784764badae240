import FileIO
import Glibc
import SimulatedFileIO
import Testing

/// What the protocols promise, asked of both implementations.
@Suite struct ContractTests {
    // MARK: Directories

    @Test(arguments: Kind.allCases)
    func makeDirectoryMakesEveryMissingLevelAndLeavesWhatIsThere(_ kind: Kind) throws {
        let world = try World(kind)
        let deep = world.root + "/a/b/c"
        try world.fileSystem.makeDirectory(at: deep)
        let directory = try world.fileSystem.openDirectory(at: deep)
        _ = try directory.create("file", method: .synced)
        try world.fileSystem.makeDirectory(at: deep + "/")
        #expect(try directory.list() == ["file"])

        let error = failure { try world.fileSystem.makeDirectory(at: deep + "/file/d") }
        #expect(error?.operation == .makeDirectory && error?.errno == ENOTDIR && error?.reason == .wrongKind)
    }

    @Test(arguments: Kind.allCases)
    func openingSomethingElseThanADirectoryIsAnError(_ kind: Kind) throws {
        let world = try World(kind)
        let missing = failure { _ = try world.fileSystem.openDirectory(at: world.root + "/missing") }
        #expect(missing == FileError(.open, path: world.root + "/missing", errno: ENOENT))
        #expect(missing?.reason == .notFound)
        for (name, what) in [("file", FileStatus.Kind.regular), ("link", .symbolicLink), ("fifo", .other)] {
            world.plant(what, name)
            let error = failure { _ = try world.fileSystem.openDirectory(at: world.root + "/" + name) }
            #expect(error?.reason == .wrongKind && error?.operation == .open)
        }
    }

    @Test(arguments: Kind.allCases)
    func aLinkToADirectoryIsNotOpenedEvenWithASlashBehindIt(_ kind: Kind) throws {
        let world = try World(kind)
        try world.fileSystem.makeDirectory(at: world.root + "/target")
        world.plant(.symbolicLink, "link")
        for path in [world.root + "/link", world.root + "/link/"] {
            #expect(failure { _ = try world.fileSystem.openDirectory(at: path) }?.reason == .wrongKind)
        }
    }

    @Test(arguments: Kind.allCases)
    func namesAreListedSortedWithoutDots(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        for name in ["b", "a", "10", "9"] { _ = try directory.create(name, method: .writeThenSync) }
        world.plant(.directory, "z")
        world.plant(.symbolicLink, "c")
        #expect(try directory.list() == ["10", "9", "a", "b", "c", "z"])
        #expect(try directory.list() == ["10", "9", "a", "b", "c", "z"])
    }

    @Test(arguments: Kind.allCases)
    func aCreatedFileMustBeNewAndHasNoBytes(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        let file = try directory.create("a", method: .synced)
        #expect(file.name == "a" && file.writeMethod == .synced)
        #expect(try file.status().size == 0)
        let error = failure { _ = try directory.create("a", method: .synced) }
        #expect(error == FileError(.create, path: world.root + "/a", errno: EEXIST))
        world.plant(.symbolicLink, "link")
        #expect(failure { _ = try directory.create("link", method: .synced) }?.reason == .exists)
        #expect(try directory.status(of: "target") == nil)
    }

    @Test(arguments: Kind.allCases)
    func whatIsNotARegularFileIsRefusedWithoutWaiting(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        world.plant(.symbolicLink, "link")
        world.plant(.directory, "directory")
        world.plant(.other, "fifo")
        _ = try directory.create("target", method: .synced)
        for name in ["link", "directory", "fifo"] {
            for access in [FileAccess.reading, .writing(.synced), .writing(.writeThenSync)] {
                let error = failure { _ = try directory.open(name, for: access) }
                #expect(error?.reason == .wrongKind && error?.path == world.root + "/" + name)
            }
        }
        let missing = failure { _ = try directory.open("missing", for: .reading) }
        #expect(missing == FileError(.open, path: world.root + "/missing", errno: ENOENT))
    }

    @Test(arguments: Kind.allCases)
    func statusNamesWhatStandsThereWithoutFollowingLinks(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        let file = try directory.create("file", method: .writeThenSync)
        try file.put(pattern(5000))
        try file.synchronize()
        for (name, what) in [("link", FileStatus.Kind.symbolicLink), ("directory", .directory), ("fifo", .other)] {
            world.plant(what, name)
            #expect(try directory.status(of: name)?.kind == what)
        }
        let status = try #require(try directory.status(of: "file"))
        #expect(status.kind == .regular && status.size == 5000 && status.linkCount == 1)
        #expect(status.allocatedBytes == 8192)
        #expect(try file.status() == status)
        let other = try directory.create("other", method: .writeThenSync).status()
        #expect(other.inode != status.inode && other.device == status.device)
        #expect(try directory.status(of: "missing") == nil)
    }

    @Test(arguments: Kind.allCases)
    func aFileTellsWhenItWasWrittenLastUnderEachOfItsNames(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        let file = try directory.create("file", method: .writeThenSync)
        let made = try file.status().modificationTime
        // The kernel's own clock may be behind ours by a tick.
        let now = world.runtime.wallClock()
        #expect(made <= now && now - made < 60_000_000_000)
        try file.put([1, 2, 3])
        let written = try file.status().modificationTime
        #expect(written >= made)
        try directory.rename("file", to: "other")
        #expect(try directory.status(of: "other")?.modificationTime == written)
        #expect(try directory.open("other", for: .reading).bytes(10) == [1, 2, 3])
        #expect(try file.status().modificationTime == written)
    }

    @Test(arguments: Kind.allCases)
    func renameReplacesAndKeepsTheFile(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        let new = try directory.create("new", method: .writeThenSync)
        try new.put([1, 2, 3])
        let old = try directory.create("old", method: .writeThenSync)
        try old.put([9])
        try directory.rename("new", to: "old")
        #expect(try directory.list() == ["old"])
        #expect(try directory.open("old", for: .reading).bytes(10) == [1, 2, 3])
        #expect(try directory.status(of: "old")?.inode == new.status().inode)
        #expect(try old.bytes(10) == [9])
        #expect(try old.status().linkCount == 0)
        try directory.rename("old", to: "old")
        #expect(try directory.list() == ["old"])

        #expect(failure { try directory.rename("missing", to: "x") }?.reason == .notFound)
        world.plant(.directory, "directory")
        #expect(failure { try directory.rename("old", to: "directory") }?.reason == .exists)
        #expect(try directory.list() == ["directory", "old"])
    }

    @Test(arguments: Kind.allCases)
    func anUnlinkedFileLivesUntilItIsClosed(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        let file = try directory.create("a", method: .writeThenSync)
        try file.put([7, 8])
        try directory.unlink("a")
        #expect(try directory.list() == [])
        #expect(try file.bytes(2) == [7, 8])
        try file.put([9], at: 2)
        #expect(try file.bytes(9, source: .device) == [7, 8, 9])
        #expect(failure { try directory.unlink("a") } == FileError(.unlink, path: world.root + "/a", errno: ENOENT))
        world.plant(.directory, "directory")
        #expect(failure { try directory.unlink("directory") }?.reason == .wrongKind)
    }

    @Test(arguments: Kind.allCases)
    func namesAreSingleComponents(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        for name in ["", ".", "..", "a/b", "/etc", "a\0b"] {
            #expect(failure { _ = try directory.create(name, method: .synced) }?.reason == .wrongKind)
            #expect(failure { _ = try directory.open(name, for: .reading) }?.reason == .wrongKind)
            #expect(failure { try directory.unlink(name) }?.reason == .wrongKind)
            #expect(failure { try directory.rename("a", to: name) }?.reason == .wrongKind)
            #expect(failure { _ = try directory.status(of: name) }?.reason == .wrongKind)
        }
        let long = String(repeating: "x", count: 256)
        #expect(failure { _ = try directory.create(long, method: .synced) }?.errno == ENAMETOOLONG)
    }

    @Test(arguments: Kind.allCases)
    func theLockKeepsOthersOutUntilTheDirectoryIsClosed(_ kind: Kind) throws {
        let world = try World(kind)
        let (first, second) = (try world.directory(), try world.directory())
        #expect(try first.tryLock())
        #expect(try first.tryLock())
        #expect(try !second.tryLock())
        first.close()
        first.close()
        #expect(try second.tryLock())
        #expect(try !world.directory().tryLock())
    }

    @Test(arguments: Kind.allCases)
    func aClosedDirectoryThrowsEBADF(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        directory.close()
        let errors = [
            failure { _ = try directory.list() }, failure { _ = try directory.tryLock() },
            failure { _ = try directory.create("a", method: .synced) }, failure { try directory.unlink("a") },
            failure { _ = try directory.open("a", for: .reading) }, failure { try directory.synchronize() },
            failure { try directory.rename("a", to: "b") }, failure { _ = try directory.status(of: "a") },
            failure { _ = try directory.volume() },
        ]
        #expect(errors.map { $0?.errno } == Array(repeating: EBADF, count: 9))
        #expect(errors.map { $0?.operation }.prefix(3) == [.list, .lock, .create])
    }

    @Test(arguments: Kind.allCases)
    func theVolumeHasABlockSizeAndRoom(_ kind: Kind) throws {
        let world = try World(kind)
        let volume = try world.directory().volume()
        #expect(volume.logicalBlockBytes >= 512 && volume.logicalBlockBytes.nonzeroBitCount == 1)
        #expect(volume.freeBytes > 0 && !volume.fileSystemName.isEmpty && !volume.isNetwork)
    }

    // MARK: Files

    @Test(arguments: Kind.allCases)
    func readsReturnFewerBytesOnlyAtTheEnd(_ kind: Kind) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: .writeThenSync)
        let bytes = pattern(10_000)
        try file.put(bytes)
        for source in [ReadSource.cache, .device] {
            #expect(try file.bytes(10_000, source: source) == bytes)
            #expect(try file.bytes(20_000, source: source) == bytes)
            #expect(try file.bytes(100, at: 9_950, source: source) == Array(bytes[9_950...]))
            #expect(try file.bytes(100, at: 10_000, source: source) == [])
            #expect(try file.bytes(100, at: 1 << 40, source: source) == [])
            #expect(try file.bytes(100, at: .max, source: source) == [])
            #expect(try file.bytes(0, at: 5, source: source) == [])
        }
    }

    @Test(arguments: Kind.allCases)
    func readsFromTheDeviceNeedNoAlignment(_ kind: Kind) throws {
        let world = try World(kind)
        for method in WriteMethod.allCases {
            let file = try world.directory().create("\(method)", method: method)
            let bytes = pattern(3 * 4096 + 512)
            try file.put(bytes)
            let buffer = AlignedBuffer(byteCount: 16_384)
            for (offset, count, at) in [(0, 4096, 0), (1, 1, 3), (511, 4099, 7), (4096, 8192, 4096), (12_000, 999, 1)] {
                let expected = Array(bytes[offset..<min(bytes.count, offset + count)])
                let got = try file.read(into: buffer, at: at, count: count, from: UInt64(offset), source: .device)
                #expect(got == expected.count)
                #expect(Array(buffer.array(at + got)[at...]) == expected)
            }
        }
    }

    @Test(arguments: Kind.allCases)
    func aReadTouchesNothingElseOfTheBuffer(_ kind: Kind) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: .writeThenSync)
        try file.put(pattern(100))
        let buffer = AlignedBuffer([UInt8](repeating: 0xEE, count: 4096))
        for source in [ReadSource.cache, .device] {
            #expect(try file.read(into: buffer, at: 50, count: 10, from: 20, source: source) == 10)
            let all = buffer.array(4096)
            #expect(Array(all[50..<60]) == Array(pattern(100)[20..<30]))
            #expect(all[..<50].allSatisfy { $0 == 0xEE } && all[60...].allSatisfy { $0 == 0xEE })
        }
    }

    @Test(arguments: Kind.allCases, WriteMethod.allCases)
    func severalSubmittedWritesCompleteOnceEach(_ kind: Kind, _ method: WriteMethod) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: method)
        try file.prewrite(0..<65_536)
        try file.synchronize()
        let outcomes = Outcomes()
        let buffers = (0..<16).map { AlignedBuffer(pattern(1024, seed: UInt8($0))) }
        for (index, buffer) in buffers.enumerated() {
            file.submitWrite(buffer, count: 1024, at: UInt64(index) * 2048) { outcomes.add($0) }
        }
        world.settle()
        #expect(outcomes.count == 16 && outcomes.failures.isEmpty)
        for source in [ReadSource.cache, .device] {
            for index in 0..<16 {
                let expected = pattern(1024, seed: UInt8(index)) + [UInt8](repeating: 0, count: 1024)
                #expect(try file.bytes(2048, at: UInt64(index) * 2048, source: source) == expected)
            }
        }
        #expect(try file.status().size == 65_536)
    }

    @Test(arguments: Kind.allCases, WriteMethod.allCases)
    func aSubmittedWriteGrowsTheFile(_ kind: Kind, _ method: WriteMethod) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: method)
        let outcomes = Outcomes()
        let buffer = AlignedBuffer(pattern(4096))
        file.submitWrite(buffer, count: 4096, at: 8192) { outcomes.add($0) }
        world.settle()
        #expect(outcomes.count == 1 && outcomes.failures.isEmpty)
        #expect(try file.status().size == 12_288)
        #expect(try file.bytes(12_288) == [UInt8](repeating: 0, count: 8192) + pattern(4096))
    }

    @Test(arguments: Kind.allCases, WriteMethod.allCases)
    func cacheAndDeviceAgreeAfterEveryKindOfWrite(_ kind: Kind, _ method: WriteMethod) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: method)
        try file.prewrite(0..<8192)
        #expect(try file.bytes(8192) == [UInt8](repeating: 0, count: 8192))
        try file.put(pattern(512), at: 512)
        #expect(try file.bytes(512, at: 512) == pattern(512))
        #expect(try file.bytes(512, at: 512, source: .device) == pattern(512))
        try file.put(pattern(512, seed: 9), at: 512)
        #expect(try file.bytes(512, at: 512, source: .device) == pattern(512, seed: 9))
        #expect(try file.bytes(512, at: 512) == pattern(512, seed: 9))
    }

    @Test(arguments: Kind.allCases)
    func truncateSetsTheSizeAndAHoleReadsAsZeros(_ kind: Kind) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: .writeThenSync)
        try file.put(pattern(6000))
        try file.truncate(to: 5000)
        #expect(try file.status().size == 5000)
        try file.truncate(to: 1 << 20)
        try file.synchronize()
        let status = try file.status()
        #expect(status.size == 1 << 20 && status.allocatedBytes == 8192)
        #expect(try file.bytes(8192) == Array(pattern(6000)[..<5000]) + [UInt8](repeating: 0, count: 3192))
        try file.truncate(to: 0)
        #expect(try file.bytes(10) == [])
        #expect(failure { try file.truncate(to: .max) }?.reason == .noSpace)
    }

    @Test(arguments: Kind.allCases, WriteMethod.allCases)
    func prewriteAllocatesZerosOverTheRangeOnly(_ kind: Kind, _ method: WriteMethod) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: method)
        try file.put([UInt8](repeating: 0xAA, count: 8192))
        try file.prewrite(4096..<3 << 20)
        try file.synchronize()
        let status = try file.status()
        #expect(status.size == 3 << 20 && status.allocatedBytes >= 3 << 20)
        #expect(try file.bytes(4096) == [UInt8](repeating: 0xAA, count: 4096))
        #expect(try file.bytes(3 << 20, at: 4096).allSatisfy { $0 == 0 })
        try file.prewrite(10..<10)
        #expect(try file.status().size == 3 << 20)
    }

    @Test(arguments: Kind.allCases)
    func aFileOpenedForReadingCannotBeChanged(_ kind: Kind) throws {
        let world = try World(kind)
        let directory = try world.directory()
        try directory.create("a", method: .writeThenSync).put([1])
        let file = try directory.open("a", for: .reading)
        #expect(file.writeMethod == .writeThenSync)
        #expect(failure { try file.put([2]) } == FileError(.write, path: world.root + "/a", errno: EBADF))
        #expect(failure { try file.prewrite(0..<10) }?.operation == .prewrite)
        #expect(failure { try file.truncate(to: 0) }?.operation == .truncate)
        let outcomes = Outcomes()
        file.submitWrite(AlignedBuffer([3]), count: 1, at: 0) { outcomes.add($0) }
        world.settle()
        #expect(outcomes.failures.map(\.errno) == [EBADF])
        #expect(try file.bytes(5, source: .device) == [1])
        try file.synchronize()
    }

    @Test(arguments: Kind.allCases, WriteMethod.allCases)
    func aClosedFileThrowsEBADFAndClosingTwiceDoesNothing(_ kind: Kind, _ method: WriteMethod) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: method)
        #expect(try file.bytes(1, source: .device) == [])
        try file.close()
        try file.close()
        let errors = [
            failure { _ = try file.bytes(1) }, failure { try file.put([UInt8](repeating: 0, count: 512)) },
            failure { try file.synchronize() }, failure { try file.truncate(to: 0) },
            failure { try file.prewrite(0..<1) }, failure { _ = try file.status() },
        ]
        #expect(errors.map { $0?.errno } == Array(repeating: EBADF, count: 6))
        #expect(errors.map { $0?.path } == Array(repeating: world.root + "/a", count: 6))
        let outcomes = Outcomes()
        file.submitWrite(AlignedBuffer(byteCount: 512), count: 512, at: 0) { outcomes.add($0) }
        world.settle()
        #expect(outcomes.failures == [FileError(.write, path: world.root + "/a", errno: EBADF)])
    }

    @Test(arguments: Kind.allCases)
    func offsetsBeyondWhatTheKernelCountsAreNoSpace(_ kind: Kind) throws {
        let world = try World(kind)
        let file = try world.directory().create("a", method: .writeThenSync)
        #expect(failure { try file.put([1], at: UInt64(Int64.max)) }?.reason == .noSpace)
        #expect(try file.status().size == 0)
    }
}
