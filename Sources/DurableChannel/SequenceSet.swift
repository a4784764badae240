package import LogFormat

/// A set of sequences, held as ranges: ascending, not empty, not touching each other. Its size is the number of its runs,
/// never of its members. Looking up is a binary search; a change moves what stands behind it.
package struct SequenceSet: Equatable, Sendable {
    package private(set) var ranges: [SequenceRange] = []
    /// How many sequences it holds.
    package private(set) var count: UInt64 = 0

    package var isEmpty: Bool { ranges.isEmpty }

    package init() {}

    package init(_ ranges: [SequenceRange]) {
        for range in ranges { insert(range) }
    }

    /// Adds a range; returns how many of its members were new.
    @discardableResult
    package mutating func insert(_ range: SequenceRange) -> UInt64 {
        guard range.first < range.end else { return 0 }
        // All that overlap or touch it become one.
        let from = firstIndex { $0.end >= range.first }
        var to = from
        var merged = range
        var known: UInt64 = 0
        while to < ranges.count, ranges[to].first <= range.end {
            merged.first = min(merged.first, ranges[to].first)
            merged.end = max(merged.end, ranges[to].end)
            known += ranges[to].count
            to += 1
        }
        if to == from + 1 { ranges[from] = merged } else { ranges.replaceSubrange(from..<to, with: [merged]) }
        let added = merged.count - known
        count += added
        return added
    }

    /// Takes a range out; returns how many of its members were there.
    @discardableResult
    package mutating func remove(_ range: SequenceRange) -> UInt64 {
        guard range.first < range.end else { return 0 }
        let from = firstIndex { $0.end > range.first }
        var to = from
        var kept: [SequenceRange] = []
        var removed: UInt64 = 0
        while to < ranges.count, ranges[to].first < range.end {
            let old = ranges[to]
            removed += min(old.end, range.end).rawValue - max(old.first, range.first).rawValue
            if old.first < range.first { kept.append(SequenceRange(first: old.first, end: range.first)) }
            if old.end > range.end { kept.append(SequenceRange(first: range.end, end: old.end)) }
            to += 1
        }
        ranges.replaceSubrange(from..<to, with: kept)
        count -= removed
        return removed
    }

    package func contains(_ sequence: EventSequence) -> Bool {
        let index = firstIndex { $0.end > sequence }
        return index < ranges.count && ranges[index].first <= sequence
    }

    /// Whether it holds every member of `range`.
    package func contains(_ range: SequenceRange) -> Bool {
        let index = firstIndex { $0.end > range.first }
        return index < ranges.count && ranges[index].first <= range.first && ranges[index].end >= range.end
    }

    /// The run that holds `sequence`, or the first one behind it.
    package func run(atOrAfter sequence: EventSequence) -> SequenceRange? {
        let index = firstIndex { $0.end > sequence }
        return index < ranges.count ? ranges[index] : nil
    }

    /// What of `range` is not in the set, in order.
    package func missing(from range: SequenceRange) -> [SequenceRange] {
        var result: [SequenceRange] = []
        var position = range.first
        var index = firstIndex { $0.end > range.first }
        while index < ranges.count, ranges[index].first < range.end {
            if position < ranges[index].first {
                result.append(SequenceRange(first: position, end: ranges[index].first))
            }
            position = ranges[index].end
            index += 1
        }
        if position < range.end { result.append(SequenceRange(first: position, end: range.end)) }
        return result
    }

    /// Takes the first run out.
    package mutating func removeFirstRun() -> SequenceRange? {
        guard !ranges.isEmpty else { return nil }
        let first = ranges.removeFirst()
        count -= first.count
        return first
    }

    private func firstIndex(where isBeyond: (SequenceRange) -> Bool) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(ranges[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

extension EventSequence {
    func advanced(by count: UInt64) -> EventSequence { EventSequence(rawValue + count) }
}

extension [SequenceRange] {
    /// How many sequences they hold.
    var eventCount: UInt64 { reduce(0) { $0 + $1.count } }
}
