internal import CrashHarness

/// The workload of which each system call is made to fail, and at each storage operation of which the process is killed: one
/// client, so that its calls come in the same order each time, and all that a channel does.
enum StandardWorkload {
    /// What comes before the life that is disturbed.
    enum Beginning: String, Sendable, CaseIterable {
        /// Nothing: the disturbed life makes the channel.
        case new
        /// A process was killed: the disturbed life recovers what it left, over several segments.
        case killed

        var disturbedLife: Int { self == .new ? 0 : 1 }
    }

    /// Takes everything that is there.
    static let lastLife = 2
    /// Sees that nothing is left.
    static let emptyLife = 3

    static let script: CrashScript = {
        let first = CrashScript.Life([
            CrashScript.Phase([
                [
                    put(3), put(2), .bookmark, take(2), .commit(take: 0, deadLetters: 1, bookmark: true),
                    put(6, bytes: 1500), put(6, bytes: 1500), put(6, bytes: 1500), .checkpoint,
                    take(9), .commit(take: 0, deadLetters: 0, bookmark: false), take(4), put(2), .repeatLast,
                ]
            ])
        ])
        let second = CrashScript.Life([
            CrashScript.Phase([
                [
                    take(2), .commit(take: 0, deadLetters: 0, bookmark: true), put(3), .retry, take(2),
                    .rollback(take: 0),
                    put(6, bytes: 1500), .retry, put(6, bytes: 1500), .retry, put(6, bytes: 1500), .retry, .bookmark,
                    take(12), .commit(take: 0, deadLetters: 1, bookmark: false), .checkpoint, .sleep(milliseconds: 200),
                    put(2), .retry, .drain(count: 6), .checkpoint, put(2), .retry, take(1),
                ]
            ])
        ])
        let last = CrashScript.Life([CrashScript.Phase([[.drain(count: 50), put(2), .drain(count: 50)]])])
        return CrashScript(name: "standard", seed: 1, lives: [first, second, last, CrashScript.Life()])
    }()

    private static func put(_ count: Int, bytes: Int = 300) -> CrashScript.Step {
        .put(count: count, bytes: bytes, bookmark: true, shared: true, stamped: true)
    }

    private static func take(_ count: Int) -> CrashScript.Step { .take(count: count, waitMilliseconds: 1000) }
}
