// Every number of the on-disk format, version 1. DESIGN.md chapter 3 is the normative text; a test reads its tables and
// compares them with what stands here.

/// Sizes and limits of the format.
public enum FormatConstants {
    public static let version: UInt32 = 1
    /// Structures, frames and transactions start at multiples of this.
    public static let alignment = 8

    // Segments
    /// An identity block stands at 0 and again here.
    public static let identityBytes = 4096
    /// The first frame of a segment, behind both identity blocks.
    public static let firstFrameOffset: UInt64 = 8192
    /// Every segment's size is a multiple of this.
    public static let segmentBytesMultiple: UInt64 = 4096
    public static let minimumSegmentBytes: UInt64 = 16_384
    public static let maximumSegmentBytes: UInt64 = 4_294_963_200
    /// The blocks that groups of frames are padded to: a power of two in this range.
    public static let blockBytes: ClosedRange<UInt32> = 512...65_536

    // Frames
    public static let headerBytes = 96
    public static let trailerBytes = 8
    /// A frame with an empty payload. What is left of a block is given to the last frame when it is less than this.
    public static let minimumFrameBytes = 104
    public static let maximumFrameBytes = 134_217_728
    public static let maximumGapBytes = 111
    public static let maximumRawBytes = 67_108_864
    /// LZ4 cannot do better; a header that claims it is wrong.
    public static let maximumCompressionRatio = 255
    /// The only layout of payloads.
    public static let encoding: UInt8 = 1

    // Transactions
    public static let maximumTransactionBytes = 67_108_864
    public static let maximumBodyBytes = 16_777_216
    public static let maximumHeaders = 1024
    public static let maximumNameBytes = 255
    public static let maximumValueBytes = 65_536
    public static let maximumExtensionBytes = 65_536
    public static let maximumRangesInTransaction = 64
    public static let maximumBookmarks = 4096

    // Records
    public static let maximumRangesInDrop = 1024
    public static let maximumDeliveryCounts = 4096

    // Snapshot
    public static let maximumSegments = 4096
    /// Segments, events, epochs and checkpoints are numbered up to this.
    public static let maximumNumber: UInt64 = 1 << 62
    public static let maximumGroups = 64
    public static let maximumRangesInGroup = 65_536
    public static let maximumBookmarkBytes = 65_536
    public static let maximumProducers = 4096

    static let identityMagic: UInt64 = 0x4753_4543_4955_4C53  // "SLUICESG"
    static let checkpointMagic: UInt64 = 0x5043_4543_4955_4C53  // "SLUICECP"
    static let frameMagic: UInt32 = 0x3146_4C53  // "SLF1"

    /// `bytes` rounded up to a multiple of 8.
    static func aligned(_ bytes: Int) -> Int { (bytes + 7) & ~7 }
}

/// A field of a structure: what it is called, where it stands, and (by its type) how long it is.
struct Field<Value: Sendable>: Sendable {
    let name: FormatField
    let offset: Int

    init(_ name: FormatField, _ offset: Int) {
        self.name = name
        self.offset = offset
    }

    var place: FieldPlace { FieldPlace(name: name, offset: offset, size: MemoryLayout<Value>.size) }
}

/// A field without its type: a row of a table in DESIGN.md.
struct FieldPlace: Equatable, Sendable {
    let name: FormatField
    let offset: Int
    let size: Int

    var range: Range<Int> { offset..<offset + size }
}

/// 3.4
enum IdentityLayout {
    static let magic = Field<UInt64>(.magic, 0)
    static let version = Field<UInt32>(.version, 8)
    static let blockBytes = Field<UInt32>(.blockBytes, 12)
    static let compatibleFeatures = Field<UInt64>(.compatibleFeatures, 16)
    static let readOnlyCompatibleFeatures = Field<UInt64>(.readOnlyCompatibleFeatures, 24)
    static let incompatibleFeatures = Field<UInt64>(.incompatibleFeatures, 32)
    static let logUUID = Field<LogUUID>(.logUUID, 40)
    static let segmentNumber = Field<UInt64>(.segmentNumber, 56)
    static let salt = Field<UInt64>(.salt, 64)
    static let segmentBytes = Field<UInt64>(.segmentBytes, 72)
    static let creationTime = Field<UInt64>(.creationTime, 80)
    static let predecessorNumber = Field<UInt64>(.predecessorNumber, 88)
    static let predecessorSalt = Field<UInt64>(.predecessorSalt, 96)
    static let dataDirectory = Field<UInt32>(.dataDirectory, 104)
    static let kind = Field<UInt32>(.kind, 108)
    static let keyID = Field<LogUUID>(.keyID, 112)
    static let openingCount = Field<UInt32>(.openingCount, 128)
    static let reserved = FieldPlace(name: .reserved, offset: 132, size: 4)
    static let openings = FieldPlace(name: .openings, offset: 136, size: 3956)
    static let checksum = Field<UInt32>(.checksum, 4092)

