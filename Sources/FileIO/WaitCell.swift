internal import CLinux
internal import Glibc
internal import Synchronization

/// One number that a thread can wait for: 0 until it is signalled, then the value that it was signalled with.
///
/// A commit waits on one, and whoever made it durable signals. It is a futex: a wait that comes after the signal is one
/// load, and a signal that nobody waits for is one store and one load, without a system call.
///
/// Wait and signal go through the ``Runtime``, so that the simulator can run other work instead of blocking. Signalling
/// releases what the signalling thread wrote before, and a wait that returns acquires it.
@safe public final class WaitCell: @unchecked Sendable {
    /// The futex word. Atomics of a class have no address that could be given to the kernel, so both live on the heap.
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    /// Threads that are, or are about to be, in the kernel.
    private let sleepers: UnsafeMutablePointer<Atomic<UInt32>>

    public init() {
        unsafe word = .allocate(capacity: 2)
        unsafe sleepers = word + 1
        unsafe word.initialize(to: Atomic(0))
        unsafe sleepers.initialize(to: Atomic(0))
    }

    deinit {
        unsafe word.deallocate()
    }

    /// The value it was signalled with; 0 when it was not.
    public var value: UInt32 {
        unsafe word.pointee.load(ordering: .acquiring)
    }

    /// Makes it unsignalled again. Only while nobody waits for it or is about to signal it.
    public func reset() {
        unsafe word.pointee.store(0, ordering: .releasing)
    }

    /// What a ``Runtime`` does in `signal`. The last signal wins.
    public func signal(_ value: UInt32) {
        precondition(value != 0, "0 means not signalled")
        // Store, then look for sleepers; a sleeper counts itself, then looks at the word. Both in one total order, so
        // at least one of them sees the other and no wake-up is lost.
        unsafe word.pointee.store(value, ordering: .sequentiallyConsistent)
        guard unsafe sleepers.pointee.load(ordering: .sequentiallyConsistent) != 0 else { return }
        _ = unsafe linux_futex_wake_all(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self))
    }

    /// What a ``Runtime`` over threads does in `wait`: blocks until signalled, or until `deadline` (nanoseconds of the
    /// monotonic clock; nil for none). Nil when the time ran out.
    func wait(until deadline: UInt64?) -> UInt32? {
        let now = value
        if now != 0 { return now }
        _ = unsafe sleepers.pointee.add(1, ordering: .sequentiallyConsistent)
        defer { _ = unsafe sleepers.pointee.subtract(1, ordering: .relaxed) }
        while true {
            let now = unsafe word.pointee.load(ordering: .sequentiallyConsistent)
            if now != 0 { return now }
            let futex = unsafe UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self)
            if unsafe linux_futex_wait(futex, 0, deadline ?? .max) == -ETIMEDOUT {
                let last = value
                return last == 0 ? nil : last
            }
        }
    }
}
