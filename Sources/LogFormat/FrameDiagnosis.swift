/// Every rule of a frame (DESIGN.md 3.5), in the order of the text, with its outcome for some bytes: for people who ask why a place is
/// no frame. The decoder stops at the first rule that does not hold; this does not.
///
/// All rules hold exactly when ``FrameHeader/decode(_:at:life:position:)`` and
/// ``Frame/verify(_:at:header:life:position:)`` accept the bytes and the frame ends inside the segment; a test holds them against each
/// other.
package struct FrameDiagnosis: Sendable {
    package struct Rule: Sendable {
        package enum Outcome: String, Sendable {
            case holds
            case fails
            /// It needs what another rule has found not to be there.
            case notAsked = "not_asked"
        }

        package var words: String
        package var outcome: Outcome
        /// What stands there, and what should.
        package var detail: String
    }

    package private(set) var rules: [Rule] = []

    package var isValid: Bool { rules.allSatisfy { $0.outcome == .holds } }

    /// - Parameters:
    ///   - bytes: from the place on, as many as are there, or as the frame says it has.
    ///   - room: how many bytes the segment has from the place on.
    package init(_ bytes: [UInt8], life: SegmentLife, position: UInt64, room: UInt64) {
        guard bytes.count >= FrameHeader.byteCount else {
            rules = [
                Rule(
                    words: "the header's 96 bytes are there", outcome: .fails, detail: "\(bytes.count) bytes are left")
            ]
            return
        }
        typealias Layout = FrameHeaderLayout
        let span = bytes.rawBytes
        let magic = span.load(Layout.magic, at: 0)
        add("it begins with its magic", magic == FormatConstants.frameMagic, hex(magic))
        let stored = span.load(Layout.headerChecksum, at: 0)
        let computed = Checksum.crc32c(
            span.extracting(0..<Layout.headerChecksum.offset), continuing: life.placeChecksum(position: position))
        add(
            "the header's checksum, over its bytes and its place, is right", stored == computed,
            stored == computed ? hex(stored) : "\(hex(stored)) stands there, \(hex(computed)) is right for this place")
        addFields(span, LSN(segment: life.segment, offset: position))
        addBody(span, room: room)
    }

    private mutating func add(_ words: String, _ holds: Bool, _ detail: String = "") {
        rules.append(Rule(words: words, outcome: holds ? .holds : .fails, detail: detail))
    }

    private func hex(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    // MARK: The header's fields

    private mutating func addFields(_ span: RawSpan, _ place: LSN) {
        typealias Layout = FrameHeaderLayout
        let number = span.load(Layout.type, at: 0)
        let type = FrameType(rawValue: number)
        add("its type is known", type != nil, type.map { "\($0)" } ?? "\(number)")
        let encoding = span.load(Layout.encoding, at: 0)
        add("its encoding is 1", encoding == FormatConstants.encoding, "\(encoding)")
        let method = span.load(Layout.compression, at: 0)
        let compression = Compression(rawValue: method)
        add("its compression is known", compression != nil, compression.map { "\($0)" } ?? "\(method)")
        add(
            "flags and reserved bytes are zero",
            span.load(Layout.flags, at: 0) == 0 && span.load(Layout.reserved, at: 0) == 0)
        addLengths(span, type, compression)
        let events = span.load(Layout.eventCount, at: 0)
        let transactions = span.load(Layout.transactionCount, at: 0)
        if let type {
            add("only a put numbers events", events == 0 || type == .put, "\(events) events")
            add(
                "transactions stand in put, takeCommit and bookmark, and only there",
                (transactions != 0) == type.holdsTransactions, "\(transactions) transactions")
        }
        let base = span.load(Layout.baseSequence, at: 0)
        add(
            "its first sequence is a number, and the last one, too",
            base.isNumber && base <= FormatConstants.maximumNumber - UInt64(events), "\(base)")
        let epoch = span.load(Layout.epoch, at: 0)
        let nonce = span.load(Layout.nonce, at: 0)
        add("epoch and nonce are not zero", epoch.isNumber && nonce != 0, "epoch \(epoch)")
        let durable = DurableThrough(
            lsn: LSN(
                segment: SegmentNumber(span.load(Layout.durableSegment, at: 0)),
                offset: span.load(Layout.durableOffset, at: 0)),
            nextSequence: EventSequence(span.load(Layout.durableSequence, at: 0)))
        add(
            "what it states to be durable is a place before it, or nothing",
            durable.isWellFormed && durable.lsn <= place && durable.nextSequence.rawValue <= base,
            "\(durable.lsn), next sequence \(durable.nextSequence)")
    }

    private mutating func addLengths(_ span: RawSpan, _ type: FrameType?, _ compression: Compression?) {
        typealias Layout = FrameHeaderLayout
        let (frame, stored, raw) = (
            span.load(Layout.frameBytes, at: 0), span.load(Layout.storedBytes, at: 0), span.load(Layout.rawBytes, at: 0)
        )
        add(
            "its length is a multiple of 8, and at most 128 MiB",
            frame % UInt32(FormatConstants.alignment) == 0 && frame <= FormatConstants.maximumFrameBytes,
            "\(frame) bytes")
        let gap = Int64(frame) - Int64(FormatConstants.minimumFrameBytes) - Int64(stored)
        add(
            "the gap behind the payload is 0 to 111 bytes", gap >= 0 && gap <= FormatConstants.maximumGapBytes,
            "payload \(stored) bytes, gap \(gap)")
        var agree = raw <= FormatConstants.maximumRawBytes
        switch compression {
        case .none?: agree = agree && stored == raw
        case .lz4?:
            let most = UInt64(FormatConstants.maximumCompressionRatio) * UInt64(stored)
            agree = agree && stored >= 1 && stored < raw && UInt64(raw) <= most
        case nil: break
        }
        add("the lengths before and after compression agree", agree, "\(raw) raw, \(stored) stored")
        if let type, type.isEmpty { add("a \(type) has no payload", stored == 0) }
        if type == .padding { add("padding is not compressed", compression == Compression.none) }
    }

    // MARK: Behind the header

    private mutating func addBody(_ span: RawSpan, room: UInt64) {
        typealias Layout = FrameHeaderLayout
        let frame = Int(span.load(Layout.frameBytes, at: 0))
        let payloadEnd = FormatConstants.headerBytes + Int(span.load(Layout.storedBytes, at: 0))
        add("it ends inside the segment", UInt64(frame) <= room, "\(room) bytes are left")
        let names = [
            "the payload's checksum is right", "the gap is zero, and so is the payload of padding",
            "length and checksum stand again at its end",
        ]
        guard frame <= span.byteCount, payloadEnd + FormatConstants.trailerBytes <= frame else {
            rules += names.map {
                Rule(words: $0, outcome: .notAsked, detail: "its lengths do not say where that would be")
            }
            return
        }
        let payload = span.extracting(FormatConstants.headerBytes..<payloadEnd)
        let (stored, computed) = (span.load(Layout.payloadChecksum, at: 0), Checksum.crc32c(payload))
        add(
            names[0], stored == computed,
            stored == computed ? hex(stored) : "\(hex(stored)) stands in the header, the bytes have \(hex(computed))")
        let isPadding = span.load(Layout.type, at: 0) == FrameType.padding.rawValue
        add(
            names[1],
            span.isZero(payloadEnd..<frame - FormatConstants.trailerBytes)
                && (!isPadding || payload.isZero(0..<payload.byteCount)))
        let (length, checksum) = (
            span.load(FrameTrailerLayout.frameBytes, at: frame), span.load(FrameTrailerLayout.headerChecksum, at: frame)
        )
        add(
            names[2], Int(length) == frame && checksum == span.load(Layout.headerChecksum, at: 0),
            "\(length), \(hex(checksum))")
    }
}
