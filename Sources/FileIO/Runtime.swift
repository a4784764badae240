/// The other half of the seam: clock, randomness, waiting and background work.
///
/// The engine is written as plain state that is told of events and answers with the next thing to do. On Linux threads
/// call into it (``SystemRuntime``); in the simulator one seeded scheduler does, so that a run repeats from its seed.
public protocol Runtime: AnyObject, Sendable {
    /// Wall-clock time in nanoseconds since 1970, UTC. For people; it may jump either way, and nothing is ordered by
    /// it.
    func wallClock() -> UInt64

    /// A clock that never goes back, in nanoseconds from an arbitrary start.
    func monotonicClock() -> UInt64

    /// 64 random bits, unpredictable to whoever writes events (`getrandom`).
    func random() -> UInt64

    /// Runs `work` later, once, after at least `delay` nanoseconds, on no thread of the caller's and with no lock held.
    /// Pieces of work may run side by side. `work` may block on files, not on ``wait(for:)``.
    func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void)

    /// Blocks the calling thread until ``signal(_:value:)`` was called for the cell, before or after this call. Returns
    /// the cell's value. In the simulator: runs other work until then, and traps with a message when there is none left
    /// (a deadlock).
    func wait(for cell: WaitCell) -> UInt32

    /// As ``wait(for:)``, for at most `timeout` nanoseconds; nil when the time ran out.
    func wait(for cell: WaitCell, timeout: UInt64) -> UInt32?

    /// Sets the cell's value (not 0) and wakes the thread that waits for it.
    func signal(_ cell: WaitCell, value: UInt32)

    /// Between two steps of work that nobody waits for: threads that are ready on the same processor go first. Nothing where
    /// nothing runs side by side.
    func giveWay()
}
