import Glibc
import Inspection

/// A line on a terminal that says how far a long work is: from its second second on, ten times a second at most.
struct Progress {
    private let started = WallClock.monotonic
    private var shown: UInt64 = 0
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let total: UInt64

    /// - Parameter total: bytes.
    init(of total: UInt64) { self.total = total }

    mutating func show(_ done: UInt64) {
        guard isTerminal else { return }
        let now = WallClock.monotonic
        guard now - started > 1_000_000_000, now - shown > 100_000_000 else { return }
        shown = now
        let seconds = Double(now - started) / 1e9
        let rate = Double(done) / seconds
        let left = rate > 0 && total > done ? UInt64(Double(total - done) / rate * 1e9) : 0
        write(
            "\r\u{1b}[K\(Units.bytes(done)) of \(Units.bytes(total)), \(Units.bytes(UInt64(rate)))/s, "
                + "\(Units.duration(nanoseconds: left)) left")
    }

    mutating func end() {
        if shown > 0 { write("\r\u{1b}[K") }
        shown = 0
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
