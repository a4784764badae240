import Testing

@testable import LogFormat

@Suite struct PutFrameIndexTests {
    private func indexed(_ raw: [UInt8], _ events: Int, _ transactions: Int = 1) -> Result<PutFrameIndex, FormatError> {
        Result { () throws(FormatError) in
            try PutFrameIndex(
                indexing: raw.rawBytes, eventCount: UInt32(events), transactionCount: UInt32(transactions))
        }
    }

    private func decoded(_ raw: [UInt8], _ events: Int, _ transactions: Int) -> Result<[Event], FormatError> {
        Result { () throws(FormatError) in
            try TransactionBatch(
                decoding: raw.rawBytes, type: .put, eventCount: UInt32(events),
                transactionCount: UInt32(transactions)
            ).transactions.flatMap(\.events)
        }
    }

    /// What the index and the views say, in the words of the decoder.
    private func viewed(_ raw: [UInt8], _ events: Int, _ transactions: Int) -> Result<[Event], FormatError> {
        indexed(raw, events, transactions).map { index in
            (0..<index.count).map { EventView(raw: raw, place: index.place($0)).event }
        }
    }

    @Test func viewsSayWhatDecodingSays() throws {
        var random = Random(seed: 42)
        for _ in 0..<400 {
            let transactions = (0...random.index(below: 4)).map { _ in random.put() }
            let raw = try TransactionBatch(type: .put, transactions: transactions).encode()
            let events = transactions.flatMap(\.events)
            let index = try indexed(raw, events.count, transactions.count).get()
            #expect(index.count == events.count)
            for (number, event) in events.enumerated() {
                let view = EventView(raw: raw, place: index.place(number))
                #expect(view.event == event)
                #expect(view.headers == event.headers)
                #expect(view.extensions == event.extensions)
                #expect(Array(view.body) == event.body)
                #expect(view.bodyBytes == event.body.count)
                #expect(view.withBody { $0.copy(0..<$0.byteCount) } == event.body)
                #expect(view.encodedBytes == event.encodedBytes)
                for header in event.headers { #expect(view.header(header.key).map { Array($0) } == header.value) }
                #expect(view.header("none") == nil)
            }
        }
    }

    @Test func anyFlipOrCutIsAcceptedByBothOrRefusedByBothForTheSameReason() throws {
        let raw = try Samples.twoPuts.encode()
        compareWithEachBitFlipped(raw, 3, 2)
        var damaged = raw
        for byte in raw.indices {
            for value in 0...255 as ClosedRange<UInt8> {
                damaged[byte] = value
                if viewed(damaged, 3, 2) != decoded(damaged, 3, 2) { Issue.record("byte \(byte) := \(value)") }
            }
            damaged[byte] = raw[byte]
        }
        compareWithEachCut(raw, 3, 2)
    }

    /// The transaction's head takes 48 bytes; the event 8; its headers `k` and `l` 5 + 1 + 1 bytes each, from 56 on; the
    /// extension block, from 70 on, 4 + 4 + 1 + 4 + 16 bytes; the body, from 99 on, 2 bytes; 3 zeros.
    private let raw = try? Transaction(
        id: 1,
        events: [
            Event(
                headers: [EventHeader(key: "k", value: [1]), EventHeader(key: "l", value: [2])],
                extensions: [.priority(1), .traceID(high: 1, low: 2)], body: [3, 4])
        ]
    ).encode(for: .put)

    private func compareWithEachBitFlipped(_ raw: [UInt8], _ events: Int, _ transactions: Int) {
        var damaged = raw
        for bit in 0..<raw.count * 8 {
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            if viewed(damaged, events, transactions) != decoded(damaged, events, transactions) {
                Issue.record("bit \(bit)")
            }
            damaged[bit / 8] = raw[bit / 8]
        }
    }

    private func compareWithEachCut(_ raw: [UInt8], _ events: Int, _ transactions: Int) {
        for length in raw.indices {
            let cut = Array(raw[..<length])
            if viewed(cut, events, transactions) != decoded(cut, events, transactions) {
                Issue.record("cut to \(length)")
            }
        }
    }

    /// They are compared with those that were judged, instead of being judged once more.
    @Test func headersLikeThoseBeforeThemAreAcceptedOrRefusedAsTheyAreAlone() throws {
        let headers = [
            EventHeader(key: "host", value: [UInt8]("web-1".utf8)), EventHeader(key: "tag", value: []),
            EventHeader(key: "größe", value: [1, 2, 3]),
        ]
        let others = [EventHeader(key: "host", value: [UInt8]("web-2".utf8))] + headers.dropFirst()
        var events = [headers, headers, others, others, headers].map { Event(headers: $0, body: [1, 2, 3]) }
        // As many, of which the first ones are the same; as long; and none, before some and after them.
        events.append(Event(headers: [headers[0], headers[2], headers[1]], body: []))
        events.append(Event(headers: Array(headers[0...1]), body: Array(repeating: 7, count: 40)))
        events += [Event(body: [9]), Event(body: []), Event(headers: headers, body: [])]
        let raw = try TransactionBatch(
            type: .put, transactions: [Transaction(id: 1, events: events), Transaction(id: 2, events: events)]
        ).encode()
        #expect(try viewed(raw, 2 * events.count, 2).get() == events + events)
        compareWithEachBitFlipped(raw, 2 * events.count, 2)
        compareWithEachCut(raw, 2 * events.count, 2)
    }

    @Test func everyBrokenRuleOfAnEventIsNamedWithItsPlace() throws {
        let raw = try #require(raw)
        #expect(raw.count == 104 && viewed(raw, 1, 1) == decoded(raw, 1, 1))
        func expect(
            _ changes: [(offset: Int, bytes: [UInt8])], _ structure: FormatError.Structure, _ code: FormatError.Code,
            at offset: Int, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            var damaged = raw
            for change in changes {
                damaged.replaceSubrange(change.offset..<change.offset + change.bytes.count, with: change.bytes)
            }
            let expected = FormatError(structure, code, at: offset)
            #expect(throws: expected, sourceLocation: sourceLocation) { try indexed(damaged, 1).get() }
            #expect(throws: expected, sourceLocation: sourceLocation) { try decoded(damaged, 1, 1).get() }
        }
        expect([(48, [2])], .event, .reservedNotZero, at: 48)
        expect([(49, [1])], .event, .reservedNotZero, at: 48)
        expect([(50, [1, 4])], .transaction, .outOfRange(.headerCount), at: 56)
        expect([(50, [100])], .transaction, .tooShort, at: 56)
        expect([(52, [1, 0, 0, 1])], .event, .outOfRange(.bodyBytes), at: 52)
        expect([(52, [6])], .transaction, .tooShort, at: 99)
        expect([(52, [1])], .transaction, .reservedNotZero, at: 100)
        expect([(56, [0])], .event, .outOfRange(.headerKey), at: 56)
        expect([(57, [1, 0, 1, 0])], .event, .outOfRange(.headerValue), at: 57)
        expect([(56, [200])], .transaction, .tooShort, at: 61)
        expect([(57, [200])], .transaction, .tooShort, at: 62)
        expect([(61, [0xFF])], .transaction, .notUTF8(.headerKey), at: 61)
        expect([(68, [0x6B])], .event, .repeated(.headerKey), at: 63)
        expect([(70, [0])], .event, .outOfRange(.extensionBytes), at: 70)
        expect([(70, [1, 0, 1])], .event, .outOfRange(.extensionBytes), at: 70)
        expect([(70, [200])], .transaction, .tooShort, at: 74)
        expect([(70, [26])], .event, .tooShort, at: 99)
        expect([(70, [24])], .event, .tooShort, at: 83)
        expect([(70, [8])], .event, .tooShort, at: 79)
        expect([(76, [2])], .event, .outOfRange(.extensionLength), at: 76)
        expect([(79, [3]), (81, [1])], .event, .outOfOrder(.extensionTag), at: 79)
        expect([(79, [0]), (81, [16])], .event, .outOfOrder(.extensionTag), at: 79)
        expect([(101, [1])], .transaction, .reservedNotZero, at: 101)
        expect([(4, [2])], .transaction, .tooShort, at: 101)
        expect([(4, [0])], .transaction, .outOfRange(.eventCount), at: 4)
    }

    @Test func keyThatStandsTwiceIsFoundWhereverItStands() throws {
        for (count, pad) in [(2, ""), (3, "ключ"), (32, "long-key-"), (33, ""), (34, "🔑"), (70, "k")] {
            // One byte differs, at the front, in the middle or at the end.
            for (before, behind) in [("", pad), (pad, pad), (pad, "")] {
                let keys = (0..<count).map { before + String(UnicodeScalar(UInt8(0x30 + $0))) + behind }
                try expectRepeats(among: keys)
            }
        }
    }

    private func expectRepeats(among keys: [String]) throws {
        let headers = keys.map { EventHeader(key: $0, value: [7]) }
        let raw = try Transaction(id: 1, events: [Event(headers: headers, body: [])]).encode(for: .put)
        let step = 5 + (keys.first?.utf8.count ?? 0) + 1
        #expect(throws: Never.self) { try indexed(raw, 1).get() }
        for later in keys.indices {
            for earlier in 0..<later where later - earlier < 3 || earlier < 2 || later > 30 && earlier % 5 == 0 {
                var damaged = raw
                damaged.replaceSubrange(56 + step * later + 5..<56 + step * (later + 1) - 1, with: keys[earlier].utf8)
                let expected = FormatError(.event, .repeated(.headerKey), at: 56 + step * later)
                #expect(throws: expected) { try indexed(damaged, 1).get() }

                var repeated = headers
                repeated[later].key = keys[earlier]
                var encoder = PutEncoder()
                #expect(throws: FormatError(.event, .repeated(.headerKey), at: 0)) {
                    try encoder.append(Event(headers: repeated, body: []))
                }
            }
        }
    }

