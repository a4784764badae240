import Glibc

/// Runs `body` on `count` threads of its own, with 0..<count, and returns what each returned.
func onThreads<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
    let slots = (0..<count).map { _ in Slot<Value>() }
    let threads = (0..<count).map { index in
        let slot = slots[index]
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(ThreadBody { slot.value = body(index) })
        let failure = unsafe pthread_create(&thread, nil, runThreadBody, context.toOpaque())
        precondition(failure == 0, "pthread_create failed with \(failure)")
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
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
