/// The raw payload of a put, takeCommit or bookmark frame: one or more whole transactions. DESIGN.md 3.7.
public struct TransactionBatch: Equatable, Sendable {
    /// put, takeCommit or bookmark.
    public var type: FrameType
    public var transactions: [Transaction]

    public init(type: FrameType, transactions: [Transaction]) {
        self.type = type
        self.transactions = transactions
    }

    /// The events of all transactions, which are numbered in order from the frame's base sequence on.
    public var eventCount: Int { transactions.reduce(0) { $0 + $1.events.count } }

    /// The raw payload. Throws when there is no transaction, when one has a field out of its range or that does not belong
    /// there, and when the whole is longer than 64 MiB.
    public func encode() throws(FormatError) -> [UInt8] {
        guard !transactions.isEmpty else { throw FormatError(.transaction, .outOfRange(.transactionCount), at: 0) }
        var total = 0
        for transaction in transactions {
            try transaction.check(for: type)
            total += transaction.encodedBytes
        }
        guard total <= FormatConstants.maximumRawBytes else {
            throw FormatError(.transaction, .outOfRange(.rawBytes), at: 0)
        }
        return .filled(total) { bytes in
            var cursor = WriteCursor()
            for transaction in transactions { transaction.encode(into: &bytes, &cursor) }
        }
    }

    /// From exactly the raw payload of a frame with that header. Throws when the counts of the header do not agree with it.
    public init(decoding bytes: RawSpan, header: FrameHeader) throws(FormatError) {
        try self.init(
            decoding: bytes, type: header.type, eventCount: header.eventCount,
            transactionCount: header.transactionCount)
    }

    /// From exactly the raw payload of a frame of that type and counts.
    public init(
        decoding bytes: RawSpan, type: FrameType, eventCount: UInt32, transactionCount: UInt32
    ) throws(FormatError) {
        var cursor = try ReadCursor(transactions: transactionCount, of: type, in: bytes)
        self.type = type
        transactions = []
        transactions.reserveCapacity(Int(transactionCount))
        var events = 0
        for _ in 0..<transactionCount {
            let transaction = try Transaction(from: bytes, &cursor, type: type)
            events += transaction.events.count
            transactions.append(transaction)
        }
        try cursor.finish()
        guard events == Int(eventCount) else { throw FormatError(.transaction, .mismatch(.eventCount), at: 0) }
    }
}
