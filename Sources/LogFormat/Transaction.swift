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
        FormatConstants.aligned(events.reduce(head.encodedBytes) { $0 + $1.encodedBytes })
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

    /// What stands before the events.
    private var head: TransactionHead {
        TransactionHead(
            id: id, producer: producer, producerSequence: producerSequence, group: group, ranges: ranges,
            bookmarks: bookmarks, eventCount: events.count)
    }

    func check(for type: FrameType) throws(FormatError) {
        try head.check(for: type)
        for event in events { try event.check() }
        guard encodedBytes <= FormatConstants.maximumTransactionBytes else {
            throw .outOfRange(.transaction, TransactionLayout.transactionBytes, at: 0)
        }
    }

    func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        let base = cursor.position
        head.encode(transactionBytes: encodedBytes, into: &bytes, &cursor)
        for event in events { event.encode(into: &bytes, &cursor) }
        cursor.align(from: base)
    }

    init(from bytes: RawSpan, _ batch: inout ReadCursor, type: FrameType) throws(FormatError) {
        var (head, cursor) = try batch.transaction(type, bytes)
        self.init(
            id: head.id, producer: head.producer, producerSequence: head.producerSequence, group: head.group,
            ranges: head.ranges, bookmarks: head.bookmarks)
        events.reserveCapacity(head.eventCount)
        for _ in 0..<head.eventCount { events.append(try Event(from: bytes, &cursor)) }
        try cursor.finishTransaction(bytes)
    }
}
