import Testing

@testable import LogFormat

@Suite struct PutEncoderTests {
    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    private func encoded(_ transaction: Transaction, by encoder: inout PutEncoder) throws -> [UInt8] {
        for event in transaction.events { try encoder.append(event) }
        return try encoder.finish(
            id: transaction.id, producer: transaction.producer, producerSequence: transaction.producerSequence,
            bookmarks: transaction.bookmarks)
    }

    @Test func encoderWritesTheBytesOfTheTransaction() throws {
        var random = Random(seed: 40)
        var reused = PutEncoder()
        for _ in 0..<2000 {
            let transaction = random.put()
            let expected = try transaction.encode(for: .put)
            #expect(try encoded(transaction, by: &reused) == expected)
            var reserving = PutEncoder(reservingBytes: expected.count)
            #expect(try encoded(transaction, by: &reserving) == expected)
        }
    }

    @Test func encoderCountsWhatWasAppended() throws {
        var random = Random(seed: 41)
        for _ in 0..<200 {
            var encoder = PutEncoder(reservingBytes: -1)
            var transaction = Transaction(id: 0)
            #expect(encoder.eventCount == 0 && encoder.bodyBytes == 0 && encoder.encodedBytes == 48)
            for _ in 0..<random.index(below: 9) {
                let event = random.event()
                let measure = Event.Measure(event.headers, event.extensions, bodyBytes: event.body.count)
                #expect(measure.bytes == event.encodedBytes)
                try encoder.append(event)
                transaction.events.append(event)
                #expect(encoder.eventCount == transaction.events.count)
                #expect(encoder.bodyBytes == transaction.events.reduce(0) { $0 + $1.body.count })
                #expect(encoder.encodedBytes == transaction.encodedBytes)
            }
            guard !transaction.events.isEmpty else { continue }
            #expect(try encoder.finish(id: 0).count == transaction.encodedBytes)
            #expect(encoder.eventCount == 0 && encoder.bodyBytes == 0 && encoder.encodedBytes == 48)
        }
    }

    @Test func eventAtEachLimitIsEncoded() throws {
        let events = [
            Event(headers: (0..<1024).map { EventHeader(key: "k\($0)", value: []) }, body: []),
            Event(headers: [EventHeader(key: String(repeating: "k", count: 255), value: zeros(65_536))], body: [1]),
            Event(extensions: [.unknown(tag: 5, bytes: zeros(65_532))], body: []),
            Event(body: zeros(16_777_216)), Event(body: []),
        ]
        for event in events {
            let transaction = Transaction(id: 1, events: [event])
            var encoder = PutEncoder()
            #expect(try encoded(transaction, by: &encoder) == transaction.encode(for: .put))
        }
    }

    /// One event for each way to be refused, with the error.
    private func refused() -> [(Event, FormatError)] {
        func header(_ key: String, _ value: [UInt8] = []) -> EventHeader { EventHeader(key: key, value: value) }
        func error(_ code: FormatError.Code, at offset: Int = 0) -> FormatError {
            FormatError(.event, code, at: offset)
        }
        let many = (0..<100).map { header("key-\($0)") }
        return [
            (Event(headers: (0..<1025).map { header("k\($0)") }, body: []), error(.outOfRange(.headerCount), at: 2)),
            (Event(body: zeros(16_777_217)), error(.outOfRange(.bodyBytes), at: 4)),
            (Event(headers: [header("a"), header("")], body: [1]), error(.outOfRange(.headerKey))),
            (
                Event(headers: [header(String(repeating: "k", count: 256))], body: []),
                error(.outOfRange(.headerKey))
            ),
            (Event(headers: [header("a", zeros(65_537))], body: []), error(.outOfRange(.headerValue))),
            (Event(headers: [header("a"), header("b"), header("a")], body: [1]), error(.repeated(.headerKey))),
            (Event(headers: many + [header("key-7")], body: [1]), error(.repeated(.headerKey))),
            (
                Event(extensions: [.unknown(tag: 5, bytes: zeros(65_533))], body: []),
                error(.outOfRange(.extensionBytes))
            ),
            (Event(extensions: [.unknown(tag: 3, bytes: [1])], body: []), error(.outOfRange(.extensionTag))),
            (Event(extensions: [.priority(1), .expiry(1)], body: []), error(.outOfOrder(.extensionTag))),
        ]
    }

