internal import FileIO
internal import LogFormat
internal import SegmentedLog
internal import Synchronization

/// The channel's state under its lock, with those who wait for it to change. Its lock is held for decisions only, never over
/// I/O, a wait or a callback; the log's own lock may be taken inside of it, never the other way round.
final class PointerLedger: @unchecked Sendable {
    let lock = Lock()
    // Everything below is guarded by `lock`.
    private let often: Guarded<Often>
    /// A lease record is on its way: only one at a time, so that the last one in the log is the furthest.
    var leaseUnderWay = false
    var leaseWaiting: [WaitCell] = []
    var openTakes = 0
    var closing = false {
        didSet { closed.store(closing, ordering: .releasing) }
    }
    /// The same, for those who do not hold the lock.
    private let closed = Atomic(false)
    var isClosed: Bool { closed.load(ordering: .acquiring) }
    /// How closing went, when it is done; and who waits for that.
    var end: Result<Void, ChannelError>?
    var endWaiting: [WaitCell] = []
    /// When what the disk did not give is asked for again.
    var unreadableRetryAt: UInt64 = 0
    /// The frame of the oldest held event, for its age.
    var oldest: (sequences: SequenceRange, commitTime: UInt64)?
    /// An oldest held event whose frame was looked for and not found, and when to look again.
    var oldestNotFound: (sequence: EventSequence, until: UInt64)?
    /// What the losses that the opening found decided.
    var lostAtOpening = SequenceSet()
    /// The last damage that a take came to in this life, recorded as a loss.
    var lossMet: String?
    /// Under `strict`: the damage that stopped a take.
    var damageMet: ChannelError?
    /// While the log is opened its position is that of the last frame that was replayed.
    weak var log: Log?
    /// The last state that a snapshot had room for.
    private var lastCheckpoint = ClientCheckpoint(through: .nothing, bytes: [])

    /// What every commit comes by.
    private struct Often {
        var state: ChannelState
        var cache: TailCache
        var counters = ChannelCounters()
        var waiting = Waiting()
        var lastTransactionID: UInt64 = 0
        /// Bytes of the last put: the next one is likely to be as long.
        var lastPutBytes = 0
    }

    struct Waiting {
        /// Found nothing to take.
        var takers: [Waiter] = []
        /// Found no room.
        var putters: [Waiter] = []
        /// Close the channel when no commit is under way.
        var closers: [WaitCell] = []
    }

    init(_ state: ChannelState, cacheBytes: Int) {
        often = Guarded(Often(state: state, cache: TailCache(limitBytes: cacheBytes)))
    }

    var state: ChannelState {
        unsafeAddress { unsafe withUnsafePointer(to: &often.address.pointee.state) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &often.address.pointee.state) { unsafe $0 } }
    }

    var cache: TailCache {
        unsafeAddress { unsafe withUnsafePointer(to: &often.address.pointee.cache) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &often.address.pointee.cache) { unsafe $0 } }
    }

    var counters: ChannelCounters {
        unsafeAddress { unsafe withUnsafePointer(to: &often.address.pointee.counters) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &often.address.pointee.counters) { unsafe $0 } }
    }

    var waiting: Waiting {
        unsafeAddress { unsafe withUnsafePointer(to: &often.address.pointee.waiting) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &often.address.pointee.waiting) { unsafe $0 } }
    }

    /// For the log: the state, and what it covers.
    ///
    /// The limits of everything in it are checked before it gets in, but for one thing: damage, forged records, and
    /// places that the disk does not give leave ranges between them, as many as there are. With more than a snapshot
    /// holds the last state that fitted is given again: replay begins where that one ends. Takes close the gaps, and
    /// then it fits again.
    func checkpoint() -> ClientCheckpoint {
        lock.withLock {
            // With no commit under way all that is durable was told to the state; the answer must be asked for under the lock,
            // for a commit that begins later stands behind it.
            let through = state.covered(log?.durableThrough ?? state.durable)
            let snapshot = state.snapshot
            if snapshot.encodedBytes <= log?.clientStateLimitBytes ?? .max, let bytes = try? snapshot.encode() {
                lastCheckpoint = ClientCheckpoint(through: through, bytes: bytes)
            }
            return lastCheckpoint
        }
    }

    /// From a snapshot, at the beginning of replay.
    func restore(_ checkpoint: ClientCheckpoint) throws(ChannelError) {
        try lock.withLock { () throws(ChannelError) in
            try state.restore(checkpoint.bytes, from: checkpoint.through)
            lastCheckpoint = checkpoint
        }
    }
}

// Under the lock.
extension PointerLedger {
    func checkOpen() throws(ChannelError) {
        if closing { throw .closed }
    }

    /// Unique in this opening; the epoch that it began with, in the upper 24 bits, makes it so for the log. (Beside bytes that the
    /// disk does not give, epochs go on at a multiple of 2^24.)
    func nextTransactionID() -> UInt64 {
        often.value.lastTransactionID += 1
        return often.value.lastTransactionID
    }

    func beginTransactions(of epoch: UInt64) { often.value.lastTransactionID = (epoch ^ epoch >> 24) << 40 }

    var lastPutBytes: Int { often.value.lastPutBytes }

    /// A put's events are durable.
    func committed(_ receipt: PutReceipt, raw: [UInt8], commitTime: UInt64, bodyBytes: Int) {
        counters.putTransactions += 1
        often.value.lastPutBytes = min(raw.count, 4 << 20)
        guard !receipt.sequences.isEmpty, let lsn = receipt.lsn else { return }
        let first = EventSequence(receipt.sequences.lowerBound)
        state.addVisible(SequenceRange(first: first, end: EventSequence(receipt.sequences.upperBound)))
        counters.bodyBytesAccepted += UInt64(bodyBytes)
        cache.insert(
            RecentPut(
                base: first, eventCount: UInt32(receipt.sequences.count), lsn: lsn, commitTime: commitTime, raw: raw),
            handedOut: state.group.cursor)
    }

    /// A durable record decides a range.
    func acknowledge(_ range: SequenceRange, _ fate: GroupPointers.Fate) {
        state.acknowledge(range, fate)
        cache.forget(below: state.group.acknowledgedBelow)
    }

    /// Who is to be woken now: one taker when there is something to take, everyone who waits for room when there may be some,
    /// and whoever closes the channel when nothing is under way.
    func woken() -> Woken {
        var woken = Woken()
        if !waiting.takers.isEmpty, state.hasNext { woken.waiters.append(waiting.takers.removeFirst()) }
        if !waiting.putters.isEmpty {
            woken.waiters += waiting.putters
            waiting.putters = []
        }
        if state.isQuiet, !waiting.closers.isEmpty {
            woken.cells = waiting.closers
            waiting.closers = []
        }
        return woken
    }
}

/// Collected under the lock, woken outside of it.
struct Woken {
    var waiters: [Waiter] = []
    var cells: [WaitCell] = []
}

/// Someone who waits for a change: a thread with its cell, or a continuation.
final class Waiter: @unchecked Sendable {
    let wake: @Sendable () -> Void

    init(_ wake: @escaping @Sendable () -> Void) { self.wake = wake }
}

/// Counts since opening that are not derived from sequences.
struct ChannelCounters: Sendable {
    var bodyBytesAccepted: UInt64 = 0
    var putTransactions: UInt64 = 0
    var takeTransactions: UInt64 = 0
    var rolledBackTakes: UInt64 = 0
    var redelivered: UInt64 = 0
    var refusedAppends: UInt64 = 0
    var droppedNewest: UInt64 = 0
    var repeatedCommits: UInt64 = 0
    var unknownOutcomes: UInt64 = 0
}
