/// One of the two slots of the file `checkpoint`: a header of 96 bytes and a snapshot. DESIGN.md 3.10.
public struct CheckpointSlot: Equatable, Sendable {
    /// 0 or 1.
    public var slot: UInt32
    public var logUUID: LogUUID
    /// From 1; the higher of two valid slots is the newer.
    public var generation: UInt64
    /// What was durable when it was written. Not before the snapshot's `covered`.
    public var durableThrough: DurableThrough
    /// When it was written, in nanoseconds since 1970 UTC.
    public var time: UInt64
    public var snapshot: Snapshot

    public static let headerBytes = CheckpointLayout.byteCount

    public init(
        slot: UInt32, logUUID: LogUUID, generation: UInt64, durableThrough: DurableThrough, time: UInt64,
        snapshot: Snapshot
    ) {
        self.slot = slot
        self.logUUID = logUUID
        self.generation = generation
        self.durableThrough = durableThrough
        self.time = time
        self.snapshot = snapshot
    }

    /// Header and snapshot. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        typealias Layout = CheckpointLayout
        try check()
        let payload = try snapshot.encode()
        return .filled(Layout.byteCount + payload.count) { bytes in
            bytes.store(FormatConstants.checkpointMagic, Layout.magic, at: 0)
            bytes.store(FormatConstants.version, Layout.version, at: 0)
            bytes.store(slot, Layout.slot, at: 0)
            bytes.store(logUUID, Layout.logUUID, at: 0)
            bytes.store(generation, Layout.generation, at: 0)
            bytes.store(durableThrough.lsn.segment.rawValue, Layout.durableSegment, at: 0)
            bytes.store(durableThrough.lsn.offset, Layout.durableOffset, at: 0)
            bytes.store(durableThrough.nextSequence.rawValue, Layout.durableSequence, at: 0)
            bytes.store(time, Layout.time, at: 0)
            bytes.store(UInt32(payload.count), Layout.payloadBytes, at: 0)
            bytes.store(Checksum.crc32c(payload.rawBytes), Layout.payloadChecksum, at: 0)
            let checksum = bytes.checksum(of: 0..<Layout.headerChecksum.offset)
            bytes.store(checksum, Layout.headerChecksum, at: 0)
            bytes.store(payload.rawBytes, at: Layout.byteCount)
        }
    }

    /// From the bytes of a slot; what stands behind the snapshot is of no meaning. Throws when it is not the slot of that
    /// number, or of that log, besides everything that is wrong in itself.
    public init(decoding bytes: RawSpan, slot: UInt32, logUUID: LogUUID) throws(FormatError) {
        try self.init(decoding: bytes)
        guard self.slot == slot else {
            throw FormatError(.checkpointSlot, .mismatch(.slot), at: CheckpointLayout.slot.offset)
        }
        guard self.logUUID == logUUID else {
            throw FormatError(.checkpointSlot, .mismatch(.logUUID), at: CheckpointLayout.logUUID.offset)
        }
    }

    /// As above, for a slot of whatever number and log.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        typealias Layout = CheckpointLayout
        guard bytes.byteCount >= Layout.byteCount else { throw FormatError(.checkpointSlot, .tooShort, at: 0) }
        guard bytes.load(Layout.magic, at: 0) == FormatConstants.checkpointMagic else {
            throw FormatError(.checkpointSlot, .badMagic, at: 0)
        }
        let headerChecksum = Checksum.crc32c(bytes.extracting(0..<Layout.headerChecksum.offset))
        guard bytes.load(Layout.headerChecksum, at: 0) == headerChecksum else {
            throw FormatError(.checkpointSlot, .badChecksum, at: 0)
        }
        let version = bytes.load(Layout.version, at: 0)
        guard version <= FormatConstants.version else {
            throw FormatError(.checkpointSlot, .newerVersion, at: Layout.version.offset)
        }
        guard version == FormatConstants.version else { throw .outOfRange(.checkpointSlot, Layout.version, at: 0) }
        guard bytes.isZero(Layout.reserved.range) else {
            throw FormatError(.checkpointSlot, .reservedNotZero, at: Layout.reserved.offset)
        }
        let payloadBytes = Int(bytes.load(Layout.payloadBytes, at: 0))
        guard payloadBytes <= bytes.byteCount - Layout.byteCount else {
            throw FormatError(.checkpointSlot, .tooShort, at: Layout.payloadBytes.offset)
        }
        let payload = bytes.extracting(Layout.byteCount..<Layout.byteCount + payloadBytes)
        guard bytes.load(Layout.payloadChecksum, at: 0) == Checksum.crc32c(payload) else {
            throw FormatError(.checkpointSlot, .badChecksum, at: Layout.byteCount)
        }
        self.init(
            slot: bytes.load(Layout.slot, at: 0), logUUID: bytes.load(Layout.logUUID, at: 0),
            generation: bytes.load(Layout.generation, at: 0),
            durableThrough: DurableThrough(
                lsn: LSN(
                    segment: SegmentNumber(bytes.load(Layout.durableSegment, at: 0)),
                    offset: bytes.load(Layout.durableOffset, at: 0)),
                nextSequence: EventSequence(bytes.load(Layout.durableSequence, at: 0))),
            time: bytes.load(Layout.time, at: 0), snapshot: try Snapshot(decoding: payload))
        try check()
    }

    private func check() throws(FormatError) {
        typealias Layout = CheckpointLayout
        guard slot <= 1 else { throw .outOfRange(.checkpointSlot, Layout.slot, at: 0) }
        guard generation.isNumber else { throw .outOfRange(.checkpointSlot, Layout.generation, at: 0) }
        guard durableThrough.isWellFormed else { throw .outOfRange(.checkpointSlot, Layout.durableSegment, at: 0) }
        guard snapshot.covered.lsn <= durableThrough.lsn,
            snapshot.covered.nextSequence <= durableThrough.nextSequence
        else { throw FormatError(.checkpointSlot, .mismatch(.covered), at: Layout.byteCount) }
    }
}
