import FileIO
import Glibc
import Testing
import TestSupport

private let smallVolume = TestFiles.smallVolume("a")

/// What only the real kernel can show.
@Suite struct LinuxTests {
    @Test func anotherProcessIsKeptOutAndKeepsUsOut() throws {
        let world = try World(.linux)
        let directory = try world.directory()
        // By the shell itself: a program that makes the file would hold the lock too, until its own end.
        let script = ": > '\(world.root)/held'; exec sleep 600"
        // Without a fork, so that there is one process that holds the lock, and its end is the end of the lock.
        let child = spawn(["flock", "--no-fork", world.root, "sh", "-c", script])
        try #require(child > 0, "this test needs the flock program of util-linux")
        var isHeld = false
        for _ in 0..<2000 where !isHeld {
            isHeld = try directory.status(of: "held") != nil
            if !isHeld { _ = usleep(5_000) }
        }
        #expect(isHeld)
        #expect(try !directory.tryLock())
        #expect(kill(child, SIGKILL) == 0)
        waitForEnd(of: child)
        #expect(try directory.tryLock())

        #expect(waitForEnd(of: spawn(["flock", "--nonblock", world.root, "true"])) == 1 << 8)
        directory.close()
        #expect(waitForEnd(of: spawn(["flock", "--nonblock", world.root, "true"])) == 0)
    }

    @Test func aHintOfWhatIsReadSoonIsNeverAnError() throws {
        let world = try World(.linux)
        let file = try world.directory().create("file", method: .writeThenSync)
        try file.prewrite(0..<8192)
        for range: Range<UInt64> in [0..<8192, 4000..<1 << 40, 1 << 62..<(1 << 63) + 1, 5..<5] { file.prefetch(range) }
        let buffer = AlignedBuffer(byteCount: 8192)
        #expect(try file.read(into: buffer, at: 0, count: 8192, from: 0, source: .cache) == 8192)
        try file.close()
        file.prefetch(0..<8192)
    }

    @Test func filesAndDirectoriesAreForTheirOwnerOnly() throws {
        let world = try World(.linux)
        try world.fileSystem.makeDirectory(at: world.root + "/a/b")
        _ = try world.directory().create("file", method: .synced)
        for (name, mode) in [("a", 0o700), ("a/b", 0o700), ("file", 0o600)] as [(String, mode_t)] {
            var found = stat()
            #expect(unsafe stat(world.root + "/" + name, &found) == 0)
            #expect(found.st_mode & 0o7777 == mode)
        }
    }

    @Test func relativePathsWork() throws {
        let world = try World(.linux)
        // From wherever the tests run, up to the root and down again.
        let path = String(repeating: "../", count: 40) + world.root.dropFirst() + "/x//y"
        try world.fileSystem.makeDirectory(at: path)
        #expect(try world.fileSystem.openDirectory(at: world.root + "/x/y").list() == [])
    }

    @Test func renamingTheDirectoryDoesNotRedirectLaterCalls() throws {
        let world = try World(.linux)
        try world.fileSystem.makeDirectory(at: world.root + "/one")
        let directory = try world.fileSystem.openDirectory(at: world.root + "/one")
        #expect(unsafe rename(world.root + "/one", world.root + "/two") == 0)
        _ = try directory.create("file", method: .synced)
        #expect(try world.fileSystem.openDirectory(at: world.root + "/two").list() == ["file"])
    }

    @Test func aDirectoryInMemoryOffersDirectWritesOrRefusesThemWithoutLeavingAFile() throws {
        var found = stat()
        try #require(unsafe stat("/dev/shm", &found) == 0, "this test needs a tmpfs at /dev/shm")
        let world = try World(.linux, parent: "/dev/shm")
        let directory = try world.directory()
        let volume = try directory.volume()
        #expect(volume.fileSystemName == "tmpfs" && volume.logicalBlockBytes == 512)
        // Since Linux 6.6 a tmpfs takes O_DIRECT; before, it makes the file and then says EINVAL.
        if let refusal = failure({ _ = try directory.create("direct", method: .directSynced) }) {
            #expect(refusal.reason == .unsupported && refusal.errno == EINVAL)
            #expect(try directory.list() == [])
        }
        let file = try directory.create("file", method: .synced)
        try file.prewrite(0..<8192)
        try file.put(pattern(5000), at: 100)
        #expect(try file.bytes(4097, at: 101, source: .device) == Array(pattern(5000)[1..<4098]))
    }

