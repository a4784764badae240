internal import CLinux

/// Runs `body` on `count` threads of its own, with 0..<count, and returns what each returned, when all have ended. Every signal
/// is blocked on them. For this package's benchmarks, harness and tests.
@discardableResult
package func onThreads<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
    let slots = (0..<count).map { _ in Slot<Value>() }
    let threads = (0..<count).map { index in
        let slot = slots[index]
        let context = unsafe Unmanaged.passRetained(ThreadBody { slot.value = body(index) })
        var thread: UInt64 = 0
        let failure = unsafe linux_thread_start("client", runThreadBody, context.toOpaque(), &thread)
        precondition(failure == 0, "a thread cannot be started: errno \(-failure)")
        return thread
    }
    for thread in threads { linux_thread_join(thread) }
    return slots.map { $0.value! }
}

/// Written by one thread, read when it has ended.
private final class Slot<Value>: @unchecked Sendable {
    var value: Value?
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// The C callback: a top-level function, because a closure could inherit an actor's isolation and trap on this thread.
private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context = unsafe context { unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
    return nil
}
