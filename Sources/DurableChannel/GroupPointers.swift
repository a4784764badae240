internal import LogFormat

/// The pointers of one consumer group: which events are decided, which are handed out, which come next. A value without I/O.
///
///     acknowledged prefix | acknowledged ranges above it | in-flight ranges | cursor ... visible tail
///
/// Its size is proportional to what is in flight, not to what is queued. Every sequence ends in exactly one of taken,
/// dropped, lost; the first durable record decides, later ones count nothing.
struct GroupPointers: Sendable {
    enum Fate: Equatable { case taken, dropped(DropReason), lost }

    let name: String
    /// Every sequence below it is decided.
    private(set) var acknowledgedBelow = EventSequence(1)
    /// Decided ones above it; the first does not touch it.
    private(set) var acknowledged = SequenceSet()
    private(set) var taken: UInt64 = 0
    private(set) var dropped: [DropReason: UInt64] = [:]
    private(set) var lost: UInt64 = 0
    /// Every sequence below it may have been handed out, durably so.
    var leaseLimit = EventSequence(1)

    // What lives in memory only.

    /// The first sequence that was not handed out since opening.
    private(set) var cursor = EventSequence(1)
    /// Below the cursor, handed out once and rolled back: handed out again before anything else, with the mark.
    private(set) var returned = SequenceSet()
    /// Handed out, or about to be dropped: nobody else may have them.
    private(set) var inFlight = SequenceSet()
    /// The disk does not give them at present: held, not handed out.
    private(set) var unreadable = SequenceSet()
    /// From the opening: what is undecided below it may have been handed out before.
    private(set) var markedBelow = EventSequence(1)

    init(name: String) { self.name = name }

    init(_ state: ClientState.Group) {
        name = state.name
        acknowledgedBelow = state.acknowledgedBelow
        acknowledged = SequenceSet(state.acknowledged)
        leaseLimit = state.leaseLimit
        taken = state.taken
        lost = state.lost
        dropped = [
            .overflow: state.droppedByOverflow, .expired: state.expired, .deadLetter: state.deadLettered,
            .skipped: state.skipped,
        ]
        cursor = acknowledgedBelow
        if !Self.add([taken, lost] + dropped.values, to: accounted) {
            // Counts that do not add up were forged, or come of a mistake: the sequences are what is true.
            (taken, dropped, lost) = (accounted, [:], 0)
            hasForgedCounts = true
        }
    }

    /// Set when the counts of a snapshot did not add up.
    private(set) var hasForgedCounts = false

    private static func add(_ counts: [UInt64], to total: UInt64) -> Bool {
        var sum: UInt64 = 0
        for count in counts {
            let (next, overflow) = sum.addingReportingOverflow(count)
            if overflow { return false }
            sum = next
        }
        return sum == total
    }

    /// What a snapshot keeps of it.
    var state: ClientState.Group {
        ClientState.Group(
            name: name, acknowledgedBelow: acknowledgedBelow, acknowledged: acknowledged.ranges,
            leaseLimit: leaseLimit, taken: taken, droppedByOverflow: dropped[.overflow] ?? 0,
            expired: dropped[.expired] ?? 0, deadLettered: dropped[.deadLetter] ?? 0,
            skipped: dropped[.skipped] ?? 0, lost: lost)
    }

    var droppedTotal: UInt64 { dropped.values.reduce(0, +) }

    /// How many sequences are decided, from the ranges alone.
    var accounted: UInt64 { acknowledgedBelow.rawValue - 1 + acknowledged.count }

    /// The promise that nothing vanishes: what is decided is taken, dropped or lost.
    var isBalanced: Bool { accounted == taken + droppedTotal + lost }

    func isAcknowledged(_ range: SequenceRange) -> Bool {
        range.end <= acknowledgedBelow
            || acknowledged.contains(SequenceRange(first: max(range.first, acknowledgedBelow), end: range.end))
    }

    func isAcknowledged(_ sequence: EventSequence) -> Bool {
        sequence < acknowledgedBelow || acknowledged.contains(sequence)
    }

