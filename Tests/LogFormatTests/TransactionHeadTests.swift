import Testing

@testable import LogFormat

@Suite struct TransactionHeadTests {
    private func heads(_ raw: [UInt8], _ type: FrameType, _ count: Int) -> Result<[TransactionHead], FormatError> {
        Result { () throws(FormatError) in
            try TransactionHead.heads(in: raw.rawBytes, type: type, transactionCount: UInt32(count))
        }
    }

    /// The heads of decoded transactions.
    private func decoded(_ raw: [UInt8], _ batch: TransactionBatch) -> Result<[TransactionHead], FormatError> {
        Result { () throws(FormatError) in
            try TransactionBatch(
                decoding: raw.rawBytes, type: batch.type, eventCount: UInt32(batch.eventCount),
                transactionCount: UInt32(batch.transactions.count))
        }.map { $0.transactions.map(head) }
    }

    private func head(_ transaction: Transaction) -> TransactionHead {
        TransactionHead(
            id: transaction.id, producer: transaction.producer, producerSequence: transaction.producerSequence,
            group: transaction.group, ranges: transaction.ranges, bookmarks: transaction.bookmarks,
            eventCount: transaction.events.count)
    }

    @Test func headsSayWhatDecodingSays() throws {
        var random = Random(seed: 43)
        var batches = [Samples.put, Samples.twoPuts, Samples.takeCommit, Samples.bookmarks]
        for _ in 0..<500 {
            batches.append(
                TransactionBatch(type: .put, transactions: (0...random.index(below: 4)).map { _ in random.put() }))
        }
        for batch in batches {
            let raw = try batch.encode()
            #expect(try heads(raw, batch.type, batch.transactions.count).get() == batch.transactions.map(head))
        }
    }

    @Test func anyFlipOrCutWithoutEventsIsJudgedAsByDecoding() throws {
        for batch in [Samples.takeCommit, Samples.bookmarks] {
            let raw = try batch.encode()
            var damaged = raw
            for bit in 0..<raw.count * 8 {
                damaged[bit / 8] ^= 1 << UInt8(bit % 8)
                if heads(damaged, batch.type, batch.transactions.count) != decoded(damaged, batch) {
                    Issue.record("\(batch.type), bit \(bit)")
                }
                damaged[bit / 8] = raw[bit / 8]
            }
            for length in raw.indices {
                let cut = Array(raw[..<length])
                if heads(cut, batch.type, batch.transactions.count) != decoded(cut, batch) {
                    Issue.record("\(batch.type), cut to \(length)")
                }
            }
        }
    }

    @Test func eventsAreSteppedOverUnread() throws {
        let raw = try Samples.put.encode()
        let events = TransactionLayout.byteCount + Samples.bookmark.encodedBytes
        var damaged = raw
        for index in events..<raw.count { damaged[index] = 0xFF }
        #expect(throws: FormatError.self) { try decoded(damaged, Samples.put).get() }
        #expect(try heads(damaged, .put, 1).get() == Samples.put.transactions.map(head))
    }

    @Test func flipBeforeTheEventsOfAPutIsJudgedAsByDecoding() throws {
        let raw = try Samples.put.encode()
        var damaged = raw
        let events = TransactionLayout.byteCount + Samples.bookmark.encodedBytes
        for bit in TransactionLayout.eventCount.offset * 8..<events * 8 {
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let heads = heads(damaged, .put, 1)
            switch decoded(damaged, Samples.put) {
            case .success(let expected): #expect(heads == .success(expected), "bit \(bit)")
            case .failure(let expected):
                // A count or length that is wrong may show only in the events.
                if case .failure(let error) = heads { #expect(error == expected, "bit \(bit)") }
            }
            damaged[bit / 8] = raw[bit / 8]
        }
    }

    @Test func countsAndTypesThatDoNotFitAreRefused() throws {
        let raw = try Samples.twoPuts.encode()
        func expect(_ type: FrameType, _ count: Int, _ code: FormatError.Code, at offset: Int = 0) {
            #expect(throws: FormatError(.transaction, code, at: offset)) { try heads(raw, type, count).get() }
        }
        expect(.put, 0, .outOfRange(.transactionCount))
        expect(.put, 1, .trailingBytes, at: raw.count - 56)
        expect(.put, 3, .tooShort, at: raw.count)
        expect(.put, 0xFFFF_FFFF, .tooShort)
        expect(.takeCommit, 2, .outOfRange(.rangeCount), at: 44)
        expect(.bookmark, 2, .outOfRange(.bookmarkCount), at: 40)
        for type in FrameType.allCases where !type.holdsTransactions { expect(type, 2, .mismatch(.type)) }
    }
}
