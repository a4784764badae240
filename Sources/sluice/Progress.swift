import CommandOptions
import Glibc
import Synchronization

/// A line on the terminal that says how far the work is. Nothing when standard error is no terminal, or the work is
/// done within a second.
final class Progress: Sendable {
    private let verb: String
    private let isShown: Bool
    private let started = ContinuousClock.now
    private let lines = Atomic<UInt64>(0)
    private let bytes = Atomic<UInt64>(0)
    /// In milliseconds since the start.
    private let nextTime = Atomic<UInt64>(1000)

    private static let isOnScreen = Atomic<Bool>(false)

    /// - Parameter verb: what has been done to the lines ("put").
    init(_ verb: String) {
        self.verb = verb
        isShown = isatty(STDERR_FILENO) == 1
    }

    /// More was done. May be called by any thread.
    func add(lines more: Int, bytes moreBytes: Int) {
        guard isShown else { return }
        let lines = lines.add(UInt64(more), ordering: .relaxed).newValue
        let bytes = bytes.add(UInt64(moreBytes), ordering: .relaxed).newValue
        let elapsed = ContinuousClock.now - started
        let milliseconds = UInt64(elapsed / .milliseconds(1))
        let due = nextTime.load(ordering: .relaxed)
        guard milliseconds >= due,
            nextTime.compareExchange(expected: due, desired: milliseconds + 200, ordering: .relaxed).exchanged
        else { return }
        show(lines, bytes, after: milliseconds)
    }

    /// The last word, if there was a first one.
    func showTotal() {
        guard Self.isOnScreen.load(ordering: .relaxed) else { return }
        let milliseconds = UInt64((ContinuousClock.now - started) / .milliseconds(1))
        show(lines.load(ordering: .relaxed), bytes.load(ordering: .relaxed), after: milliseconds)
    }

    private func show(_ lines: UInt64, _ bytes: UInt64, after milliseconds: UInt64) {
        let perSecond = lines * 1000 / max(1, milliseconds)
        Self.show("\r\(grouped(lines)) lines \(verb), \(bytes >> 20) MiB, \(grouped(perSecond)) lines/s \u{1B}[K")
    }

    /// Takes the line away, before something else is written.
    static func clear() {
        if isOnScreen.exchange(false, ordering: .relaxed) { write("\r\u{1B}[K") }
    }

    /// Leaves the line as it is, and what comes next begins a line of its own.
    static func end() {
        if isOnScreen.exchange(false, ordering: .relaxed) { write("\n") }
    }

    private static func show(_ text: String) {
        isOnScreen.store(true, ordering: .relaxed)
        write(text)
    }

    private static func write(_ text: String) {
        let text = Array(text.utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, text, text.count)
    }
}
