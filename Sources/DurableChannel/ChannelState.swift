internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// What a channel knows, apart from threads and I/O: told what became durable, it says what comes next. Guarded by the lock of
/// ``PointerLedger``.
///
/// Everything that a record does to it may be done twice in the order of the log without a difference. So a snapshot may be
/// taken at any moment, beside commits under way: it may know more than the position says that it covers, and never less.
struct ChannelState: Sendable {
    private(set) var limits: ChannelLimits
    var group: GroupPointers
    var bookmarks = BookmarkTable()
    var producers = ProducerTable()
    var deliveryCounts = DeliveryCounts()

    /// Everything below it was put durably, and every put so far was told to this state: takers may have it.
    private(set) var visible = EventSequence(1)
    /// Told out of order, beyond it.
    private var visibleAhead = SequenceSet()

    /// Commits under way: what was durable when each began. Their records stand behind that.
    private var underWay: [UInt64: DurableThrough] = [:]
    private var nextTicket: UInt64 = 1
    /// The furthest position that an answer of the log has named.
    private(set) var durable = DurableThrough.nothing

    /// Room claimed in events by put transactions that are open or being committed.
    var claimedEvents: UInt64 = 0
    /// Of these, being committed; and old ones that are being dropped for them.
    var committingEvents: UInt64 = 0
    var droppingEvents: UInt64 = 0
    var capacityEvents: UInt64?

    init(groupName: String, limits: ChannelLimits) {
        group = GroupPointers(name: groupName)
        self.limits = limits
    }

    // MARK: Commits under way

    /// Before the records of a commit are appended.
    mutating func beginCommit() -> UInt64 {
        defer { nextTicket += 1 }
        underWay[nextTicket] = durable
        return nextTicket
    }

    /// When what they say was told to this state, or they have failed.
    mutating func endCommit(_ ticket: UInt64, _ durable: DurableThrough?) {
        underWay[ticket] = nil
        if let durable, durable.lsn > self.durable.lsn { self.durable = durable }
    }

    /// The position before which every record was told to this state.
    /// - Parameter reported: what the log says is durable, asked for under the ledger's lock.
    mutating func covered(_ reported: DurableThrough) -> DurableThrough {
        #if PlantedBugs
            if PlantedBug.snapshotUntoldCommits.isPlanted { return reported.lsn > durable.lsn ? reported : durable }
        #endif
        // A commit under way may stand anywhere behind the place where it began.
        if let first = underWay.values.min(by: { $0.lsn < $1.lsn }) { return first }
        if reported.lsn > durable.lsn { durable = reported }
        return durable
    }

    // MARK: Puts

    /// Events became durable.
    mutating func addVisible(_ range: SequenceRange) {
        visibleAhead.insert(range)
        if let first = visibleAhead.ranges.first, first.first <= visible {
            visible = max(visible, first.end)
            _ = visibleAhead.removeFirstRun()
        }
    }

    /// A frame was replayed: what it says is known.
    mutating func replayed(_ frame: ReplayedFrame) {
        let header = frame.header
        durable = DurableThrough(
            lsn: frame.end, nextSequence: header.baseSequence.advanced(by: UInt64(header.eventCount)))
    }

    /// At the end of an opening: the sequence that comes next.
    mutating func beginLife(_ tail: DurableThrough, limits: ChannelLimits) {
        self.limits = limits
        visible = tail.nextSequence
        visibleAhead = SequenceSet()
        durable = tail
        group.beginLife(tail: visible)
        // Replay kept what the format allows.
        producers.trim(limits)
        deliveryCounts.keep { !group.isAcknowledged($0) }
        deliveryCounts.trim(limits.deliveryCounts)
    }

    /// Events that are held: put, and not decided.
    ///
    /// A loss may reach beyond what is visible for a moment: up to where the log is durable.
    var held: UInt64 {
        let put = visible.rawValue - 1
        return put > group.accounted ? put - group.accounted : 0
    }

    /// The first held event, if there is one.
    var oldestHeld: EventSequence? { group.acknowledgedBelow < visible ? group.acknowledgedBelow : nil }

    /// Held, or durable and about to become visible: what counts against the capacity in events.
    var stored: UInt64 { held + visibleAhead.count }

    /// How many old events must go so that `count` more keep within the capacity, commits under way counted.
    func excess(with count: UInt64) -> UInt64 {
        guard let capacityEvents else { return 0 }
        let total = stored + committingEvents + count
        let going = droppingEvents + capacityEvents
        return total > going ? total - going : 0
    }

    /// No commit is under way.
    var isQuiet: Bool { underWay.isEmpty }

    var hasNext: Bool { mutating get { group.hasNext(below: visible) } }

    // MARK: Records

    /// A durable record decides a range.
    @discardableResult
    mutating func acknowledge(_ range: SequenceRange, _ fate: GroupPointers.Fate) -> UInt64 {
        deliveryCounts.forget(range)
        return group.acknowledge(range, fate)
    }

    // MARK: Snapshots

    var snapshot: ClientState {
        ClientState(
            groups: [group.state], bookmarks: bookmarks.all, producers: producers.state,
            deliveryCounts: deliveryCounts.state)
    }

    /// From a snapshot. A group that this version does not know is an error: its events must not be let go.
    mutating func restore(_ bytes: [UInt8], from position: DurableThrough) throws(ChannelError) {
        durable = position
        guard !bytes.isEmpty else { return }
        let state: ClientState
        do throws(FormatError) { state = try ClientState(decoding: bytes.rawSpan) } catch {
            throw ChannelError(
                .damaged,
                "the channel's part of the snapshot at \(position.lsn) is not valid (\(error)) though its checksum is right; "
                    + "it was forged or written by a faulty program; inspect the log")
        }
        if let other = state.groups.first(where: { $0.name != group.name }) {
            throw ChannelError(
                .newerVersion,
                "the channel has a consumer group '\(other.name)', and this version serves '\(group.name)' only; nothing was "
                    + "touched; use a newer version")
        }
        if let known = state.groups.first { group = GroupPointers(known) }
        bookmarks.apply(state.bookmarks, at: DurableThrough.nothing.lsn)
        producers.restore(state.producers)
        deliveryCounts.apply(
            state.deliveryCounts.map { DeliveryCountRecord.Entry(sequence: $0.sequence, count: $0.count) },
            limit: FormatConstants.maximumDeliveryCounts)
    }
}

extension [UInt8] {
    /// The array's bytes. (The standard library's property is marked unsafe for element types with padding.)
    var rawSpan: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }
}
