/// The state of the pointers after every record before `covered`: the payload of a `snapshot` frame and of a checkpoint
/// slot. DESIGN.md 3.9.
public struct Snapshot: Equatable, Sendable {
    /// State as of this LSN. Replay starts here.
    public var covered: DurableThrough
    /// The epoch at `covered`; 0, with a nonce of 0, before the first.
    public var epoch: Epoch
    public var nonce: UInt64
    /// The segments that are needed, 1 to 4096, ascending by number. A number between the first and the last that is not
    /// there is retired.
    public var segments: [SegmentEntry]
    /// The channel's part: empty, or a ``ClientState``. Not looked into here.
    public var client: [UInt8]

    public init(
        covered: DurableThrough, epoch: Epoch, nonce: UInt64, segments: [SegmentEntry], client: [UInt8] = []
    ) {
        self.covered = covered
        self.epoch = epoch
        self.nonce = nonce
        self.segments = segments
        self.client = client
    }

    /// Bytes without segment table and channel's part.
    public static let headerBytes = SnapshotLayout.byteCount

    /// How long its encoding is.
    public var encodedBytes: Int {
        SnapshotLayout.byteCount + segments.count * SegmentEntryLayout.byteCount + client.count
    }

    /// The raw payload. Throws when a field is out of its range or the whole is longer than 64 MiB.
    public func encode() throws(FormatError) -> [UInt8] {
        typealias Layout = SnapshotLayout
        try check()
        guard (1...FormatConstants.maximumSegments).contains(segments.count) else {
            throw .outOfRange(.snapshot, Layout.segmentCount, at: 0)
        }
        guard encodedBytes <= FormatConstants.maximumRawBytes else {
            throw .outOfRange(.snapshot, Layout.clientBytes, at: 0)
        }
        var previous = SegmentNumber(0)
        for entry in segments {
            try entry.check(at: 0)
            guard entry.number > previous else { throw FormatError(.snapshot, .outOfOrder(.number), at: 0) }
            previous = entry.number
        }
        return .filled(encodedBytes) { bytes in
            bytes.store(covered.lsn.segment.rawValue, Layout.coveredSegment, at: 0)
            bytes.store(covered.lsn.offset, Layout.coveredOffset, at: 0)
            bytes.store(covered.nextSequence.rawValue, Layout.coveredSequence, at: 0)
            bytes.store(epoch.rawValue, Layout.epoch, at: 0)
            bytes.store(nonce, Layout.nonce, at: 0)
            bytes.store(segments[0].number.rawValue, Layout.oldestSegment, at: 0)
            bytes.store(segments[segments.count - 1].number.rawValue, Layout.newestSegment, at: 0)
            bytes.store(UInt32(segments.count), Layout.segmentCount, at: 0)
            bytes.store(UInt32(client.count), Layout.clientBytes, at: 0)
            var cursor = WriteCursor(at: Layout.byteCount)
            for entry in segments { entry.encode(into: &bytes, at: cursor.skip(SegmentEntryLayout.byteCount)) }
            cursor.array(client, &bytes)
        }
    }

    /// From exactly the bytes of a raw payload.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        typealias Layout = SnapshotLayout
        var cursor = ReadCursor(.snapshot, bytes)
        let base = try cursor.skip(Layout.byteCount)
        covered = DurableThrough(
            lsn: LSN(
                segment: SegmentNumber(bytes.load(Layout.coveredSegment, at: base)),
                offset: bytes.load(Layout.coveredOffset, at: base)),
            nextSequence: EventSequence(bytes.load(Layout.coveredSequence, at: base)))
        epoch = Epoch(bytes.load(Layout.epoch, at: base))
        nonce = bytes.load(Layout.nonce, at: base)
        let count = Int(bytes.load(Layout.segmentCount, at: base))
        try cursor.check(
            count, .segmentCount, in: 1...FormatConstants.maximumSegments, eachAtLeast: SegmentEntryLayout.byteCount)
        segments = []
        segments.reserveCapacity(count)
        for _ in 0..<count {
            let place = try cursor.skip(SegmentEntryLayout.byteCount)
            let entry = try SegmentEntry(decoding: bytes, at: place)
            guard entry.number > segments.last?.number ?? SegmentNumber(0) else {
                throw FormatError(.snapshot, .outOfOrder(.number), at: place)
            }
            segments.append(entry)
        }
        client = try cursor.array(Int(bytes.load(Layout.clientBytes, at: base)), bytes)
        try cursor.finish()
        guard bytes.load(Layout.oldestSegment, at: base) == segments[0].number.rawValue else {
            throw FormatError(.snapshot, .mismatch(.oldestSegment), at: Layout.oldestSegment.offset)
        }
        guard bytes.load(Layout.newestSegment, at: base) == segments[count - 1].number.rawValue else {
            throw FormatError(.snapshot, .mismatch(.newestSegment), at: Layout.newestSegment.offset)
        }
        try check()
    }

    private func check() throws(FormatError) {
        guard covered.isWellFormed else { throw .outOfRange(.snapshot, SnapshotLayout.coveredSegment, at: 0) }
        guard (epoch.rawValue == 0) == (nonce == 0), epoch.rawValue <= FormatConstants.maximumNumber
        else { throw .outOfRange(.snapshot, SnapshotLayout.nonce, at: 0) }
    }
}
