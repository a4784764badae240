/// How events were lost.
public enum LossReason: UInt8, CaseIterable, Sendable {
    case damaged = 1
    case segmentMissing = 2
    /// The log is shorter than a statement of what was durable.
    case shorterThanStated = 3
    /// Unreadable, and skipped by an operator.
    case unreadable = 4
}

/// A range that damage took, with its place: the payload of a `loss` frame. DESIGN.md 3.8.
public struct LossRecord: Equatable, Sendable {
    public var reason: LossReason
    /// Where. Not zero.
    public var segment: SegmentNumber
    /// First byte of the range.
    public var fromOffset: UInt64
    /// Its end, not in it; 0 when the rest of the segment is meant.
    public var toOffset: UInt64
    /// The sequences lost, from 1.
    public var firstSequence: EventSequence
    /// The sequence behind the last one lost; equal to the first when no events were lost.
    public var endSequence: EventSequence

    public init(
        reason: LossReason, segment: SegmentNumber, fromOffset: UInt64, toOffset: UInt64, firstSequence: EventSequence,
        endSequence: EventSequence
    ) {
        self.reason = reason
        self.segment = segment
        self.fromOffset = fromOffset
        self.toOffset = toOffset
        self.firstSequence = firstSequence
        self.endSequence = endSequence
    }

    /// The 48 bytes of the raw payload. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        typealias Layout = LossLayout
        return .filled(Layout.byteCount) { bytes in
            bytes.store(reason.rawValue, Layout.reason, at: 0)
            bytes.store(segment.rawValue, Layout.segment, at: 0)
            bytes.store(fromOffset, Layout.fromOffset, at: 0)
            bytes.store(toOffset, Layout.toOffset, at: 0)
            bytes.store(firstSequence.rawValue, Layout.firstSequence, at: 0)
            bytes.store(endSequence.rawValue, Layout.endSequence, at: 0)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        typealias Layout = LossLayout
        var cursor = ReadCursor(.lossRecord, bytes)
        let base = try cursor.skip(Layout.byteCount)
        try cursor.finish()
        guard let reason = LossReason(rawValue: bytes.load(Layout.reason, at: base)) else {
            throw .outOfRange(.lossRecord, Layout.reason, at: base)
        }
        guard bytes.isZero(Layout.reserved.range) else {
            throw FormatError(.lossRecord, .reservedNotZero, at: Layout.reserved.offset)
        }
        self.init(
            reason: reason, segment: SegmentNumber(bytes.load(Layout.segment, at: base)),
            fromOffset: bytes.load(Layout.fromOffset, at: base), toOffset: bytes.load(Layout.toOffset, at: base),
            firstSequence: EventSequence(bytes.load(Layout.firstSequence, at: base)),
            endSequence: EventSequence(bytes.load(Layout.endSequence, at: base)))
        try check()
    }

    private func check() throws(FormatError) {
        typealias Layout = LossLayout
        guard segment.rawValue.isNumber else { throw .outOfRange(.lossRecord, Layout.segment, at: 0) }
        guard fromOffset <= FormatConstants.maximumSegmentBytes, toOffset <= FormatConstants.maximumSegmentBytes
        else {
            throw .outOfRange(.lossRecord, Layout.fromOffset, at: 0)
        }
        guard toOffset == 0 || toOffset >= fromOffset else { throw .outOfRange(.lossRecord, Layout.toOffset, at: 0) }
        guard firstSequence.rawValue.isNumber else { throw .outOfRange(.lossRecord, Layout.firstSequence, at: 0) }
        guard endSequence >= firstSequence, endSequence.rawValue.isNumber else {
            throw .outOfRange(.lossRecord, Layout.endSequence, at: 0)
        }
    }
}
