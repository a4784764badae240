internal import FileIO
internal import Synchronization

/// The system's runtime with a wall clock that jumps: nobody sets the clock of the machine for a test.
final class LifeRuntime: Runtime {
    private let inner = SystemRuntime()
    private let offset = Atomic<Int64>(0)

    func jumpWallClock(milliseconds: Int) {
        offset.add(Int64(milliseconds) * 1_000_000, ordering: .relaxed)
    }

    func wallClock() -> UInt64 { inner.wallClock() &+ UInt64(bitPattern: offset.load(ordering: .relaxed)) }
    func monotonicClock() -> UInt64 { inner.monotonicClock() }
    func random() -> UInt64 { inner.random() }
    func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) { inner.schedule(after: delay, work) }
    func wait(for cell: WaitCell) -> UInt32 { inner.wait(for: cell) }
    func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? { inner.wait(for: cell, timeout: timeout) }
    func signal(_ cell: WaitCell, value: UInt32) { inner.signal(cell, value: value) }
    func giveWay() { inner.giveWay() }
}
