public import LogFormat
public import SegmentedLog

/// What a channel counts, as one value of one moment.
///
/// `putEvents == heldEvents + takenEvents + droppedEvents + lostEvents`, always: held is derived from the sequences, the others
/// from durable records, and all of them survive a crash. What is counted "since opening" does not.
public struct ChannelMetrics: Sendable {
    /// Sequences given so far.
    public var putEvents: UInt64 = 0
    /// Put and not decided: queued, in flight, or unreadable at present.
    public var heldEvents: UInt64 = 0
    public var takenEvents: UInt64 = 0
    /// Given up, for all reasons together.
    public var droppedEvents: UInt64 = 0
    public var droppedByReason: [DropReason: UInt64] = [:]
    /// Taken by damage.
    public var lostEvents: UInt64 = 0

    /// Of the held ones: handed out and not decided.
    public var inFlightEvents: UInt64 = 0
    /// Of the held ones: the disk does not give them at present.
    public var unreadableEvents: UInt64 = 0
    public var openTakes = 0

    // Since opening.
    public var putTransactions: UInt64 = 0
    public var takeTransactions: UInt64 = 0
    public var rolledBackTakes: UInt64 = 0
    /// Events handed out with the redelivery mark.
    public var redeliveredEvents: UInt64 = 0
    /// Appends that threw `full`.
    public var refusedAppends: UInt64 = 0
    /// Events that were not taken for want of room (policy `dropNewest`). They never had a sequence.
    public var droppedNewest: UInt64 = 0
    /// Commits that were recognised as repeats of a producer.
    public var repeatedCommits: UInt64 = 0
    public var unknownOutcomes: UInt64 = 0
    /// Producers that were forgotten to make room for others.
    public var evictedProducers: UInt64 = 0
    /// Bytes of the bodies that were put.
    public var bodyBytesAccepted: UInt64 = 0
    /// Everything that was written to the disk for them: frames, padding, zeros of pre-writing, checkpoints.
    public var bytesWritten: UInt64 = 0

    /// Bytes written per byte accepted; nil before anything was accepted.
    public var writeAmplification: Double? {
        bodyBytesAccepted == 0 ? nil : Double(bytesWritten) / Double(bodyBytesAccepted)
    }

    /// How long the oldest held event has been held, by the wall clock; nil when none is, or when it cannot be read.
    public var oldestAge: Duration?

    public var capacityBytes: UInt64 = 0
    public var capacityEvents: UInt64?
    /// What the files take on the disk.
    public var diskBytes: UInt64 = 0

    /// Group commits written, and how many appends went with each.
    public var groups: UInt64 = 0
    public var meanAppendsPerGroup: Double = 0
    public var largestGroupAppends: Int = 0
    public var mostGroupsInFlight: Int = 0
    /// From handing a group to the disk until it was durable.
    public var syncLatency = LatencyHistogram()

    public var state = ChannelHealth.ok
}

/// How a channel is.
public enum ChannelHealth: Sendable, Equatable {
    case ok
    /// It serves, and a person should look: damage was met, something cannot be read, background work fails, it is full.
    case degraded(String)
    /// Nothing can be committed until it is opened again; what is leased can still be read.
    case readOnly(String)
    /// It is closed, or, under `strict`, damage keeps takes from going on.
    case failed(String)

    /// `ok`, `degraded`, `readOnly` or `failed`.
    public var name: String {
        switch self {
        case .ok: "ok"
        case .degraded: "degraded"
        case .readOnly: "readOnly"
        case .failed: "failed"
        }
    }
}

extension FileChannel {
    /// What the channel counts now. Takes the locks for a moment. The age of the oldest event may need a look into the
    /// log, the first time for each oldest event (and where that fails, once in five seconds); it waits its turn behind
    /// takes that are being found. When the channel is closed nothing is read any more.
    public var metrics: ChannelMetrics {
        let statistics = log.statistics
        let room = log.room
        var metrics = ledger.lock.withLock { ledger.metrics }
        metrics.bytesWritten = statistics.bytesWritten
        metrics.groups = statistics.groups
        metrics.meanAppendsPerGroup =
            statistics.groups == 0 ? 0 : Double(statistics.appends) / Double(statistics.groups)
        metrics.largestGroupAppends = statistics.largestGroupAppends
        metrics.mostGroupsInFlight = statistics.mostGroupsInFlight
        metrics.syncLatency = statistics.writeLatency
        metrics.capacityBytes = room.capacityBytes
        metrics.diskBytes = room.diskBytes
        metrics.oldestAge = oldestAge
        metrics.state = health(metrics, room)
        return metrics
    }

