internal import Glibc

/// Waiting between two looks at something that changes.
enum Pause {
    static func milliseconds(_ count: Int) {
        // A signal ends it early, which does no harm.
        var span = timespec(tv_sec: count / 1000, tv_nsec: count % 1000 * 1_000_000)
        _ = unsafe nanosleep(&span, nil)
    }
}
