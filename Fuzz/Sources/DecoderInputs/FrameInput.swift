import LogFormat

/// Gives one input to the decoders of frames and their payloads, and traps when they break a promise: that any bytes are a
/// value or an error, and that a value which was accepted encodes to the very bytes that it came from.
///
/// The first byte of the input says what the rest is.
package enum FrameInput {
    package enum Kind: UInt8, CaseIterable, Sendable {
        /// A place (40 bytes) and a frame, as they are.
        case frame
        /// The same, with the checksums and the trailer put right, so that the checks behind them are reached.
        case repairedFrame
        case snapshot, openRecord, sealRecord, leaseRecord, dropRecord, lossRecord, deliveryCountRecord, clientState
        case put, takeCommit, bookmarks
        case event, bookmark, sequenceRange
        /// The event and transaction counts (a byte each), and the raw payload of a frame.
        case putBatch, takeCommitBatch, bookmarkBatch
    }

    package static func run(_ input: [UInt8]) {
        guard let first = input.first, let kind = Kind(rawValue: first % UInt8(Kind.allCases.count)) else { return }
        let bytes = Array(input.dropFirst())
        switch kind {
        case .frame: frame(bytes, repair: false)
        case .repairedFrame: frame(bytes, repair: true)
        case .putBatch: batch(bytes, .put)
        case .takeCommitBatch: batch(bytes, .takeCommit)
        case .bookmarkBatch: batch(bytes, .bookmark)
        default:
            guard let encoded = try? reencoded(kind, unsafe bytes.span.bytes) else { return }
            Promise.require(encoded == bytes, "\(kind) is not canonical")
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
        if repair {
            while bytes.count % 8 != 0 { bytes.append(0) }
            guard bytes.count >= 104 else { return }
            Repair.frame(&bytes, at: 0, frameBytes: bytes.count, place: input)
        }
        let span = unsafe bytes.span.bytes
        guard let header = try? FrameHeader.decode(span, at: 0, life: life, position: position) else { return }
        Promise.require(FrameHeader.hasMagic(span, at: 0), "a header without magic was accepted")
        do throws(FormatError) {
            try Frame.verify(span, at: 0, header: header, life: life, position: position)
        } catch {
            return
        }
        let frameBytes = Int(header.frameBytes)
        Promise.require(
            Frame.trailerLength(span, endingAt: frameBytes) == header.frameBytes, "the trailer does not lead back")
        let stored = span.extracting(96..<96 + Int(header.storedBytes))
        guard let raw = try? FramePayload.decompress(stored, header: header) else { return }
        Promise.require(raw.count == Int(header.rawBytes), "decompressed to another length")
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
        guard case .some(.some(let encoded)) = encoded else { return }
        Promise.require(encoded == raw, "\(header.type) is not canonical")
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
        Promise.require(copy == frame, "a frame was written differently")
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
        Bytes.number(bytes, at: offset, count: 8)
    }
}
