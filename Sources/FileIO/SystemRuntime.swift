internal import CLinux
internal import Glibc

/// ``Runtime`` over the kernel: its clocks, its randomness, futexes, and one thread for background work.
///
/// The thread is started by the first ``schedule(after:_:)`` and has every signal blocked. It keeps its own state alive
/// and not the runtime, so dropping the last reference to the runtime ends it as ``shutdown()`` does.
public final class SystemRuntime: Runtime {
    private let worker = BackgroundWorker()

    public init() {}

    deinit {
        worker.end()
    }

    public func wallClock() -> UInt64 {
        linux_wall_clock()
    }

    public func monotonicClock() -> UInt64 {
        linux_monotonic_clock()
    }

    public func random() -> UInt64 {
        var bits: UInt64 = 0
        let failure = unsafe linux_random(&bits, MemoryLayout<UInt64>.size)
        precondition(failure == 0, "getrandom failed with errno \(-failure): the kernel must be Linux 3.17 or later")
        return bits
    }

    /// As documented in ``Runtime``. All work runs on one thread, in the order of its deadlines. If the process is out
    /// of threads, the work stays queued and each later call tries again to start one.
    public func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) {
        let (deadline, overflow) = linux_monotonic_clock().addingReportingOverflow(delay)
        worker.add(BackgroundWorker.Item(deadline: overflow ? .max : deadline, work: work))
    }

    public func wait(for cell: WaitCell) -> UInt32 {
        cell.wait(until: nil) ?? 0
    }

    public func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? {
        let (deadline, overflow) = linux_monotonic_clock().addingReportingOverflow(timeout)
        return cell.wait(until: overflow ? nil : deadline)
    }

    public func signal(_ cell: WaitCell, value: UInt32) {
        cell.signal(value)
    }

    public func giveWay() {
        sched_yield()
    }

    /// Ends background work: what runs is waited for (unless the caller is that work), what has not begun is dropped
    /// without being run, and later ``schedule(after:_:)`` calls do nothing. Calling it twice does nothing.
    public func shutdown() {
        worker.end()
    }
}

/// The background thread and its queue, ordered by deadline.
private final class BackgroundWorker: @unchecked Sendable {
    struct Item {
        var deadline: UInt64
        /// Equal deadlines keep the order in which they came.
        var ordinal: UInt64 = 0
        var work: @Sendable () -> Void

        init(deadline: UInt64, work: @escaping @Sendable () -> Void) {
            self.deadline = deadline
            self.work = work
        }

        func comes(before other: Item) -> Bool {
            (deadline, ordinal) < (other.deadline, other.ordinal)
        }
    }

    private let lock = Lock()
    private let changed = Condition()
    // Under `lock`:
    private var heap: [Item] = []
    private var nextOrdinal: UInt64 = 0
    private var thread: UInt64?
    private var hasEnded = false

    func add(_ item: Item) {
        lock.withLock {
            guard !hasEnded else { return }
            var item = item
            item.ordinal = nextOrdinal
            nextOrdinal += 1
            push(item)
            startIfNeeded()
            changed.wakeOne()
        }
    }

    func end() {
        // Dropped work may own the last reference to anything: it is let go outside of the lock.
        let (dropped, running) = lock.withLock { () -> ([Item], UInt64?) in
            hasEnded = true
            changed.wakeOne()
            defer {
                heap = []
                thread = nil
            }
            return (heap, thread)
        }
        _ = consume dropped
        guard let running else { return }
        // The work itself may drop the last reference to the runtime; a thread cannot join itself.
        _ = running == linux_thread_current() ? linux_thread_detach(running) : linux_thread_join(running)
    }

    /// The body of the thread.
    func run() {
        while let work = next() { work() }
    }

    private func startIfNeeded() {
        guard thread == nil else { return }
        var started: UInt64 = 0
        let context = unsafe Unmanaged.passRetained(self)
        if unsafe linux_thread_start("sluice-work", backgroundThread, context.toOpaque(), &started) == 0 {
            thread = started
        } else {
            unsafe context.release()
        }
    }

    /// Waits for the first deadline to pass and takes its work; nil at the end.
    private func next() -> (@Sendable () -> Void)? {
        lock.withLock {
            while !hasEnded {
                guard let first = heap.first else {
                    changed.wait(lock, until: nil)
                    continue
                }
                if first.deadline <= linux_monotonic_clock() { return popFirst().work }
                changed.wait(lock, until: first.deadline)
            }
            return nil
        }
    }

    private func push(_ item: Item) {
        heap.append(item)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].comes(before: heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private func popFirst() -> Item {
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].comes(before: heap[smallest]) { smallest = child }
            }
            guard smallest != parent else { return first }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}

/// The C callback: a top-level function, because a closure could inherit an actor's isolation and trap on this thread.
private func backgroundThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    unsafe Unmanaged<BackgroundWorker>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
