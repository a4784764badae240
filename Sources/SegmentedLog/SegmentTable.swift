public import LogFormat

/// A live segment, as ``Log/segments`` lists it.
public struct SegmentSummary: Sendable, Equatable {
    public var number: SegmentNumber
    public var kind: SegmentKind
    public var segmentBytes: UInt64
    /// Its events have sequences from here ...
    public var baseSequence: EventSequence
    /// ... to below this. For the active segment the next sequence.
    public var endSequence: EventSequence
    /// Where its frames end; nil while it is written.
    public var endOffset: UInt64?
    public var holdsEvents: Bool
}

/// The live segments in order: what a snapshot lists, and what is on the disk under a final name with a meaning.
struct SegmentTable: Sendable {
    private(set) var entries: [SegmentEntry] = []

    var newest: SegmentEntry? { entries.last }
    var count: Int { entries.count }
    /// Entries that are not of the reserve. Kept, because each claim asks for it.
    private(set) var regularCount = 0

    init(_ entries: [SegmentEntry] = []) {
        self.entries = entries.sorted { $0.number < $1.number }
        regularCount = entries.count { $0.kind == .regular }
    }

    func entry(_ number: SegmentNumber) -> SegmentEntry? {
        index(of: number).map { entries[$0] }
    }

    mutating func append(_ entry: SegmentEntry) {
        precondition(entries.last.map { $0.number < entry.number } ?? true, "segments are numbered upwards")
        entries.append(entry)
        if entry.kind == .regular { regularCount += 1 }
    }

    mutating func update(_ number: SegmentNumber, _ change: (inout SegmentEntry) -> Void) {
        if let index = index(of: number) { change(&entries[index]) }
    }

    mutating func remove(_ numbers: Set<SegmentNumber>) {
        guard !numbers.isEmpty else { return }
        entries.removeAll { numbers.contains($0.number) }
        regularCount = entries.count { $0.kind == .regular }
    }

    /// The next one in order.
    func entry(after number: SegmentNumber) -> SegmentEntry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].number <= number { low = middle + 1 } else { high = middle }
        }
        return low < entries.count ? entries[low] : nil
    }

    /// The segment that holds a sequence, or the first behind it, or, when all are below it, the newest.
    func entry(holding sequence: EventSequence) -> SegmentEntry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].baseSequence <= sequence { low = middle + 1 } else { high = middle }
        }
        return entries.isEmpty ? nil : entries[max(low, 1) - 1]
    }

    /// Entries and some more, in order.
    func entries(with others: [SegmentEntry]) -> [SegmentEntry] {
        (entries + others.filter { entry($0.number) == nil }).sorted { $0.number < $1.number }
    }

    /// Entries without the given ones, as a snapshot lists them.
    func entries(excluding numbers: Set<SegmentNumber>) -> [SegmentEntry] {
        entries.filter { !numbers.contains($0.number) }
    }

    func summaries(nextSequence: EventSequence) -> [SegmentSummary] {
        entries.indices.map { index in
            let entry = entries[index]
            return SegmentSummary(
                number: entry.number, kind: entry.kind, segmentBytes: UInt64(entry.segmentBytes),
                baseSequence: entry.baseSequence,
                endSequence: index + 1 < entries.count ? entries[index + 1].baseSequence : nextSequence,
                endOffset: entry.endOffset == 0 ? nil : entry.endOffset, holdsEvents: entry.holdsEvents)
        }
    }

    /// Ended segments without events that are not needed beyond `covered`: they may go without anybody's leave, since all
    /// their records are in a snapshot that covers them.
    func withoutEvents(endedBefore covered: LSN) -> [SegmentNumber] {
        entries.dropLast().filter { entry in
            !entry.holdsEvents && entry.endOffset != 0
                && LSN(segment: entry.number, offset: entry.endOffset) <= covered
        }.map(\.number)
    }

    private func index(of number: SegmentNumber) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].number == number ? low : nil
    }
}

extension SegmentEntry {
    /// A place where its frames can end.
    func clamped(_ offset: UInt64) -> UInt64 {
        max(min(offset, UInt64(segmentBytes)), UInt64(SpaceBudget.identityBytes))
    }
}
