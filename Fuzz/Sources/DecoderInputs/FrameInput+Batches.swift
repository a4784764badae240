import LogFormat

// Whole payloads of transactions. There are three readers of them (decoding, indexing, heads) and two writers; they must
// agree on every input.

extension FrameInput {
    /// The input is the two counts of a frame's header, a byte each, and the payload.
    static func batch(_ input: [UInt8], _ type: FrameType) {
        guard input.count >= 2 else { return }
        batch(
            Array(input.dropFirst(2)), type, eventCount: type == .put ? UInt32(input[0]) : 0,
            transactionCount: UInt32(input[1]))
    }

    static func batch(_ raw: [UInt8], _ type: FrameType, eventCount: UInt32, transactionCount: UInt32) {
        let batch = Result { () throws(FormatError) in
            try unsafe TransactionBatch(
                decoding: raw.span.bytes, type: type, eventCount: eventCount, transactionCount: transactionCount)
        }
        let heads = Result { () throws(FormatError) in
            try unsafe TransactionHead.heads(in: raw.span.bytes, type: type, transactionCount: transactionCount)
        }
        let index = Result { () throws(FormatError) in
            try unsafe PutFrameIndex(
                indexing: raw.span.bytes, eventCount: eventCount, transactionCount: transactionCount)
        }
        switch batch {
        case .failure(let error):
            // Of a put's events the heads know nothing.
            Promise.require(type == .put || heads == .failure(error), "heads do not say \(error)")
            guard type == .put else { return }
            if case .failure(let other) = index { Promise.require(other == error, "\(error), indexed: \(other)") }
            if case .success = index { Promise.require(false, "indexed in spite of: \(error)") }
        case .success(let batch):
            Promise.require((try? batch.encode()) == raw, "\(type) is not canonical")
            Promise.require(heads == .success(batch.transactions.map(head)), "heads are not those of the transactions")
            guard type == .put else { return }
            guard let index = try? index.get() else { return Promise.require(false, "decoded, but not indexed") }
            views(raw, index, batch.transactions.flatMap(\.events))
            Promise.require(batch.transactions.flatMap(encodedAgain) == raw, "the encoder writes other bytes")
        }
    }

    private static func head(_ transaction: Transaction) -> TransactionHead {
        TransactionHead(
            id: transaction.id, producer: transaction.producer, producerSequence: transaction.producerSequence,
            group: transaction.group, ranges: transaction.ranges, bookmarks: transaction.bookmarks,
            eventCount: transaction.events.count)
    }

    /// Every view says what its event says.
    private static func views(_ raw: [UInt8], _ index: PutFrameIndex, _ events: [Event]) {
        Promise.require(index.count == events.count, "another number of events")
        for (number, event) in events.enumerated() {
            let view = EventView(raw: raw, place: index.place(number))
            Promise.require(view.event == event, "another event")
            Promise.require(view.headers == event.headers && view.extensions == event.extensions, "other parts")
            Promise.require(Array(view.body) == event.body && view.bodyBytes == event.body.count, "another body")
            Promise.require(view.withBody { $0.byteCount } == event.body.count, "another length")
            Promise.require(view.encodedBytes == event.encodedBytes, "another encoded length")
            for header in event.headers {
                Promise.require(view.header(header.key).map { Array($0) } == header.value, "another value")
            }
            Promise.require(view.header("") == nil, "a header without a key")
        }
    }

    /// What the encoder of the hot path makes of it.
    private static func encodedAgain(_ transaction: Transaction) -> [UInt8] {
        var encoder = PutEncoder()
        do throws(FormatError) {
            for event in transaction.events { try encoder.append(event) }
            return try encoder.finish(
                id: transaction.id, producer: transaction.producer, producerSequence: transaction.producerSequence,
                bookmarks: transaction.bookmarks)
        } catch {
            return []
        }
    }
}
