/// A consumer group may have been handed every sequence below `limit`: the payload of a `lease` frame. DESIGN.md 3.8.
public struct LeaseRecord: Equatable, Sendable {
    /// 1 to 255 bytes of UTF-8.
    public var group: String
    /// From 1 to 2^62.
    public var limit: EventSequence

    public init(group: String, limit: EventSequence) {
        self.group = group
        self.limit = limit
    }

    /// The raw payload, a multiple of 8 bytes. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try FormatError.checkName(group, in: FormatConstants.nameBytes, .leaseRecord)
        guard limit.rawValue.isNumber else { throw .outOfRange(.leaseRecord, LeaseLayout.limit, at: 0) }
        let nameBytes = group.utf8.count
        return .filled(FormatConstants.aligned(LeaseLayout.byteCount + nameBytes)) { bytes in
            bytes.store(limit.rawValue, LeaseLayout.limit, at: 0)
            bytes.store(UInt16(nameBytes), LeaseLayout.groupNameBytes, at: 0)
            var cursor = WriteCursor(at: LeaseLayout.byteCount)
            cursor.text(group, &bytes)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.leaseRecord, bytes)
        let base = try cursor.skip(LeaseLayout.byteCount)
        limit = EventSequence(bytes.load(LeaseLayout.limit, at: base))
        guard limit.rawValue.isNumber else { throw .outOfRange(.leaseRecord, LeaseLayout.limit, at: base) }
        let nameBytes = try cursor.nameBytes(
            bytes.load(LeaseLayout.groupNameBytes, at: base), in: FormatConstants.nameBytes,
            at: LeaseLayout.groupNameBytes.offset)
        guard bytes.isZero(LeaseLayout.reserved.range) else {
            throw FormatError(.leaseRecord, .reservedNotZero, at: LeaseLayout.reserved.offset)
        }
        group = try cursor.text(nameBytes, .groupName, bytes)
        try cursor.zerosToAlignment(from: base, bytes)
        try cursor.finish()
    }
}
