/// What durability the log was opened with.
public enum DurabilityMode: UInt8, CaseIterable, Sendable {
    /// A commit returns when it is durable.
    case commit = 1
    /// A sync at intervals.
    case interval = 2
    /// No sync but on roll and close.
    case none = 3
}

/// Why an epoch began.
public enum OpenReason: UInt8, CaseIterable, Sendable {
    case created = 1
    /// After a clean close.
    case reopened = 2
    /// After a crash.
    case recovered = 3
    /// Writing went on in a fresh segment after a write or sync that failed.
    case failedWrite = 4
}

/// Begins an epoch: the payload of an `open` frame. DESIGN.md 3.8.
public struct OpenRecord: Equatable, Sendable {
    /// Frames of lower epochs at or beyond it are stale.
    public var cut: LSN
    /// The first sequence of this epoch, from 1.
    public var nextSequence: EventSequence
    /// 0 for the first.
    public var previousEpoch: Epoch
    /// What groups of this epoch are padded to: a power of two from 512 to 65536.
    public var blockBytes: UInt32
    /// How many groups may be in flight, from 1.
    public var groupsInFlight: UInt16
    public var durability: DurabilityMode
    public var reason: OpenReason

    public init(
        cut: LSN, nextSequence: EventSequence, previousEpoch: Epoch, blockBytes: UInt32, groupsInFlight: UInt16,
        durability: DurabilityMode, reason: OpenReason
    ) {
        self.cut = cut
        self.nextSequence = nextSequence
        self.previousEpoch = previousEpoch
        self.blockBytes = blockBytes
        self.groupsInFlight = groupsInFlight
        self.durability = durability
        self.reason = reason
    }

    /// The 40 bytes of the raw payload. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        typealias Layout = OpenLayout
        return .filled(Layout.byteCount) { bytes in
            bytes.store(cut.segment.rawValue, Layout.cutSegment, at: 0)
            bytes.store(cut.offset, Layout.cutOffset, at: 0)
            bytes.store(nextSequence.rawValue, Layout.nextSequence, at: 0)
            bytes.store(previousEpoch.rawValue, Layout.previousEpoch, at: 0)
            bytes.store(blockBytes, Layout.blockBytes, at: 0)
            bytes.store(groupsInFlight, Layout.groupsInFlight, at: 0)
            bytes.store(durability.rawValue, Layout.durability, at: 0)
            bytes.store(reason.rawValue, Layout.reason, at: 0)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        typealias Layout = OpenLayout
        var cursor = ReadCursor(.openRecord, bytes)
        let base = try cursor.skip(Layout.byteCount)
        try cursor.finish()
        guard let durability = DurabilityMode(rawValue: bytes.load(Layout.durability, at: base)) else {
            throw .outOfRange(.openRecord, Layout.durability, at: base)
        }
        guard let reason = OpenReason(rawValue: bytes.load(Layout.reason, at: base)) else {
            throw .outOfRange(.openRecord, Layout.reason, at: base)
        }
        self.init(
            cut: LSN(
                segment: SegmentNumber(bytes.load(Layout.cutSegment, at: base)),
                offset: bytes.load(Layout.cutOffset, at: base)),
            nextSequence: EventSequence(bytes.load(Layout.nextSequence, at: base)),
            previousEpoch: Epoch(bytes.load(Layout.previousEpoch, at: base)),
            blockBytes: bytes.load(Layout.blockBytes, at: base),
            groupsInFlight: bytes.load(Layout.groupsInFlight, at: base), durability: durability, reason: reason)
        try check()
    }

    private func check() throws(FormatError) {
        typealias Layout = OpenLayout
        guard cut.segment.rawValue.isNumber || (cut.segment.rawValue == 0 && cut.offset == 0),
            cut.offset <= FormatConstants.maximumSegmentBytes
        else {
            throw .outOfRange(.openRecord, Layout.cutOffset, at: 0)
        }
        guard nextSequence.rawValue.isNumber else { throw .outOfRange(.openRecord, Layout.nextSequence, at: 0) }
        guard FormatConstants.blockBytes.contains(blockBytes), blockBytes.nonzeroBitCount == 1 else {
            throw .outOfRange(.openRecord, Layout.blockBytes, at: 0)
        }
        guard groupsInFlight != 0 else { throw .outOfRange(.openRecord, Layout.groupsInFlight, at: 0) }
    }
}
