import CrashHarness
import DurableChannel
import FileIO
import Synchronization
import Testing
import TestSupport

/// The `async` twins, on real files and threads.
@Suite(.timeLimit(.minutes(2))) struct AsyncTests {
    private let directory = RealDirectory()
    private var path: String { directory.path + "/c" }

    private func open(_ change: (inout ChannelConfiguration) -> Void = { _ in }) async throws -> FileChannel {
        try await FileChannel.open(at: path, configuration: World.mebibyte(change))
    }

    private func putAsync(
        _ channel: FileChannel, _ tags: [Int], bytes: Int = 40
    ) async throws -> (receipt: PutReceipt, outcomes: [AppendOutcome]) {
        var put = try channel.beginPut()
        var outcomes: [AppendOutcome] = []
        for tag in tags { outcomes.append(try await put.append(Event(body: body(tag, bytes)))) }
        return (try await put.commit(), outcomes)
    }

    private func takeAsync(
        _ channel: FileChannel, _ count: Int = 1000, waitingUpTo wait: Duration? = .zero
    ) async throws -> [TakenEvent] {
        let take = try await channel.beginTake(maxEvents: count, waitingUpTo: wait)
        let events = Array(take.events)
        try await take.commit()
        return events
    }

    private func asyncFailure(_ body: () async throws -> Void) async -> ChannelError.Code? {
        do {
            try await body()
            return nil
        } catch let error as ChannelError {
            return error.code
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    // MARK: Twins

    @Test func eachTwinDoesTheSameAsItsBlockingOne() async throws {
        let channel = try await open()
        #expect(channel.recoveryReport.created)
        #expect(await asyncFailure { _ = try await FileChannel.open(at: path) } == .inUse)
        let (receipt, outcomes) = try await putAsync(channel, [0, 1, 2])
        #expect(receipt.sequences == 1..<4 && receipt.lsn != nil && outcomes == [.accepted, .accepted, .accepted])
        let take = try await channel.beginTake(maxEvents: 2)
        #expect(take.events.map(\.tag) == [0, 1])
        take.rollback()
        let events = try await takeAsync(channel)
        #expect(events.tags == [0, 1, 2] && events.marks == [true, true, false])
        #expect(try await takeAsync(channel).isEmpty)
        #expect(channel.metrics.takenEvents == 3 && channel.isBalanced)
        try await channel.close()
        try await channel.close()
        #expect(await asyncFailure { _ = try await channel.beginTake() } == .closed)
        let again = try await open()
        #expect(again.recoveryReport.wasClosedCleanly && again.metrics.takenEvents == 3)
        try await again.close()
    }

    @Test func theErrorsOfTheTwinsAreThoseOfTheBlockingOnes() async throws {
        let channel = try await open { $0.capacityEvents = 2 }
        _ = try await putAsync(channel, [0, 1])
        #expect(await asyncFailure { _ = try await putAsync(channel, [2]) } == .full)
        try channel.resize(capacityEvents: 10)
        #expect(await asyncFailure { _ = try await putAsync(channel, [2], bytes: 300 << 10) } == .transactionTooLarge)
        var put = try channel.beginPut()
        let error = await asyncFailure {
            _ = try await put.append(Event(headers: [EventHeader(key: "", value: "")], body: []))
        }
        #expect(error == .invalidEvent)
        _ = try await put.append(Event(body: body(2)))
        _ = try await put.commit()
        #expect(await asyncFailure { _ = try await channel.beginTake(maxEvents: 0) } == .configuration)
        #expect(await asyncFailure { _ = try await channel.beginTake(group: "x") } == .unsupported)
        #expect(try await takeAsync(channel).tags == [0, 1, 2])
        try await channel.close()
    }

    @Test func overflowPoliciesHoldForTheAsyncAppendToo() async throws {
        for policy in [OverflowPolicy.dropOldest, .dropNewest] {
            for inEvents in [true, false] {
                let inner = RealDirectory()
                let channel = try await FileChannel.open(
                    at: inner.path + "/c",
                    configuration: World.mebibyte {
                        if inEvents { $0.capacityEvents = 4 }
                        $0.whenFull = policy
                    })
                let count = inEvents ? 6 : 200
                var dropped = 0
                for tag in 0..<count {
                    dropped += try await putAsync(channel, [tag], bytes: 20_000).outcomes.count { $0 == .dropped }
                }
                let tags = try await takeAsync(channel).tags
                if policy == .dropOldest {
                    #expect(tags == Array((count - tags.count)..<count) && tags.count < count && dropped == 0)
                    #expect(channel.metrics.droppedEvents == UInt64(count - tags.count))
                } else {
                    #expect(tags == Array(0..<tags.count) && dropped == count - tags.count && dropped > 0)
                    #expect(channel.metrics.droppedNewest == UInt64(dropped))
                }
                #expect(channel.isBalanced)
                try await channel.close()
            }
        }
    }

    /// Segments whose events are all taken are about to go: whoever is short of room waits for that, before an event is
    /// refused.
    @Test(arguments: [OverflowPolicy.reject, .dropNewest])
    func bothTwinsOfAppendWaitForTheRoomThatIsAboutToBeThere(_ policy: OverflowPolicy) async throws {
        // At once, or when the log does not list them any more and their room is not back yet.
        for (isAsync, later) in [(false, 0), (true, 0), (false, 150), (true, 150)] {
            let inner = RealDirectory()
            let system = CountingFileSystem(LinuxFileSystem())
            let channel = try await FileChannel.open(
                at: inner.path + "/c", configuration: World.mebibyte { $0.whenFull = policy }, fileSystem: system)
            var tag = 0
            while tag < 100 {
                var outcome = AppendOutcome.dropped
                let code = await asyncFailure {
                    outcome = try await putAsync(channel, [tag], bytes: 20_000).outcomes[0]
                }
                guard code == nil, outcome == .accepted else { break }
                tag += 1
            }
            #expect(tag > 10 && tag < 60)
            // The round that lets them go takes a while.
            system.counts.directorySyncMicroseconds.store(300_000, ordering: .relaxed)
            #expect(try await takeAsync(channel).count == tag)
            try await Task.sleep(for: .milliseconds(later))
            var put = try channel.beginPut()
            let outcome: AppendOutcome
            if isAsync {
                outcome = try await put.append(Event(body: body(tag, 20_000)))
            } else {
                outcome = try put.append(body: body(tag, 20_000))
            }
            #expect(outcome == .accepted, "isAsync \(isAsync), \(later) ms later")
            _ = try await put.commit()
            #expect(try await takeAsync(channel).tags == [tag])
            system.counts.directorySyncMicroseconds.store(0, ordering: .relaxed)
            try await channel.close()
        }
    }

    // MARK: Waiting

    @Test func anAsyncTakeWaitsForItsFirstEventAndForNoLongerThanItWasTold() async throws {
        let channel = try await open()
        let clock = ContinuousClock()
        let started = clock.now
        #expect(try await takeAsync(channel, waitingUpTo: .milliseconds(300)).isEmpty)
        #expect(started.duration(to: clock.now) >= .milliseconds(300))
        let putting = Task {
            try await Task.sleep(for: .milliseconds(200))
            _ = try await putAsync(channel, [7])
        }
        // How soon says nothing here: the threads of Swift concurrency are other tests', too.
        #expect(try await takeAsync(channel, waitingUpTo: nil).tags == [7])
        try await putting.value
        try await channel.close()
    }

    @Test(arguments: [true, false]) func anAsyncAppendWaitsForRoomAndForNoLongerThanItWasTold(_ inEvents: Bool)
        async throws
    {
        func reopened(_ policy: OverflowPolicy) async throws -> FileChannel {
            try await open {
                if inEvents { $0.capacityEvents = 30 }
                $0.whenFull = policy
            }
        }
        let bytes = inEvents ? 100 : 20_000
        var channel = try await reopened(.reject)
        var tag = 0
        while await asyncFailure({ _ = try await putAsync(channel, [tag], bytes: bytes) }) == nil { tag += 1 }
        if inEvents { #expect(tag == 30) } else { #expect(tag > 10 && tag < 60) }
        try await channel.close()
        channel = try await reopened(.block(.milliseconds(300)))
        let clock = ContinuousClock()
        let started = clock.now
        #expect(await asyncFailure { _ = try await putAsync(channel, [tag], bytes: bytes) } == .full)
        #expect(started.duration(to: clock.now) >= .milliseconds(300))
        try await channel.close()
        channel = try await reopened(.block(.seconds(100)))
        let full = channel
        let taking = Task {
            try await Task.sleep(for: .milliseconds(100))
            return try await takeAsync(full)
        }
        _ = try await putAsync(channel, [tag], bytes: bytes)
        #expect(try await taking.value.tags == Array(0..<tag))
        #expect(try await takeAsync(channel).tags == [tag])
        try await channel.close()
    }

    // MARK: Many at once

    /// As many tasks as Swift concurrency has no threads for wait for room; a task that has nothing to do with them runs at
    /// once, and when takers come all of them finish. In a process of its own, where no other test is in the pool.
    @Test func aThousandWaitingAppendsLeaveThePoolFreeAndFinish() async {
        await #expect(processExitsWith: .success) { try await AsyncTests().aThousandAppends() }
    }

    private func aThousandAppends() async throws {
        let channel = try await open {
            $0.capacityEvents = 20
            $0.whenFull = .block(.seconds(100))
        }
        let count = 1000
        let putters = (0..<count).map { tag in Task { try await putAsync(channel, [tag]).receipt } }
        // Until the channel is full and the rest of them wait.
        while channel.metrics.putEvents < 20 { try await Task.sleep(for: .milliseconds(5)) }
        try await requirePoolIsFree()
        try #require(channel.metrics.putEvents == 20)
        // Each takes until it has its share, in takes of its own.
        let takers = (0..<10).map { _ in
            Task {
                var tags: [Int] = []
                while tags.count < count / 10 {
                    tags += try await takeAsync(channel, min(7, count / 10 - tags.count), waitingUpTo: .seconds(60))
                        .tags
                }
                return tags
            }
        }
        var taken: [Int] = []
        for taker in takers { taken += try await taker.value }
        try #require(taken.sorted() == Array(0..<count))
        var sequences: Set<UInt64> = []
        for putter in putters { sequences.insert(try await putter.value.sequences.lowerBound) }
        try #require(sequences == Set(1...UInt64(count)))
        try #require(channel.metrics.heldEvents == 0 && channel.isBalanced)
        try await channel.close()
    }

    /// With `dropOldest`, when all is handed out: whoever waits for room has no thread of those that a take's commit
    /// needs, which is what makes room.
    @Test func manyAppendsThatWaitUnderDropOldestLeaveThePoolToTheCommitThatMakesRoom() async {
        await #expect(processExitsWith: .success) { try await AsyncTests().appendsUnderDropOldest() }
    }

    private func appendsUnderDropOldest() async throws {
        let configuration = World.mebibyte {
            $0.capacityEvents = 20
            $0.whenFull = .dropOldest
        }
        let channel = try await FileChannel.open(at: path, configuration: configuration, runtime: SlowClock())
        _ = try await putAsync(channel, Array(0..<20))
        let held = try await channel.beginTake(maxEvents: 20)
        try #require(held.events.count == 20)
        let putters = (0..<300).map { tag in Task { await asyncFailure { _ = try await putAsync(channel, [tag]) } } }
        try await Task.sleep(for: .milliseconds(200))
        try #require(channel.metrics.putEvents == 20 && channel.metrics.refusedAppends == 0)
        try await held.commit()
        // None of them has waited for its second yet.
        let refused = channel.metrics.refusedAppends
        try #require(refused == 0, "\(refused) appends were refused before the commit of the take was done")
        for putter in putters { try #require(await putter.value == nil) }
        try #require(channel.metrics.putEvents == 320 && channel.metrics.heldEvents == 20 && channel.isBalanced)
        try await channel.close()
    }

    @Test func aThousandWaitingTakesLeaveThePoolFreeAndAreEndedByClosing() async {
        await #expect(processExitsWith: .success) { try await AsyncTests().aThousandTakes() }
    }

    private func aThousandTakes() async throws {
        let channel = try await FileChannel.open(at: path, configuration: ChannelConfiguration(capacityBytes: 64 << 20))
        let codes = (0..<1000).map { _ in
            Task { await asyncFailure { _ = try await channel.beginTake(waitingUpTo: nil) } }
        }
        while channel.metrics.openTakes < 1000 { try await Task.sleep(for: .milliseconds(5)) }
        try await requirePoolIsFree()
        try await channel.close()
        // One that was just about to wait is given an empty take.
        for code in codes {
            let code = await code.value
            try #require(code == .closed || code == nil)
        }
        try #require(channel.metrics.openTakes == 0)
    }

    /// Of 21 tasks that do nothing the middle one has run within ten seconds: behind a thousand others, under a sanitizer, that
    /// takes more than one; threads that wait for room keep them for a hundred, and those that wait for events for ever.
    private func requirePoolIsFree() async throws {
        let clock = ContinuousClock()
        var waits: [Duration] = []
        for _ in 0..<21 {
            let started = clock.now
            await Task.detached {}.value
            waits.append(started.duration(to: clock.now))
            try await Task.sleep(for: .milliseconds(10))
        }
        try #require(waits.sorted()[10] < .seconds(10), "\(waits)")
    }

    // MARK: Cancellation

    @Test func aCancelledTakeThatWaitsForEverEndsAndNobodyMissesItsEvents() async throws {
        let channel = try await open()
        let taking = Task { try await takeAsync(channel, waitingUpTo: nil) }
        while channel.metrics.openTakes < 1 { try await Task.sleep(for: .milliseconds(2)) }
        taking.cancel()
        let ended = await ends(taking)
        #expect(ended, "a cancelled task must not wait for ever")
        _ = try await putAsync(channel, [1])
        // Whether the cancelled one was given the event or this one is: it is there once.
        var tags = try await takeAsync(channel, waitingUpTo: .milliseconds(500)).tags
        if ended, case .success(let events) = await taking.result { tags += events.tags }
        #expect(tags == [1] || !ended)
        try await channel.close()
        _ = await taking.result
    }

    @Test func aCancelledAppendThatWaitsForEverEndsAndItsTransactionIsNotPut() async throws {
        let channel = try await open {
            $0.capacityEvents = 1
            $0.whenFull = .block(nil)
        }
        _ = try await putAsync(channel, [0])
        let putting = Task { try await putAsync(channel, [1]).receipt }
        try await Task.sleep(for: .milliseconds(100))
        putting.cancel()
        #expect(await ends(putting), "a cancelled task must not wait for ever")
        #expect(try await takeAsync(channel).tags == [0])
        #expect(try await takeAsync(channel, waitingUpTo: .milliseconds(300)).isEmpty)
        try await channel.close()
        _ = await putting.result
    }

    /// Commits are not cancelled: they are done, or fail for a reason of their own.
    @Test func cancellingTasksAmidTheirCommitsHangsNothingAndLosesNothing() async throws {
        let channel = try await open { $0.whenFull = .block(.seconds(30)) }
        let putters = (0..<200).map { tag in
            Task { try await putAsync(channel, [tag]).receipt }
        }
        for (index, putter) in putters.enumerated() where index % 2 == 0 { putter.cancel() }
        var kept: Set<Int> = []
        for (tag, putter) in putters.enumerated() {
            if case .success(let receipt) = await putter.result, receipt.sequences.count == 1 { kept.insert(tag) }
        }
        #expect(kept.isSuperset(of: (0..<200).filter { $0 % 2 == 1 }))
        #expect(Set(try await takeAsync(channel).tags) == kept)
        #expect(channel.isBalanced)
        try await channel.close()
    }

    /// Within so many turns of the threads that tests share: how long a turn takes depends on what else they do.
    private func ends<T: Sendable>(_ task: Task<T, any Error>, turns: Int = 4_000) async -> Bool {
        let hasEnded = Atomic(false)
        let box = Box(hasEnded)
        let watching = Task {
            _ = await task.result
            box.value.store(true, ordering: .releasing)
        }
        for _ in 0..<turns where !box.value.load(ordering: .acquiring) { try? await Task.sleep(for: .milliseconds(5)) }
        watching.cancel()
        return box.value.load(ordering: .acquiring)
    }

    private final class Box: Sendable {
        let value: Atomic<Bool>
        init(_ value: consuming Atomic<Bool>) { self.value = value }
    }
}

/// Real threads, and a clock a hundred times too slow: however busy the machine is, nobody's second is over.
private final class SlowClock: Runtime {
    private let system = SystemRuntime()

    func monotonicClock() -> UInt64 { system.monotonicClock() / 100 }
    func wallClock() -> UInt64 { system.wallClock() }
    func random() -> UInt64 { system.random() }
    func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) { system.schedule(after: delay, work) }
    func wait(for cell: WaitCell) -> UInt32 { system.wait(for: cell) }
    func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? { system.wait(for: cell, timeout: timeout) }
    func signal(_ cell: WaitCell, value: UInt32) { system.signal(cell, value: value) }
    func giveWay() { system.giveWay() }
}
