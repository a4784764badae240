import CommandOptions
import CrashHarness
import Glibc
import Synchronization

/// A line on the terminal that says how many states were looked at, how fast, and how long it still takes. Nothing when
/// standard error is no terminal.
final class ProgressLine: Sendable {
    private let states: Int
    private let nanoseconds: UInt64
    private let isShown = isatty(STDERR_FILENO) == 1
    /// Of the clock that the campaign tells.
    private let next = Atomic<UInt64>(0)

    private static let interval: UInt64 = 200_000_000
    private static let isOnScreen = Atomic<Bool>(false)

    init(states: Int, nanoseconds: UInt64) {
        self.states = states
        self.nanoseconds = nanoseconds
    }

    func show(_ progress: Campaign.Progress) {
        guard isShown, progress.nanoseconds >= next.load(ordering: .relaxed) else { return }
        next.store(progress.nanoseconds + Self.interval, ordering: .relaxed)
        let done = progress.report.coverage.states
        let rate = Double(done) * 1e9 / Double(max(1, progress.nanoseconds))
        var text = "\(grouped(done)) states, \(grouped(Int(rate))) states/s"
        if let left = secondsLeft(done, rate, progress.nanoseconds) { text += ", \(left / 60) min \(left % 60) s left" }
        Self.isOnScreen.store(true, ordering: .relaxed)
        Self.write("\r\(text)\u{1B}[K")
    }

    private func secondsLeft(_ done: Int, _ rate: Double, _ elapsed: UInt64) -> Int? {
        var left: [Double] = []
        if states != .max, rate > 0 { left.append(Double(states - done) / rate) }
        if nanoseconds != .max { left.append(Double(nanoseconds) / 1e9 - Double(elapsed) / 1e9) }
        return left.min().map { Int(max(0, $0)) }
    }

    /// Takes the line away, before something else is written.
    static func clear() {
        if isOnScreen.exchange(false, ordering: .relaxed) { write("\r\u{1B}[K") }
    }

    private static func write(_ text: String) {
        let text = Array(text.utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, text, text.count)
    }
}
