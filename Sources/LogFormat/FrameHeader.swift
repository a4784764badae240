/// The first 96 bytes of a frame. DESIGN.md 3.5.
///
/// A header that decoded is valid in every respect that can be told without the payload: a scan may hop over
/// `frameBytes` and allocate `rawBytes` on its word.
public struct FrameHeader: Equatable, Sendable {
    public var type: FrameType
    /// Layout of the raw payload: 1.
    public var encoding: UInt8
    public var compression: Compression
    /// The whole frame, a multiple of 8.
    public var frameBytes: UInt32
    /// The payload as it is stored.
    public var storedBytes: UInt32
    /// The payload before compression.
    public var rawBytes: UInt32
    /// Events that this frame numbers; 0 unless it is a put.
    public var eventCount: UInt32
    /// Whole transactions in it; 0 unless the type holds transactions.
    public var transactionCount: UInt32
    /// CRC-32C of the stored payload.
    public var payloadChecksum: UInt32
    /// The sequence of its first event; without events the next sequence at this place.
    public var baseSequence: EventSequence
    /// When its group was put together, in nanoseconds since 1970 UTC. Nothing is decided by it.
    public var commitTime: UInt64
    /// What was durable when its group was put together.
    public var durableThrough: DurableThrough
    public var epoch: Epoch
    /// Random, one for each epoch, not zero.
    public var nonce: UInt64

    public static let byteCount = FormatConstants.headerBytes

    public init(
        type: FrameType, encoding: UInt8 = FormatConstants.encoding, compression: Compression, frameBytes: UInt32,
        storedBytes: UInt32, rawBytes: UInt32, eventCount: UInt32, transactionCount: UInt32, payloadChecksum: UInt32,
        baseSequence: EventSequence, commitTime: UInt64, durableThrough: DurableThrough, epoch: Epoch, nonce: UInt64
    ) {
        self.type = type
        self.encoding = encoding
        self.compression = compression
        self.frameBytes = frameBytes
        self.storedBytes = storedBytes
        self.rawBytes = rawBytes
        self.eventCount = eventCount
        self.transactionCount = transactionCount
        self.payloadChecksum = payloadChecksum
        self.baseSequence = baseSequence
        self.commitTime = commitTime
        self.durableThrough = durableThrough
        self.epoch = epoch
        self.nonce = nonce
    }

    /// The next sequence behind this frame. (A valid header's does not overflow.)
    public var endSequence: EventSequence { EventSequence(baseSequence.rawValue &+ UInt64(eventCount)) }

    /// True when the four bytes at `offset` are the magic of a frame. False, too, when they are not all there.
    public static func hasMagic(_ bytes: RawSpan, at offset: Int) -> Bool {
        offset >= 0 && bytes.byteCount >= 4 && offset <= bytes.byteCount - 4
            && bytes.load(FrameHeaderLayout.magic, at: offset) == FormatConstants.frameMagic
    }

