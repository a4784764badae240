import CrashHarness
import DurableChannel
import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing
import TestSupport

/// Opening, where it works and where it must not: what is refused is refused with a typed error, and nothing is touched.
@Suite struct OpeningTests {
    /// A channel that was used: some segments, a checkpoint, a reserve; closed, or killed.
    private func used(closed: Bool = true) throws -> World {
        let world = World()
        let channel = try world.open()
        for tag in 0..<40 { try channel.put(tags: [tag], bytes: 900) }
        #expect(try channel.take(10).count == 10)
        world.settle()
        if closed {
            try channel.close()
            return world.next()
        }
        return world.afterPowerCut()
    }

    /// Opening throws this, and not a byte and not a name is another than before.
    private func expectRefusal(
        _ world: World, _ code: ChannelError.Code, _ configuration: ChannelConfiguration = World.small(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let before = world.disk.liveHash
        let error = world.openingError(configuration)
        #expect(error?.code == code, "\(String(describing: error))", sourceLocation: sourceLocation)
        #expect(error?.message.isEmpty == false, sourceLocation: sourceLocation)
        #expect(world.disk.liveHash == before, "something was touched", sourceLocation: sourceLocation)
    }

    private func expectServed(
        _ world: World, _ configuration: ChannelConfiguration = World.small(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let channel = try world.open(configuration)
        #expect(channel.recoveryReport.losses.isEmpty, sourceLocation: sourceLocation)
        #expect(try channel.take().tags == Array(10..<40), sourceLocation: sourceLocation)
        #expect(channel.isBalanced, sourceLocation: sourceLocation)
    }

    // MARK: What stands there

    @Test func aNewChannelIsMadeWithItsParentsAndOpenedAgain() throws {
        let world = World()
        let channel = try world.open()
        #expect(channel.recoveryReport.created)
        #expect(channel.path == World.path)
        #expect(channel.metrics.state == .ok && channel.metrics.putEvents == 0)
        #expect(channel.lossReport.parts.isEmpty)
        try channel.close()
        // Created is created: also when the power goes at once.
        let again = try world.afterPowerCut().open(World.small { $0.createsIfMissing = false })
        #expect(!again.recoveryReport.created && again.recoveryReport.wasClosedCleanly)
    }

    @Test func withoutPermissionToMakeOneAMissingChannelIsNotMade() throws {
        let world = World()
        expectRefusal(world, .notAChannel, World.small { $0.createsIfMissing = false })
        _ = try world.system.makeDirectory(at: World.path)
        expectRefusal(world, .notAChannel, World.small { $0.createsIfMissing = false })
    }

    @Test(arguments: [FileStatus.Kind.regular, .symbolicLink, .other])
    func aPathThatIsNoDirectoryIsNotAChannel(_ kind: FileStatus.Kind) throws {
        let world = World()
        try world.system.makeDirectory(at: "/var")
        world.disk.plant(kind, at: World.path)
        expectRefusal(world, .notAChannel)
    }

    @Test func aDirectoryWithForeignFilesIsNotMadeAChannel() throws {
        let world = World()
        try world.system.makeDirectory(at: World.path)
        world.setContents("notes.txt", [1, 2, 3])
        expectRefusal(world, .notAChannel)
        // In one that is a channel they are left alone, and reported.
        let other = try used()
        other.setContents("notes.txt", [1, 2, 3])
        let channel = try other.open()
        #expect(channel.recoveryReport.foreignFiles == ["notes.txt"])
        try channel.close()
        #expect(other.contents("notes.txt") == [1, 2, 3])
    }

    /// Row 37.
    @Test func aChannelOfANewerVersionIsRefusedUntouched() throws {
        for name in try used().segmentNames() + ["checkpoint"] {
            let world = try used()
            world.change(name) { bytes in
                // Version 2, with a checksum that holds.
                let copies = name == "checkpoint" ? [0, bytes.count / 2] : [0, 4096]
                for start in copies {
                    bytes[start + 8] = 2
                    let size = name == "checkpoint" ? 92 : 4092
                    let sum = unsafe Checksum.crc32c(Array(bytes[start..<start + size]).span.bytes)
                    for index in 0..<4 {
                        bytes[start + size + index] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(index)))
                    }
                }
            }
            // An old segment is looked at when it is read.
            let error = world.copy().openingError(World.small())
            if let error {
                #expect(error.code == .newerVersion, "\(name): \(error)")
                expectRefusal(world, .newerVersion)
            } else {
                #expect(name.hasSuffix(".seg"))
                let channel = try world.open()
                let readings = failure { _ = try channel.take() }
                #expect(readings == nil || readings?.code == .newerVersion, "\(name): \(String(describing: readings))")
                #expect(channel.metrics.lostEvents == 0, "what a newer version wrote is not damage")
            }
        }
    }

