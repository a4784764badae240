internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// Finds the put frame that holds a sequence: in the tail cache, among the last ones that were used, else in the log, by
/// reading on in order where that is near and by looking the place up where it is not.
///
/// One thread at a time: guarded by the channel's turn for taking. Memory: a few frames, one MiB of them (or one that is
/// larger) read ahead, and one window of the reader.
final class FrameStore: @unchecked Sendable {
    enum Found {
        case frame(StoredFrame)
        /// These sequences are gone; the range says where they stood.
        case lost(DamagedRange)
        /// Gone without a place: their numbers are missing between two whole frames.
        case missing(SequenceRange, LSN)
        /// The disk does not give them at present.
        case unreadable(DamagedRange)
        /// Nothing durable stands there.
        case nothing

        fileprivate var isGone: Bool {
            switch self {
            case .lost, .missing: true
            case .frame, .unreadable, .nothing: false
            }
        }
    }

    private let log: Log
    private let ledger: PointerLedger
    private var reader: PutReader?
    /// Where the reader's next put frame begins, or later.
    private var readerNext = EventSequence(0)
    /// Used lately, the last one last.
    private var recent: [StoredFrame] = []
    private let recentBytes: Int

    /// Reading on beats looking up when what lies between is not much more than a segment's headers.
    private static let nearEvents: UInt64 = 65_536
    private static let aheadBytes = 1 << 20
    /// What is made ready in some 20 microseconds.
    private static let stepBytes = 16 << 10

    init(_ log: Log, _ ledger: PointerLedger, recentBytes: Int) {
        self.log = log
        self.ledger = ledger
        self.recentBytes = recentBytes
    }

    /// Costs nothing but a look-up for a taker who keeps up; else about one read for each MiB of log.
    func find(_ sequence: EventSequence) throws(ChannelError) -> Found {
        if let frame = recent.last(where: { $0.range.contains(sequence) }) { return .frame(frame) }
        if let put = ledger.lock.withLock({ ledger.cache.find(sequence) }), let frame = StoredFrame(put) {
            // An open reader keeps the blocks of its segment on the disk, even when that was retired.
            reader = nil
            return .frame(keep(frame))
        }
        do throws(LogError) { return try read(sequence) } catch {
            forget()
            throw ChannelError(error)
        }
    }

    /// Leaves the place where the reader stands: after an error, or when what it passed is to be read again.
    func forget() {
        reader = nil
        recent = []
    }

    private func read(_ sequence: EventSequence) throws(LogError) -> Found {
        if reader == nil || readerNext > sequence || sequence.rawValue - readerNext.rawValue > Self.nearEvents {
            reader = PutReader(log.makeReader(at: sequence))
            readerNext = sequence
        }
        var held: DamagedRange?
        if let found = try readOn(to: sequence, &held), !found.isGone { return found }
        // Before anything is said of what is not there: once more, everything from where its segment begins, and by a list of
        // segments that is older than this look.
        let segments = log.segments
        let segment = segments.last { $0.baseSequence <= sequence }
        reader = PutReader(log.makeReader(from: segment.map { LSN(segment: $0.number, offset: 0) }))
        readerNext = segment?.baseSequence ?? EventSequence(1)
        held = nil
        return try readOn(to: sequence, &held) ?? notFound(sequence, held, segments)
    }

    /// nil when the reader has come to the end of the log. `held`: the last place on the way that the disk did not give.
    private func readOn(to sequence: EventSequence, _ held: inout DamagedRange?) throws(LogError) -> Found? {
        while let item = try reader!.next(reaching: sequence) {
            switch item {
            case .frame(let frame):
                readerNext = frame.end
                if frame.base > sequence {
                    // The frame is asked for again when its turn comes.
                    reader = nil
                    return .missing(SequenceRange(first: sequence, end: frame.base), frame.lsn)
                }
                return .frame(keep(frame))
            case .damage(let range), .unreadable(let range):
                readerNext = max(readerNext, range.endSequence)
                let isHeld = if case .unreadable = item { true } else { false }
                guard range.endSequence > sequence else {
                    if isHeld { held = range }
                    continue
                }
                if range.firstSequence > sequence {
                    // What is missing before it is in nothing that there is. The place itself is come to again.
                    reader = nil
                    return .missing(
                        SequenceRange(first: sequence, end: range.firstSequence),
                        LSN(segment: range.segment, offset: range.fromOffset))
                }
                // The place may begin in front of what is asked for, also where the segment only says so (an opening that could not
                // read the end of one gave the next one the first number of what it held): of that nothing is said here.
                var range = range
                range.firstSequence = sequence
                return isHeld ? .unreadable(range) : .lost(range)
            }
        }
        reader = nil
        return nil
    }

