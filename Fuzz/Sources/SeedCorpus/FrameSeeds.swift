import DecoderInputs
import LogFormat

/// Seeds of the decoders' targets: each structure and each frame type once, as the encoders write it, behind the byte that
/// says what it is.
enum FrameSeeds {
    static func all() throws -> [Seed] {
        var seeds: [Seed] = []
        for payload in try payloads() {
            let frame = frame(payload)
            let name = "\(payload.type)-\(payload.compression)-\(payload.eventCount)"
            for kind in [FrameInput.Kind.frame, .repairedFrame] {
                seeds.append(Seed("FuzzFrame", "\(kind)-\(name)", [kind.rawValue] + place + frame))
            }
        }
        for (kind, bytes) in try structures() {
            seeds.append(Seed("FuzzFrame", "structure-\(kind)", [kind.rawValue] + bytes))
        }
        let block = IdentityBlock(
            logUUID: life.logUUID, segment: life.segment, salt: life.salt, segmentBytes: 1 << 20, creationTime: 1,
            openings: [EpochOpening(epoch: Epoch(5), nonce: 6, cut: durable, segment: durable.lsn.segment)])
        for mode in IdentityInput.Mode.allCases {
            let bytes = mode == .raw ? block.encode() : Array(block.encode().prefix(192))
            seeds.append(Seed("FuzzIdentity", "\(mode)", [mode.rawValue] + bytes))
        }
        for mode in SnapshotInput.Mode.allCases {
            let bytes = mode == .client ? try client.encode() : try snapshot().encode()
            seeds.append(Seed("FuzzSnapshot", "\(mode)", [mode.rawValue] + bytes))
        }
        let slots = try [0, 1].map { (slot: UInt32) in
            try CheckpointSlot(
                slot: slot, logUUID: life.logUUID, generation: UInt64(slot) + 1, durableThrough: durable, time: 1,
                snapshot: try snapshot()
            ).encode()
        }
        for mode in CheckpointInput.Mode.allCases {
            let bytes = mode == .file ? slots[0] + slots[1] : slots[0]
            seeds.append(Seed("FuzzCheckpoint", "\(mode)", [mode.rawValue] + bytes))
        }
        return seeds
    }

    private static func structures() throws -> [(FrameInput.Kind, [UInt8])] {
        [
            (.snapshot, try snapshot().encode()), (.openRecord, try open.encode()), (.sealRecord, try seal.encode()),
            (.leaseRecord, try lease.encode()), (.dropRecord, try drop.encode()), (.lossRecord, try loss.encode()),
            (.deliveryCountRecord, try deliveryCount.encode()), (.clientState, try client.encode()),
            (.put, try put.encode(for: .put)), (.takeCommit, try take.encode(for: .takeCommit)),
            (.bookmarks, try bookmarks.encode(for: .bookmark)), (.event, try event.encode()),
            (.bookmark, try bookmark.encode()), (.sequenceRange, try range.encode()),
            (.putBatch, [4, 2] + (try TransactionBatch(type: .put, transactions: [put, put]).encode())),
            (.takeCommitBatch, [0, 1] + (try take.encode(for: .takeCommit))),
            (.bookmarkBatch, [0, 1] + (try bookmarks.encode(for: .bookmark))),
        ]
    }

    private static let life = SegmentLife(logUUID: LogUUID(high: 1, low: 2), salt: 3, segment: SegmentNumber(4))
    private static let position: UInt64 = 0x2000
    private static let durable = DurableThrough(
        lsn: LSN(segment: SegmentNumber(3), offset: 0x2000), nextSequence: EventSequence(5))

    /// The place as the input carries it: log, salt, segment, position.
    private static let place = [1, 2, 3, 4, position].flatMap { word in
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }

