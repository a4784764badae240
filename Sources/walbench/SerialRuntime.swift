import FileIO

/// A runtime without threads and time, for counting instructions: what the engine leaves to the background runs when its only
/// thread would have to wait, in the order in which it was asked for, and each look at a clock finds it a microsecond on. So
/// two runs do the same, instruction by instruction, whatever else the machine does.
///
/// Used by one thread. No time passes in which nothing is done: short pauses (in making a segment ready) are none at all, and what
/// waits for a while without work (a mark) never runs.
final class SerialRuntime: Runtime, @unchecked Sendable {
    private var background: [@Sendable () -> Void] = []
    private var now: UInt64 = 1_000_000_000
    private var lastRandom: UInt64 = 0x5ca1_ab1e
    private static let shortDelay: UInt64 = 1_000_000

    func wallClock() -> UInt64 { 1_750_000_000_000_000_000 + monotonicClock() }

    func monotonicClock() -> UInt64 {
        now += 1_000
        return now
    }

    /// Nobody attacks a measurement.
    func random() -> UInt64 {
        lastRandom ^= lastRandom << 13
        lastRandom ^= lastRandom >> 7
        lastRandom ^= lastRandom << 17
        return lastRandom
    }

    func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) {
        if delay < Self.shortDelay { background.append(work) }
    }

    func wait(for cell: WaitCell) -> UInt32 {
        runBackground(until: cell)
        precondition(cell.value != 0, "a cell is waited for, and no work is left to signal it")
        return cell.value
    }

    func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? {
        runBackground(until: cell)
        return cell.value == 0 ? nil : cell.value
    }

    func signal(_ cell: WaitCell, value: UInt32) { cell.signal(value) }

    func giveWay() {}

    private func runBackground(until cell: WaitCell) {
        while cell.value == 0, !background.isEmpty { background.removeFirst()() }
    }
}
