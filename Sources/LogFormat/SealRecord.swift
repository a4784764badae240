/// The end of a segment: the payload of a `seal` frame. DESIGN.md 3.8.
public struct SealRecord: Equatable, Sendable {
    /// The segment that goes on; its identity is durable. Not zero.
    public var nextSegment: SegmentNumber
    /// Its salt. Not zero.
    public var nextSalt: UInt64

    public init(nextSegment: SegmentNumber, nextSalt: UInt64) {
        self.nextSegment = nextSegment
        self.nextSalt = nextSalt
    }

    /// The 16 bytes of the raw payload. Throws when a field is zero.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        return .filled(SealLayout.byteCount) { bytes in
            bytes.store(nextSegment.rawValue, SealLayout.nextSegment, at: 0)
            bytes.store(nextSalt, SealLayout.nextSalt, at: 0)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.sealRecord, bytes)
        let base = try cursor.skip(SealLayout.byteCount)
        try cursor.finish()
        self.init(
            nextSegment: SegmentNumber(bytes.load(SealLayout.nextSegment, at: base)),
            nextSalt: bytes.load(SealLayout.nextSalt, at: base))
        try check()
    }

    private func check() throws(FormatError) {
        guard nextSegment.rawValue.isNumber else { throw .outOfRange(.sealRecord, SealLayout.nextSegment, at: 0) }
        guard nextSalt != 0 else { throw .outOfRange(.sealRecord, SealLayout.nextSalt, at: 0) }
    }
}