    static let rows: [FieldPlace] = [
        magic.place, version.place, blockBytes.place, compatibleFeatures.place, readOnlyCompatibleFeatures.place,
        incompatibleFeatures.place, logUUID.place, segmentNumber.place, salt.place, segmentBytes.place,
        creationTime.place, predecessorNumber.place, predecessorSalt.place, dataDirectory.place, kind.place,
        keyID.place, openingCount.place, reserved, openings, checksum.place,
    ]
}

/// 3.4, from an opening's beginning
enum OpeningLayout {
    static let epoch = Field<UInt64>(.epoch, 0)
    static let nonce = Field<UInt64>(.nonce, 8)
    static let cutSegment = Field<UInt64>(.cutSegment, 16)
    static let cutOffset = Field<UInt64>(.cutOffset, 24)
    static let nextSequence = Field<UInt64>(.nextSequence, 32)
    static let openSegment = Field<UInt64>(.openSegment, 40)

    static let byteCount = 48
    static let maximumCount = 64
    static let rows: [FieldPlace] = [
        epoch.place, nonce.place, cutSegment.place, cutOffset.place, nextSequence.place, openSegment.place,
    ]
}

/// 3.5, from the frame's beginning
enum FrameHeaderLayout {
    static let magic = Field<UInt32>(.magic, 0)
    static let type = Field<UInt8>(.type, 4)
    static let encoding = Field<UInt8>(.encoding, 5)
    static let compression = Field<UInt8>(.compression, 6)
    static let flags = Field<UInt8>(.flags, 7)
    static let frameBytes = Field<UInt32>(.frameBytes, 8)
    static let storedBytes = Field<UInt32>(.storedBytes, 12)
    static let rawBytes = Field<UInt32>(.rawBytes, 16)
    static let eventCount = Field<UInt32>(.eventCount, 20)
    static let transactionCount = Field<UInt32>(.transactionCount, 24)
    static let payloadChecksum = Field<UInt32>(.payloadChecksum, 28)
    static let baseSequence = Field<UInt64>(.baseSequence, 32)
    static let commitTime = Field<UInt64>(.commitTime, 40)
    static let durableSegment = Field<UInt64>(.durableSegment, 48)
    static let durableOffset = Field<UInt64>(.durableOffset, 56)
    static let durableSequence = Field<UInt64>(.durableSequence, 64)
    static let epoch = Field<UInt64>(.epoch, 72)
    static let nonce = Field<UInt64>(.nonce, 80)
    static let reserved = Field<UInt32>(.reserved, 88)
    static let headerChecksum = Field<UInt32>(.headerChecksum, 92)

    static let rows: [FieldPlace] = [
        magic.place, type.place, encoding.place, compression.place, flags.place, frameBytes.place, storedBytes.place,
        rawBytes.place, eventCount.place, transactionCount.place, payloadChecksum.place, baseSequence.place,
        commitTime.place, durableSegment.place, durableOffset.place, durableSequence.place, epoch.place, nonce.place,
        reserved.place, headerChecksum.place,
    ]
}

/// 3.5, from the frame's end
enum FrameTrailerLayout {
    static let frameBytes = Field<UInt32>(.frameBytes, -8)
    static let headerChecksum = Field<UInt32>(.headerChecksum, -4)

    static let rows: [FieldPlace] = [frameBytes.place, headerChecksum.place]
}