    private static let range = SequenceRange(first: EventSequence(7), end: EventSequence(9))
    private static let bookmark = Bookmark(name: "file", value: [1, 2, 3])
    private static let event = Event(
        headers: [EventHeader(key: "host", value: [97]), EventHeader(key: "k", value: [])],
        extensions: [
            .eventTime(1), .expiry(2), .priority(3), .traceID(high: 4, low: 5), .unknown(tag: 9, bytes: [1]),
        ], body: [UInt8](repeating: 97, count: 100))
    private static let put = Transaction(
        id: 1, producer: ProducerID(high: 1, low: 2), producerSequence: 3, bookmarks: [bookmark],
        events: [event, Event(body: [])])
    private static let take = Transaction(id: 2, group: "default", ranges: [range], bookmarks: [bookmark])
    private static let bookmarks = Transaction(id: 3, group: "sink", bookmarks: [bookmark])
    private static let open = OpenRecord(
        cut: durable.lsn, nextSequence: EventSequence(5), previousEpoch: Epoch(0), blockBytes: 512, groupsInFlight: 4,
        durability: .commit, reason: .recovered)
    private static let seal = SealRecord(nextSegment: SegmentNumber(5), nextSalt: 6)
    private static let lease = LeaseRecord(group: "default", limit: EventSequence(100))
    private static let drop = DropRecord(reason: .expired, group: "default", ranges: [range])
    private static let loss = LossRecord(
        reason: .damaged, segment: SegmentNumber(3), fromOffset: 0x2000, toOffset: 0x2200,
        firstSequence: EventSequence(1), endSequence: EventSequence(3))
    private static let deliveryCount = DeliveryCountRecord(
        group: "default", entries: [.init(sequence: EventSequence(7), count: 2)])
    private static let client = ClientState(
        groups: [.init(name: "default", acknowledgedBelow: EventSequence(2), acknowledged: [range])],
        bookmarks: [bookmark],
        producers: [
            .init(
                id: ProducerID(high: 1, low: 2), producerSequence: 3, firstSequence: EventSequence(4), eventCount: 1,
                lsn: durable.lsn)
        ],
        deliveryCounts: [.init(groupIndex: 0, sequence: EventSequence(7), count: 2)])

    private static func snapshot() throws -> Snapshot {
        Snapshot(
            covered: durable, epoch: Epoch(1), nonce: 2,
            segments: [
                SegmentEntry(
                    number: SegmentNumber(3), salt: 2, baseSequence: EventSequence(1), endOffset: 0x4000,
                    segmentBytes: 16_384, kind: .reserve, holdsEvents: false),
                SegmentEntry(
                    number: SegmentNumber(4), salt: 3, baseSequence: EventSequence(5), endOffset: 0,
                    segmentBytes: 1 << 20, kind: .regular, holdsEvents: true),
            ], client: try client.encode())
    }

    private static func payloads() throws -> [FramePayload] {
        let puts = try TransactionBatch(type: .put, transactions: [put, put]).encode()
        return [
            try FramePayload(type: .snapshot, raw: try snapshot().encode()),
            try FramePayload(type: .open, raw: try open.encode()),
            try FramePayload(type: .put, eventCount: 4, transactionCount: 2, raw: puts),
            try FramePayload(type: .put, eventCount: 4, transactionCount: 2, raw: puts, compression: .lz4),
            try FramePayload(type: .takeCommit, transactionCount: 1, raw: try take.encode(for: .takeCommit)),
            try FramePayload(type: .lease, raw: try lease.encode()),
            try FramePayload(type: .drop, raw: try drop.encode()),
            try FramePayload(type: .loss, raw: try loss.encode()),
            try FramePayload(type: .deliveryCount, raw: try deliveryCount.encode()),
            try FramePayload(type: .bookmark, transactionCount: 1, raw: try bookmarks.encode(for: .bookmark)),
            try FramePayload(type: .seal, raw: try seal.encode()),
            try FramePayload(type: .close, raw: []),
            try FramePayload(type: .mark, raw: []),
            try FramePayload(type: .padding, raw: [0, 0, 0, 0, 0, 0, 0, 0]),
        ]
    }

    private static func frame(_ payload: FramePayload) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: payload.minimumFrameBytes)
        var span = frame.mutableSpan
        var bytes = unsafe span.mutableBytes
        Frame.write(
            payload, baseSequence: EventSequence(5), commitTime: 1, durableThrough: durable, epoch: Epoch(1), nonce: 2,
            frameBytes: payload.minimumFrameBytes, life: life, position: position, into: &bytes, at: 0)
        return frame
    }
}
