@testable import LogFormat

/// One value of each structure, of which the golden bytes are made.
enum Samples {
    static let uuid = LogUUID(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF01)
    static let life = SegmentLife(logUUID: uuid, salt: 0x5A17_5A17_5A17_5A17, segment: SegmentNumber(3))
    static let position: UInt64 = 0x2A00
    static let durable = DurableThrough(
        lsn: LSN(segment: SegmentNumber(3), offset: 0x2800), nextSequence: EventSequence(41))
    static let time: UInt64 = 1_760_000_000_000_000_000

    static let identity = IdentityBlock(
        logUUID: uuid, segment: SegmentNumber(3), salt: life.salt, segmentBytes: 67_108_864, creationTime: time,
        predecessor: SegmentNumber(2), predecessorSalt: 0x0202_0202_0202_0202,
        openings: [
            EpochOpening(
                epoch: Epoch(6), nonce: 0x0606_0606_0606_0606,
                cut: DurableThrough(
                    lsn: LSN(segment: SegmentNumber(1), offset: 0x3e00), nextSequence: EventSequence(35)),
                segment: SegmentNumber(2)),
            EpochOpening(
                epoch: Epoch(7), nonce: 0x0707_0707_0707_0707,
                cut: DurableThrough(
                    lsn: LSN(segment: SegmentNumber(2), offset: 0x4200), nextSequence: EventSequence(42)),
                segment: SegmentNumber(3)),
        ])

    static let open = OpenRecord(
        cut: LSN(segment: SegmentNumber(2), offset: 0x4200), nextSequence: EventSequence(42), previousEpoch: Epoch(6),
        blockBytes: 512, groupsInFlight: 4, durability: .commit, reason: .recovered)
    static let seal = SealRecord(nextSegment: SegmentNumber(4), nextSalt: 0x0404_0404_0404_0404)
    static let lease = LeaseRecord(group: "default", limit: EventSequence(65_577))
    static let drop = DropRecord(reason: .expired, group: "default", ranges: [range(3, 5), range(9, 12)])
    static let loss = LossRecord(
        reason: .damaged, segment: SegmentNumber(2), fromOffset: 0x2200, toOffset: 0x2600,
        firstSequence: EventSequence(20), endSequence: EventSequence(23))
    static let deliveryCount = DeliveryCountRecord(
        group: "default",
        entries: [.init(sequence: EventSequence(30), count: 2), .init(sequence: EventSequence(33), count: 1)])

    static let event = Event(
        headers: [EventHeader(key: "host", value: Array("a.example".utf8)), EventHeader(key: "k", value: [])],
        body: Array("hello, log".utf8))
    static let extendedEvent = Event(
        extensions: [
            .eventTime(time), .expiry(time + 1), .priority(7), .traceID(high: 1, low: 2),
            .unknown(tag: 900, bytes: [1, 2, 3]),
        ], body: [0xFF])
    static let bookmark = Bookmark(name: "source", value: [0, 1, 2])

    static let put = TransactionBatch(
        type: .put,
        transactions: [
            Transaction(
                id: 77, producer: ProducerID(high: 5, low: 6), producerSequence: 9, bookmarks: [bookmark],
                events: [event])
        ])
    static let twoPuts = TransactionBatch(
        type: .put,
        transactions: [
            Transaction(id: 78, events: [event, extendedEvent]), Transaction(id: 79, events: [Event(body: [])]),
        ])
    static let takeCommit = TransactionBatch(
        type: .takeCommit,
        transactions: [
            Transaction(id: 80, group: "default", ranges: [range(1, 3), range(7, 8)], bookmarks: [bookmark])
        ])
    static let bookmarks = TransactionBatch(
        type: .bookmark,
        transactions: [
            Transaction(id: 81, bookmarks: [bookmark]), Transaction(id: 82, group: "sink", bookmarks: [bookmark]),
        ])

    static let client = ClientState(
        groups: [
            .init(
                name: "default", acknowledgedBelow: EventSequence(7), acknowledged: [range(9, 11), range(20, 21)],
                leaseLimit: EventSequence(100), taken: 6, droppedByOverflow: 1, expired: 2, deadLettered: 3, skipped: 4,
                lost: 5),
            .init(name: "other"),
        ],
        bookmarks: [bookmark, Bookmark(name: "sink", value: [])],
        producers: [
            .init(
                id: ProducerID(high: 5, low: 6), producerSequence: 9, firstSequence: EventSequence(41), eventCount: 1,
                lsn: LSN(segment: SegmentNumber(3), offset: 0x2A00))
        ],
        deliveryCounts: [.init(groupIndex: 0, sequence: EventSequence(30), count: 2)])

    static func snapshot() throws -> Snapshot {
        Snapshot(
            covered: durable, epoch: Epoch(7), nonce: 0x0707_0707_0707_0707,
            segments: [
                SegmentEntry(
                    number: SegmentNumber(1), salt: 0x0101, baseSequence: EventSequence(1), endOffset: 0x4000,
                    segmentBytes: 16_384, kind: .reserve, holdsEvents: false),
                SegmentEntry(
                    number: SegmentNumber(3), salt: life.salt, baseSequence: EventSequence(12), endOffset: 0,
                    segmentBytes: 67_108_864, kind: .regular, holdsEvents: true),
            ],
            client: try client.encode())
    }

    static func checkpoint() throws -> CheckpointSlot {
        CheckpointSlot(
            slot: 1, logUUID: uuid, generation: 12,
            durableThrough: DurableThrough(
                lsn: LSN(segment: SegmentNumber(3), offset: 0x3000), nextSequence: EventSequence(44)),
            time: time, snapshot: try snapshot())
    }

