/// What a committing thread makes, outside every lock, before the place of its frame is known: the stored payload with
/// its checksum.
public struct FramePayload: Sendable {
    public let type: FrameType
    /// Layout of the raw payload: 1.
    public let encoding: UInt8
    /// What was done in the end: ``Compression/none`` when compressing would not have made it shorter.
    public let compression: Compression
    /// Bytes before compression.
    public let rawBytes: UInt32
    public let eventCount: UInt32
    public let transactionCount: UInt32
    /// CRC-32C of `bytes`.
    public let checksum: UInt32
    /// The payload as it will be stored.
    public let bytes: [UInt8]

    /// Compresses (when asked to, and when it helps) and checksums the payload. Costs no copy without compression.
    ///
    /// Throws when `raw` is longer than 64 MiB, or when type and counts do not go together: events only in a put,
    /// transactions exactly in put, takeCommit and bookmark, no bytes in close and mark, only zeros in padding.
    public init(
        type: FrameType, eventCount: UInt32 = 0, transactionCount: UInt32 = 0, raw: [UInt8],
        compression: Compression = .none
    ) throws(FormatError) {
        guard raw.count <= FormatConstants.maximumRawBytes, raw.isEmpty || !type.isEmpty else {
            throw FormatError(.payload, .outOfRange(.rawBytes), at: 0)
        }
        guard eventCount == 0 || type == .put else { throw FormatError(.payload, .outOfRange(.eventCount), at: 0) }
        guard (transactionCount != 0) == type.holdsTransactions else {
            throw FormatError(.payload, .outOfRange(.transactionCount), at: 0)
        }
        guard type != .padding || raw.rawBytes.isZero(0..<raw.count) else {
            throw FormatError(.payload, .outOfRange(.payload), at: 0)
        }
        let block = compression == .lz4 && type != .padding ? LZ4.compress(raw.rawBytes) : nil
        self.init(
            type: type, eventCount: eventCount, transactionCount: transactionCount, rawBytes: UInt32(raw.count),
            compression: block == nil ? .none : .lz4, stored: block ?? raw)
    }

    /// A payload that is stored as it is given. Nothing is checked: for golden bytes that must not depend on a compressor.
    init(
        type: FrameType, eventCount: UInt32, transactionCount: UInt32, rawBytes: UInt32, compression: Compression,
        stored: [UInt8]
    ) {
        self.type = type
        self.encoding = FormatConstants.encoding
        self.compression = compression
        self.rawBytes = rawBytes
        self.eventCount = eventCount
        self.transactionCount = transactionCount
        self.checksum = Checksum.crc32c(stored.rawBytes)
        self.bytes = stored
    }

    /// The shortest frame that holds it.
    public var minimumFrameBytes: Int { Frame.minimumBytes(storedBytes: bytes.count) }

    /// As ``decompress(_:header:)-(RawSpan,_)``, from bytes of one's own: what was not compressed is not copied.
    public static func decompress(_ stored: [UInt8], header: FrameHeader) throws(FormatError) -> [UInt8] {
        let isRaw = header.compression == .none && header.rawBytes == header.storedBytes
        guard isRaw, stored.count == Int(header.storedBytes) else {
            return try decompress(stored.rawBytes, header: header)
        }
        return stored
    }

    /// The raw payload of a verified frame. `stored` is exactly the stored payload that follows its header.
    ///
    /// Allocates `rawBytes`, which is at most 64 MiB and at most 255 times the stored bytes. Throws `doesNotDecompress`
    /// when the bytes are not a compressed form of exactly so many; that needs a writer's bug or a forged checksum.
    public static func decompress(_ stored: RawSpan, header: FrameHeader) throws(FormatError) -> [UInt8] {
        guard stored.byteCount == Int(header.storedBytes) else { throw FormatError(.payload, .tooShort, at: 0) }
        let rawBytes = Int(header.rawBytes)
        switch header.compression {
        case .none:
            guard rawBytes == stored.byteCount else { throw FormatError(.payload, .mismatch(.rawBytes), at: 0) }
            return stored.copy(0..<rawBytes)
        case .lz4:
            guard rawBytes <= FormatConstants.maximumRawBytes,
                rawBytes / FormatConstants.maximumCompressionRatio <= stored.byteCount,
                let raw = LZ4.decompress(stored, rawBytes: rawBytes)
            else { throw FormatError(.payload, .doesNotDecompress, at: 0) }
            return raw
        }
    }
}
