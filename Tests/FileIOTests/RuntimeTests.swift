import FileIO
import Glibc
import Testing
import TestSupport

@Suite struct RuntimeTests {
    @Test func aSignalBeforeTheWaitIsNotLost() {
        let (runtime, cell) = (SystemRuntime(), WaitCell())
        #expect(cell.value == 0)
        runtime.signal(cell, value: 7)
        #expect(runtime.wait(for: cell) == 7)
        #expect(runtime.wait(for: cell, timeout: 0) == 7)
        cell.reset()
        #expect(runtime.wait(for: cell, timeout: 0) == nil)
    }

    @Test func aWaitEndsWhenItsTimeIsOver() {
        let (runtime, cell) = (SystemRuntime(), WaitCell())
        let start = runtime.monotonicClock()
        #expect(runtime.wait(for: cell, timeout: 20_000_000) == nil)
        #expect(runtime.monotonicClock() - start >= 20_000_000)
    }

    @Test func noWakeUpIsLostBetweenTwoThreads() {
        let runtime = SystemRuntime()
        let rounds = 5_000
        let there = (0..<rounds).map { _ in WaitCell() }
        let back = (0..<rounds).map { _ in WaitCell() }
        // Plain memory, handed over by the cells alone: the thread sanitizer sees whether they order it.
        let baton = AlignedBuffer(byteCount: 8)
        onThreads(2) { side in
            for round in 0..<rounds {
                if side == 0 {
                    baton.copy(from: [UInt8(truncatingIfNeeded: round)], at: 0)
                    runtime.signal(there[round], value: UInt32(round + 1))
                    #expect(runtime.wait(for: back[round], timeout: 60_000_000_000) == 1)
                } else {
                    #expect(runtime.wait(for: there[round]) == UInt32(round + 1))
                    #expect(baton.array(1) == [UInt8(truncatingIfNeeded: round)])
                    runtime.signal(back[round], value: 1)
                }
            }
        }
    }

    @Test func aSignalWakesEverybodyWhoWaits() {
        let (runtime, cell, woken) = (SystemRuntime(), WaitCell(), Outcomes())
        onThreads(5) { index in
            if index == 0 {
                _ = usleep(5_000)
                runtime.signal(cell, value: 3)
            } else if runtime.wait(for: cell) == 3 {
                woken.add(nil)
            }
        }
        #expect(woken.count == 4)
    }

    @Test func theLockLetsOneInAtATime() {
        let (lock, counter) = (Lock(), AlignedBuffer(byteCount: 8))
        onThreads(4) { _ in
            for _ in 0..<10_000 {
                lock.withLock {
                    counter.withMutableBytes { bytes in
                        let old = unsafe bytes.unsafeLoad(fromByteOffset: 0, as: UInt64.self)
                        bytes.storeBytes(of: old + 1, as: UInt64.self)
                    }
                }
            }
        }
        #expect(unsafe counter.bytes.unsafeLoad(fromByteOffset: 0, as: UInt64.self) == 40_000)
    }

    @Test func workRunsInTheOrderOfItsDeadlinesAndNotBefore() {
        let runtime = SystemRuntime()
        let order = Numbers()
        let start = runtime.monotonicClock()
        let done = WaitCell()
        for (index, milliseconds) in [(3, 60), (1, 20), (2, 40), (0, 0)] as [(UInt64, UInt64)] {
            runtime.schedule(after: milliseconds * 1_000_000) {
                order.add(index)
                #expect(runtime.monotonicClock() - start >= milliseconds * 1_000_000)
                if index == 3 { runtime.signal(done, value: 1) }
            }
        }
        #expect(runtime.wait(for: done, timeout: 60_000_000_000) == 1)
        #expect(order.all == [0, 1, 2, 3])
        runtime.shutdown()
    }