/// 3.7, the fixed part of a transaction
enum TransactionLayout {
    static let byteCount = 48
    static let transactionBytes = Field<UInt32>(.transactionBytes, 0)
    static let eventCount = Field<UInt32>(.eventCount, 4)
    static let transactionID = Field<UInt64>(.transactionID, 8)
    static let producerID = Field<LogUUID>(.producerID, 16)
    static let producerSequence = Field<UInt64>(.producerSequence, 32)
    static let bookmarkCount = Field<UInt16>(.bookmarkCount, 40)
    static let groupNameBytes = Field<UInt16>(.groupNameBytes, 42)
    static let rangeCount = Field<UInt32>(.rangeCount, 44)

    static let rows: [FieldPlace] = [
        transactionBytes.place, eventCount.place, transactionID.place, producerID.place, producerSequence.place,
        bookmarkCount.place, groupNameBytes.place, rangeCount.place,
    ]
}

/// 3.7, the parts that follow without alignment
enum RangeLayout {
    static let byteCount = 16
    static let first = Field<UInt64>(.firstSequence, 0)
    static let end = Field<UInt64>(.endSequence, 8)
}

enum BookmarkLayout {
    static let byteCount = 6
    static let nameBytes = Field<UInt8>(.bookmarkName, 0)
    static let reserved = Field<UInt8>(.reserved, 1)
    static let valueBytes = Field<UInt32>(.bookmarkValue, 2)
}

enum EventLayout {
    static let byteCount = 8
    static let flags = Field<UInt8>(.flags, 0)
    static let reserved = Field<UInt8>(.reserved, 1)
    static let headerCount = Field<UInt16>(.headerCount, 2)
    static let bodyBytes = Field<UInt32>(.bodyBytes, 4)
    static let extensionFlag: UInt8 = 1
}

enum EventHeaderLayout {
    static let byteCount = 5
    static let keyBytes = Field<UInt8>(.headerKey, 0)
    static let valueBytes = Field<UInt32>(.headerValue, 1)
}

enum EventExtensionLayout {
    static let lengthBytes = 4
    static let byteCount = 4
    static let tag = Field<UInt16>(.extensionTag, 0)
    static let length = Field<UInt16>(.extensionLength, 2)
    static let eventTimeTag: UInt16 = 1
    static let expiryTag: UInt16 = 2
    static let priorityTag: UInt16 = 3
    static let traceIDTag: UInt16 = 4
}

/// 3.8
enum OpenLayout {
    static let byteCount = 40
    static let cutSegment = Field<UInt64>(.cutSegment, 0)
    static let cutOffset = Field<UInt64>(.cutOffset, 8)
    static let nextSequence = Field<UInt64>(.nextSequence, 16)
    static let previousEpoch = Field<UInt64>(.previousEpoch, 24)
    static let blockBytes = Field<UInt32>(.blockBytes, 32)
    static let groupsInFlight = Field<UInt16>(.groupsInFlight, 36)
    static let durability = Field<UInt8>(.durability, 38)
    static let reason = Field<UInt8>(.reason, 39)

    static let rows: [FieldPlace] = [
        cutSegment.place, cutOffset.place, nextSequence.place, previousEpoch.place, blockBytes.place,
        groupsInFlight.place, durability.place, reason.place,
    ]
}

enum SealLayout {
    static let byteCount = 16
    static let nextSegment = Field<UInt64>(.nextSegment, 0)
    static let nextSalt = Field<UInt64>(.nextSalt, 8)

    static let rows: [FieldPlace] = [nextSegment.place, nextSalt.place]
}

enum LeaseLayout {
    static let byteCount = 16
    static let limit = Field<UInt64>(.limit, 0)
    static let groupNameBytes = Field<UInt16>(.groupNameBytes, 8)
    static let reserved = FieldPlace(name: .reserved, offset: 10, size: 6)

    static let rows: [FieldPlace] = [limit.place, groupNameBytes.place, reserved]
}

enum DropLayout {
    static let byteCount = 8
    static let reason = Field<UInt8>(.reason, 0)
    static let reserved = Field<UInt8>(.reserved, 1)
    static let groupNameBytes = Field<UInt16>(.groupNameBytes, 2)
    static let rangeCount = Field<UInt32>(.rangeCount, 4)

    static let rows: [FieldPlace] = [reason.place, reserved.place, groupNameBytes.place, rangeCount.place]
}

