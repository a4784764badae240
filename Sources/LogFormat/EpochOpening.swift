/// Which epoch was begun, where, and what it cut off: as its `open` frame says (``OpenRecord``), in the identities of segments.
public struct EpochOpening: Equatable, Sendable {
    /// From 1.
    public var epoch: Epoch
    /// Random, not zero.
    public var nonce: UInt64
    /// Frames of lower epochs from here on are stale, and this epoch's events are numbered from here on.
    public var cut: DurableThrough
    /// Where its `open` frame stands: the segment of the cut, or a later one.
    public var segment: SegmentNumber

    public init(epoch: Epoch, nonce: UInt64, cut: DurableThrough, segment: SegmentNumber) {
        self.epoch = epoch
        self.nonce = nonce
        self.cut = cut
        self.segment = segment
    }
}

extension EpochOpening {
    init(in bytes: RawSpan, at offset: Int) {
        typealias Layout = OpeningLayout
        self.init(
            epoch: Epoch(bytes.load(Layout.epoch, at: offset)), nonce: bytes.load(Layout.nonce, at: offset),
            cut: DurableThrough(
                lsn: LSN(
                    segment: SegmentNumber(bytes.load(Layout.cutSegment, at: offset)),
                    offset: bytes.load(Layout.cutOffset, at: offset)),
                nextSequence: EventSequence(bytes.load(Layout.nextSequence, at: offset))),
            segment: SegmentNumber(bytes.load(Layout.openSegment, at: offset)))
    }

    func store(in bytes: inout MutableRawSpan, at offset: Int) {
        typealias Layout = OpeningLayout
        bytes.store(epoch.rawValue, Layout.epoch, at: offset)
        bytes.store(nonce, Layout.nonce, at: offset)
        bytes.store(cut.lsn.segment.rawValue, Layout.cutSegment, at: offset)
        bytes.store(cut.lsn.offset, Layout.cutOffset, at: offset)
        bytes.store(cut.nextSequence.rawValue, Layout.nextSequence, at: offset)
        bytes.store(segment.rawValue, Layout.openSegment, at: offset)
    }

    /// What an identity of `owner` may state, behind an epoch that it states before.
    func check(in owner: SegmentNumber, behind earlier: Epoch, at base: Int) throws(FormatError) {
        typealias Layout = OpeningLayout
        guard epoch.rawValue.isNumber, epoch > earlier else {
            throw .outOfRange(.identityBlock, Layout.epoch, at: base)
        }
        guard nonce != 0 else { throw .outOfRange(.identityBlock, Layout.nonce, at: base) }
        let firstFrame = LSN(segment: owner, offset: UInt64(2 * IdentityBlock.byteCount))
        guard cut.isWellFormed, cut != .nothing, cut.lsn <= firstFrame else {
            throw .outOfRange(.identityBlock, Layout.cutOffset, at: base)
        }
        guard segment >= cut.lsn.segment, segment <= owner else {
            throw .outOfRange(.identityBlock, Layout.openSegment, at: base)
        }
    }
}