    /// What of a range is undecided.
    func undecided(in range: SequenceRange) -> [SequenceRange] {
        acknowledged.missing(from: SequenceRange(first: max(range.first, acknowledgedBelow), end: range.end))
    }

    // MARK: Deciding

    /// A durable record decides a range. Returns how many of its events were undecided.
    @discardableResult
    mutating func acknowledge(_ range: SequenceRange, _ fate: Fate) -> UInt64 {
        let open = SequenceRange(first: max(range.first, acknowledgedBelow), end: range.end)
        guard open.first < open.end else { return 0 }
        let added = acknowledged.insert(open)
        returned.remove(open)
        inFlight.remove(open)
        unreadable.remove(open)
        if let first = acknowledged.ranges.first, first.first == acknowledgedBelow {
            acknowledgedBelow = first.end
            _ = acknowledged.removeFirstRun()
        }
        cursor = max(cursor, acknowledgedBelow)
        switch fate {
        case .taken: taken += added
        case .dropped(let reason): dropped[reason, default: 0] += added
        case .lost: lost += added
        }
        return added
    }

    // MARK: Opening

    /// Ends replay: `tail` is the next sequence. What was leased and is undecided may have been handed out.
    mutating func beginLife(tail: EventSequence) {
        trim(to: tail)
        cursor = acknowledgedBelow
        // Beyond the tail nothing was ever visible, so nothing was handed out.
        markedBelow = min(leaseLimit, tail)
        #if PlantedBugs
            if PlantedBug.giveBackInWrongOrder.isPlanted, markedBelow > cursor {
                for part in undecided(in: SequenceRange(first: cursor, end: markedBelow)) { returned.insert(part) }
                cursor = markedBelow
            }
        #endif
    }

    /// Damage may have taken a lease record with it, so every undecided event may have been handed out. Too many marks are
    /// allowed, too few never.
    mutating func markEverything(below tail: EventSequence) {
        markedBelow = tail
        leaseLimit = max(leaseLimit, tail)
    }

    /// Sequences from `tail` on will be given to other events, so nothing may be decided about them. No log says such a thing;
    /// bytes that do were forged, or what they speak of is gone.
    private mutating func trim(to tail: EventSequence) {
        let end = acknowledged.ranges.last?.end ?? acknowledgedBelow
        guard end > tail else { return }
        acknowledged.remove(SequenceRange(first: tail, end: end))
        acknowledgedBelow = min(acknowledgedBelow, tail)
        (taken, dropped, lost) = (accounted, [:], 0)
        hasForgedCounts = true
    }

    /// The lease that a clean end leaves behind: what was really handed out, in this life or one before.
    var closingLease: EventSequence { min(leaseLimit, max(cursor, markedBelow)) }

    // MARK: Handing out

    /// Runs of undecided events that are not simply queued: what the number of acknowledged ranges depends on.
    var openRuns: Int { inFlight.ranges.count + returned.ranges.count + unreadable.ranges.count }

    /// The next run of events to hand out, at most `count` of them; it is in flight from now on. nil when there are none
    /// below `visible`.
    mutating func claim(_ count: UInt64, below visible: EventSequence) -> (range: SequenceRange, isReturned: Bool)? {
        #if PlantedBugs
            if PlantedBug.giveBackInWrongOrder.isPlanted, let last = returned.ranges.last {
                let range = SequenceRange(
                    first: EventSequence(last.end.rawValue - min(count, last.count)), end: last.end)
                returned.remove(range)
                inFlight.insert(range)
                return (range, true)
            }
        #endif
        if let first = returned.ranges.first {
            let range = SequenceRange(first: first.first, end: min(first.end, first.first.advanced(by: count)))
            returned.remove(range)
            inFlight.insert(range)
            return (range, true)
        }
        skipDecided()
        guard cursor < visible else { return nil }
        var end = min(visible, cursor.advanced(by: count))
        if let next = acknowledged.run(atOrAfter: cursor) { end = min(end, next.first) }
        if let next = inFlight.run(atOrAfter: cursor) { end = min(end, next.first) }
        if let next = unreadable.run(atOrAfter: cursor) { end = min(end, next.first) }
        let range = SequenceRange(first: cursor, end: end)
        cursor = end
        inFlight.insert(range)
        return (range, false)
    }