enum LossLayout {
    static let byteCount = 48
    static let reason = Field<UInt8>(.reason, 0)
    static let reserved = FieldPlace(name: .reserved, offset: 1, size: 7)
    static let segment = Field<UInt64>(.segment, 8)
    static let fromOffset = Field<UInt64>(.fromOffset, 16)
    static let toOffset = Field<UInt64>(.toOffset, 24)
    static let firstSequence = Field<UInt64>(.firstSequence, 32)
    static let endSequence = Field<UInt64>(.endSequence, 40)

    static let rows: [FieldPlace] = [
        reason.place, reserved, segment.place, fromOffset.place, toOffset.place, firstSequence.place, endSequence.place,
    ]
}

enum DeliveryCountLayout {
    static let byteCount = 8
    static let groupNameBytes = Field<UInt16>(.groupNameBytes, 0)
    static let reserved = Field<UInt16>(.reserved, 2)
    static let entryCount = Field<UInt32>(.entryCount, 4)
    static let entryBytes = 16

    static let rows: [FieldPlace] = [groupNameBytes.place, reserved.place, entryCount.place]
}

/// 3.9
enum SnapshotLayout {
    static let byteCount = 64
    static let coveredSegment = Field<UInt64>(.coveredSegment, 0)
    static let coveredOffset = Field<UInt64>(.coveredOffset, 8)
    static let coveredSequence = Field<UInt64>(.coveredSequence, 16)
    static let epoch = Field<UInt64>(.epoch, 24)
    static let nonce = Field<UInt64>(.nonce, 32)
    static let oldestSegment = Field<UInt64>(.oldestSegment, 40)
    static let newestSegment = Field<UInt64>(.newestSegment, 48)
    static let segmentCount = Field<UInt32>(.segmentCount, 56)
    static let clientBytes = Field<UInt32>(.clientBytes, 60)

    static let rows: [FieldPlace] = [
        coveredSegment.place, coveredOffset.place, coveredSequence.place, epoch.place, nonce.place,
        oldestSegment.place, newestSegment.place, segmentCount.place, clientBytes.place,
    ]
}

enum SegmentEntryLayout {
    static let byteCount = 40
    static let number = Field<UInt64>(.number, 0)
    static let salt = Field<UInt64>(.salt, 8)
    static let baseSequence = Field<UInt64>(.baseSequence, 16)
    static let endOffset = Field<UInt64>(.endOffset, 24)
    static let segmentBytes = Field<UInt32>(.segmentBytes, 32)
    static let kind = Field<UInt8>(.kind, 36)
    static let holdsEvents = Field<UInt8>(.holdsEvents, 37)
    static let reserved = Field<UInt16>(.reserved, 38)

    static let rows: [FieldPlace] = [
        number.place, salt.place, baseSequence.place, endOffset.place, segmentBytes.place, kind.place,
        holdsEvents.place, reserved.place,
    ]
}

/// 3.9, the channel's part: sizes of what stands there once for each entry
enum ClientStateLayout {
    static let countBytes = 8
    static let groupBytes = 72
    static let producerBytes = 56
    static let deliveryCountBytes = 24
}

/// 3.10
enum CheckpointLayout {
    static let byteCount = 96
    static let magic = Field<UInt64>(.magic, 0)
    static let version = Field<UInt32>(.version, 8)
    static let slot = Field<UInt32>(.slot, 12)
    static let logUUID = Field<LogUUID>(.logUUID, 16)
    static let generation = Field<UInt64>(.generation, 32)
    static let durableSegment = Field<UInt64>(.durableSegment, 40)
    static let durableOffset = Field<UInt64>(.durableOffset, 48)
    static let durableSequence = Field<UInt64>(.durableSequence, 56)
    static let time = Field<UInt64>(.time, 64)
    static let payloadBytes = Field<UInt32>(.payloadBytes, 72)
    static let payloadChecksum = Field<UInt32>(.payloadChecksum, 76)
    static let reserved = FieldPlace(name: .reserved, offset: 80, size: 12)
    static let headerChecksum = Field<UInt32>(.headerChecksum, 92)

    static let rows: [FieldPlace] = [
        magic.place, version.place, slot.place, logUUID.place, generation.place, durableSegment.place,
        durableOffset.place, durableSequence.place, time.place, payloadBytes.place, payloadChecksum.place, reserved,
        headerChecksum.place,
    ]
}
