/// A transaction without its events: what replay needs of it. DESIGN.md 3.7. What it may hold depends on the type of its
/// frame.
public struct TransactionHead: Sendable, Equatable {
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
    /// How many events it holds. put: at least one. Otherwise none.
    public var eventCount: Int

    /// From its parts, unchecked.
    public init(
        id: UInt64, producer: ProducerID = .none, producerSequence: UInt64 = 0, group: String = "",
        ranges: [SequenceRange] = [], bookmarks: [Bookmark] = [], eventCount: Int = 0
    ) {
        self.id = id
        self.producer = producer
        self.producerSequence = producerSequence
        self.group = group
        self.ranges = ranges
        self.bookmarks = bookmarks
        self.eventCount = eventCount
    }

    /// The heads of all transactions in the raw payload of a put, takeCommit or bookmark frame.
    ///
    /// Everything but the events is validated as ``TransactionBatch`` does it; events are stepped over by the length of
    /// their transaction, whatever they hold. Cost: linear in the heads and independent of the events.
    public static func heads(
        in raw: RawSpan, type: FrameType, transactionCount: UInt32
    ) throws(FormatError) -> [TransactionHead] {
        var cursor = try ReadCursor(transactions: transactionCount, of: type, in: raw)
        var heads: [TransactionHead] = []
        heads.reserveCapacity(Int(transactionCount))
        for _ in 0..<transactionCount {
            var (head, events) = try cursor.transaction(type, raw)
            if head.eventCount == 0 { try events.finishTransaction(raw) }
            heads.append(head)
        }
        try cursor.finish()
        return heads
    }
}