    /// Whether ``claim(_:below:)`` would find something.
    mutating func hasNext(below visible: EventSequence) -> Bool {
        if !returned.isEmpty { return true }
        skipDecided()
        return cursor < visible
    }

    /// The cursor steps over what is decided, being dropped, or unreadable.
    private mutating func skipDecided() {
        while true {
            let before = cursor
            for set in [acknowledged, inFlight, unreadable] {
                if let run = set.run(atOrAfter: cursor), run.first <= cursor { cursor = run.end }
            }
            if cursor == before { return }
        }
    }

    /// Takes back a claim, or the rest of one, that nobody was given: it goes where it came from, without a mark.
    mutating func unclaim(_ range: SequenceRange, isReturned: Bool) {
        guard range.first < range.end else { return }
        inFlight.remove(range)
        if isReturned {
            for part in undecided(in: range) { returned.insert(part) }
        } else {
            // Behind the cursor nothing was handed out in this life; what failed to be dropped there waits for it again.
            if range.first < cursor { returned.remove(SequenceRange(first: range.first, end: cursor)) }
            cursor = min(cursor, range.first)
        }
    }

    /// A take is rolled back: its events return to their place.
    mutating func giveBack(_ ranges: [SequenceRange]) {
        for range in ranges {
            inFlight.remove(range)
            for part in undecided(in: range) { returned.insert(part) }
        }
    }

    // MARK: Unreadable

    /// The disk did not give a claimed range, nor what stands behind it up to `end`: it is held, and nobody is given it for now.
    /// What others have of it is theirs. (All at once: a place may hold a million, and a take that came to it claim by claim
    /// would have it read anew for each.)
    mutating func hold(_ range: SequenceRange, andBelow end: EventSequence) {
        inFlight.remove(range)
        for part in undecided(in: SequenceRange(first: range.first, end: max(range.end, end))) {
            for free in inFlight.missing(from: part) {
                returned.remove(free)
                unreadable.insert(free)
            }
        }
    }

    /// What could not be read is tried again, before anything else.
    mutating func retryUnreadable() {
        for range in unreadable.ranges where range.first < cursor {
            returned.insert(SequenceRange(first: range.first, end: min(range.end, cursor)))
        }
        unreadable = SequenceSet()
    }

    // MARK: Dropping

    /// Whether anybody holds an event of the range.
    func hasInFlight(in range: SequenceRange) -> Bool {
        inFlight.run(atOrAfter: range.first).map { $0.first < range.end } ?? false
    }

    /// The oldest undecided events that nobody holds, up to `count`, in at most `mostRanges` ranges, in flight from now on: they are
    /// about to be dropped.
    mutating func claimOldest(
        _ count: UInt64, in limits: SequenceRange, mostRanges: Int
    ) -> [SequenceRange] {
        var left = min(count, limits.end.rawValue)
        var chosen: [SequenceRange] = []
        var position = max(limits.first, acknowledgedBelow)
        while left > 0, position < limits.end, chosen.count < mostRanges {
            if let run = [acknowledged, inFlight].compactMap({ $0.run(atOrAfter: position) })
                .first(where: { $0.first <= position })
            {
                position = run.end
                continue
            }
            let next = [acknowledged, inFlight].compactMap { $0.run(atOrAfter: position)?.first }.min() ?? limits.end
            let end = min(next, limits.end, position.advanced(by: left))
            chosen.append(SequenceRange(first: position, end: end))
            left -= end.rawValue - position.rawValue
            position = end
        }
        for range in chosen {
            inFlight.insert(range)
            returned.remove(range)
            unreadable.remove(range)
        }
        return chosen
    }

    /// They were not dropped after all: whose turn they were, they are again.
    mutating func unclaimOldest(_ ranges: [SequenceRange]) {
        for range in ranges {
            inFlight.remove(range)
            // Below the cursor they had been rolled back; beyond it the cursor will come by. Damage may have decided some.
            for part in undecided(in: range) where part.first < cursor {
                returned.insert(SequenceRange(first: part.first, end: min(part.end, cursor)))
            }
        }
    }
}
