public import FileIO
public import LogFormat

/// One segment, read from its beginning to its end: every frame's header, payload, gap and trailer held against their checksums.
///
/// It looks at bytes only. Whether a frame counts (epochs, cuts, what was durable) is for whoever opens the log; frames that a
/// later epoch has cut off are whole, and are counted here. The segment may be in use: what is being written meanwhile is a
/// damaged range at its end.
///
/// Costs one pass over the file and a buffer of 1 MiB (or of the largest frame), whatever the file holds.
public struct SegmentCheck: Sendable {
    public let segment: SegmentNumber
    /// How many of the two copies of its identity are valid.
    public let identities: Int
    /// Whole frames, padding included.
    public private(set) var frames = 0
    /// Events in them.
    public private(set) var events: UInt64 = 0
    /// How far the file was looked through: to the `seal`, or to its end.
    public private(set) var checkedBytes: UInt64 = 0
    /// What no whole frame covers: places in front of whole frames, and behind the last one a frame whose header is valid and
    /// which is not whole (torn, when a crash came in between). The first ``mostRanges`` of them, by offset. Bytes behind the last
    /// frame that no valid header begins are unwritten space, or a former life's; they are looked through, and not judged.
    public private(set) var damaged: [Range<UInt64>] = []
    /// How many such places there are.
    public private(set) var damagedRanges = 0

    /// How many damaged ranges are kept.
    public static let mostRanges = 1_024
    private static let windowBytes = 1 << 20

    /// Opens and reads the segment.
    ///
    /// Throws `fileOperation` when the file cannot be opened, `newerVersion`, and `damaged` when neither copy of the identity is
    /// valid, since no checksum of a frame can be computed without it. What the disk does not give counts as damaged.
    public init(_ number: SegmentNumber, in directory: any StorageDirectory) throws(LogError) {
        let scanned = try ScannedSegment.open(number, in: directory, source: .cache)
        defer { try? scanned.file.close() }
        guard let life = scanned.life, life.segment == number else {
            throw LogError(
                .damaged,
                "\(FileNames.segment(number)) in \(directory.path) has no valid identity of its own, so nothing in it can be "
                    + "checked; the one after it may still name its salt: open the log, which looks there",
                lsn: LSN(segment: number, offset: 0))
        }
        segment = number
        identities = scanned.copies.count
        check(
            SegmentWindow(
                file: scanned.file, life: life, end: scanned.readableEnd, source: .cache, windowBytes: Self.windowBytes)
        )
    }

    private mutating func check(_ window: SegmentWindow) {
        var offset = UInt64(SpaceBudget.identityBytes)
        while true {
            let found = window.probe(at: offset, verifyingPayload: true)
            if case .frame(let header) = found {
                frames += 1
                events += UInt64(header.eventCount)
                offset += UInt64(header.frameBytes)
                checkedBytes = offset
                if header.type == .seal { return }
            } else if let next = window.nextFrame(from: offset + 8) {
                note(offset..<next.offset)
                offset = next.offset
            } else {
                noteEnd(found, at: offset, window)
                checkedBytes = window.end
                return
            }
        }
    }

    /// Nothing whole follows.
    private mutating func noteEnd(_ found: SegmentWindow.Probe, at offset: UInt64, _ window: SegmentWindow) {
        if case .badPayload(let header) = found {
            note(offset..<max(offset + 1, min(offset + UInt64(header.frameBytes), window.end)))
        } else if offset < window.end, window.missedSectors || found.isUnreadable,
            !window.gives(from: offset, to: window.end)
        {
            note(offset..<window.end)
        }
    }

    private mutating func note(_ range: Range<UInt64>) {
        damagedRanges += 1
        if damaged.count < Self.mostRanges { damaged.append(range) }
    }
}

extension SegmentWindow.Probe {
    fileprivate var isUnreadable: Bool { if case .unreadable = self { true } else { false } }
}
