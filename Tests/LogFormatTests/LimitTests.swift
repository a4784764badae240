import Testing

@testable import LogFormat

/// At each limit a value encodes and decodes; one beyond it is refused, by the encoder and by the decoder.
@Suite struct LimitTests {
    private func name(_ count: Int) -> String { String(repeating: "n", count: count) }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    private func ranges(_ count: Int, from first: UInt64 = 1) -> [SequenceRange] {
        (0..<UInt64(count)).map { Samples.range(first + 2 * $0, first + 2 * $0 + 1) }
    }

    private func refuses(
        _ structure: FormatError.Structure, _ field: FormatField, _ body: () throws -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        do {
            try body()
            Issue.record("was accepted", sourceLocation: sourceLocation)
        } catch let error as FormatError {
            #expect(error.structure == structure, sourceLocation: sourceLocation)
            #expect(error.code == .outOfRange(field), sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
    }

    @Test func eventLimits() throws {
        func event(headers: Int = 0, key: Int = 1, value: Int = 0, body: Int = 0) -> Event {
            Event(
                headers: (0..<headers).map { index in
                    let digits = String(index)
                    return EventHeader(key: digits + name(max(0, key - digits.count)), value: zeros(value))
                }, body: zeros(body))
        }
        for good in [
            event(headers: 1024), event(headers: 1, key: 255), event(headers: 1, value: 65_536),
            event(body: 16_777_216),
        ] {
            #expect(try decoded(good.encode()) { try Event(decoding: $0) } == good)
        }
        refuses(.event, .headerCount) { _ = try event(headers: 1025).encode() }
        refuses(.event, .headerKey) { _ = try event(headers: 1, key: 256).encode() }
        refuses(.event, .headerKey) { _ = try Event(headers: [.init(key: "", value: [])], body: []).encode() }
        refuses(.event, .headerValue) { _ = try event(headers: 1, value: 65_537).encode() }
        refuses(.event, .bodyBytes) { _ = try event(body: 16_777_217).encode() }

        func decode(_ bytes: [UInt8]) throws { _ = try Event(decoding: bytes.rawBytes) }
        refuses(.event, .headerCount) { try decode([0, 0, 1, 4, 0, 0, 0, 0] + zeros(6 * 1025)) }
        refuses(.event, .headerValue) { try decode([0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0x61] + zeros(65_537)) }
        refuses(.event, .headerKey) { try decode([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }
        refuses(.event, .bodyBytes) { try decode([0, 0, 0, 0, 1, 0, 0, 1] + zeros(16_777_217)) }
    }

    @Test func repeatedKeysAreRefusedByBytes() throws {
        for count in [2, 40] {
            var headers = (0..<count).map { EventHeader(key: "k\($0)", value: []) }
            #expect(
                try decoded(Event(headers: headers, body: []).encode()) { try Event(decoding: $0) }.headers == headers)
            var bytes = try Event(headers: headers, body: []).encode()
            headers[count - 1].key = "k0"
            #expect(throws: FormatError(.event, .repeated(.headerKey), at: 0 as UInt64)) {
                try Event(headers: headers, body: []).encode()
            }
            let last = Array("k\(count - 1)".utf8)
            bytes.replaceSubrange(bytes.count - last.count..<bytes.count, with: Array("k0".utf8))
            if last.count == 2 {
                #expect(throws: FormatError.self) { try Event(decoding: bytes.rawBytes) }
            }
        }
        let composed = EventHeader(key: "\u{E9}", value: [])
        let decomposed = EventHeader(key: "e\u{301}", value: [])
        #expect(try Event(headers: [composed, decomposed], body: []).encode().count == 8 + 5 + 2 + 5 + 3)
    }

    @Test func textThatIsNotUTF8IsRefused() throws {
        var bytes = try Samples.bookmark.encode()
        bytes[6] = 0xFF
        #expect(throws: FormatError(.bookmark, .notUTF8(.bookmarkName), at: 6 as UInt64)) {
            try Bookmark(decoding: bytes.rawBytes)
        }
    }

