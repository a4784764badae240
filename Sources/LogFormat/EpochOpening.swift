/// Which epoch was begun, where, and what it cut off. Each segment's identity states that of its first frames; see ``OpenRecord``.
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