    /// Decodes the header at `offset` of `bytes`, which is `position` bytes into the segment of that `life`.
    ///
    /// About 35 ns, without allocation; a scan asks ``hasMagic(_:at:)`` first, which takes 2. Offsets in errors are offsets
    /// in the segment.
    public static func decode(
        _ bytes: RawSpan, at offset: Int, life: SegmentLife, position: UInt64
    ) throws(FormatError) -> FrameHeader {
        guard offset >= 0, offset <= bytes.byteCount, bytes.byteCount - offset >= byteCount else {
            throw FormatError(.frameHeader, .tooShort, at: position)
        }
        guard hasMagic(bytes, at: offset) else { throw FormatError(.frameHeader, .badMagic, at: position) }
        typealias Layout = FrameHeaderLayout
        let checked = bytes.extracting(offset..<offset + Layout.headerChecksum.offset)
        #if PlantedBugs
            let checksum =
                PlantedBug.skipHeaderChecksum.isPlanted
                ? bytes.load(Layout.headerChecksum, at: offset)
                : Checksum.crc32c(checked, continuing: life.placeChecksum(position: position))
        #else
            let checksum = Checksum.crc32c(checked, continuing: life.placeChecksum(position: position))
        #endif
        guard checksum == bytes.load(Layout.headerChecksum, at: offset) else {
            throw FormatError(.frameHeader, .badChecksum, at: position)
        }
        guard let type = FrameType(rawValue: bytes.load(Layout.type, at: offset)) else {
            throw outOfRange(Layout.type, position)
        }
        guard let compression = Compression(rawValue: bytes.load(Layout.compression, at: offset)) else {
            throw outOfRange(Layout.compression, position)
        }
        guard bytes.load(Layout.flags, at: offset) == 0, bytes.load(Layout.reserved, at: offset) == 0 else {
            throw FormatError(.frameHeader, .reservedNotZero, at: position)
        }
        let header = FrameHeader(
            type: type, encoding: bytes.load(Layout.encoding, at: offset), compression: compression,
            frameBytes: bytes.load(Layout.frameBytes, at: offset),
            storedBytes: bytes.load(Layout.storedBytes, at: offset),
            rawBytes: bytes.load(Layout.rawBytes, at: offset), eventCount: bytes.load(Layout.eventCount, at: offset),
            transactionCount: bytes.load(Layout.transactionCount, at: offset),
            payloadChecksum: bytes.load(Layout.payloadChecksum, at: offset),
            baseSequence: EventSequence(bytes.load(Layout.baseSequence, at: offset)),
            commitTime: bytes.load(Layout.commitTime, at: offset),
            durableThrough: DurableThrough(
                lsn: LSN(
                    segment: SegmentNumber(bytes.load(Layout.durableSegment, at: offset)),
                    offset: bytes.load(Layout.durableOffset, at: offset)),
                nextSequence: EventSequence(bytes.load(Layout.durableSequence, at: offset))),
            epoch: Epoch(bytes.load(Layout.epoch, at: offset)), nonce: bytes.load(Layout.nonce, at: offset))
        try header.check(at: LSN(segment: life.segment, offset: position))
        return header
    }

    /// Writes the 96 bytes and returns the header checksum.
    func encode(
        life: SegmentLife, position: UInt64, into bytes: inout MutableRawSpan, at offset: Int
    ) -> UInt32 {
        typealias Layout = FrameHeaderLayout
        bytes.store(FormatConstants.frameMagic, Layout.magic, at: offset)
        bytes.store(type.rawValue, Layout.type, at: offset)
        bytes.store(encoding, Layout.encoding, at: offset)
        bytes.store(compression.rawValue, Layout.compression, at: offset)
        bytes.store(0, Layout.flags, at: offset)
        bytes.store(frameBytes, Layout.frameBytes, at: offset)
        bytes.store(storedBytes, Layout.storedBytes, at: offset)
        bytes.store(rawBytes, Layout.rawBytes, at: offset)
        bytes.store(eventCount, Layout.eventCount, at: offset)
        bytes.store(transactionCount, Layout.transactionCount, at: offset)
        bytes.store(payloadChecksum, Layout.payloadChecksum, at: offset)
        bytes.store(baseSequence.rawValue, Layout.baseSequence, at: offset)
        bytes.store(commitTime, Layout.commitTime, at: offset)
        bytes.store(durableThrough.lsn.segment.rawValue, Layout.durableSegment, at: offset)
        bytes.store(durableThrough.lsn.offset, Layout.durableOffset, at: offset)
        bytes.store(durableThrough.nextSequence.rawValue, Layout.durableSequence, at: offset)
        bytes.store(epoch.rawValue, Layout.epoch, at: offset)
        bytes.store(nonce, Layout.nonce, at: offset)
        bytes.store(0, Layout.reserved, at: offset)
        let checksum = bytes.checksum(
            of: offset..<offset + Layout.headerChecksum.offset, continuing: life.placeChecksum(position: position))
        bytes.store(checksum, Layout.headerChecksum, at: offset)
        return checksum
    }
}
