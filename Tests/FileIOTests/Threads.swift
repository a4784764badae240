import Glibc

/// Runs `body` on `count` threads of its own, with 0..<count, and waits for them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
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

/// Starts a program; its process id.
func spawn(_ arguments: [String]) -> pid_t {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    var child: pid_t = 0
    let failure = unsafe posix_spawnp(&child, arguments[0], nil, nil, &pointers, nil)
    return failure == 0 ? child : -1
}

/// Waits for the end of a child; its raw status.
@discardableResult
func waitForEnd(of child: pid_t) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) == -1 && errno == EINTR {}
    return status
}
