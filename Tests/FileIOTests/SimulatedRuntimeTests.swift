import FileIO
import Glibc
import SimulatedFileIO
import Testing

@Suite struct SimulatedRuntimeTests {
    /// Writes in flight, work and randomness mixed; what it did, in three hashes and one list.
    private func run(seed: UInt64) throws -> (order: [UInt64], disk: UInt64, runtime: UInt64, state: UInt64) {
        let bench = try Bench(seed: seed)
        let (order, runtime) = (Numbers(), bench.runtime)
        let file = try bench.directory.create("a", method: .synced)
        for index in 0..<12 {
            let bytes = pattern(700, seed: UInt8(truncatingIfNeeded: runtime.random()))
            file.submitWrite(AlignedBuffer(bytes), count: 700, at: UInt64(index) * 700) { _ in
                order.add(UInt64(index))
                runtime.schedule(after: runtime.random() % 100_000) { order.add(100 + UInt64(index)) }
            }
        }
        runtime.runUntilIdle(horizon: 1_000_000_000)
        return (order.all, bench.disk.traceHash, runtime.traceHash, bench.disk.stateHash)
    }

    @Test func oneSeedGivesOneTraceAndAnotherSeedAnother() throws {
        let first = try run(seed: 7)
        let again = try run(seed: 7)
        #expect(first == again)
        let other = try run(seed: 8)
        #expect(first.order != other.order && first.disk != other.disk && first.runtime != other.runtime)
        #expect(first.order.count == 24)
    }

    @Test func writesCompleteInManyOrders() throws {
        let orders = try Set((0..<20).map { try run(seed: $0).order.filter { $0 < 100 } })
        #expect(orders.count > 15)
    }

    @Test func waitingRunsOtherWorkUntilTheSignal() {
        let (runtime, cell, ran) = (SimulatedRuntime(seed: 3), WaitCell(), Numbers())
        runtime.schedule(after: 5_000_000) {
            ran.add(1)
            runtime.schedule(after: 1_000_000) { runtime.signal(cell, value: 9) }
        }
        let start = runtime.monotonicClock()
        #expect(runtime.wait(for: cell) == 9)
        #expect(ran.all == [1])
        #expect(runtime.monotonicClock() - start >= 6_000_000)
    }

    @Test func aWaitWithATimeLimitLetsTheTimePass() {
        let (runtime, cell, ran) = (SimulatedRuntime(seed: 3), WaitCell(), Numbers())
        runtime.schedule(after: 1_000_000) { ran.add(1) }
        runtime.schedule(after: 50_000_000) { ran.add(2) }
        let start = runtime.monotonicClock()
        #expect(runtime.wait(for: cell, timeout: 10_000_000) == nil)
        #expect(runtime.monotonicClock() - start == 10_000_000)
        #expect(ran.all == [1])
        runtime.signal(cell, value: 2)
        #expect(runtime.wait(for: cell, timeout: 0) == 2)
    }

    @Test func workThatWaitsForEachOtherIsADeadlockAndTraps() async {
        await #expect(processExitsWith: .signal(SIGILL)) {
            _ = SimulatedRuntime(seed: 1).wait(for: WaitCell())
        }
    }

    @Test func scheduledWorkMustNotWaitUnlessPermitted() async {
        await #expect(processExitsWith: .signal(SIGILL)) {
            let (runtime, cell) = (SimulatedRuntime(seed: 1), WaitCell())
            runtime.schedule(after: 0) { _ = runtime.wait(for: cell, timeout: 1) }
            runtime.step()
        }
        let (runtime, cell, ran) = (SimulatedRuntime(seed: 1), WaitCell(), Numbers())
        runtime.permitsWaitingWork = true
        runtime.schedule(after: 0) {
            ran.add(UInt64(runtime.wait(for: cell)))
        }
        runtime.schedule(after: 1_000_000) { runtime.signal(cell, value: 4) }
        runtime.step()
        #expect(ran.all == [4])
    }

    @Test func inlineCompletionCompletesBeforeTheCallReturns() throws {
        let bench = try Bench()
        bench.runtime.inlineCompletion = true
        let (file, outcomes) = (try bench.durableFile("a", []), Outcomes())
        bench.submit(file, [1, 2], at: 0, outcomes)
        #expect(outcomes.all == [nil] && !bench.runtime.hasWork)
        #expect(bench.disk.crashed(keeping: .nothing).contents(of: "/disk/a") == [1, 2])
    }

    @Test func theWallClockJumpsAndTheOtherDoesNot() {
        let runtime = SimulatedRuntime(seed: 1)
        let (wall, monotonic) = (runtime.wallClock(), runtime.monotonicClock())
        runtime.jumpWallClock(by: -5_000_000_000)
        #expect(runtime.wallClock() == wall - 5_000_000_000 && runtime.monotonicClock() == monotonic)
        runtime.advance(by: 7)
        #expect(runtime.wallClock() == wall - 5_000_000_000 + 7 && runtime.monotonicClock() == monotonic + 7)
    }

    @Test func aBufferChangedInFlightTraps() async {
        await #expect(processExitsWith: .signal(SIGILL)) {
            let bench = try Bench()
            let (file, buffer) = (try bench.durableFile("a", []), AlignedBuffer([1]))
            file.submitWrite(buffer, count: 1, at: 0) { _ in }
            buffer.copy(from: [2], at: 0)
            bench.runtime.runUntilIdle()
        }
    }
}