    /// The log is being read in order, and there is little in hand for the next take.
    var shouldReadAhead: Bool { reader.map { $0.aheadBytes < Self.aheadBytes / 2 } ?? false }

    /// Reads on while nobody waits for the turn, and gives way now and then; not with the turn that somebody waits for already.
    func readAhead(unless isWanted: () -> Bool, givingWay giveWay: () -> Void) {
        var bytes = reader?.aheadBytes ?? 0
        while let reader, reader.aheadBytes < Self.aheadBytes, !isWanted(), reader.readAhead() {
            guard reader.aheadBytes - bytes >= Self.stepBytes, !isWanted() else { continue }
            giveWay()
            bytes = reader.aheadBytes
        }
    }

    private func notFound(
        _ sequence: EventSequence, _ held: DamagedRange?, _ segments: [SegmentSummary]
    ) -> Found {
        // In front of the log, or in one of its segments; of the active one nothing can be said yet.
        guard
            let segment = segments.first(where: { $0.endSequence > sequence })
                ?? segments.last(where: { $0.baseSequence > sequence }),
            segment.baseSequence > sequence || segment.number != segments.last?.number
        else { return .nothing }
        if segment.baseSequence <= sequence, var held, held.segment == segment.number {
            // An opening that could not read the end of a segment gave it numbers for all that may stand there.
            held.firstSequence = sequence
            held.endSequence = segment.endSequence
            return .unreadable(held)
        }
        // Its segment was let go, and for that it was decided; what became of it stands in what is damaged or cannot be read. Or
        // the end of its segment can be read again, and there was nothing.
        let end = segment.baseSequence > sequence ? segment.baseSequence : segment.endSequence
        return .missing(SequenceRange(first: sequence, end: end), log.durableThrough.lsn)
    }

    private func keep(_ frame: StoredFrame) -> StoredFrame {
        recent.append(frame)
        var bytes = recent.reduce(0) { $0 + $1.bytes }
        while recent.count > 1, recent.count > 4 || bytes > recentBytes {
            bytes -= recent.removeFirst().bytes
        }
        return frame
    }
}

extension StoredFrame {
    /// nil when it cannot be looked into, which for bytes of this process's own making does not happen.
    convenience init?(_ put: RecentPut) {
        guard
            let index = try? PutFrameIndex(
                indexing: put.raw.rawSpan, eventCount: put.eventCount, transactionCount: 1)
        else { return nil }
        self.init(base: put.base, lsn: put.lsn, commitTime: put.commitTime, raw: put.raw, index: index)
    }

    /// From the log. nil when the payload is not valid though its checksums are right: forged, or of a faulty writer.
    convenience init?(_ frame: LogFrame) {
        let header = frame.header
        guard let raw = try? FramePayload.decompress(frame.payload, header: header),
            let index = try? PutFrameIndex(
                indexing: raw.rawSpan, eventCount: header.eventCount, transactionCount: header.transactionCount)
        else { return nil }
        self.init(
            base: header.baseSequence, lsn: frame.lsn, commitTime: header.commitTime, raw: raw, index: index)
    }
}

extension LogFrame {
    var sequences: SequenceRange {
        SequenceRange(
            first: header.baseSequence, end: header.baseSequence.advanced(by: UInt64(header.eventCount)))
    }

    /// The frame as a damaged range.
    var whole: DamagedRange {
        DamagedRange(
            LossRecord(
                reason: .damaged, segment: lsn.segment, fromOffset: lsn.offset,
                toOffset: lsn.offset + UInt64(header.frameBytes), firstSequence: sequences.first,
                endSequence: sequences.end))
    }
}
