public import LogFormat
public import SegmentedLog

/// What became of every sequence of a channel, as far as its opening could know: after damage the answer to "what did I
/// lose?". The parts do not overlap, and together they are all sequences that were ever given.
///
/// An opening reads what stands behind the last checkpoint, so that its time does not grow with the backlog. Damage
/// before that, and a log that is older than its checkpoint (segments restored from a copy), is found by the take that
/// comes to it: recorded with its exact range as a loss, counted in ``ChannelMetrics/lostEvents``, told by
/// ``ChannelMetrics/state``. Its sequences are held until then, and no number is used again. To know before, verify the
/// log.
public struct LossReport: Sendable, Equatable {
    public enum Fate: String, Sendable, CaseIterable {
        /// Taken or dropped before.
        case decided
        /// Damaged or missing; found by this opening.
        case lost
        /// The disk does not give it at present; held.
        case unreadable
        /// Held; it may have been handed out before the crash, and will carry the redelivery mark. Not known to be
        /// damaged.
        case mayRepeat
        /// Held, and not known to be damaged.
        case intact
    }

    public struct Part: Sendable, Equatable {
        public var fate: Fate
        public var sequences: SequenceRange
    }

    /// Ascending; neighbours differ.
    public var parts: [Part] = []
    /// Whole frames behind the place where the log was cut: never acknowledged, or acknowledged within the last groups before
    /// a crash and damaged since. Their sequences are given anew.
    public var unknown: [CutFrame] = []
    /// The damage behind ``Fate/lost``, with its places.
    public var losses: [DamagedRange] = []

    init() {}

    /// How many sequences met that fate.
    public func count(_ fate: Fate) -> UInt64 {
        parts.reduce(0) { $0 + ($1.fate == fate ? $1.sequences.count : 0) }
    }

    /// - Parameter lost: what the losses of the report decided: the sequences that nobody had taken or dropped before.
    init(_ report: RecoveryReport, lost: SequenceSet, _ group: GroupPointers, tail: EventSequence) {
        unknown = report.unknown
        losses = report.losses
        let all = SequenceRange(first: EventSequence(1), end: tail)
        guard all.first < all.end else { return }
        let unreadable = SequenceSet(
            report.unreadable.map { SequenceRange(first: $0.firstSequence, end: $0.endSequence) })
        var decided = group.acknowledged
        decided.insert(SequenceRange(first: EventSequence(1), end: group.acknowledgedBelow))
        var undecided = SequenceSet(decided.missing(from: all))
        var found: [Part] = []
        for range in lost.clamped(to: all) { found.append(Part(fate: .lost, sequences: range)) }
        for range in decided.subtracting(lost).clamped(to: all) { found.append(Part(fate: .decided, sequences: range)) }
        for range in unreadable.subtracting(decided).subtracting(lost).clamped(to: all) {
            found.append(Part(fate: .unreadable, sequences: range))
            undecided.remove(range)
        }
        for range in undecided.subtracting(lost).clamped(to: all) {
            let marked = SequenceRange(first: range.first, end: max(range.first, min(range.end, group.markedBelow)))
            if marked.count > 0 { found.append(Part(fate: .mayRepeat, sequences: marked)) }
            let rest = SequenceRange(first: marked.end, end: range.end)
            if rest.count > 0 { found.append(Part(fate: .intact, sequences: rest)) }
        }
        parts = found.sorted { $0.sequences.first < $1.sequences.first }
    }

    /// As JSON, one object: `version` 1, `counts` by fate, `total`, `parts`, `losses`, `unknown`.
    public var json: String { json(listing: .max).rendered + "\n" }

    /// Each list with at most `most` items; the counts are of all.
    func json(listing most: Int) -> JSON {
        .object([
            ("version", .whole(1)),
            ("counts", .object(Fate.allCases.map { ($0.rawValue, .whole(count($0))) })),
            ("total", .whole(parts.reduce(0) { $0 + $1.sequences.count })),
            (
                "parts",
                .list(
                    parts.prefix(most).map {
                        .object([
                            ("fate", .text($0.fate.rawValue)), ("first", .whole($0.sequences.first.rawValue)),
                            ("end", .whole($0.sequences.end.rawValue)),
                        ])
                    })
            ), ("losses", .list(losses.prefix(most).map(\.json))), ("unknown", .list(unknown.prefix(most).map(\.json))),
        ])
    }
}

extension SequenceSet {
    fileprivate func subtracting(_ other: SequenceSet) -> SequenceSet {
        SequenceSet(ranges.flatMap { other.missing(from: $0) })
    }

    fileprivate func clamped(to limits: SequenceRange) -> [SequenceRange] {
        ranges.compactMap { range in
            let part = SequenceRange(first: max(range.first, limits.first), end: min(range.end, limits.end))
            return part.first < part.end ? part : nil
        }
    }
}
