/// A row of a snapshot's segment table. DESIGN.md 3.9.
public struct SegmentEntry: Hashable, Sendable {
    /// Bytes of an entry in a snapshot.
    public static let byteCount = SegmentEntryLayout.byteCount

    public var number: SegmentNumber
    /// Not zero.
    public var salt: UInt64
    /// The next sequence at its beginning, from 1.
    public var baseSequence: EventSequence
    /// Where its frames end, in bytes (after the seal, or at a cut); 0 while it is not ended.
    public var endOffset: UInt64
    /// Its size, as in its identity block.
    public var segmentBytes: UInt32
    public var kind: SegmentKind
    /// Whether it has put frames.
    public var holdsEvents: Bool

    public init(
        number: SegmentNumber, salt: UInt64, baseSequence: EventSequence, endOffset: UInt64, segmentBytes: UInt32,
        kind: SegmentKind, holdsEvents: Bool
    ) {
        self.number = number
        self.salt = salt
        self.baseSequence = baseSequence
        self.endOffset = endOffset
        self.segmentBytes = segmentBytes
        self.kind = kind
        self.holdsEvents = holdsEvents
    }

    func encode(into bytes: inout MutableRawSpan, at base: Int) {
        typealias Layout = SegmentEntryLayout
        bytes.store(number.rawValue, Layout.number, at: base)
        bytes.store(salt, Layout.salt, at: base)
        bytes.store(baseSequence.rawValue, Layout.baseSequence, at: base)
        bytes.store(endOffset, Layout.endOffset, at: base)
        bytes.store(segmentBytes, Layout.segmentBytes, at: base)
        bytes.store(kind.rawValue, Layout.kind, at: base)
        bytes.store(holdsEvents ? 1 : 0, Layout.holdsEvents, at: base)
    }

    /// From the 40 bytes at `base`, which are there.
    init(decoding bytes: RawSpan, at base: Int) throws(FormatError) {
        typealias Layout = SegmentEntryLayout
        guard let kind = SegmentKind(rawValue: bytes.load(Layout.kind, at: base)) else {
            throw .outOfRange(.snapshot, Layout.kind, at: base)
        }
        let holdsEvents = bytes.load(Layout.holdsEvents, at: base)
        guard holdsEvents <= 1 else { throw .outOfRange(.snapshot, Layout.holdsEvents, at: base) }
        guard bytes.load(Layout.reserved, at: base) == 0 else {
            throw FormatError(.snapshot, .reservedNotZero, at: base + Layout.reserved.offset)
        }
        self.init(
            number: SegmentNumber(bytes.load(Layout.number, at: base)), salt: bytes.load(Layout.salt, at: base),
            baseSequence: EventSequence(bytes.load(Layout.baseSequence, at: base)),
            endOffset: bytes.load(Layout.endOffset, at: base), segmentBytes: bytes.load(Layout.segmentBytes, at: base),
            kind: kind, holdsEvents: holdsEvents == 1)
        try check(at: base)
    }

    func check(at base: Int) throws(FormatError) {
        typealias Layout = SegmentEntryLayout
        guard number.rawValue.isNumber else { throw .outOfRange(.snapshot, Layout.number, at: base) }
        guard salt != 0 else { throw .outOfRange(.snapshot, Layout.salt, at: base) }
        guard baseSequence.rawValue.isNumber else { throw .outOfRange(.snapshot, Layout.baseSequence, at: base) }
        guard IdentityBlock.isSegmentSize(UInt64(segmentBytes)) else {
            throw .outOfRange(.snapshot, Layout.segmentBytes, at: base)
        }
        guard endOffset == 0 || (endOffset >= FormatConstants.firstFrameOffset && endOffset <= segmentBytes) else {
            throw .outOfRange(.snapshot, Layout.endOffset, at: base)
        }
    }
}