    private func health(_ metrics: ChannelMetrics, _ room: LogRoom) -> ChannelHealth {
        let (closing, damage, loss) = ledger.lock.withLock { (ledger.closing, ledger.damageMet, ledger.lossMet) }
        if closing { return .failed("the channel is closed") }
        if let damage { return .failed(damage.message) }
        if let error = log.readOnlyError { return .readOnly(error.message) }
        if let error = room.preparationFailure { return .degraded(error.message) }
        if !recoveryReport.losses.isEmpty {
            return .degraded("damage was found when the channel was opened: \(recoveryReport.losses[0])")
        }
        if let loss { return .degraded("damage was met: \(loss)") }
        if metrics.unreadableEvents > 0 {
            return .degraded("\(metrics.unreadableEvents) events cannot be read at present")
        }
        if let error = log.lastBackgroundFailure { return .degraded(error.message) }
        return .ok
    }

    /// By the commit time of its frame.
    private var oldestAge: Duration? {
        switch ledger.lock.withLock({ knownOldest }) {
        case .none: return nil
        case .since(let commitTime): return age(commitTime)
        case .unknown: break
        }
        taking.take(runtime)
        defer { taking.give(runtime) }
        // Asked again: closing has its turn, too, and what is found behind it would be read by nobody's leave.
        guard case .unknown(let oldest) = ledger.lock.withLock({ knownOldest }) else { return oldestAgeIfKnown }
        guard case .frame(let frame) = try? store.find(oldest) else {
            let until = runtime.monotonicClock() + Self.retryNanoseconds
            ledger.lock.withLock { ledger.oldestNotFound = (oldest, until) }
            return nil
        }
        ledger.lock.withLock { ledger.oldest = (frame.range, frame.commitTime) }
        return age(frame.commitTime)
    }

    private var oldestAgeIfKnown: Duration? {
        guard case .since(let commitTime) = ledger.lock.withLock({ knownOldest }) else { return nil }
        return age(commitTime)
    }

    private enum KnownOldest {
        /// There is none, or none that can be looked for now.
        case none
        case since(UInt64)
        case unknown(EventSequence)
    }

    /// Under the ledger's lock.
    private var knownOldest: KnownOldest {
        guard let oldest = ledger.state.oldestHeld, !ledger.closing else { return .none }
        if let known = ledger.oldest, known.sequences.contains(oldest) { return .since(known.commitTime) }
        if let failed = ledger.oldestNotFound, failed.sequence == oldest, runtime.monotonicClock() < failed.until {
            return .none
        }
        return .unknown(oldest)
    }

    /// A clock that was set back must not give a negative age.
    private func age(_ commitTime: UInt64) -> Duration {
        let now = runtime.wallClock()
        return .nanoseconds(Int64(clamping: now > commitTime ? now - commitTime : 0))
    }
}

extension PointerLedger {
    /// Under the lock.
    fileprivate var metrics: ChannelMetrics {
        var metrics = ChannelMetrics()
        let group = state.group
        metrics.putEvents = state.visible.rawValue - 1
        metrics.heldEvents = state.held
        metrics.takenEvents = group.taken
        metrics.droppedEvents = group.droppedTotal
        metrics.droppedByReason = group.dropped.filter { $0.value > 0 }
        metrics.lostEvents = group.lost
        metrics.inFlightEvents = group.inFlight.count
        metrics.unreadableEvents = group.unreadable.count
        metrics.openTakes = openTakes
        metrics.putTransactions = counters.putTransactions
        metrics.takeTransactions = counters.takeTransactions
        metrics.rolledBackTakes = counters.rolledBackTakes
        metrics.redeliveredEvents = counters.redelivered
        metrics.refusedAppends = counters.refusedAppends
        metrics.droppedNewest = counters.droppedNewest
        metrics.repeatedCommits = counters.repeatedCommits
        metrics.unknownOutcomes = counters.unknownOutcomes
        metrics.evictedProducers = state.producers.evicted
        metrics.bodyBytesAccepted = counters.bodyBytesAccepted
        metrics.capacityEvents = state.capacityEvents
        return metrics
    }
}
