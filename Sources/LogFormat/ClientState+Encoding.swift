extension ClientState {
    /// How long its encoding is: a multiple of 8.
    public var encodedBytes: Int {
        groups.reduce(0) { $0 + $1.encodedBytes }
            + FormatConstants.aligned(bookmarks.reduce(0) { $0 + $1.encodedBytes })
            + producers.count * ClientStateLayout.producerBytes
            + deliveryCounts.count * ClientStateLayout.deliveryCountBytes + 4 * ClientStateLayout.countBytes
    }

    /// The bytes for ``Snapshot/client``. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        return .filled(encodedBytes) { bytes in
            var cursor = WriteCursor()
            cursor.count(groups.count, &bytes)
            for group in groups { group.encode(into: &bytes, &cursor) }

            cursor.count(bookmarks.count, &bytes)
            for bookmark in bookmarks { bookmark.encode(into: &bytes, &cursor) }
            cursor.align(from: 0)

            cursor.count(producers.count, &bytes)
            for producer in producers {
                cursor.integer(producer.id.high, &bytes)
                cursor.integer(producer.id.low, &bytes)
                cursor.integer(producer.producerSequence, &bytes)
                cursor.integer(producer.firstSequence.rawValue, &bytes)
                cursor.integer(producer.eventCount, &bytes)
                cursor.integer(producer.lsn.segment.rawValue, &bytes)
                cursor.integer(producer.lsn.offset, &bytes)
            }

            cursor.count(deliveryCounts.count, &bytes)
            for entry in deliveryCounts {
                cursor.integer(UInt64(entry.groupIndex), &bytes)
                cursor.integer(entry.sequence.rawValue, &bytes)
                cursor.integer(entry.count, &bytes)
            }
        }
    }

    private func check() throws(FormatError) {
        guard groups.count <= FormatConstants.maximumGroups else {
            throw FormatError(.clientState, .outOfRange(.groupCount), at: 0)
        }
        guard producers.count <= FormatConstants.maximumProducers else {
            throw FormatError(.clientState, .outOfRange(.producerCount), at: 0)
        }
        guard deliveryCounts.count <= FormatConstants.maximumDeliveryCounts else {
            throw FormatError(.clientState, .outOfRange(.deliveryCountCount), at: 0)
        }
        for group in groups { try group.check() }
        try Bookmark.check(bookmarks)
        try checkTogether(at: 0)
    }

    /// The rules between entries, for what is to be encoded as for what was decoded.
    func checkTogether(at offset: Int) throws(FormatError) {
        var names = NameSet()
        for group in groups where !names.insert(group.name) {
            throw FormatError(.clientState, .repeated(.groupName), at: offset)
        }
        let bookmarkBytes = bookmarks.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
        guard bookmarkBytes <= FormatConstants.maximumBookmarkBytes else {
            throw FormatError(.clientState, .outOfRange(.bookmarkBytes), at: offset)
        }
        var producerIDs: Set<ProducerID> = []
        for producer in producers {
            guard producer.id != .none else { throw FormatError(.clientState, .outOfRange(.producerID), at: offset) }
            guard producerIDs.insert(producer.id).inserted else {
                throw FormatError(.clientState, .repeated(.producerID), at: offset)
            }
        }
        var previous = (group: 0, sequence: EventSequence(0))
        for entry in deliveryCounts {
            guard groups.indices.contains(entry.groupIndex) else {
                throw FormatError(.clientState, .outOfRange(.groupIndex), at: offset)
            }
            guard entry.sequence.rawValue != 0, previous < (entry.groupIndex, entry.sequence) else {
                throw FormatError(.clientState, .outOfOrder(.sequence), at: offset)
            }
            guard entry.sequence.rawValue.isNumber else {
                throw FormatError(.clientState, .outOfRange(.sequence), at: offset)
            }
            previous = (entry.groupIndex, entry.sequence)
        }
    }
}

extension ClientState.Group {
    fileprivate func check() throws(FormatError) {
        try FormatError.checkName(name, in: FormatConstants.nameBytes, .clientState)
        try checkNumbers(at: 0)
        try SequenceRange.check(
            acknowledged, in: 0...FormatConstants.maximumRangesInGroup, above: acknowledgedBelow, .clientState)
    }

    /// The two sequences that stand beside each other, the first at `offset`.
    func checkNumbers(at offset: Int) throws(FormatError) {
        guard acknowledgedBelow.rawValue.isNumber else {
            throw FormatError(.clientState, .outOfRange(.acknowledgedBelow), at: offset)
        }
        guard leaseLimit.rawValue <= FormatConstants.maximumNumber else {
            throw FormatError(.clientState, .outOfRange(.leaseLimit), at: offset + 8)
        }
    }

    fileprivate func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        let start = cursor.position
        cursor.integer(UInt16(name.utf8.count), &bytes)
        cursor.skip(2)
        cursor.integer(UInt32(acknowledged.count), &bytes)
        cursor.integer(acknowledgedBelow.rawValue, &bytes)
        cursor.integer(leaseLimit.rawValue, &bytes)
        for count in [taken, droppedByOverflow, expired, deadLettered, skipped, lost] { cursor.integer(count, &bytes) }
        cursor.ranges(acknowledged, &bytes)
        cursor.text(name, &bytes)
        cursor.align(from: start)
    }
}

extension WriteCursor {
    /// A count and four zero bytes, which begin each of the parts.
    fileprivate mutating func count(_ count: Int, _ bytes: inout MutableRawSpan) {
        bytes.storeInteger(UInt32(count), at: skip(ClientStateLayout.countBytes))
    }
}
