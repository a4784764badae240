extension ClientState {
    /// From exactly the bytes of ``Snapshot/client``; none are the empty state.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        self.init()
        guard !bytes.isEmpty else { return }
        var cursor = ReadCursor(.clientState, bytes)

        let groupCount = try cursor.count(bytes)
        try cursor.check(
            groupCount, .groupCount, in: 0...FormatConstants.maximumGroups, eachAtLeast: ClientStateLayout.groupBytes)
        for _ in 0..<groupCount { groups.append(try Group(from: bytes, &cursor)) }

        bookmarks = try cursor.bookmarks(try cursor.count(bytes), bytes)
        try cursor.zerosToAlignment(from: 0, bytes)

        let producerCount = try cursor.count(bytes)
        try cursor.check(
            producerCount, .producerCount, in: 0...FormatConstants.maximumProducers,
            eachAtLeast: ClientStateLayout.producerBytes)
        producers.reserveCapacity(producerCount)
        for _ in 0..<producerCount { producers.append(try Producer(from: bytes, &cursor)) }

        let deliveryCountCount = try cursor.count(bytes)
        try cursor.check(
            deliveryCountCount, .deliveryCountCount, in: 0...FormatConstants.maximumDeliveryCounts,
            eachAtLeast: ClientStateLayout.deliveryCountBytes)
        deliveryCounts.reserveCapacity(deliveryCountCount)
        for _ in 0..<deliveryCountCount {
            let groupIndex: UInt64 = try cursor.integer(bytes)
            let sequence = EventSequence(try cursor.integer(bytes))
            deliveryCounts.append(
                DeliveryCount(
                    groupIndex: Int(clamping: groupIndex), sequence: sequence, count: try cursor.integer(bytes)))
        }
        try cursor.finish()
        try checkTogether(at: cursor.position)
    }
}

extension ClientState.Group {
    fileprivate init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        let start = cursor.position
        let nameBytes = try cursor.nameBytes(try cursor.integer(bytes), in: FormatConstants.nameBytes, at: start)
        try cursor.zeros(2, bytes)
        let rangeCount = Int(try cursor.integer(bytes, as: UInt32.self))
        let acknowledgedBelow = EventSequence(try cursor.integer(bytes))
        let leaseLimit = EventSequence(try cursor.integer(bytes))
        self.init(name: "", acknowledgedBelow: acknowledgedBelow, leaseLimit: leaseLimit)
        try checkNumbers(at: start + 8)
        taken = try cursor.integer(bytes)
        droppedByOverflow = try cursor.integer(bytes)
        expired = try cursor.integer(bytes)
        deadLettered = try cursor.integer(bytes)
        skipped = try cursor.integer(bytes)
        lost = try cursor.integer(bytes)
        try cursor.check(
            rangeCount, .rangeCount, in: 0...FormatConstants.maximumRangesInGroup, eachAtLeast: RangeLayout.byteCount)
        acknowledged = try cursor.ranges(rangeCount, above: acknowledgedBelow, bytes)
        name = try cursor.text(nameBytes, .groupName, bytes)
        try cursor.zerosToAlignment(from: start, bytes)
    }
}

extension ClientState.Producer {
    fileprivate init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        let high: UInt64 = try cursor.integer(bytes)
        let low: UInt64 = try cursor.integer(bytes)
        let producerSequence: UInt64 = try cursor.integer(bytes)
        let firstSequence = EventSequence(try cursor.integer(bytes))
        let eventCount: UInt64 = try cursor.integer(bytes)
        let segment = SegmentNumber(try cursor.integer(bytes))
        self.init(
            id: ProducerID(high: high, low: low), producerSequence: producerSequence, firstSequence: firstSequence,
            eventCount: eventCount, lsn: LSN(segment: segment, offset: try cursor.integer(bytes)))
    }
}

extension ReadCursor {
    /// A count and four zero bytes, which begin each of the parts.
    fileprivate mutating func count(_ bytes: RawSpan) throws(FormatError) -> Int {
        let count = Int(try integer(bytes, as: UInt32.self))
        try zeros(4, bytes)
        return count
    }
}
