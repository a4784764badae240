import Glibc
import Synchronization

/// Thrown out of a measurement when the user has had enough, so that the files are removed all the same.
struct Interruption: Error {
    private static let requested = Atomic<Bool>(false)

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// SIGINT and SIGTERM end the run at the next operation.
    static func arm() {
        _ = signal(SIGINT, noteInterruption)
        _ = signal(SIGTERM, noteInterruption)
    }

    fileprivate static func request() { requested.store(true, ordering: .relaxed) }
}

private func noteInterruption(_ signal: Int32) { Interruption.request() }