    @Test func countsThatDoNotAgreeAreRefused() throws {
        let raw = try Samples.twoPuts.encode()
        func expect(_ events: Int, _ transactions: Int, _ code: FormatError.Code, at offset: Int = 0) {
            let expected = FormatError(.transaction, code, at: offset)
            #expect(throws: expected) { try indexed(raw, events, transactions).get() }
            #expect(throws: expected) { try decoded(raw, events, transactions).get() }
        }
        expect(2, 2, .mismatch(.eventCount))
        expect(4, 2, .mismatch(.eventCount))
        expect(0xFFFF_FFFF, 2, .mismatch(.eventCount))
        expect(3, 0, .outOfRange(.transactionCount))
        expect(3, 1, .trailingBytes, at: raw.count - 56)
        expect(3, 3, .tooShort, at: raw.count)
        expect(3, 0xFFFF_FFFF, .tooShort)
        let empty = FormatError(.transaction, .tooShort, at: 0)
        #expect(throws: empty) { try indexed([], 1).get() }
    }

    @Test func payloadBeyond64MiBIsRefused() {
        let raw = [UInt8](repeating: 0, count: FormatConstants.maximumRawBytes + 8)
        let expected = FormatError(.transaction, .outOfRange(.rawBytes), at: 0)
        #expect(throws: expected) { try indexed(raw, 1).get() }
        #expect(throws: expected) { try decoded(raw, 1, 1).get() }
        #expect(throws: expected) {
            try TransactionHead.heads(in: raw.rawBytes, type: .put, transactionCount: 1)
        }
    }

    @Test func headersAreFoundByTheBytesOfTheirKey() throws {
        let event = Event(
            headers: [
                EventHeader(key: "k", value: [1]), EventHeader(key: "kk", value: []),
                EventHeader(key: "\u{E9}", value: [2]), EventHeader(key: "e\u{301}", value: [3]),
                EventHeader(key: "a-key-of-17-bytes", value: [4]), EventHeader(key: "a-key-of-17-byteS", value: [5]),
            ], body: [6])
        let raw = try Transaction(id: 1, events: [event]).encode(for: .put)
        let view = EventView(raw: raw, place: try indexed(raw, 1).get().place(0))
        #expect(event.headers.map { view.header($0.key) } == [[1], [], [2], [3], [4], [5]])
        for key in ["", "a", "K", "kkk", "a-key-of-17-byte", String(repeating: "k", count: 300)] {
            #expect(view.header(key) == nil)
        }
    }

    @Test func viewSharesTheBytesOfThePayload() throws {
        let raw = try #require(raw)
        let view = EventView(raw: raw, place: try indexed(raw, 1).get().place(0))
        #expect(view.body.indices == 99..<101)
        #expect(view.header("l")?.indices == 69..<70)
        unsafe raw.withUnsafeBufferPointer { whole in
            unsafe view.body.withUnsafeBufferPointer { body in
                let address = unsafe whole.baseAddress.map { unsafe $0 + 99 }
                #expect(unsafe body.baseAddress == address)
            }
        }
    }

    @Test func placeTakes16Bytes() { #expect(MemoryLayout<EventPlace>.stride == 16) }
}
