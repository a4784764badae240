import LogFormat

/// Gives one input to the decoders and traps when they break a promise: that any bytes are a value or an error, and that
/// a value which was accepted encodes to the very bytes that it came from.
///
/// The first byte of the input says what the rest is. Shared by the fuzzer and by the test that replays its findings.
enum DecodeInput {
    enum Kind: UInt8, CaseIterable {
        /// A place (40 bytes) and a frame, as they are.
        case frame
        /// The same, with the checksums and the trailer put right, so that the checks behind them are reached.
        case repairedFrame
        case identityBlock
        case repairedIdentityBlock
        case checkpointSlot
        case repairedCheckpointSlot
        case snapshot, openRecord, sealRecord, leaseRecord, dropRecord, lossRecord, deliveryCountRecord, clientState
        case put, takeCommit, bookmarks
        case event, bookmark, sequenceRange
        /// The event and transaction counts (a byte each), and the raw payload of a frame.
        case putBatch, takeCommitBatch, bookmarkBatch
    }

    static func run(_ input: [UInt8]) {
        guard let first = input.first, let kind = Kind(rawValue: first % UInt8(Kind.allCases.count)) else { return }
        var bytes = Array(input.dropFirst())
        switch kind {
        case .frame: frame(bytes, repair: false)
        case .repairedFrame: frame(bytes, repair: true)
        case .identityBlock, .repairedIdentityBlock:
            if kind == .repairedIdentityBlock, bytes.count >= 4096 {
                store(checksum(bytes, 0..<4092), at: 4092, in: &bytes)
            }
            guard let block = try? IdentityBlock(decoding: unsafe bytes.span.bytes) else { return }
            require(block.encode() == Array(bytes.prefix(4096)), "identity block is not canonical")
        case .checkpointSlot, .repairedCheckpointSlot:
            if kind == .repairedCheckpointSlot, bytes.count >= 96 {
                store(UInt32(bytes.count - 96), at: 72, in: &bytes)
                store(checksum(bytes, 96..<bytes.count), at: 76, in: &bytes)
                store(checksum(bytes, 0..<92), at: 92, in: &bytes)
            }
            guard let slot = try? CheckpointSlot(decoding: unsafe bytes.span.bytes) else { return }
            let encoded = try? slot.encode()
            require(encoded == encoded.map { Array(bytes.prefix($0.count)) }, "checkpoint slot is not canonical")
        case .putBatch: batch(bytes, .put)
        case .takeCommitBatch: batch(bytes, .takeCommit)
        case .bookmarkBatch: batch(bytes, .bookmark)
        default:
            guard let encoded = try? reencoded(kind, unsafe bytes.span.bytes) else { return }
            require(encoded == bytes, "\(kind) is not canonical")
        }
    }

    /// Decodes and encodes again. Throws what the decoder throws.
    static func reencoded(_ kind: Kind, _ bytes: RawSpan) throws(FormatError) -> [UInt8]? {
        switch kind {
        case .snapshot: try Snapshot(decoding: bytes).encode()
        case .openRecord: try OpenRecord(decoding: bytes).encode()
        case .sealRecord: try SealRecord(decoding: bytes).encode()
        case .leaseRecord: try LeaseRecord(decoding: bytes).encode()
        case .dropRecord: try DropRecord(decoding: bytes).encode()
        case .lossRecord: try LossRecord(decoding: bytes).encode()
        case .deliveryCountRecord: try DeliveryCountRecord(decoding: bytes).encode()
        case .clientState: bytes.isEmpty ? nil : try ClientState(decoding: bytes).encode()
        case .put: try Transaction(decoding: bytes, type: .put).encode(for: .put)
        case .takeCommit: try Transaction(decoding: bytes, type: .takeCommit).encode(for: .takeCommit)
        case .bookmarks: try Transaction(decoding: bytes, type: .bookmark).encode(for: .bookmark)
        case .event: try Event(decoding: bytes).encode()
        case .bookmark: try Bookmark(decoding: bytes).encode()
        case .sequenceRange: try SequenceRange(decoding: bytes).encode()
        default: nil
        }
    }

    private static let placeBytes = 40

