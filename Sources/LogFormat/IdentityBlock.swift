/// What a segment is for.
public enum SegmentKind: UInt8, CaseIterable, Sendable {
    case regular = 1
    /// A small segment kept for when there is no room.
    case reserve = 2
}

/// Says which log, which segment and which life of the file this is, and in which epoch its frames begin. Stands twice at a
/// segment's beginning; DESIGN.md 3.4.
public struct IdentityBlock: Equatable, Sendable {
    /// Bits that a reader and a writer may ignore. None is defined.
    public var compatibleFeatures: UInt64
    /// Bits that a reader may ignore and a writer may not. None is defined.
    public var readOnlyCompatibleFeatures: UInt64
    /// Bits that nobody may ignore. None is defined: a block with one does not decode.
    public var incompatibleFeatures: UInt64
    public var logUUID: LogUUID
    /// From 1.
    public var segment: SegmentNumber
    /// Random, new for each life of the file, not zero.
    public var salt: UInt64
    /// Size of the segment: a multiple of 4096, from 16384 to 4294963200.
    public var segmentBytes: UInt64
    /// When this block was made, in nanoseconds since 1970 UTC.
    public var creationTime: UInt64
    /// The segment before this one, 0 for none. Less than `segment`.
    public var predecessor: SegmentNumber
    /// Its salt, 0 for none.
    public var predecessorSalt: UInt64
    public var kind: SegmentKind
    /// The epochs that have cut an earlier segment and begun in a later one, of those whose segment is not live any more as many as
    /// there is room for, and last the one that was in force, or about to begin, when this segment was made ready. (Its first
    /// frames are of that one, unless a crash left it unused and a later epoch begins in it.) Ascending, 1 to ``maximumOpenings``;
    /// cut at this segment's first frame or before it.
    public var openings: [EpochOpening]

    public static let byteCount = FormatConstants.identityBytes

    /// How many epochs there is room for.
    public static let maximumOpenings = OpeningLayout.maximumCount

    public init(
        logUUID: LogUUID, segment: SegmentNumber, salt: UInt64, segmentBytes: UInt64, creationTime: UInt64,
        predecessor: SegmentNumber = SegmentNumber(0), predecessorSalt: UInt64 = 0, kind: SegmentKind = .regular,
        openings: [EpochOpening],
        compatibleFeatures: UInt64 = 0, readOnlyCompatibleFeatures: UInt64 = 0, incompatibleFeatures: UInt64 = 0
    ) {
        self.compatibleFeatures = compatibleFeatures
        self.readOnlyCompatibleFeatures = readOnlyCompatibleFeatures
        self.incompatibleFeatures = incompatibleFeatures
        self.logUUID = logUUID
        self.segment = segment
        self.salt = salt
        self.segmentBytes = segmentBytes
        self.creationTime = creationTime
        self.predecessor = predecessor
        self.predecessorSalt = predecessorSalt
        self.kind = kind
        self.openings = openings
    }

    /// What the checksums of this segment's frames are seeded with.
    public var life: SegmentLife { SegmentLife(logUUID: logUUID, salt: salt, segment: segment) }

    /// False when the log uses a feature that a writer must know and this one does not: it may be inspected only.
    public var allowsWriting: Bool { readOnlyCompatibleFeatures == 0 }

    /// The 4096 bytes. Traps on values that would not decode: that is a bug of the caller.
    public func encode() -> [UInt8] {
        do throws(FormatError) { try check(at: 0) } catch {
            preconditionFailure("refused to write an identity block that no reader would accept: \(error)")
        }
        return .filled(Self.byteCount) { bytes in
            typealias Layout = IdentityLayout
            bytes.store(FormatConstants.identityMagic, Layout.magic, at: 0)
            bytes.store(FormatConstants.version, Layout.version, at: 0)
            bytes.store(UInt32(Self.byteCount), Layout.blockBytes, at: 0)
            bytes.store(compatibleFeatures, Layout.compatibleFeatures, at: 0)
            bytes.store(readOnlyCompatibleFeatures, Layout.readOnlyCompatibleFeatures, at: 0)
            bytes.store(incompatibleFeatures, Layout.incompatibleFeatures, at: 0)
            bytes.store(logUUID, Layout.logUUID, at: 0)
            bytes.store(segment.rawValue, Layout.segmentNumber, at: 0)
            bytes.store(salt, Layout.salt, at: 0)
            bytes.store(segmentBytes, Layout.segmentBytes, at: 0)
            bytes.store(creationTime, Layout.creationTime, at: 0)
            bytes.store(predecessor.rawValue, Layout.predecessorNumber, at: 0)
            bytes.store(predecessorSalt, Layout.predecessorSalt, at: 0)
            bytes.store(UInt32(kind.rawValue), Layout.kind, at: 0)
            bytes.store(UInt32(openings.count), Layout.openingCount, at: 0)
            for (index, opening) in openings.enumerated() {
                opening.store(in: &bytes, at: Layout.openings.offset + index * OpeningLayout.byteCount)
            }
            let checksum = bytes.checksum(of: 0..<Layout.checksum.offset)
            bytes.store(checksum, Layout.checksum, at: 0)
        }
    }

