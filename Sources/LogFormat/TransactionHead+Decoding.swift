extension ReadCursor {
    /// At the first of `count` transactions, which fill the raw payload of a frame of that type.
    init(transactions count: UInt32, of type: FrameType, in bytes: RawSpan) throws(FormatError) {
        guard type.holdsTransactions else { throw FormatError(.transaction, .mismatch(.type), at: 0) }
        guard bytes.byteCount <= FormatConstants.maximumRawBytes else {
            throw FormatError(.transaction, .outOfRange(.rawBytes), at: 0)
        }
        self.init(.transaction, bytes)
        try check(
            Int(count), .transactionCount, in: 1...Int(UInt32.max), eachAtLeast: TransactionLayout.byteCount)
    }

    /// Steps over one transaction, and returns its head with a cursor at its first event. At least 8 bytes are there for
    /// each event that the head counts.
    mutating func transaction(
        _ type: FrameType, _ bytes: RawSpan
    ) throws(FormatError) -> (head: TransactionHead, events: ReadCursor) {
        typealias Layout = TransactionLayout
        guard type.holdsTransactions else { throw FormatError(.transaction, .mismatch(.type), at: position) }
        let base = position
        guard remaining >= Layout.byteCount else { throw FormatError(.transaction, .tooShort, at: base) }
        let length = Int(bytes.load(Layout.transactionBytes, at: base))
        guard length >= Layout.byteCount, length % FormatConstants.alignment == 0,
            length <= FormatConstants.maximumTransactionBytes
        else { throw .outOfRange(.transaction, Layout.transactionBytes, at: base) }
        _ = try skip(length)

        var cursor = ReadCursor(.transaction, from: base + Layout.byteCount, to: base + length)
        let head = try cursor.transactionHead(from: base, TransactionLimits(type), bytes)
        return (head, cursor)
    }

    /// What stands behind the last event: zero bytes up to a multiple of 8.
    mutating func finishTransaction(_ bytes: RawSpan) throws(FormatError) {
        try zeros(remaining % FormatConstants.alignment, bytes)
        try finish()
    }

    /// The fields at `base`, then the parts from the cursor up to the first event.
    private mutating func transactionHead(
        from base: Int, _ allowed: TransactionLimits, _ bytes: RawSpan
    ) throws(FormatError) -> TransactionHead {
        typealias Layout = TransactionLayout
        let producer = ProducerID(bytes.load(Layout.producerID, at: base))
        let producerSequence = bytes.load(Layout.producerSequence, at: base)
        guard producer != .none || producerSequence == 0 else {
            throw .outOfRange(.transaction, Layout.producerSequence, at: base)
        }
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
        let nameBytes = try nameBytes(
            bytes.load(Layout.groupNameBytes, at: base), in: allowed.nameBytes,
            at: base + Layout.groupNameBytes.offset)
        let head = TransactionHead(
            id: bytes.load(Layout.transactionID, at: base), producer: producer, producerSequence: producerSequence,
            group: try text(nameBytes, .groupName, bytes), ranges: try ranges(rangeCount, bytes),
            bookmarks: try bookmarks(bookmarkCount, bytes), eventCount: eventCount)
        try check(eventCount, .eventCount, in: allowed.events, eachAtLeast: EventLayout.byteCount)
        return head
    }
}