    @Test func manyPiecesOfWorkAllRunOnce() {
        let (runtime, ran, done) = (SystemRuntime(), Numbers(), WaitCell())
        onThreads(4) { side in
            for index in 0..<500 {
                runtime.schedule(after: UInt64((index * 7919) % 1000) * 1000) {
                    if ran.add(UInt64(side * 500 + index)) == 2000 { runtime.signal(done, value: 1) }
                }
            }
        }
        #expect(runtime.wait(for: done, timeout: 60_000_000_000) == 1)
        #expect(Set(ran.all).count == 2000)
    }

    @Test func shutdownWaitsForWhatRunsAndDropsTheRest() {
        let (runtime, ran, begun) = (SystemRuntime(), Numbers(), WaitCell())
        runtime.schedule(after: 0) {
            runtime.signal(begun, value: 1)
            _ = usleep(20_000)
            ran.add(1)
        }
        runtime.schedule(after: 3_600_000_000_000) { ran.add(2) }
        #expect(runtime.wait(for: begun, timeout: 60_000_000_000) == 1)
        runtime.shutdown()
        #expect(ran.all == [1])
        runtime.schedule(after: 0) { ran.add(3) }
        runtime.shutdown()
        _ = usleep(5_000)
        #expect(ran.all == [1])
    }

    @Test func workMayShutItsRuntimeDownOrHoldItsLastReference() {
        let (first, done) = (SystemRuntime(), WaitCell())
        first.schedule(after: 0) {
            first.shutdown()
            done.signal(1)
        }
        #expect(SystemRuntime().wait(for: done, timeout: 60_000_000_000) == 1)

        weak var gone: SystemRuntime?
        let ran = WaitCell()
        do {
            let second = SystemRuntime()
            gone = second
            second.schedule(after: 1_000_000) {
                _ = second.wallClock()
                ran.signal(1)
            }
        }
        let clock = SystemRuntime()
        #expect(clock.wait(for: ran, timeout: 60_000_000_000) == 1)
        let start = clock.monotonicClock()
        while gone != nil && clock.monotonicClock() - start < 10_000_000_000 { _ = usleep(1000) }
        #expect(gone == nil)
    }

    @Test func clocksGoForwardAndRandomNumbersDiffer() {
        let runtime = SystemRuntime()
        let (first, second) = (runtime.monotonicClock(), runtime.monotonicClock())
        #expect(first <= second)
        #expect(runtime.wallClock() > 1_700_000_000_000_000_000)
        #expect(Set((0..<100).map { _ in runtime.random() }).count == 100)
    }
}

/// Numbers in the order in which they came, from any thread.
final class Numbers: @unchecked Sendable {
    private let lock = Lock()
    private var numbers: [UInt64] = []

    /// How many there are now.
    @discardableResult
    func add(_ number: UInt64) -> Int {
        lock.withLock {
            numbers.append(number)
            return numbers.count
        }
    }

    var all: [UInt64] { lock.withLock { numbers } }
}

@Suite struct AlignedBufferTests {
    @Test func memoryIsAlignedRoundedUpAndZero() {
        for (asked, given) in [
            (0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (61_440, 61_440), (61_441, 65_536), (65_536, 65_536),
            (65_537, 69_632), (3 << 20, 3 << 20),
        ] {
            let buffer = AlignedBuffer(byteCount: asked)
            #expect(buffer.byteCount == given)
            #expect(buffer.bytes.byteCount == given)
            #expect(buffer.array(given).allSatisfy { $0 == 0 })
            unsafe buffer.bytes.withUnsafeBytes { #expect(UInt(bitPattern: $0.baseAddress) % 4096 == 0) }
        }
    }

    @Test func bytesAreCopiedAndZeroedWhereAsked() {
        let buffer = AlignedBuffer(pattern(4096))
        buffer.zero(10..<20)
        buffer.copy(from: [1, 2, 3], at: 4093)
        buffer.copy(from: [], at: 4096)
        buffer.withMutableBytes { $0.storeBytes(of: 0xFF, as: UInt8.self) }
        var expected = pattern(4096)
        expected.replaceSubrange(10..<20, with: [UInt8](repeating: 0, count: 10))
        expected.replaceSubrange(4093..<4096, with: [1, 2, 3])
        expected[0] = 0xFF
        #expect(buffer.array(4096) == expected)
    }
}