    @Test func refusedAppendChangesNothing() throws {
        for (event, expected) in refused() {
            #expect(throws: expected) { try Transaction(id: 1, events: [event]).encode(for: .put) }
            var encoder = PutEncoder()
            #expect(throws: expected) { try encoder.append(event) }
            #expect(encoder.eventCount == 0 && encoder.bodyBytes == 0 && encoder.encodedBytes == 48)
            try encoder.append(Samples.event)
            #expect(throws: expected) { try encoder.append(event) }
            #expect(encoder.eventCount == 1 && encoder.bodyBytes == Samples.event.body.count)
            try encoder.append(Samples.extendedEvent)
            #expect(throws: expected) { try encoder.append(event) }
            let expectedBytes = try Transaction(id: 1, events: [Samples.event, Samples.extendedEvent])
                .encode(for: .put)
            #expect(encoder.encodedBytes == expectedBytes.count)
            #expect(try encoder.finish(id: 1) == expectedBytes)
        }
    }

    /// Keys are compared only when two of them are equally long, by a filter in which lengths that are 64 apart are one.
    @Test func aKeyThatStandsTwiceIsFoundWhateverStandsBesideIt() throws {
        var random = Random(seed: 43)
        var repeated = 0
        for _ in 0..<5_000 {
            let keys = (0..<random.index(below: 8)).map { _ in
                String(
                    repeating: random.index(below: 2) == 0 ? "a" : "b",
                    count: [1, 2, 3, 65, 66][random.index(below: 5)])
            }
            let event = Event(headers: keys.map { EventHeader(key: $0, value: []) }, body: [])
            var encoder = PutEncoder()
            if Set(keys).count == keys.count {
                try encoder.append(event)
            } else {
                #expect(throws: FormatError(.event, .repeated(.headerKey), at: 0 as UInt64)) {
                    try encoder.append(event)
                }
                repeated += 1
            }
        }
        #expect((500...4_500).contains(repeated))
    }

    /// The very same array is not walked again: what stands there is copied.
    @Test func eventsWithTheSameHeadersAreEncodedAsEachOneAlone() throws {
        var random = Random(seed: 44)
        for _ in 0..<300 {
            let pool = (0..<3).map { _ in random.event().headers }
            var encoder = PutEncoder()
            for id in 0..<2 {
                var transaction = Transaction(id: UInt64(id))
                for _ in 0...random.index(below: 12) {
                    var event = random.event()
                    event.headers = pool[random.index(below: pool.count)]
                    transaction.events.append(event)
                }
                #expect(try encoded(transaction, by: &encoder) == transaction.encode(for: .put))
            }
        }
    }

    @Test func anEventIsARepeatOnlyOfTheOneBeforeAndUpToTheLimit() throws {
        for headers in [Samples.event.headers, []] {
            var encoder = PutEncoder()
            func repeats(_ headers: [EventHeader], _ body: [UInt8], upTo limit: Int = .max) -> Bool {
                encoder.appendRepeat(headers, body.rawBytes, upTo: limit)
            }
            #expect(!repeats(headers, [1]), "there is none before")
            try encoder.append(headers: headers, extensions: [], body: [1].rawBytes)
            let first = encoder.encodedBytes
            #expect(!repeats(headers + [EventHeader(key: "more", value: [])], [2]))
            #expect(!repeats(headers.isEmpty ? Samples.event.headers : [], [2]))
            #expect(!repeats(headers, zeros(16_777_217)), "too long a body")
            let one = Event(headers: headers, body: [2]).encodedBytes
            let end = 48 + Event(headers: headers, body: [1]).encodedBytes + one
            #expect(!repeats(headers, [2], upTo: end - 1))
            #expect(encoder.eventCount == 1 && encoder.bodyBytes == 1 && encoder.encodedBytes == first)
            #expect(repeats(headers, [2], upTo: end))
            #expect(repeats(headers, []))
            #expect(encoder.eventCount == 3 && encoder.bodyBytes == 2)
            let events = [[1], [2], []].map { Event(headers: headers, body: $0) }
            #expect(try encoder.finish(id: 3) == Transaction(id: 3, events: events).encode(for: .put))
            #expect(!repeats(headers, [1]), "none of this transaction is before")
        }
    }

    /// Else the last event of a batch that is as long as the one before would copy all that stands there, into twice the memory.
    @Test func whatWasReservedIsEnoughForATransactionOfThatLength() throws {
        for bodyBytes in 500..<516 {
            let events = [Event](repeating: Event(headers: Samples.event.headers, body: zeros(bodyBytes)), count: 100)
            let expected = try Transaction(id: 1, events: events).encode(for: .put)
            var encoder = PutEncoder(reservingBytes: expected.count)
            for event in events { try encoder.append(event) }
            let raw = try encoder.finish(id: 1)
            #expect(raw == expected)
            #expect(raw.capacity < expected.count + 64)
        }
    }

    @Test func aTransactionThatIsFullTakesNoRepeat() throws {
        var encoder = PutEncoder()
        func repeats(_ headers: [EventHeader], _ body: [UInt8]) -> Bool {
            encoder.appendRepeat(headers, body.rawBytes)
        }
        let body = zeros(16_777_216)
        for _ in 0..<3 { try encoder.append(headers: [], extensions: [], body: body.rawBytes) }
        let left = 67_108_864 - 48 - 3 * (8 + body.count) - 8
        #expect(!repeats([], zeros(left + 1)))
        #expect(throws: FormatError(.transaction, .outOfRange(.transactionBytes), at: 0 as UInt64)) {
            try encoder.append(headers: [], extensions: [], body: zeros(left + 1).rawBytes)
        }
        #expect(repeats([], zeros(left)))
        #expect(encoder.encodedBytes == 67_108_864)
    }

    @Test func headersThatWereChangedBetweenTwoEventsAreEncodedAsTheyAreThen() throws {
        // Nobody but the encoder holds what it was given.
        func header(_ key: String, _ value: [UInt8]) -> EventHeader { EventHeader(key: key, value: value) }
        var headers = [header("host", [1]), header("tag", [2])]
        var encoder = PutEncoder()
        func append() throws { try encoder.append(headers: headers, extensions: [], body: [7].rawBytes) }
        try append()
        try append()
        headers[1].value = [3]
        try append()
        headers.removeLast()
        try append()
        headers.append(header("host", []))
        #expect(throws: FormatError(.event, .repeated(.headerKey), at: 0 as UInt64)) {
            try encoder.append(Event(headers: headers, body: []))
        }
        #expect(throws: FormatError(.event, .repeated(.headerKey), at: 0 as UInt64)) {
            try encoder.append(Event(headers: headers, body: []))
        }
        headers[1].key = "tag"
        try append()
        try append()
        // Arrays that are gone, and whose memory others may have.
        for value in 0..<20 as Range<UInt8> {
            try encoder.append(headers: [header("host", [value])], extensions: [], body: [7].rawBytes)
        }
        var expected = [
            [header("host", [1]), header("tag", [2])], [header("host", [1]), header("tag", [2])],
            [header("host", [1]), header("tag", [3])], [header("host", [1])],
            [header("host", [1]), header("tag", [])], [header("host", [1]), header("tag", [])],
        ]
        expected += (0..<20).map { [header("host", [$0])] }
        #expect(
            try encoder.finish(id: 1)
                == Transaction(id: 1, events: expected.map { Event(headers: $0, body: [7]) }).encode(for: .put))
    }

    @Test func refusedFinishChangesNothing() throws {
        func error(_ structure: FormatError.Structure, _ code: FormatError.Code, at offset: Int = 0) -> FormatError {
            FormatError(structure, code, at: offset)
        }
        let mark = Samples.bookmark
        var encoder = PutEncoder()
        #expect(throws: error(.transaction, .outOfRange(.eventCount), at: 4)) { try encoder.finish(id: 1) }
        try encoder.append(Samples.event)
        #expect(throws: error(.transaction, .outOfRange(.producerSequence), at: 32)) {
            try encoder.finish(id: 1, producerSequence: 1)
        }
        for (bookmarks, expected) in [
            ([mark, mark], error(.bookmark, .repeated(.bookmarkName))),
            ([Bookmark(name: "", value: [])], error(.bookmark, .outOfRange(.bookmarkName))),
            ([Bookmark(name: "b", value: zeros(65_537))], error(.bookmark, .outOfRange(.bookmarkValue), at: 2)),
            (
                (0..<4097).map { Bookmark(name: "b\($0)", value: []) },
                error(.transaction, .outOfRange(.bookmarkCount), at: 40)
            ),
        ] {
            #expect(throws: expected) { try encoder.finish(id: 1, bookmarks: bookmarks) }
        }
        #expect(encoder.eventCount == 1)
        let expected = try Transaction(id: 1, bookmarks: [mark], events: [Samples.event]).encode(for: .put)
        #expect(try encoder.finish(id: 1, bookmarks: [mark]) == expected)
    }

    @Test func transactionOf64MiBIsTheLongest() throws {
        let body = zeros(16_777_216)
        var encoder = PutEncoder()
        for _ in 0..<3 { try encoder.append(Event(body: body)) }
        let rest = FormatConstants.maximumTransactionBytes - 48 - 3 * (8 + body.count)
        let tooLong = FormatError(.transaction, .outOfRange(.transactionBytes), at: 0)
        #expect(throws: tooLong) { try encoder.append(Event(body: zeros(rest - 7))) }
        #expect(encoder.eventCount == 3)
        try encoder.append(Event(body: zeros(rest - 16)))
        #expect(encoder.encodedBytes == FormatConstants.maximumTransactionBytes - 8)
        #expect(throws: tooLong) { try encoder.finish(id: 1, bookmarks: [Bookmark(name: "bcd", value: [])]) }
        try encoder.append(Event(body: []))
        #expect(throws: tooLong) { try encoder.append(Event(body: [])) }
        let raw = try encoder.finish(id: 1)
        #expect(raw.count == FormatConstants.maximumTransactionBytes)
        #expect(try PutFrameIndex(indexing: raw.rawBytes, eventCount: 5, transactionCount: 1).count == 5)
    }

    @Test func copiesOfAnEncoderAreIndependent() throws {
        var encoder = PutEncoder()
        try encoder.append(Samples.event)
        var copy = encoder
        try copy.append(Samples.extendedEvent)
        try encoder.append(Samples.event)
        try copy.append(Samples.event)
        let raw = try copy.finish(id: 2)
        #expect(
            try encoder.finish(id: 1)
                == Transaction(id: 1, events: [Samples.event, Samples.event]).encode(for: .put))
        let second = [Samples.event, Samples.extendedEvent, Samples.event]
        #expect(try raw == Transaction(id: 2, events: second).encode(for: .put))
    }

    @Test func encoderForgetsWhatWasRemoved() throws {
        var encoder = PutEncoder()
        encoder.removeAll()
        try encoder.append(Samples.extendedEvent)
        try encoder.append(Samples.event)
        encoder.removeAll()
        #expect(encoder.eventCount == 0 && encoder.bodyBytes == 0 && encoder.encodedBytes == 48)
        try encoder.append(Samples.event)
        #expect(try encoder.finish(id: 1) == Transaction(id: 1, events: [Samples.event]).encode(for: .put))
    }
}
