/// One transaction as it stands in a put, takeCommit or bookmark frame. DESIGN.md 3.7. What it may hold depends on the
/// type of its frame.
public struct Transaction: Equatable, Sendable {
    public var id: UInt64
    /// ``ProducerID/none`` without a producer.
    public var producer: ProducerID
    /// 0 without a producer.
    public var producerSequence: UInt64
    /// The consumer group. takeCommit: 1 to 255 bytes of UTF-8. put: empty. bookmark: empty for a source's, else a sink's.
    public var group: String
    /// Acknowledged sequences. takeCommit: 1 to 64, ascending, not touching each other. Otherwise none.
    public var ranges: [SequenceRange]
    /// Up to 4096 with different names; in a bookmark frame at least one.
    public var bookmarks: [Bookmark]
    /// put: at least one. Otherwise none.
    public var events: [Event]

    public init(
        id: UInt64, producer: ProducerID = .none, producerSequence: UInt64 = 0, group: String = "",
        ranges: [SequenceRange] = [], bookmarks: [Bookmark] = [], events: [Event] = []
    ) {
        self.id = id
        self.producer = producer
        self.producerSequence = producerSequence
        self.group = group
        self.ranges = ranges
        self.bookmarks = bookmarks
        self.events = events
    }

    /// How long its encoding is: a multiple of 8.
    public var encodedBytes: Int {
        var total = TransactionLayout.byteCount + group.utf8.count + ranges.count * RangeLayout.byteCount
        for bookmark in bookmarks { total += bookmark.encodedBytes }
        for event in events { total += event.encodedBytes }
        return FormatConstants.aligned(total)
    }

    /// The bytes for a frame of that type. Throws when a field is out of its range or does not belong there, and when the
    /// whole is longer than 64 MiB.
    public func encode(for type: FrameType) throws(FormatError) -> [UInt8] {
        try check(for: type)
        return .filled(encodedBytes) { bytes in
            var cursor = WriteCursor()
            encode(into: &bytes, &cursor)
        }
    }

    /// From exactly the bytes of one transaction of a frame of that type.
    public init(decoding bytes: RawSpan, type: FrameType) throws(FormatError) {
        var cursor = ReadCursor(.transaction, bytes)
        try self.init(from: bytes, &cursor, type: type)
        try cursor.finish()
    }

    func check(for type: FrameType) throws(FormatError) {
        typealias Layout = TransactionLayout
        let allowed = Allowed(type)
        guard type.holdsTransactions else { throw FormatError(.transaction, .mismatch(.type), at: 0) }
        guard producer != .none || producerSequence == 0 else {
            throw .outOfRange(.transaction, Layout.producerSequence, at: 0)
        }
        try FormatError.checkName(group, in: allowed.nameBytes, .transaction)
        try SequenceRange.check(ranges, in: allowed.ranges, .transaction)
        guard allowed.bookmarks.contains(bookmarks.count) else {
            throw .outOfRange(.transaction, Layout.bookmarkCount, at: 0)
        }
        guard allowed.events.contains(events.count) else {
            throw .outOfRange(.transaction, Layout.eventCount, at: 0)
        }
        try Bookmark.check(bookmarks)
        for event in events { try event.check() }
        guard encodedBytes <= FormatConstants.maximumTransactionBytes else {
            throw .outOfRange(.transaction, Layout.transactionBytes, at: 0)
        }
    }

    func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        typealias Layout = TransactionLayout
        let base = cursor.skip(Layout.byteCount)
        bytes.store(UInt32(events.count), Layout.eventCount, at: base)
        bytes.store(id, Layout.transactionID, at: base)
        bytes.store(producer.stored, Layout.producerID, at: base)
        bytes.store(producerSequence, Layout.producerSequence, at: base)
        bytes.store(UInt16(bookmarks.count), Layout.bookmarkCount, at: base)
        bytes.store(UInt16(group.utf8.count), Layout.groupNameBytes, at: base)
        bytes.store(UInt32(ranges.count), Layout.rangeCount, at: base)
        cursor.text(group, &bytes)
        cursor.ranges(ranges, &bytes)
        for bookmark in bookmarks { bookmark.encode(into: &bytes, &cursor) }
        for event in events { event.encode(into: &bytes, &cursor) }
        cursor.align(from: base)
        bytes.store(UInt32(cursor.position - base), Layout.transactionBytes, at: base)
    }

    init(from bytes: RawSpan, _ batch: inout ReadCursor, type: FrameType) throws(FormatError) {
        typealias Layout = TransactionLayout
        guard type.holdsTransactions else { throw FormatError(.transaction, .mismatch(.type), at: batch.position) }
        let base = batch.position
        guard batch.remaining >= Layout.byteCount else { throw FormatError(.transaction, .tooShort, at: base) }
        let length = Int(bytes.load(Layout.transactionBytes, at: base))
        guard length >= Layout.byteCount, length % FormatConstants.alignment == 0,
            length <= FormatConstants.maximumTransactionBytes
        else { throw .outOfRange(.transaction, Layout.transactionBytes, at: base) }
        _ = try batch.skip(length)

        var cursor = ReadCursor(.transaction, from: base + Layout.byteCount, to: base + length)
        id = bytes.load(Layout.transactionID, at: base)
        producer = ProducerID(bytes.load(Layout.producerID, at: base))
        producerSequence = bytes.load(Layout.producerSequence, at: base)
        guard producer != .none || producerSequence == 0 else {
            throw .outOfRange(.transaction, Layout.producerSequence, at: base)
        }
        let allowed = Allowed(type)
        let rangeCount = Int(bytes.load(Layout.rangeCount, at: base))
        guard allowed.ranges.contains(rangeCount) else {
            throw .outOfRange(.transaction, Layout.rangeCount, at: base)
        }
        let bookmarkCount = Int(bytes.load(Layout.bookmarkCount, at: base))
        guard allowed.bookmarks.contains(bookmarkCount) else {
            throw .outOfRange(.transaction, Layout.bookmarkCount, at: base)
        }
        let eventCount = Int(bytes.load(Layout.eventCount, at: base))
        guard allowed.events.contains(eventCount) else {
            throw .outOfRange(.transaction, Layout.eventCount, at: base)
        }
        let nameBytes = try cursor.nameBytes(
            bytes.load(Layout.groupNameBytes, at: base), in: allowed.nameBytes,
            at: base + Layout.groupNameBytes.offset)
        group = try cursor.text(nameBytes, .groupName, bytes)
        ranges = try cursor.ranges(rangeCount, bytes)
        bookmarks = try cursor.bookmarks(bookmarkCount, bytes)
        try cursor.check(eventCount, .eventCount, in: allowed.events, eachAtLeast: EventLayout.byteCount)
        events = []
        events.reserveCapacity(eventCount)
        for _ in 0..<eventCount { events.append(try Event(from: bytes, &cursor)) }
        try cursor.zerosToAlignment(from: base, bytes)
        try cursor.finish()
    }
}

/// What a transaction may hold in a frame of each type.
private struct Allowed {
    var nameBytes = 0...0
    var ranges = 0...0
    var bookmarks = 0...FormatConstants.maximumBookmarks
    var events = 0...0

    init(_ type: FrameType) {
        switch type {
        case .put:
            events = 1...FormatConstants.maximumTransactionBytes / EventLayout.byteCount
        case .takeCommit:
            nameBytes = FormatConstants.nameBytes
            ranges = 1...FormatConstants.maximumRangesInTransaction
        default:
            nameBytes = 0...FormatConstants.maximumNameBytes
            bookmarks = 1...FormatConstants.maximumBookmarks
        }
    }
}
