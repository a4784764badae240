internal import CLinux

/// Threads for calls that block, so that Swift concurrency's own threads never do. They are started when they are needed, up to
/// a bound, and end when they have had nothing to do for a while.
///
/// What runs here may wait for the disk, not for something that only other work of the same pool can bring about.
public final class BlockingPool: Sendable {
    private let queue = WorkQueue()

    public init() {}

    deinit { queue.end() }

    /// Runs `body` on a thread of the pool and returns what it returns.
    public func run<R: Sendable, E: Error>(_ body: @escaping @Sendable () throws(E) -> R) async throws(E) -> R {
        let result: Result<R, E> = await withCheckedContinuation { continuation in
            queue.add {
                do throws(E) { continuation.resume(returning: .success(try body())) } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    /// No more threads are started; those that run end when the work that was added is done.
    public func end() { queue.end() }
}

private final class WorkQueue: @unchecked Sendable {
    private let lock = Lock()
    private let changed = Condition()
    // Under `lock`:
    private var work: [@Sendable () -> Void] = []
    private var threads = 0
    private var idle = 0
    private var hasEnded = false

    private static let mostThreads = 64
    private static let idleNanoseconds: UInt64 = 5_000_000_000

    func add(_ item: @escaping @Sendable () -> Void) {
        let startsThread = lock.withLock { () -> Bool in
            work.append(item)
            changed.wakeOne()
            guard idle < work.count, threads < Self.mostThreads else { return false }
            threads += 1
            return true
        }
        guard startsThread, !start() else { return }
        // Out of threads: the work is done by those that there are, or, when there is none, here and now.
        let left = lock.withLock { () -> [@Sendable () -> Void] in
            threads -= 1
            guard threads == 0 else { return [] }
            defer { work = [] }
            return work
        }
        for item in left { item() }
    }

    func end() {
        lock.withLock {
            hasEnded = true
            for _ in 0..<threads { changed.wakeOne() }
        }
    }

    private func start() -> Bool {
        var started: UInt64 = 0
        let context = unsafe Unmanaged.passRetained(self)
        guard unsafe linux_thread_start("sluice-block", poolThread, context.toOpaque(), &started) == 0 else {
            unsafe context.release()
            return false
        }
        _ = linux_thread_detach(started)
        return true
    }

    /// The body of a thread.
    func run() {
        while let item = next() { item() }
    }

    private func next() -> (@Sendable () -> Void)? {
        lock.withLock {
            let deadline = linux_monotonic_clock() + Self.idleNanoseconds
            idle += 1
            defer { idle -= 1 }
            while work.isEmpty {
                if hasEnded || linux_monotonic_clock() >= deadline {
                    threads -= 1
                    return nil
                }
                changed.wait(lock, until: deadline)
            }
            return work.removeFirst()
        }
    }
}

/// The C callback: a top-level function, because a closure could inherit an actor's isolation and trap on this thread.
private func poolThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    unsafe Unmanaged<WorkQueue>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