    static func range(_ first: UInt64, _ end: UInt64) -> SequenceRange {
        SequenceRange(first: EventSequence(first), end: EventSequence(end))
    }

    /// A put of one event of 200 equal bytes, as an LZ4 block made by hand so that no compressor's choices are pinned:
    /// 57 literals, 194 bytes repeating the one before, 5 literals.
    static func compressedPut() throws -> FramePayload {
        let raw = try TransactionBatch(
            type: .put, transactions: [Transaction(id: 83, events: [Event(body: .init(repeating: 0x61, count: 200))])]
        ).encode()
        var block: [UInt8] = [0xFF, 57 - 15]
        block += raw[..<57]
        block += [1, 0, 194 - 4 - 15, 0x50]
        block += raw.suffix(5)
        return FramePayload(
            type: .put, eventCount: 1, transactionCount: 1, rawBytes: UInt32(raw.count), compression: .lz4,
            stored: block)
    }

    /// A payload of each type, and of put one more that is compressed; the name is that of the golden file.
    static func payloads() throws -> [(name: String, payload: FramePayload)] {
        [
            ("snapshot", try FramePayload(type: .snapshot, raw: try snapshot().encode())),
            ("open", try FramePayload(type: .open, raw: try open.encode())),
            ("put", try FramePayload(type: .put, eventCount: 1, transactionCount: 1, raw: try put.encode())),
            ("put-two", try FramePayload(type: .put, eventCount: 3, transactionCount: 2, raw: try twoPuts.encode())),
            ("put-lz4", try compressedPut()),
            ("takeCommit", try FramePayload(type: .takeCommit, transactionCount: 1, raw: try takeCommit.encode())),
            ("lease", try FramePayload(type: .lease, raw: try lease.encode())),
            ("drop", try FramePayload(type: .drop, raw: try drop.encode())),
            ("loss", try FramePayload(type: .loss, raw: try loss.encode())),
            ("deliveryCount", try FramePayload(type: .deliveryCount, raw: try deliveryCount.encode())),
            ("bookmark", try FramePayload(type: .bookmark, transactionCount: 2, raw: try bookmarks.encode())),
            ("seal", try FramePayload(type: .seal, raw: try seal.encode())),
            ("close", try FramePayload(type: .close, raw: [])),
            ("mark", try FramePayload(type: .mark, raw: [])),
            ("padding", try FramePayload(type: .padding, raw: .init(repeating: 0, count: 48))),
        ]
    }

    /// The frame at ``position``, `gap` bytes longer than it must be.
    static func frame(_ payload: FramePayload, gap: Int = 0, at position: UInt64 = position) -> [UInt8] {
        .filled(payload.minimumFrameBytes + gap) { bytes in
            Frame.write(
                payload, baseSequence: EventSequence(42), commitTime: time, durableThrough: durable, epoch: Epoch(7),
                nonce: 0x0707_0707_0707_0707, frameBytes: payload.minimumFrameBytes + gap, life: life,
                position: position, into: &bytes, at: 0)
        }
    }

    /// Every structure that is not a frame: its bytes, and how they are decoded and encoded again.
    static func structures() throws -> [Structure] {
        [
            Structure("identity", identity.encode(), hasChecksum: true) { try IdentityBlock(decoding: $0).encode() },
            Structure("checkpoint", try checkpoint().encode(), hasChecksum: true) {
                try CheckpointSlot(decoding: $0).encode()
            },
            Structure("snapshot-record", try snapshot().encode(), kind: .snapshot),
            Structure("open-record", try open.encode(), kind: .openRecord),
            Structure("seal-record", try seal.encode(), kind: .sealRecord),
            Structure("lease-record", try lease.encode(), kind: .leaseRecord),
            Structure("drop-record", try drop.encode(), kind: .dropRecord),
            Structure("loss-record", try loss.encode(), kind: .lossRecord),
            Structure("deliveryCount-record", try deliveryCount.encode(), kind: .deliveryCountRecord),
            Structure("client-state", try client.encode(), kind: .clientState),
            Structure("put-transaction", try put.encode(), kind: .put),
            Structure("takeCommit-transaction", try takeCommit.encode(), kind: .takeCommit),
            Structure("bookmark-transaction", try bookmarks.transactions[0].encode(for: .bookmark), kind: .bookmarks),
            Structure("event", try event.encode(), kind: .event),
            Structure("event-extended", try extendedEvent.encode(), kind: .event),
            Structure("bookmark-entry", try bookmark.encode(), kind: .bookmark),
            Structure("range", try range(3, 5).encode(), kind: .sequenceRange),
        ]
    }

    struct Structure {
        let name: String
        let bytes: [UInt8]
        let hasChecksum: Bool
        let reencoded: (RawSpan) throws -> [UInt8]?

        init(_ name: String, _ bytes: [UInt8], hasChecksum: Bool, _ reencoded: @escaping (RawSpan) throws -> [UInt8]?) {
            self.name = name
            self.bytes = bytes
            self.hasChecksum = hasChecksum
            self.reencoded = reencoded
        }

        init(_ name: String, _ bytes: [UInt8], kind: FrameInput.Kind) {
            self.init(name, bytes, hasChecksum: false) { try FrameInput.reencoded(kind, $0) }
        }
    }
}

/// What `decode` makes of the bytes of an array that exists only for this call. (Taking the span of a temporary inside
/// an expression with two points of failure makes the Swift 6.3.1 compiler crash.)
func decoded<Value>(_ bytes: [UInt8], _ decode: (RawSpan) throws -> Value) rethrows -> Value {
    try decode(bytes.rawBytes)
}
