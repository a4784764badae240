extension TransactionHead {
    /// How long its encoding is, before the events and without alignment.
    var encodedBytes: Int {
        var total = TransactionLayout.byteCount + group.utf8.count + ranges.count * RangeLayout.byteCount
        for bookmark in bookmarks { total += bookmark.encodedBytes }
        return total
    }

    /// Checks all limits before it is encoded, but for the length of the whole.
    func check(for type: FrameType) throws(FormatError) {
        typealias Layout = TransactionLayout
        let allowed = TransactionLimits(type)
        guard type.holdsTransactions else { throw FormatError(.transaction, .mismatch(.type), at: 0) }
        guard producer != .none || producerSequence == 0 else {
            throw .outOfRange(.transaction, Layout.producerSequence, at: 0)
        }
        try FormatError.checkName(group, in: allowed.nameBytes, .transaction)
        try SequenceRange.check(ranges, in: allowed.ranges, .transaction)
        guard allowed.bookmarks.contains(bookmarks.count) else {
            throw .outOfRange(.transaction, Layout.bookmarkCount, at: 0)
        }
        guard allowed.events.contains(eventCount) else {
            throw .outOfRange(.transaction, Layout.eventCount, at: 0)
        }
        try Bookmark.check(bookmarks)
    }

    /// Writes what stands before the events. `transactionBytes` is the length of the whole transaction.
    func encode(transactionBytes: Int, into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        typealias Layout = TransactionLayout
        let base = cursor.skip(Layout.byteCount)
        bytes.store(UInt32(transactionBytes), Layout.transactionBytes, at: base)
        bytes.store(UInt32(eventCount), Layout.eventCount, at: base)
        bytes.store(id, Layout.transactionID, at: base)
        bytes.store(producer.stored, Layout.producerID, at: base)
        bytes.store(producerSequence, Layout.producerSequence, at: base)
        bytes.store(UInt16(bookmarks.count), Layout.bookmarkCount, at: base)
        bytes.store(UInt16(group.utf8.count), Layout.groupNameBytes, at: base)
        bytes.store(UInt32(ranges.count), Layout.rangeCount, at: base)
        cursor.text(group, &bytes)
        cursor.ranges(ranges, &bytes)
        for bookmark in bookmarks { bookmark.encode(into: &bytes, &cursor) }
    }
}