    @Test func extensionBlocksAreAscendingAndNotEmpty() throws {
        func decode(_ block: [UInt8]) throws {
            _ = try decoded([1, 0, 0, 0, 0, 0, 0, 0] + block) { try Event(decoding: $0) }
        }
        try decode([5, 0, 0, 0, 3, 0, 1, 0, 9])
        refuses(.event, .extensionBytes) { try decode([0, 0, 0, 0]) }
        refuses(.event, .extensionLength) { try decode([6, 0, 0, 0, 3, 0, 2, 0, 9, 9]) }
        #expect(throws: FormatError.self) { try decode([4, 0, 0, 0, 0, 0, 0, 0]) }
        #expect(throws: FormatError.self) { try decode([10, 0, 0, 0, 3, 0, 1, 0, 9, 3, 0, 1, 0, 9]) }
        #expect(throws: FormatError.self) { try decode([5, 0, 0, 0, 9, 0, 2, 0, 9]) }
        let most = Event(extensions: [.unknown(tag: 5, bytes: zeros(65_532))], body: [])
        #expect(try decoded(most.encode()) { try Event(decoding: $0) } == most)
        refuses(.event, .extensionBytes) {
            _ = try Event(extensions: [.unknown(tag: 5, bytes: zeros(65_533))], body: []).encode()
        }
        refuses(.event, .extensionTag) { _ = try Event(extensions: [.unknown(tag: 3, bytes: [1])], body: []).encode() }
    }