    @Test func aChannelThatServesAnotherConsumerGroupIsRefusedUntouched() throws {
        let world = try used()
        try world.forge { log in
            let record = try LeaseRecord(group: "another", limit: EventSequence(5)).encode()
            _ = try log.append([FramePayload(type: .lease, raw: record)])
        }
        let error = world.copy().openingError(World.small())
        #expect([.newerVersion, .damaged].contains(error?.code), "\(String(describing: error))")
        #expect(error?.message.contains("another") == true || error?.lsn != nil)
    }

    /// Row 1: the power goes at any operation of the creation; whatever is left, the next opening makes a channel of it.
    @Test func aChannelWhoseCreationWasCutShortIsCreatedByTheNextOpening() throws {
        let world = World()
        var states: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] _ in
            states += disk.legalCrashChoices(limit: 24).map { disk.crashed(keeping: $0) }
        }
        _ = try world.open()
        world.disk.beforeOperation = nil
        #expect(states.count > 50)
        for state in states {
            let channel = try World(state, seed: 5).open()
            try channel.put(tags: [1])
            #expect(try channel.take().numbers == [1])
        }
    }

    @Test func aNetworkFileSystemIsRefusedUnlessItIsAskedFor() throws {
        let world = World()
        world.disk.options.isNetwork = true
        world.disk.options.fileSystemName = "nfs"
        let error = world.openingError(World.small())
        #expect(error?.code == .notAChannel && error?.message.contains("nfs") == true)
        #expect(world.names().isEmpty)
        let channel = try world.open(World.small { $0.allowsNetworkFileSystem = true })
        try channel.put(tags: [1])
        #expect(try channel.take().tags == [1])
    }

    // MARK: Permissions, row 32

    /// Row 32.
    @Test(arguments: [EACCES, EPERM, EROFS]) func withoutPermissionOpeningIsATypedErrorAndNothingIsCreated(
        _ errno: Int32
    ) throws {
        for operation in [SimulatedOperation.makeDirectory, .openDirectory, .create] {
            let world = World()
            world.disk.faults.add(Fault(operation, errno: errno, count: Fault.forever))
            let error = world.openingError(World.small())
            #expect([.notAChannel, .fileOperation].contains(error?.code), "\(operation): \(String(describing: error))")
            #expect(error?.fileError?.errno == errno && error?.fileError?.reason == .notPermitted)
            #expect(world.names().isEmpty)
        }
        // One that is there.
        let world = try used()
        let before = world.disk.liveHash
        for operation in [SimulatedOperation.create, .rename, .unlink, .write, .prewrite, .submit, .truncate] {
            world.disk.faults.add(Fault(operation, errno: errno, count: Fault.forever))
        }
        let error = world.openingError(World.small())
        #expect(error?.fileError?.errno == errno, "\(String(describing: error))")
        #expect(world.disk.liveHash == before)
        world.disk.faults.removeAll()
        try expectServed(world.next())
    }

    /// Row 32: a real file system that nobody may write to, also not an administrator.
    @Test func aRealPathWhereNothingCanBeMadeIsATypedError() throws {
        let path = "/sys/kernel/sluice-test"
        let error = failure { try FileChannel.open(at: path) }
        #expect(error?.code == .notAChannel)
        // Where it fails, at the sync of a parent or at making the directory, is the kernel's choice.
        #expect([.notPermitted, .unsupported].contains(error?.fileError?.reason), "\(String(describing: error))")
        #expect(error?.fileError?.path.hasPrefix("/sys") == true)
    }

    /// Row 32: the file system is remounted for reading only while the channel is used.
    @Test func aFileSystemThatBecomesReadOnlyMakesTheChannelReadOnly() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<4)
        let take = try OpenTake(channel, 1)
        for operation in [SimulatedOperation.create, .rename, .unlink, .write, .prewrite, .submit, .synchronize] {
            world.disk.faults.add(Fault(operation, errno: EROFS, count: Fault.forever))
        }
        #expect(failure { try channel.put(tags: [4]) }?.code == .outcomeUnknown)
        world.settle()
        let error = failure { try channel.put(tags: [5]) }
        #expect(error?.code == .readOnly && error?.fileError?.errno == EROFS)
        #expect(channel.metrics.state.name == "readOnly")
        #expect(failure { try take.commit() }?.code == .readOnly)
        _ = failure { try channel.close() }
        #expect(try world.afterPowerCut().open(World.roomy()).take().tags == [0, 1, 2, 3])
    }

    // MARK: In use, rows 30 and 31

    /// Row 31.
    @Test func aChannelThatIsOpenInThisProcessIsInUseAndFreeWhenItIsClosed() throws {
        let world = World()
        let channel = try world.open()
        #expect(failure { try world.open() }?.code == .inUse)
        try channel.put(tags: [1])
        #expect(failure { try world.open() }?.code == .inUse)
        try channel.close()
        #expect(try world.open().take().tags == [1])
    }

    /// Row 31, on a real disk, also by another way to the same directory.
    @Test func aRealDirectoryIsOpenedOnceInThisProcess() throws {
        try TestFiles.withDirectory { root in
            let channel = try FileChannel.open(at: root + "/c", configuration: World.mebibyte())
            for path in [root + "/c", root + "/./c/", root + "//c"] {
                let error = failure { try FileChannel.open(at: path, configuration: World.mebibyte()) }
                #expect(error?.code == .inUse)
                #expect(error?.message.contains("process \(getpid())") == true, "\(String(describing: error))")
            }
            try channel.close()
            try FileChannel.open(at: root + "/c", configuration: World.mebibyte()).close()
        }
    }

    /// Row 30: two processes.
    @Test func anotherProcessIsKeptOutAndOneThatIsKilledLeavesNoLock() async throws {
        let directory = RealDirectory()
        let path = directory.path + "/c"
        let channel = try openOnDisk(path)
        try channel.put(tags: [1])
        // The other process finds it in use, says whose it is, and leaves it alone.
        await #expect(processExitsWith: .exitCode(7)) { [path = path as String, holder = Int(getpid()) as Int] in
            let error = failure { try openOnDisk(path) }
            exit(error?.code == .inUse && error?.message.contains("process \(holder)") == true ? 7 : 1)
        }
        try channel.put(tags: [2])
        try await channel.close()
        // The other process holds it, and is killed.
        let child = Task {
            _ = await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
                let channel = try openOnDisk(path)
                try channel.put(tags: [3])
                _ = TestFiles.write(Array("\(getpid())".utf8), to: path + "/../held")
                while TestFiles.read(path + "/../go") == nil { usleep(2_000) }
                kill(getpid(), SIGKILL)
            }
        }
        while TestFiles.text(directory.path + "/held")?.isEmpty != false { try await Task.sleep(for: .milliseconds(2)) }
        let error = failure { try openOnDisk(path) }
        #expect(error?.code == .inUse)
        #expect(error?.message.contains("process \(TestFiles.text(directory.path + "/held") ?? "?")") == true)
        #expect(TestFiles.write([1], to: directory.path + "/go"))
        await child.value
        let after = try openOnDisk(path)
        #expect(try after.take().tags == [1, 2, 3])
        try await after.close()
    }

    /// Row 30: the pid file decides nothing.
    @Test func aStalePidFileKeepsNobodyOut() throws {
        let world = try used(closed: false)
        world.setContents("pid", Array("1\n".utf8))
        try expectServed(world)
    }

    // MARK: Files that are missing or something else, rows 7, 18, 33, 34

    /// Row 7: files of no meaning, and foreign ones that look a little like ours.
    @Test func strayFilesAreOfNoMeaning() throws {
        let world = try used(closed: false)
        world.setContents("spare-00000000000000aa.tmp", [UInt8](repeating: 7, count: 5000))
        world.setContents("half.tmp", [])
        world.setContents("000000000000000.seg", [1])
        world.setContents("00000000000000001.seg", [1])
        world.setContents("aside-0000000000000001-2000", [1, 2])
        let channel = try world.open()
        #expect(channel.recoveryReport.removedFiles.sorted() == ["half.tmp", "spare-00000000000000aa.tmp"])
        #expect(channel.recoveryReport.foreignFiles.sorted() == ["000000000000000.seg", "00000000000000001.seg"])
        try channel.close()
        try expectServed(world.next())
    }

    /// Row 18.
    @Test func aCheckpointAloneIsDamageAndNotANewChannel() throws {
        let world = try used()
        for name in world.segmentNames() { world.remove(name) }
        expectRefusal(world.copy(), .damaged, World.small { $0.damagePolicy = .strict })
        for name in ["reserve-0", "reserve-1"] { world.remove(name) }
        expectRefusal(world.copy(), .damaged, World.small { $0.damagePolicy = .strict })
        let channel = try world.open()
        #expect(!channel.recoveryReport.created && !channel.recoveryReport.losses.isEmpty)
        #expect(channel.metrics.takenEvents == 10 && channel.metrics.heldEvents == 0 && channel.isBalanced)
        #expect(channel.metrics.lostEvents >= 30)
        #expect(channel.lossReport.count(.lost) == channel.metrics.lostEvents, "what was taken before is not lost")
        #expect(channel.lossReport.count(.decided) == 10)
        #expect(try channel.put(tags: [40]).sequences.lowerBound >= 41, "no number is used again")
        #expect(try channel.take().tags == [40])
    }

    /// Row 18. A creation that was cut short leaves nothing but files under spare names; anything else is damage.
    @Test(arguments: ["reserve-0", "aside-0000000000000001-2000", "report-0000000000000001", "checkpoint"])
    func aFileOfOursWithoutAnyIdentityIsDamageAndNotANewChannel(_ name: String) throws {
        let world = World()
        try world.system.makeDirectory(at: World.path)
        world.setContents(name, [UInt8](repeating: 0, count: 8192))
        expectRefusal(world, .damaged)
    }

    /// Row 18, 35.
    @Test(arguments: [true, false]) func withoutItsCheckpointAChannelIsAsItWas(_ closed: Bool) throws {
        let world = try used(closed: closed)
        world.remove("checkpoint")
        try expectServed(world)
    }

    /// Row 34.
    @Test func aCheckpointAheadOfTheLogIsALossWithItsExactRange() throws {
        let world = World()
        let channel = try world.open()
        for tag in 0..<5 { try channel.put(tags: [tag], bytes: 900) }
        let before = World(world.disk.clone(), seed: 8)
        for tag in 5..<8 { try channel.put(tags: [tag], bytes: 900) }
        try channel.checkpoint()
        // The log loses its last three puts; the checkpoint knows of them.
        for name in before.segmentNames() { world.setContents(name, before.contents(name)) }
        // What the checkpoint covers is not read at opening; the hole is found by whoever comes to it.
        let strict = try world.afterPowerCut().open(World.small { $0.damagePolicy = .strict })
        #expect(try strict.take(5).tags == [0, 1, 2, 3, 4])
        #expect(failure { _ = try strict.beginTake() }?.code == .damaged)
        let salvaged = world.afterPowerCut()
        let after = try salvaged.open()
        #expect(after.recoveryReport.losses.isEmpty && after.lossReport.count(.lost) == 0, "not read, so not known")
        #expect(after.metrics.state == .ok && after.metrics.heldEvents == 8)
        #expect(try after.put(tags: [100]).sequences == 9..<10, "no number is used again")
        #expect(try after.take().tags == [0, 1, 2, 3, 4, 100])
        let record = try #require(try salvaged.frames().first { $0.header.type == .loss })
        let loss = try LossRecord(record)
        #expect(loss.firstSequence == EventSequence(6) && loss.endSequence == EventSequence(9))
        guard case .degraded(let why) = after.metrics.state else { return #expect(after.metrics.state != .ok) }
        #expect(why.contains("6..<9"), "\(why)")
        #expect(after.metrics.lostEvents == 3 && after.metrics.heldEvents == 0 && after.isBalanced)
    }

    /// Row 33. In place of each file of the channel something else: it is an error or damage, and nothing hangs.
    @Test(arguments: ["directory", "link", "fifo", "empty", "missing"])
    func somethingElseInPlaceOfAnyFileIsAnErrorOrDamageAndNothingElse(_ what: String) throws {
        let names = try used().names()
        #expect(names.contains("checkpoint") && names.contains("reserve-0") && names.contains("pid"))
        for name in names {
            for policy in [DamagePolicy.salvage, .strict] {
                let world = try used(closed: false)
                let path = World.path + "/" + name
                world.disk.remove(path)
                switch what {
                case "directory": world.disk.plant(.directory, at: path)
                case "link": world.disk.plant(.symbolicLink, at: path)
                case "fifo": world.disk.plant(.other, at: path)
                case "empty": world.setContents(name, [])
                default: break
                }
                let story: Comment = "\(what) for \(name), \(policy)"
                let configuration = World.small { $0.damagePolicy = policy }
                let before = world.disk.liveHash
                do throws(ChannelError) {
                    let channel = try world.open(configuration)
                    let tags = try channel.drain(perCommit: 7)
                    let lost = channel.metrics.lostEvents
                    #expect(tags == tags.sorted() && Set(tags).isSubset(of: 0..<40), story)
                    #expect(channel.isBalanced && channel.metrics.putEvents >= 40, story)
                    // Numbers of events that may have stood in a newest segment are skipped, and counted as lost.
                    #expect(UInt64(tags.count) + lost >= 30, story)
                    if !name.hasSuffix(".seg") { #expect(tags.count == 30 && lost == 0, story) }
                    try channel.put(tags: [50])
                    #expect(try channel.take().tags == [50], story)
                    try channel.close()
                } catch {
                    #expect([.damaged, .fileOperation, .notAChannel].contains(error.code), "\(story): \(error)")
                    if policy == .strict, error.code == .damaged, world.disk.liveHash != before {
                        // A take may come upon it later than the opening.
                        #expect(name.hasSuffix(".seg"), story)
                    }
                }
            }
        }
    }

    /// Row 33, with real fifos, links and directories.
    @Test(.timeLimit(.minutes(1)), arguments: ["directory", "link", "fifo"])
    func onARealDiskSomethingElseInPlaceOfAnyFileDoesNotHang(_ what: String) throws {
        var names = ["pid"]
        for index in 0..<12 where index < names.count {
            try TestFiles.withDirectory { root in
                let path = root + "/c"
                var configuration = World.mebibyte()
                configuration.segmentBytes = 64 << 10
                let channel = try FileChannel.open(at: path, configuration: configuration)
                for tag in 0..<100 { try channel.put(tags: [tag], bytes: 3000) }
                try channel.close()
                names = TestFiles.names(in: path)
                let file = "\(path)/\(names[index])"
                #expect(unsafe rename(file, root + "/away") == 0)
                switch what {
                case "directory": #expect(unsafe mkdir(file, 0o700) == 0)
                case "link": #expect(unsafe symlink(root + "/away", file) == 0)
                default: #expect(unsafe mkfifo(file, 0o600) == 0)
                }
                let away = try #require(TestFiles.read(root + "/away"))
                do throws(ChannelError) {
                    let channel = try FileChannel.open(at: path, configuration: configuration)
                    let tags = try channel.drain(perCommit: 20)
                    #expect(tags == tags.sorted() && channel.isBalanced)
                    if !names[index].hasSuffix(".seg") { #expect(tags == Array(0..<100)) }
                    try channel.close()
                } catch {
                    #expect([.damaged, .fileOperation, .notAChannel].contains(error.code), "\(names[index]): \(error)")
                }
                #expect(TestFiles.read(root + "/away") == away, "the link was followed")
            }
        }
        #expect(names.count > 6, "\(names)")
    }

    // MARK: Configuration

    /// A configuration that cannot work is refused, and nothing is touched, neither a missing channel nor one that is there.
    @Test func configurationsThatCannotWorkAreRefusedAndNothingIsTouched() throws {
        let mistakes: [(String, (inout ChannelConfiguration) -> Void)] = [
            ("capacity 0", { $0.capacityBytes = 0 }),
            ("capacity of 64 KiB less one", { $0.capacityBytes = 65_535 }),
            ("capacity of more than 64 PiB", { $0.capacityBytes = 1 << 57 }),
            ("capacity of all bits", { $0.capacityBytes = .max }),
            ("capacity too small for the segments", { $0.capacityBytes = 128 << 10 }),
            ("no event", { $0.capacityEvents = 0 }),
            ("segment 0", { $0.segmentBytes = 0 }),
            ("segment not of pages", { $0.segmentBytes = 20_000 }),
            ("segment too small", { $0.segmentBytes = 8192 }),
            ("segment as large as the capacity", { $0.segmentBytes = 512 << 10 }),
            ("segment larger than the format's", { $0.segmentBytes = .max }),
            ("block 0", { $0.blockBytes = 0 }),
            ("block negative", { $0.blockBytes = -512 }),
            ("block odd", { $0.blockBytes = 1000 }),
            ("block too large", { $0.blockBytes = 1 << 20 }),
            ("no group in flight", { $0.groupsInFlight = 0 }),
            ("negative groups in flight", { $0.groupsInFlight = -1 }),
            ("too many groups in flight", { $0.groupsInFlight = 65 }),
            ("no write method", { $0.writeMethods = [] }),
            ("negative cache", { $0.tailCacheBytes = -1 }),
            ("lease step 0", { $0.leaseStep = 0 }),
            ("lease step too large", { $0.leaseStep = .max }),
            ("sync interval 0", { $0.syncInterval = .zero }),
            ("sync interval negative", { $0.syncInterval = .seconds(-1) }),
            ("snapshot too small", { $0.snapshotLimitBytes = 100 }),
            ("snapshot negative", { $0.snapshotLimitBytes = -1 }),
            ("snapshot without room for anything", { $0.snapshotLimitBytes = 1024 }),
            ("snapshot larger than a segment", { $0.snapshotLimitBytes = 64 << 10 }),
        ]
        for (what, change) in mistakes {
            let configuration = World.small(change)
            let new = World()
            let error = new.openingError(configuration)
            #expect(error?.code == .configuration, "\(what): \(String(describing: error))")
            #expect(new.names().isEmpty, "\(what): \(new.names())")
            let old = try used()
            let before = old.disk.liveHash
            #expect(old.openingError(configuration)?.code == .configuration, "\(what), a channel that is there")
            #expect(old.disk.liveHash == before, "\(what)")
        }
    }

    @Test func aSnapshotThatIsLongerThanTheLimitOfTheNextOpeningIsAConfigurationErrorAndNothingIsTouched() throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.snapshotLimitBytes = 24 << 10 })
        for index in 0..<20 { try channel.setBookmark("name \(index)", [UInt8](repeating: 1, count: 200)) }
        try channel.close()
        let next = world.next()
        let before = next.disk.liveHash
        let error = next.openingError(World.roomy { $0.snapshotLimitBytes = 4096 })
        #expect(error?.code == .configuration, "\(String(describing: error))")
        #expect(next.disk.liveHash == before)
        let again = try next.open(World.roomy { $0.snapshotLimitBytes = 24 << 10 })
        #expect((0..<20).allSatisfy { again.bookmark("name \($0)")?.count == 200 })
    }

    /// It fits at the moment, and would not any more with all takes open that the limits allow.
    @Test(arguments: [3072, 4096, 6000, 8192]) func pointersThatASmallerSnapshotStillHoldsNeverOutgrowIt(_ limit: Int)
        throws
    {
        let world = World()
        let channel = try world.open(World.roomy { $0.snapshotLimitBytes = 24 << 10 })
        for index in 0..<20 { try channel.setBookmark("name \(index)", [UInt8](repeating: 1, count: 50)) }
        for index in 0..<20 {
            try channel.put(
                tags: [index], producer: ProducerStamp(id: ProducerID(high: 1, low: UInt64(index + 1)), sequence: 1))
        }
        try channel.close()
        let next = world.next()
        let configuration = World.roomy { $0.snapshotLimitBytes = limit }
        guard next.copy().openingError(configuration) == nil else {
            #expect(next.openingError(configuration)?.code == .configuration)
            return
        }
        let again = try next.open(configuration)
        for tag in 20..<600 { try again.put(tags: [tag], bytes: 200) }
        var takes: [OpenTake] = []
        while let gap = try? OpenTake(again, 1), let take = try? OpenTake(again, 1) {
            takes.append(take)
            try gap.commit()
        }
        try again.checkpoint()
        for tag in 600..<900 { try again.put(tags: [tag], bytes: 1000) }
        for take in takes { take.rollback() }
        try again.checkpoint()
        #expect(again.isBalanced)
        #expect(try again.drain(perCommit: 50).count == Int(again.metrics.putEvents) - takes.count)
        try again.close()
    }

    @Test func aProducerWithoutAnIdentityIsAConfigurationError() throws {
        let channel = try World().open()
        let error = failure { _ = try channel.beginPut(producer: ProducerStamp(id: .none, sequence: 1)) }
        #expect(error?.code == .configuration)
    }

    @Test func everyValueMayDifferAtTheNextOpening() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        for tag in 0..<20 { try channel.put(tags: [tag], bytes: 900) }
        #expect(try channel.take(5).count == 5)
        try channel.close()
        let changes: [(inout ChannelConfiguration) -> Void] = [
            { $0.segmentBytes = 128 << 10 }, { $0.capacityBytes = 1 << 20 }, { $0.blockBytes = 4096 },
            { $0.compression = .lz4 }, { $0.durability = .none }, { $0.durability = .interval },
            { $0.groupsInFlight = 1 },
            { $0.writeMethods = [.writeThenSync] }, { $0.damagePolicy = .strict }, { $0.tailCacheBytes = 0 },
            { $0.leaseStep = 1 }, { $0.snapshotLimitBytes = 6000 }, { _ in },
        ]
        var expected = Array(5..<20)
        for (index, change) in changes.enumerated() {
            let next = World(world.disk, seed: UInt64(index + 10))
            let again = try next.open(World.roomy(change))
            #expect(again.recoveryReport.wasClosedCleanly && again.recoveryReport.losses.isEmpty, "change \(index)")
            try again.put(tags: [100 + index], bytes: 500)
            expected.append(100 + index)
            #expect(try again.take(2).tags == Array(expected.prefix(2)), "change \(index)")
            expected.removeFirst(2)
            #expect(again.isBalanced)
            try again.close()
        }
        #expect(try World(world.disk, seed: 99).open(World.roomy()).take().tags == expected)
    }
}
