/// Why events were given up.
public enum DropReason: UInt8, CaseIterable, Sendable {
    /// The channel was full and its policy says that events go.
    case overflow = 1
    case expired = 2
    /// Set aside after too many attempts.
    case deadLetter = 3
    /// Skipped by an operator.
    case skipped = 4
}

/// Ranges given up, with the reason: the payload of a `drop` frame. DESIGN.md 3.8.
public struct DropRecord: Equatable, Sendable {
    public var reason: DropReason
    /// Up to 255 bytes of UTF-8; empty for every group.
    public var group: String
    /// 1 to 1024, ascending, not touching each other.
    public var ranges: [SequenceRange]

    public init(reason: DropReason, group: String, ranges: [SequenceRange]) {
        self.reason = reason
        self.group = group
        self.ranges = ranges
    }

    /// The raw payload, a multiple of 8 bytes. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try FormatError.checkName(group, in: 0...FormatConstants.maximumNameBytes, .dropRecord)
        try SequenceRange.check(ranges, in: 1...FormatConstants.maximumRangesInDrop, .dropRecord)
        let nameBytes = group.utf8.count
        let length = DropLayout.byteCount + nameBytes + ranges.count * RangeLayout.byteCount
        return .filled(FormatConstants.aligned(length)) { bytes in
            bytes.store(reason.rawValue, DropLayout.reason, at: 0)
            bytes.store(UInt16(nameBytes), DropLayout.groupNameBytes, at: 0)
            bytes.store(UInt32(ranges.count), DropLayout.rangeCount, at: 0)
            var cursor = WriteCursor(at: DropLayout.byteCount)
            cursor.text(group, &bytes)
            cursor.ranges(ranges, &bytes)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.dropRecord, bytes)
        let base = try cursor.skip(DropLayout.byteCount)
        guard let reason = DropReason(rawValue: bytes.load(DropLayout.reason, at: base)) else {
            throw .outOfRange(.dropRecord, DropLayout.reason, at: base)
        }
        guard bytes.load(DropLayout.reserved, at: base) == 0 else {
            throw FormatError(.dropRecord, .reservedNotZero, at: DropLayout.reserved.offset)
        }
        let nameBytes = try cursor.nameBytes(
            bytes.load(DropLayout.groupNameBytes, at: base), in: 0...FormatConstants.maximumNameBytes,
            at: DropLayout.groupNameBytes.offset)
        let count = Int(bytes.load(DropLayout.rangeCount, at: base))
        self.reason = reason
        group = try cursor.text(nameBytes, .groupName, bytes)
        try cursor.check(
            count, .rangeCount, in: 1...FormatConstants.maximumRangesInDrop, eachAtLeast: RangeLayout.byteCount)
        ranges = try cursor.ranges(count, bytes)
        try cursor.zerosToAlignment(from: base, bytes)
        try cursor.finish()
    }
}