    @Test func transactionLimits() throws {
        func take(_ count: Int, group: Int = 1) -> Transaction {
            Transaction(id: 1, group: name(group), ranges: ranges(count))
        }
        for good in [take(1), take(64), take(1, group: 255)] {
            let bytes = try good.encode(for: .takeCommit)
            #expect(try Transaction(decoding: bytes.rawBytes, type: .takeCommit) == good)
        }
        refuses(.transaction, .rangeCount) { _ = try take(0).encode(for: .takeCommit) }
        refuses(.transaction, .rangeCount) { _ = try take(65).encode(for: .takeCommit) }
        refuses(.transaction, .groupNameBytes) { _ = try take(1, group: 0).encode(for: .takeCommit) }
        refuses(.transaction, .groupNameBytes) { _ = try take(1, group: 256).encode(for: .takeCommit) }
        refuses(.transaction, .eventCount) { _ = try Transaction(id: 1).encode(for: .put) }
        refuses(.transaction, .bookmarkCount) { _ = try Transaction(id: 1).encode(for: .bookmark) }
        refuses(.transaction, .producerSequence) {
            _ = try Transaction(id: 1, producerSequence: 1, events: [Samples.event]).encode(for: .put)
        }
        let bookmarks = (0..<4097).map { Bookmark(name: "b\($0)", value: []) }
        let most = Transaction(id: 1, bookmarks: Array(bookmarks[..<4096]))
        #expect(try decoded(most.encode(for: .bookmark)) { try Transaction(decoding: $0, type: .bookmark) } == most)
        refuses(.transaction, .bookmarkCount) {
            _ = try Transaction(id: 1, bookmarks: bookmarks).encode(for: .bookmark)
        }
        #expect(throws: FormatError(.transaction, .mismatch(.type), at: 0 as UInt64)) {
            try Transaction(id: 1, events: [Samples.event]).encode(for: .open)
        }
    }

    @Test func transactionOf64MiBIsTheLongest() throws {
        let most = FormatConstants.maximumTransactionBytes - TransactionLayout.byteCount - 5 * EventLayout.byteCount
        let bodies = [16_777_216, 16_777_216, 16_777_216, most - 3 * 16_777_216 - 8, 8]
        var transaction = Transaction(id: 1, events: bodies.map { Event(body: zeros($0)) })
        #expect(try transaction.encode(for: .put).count == FormatConstants.maximumTransactionBytes)
        transaction.events[4].body.append(0)
        refuses(.transaction, .transactionBytes) { _ = try transaction.encode(for: .put) }
        transaction.events[4].body.removeLast()
        refuses(.transaction, .rawBytes) {
            _ = try TransactionBatch(
                type: .put, transactions: [transaction, Transaction(id: 2, events: [Event(body: [])])]
            ).encode()
        }
        let payload = try FramePayload(
            type: .put, eventCount: 1, transactionCount: 1, raw: zeros(FormatConstants.maximumRawBytes))
        #expect(payload.minimumFrameBytes == FormatConstants.maximumRawBytes + 104)
        refuses(.payload, .rawBytes) {
            _ = try FramePayload(
                type: .put, eventCount: 1, transactionCount: 1, raw: zeros(FormatConstants.maximumRawBytes + 1))
        }
    }

    @Test func countsOfAFrameMustAgreeWithItsTransactions() throws {
        let raw = try Samples.twoPuts.encode()
        for (events, transactions) in [(2, 2), (4, 2), (3, 1), (3, 3), (3, 0), (0xFFFF_FFFF, 0xFFFF_FFFF)] {
            #expect(throws: FormatError.self) {
                try TransactionBatch(
                    decoding: raw.rawBytes, type: .put, eventCount: UInt32(events),
                    transactionCount: UInt32(transactions))
            }
        }
    }

    @Test func recordLimits() throws {
        func drop(_ count: Int, group: Int = 0) -> DropRecord {
            DropRecord(reason: .overflow, group: name(group), ranges: ranges(count))
        }
        for good in [drop(1), drop(1024), drop(1, group: 255)] {
            #expect(try decoded(good.encode()) { try DropRecord(decoding: $0) } == good)
        }
        refuses(.dropRecord, .rangeCount) { _ = try drop(0).encode() }
        refuses(.dropRecord, .rangeCount) { _ = try drop(1025).encode() }
        refuses(.dropRecord, .groupNameBytes) { _ = try drop(1, group: 256).encode() }

        func counts(_ count: Int, group: Int = 1) -> DeliveryCountRecord {
            DeliveryCountRecord(
                group: name(group),
                entries: (0..<UInt64(count)).map { .init(sequence: EventSequence($0 + 1), count: 1) })
        }
        for good in [counts(1), counts(4096), counts(1, group: 255)] {
            #expect(try decoded(good.encode()) { try DeliveryCountRecord(decoding: $0) } == good)
        }
        refuses(.deliveryCountRecord, .entryCount) { _ = try counts(0).encode() }
        refuses(.deliveryCountRecord, .entryCount) { _ = try counts(4097).encode() }
        refuses(.deliveryCountRecord, .groupNameBytes) { _ = try counts(1, group: 0).encode() }
        refuses(.leaseRecord, .groupNameBytes) { _ = try LeaseRecord(group: "", limit: EventSequence(1)).encode() }
        refuses(.leaseRecord, .limit) { _ = try LeaseRecord(group: "g", limit: EventSequence(0)).encode() }

        for blockBytes in [0, 256, 513, 131_072] as [UInt32] {
            var open = Samples.open
            open.blockBytes = blockBytes
            refuses(.openRecord, .blockBytes) { _ = try open.encode() }
        }
    }

    @Test func rangesMustAscendWithoutTouching() throws {
        for bad in [
            [Samples.range(3, 3)], [Samples.range(4, 3)], [Samples.range(0, 3)],
            [Samples.range(1, 3), Samples.range(3, 4)],
            [Samples.range(5, 6), Samples.range(1, 2)],
        ] {
            #expect(throws: FormatError.self) {
                try DropRecord(reason: .skipped, group: "", ranges: bad).encode()
            }
            let bytes: [UInt8] =
                [4, 0, 0, 0, UInt8(bad.count), 0, 0, 0]
                + bad.flatMap { range in
                    [UInt8].filled(16) { bytes in
                        bytes.storeInteger(range.first.rawValue, at: 0)
                        bytes.storeInteger(range.end.rawValue, at: 8)
                    }
                }
            #expect(throws: FormatError.self) { try DropRecord(decoding: bytes.rawBytes) }
        }
    }

    @Test func snapshotAndClientStateLimits() throws {
        func snapshot(_ count: Int) throws -> Snapshot {
            var snapshot = try Samples.snapshot()
            snapshot.segments = (0..<UInt64(count)).map { index in
                var entry = snapshot.segments[0]
                entry.number = SegmentNumber(index + 1)
                return entry
            }
            return snapshot
        }
        #expect(try decoded(snapshot(4096).encode()) { try Snapshot(decoding: $0) } == snapshot(4096))
        refuses(.snapshot, .segmentCount) { _ = try snapshot(4097).encode() }
        refuses(.snapshot, .segmentCount) { _ = try snapshot(0).encode() }

        func state(groups: Int = 1, ranges count: Int = 0, producers: Int = 0, counts: Int = 0) -> ClientState {
            ClientState(
                groups: (0..<groups).map { .init(name: "g\($0)", acknowledged: ranges(count, from: 3)) },
                producers: (0..<UInt64(producers)).map {
                    .init(
                        id: ProducerID(high: 1, low: $0), producerSequence: 1, firstSequence: EventSequence(1),
                        eventCount: 1, lsn: Samples.durable.lsn)
                },
                deliveryCounts: (0..<UInt64(counts)).map {
                    .init(groupIndex: 0, sequence: EventSequence($0 + 1), count: 1)
                })
        }
        for good in [state(groups: 64), state(ranges: 65_536), state(producers: 4096), state(counts: 4096)] {
            #expect(try decoded(good.encode()) { try ClientState(decoding: $0) } == good)
        }
        refuses(.clientState, .groupCount) { _ = try state(groups: 65).encode() }
        refuses(.clientState, .rangeCount) { _ = try state(ranges: 65_537).encode() }
        refuses(.clientState, .producerCount) { _ = try state(producers: 4097).encode() }
        refuses(.clientState, .deliveryCountCount) { _ = try state(counts: 4097).encode() }
        var bookmarks = ClientState(bookmarks: [Bookmark(name: "b", value: zeros(65_535))])
        #expect(try decoded(bookmarks.encode()) { try ClientState(decoding: $0) } == bookmarks)
        bookmarks.bookmarks[0].value.append(0)
        refuses(.clientState, .bookmarkBytes) { _ = try bookmarks.encode() }
    }

    /// Numbers of events end at 2^62, so that nothing that is reckoned with them overflows: a record that names a
    /// higher one is refused, whether it is to be written or was found.
    @Test func numbersAbove2To62AreRefusedInEveryRecordOfTheChannel() throws {
        let top = FormatConstants.maximumNumber
        func store(_ number: UInt64, at offset: Int, in bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            for index in 0..<8 { bytes[offset + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
            return bytes
        }
        /// At `offset` of what `good` encodes stands `top`; one more, and the most, are refused there.
        func expectBound(
            _ structure: FormatError.Structure, _ field: FormatField, _ good: [UInt8], at offset: Int,
            sourceLocation: SourceLocation = #_sourceLocation, _ decode: (RawSpan) throws -> Void
        ) throws {
            #expect(store(top, at: offset, in: good) == good, sourceLocation: sourceLocation)
            try decode(good.rawBytes)
            for number in [top + 1, .max] {
                let hostile = store(number, at: offset, in: good)
                refuses(structure, field, { try decode(hostile.rawBytes) }, sourceLocation: sourceLocation)
            }
        }
        let highest = EventSequence(top)
        let beyond = EventSequence(top + 1)
        let range = SequenceRange(first: EventSequence(5), end: highest)
        let tooHigh = SequenceRange(first: EventSequence(5), end: beyond)

        try expectBound(.sequenceRange, .range, range.encode(), at: 8) { _ = try SequenceRange(decoding: $0) }
        refuses(.sequenceRange, .range) { _ = try tooHigh.encode() }

        let lease = try LeaseRecord(group: "default", limit: highest).encode()
        try expectBound(.leaseRecord, .limit, lease, at: 0) { _ = try LeaseRecord(decoding: $0) }
        refuses(.leaseRecord, .limit) { _ = try LeaseRecord(group: "default", limit: beyond).encode() }

        // Behind 8 bytes and a name of 7 stands the range.
        let drop = try DropRecord(reason: .overflow, group: "default", ranges: [range]).encode()
        try expectBound(.dropRecord, .range, drop, at: 8 + 7 + 8) { _ = try DropRecord(decoding: $0) }
        refuses(.dropRecord, .range) {
            _ = try DropRecord(reason: .overflow, group: "default", ranges: [tooHigh]).encode()
        }

        let counts = try DeliveryCountRecord(group: "g", entries: [.init(sequence: highest, count: .max)]).encode()
        try expectBound(.deliveryCountRecord, .sequence, counts, at: 8) { _ = try DeliveryCountRecord(decoding: $0) }
        refuses(.deliveryCountRecord, .sequence) {
            _ = try DeliveryCountRecord(group: "g", entries: [.init(sequence: beyond, count: 1)]).encode()
        }

        func state(_ below: EventSequence = EventSequence(1), _ lease: EventSequence = EventSequence(1)) -> ClientState
        {
            ClientState(groups: [.init(name: "default", acknowledgedBelow: below, leaseLimit: lease)])
        }
        func decode(_ bytes: RawSpan) throws { _ = try ClientState(decoding: bytes) }
        // Behind the count of groups: lengths and counts (8), acknowledged-below, lease limit.
        try expectBound(.clientState, .acknowledgedBelow, state(highest).encode(), at: 16, decode)
        refuses(.clientState, .acknowledgedBelow) { _ = try state(beyond).encode() }
        try expectBound(.clientState, .leaseLimit, state(EventSequence(1), highest).encode(), at: 24, decode)
        refuses(.clientState, .leaseLimit) { _ = try state(EventSequence(1), beyond).encode() }
        var ranges = state()
        ranges.groups[0].acknowledged = [range]
        try expectBound(.clientState, .range, ranges.encode(), at: 8 + 72 + 8, decode)
        ranges.groups[0].acknowledged = [tooHigh]
        refuses(.clientState, .range) { _ = try ranges.encode() }
        var delivered = state()
        delivered.deliveryCounts = [.init(groupIndex: 0, sequence: highest, count: 1)]
        let bytes = try delivered.encode()
        try expectBound(.clientState, .sequence, bytes, at: bytes.count - 16, decode)
        delivered.deliveryCounts[0].sequence = beyond
        refuses(.clientState, .sequence) { _ = try delivered.encode() }

        let take = TransactionBatch(
            type: .takeCommit, transactions: [Transaction(id: 1, group: "default", ranges: [range])])
        let batch = try take.encode()
        let place = try #require(
            (0..<batch.count - 7).first { store(top, at: $0, in: batch) == batch }, "where the end stands")
        try expectBound(.transaction, .range, batch, at: place) {
            _ = try TransactionHead.heads(in: $0, type: .takeCommit, transactionCount: 1)
        }
    }

    @Test func countsThatTheBytesDoNotHoldAreRefusedBeforeAllocating() {
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0x7F]
        func decode(_ bytes: [UInt8]) throws { _ = try ClientState(decoding: bytes.rawBytes) }
        #expect(throws: FormatError.self) { try decode(huge + zeros(28)) }
        #expect(throws: FormatError.self) { try decode([64, 0, 0, 0] + zeros(28)) }
        #expect(throws: FormatError.self) {
            try decoded(zeros(56) + [0, 16, 0, 0] + huge) { try Snapshot(decoding: $0) }
        }
    }

    @Test func segmentSizesAreMultiplesOf4096WithinTheLimits() {
        for bytes in [16_384, 20_480, 4_294_963_200] as [UInt64] { #expect(IdentityBlock.isSegmentSize(bytes)) }
        for bytes in [0, 12_288, 16_385, 4_294_967_296] as [UInt64] { #expect(!IdentityBlock.isSegmentSize(bytes)) }
    }
}
