/// How often events were handed out and returned: the payload of a `deliveryCount` frame. DESIGN.md 3.8.
public struct DeliveryCountRecord: Equatable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var sequence: EventSequence
        public var count: UInt64

        public init(sequence: EventSequence, count: UInt64) {
            self.sequence = sequence
            self.count = count
        }
    }

    /// 1 to 255 bytes of UTF-8.
    public var group: String
    /// 1 to 4096, ascending by sequence, up to 2^62.
    public var entries: [Entry]

    public init(group: String, entries: [Entry]) {
        self.group = group
        self.entries = entries
    }

    /// The raw payload, a multiple of 8 bytes. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        typealias Layout = DeliveryCountLayout
        try FormatError.checkName(group, in: FormatConstants.nameBytes, .deliveryCountRecord)
        guard (1...FormatConstants.maximumDeliveryCounts).contains(entries.count) else {
            throw .outOfRange(.deliveryCountRecord, Layout.entryCount, at: 0)
        }
        var previous = EventSequence(0)
        for entry in entries {
            guard entry.sequence > previous else {
                throw FormatError(.deliveryCountRecord, .outOfOrder(.sequence), at: 0)
            }
            guard entry.sequence.rawValue.isNumber else {
                throw FormatError(.deliveryCountRecord, .outOfRange(.sequence), at: 0)
            }
            previous = entry.sequence
        }
        let nameBytes = group.utf8.count
        let length = Layout.byteCount + entries.count * Layout.entryBytes + nameBytes
        return .filled(FormatConstants.aligned(length)) { bytes in
            bytes.store(UInt16(nameBytes), Layout.groupNameBytes, at: 0)
            bytes.store(UInt32(entries.count), Layout.entryCount, at: 0)
            var cursor = WriteCursor(at: Layout.byteCount)
            for entry in entries {
                cursor.integer(entry.sequence.rawValue, &bytes)
                cursor.integer(entry.count, &bytes)
            }
            cursor.text(group, &bytes)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        typealias Layout = DeliveryCountLayout
        var cursor = ReadCursor(.deliveryCountRecord, bytes)
        let base = try cursor.skip(Layout.byteCount)
        let nameBytes = try cursor.nameBytes(
            bytes.load(Layout.groupNameBytes, at: base), in: FormatConstants.nameBytes,
            at: Layout.groupNameBytes.offset)
        guard bytes.load(Layout.reserved, at: base) == 0 else {
            throw FormatError(.deliveryCountRecord, .reservedNotZero, at: Layout.reserved.offset)
        }
        let count = Int(bytes.load(Layout.entryCount, at: base))
        try cursor.check(
            count, .entryCount, in: 1...FormatConstants.maximumDeliveryCounts, eachAtLeast: Layout.entryBytes)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let sequence = EventSequence(try cursor.integer(bytes))
            guard sequence > entries.last?.sequence ?? EventSequence(0) else {
                throw FormatError(.deliveryCountRecord, .outOfOrder(.sequence), at: cursor.position - 8)
            }
            guard sequence.rawValue.isNumber else {
                throw FormatError(.deliveryCountRecord, .outOfRange(.sequence), at: cursor.position - 8)
            }
            entries.append(Entry(sequence: sequence, count: try cursor.integer(bytes)))
        }
        self.entries = entries
        group = try cursor.text(nameBytes, .groupName, bytes)
        try cursor.zerosToAlignment(from: base, bytes)
        try cursor.finish()
    }
}
