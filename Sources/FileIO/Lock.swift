internal import Glibc

/// A mutex of the C library at a stable address.
///
/// Not `Synchronization.Mutex`: that one is slower when uncontended, and the thread sanitizer does not understand it.
/// Not recursive; a thread that locks twice waits for ever.
@safe public final class Lock: @unchecked Sendable {
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        let failure = unsafe pthread_mutex_init(mutex, nil)
        precondition(failure == 0, "pthread_mutex_init failed with \(failure)")
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    public func lock() {
        unsafe pthread_mutex_lock(mutex)
    }

    /// Only by the thread that locked.
    public func unlock() {
        unsafe pthread_mutex_unlock(mutex)
    }

    @inlinable public func withLock<R: ~Copyable, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// A condition over a ``Lock``, with deadlines on the monotonic clock.
@safe final class Condition: @unchecked Sendable {
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        let failure = unsafe pthread_cond_init(condition, &attributes)
        precondition(failure == 0, "pthread_cond_init failed with \(failure)")
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    /// Gives up `lock` until woken, or until `deadline` (nanoseconds of the monotonic clock; nil for none). May return
    /// early.
    func wait(_ lock: Lock, until deadline: UInt64?) {
        guard let deadline else {
            unsafe pthread_cond_wait(condition, lock.mutex)
            return
        }
        // A time past what the kernel can count is for ever.
        let seconds = Int(min(deadline / 1_000_000_000, UInt64(Int32.max)))
        var until = timespec(tv_sec: seconds, tv_nsec: Int(deadline % 1_000_000_000))
        unsafe pthread_cond_timedwait(condition, lock.mutex, &until)
    }

    func wakeOne() {
        unsafe pthread_cond_signal(condition)
    }
}

/// Lets many calls use an open descriptor and one close it: closing waits for the calls under way, so that no call can
/// reach a number that the kernel has meanwhile given to another file.
@safe final class DescriptorGate: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>
    private var isOpen = true

    init() {
        unsafe lock = .allocate(capacity: 1)
        unsafe lock.initialize(to: pthread_rwlock_t())
        let failure = unsafe pthread_rwlock_init(lock, nil)
        precondition(failure == 0, "pthread_rwlock_init failed with \(failure)")
    }

    deinit {
        unsafe pthread_rwlock_destroy(lock)
        unsafe lock.deallocate()
    }

    /// Runs `body` with the gate held open; nil when it was closed before. `body` must not call out of the module.
    func pass<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R? {
        unsafe pthread_rwlock_rdlock(lock)
        defer { unsafe pthread_rwlock_unlock(lock) }
        guard isOpen else { return nil }
        return try body()
    }

    /// Closes the gate once the calls under way are done, and runs `body`, once in the life of the gate.
    func close<E: Error>(_ body: () throws(E) -> Void) throws(E) {
        unsafe pthread_rwlock_wrlock(lock)
        defer { unsafe pthread_rwlock_unlock(lock) }
        guard isOpen else { return }
        isOpen = false
        try body()
    }
}