    private static func frame(_ input: [UInt8], repair: Bool) {
        guard input.count >= placeBytes else { return }
        let life = SegmentLife(
            logUUID: LogUUID(high: word(input, 0), low: word(input, 8)), salt: word(input, 16),
            segment: SegmentNumber(word(input, 24)))
        let position = word(input, 32)
        var bytes = Array(input[placeBytes...])
        if repair { self.repair(&bytes, place: input) }
        let span = unsafe bytes.span.bytes
        guard let header = try? FrameHeader.decode(span, at: 0, life: life, position: position) else { return }
        require(FrameHeader.hasMagic(span, at: 0), "a header without magic was accepted")
        do throws(FormatError) {
            try Frame.verify(span, at: 0, header: header, life: life, position: position)
        } catch {
            return
        }
        let frameBytes = Int(header.frameBytes)
        require(Frame.trailerLength(span, endingAt: frameBytes) == header.frameBytes, "the trailer does not lead back")
        let stored = span.extracting(96..<96 + Int(header.storedBytes))
        guard let raw = try? FramePayload.decompress(stored, header: header) else { return }
        require(raw.count == Int(header.rawBytes), "decompressed to another length")
        if header.type.holdsTransactions {
            batch(raw, header.type, eventCount: header.eventCount, transactionCount: header.transactionCount)
        } else {
            payload(raw, header)
        }
        rewrite(Array(bytes.prefix(frameBytes)), raw, header, life, position)
    }

    /// The payload of a valid frame without transactions, as a reader would take it.
    private static func payload(_ raw: [UInt8], _ header: FrameHeader) {
        let span = unsafe raw.span.bytes
        let encoded: [UInt8]?? =
            switch header.type {
            case .snapshot: try? reencoded(.snapshot, span)
            case .open: try? reencoded(.openRecord, span)
            case .seal: try? reencoded(.sealRecord, span)
            case .lease: try? reencoded(.leaseRecord, span)
            case .drop: try? reencoded(.dropRecord, span)
            case .loss: try? reencoded(.lossRecord, span)
            case .deliveryCount: try? reencoded(.deliveryCountRecord, span)
            case .put, .takeCommit, .bookmark, .close, .mark, .padding: nil
            }
        if case .some(.some(let encoded)) = encoded { require(encoded == raw, "\(header.type) is not canonical") }
    }

    /// An uncompressed frame that was accepted is written again, to the same bytes.
    private static func rewrite(
        _ frame: [UInt8], _ raw: [UInt8], _ header: FrameHeader, _ life: SegmentLife, _ position: UInt64
    ) {
        guard header.compression == .none,
            let payload = try? FramePayload(
                type: header.type, eventCount: header.eventCount, transactionCount: header.transactionCount, raw: raw)
        else { return }
        var copy = [UInt8](repeating: 0xFF, count: frame.count)
        var span = copy.mutableSpan
        var bytes = unsafe span.mutableBytes
        Frame.write(
            payload, baseSequence: header.baseSequence, commitTime: header.commitTime,
            durableThrough: header.durableThrough, epoch: header.epoch, nonce: header.nonce, frameBytes: frame.count,
            life: life, position: position, into: &bytes, at: 0)
        require(copy == frame, "a frame was written differently")
    }

    /// Makes the lengths and checksums of a frame agree with its bytes.
    private static func repair(_ bytes: inout [UInt8], place: [UInt8]) {
        while bytes.count % 8 != 0 { bytes.append(0) }
        guard bytes.count >= 104 else { return }
        store(0x3146_4C53, at: 0, in: &bytes)
        store(UInt32(bytes.count), at: 8, in: &bytes)
        let room = bytes.count - 104
        let stored = min(Int(UInt32(truncatingIfNeeded: word(bytes, 12))), room)
        store(UInt32(stored), at: 12, in: &bytes)
        if bytes[6] == 0 { store(UInt32(stored), at: 16, in: &bytes) }
        store(checksum(bytes, 96..<96 + stored), at: 28, in: &bytes)
        let header = checksum(bytes, 0..<92, continuing: checksum(place, 0..<placeBytes))
        store(header, at: 92, in: &bytes)
        store(UInt32(bytes.count), at: bytes.count - 8, in: &bytes)
        store(header, at: bytes.count - 4, in: &bytes)
    }

    private static func checksum(_ bytes: [UInt8], _ range: Range<Int>, continuing: UInt32 = 0) -> UInt32 {
        unsafe Checksum.crc32c(bytes.span.bytes.extracting(range), continuing: continuing)
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    private static func store(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
    }

    static func require(_ holds: Bool, _ message: @autoclosure () -> String) {
        precondition(holds, message())
    }
}
