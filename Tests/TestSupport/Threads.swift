internal import Glibc

/// Runs `body` on `count` threads of its own, with 0..<count, and waits for them.
public func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(ThreadBody { body(index) })
        let failure = unsafe pthread_create(&thread, nil, runThreadBody, context.toOpaque())
        precondition(failure == 0)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context = unsafe context { unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}
