/// Where the events of a put frame's raw payload stand.
///
/// It validates exactly what ``TransactionBatch/init(decoding:type:eventCount:transactionCount:)`` validates, with the
/// same errors, and copies nothing but 16 bytes for each event: with the bytes it was made from, ``EventView`` reads the
/// events without fail.
public struct PutFrameIndex: Sendable {
    private var places: [EventPlace] = []

    /// Walks the raw payload of a put frame with those counts in its header.
    ///
    /// Throws when anything in the payload is not as DESIGN.md 3.7 says, or the counts do not agree with it. Cost: linear
    /// in the headers, whatever the bytes; bodies are stepped over, and values, but where short headers are compared with
    /// those of the event before. Allocates at most twice the size of the payload (places of events of 8 bytes), however
    /// large the counts are.
    public init(indexing raw: RawSpan, eventCount: UInt32, transactionCount: UInt32) throws(FormatError) {
        var cursor = try ReadCursor(transactions: transactionCount, of: .put, in: raw)
        places.reserveCapacity(min(Int(eventCount), raw.byteCount / EventLayout.byteCount))
        var known = KnownHeaders()
        for _ in 0..<transactionCount {
            var (head, events) = try cursor.transaction(.put, raw)
            for _ in 0..<head.eventCount { places.append(try events.event(raw, &known)) }
            try events.finishTransaction(raw)
        }
        try cursor.finish()
        guard places.count == Int(eventCount) else {
            throw FormatError(.transaction, .mismatch(.eventCount), at: 0)
        }
    }

    /// The events of all transactions.
    public var count: Int { places.count }

    /// Where the event stands, counted from 0 in the order of the log. Traps when `index` is not below ``count``.
    public func place(_ index: Int) -> EventPlace { places[index] }
}
