/// A run of sequences, the end not in it. Never empty, never from 0, never beyond ``FormatConstants/maximumNumber``.
public struct SequenceRange: Hashable, Sendable {
    public var first: EventSequence
    /// The sequence behind the last.
    public var end: EventSequence

    /// Traps on nothing: a range that is not one is refused when it is encoded.
    public init(first: EventSequence, end: EventSequence) {
        self.first = first
        self.end = end
    }

    /// How many sequences it holds.
    public var count: UInt64 { end > first ? end.rawValue - first.rawValue : 0 }

    public func contains(_ sequence: EventSequence) -> Bool { first <= sequence && sequence < end }

    /// The 16 bytes. Throws when the range is empty, begins at 0, or ends beyond 2^62.
    public func encode() throws(FormatError) -> [UInt8] {
        try check(.sequenceRange, at: 0)
        return .filled(RangeLayout.byteCount) { bytes in
            var cursor = WriteCursor()
            cursor.ranges([self], &bytes)
        }
    }

    /// From exactly 16 bytes.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.sequenceRange, bytes)
        self = try cursor.ranges(1, above: EventSequence(0), bytes)[0]
        try cursor.finish()
    }

    fileprivate func check(_ structure: FormatError.Structure, at offset: Int) throws(FormatError) {
        guard first.rawValue != 0, first < end, end.rawValue.isNumber else {
            throw FormatError(structure, .outOfRange(.range), at: offset)
        }
    }

    /// Checks a list before it is encoded: how many, each a range, ascending from above `floor`, not touching.
    static func check(
        _ ranges: [SequenceRange], in limits: ClosedRange<Int>, above floor: EventSequence = EventSequence(0),
        _ structure: FormatError.Structure
    ) throws(FormatError) {
        guard limits.contains(ranges.count) else { throw FormatError(structure, .outOfRange(.rangeCount), at: 0) }
        var end = floor
        for range in ranges {
            try range.check(structure, at: 0)
            guard range.first > end else { throw FormatError(structure, .outOfOrder(.range), at: 0) }
            end = range.end
        }
    }
}

extension ReadCursor {
    /// A list of ranges, ascending from above `floor`, not touching each other. The count was compared with its limit.
    mutating func ranges(
        _ count: Int, above floor: EventSequence = EventSequence(0), _ bytes: RawSpan
    ) throws(FormatError) -> [SequenceRange] {
        try check(count, .rangeCount, in: 0...count, eachAtLeast: RangeLayout.byteCount)
        var ranges: [SequenceRange] = []
        ranges.reserveCapacity(count)
        var end = floor
        for _ in 0..<count {
            let base = try skip(RangeLayout.byteCount)
            let range = SequenceRange(
                first: EventSequence(bytes.load(RangeLayout.first, at: base)),
                end: EventSequence(bytes.load(RangeLayout.end, at: base)))
            try range.check(structure, at: base)
            guard range.first > end else { throw FormatError(structure, .outOfOrder(.range), at: base) }
            end = range.end
            ranges.append(range)
        }
        return ranges
    }
}

extension WriteCursor {
    mutating func ranges(_ ranges: [SequenceRange], _ bytes: inout MutableRawSpan) {
        for range in ranges {
            let base = skip(RangeLayout.byteCount)
            bytes.store(range.first.rawValue, RangeLayout.first, at: base)
            bytes.store(range.end.rawValue, RangeLayout.end, at: base)
        }
    }
}
