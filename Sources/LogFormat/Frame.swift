/// Writing and checking whole frames: header, stored payload, gap, trailer. DESIGN.md 3.5.
public enum Frame {
    /// The shortest frame for a stored payload of that length.
    public static func minimumBytes(storedBytes: Int) -> Int {
        FormatConstants.aligned(FormatConstants.headerBytes + storedBytes + FormatConstants.trailerBytes)
    }

    /// Writes a frame of `frameBytes` at `offset` of `bytes`, which is `position` bytes into the segment of that `life`.
    ///
    /// `frameBytes` is a multiple of 8, from the payload's `minimumFrameBytes` up to a gap of 111 bytes. One copy of the
    /// payload, no allocation. Traps when the frame does not fit in `bytes`, or would be one that ``FrameHeader`` refuses
    /// to decode: that is a bug of the caller, which must not reach the disk.
    public static func write(
        _ payload: FramePayload, baseSequence: EventSequence, commitTime: UInt64, durableThrough: DurableThrough,
        epoch: Epoch, nonce: UInt64, frameBytes: Int, life: SegmentLife, position: UInt64,
        into bytes: inout MutableRawSpan, at offset: Int
    ) {
        let header = FrameHeader(
            type: payload.type, encoding: payload.encoding, compression: payload.compression,
            frameBytes: UInt32(frameBytes), storedBytes: UInt32(payload.bytes.count), rawBytes: payload.rawBytes,
            eventCount: payload.eventCount, transactionCount: payload.transactionCount,
            payloadChecksum: payload.checksum, baseSequence: baseSequence, commitTime: commitTime,
            durableThrough: durableThrough, epoch: epoch, nonce: nonce)
        bytes.store(payload.bytes.rawBytes, at: offset + FormatConstants.headerBytes)
        finish(header, life: life, position: position, into: &bytes, at: offset)
    }

    /// Writes a padding frame of `frameBytes`, a multiple of 8 and at least 104; otherwise as ``write``.
    public static func writePadding(
        baseSequence: EventSequence, commitTime: UInt64, durableThrough: DurableThrough, epoch: Epoch, nonce: UInt64,
        frameBytes: Int, life: SegmentLife, position: UInt64, into bytes: inout MutableRawSpan, at offset: Int
    ) {
        let storedBytes = frameBytes - FormatConstants.minimumFrameBytes
        precondition(storedBytes >= 0, "a padding frame is at least 104 bytes long")
        let payload = offset + FormatConstants.headerBytes..<offset + FormatConstants.headerBytes + storedBytes
        bytes.clear(payload)
        let header = FrameHeader(
            type: .padding, compression: .none, frameBytes: UInt32(frameBytes), storedBytes: UInt32(storedBytes),
            rawBytes: UInt32(storedBytes), eventCount: 0, transactionCount: 0,
            payloadChecksum: bytes.checksum(of: payload), baseSequence: baseSequence,
            commitTime: commitTime, durableThrough: durableThrough, epoch: epoch, nonce: nonce)
        finish(header, life: life, position: position, into: &bytes, at: offset)
    }

    /// Checks what the header does not cover: payload checksum, gap and trailer. `bytes` holds the whole frame from
    /// `offset` on, which is `position` bytes into the segment; `header` is what was decoded there (it is decoded again,
    /// since the bytes may have been read twice).
    ///
    /// A frame that passes is valid but for "ends inside the segment", which the caller knows. Costs one pass over the
    /// payload, no allocation. Offsets in errors are offsets in the segment.
    public static func verify(
        _ bytes: RawSpan, at offset: Int, header: FrameHeader, life: SegmentLife, position: UInt64
    ) throws(FormatError) {
        let decoded = try FrameHeader.decode(bytes, at: offset, life: life, position: position)
        guard decoded == header else { throw FormatError(.frame, .mismatch(.headerChecksum), at: position) }
        let frameBytes = Int(header.frameBytes)
        guard bytes.byteCount - offset >= frameBytes else { throw FormatError(.frame, .tooShort, at: position) }

        #if PlantedBugs
            if PlantedBug.skipPayloadChecksum.isPlanted { return }
        #endif
        let payloadEnd = FormatConstants.headerBytes + Int(header.storedBytes)
        let payload = offset + FormatConstants.headerBytes..<offset + payloadEnd
        guard Checksum.crc32c(bytes.extracting(payload)) == header.payloadChecksum else {
            throw FormatError(.frame, .badChecksum, at: position &+ UInt64(FormatConstants.headerBytes))
        }
        if header.type == .padding, !bytes.isZero(payload) {
            throw FormatError(.frame, .outOfRange(.payload), at: position &+ UInt64(FormatConstants.headerBytes))
        }
        let end = offset + frameBytes
        guard bytes.isZero(offset + payloadEnd..<end - FormatConstants.trailerBytes) else {
            throw FormatError(.frame, .outOfRange(.gap), at: position &+ UInt64(payloadEnd))
        }
        let trailer = position &+ UInt64(frameBytes - FormatConstants.trailerBytes)
        guard bytes.load(FrameTrailerLayout.frameBytes, at: end) == header.frameBytes else {
            throw FormatError(.frame, .mismatch(.frameBytes), at: trailer)
        }
        let headerChecksum = bytes.load(FrameHeaderLayout.headerChecksum, at: offset)
        guard bytes.load(FrameTrailerLayout.headerChecksum, at: end) == headerChecksum else {
            throw FormatError(.frame, .mismatch(.headerChecksum), at: trailer &+ 4)
        }
    }

    /// The length that the trailer ending at `end` states, for scans from the far side of a damaged range; nil when it is
    /// not all there or no frame can have that length. It proves nothing: decode and verify the frame that it leads to.
    public static func trailerLength(_ bytes: RawSpan, endingAt end: Int) -> UInt32? {
        guard end >= FormatConstants.trailerBytes, end <= bytes.byteCount else { return nil }
        let length = bytes.load(FrameTrailerLayout.frameBytes, at: end)
        guard length >= FormatConstants.minimumFrameBytes, length <= FormatConstants.maximumFrameBytes,
            length % UInt32(FormatConstants.alignment) == 0
        else { return nil }
        return length
    }

    /// Writes header, gap and trailer around a payload that is already in place.
    private static func finish(
        _ header: FrameHeader, life: SegmentLife, position: UInt64, into bytes: inout MutableRawSpan, at offset: Int
    ) {
        do throws(FormatError) {
            try header.check(at: LSN(segment: life.segment, offset: position))
        } catch {
            preconditionFailure("refused to write a frame that no reader would accept: \(error)")
        }
        let end = offset + Int(header.frameBytes)
        let payloadEnd = offset + FormatConstants.headerBytes + Int(header.storedBytes)
        let checksum = header.encode(life: life, position: position, into: &bytes, at: offset)
        bytes.clear(payloadEnd..<end - FormatConstants.trailerBytes)
        bytes.store(header.frameBytes, FrameTrailerLayout.frameBytes, at: end)
        bytes.store(checksum, FrameTrailerLayout.headerChecksum, at: end)
    }
}