    @Test func theFileSizeLimitIsNoSpaceAndPrewriteLeavesTheFileAsItWas() throws {
        // The limit is the whole process's: it is far above what the other tests write.
        let megabyte: UInt64 = 1 << 20
        _ = signal(SIGXFSZ, SIG_IGN)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
        var before = rlimit()
        #expect(unsafe getrlimit(resource, &before) == 0)
        var limit = rlimit(rlim_cur: rlim_t(64 * megabyte), rlim_max: before.rlim_max)
        #expect(unsafe setrlimit(resource, &limit) == 0)
        defer { unsafe setrlimit(resource, &before) }

        let world = try World(.linux)
        for method in WriteMethod.allCases {
            let file = try world.directory().create("\(method)", method: method)
            try file.truncate(to: 63 * megabyte)
            let grown = failure { try file.prewrite(62 * megabyte..<66 * megabyte) }
            #expect(grown?.operation == .prewrite && grown?.errno == EFBIG && grown?.reason == .noSpace)
            #expect(try file.status().size == 63 * megabyte)

            // The kernel writes what fits and says so; only the call after that fails.
            let outcomes = Outcomes()
            let buffer = AlignedBuffer(pattern(Int(2 * megabyte)))
            file.submitWrite(buffer, count: buffer.byteCount, at: 63 * megabyte) { outcomes.add($0) }
            #expect(outcomes.failures.map(\.errno) == [EFBIG])
            #expect(try file.status().size == 64 * megabyte)
            #expect(try file.bytes(4096, at: 64 * megabyte - 4096) == Array(pattern(1 << 20).suffix(4096)))
            #expect(failure { try file.truncate(to: 65 * megabyte) }?.reason == .noSpace)
        }
    }

    /// Needs a file system of 4 to 64 MiB of its own, which only an administrator can make:
    /// `mount -t tmpfs -o size=16m none /tmp/small/a; SLUICE_SMALL_VOLUMES=/tmp/small swift test`. tools/test does that.
    @Test(.enabled(if: smallVolume != nil, "SLUICE_SMALL_VOLUMES names no small file systems"))
    func aFullFileSystemIsNoSpaceAndPrewriteGivesBackWhatItTook() throws {
        let world = try World(.linux, parent: smallVolume)
        let directory = try world.directory()
        let free = try directory.volume().freeBytes
        try #require(free < 65 << 20)
        for method in WriteMethod.allCases {
            let file = try directory.create("\(method)", method: method)
            try file.prewrite(0..<1 << 20)
            try file.synchronize()
            // Far more than is free, because the superuser may also take what is reserved.
            let refused = failure { try file.prewrite(0..<128 << 20) }
            #expect(refused?.reason == .noSpace && refused?.errno == ENOSPC && refused?.operation == .prewrite)
            #expect(try file.status().size == 1 << 20)
            #expect(try directory.volume().freeBytes + 2 << 20 > free)
            let outcomes = Outcomes()
            let buffer = AlignedBuffer(byteCount: 4 << 20)
            for index in 0..<32 {
                file.submitWrite(buffer, count: buffer.byteCount, at: UInt64(index) << 22) { outcomes.add($0) }
            }
            #expect(outcomes.count == 32 && outcomes.failures.contains { $0.errno == ENOSPC })
            #expect(outcomes.failures.allSatisfy { $0.reason == .noSpace })
            try directory.unlink("\(method)")
            try file.close()
        }
    }

    @Test func readsGoOnWhileTheFileIsClosedAndThenThrowEBADF() throws {
        let world = try World(.linux)
        for _ in 0..<20 {
            let name = "a"
            let file = try world.directory().create(name, method: .writeThenSync)
            try file.put(pattern(4096))
            let wrong = Numbers()
            onThreads(3) { index in
                if index == 0 {
                    _ = usleep(500)
                    try? file.close()
                    return
                }
                while true {
                    do {
                        if try file.bytes(4096) != pattern(4096) { wrong.add(1) }
                    } catch {
                        if (error as? FileError)?.errno != EBADF { wrong.add(2) }
                        return
                    }
                }
            }
            #expect(wrong.all == [])
            try world.directory().unlink(name)
        }
    }

    @Test func writesSubmittedFromManyThreadsAllArrive() throws {
        let world = try World(.linux)
        for method in WriteMethod.allCases {
            let file = try world.directory().create("\(method)", method: method)
            try file.prewrite(0..<64 * 4096)
            try file.synchronize()
            let outcomes = Outcomes()
            onThreads(8) { thread in
                let buffer = AlignedBuffer(pattern(4096, seed: UInt8(thread)))
                for index in 0..<8 {
                    file.submitWrite(buffer, count: 4096, at: UInt64(index * 8 + thread) * 4096) { outcomes.add($0) }
                }
            }
            #expect(outcomes.count == 64 && outcomes.failures.isEmpty)
            for index in 0..<64 {
                let expected = pattern(4096, seed: UInt8(index % 8))
                #expect(try file.bytes(4096, at: UInt64(index) * 4096, source: .device) == expected)
            }
        }
    }
}