    /// Decodes the block at `offset`. Throws `newerVersion` or `unknownFeature` only when the checksum holds, so that a log
    /// of a later version is never taken for a damaged one.
    public init(decoding bytes: RawSpan, at offset: Int = 0) throws(FormatError) {
        typealias Layout = IdentityLayout
        guard offset >= 0, offset <= bytes.byteCount, bytes.byteCount - offset >= Self.byteCount else {
            throw FormatError(.identityBlock, .tooShort, at: offset)
        }
        guard bytes.load(Layout.magic, at: offset) == FormatConstants.identityMagic else {
            throw FormatError(.identityBlock, .badMagic, at: offset)
        }
        let checksum = Checksum.crc32c(bytes.extracting(offset..<offset + Layout.checksum.offset))
        guard bytes.load(Layout.checksum, at: offset) == checksum else {
            throw FormatError(.identityBlock, .badChecksum, at: offset)
        }
        let version = bytes.load(Layout.version, at: offset)
        guard version <= FormatConstants.version else {
            throw FormatError(.identityBlock, .newerVersion, at: offset + Layout.version.offset)
        }
        guard version == FormatConstants.version else {
            throw .outOfRange(.identityBlock, Layout.version, at: offset)
        }
        guard bytes.load(Layout.incompatibleFeatures, at: offset) == 0 else {
            throw FormatError(.identityBlock, .unknownFeature, at: offset + Layout.incompatibleFeatures.offset)
        }
        guard bytes.load(Layout.blockBytes, at: offset) == UInt32(Self.byteCount) else {
            throw .outOfRange(.identityBlock, Layout.blockBytes, at: offset)
        }
        guard let kind = SegmentKind(rawValue: UInt8(clamping: bytes.load(Layout.kind, at: offset))) else {
            throw .outOfRange(.identityBlock, Layout.kind, at: offset)
        }
        for place in [Layout.dataDirectory.place, Layout.keyID.place, Layout.reserved] {
            guard bytes.isZero(offset + place.offset..<offset + place.offset + place.size) else {
                throw FormatError(.identityBlock, .reservedNotZero, at: offset + place.offset)
            }
        }
        let count = Int(bytes.load(Layout.openingCount, at: offset))
        guard (1...OpeningLayout.maximumCount).contains(count) else {
            throw .outOfRange(.identityBlock, Layout.openingCount, at: offset)
        }
        let openings = offset + Layout.openings.offset
        let openingsEnd = openings + count * OpeningLayout.byteCount
        guard bytes.isZero(openingsEnd..<offset + Layout.checksum.offset) else {
            throw FormatError(.identityBlock, .reservedNotZero, at: openingsEnd)
        }
        self.init(
            logUUID: bytes.load(Layout.logUUID, at: offset),
            segment: SegmentNumber(bytes.load(Layout.segmentNumber, at: offset)),
            salt: bytes.load(Layout.salt, at: offset), segmentBytes: bytes.load(Layout.segmentBytes, at: offset),
            creationTime: bytes.load(Layout.creationTime, at: offset),
            predecessor: SegmentNumber(bytes.load(Layout.predecessorNumber, at: offset)),
            predecessorSalt: bytes.load(Layout.predecessorSalt, at: offset), kind: kind,
            openings: (0..<count).map { EpochOpening(in: bytes, at: openings + $0 * OpeningLayout.byteCount) },
            compatibleFeatures: bytes.load(Layout.compatibleFeatures, at: offset),
            readOnlyCompatibleFeatures: bytes.load(Layout.readOnlyCompatibleFeatures, at: offset))
        try check(at: offset)
    }

    private func check(at base: Int) throws(FormatError) {
        typealias Layout = IdentityLayout
        guard incompatibleFeatures == 0 else {
            throw .outOfRange(.identityBlock, Layout.incompatibleFeatures, at: base)
        }
        guard segment.rawValue.isNumber else { throw .outOfRange(.identityBlock, Layout.segmentNumber, at: base) }
        guard salt != 0 else { throw .outOfRange(.identityBlock, Layout.salt, at: base) }
        guard Self.isSegmentSize(segmentBytes) else {
            throw .outOfRange(.identityBlock, Layout.segmentBytes, at: base)
        }
        guard predecessor < segment else { throw .outOfRange(.identityBlock, Layout.predecessorNumber, at: base) }
        guard (predecessor.rawValue == 0) == (predecessorSalt == 0) else {
            throw .outOfRange(.identityBlock, Layout.predecessorSalt, at: base)
        }
        guard (1...OpeningLayout.maximumCount).contains(openings.count) else {
            throw .outOfRange(.identityBlock, Layout.openingCount, at: base)
        }
        var before = Epoch(0)
        for (index, opening) in openings.enumerated() {
            let place = base + Layout.openings.offset + index * OpeningLayout.byteCount
            try opening.check(in: segment, behind: before, at: place)
            before = opening.epoch
        }
    }

    /// A multiple of 4096 within the limits.
    static func isSegmentSize(_ bytes: UInt64) -> Bool {
        bytes % FormatConstants.segmentBytesMultiple == 0 && bytes >= FormatConstants.minimumSegmentBytes
            && bytes <= FormatConstants.maximumSegmentBytes
    }
}
