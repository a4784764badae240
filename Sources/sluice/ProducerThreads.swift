import DurableChannel
import Glibc
import LineTransfer

/// Threads that put batches side by side. One thread hands batches in; when all are busy it waits, so memory stays
/// bounded.
@safe final class ProducerThreads: @unchecked Sendable {
    private let put: @Sendable (LineBatch) throws(LineTransferError) -> Void
    private let count: Int
    private var threads: [pthread_t] = []
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // Under `mutex`:
    private var waiting: [LineBatch] = []
    private var isOver = false
    private var failure: LineTransferError?

    init(_ count: Int, put: @escaping @Sendable (LineBatch) throws(LineTransferError) -> Void) {
        self.put = put
        self.count = count
        unsafe changed = .allocate(capacity: 1)
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_cond_init(changed, nil)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// - Throws: when not one thread can be had. With fewer than wished for, those do the work.
    func start() throws(LineTransferError) {
        for _ in 0..<count {
            var thread = pthread_t()
            let context = unsafe Unmanaged.passRetained(self)
            let number = unsafe pthread_create(&thread, nil, producerThread, context.toOpaque())
            if number == 0 {
                threads.append(thread)
                continue
            }
            unsafe context.release()
            guard threads.isEmpty else { return }
            throw LineTransferError(
                .channel, "no thread can be started (errno \(number)); raise the limit on processes, or memory")
        }
    }

    /// Hands a batch in. Throws what a thread has failed with.
    func hand(_ batch: LineBatch) throws(LineTransferError) {
        unsafe pthread_mutex_lock(mutex)
        while waiting.count >= count && failure == nil { unsafe pthread_cond_wait(changed, mutex) }
        let failure = failure
        if failure == nil { waiting.append(batch) }
        unsafe pthread_cond_broadcast(changed)
        unsafe pthread_mutex_unlock(mutex)
        if let failure { throw failure }
    }

    /// Waits until everything handed in is put. Throws what a thread has failed with.
    func finish() throws(LineTransferError) {
        unsafe pthread_mutex_lock(mutex)
        isOver = true
        unsafe pthread_cond_broadcast(changed)
        unsafe pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
        if let failure { throw failure }
    }

    /// The body of a thread.
    fileprivate func work() {
        while let batch = next() {
            do throws(LineTransferError) { try put(batch) } catch { fail(error) }
        }
    }

    private func next() -> LineBatch? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while waiting.isEmpty && !isOver && failure == nil { unsafe pthread_cond_wait(changed, mutex) }
        guard failure == nil, !waiting.isEmpty else { return nil }
        unsafe pthread_cond_broadcast(changed)
        return waiting.removeFirst()
    }

    /// The first failure ends the work; what was handed in and not begun is not put.
    private func fail(_ error: LineTransferError) {
        unsafe pthread_mutex_lock(mutex)
        if failure == nil { failure = error }
        unsafe pthread_cond_broadcast(changed)
        unsafe pthread_mutex_unlock(mutex)
    }
}

/// A function of the file and no closure: it runs on other threads.
private func producerThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context = unsafe context { unsafe Unmanaged<ProducerThreads>.fromOpaque(context).takeRetainedValue().work() }
    return nil
}
