import CrashHarness
import DurableChannel
import FileIO
import Glibc
import SimulatedFileIO
import Testing
import TestSupport

/// Closing with whatever is open, and what comes after it.
@Suite struct LifecycleTests {
    // MARK: Transactions that are open

    @Test func aPutThatIsOpenWhenTheChannelIsClosedNeverWas() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: [0])
        var put = try channel.beginPut(producer: ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1))
        try put.append(body: body(1))
        try put.setBookmark("b", [1])
        try channel.close()
        #expect(failure { try put.append(body: body(2)) }?.code == .closed)
        #expect(commitFailure(put)?.code == .closed)
        let after = try world.next().open()
        #expect(after.bookmark("b") == nil)
        #expect(
            try !after.put(tags: [1], producer: ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1)).isRepeat)
        #expect(try after.take().tags == [0, 1])
    }

    @Test func aTakeThatIsOpenWhenTheChannelIsClosedIsRolledBack() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<6)
        var take = try channel.beginTake(maxEvents: 2)
        let dropped = try OpenTake(channel, 1)
        try take.setBookmark("b", [1])
        try channel.close()
        #expect(take.events.map(\.tag) == [0, 1], "what was handed out can still be looked at")
        #expect(commitFailure(take)?.code == .closed)
        dropped.rollback()
        let after = try world.next().open()
        #expect(after.recoveryReport.wasClosedCleanly)
        let events = try after.take()
        #expect(events.tags == Array(0..<6))
        #expect(events.marks == [true, true, true, false, false, false])
        #expect(after.bookmark("b") == nil && after.isBalanced)
    }

    @Test func transactionsThatAreDroppedGiveTheirRoomBack() throws {
        let channel = try World().open(World.mebibyte { $0.capacityEvents = 500 })
        for round in 0..<200 {
            var put = try channel.beginPut()
            for _ in 0..<50 { try put.append(body: body(round, 1000)) }
            switch round % 3 {
            case 0: put.rollback()
            default: break
            }
        }
        #expect(channel.metrics.putEvents == 0)
        let count = try channel.fill()
        #expect(count == 500 || count > 400)
        for _ in 0..<200 {
            let take = try channel.beginTake(maxEvents: 7)
            #expect(take.events.map(\.tag) == Array(0..<7))
        }
        #expect(channel.metrics.openTakes == 0 && channel.metrics.inFlightEvents == 0)
        #expect(try channel.take(1)[0].deliveryCount == 200)
    }

    @Test func anEmptyTransactionCommitsAtOnceAndWritesNothing() throws {
        let world = World()
        let channel = try world.open()
        world.settle()
        let count = world.disk.operationCount
        let receipt = try channel.beginPut().commit()
        #expect(receipt.sequences.isEmpty && receipt.lsn == nil && !receipt.isRepeat)
        try channel.beginTake().commit()
        try channel.beginTake().rollback()
        #expect(world.disk.operationCount == count)
        #expect(channel.metrics.putTransactions == 0 && channel.metrics.takeTransactions == 0)
    }

    // MARK: Those who wait

    /// Whoever waits when the channel is closed is told at once.
    @Test(arguments: 1...5) func closingEndsEveryWaitAtOnce(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(
            World.roomy {
                $0.capacityEvents = 2
                $0.whenFull = .block(nil)
            }, seed: UInt64(seed))
        try channel.put(tags: 0..<2)
        let held = try OpenTake(channel, 2)
        let codes = Problems()
        let started = world.runtime.monotonicClock()
        var bodies: [@Sendable () -> Void] = (0..<3).map { _ in
            { codes.add("take \(failure { _ = try channel.beginTake(waitingUpTo: nil) }?.code.rawValue ?? "nothing")") }
        }
        bodies += (0..<3).map { tag in
            { codes.add("put \(failure { try channel.put(tags: [tag]) }?.code.rawValue ?? "nothing")") }
        }
        bodies.append {
            clients.sleep(5_000_000_000)
            #expect(failure { try channel.close() } == nil)
        }
        clients.run(bodies)
        #expect(
            codes.all.sorted() == [
                "put closed", "put closed", "put closed", "take closed", "take closed", "take closed",
            ])
        #expect(world.runtime.monotonicClock() - started < 7_000_000_000)
        held.rollback()
        #expect(try world.next().open(World.roomy()).take().tags == [0, 1])
    }

    @Test func onRealThreadsClosingEndsEveryWaitAtOnce() throws {
        try TestFiles.withDirectory { root in
            let channel = try openOnDisk(
                root + "/c",
                World.mebibyte {
                    $0.capacityEvents = 2
                    $0.whenFull = .block(nil)
                })
            try channel.put(tags: 0..<2)
            let held = try OpenTake(channel, 2)
            let codes = Problems()
            let clock = ContinuousClock()
            let started = clock.now
            onThreads(5) { index in
                switch index {
                case 0, 1:
                    codes.add("\(failure { _ = try channel.beginTake(waitingUpTo: nil) }?.code.rawValue ?? "none")")
                case 2, 3: codes.add("\(failure { try channel.put(tags: [1]) }?.code.rawValue ?? "none")")
                default:
                    usleep(200_000)
                    #expect(failure { try channel.close() } == nil)
                }
            }
            #expect(codes.all == ["closed", "closed", "closed", "closed"])
            #expect(started.duration(to: clock.now) < .seconds(60))
            held.rollback()
        }
    }

    // MARK: After closing

    @Test func closingTwiceDoesNothing() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: [0])
        try channel.close()
        let hash = world.disk.liveHash
        for _ in 0..<3 { try channel.close() }
        #expect(world.disk.liveHash == hash)
        // Also when another one has it by now.
        let again = try world.next().open()
        try channel.close()
        #expect(failure { try world.next(seed: 5).open() }?.code == .inUse)
        #expect(try again.take().tags == [0])
    }

    @Test(arguments: 1...5) func closingFromSeveralThreadsClosesOnce(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        try channel.put(tags: 0..<3)
        clients.run((0..<4).map { _ in { #expect(failure { try channel.close() } == nil) } })
        let after = try world.next().open(World.roomy())
        #expect(after.recoveryReport.wasClosedCleanly)
        #expect(try after.take().tags == [0, 1, 2])
    }

    /// Whoever closes, the channel is closed when it returns: nothing touches the disk any more, and another may open
    /// it.
    @Test(arguments: 1...20) func whoeverClosesReturnsWhenItIsClosedAndNotBefore(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        try channel.put(tags: 0..<3)
        let counts = Problems()
        let disk = world.disk
        clients.run(
            (0..<4).map { _ in
                {
                    #expect(failure { try channel.close() } == nil)
                    counts.add("\(disk.operationCount)")
                }
            })
        #expect(Set(counts.all) == ["\(disk.operationCount)"], "operations when each of them returned")
        #expect(try world.next().open(World.roomy()).take().tags == [0, 1, 2])
    }

    /// The end is one, and so is what is said of it.
    @Test(arguments: 1...5) func whoeverClosesIsToldTheSame(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        try channel.put(tags: 0..<3)
        world.settle()
        world.disk.faults.add(Fault(.submit, errno: EIO, count: Fault.forever))
        let answers = Problems()
        clients.run((0..<4).map { _ in { answers.add("\(failure { try channel.close() }?.description ?? "none")") } })
        #expect(answers.all.count == 4 && Set(answers.all).count == 1, "\(answers.all)")
        #expect(answers.all.first != "none", "what failed is told")
        #expect(failure { try channel.close() }?.description == answers.all.first)
        world.disk.faults.removeAll()
        #expect(try world.next().open(World.roomy()).take().tags == [0, 1, 2])
    }

    @Test func onRealThreadsWhoeverClosesReturnsWhenItIsClosed() throws {
        try TestFiles.withDirectory { root in
            for round in 0..<10 {
                let channel = try openOnDisk(root + "/c")
                try channel.put(tags: 0..<3)
                let problems = Problems()
                onThreads(4) { _ in
                    if let error = failure({ try channel.close() }) { problems.add("\(error)") }
                    // The lock is free, whoever has it next.
                    if !openFiles(in: root).isEmpty { problems.add("\(openFiles(in: root)) are open") }
                }
                #expect(problems.all.isEmpty, "round \(round): \(problems.all)")
                #expect(channel.metrics.heldEvents == UInt64(3 * (round + 1)))
            }
        }
    }

    /// Who looks at the metrics while the channel is closed reads nothing any more when it is closed.
    @Test func metricsBesideClosingLeaveNoFileOpen() throws {
        try TestFiles.withDirectory { root in
            for round in 0..<20 {
                let channel = try openOnDisk(root + "/c", World.mebibyte { $0.tailCacheBytes = 0 })
                try channel.put(tags: 0..<3)
                let problems = Problems()
                onThreads(4) { index in
                    guard index == 0 else {
                        for _ in 0..<20 { _ = channel.metrics }
                        return
                    }
                    usleep(useconds_t(50 * round))
                    if let error = failure({ try channel.close() }) { problems.add("\(error)") }
                }
                #expect(problems.all.isEmpty && openFiles(in: root).isEmpty, "round \(round): \(openFiles(in: root))")
            }
        }
    }

    @Test(arguments: [DurabilityMode.commit, .interval, .none])
    func afterClosingEveryCallThrowsClosedAndNothingIsTouched(_ durability: DurabilityMode) throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.durability = durability })
        try channel.put(tags: 0..<3, producer: ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1))
        try channel.setBookmark("b", [1])
        try channel.close()
        let hash = world.disk.liveHash
        let calls: [(String, () throws -> Void)] = [
            ("beginPut", { _ = try channel.beginPut() }),
            (
                "put",
                { try channel.put(tags: [1], producer: ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1)) }
            ),
            ("beginTake", { _ = try channel.beginTake() }),
            ("beginTake for ever", { _ = try channel.beginTake(waitingUpTo: nil) }),
            ("setBookmark", { try channel.setBookmark("c", [1]) }),
            ("checkpoint", { try channel.checkpoint() }),
            ("synchronize", { try channel.synchronize() }),
            ("resize in bytes", { try channel.resize(capacityBytes: 3 << 20) }),
            ("resize in events", { try channel.resize(capacityEvents: 4) }),
        ]
        for (name, call) in calls { #expect(failure(call)?.code == .closed, "\(name)") }
        // What is known is still told.
        #expect(channel.bookmark("b") == [1])
        #expect(channel.metrics.putEvents == 3 && channel.metrics.heldEvents == 3 && channel.isBalanced)
        #expect(channel.metrics.state == .failed("the channel is closed"))
        #expect(channel.metrics.capacityEvents == nil)
        _ = (channel.recoveryReport, channel.lossReport.json, channel.path)
        #expect(world.disk.liveHash == hash)
    }

    /// A channel that nobody holds any more, and that was not closed: the same as killed.
    @Test func aChannelThatIsLetGoWithoutClosingGivesItsLockBack() throws {
        try TestFiles.withDirectory { root in
            for round in 0..<5 {
                let channel = try openOnDisk(root + "/c")
                try channel.put(tags: [round])
                _ = consume channel
                var code: ChannelError.Code? = .inUse
                for _ in 0..<500 where code == .inUse {
                    code = failure { try openOnDisk(root + "/c").close() }?.code
                    if code == .inUse { usleep(10_000) }
                }
                #expect(code == nil, "round \(round)")
            }
            #expect(try openOnDisk(root + "/c").take().tags == [0, 1, 2, 3, 4])
        }
    }

    // MARK: What does not compile

    /// Where this test's own modules are.
    private static let products = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false)
        .dropLast()
        .joined(separator: "/")

    private static let compiler: String? = {
        guard let path = unsafe getenv("PATH").map({ unsafe String(cString: $0) }) else { return nil }
        return path.split(separator: ":").map { $0 + "/swiftc" }.first { unsafe access($0, X_OK) == 0 }
    }()

    /// Each line is a use of a `channel`; those with `//` must not compile, for the reason behind it.
    private static let uses = """
        try channel.beginPut().commit()
        do { var put = try channel.beginPut(); try put.append(body: "a"); try put.commit() }
        do { let take = try channel.beginTake(); print(take.events.count); try take.commit() }
        do { let put = try channel.beginPut(); try put.commit(); try put.commit() }  // consumed more than once
        do { let put = try channel.beginPut(); try put.commit(); put.rollback() }  // consumed more than once
        do { let put = try channel.beginPut(); put.rollback(); try put.commit() }  // consumed more than once
        do { var put = try channel.beginPut(); try put.commit(); try put.append(body: "late") }  // used after consume
        do { let put = try channel.beginPut(); let other = put; try put.commit(); try other.commit() }  // consumed more than once
        do { let take = try channel.beginTake(); try take.commit(); try take.commit() }  // consumed more than once
        do { let take = try channel.beginTake(); try take.commit(); take.rollback() }  // consumed more than once
        do { let take = try channel.beginTake(); take.rollback(); try take.commit() }  // consumed more than once
        do { let take = try channel.beginTake(); try take.commit(); print(take.events.count) }  // used after consume
        """.split(separator: "\n").map(String.init)

    @Test(.enabled(if: compiler != nil, "there is no swiftc in PATH"))
    func aTransactionThatIsCommittedTwiceOrUsedAfterItsEndDoesNotCompile() {
        TestFiles.withDirectory { root in
            let source =
                "import DurableChannel\nfunc use(_ channel: FileChannel) throws {\n"
                + Self.uses.joined(separator: "\n") + "\n}\n"
            #expect(TestFiles.write(Array(source.utf8), to: root + "/uses.swift"))
            var arguments = [
                Self.compiler!, "-emit-sil", root + "/uses.swift", "-o", root + "/out", "-swift-version", "6",
            ]
            arguments += ["-module-cache-path", root + "/cache", "-I", Self.products + "/Modules"]
            for module in ["CLZ4", "CCRC32C", "CLinux"] {
                arguments += ["-Xcc", "-fmodule-map-file=\(Self.products)/\(module).build/module.modulemap"]
            }
            let code = Child.run(arguments, output: "/dev/null", errors: root + "/errors")
            let errors = (TestFiles.text(root + "/errors") ?? "").split(separator: "\n").filter {
                $0.contains(": error: ")
            }
            #expect(code == 1)
            for (index, use) in Self.uses.enumerated() {
                let found = errors.filter { $0.hasPrefix("\(root)/uses.swift:\(index + 3):") }
                if let reason = use.split(separator: "// ").dropFirst().last {
                    #expect(found.contains { $0.contains(reason) }, "\(use): \(found)")
                } else {
                    #expect(found.isEmpty, "\(use)")
                }
            }
            let ours = errors.filter { $0.hasPrefix(root) }
            #expect(ours.count == errors.count, "\(errors)")
        }
    }
}

/// Files below a directory that this process has open.
private func openFiles(in root: String) -> [String] {
    TestFiles.names(in: "/proc/self/fd").compactMap { name in
        var target = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/fd/\(name)", &target, 4095)
        guard count > 0 else { return nil }
        let path = String(decoding: target[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.hasPrefix(root + "/") ? path : nil
    }
}
