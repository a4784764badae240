internal import FileIO
internal import LogFormat

/// The second pass of recovery: from the replay position on, accept what counts, decide what does not by the table.
struct TailJudge {
    let scan: [ScannedSegment]
    let ledger: EpochLedger
    let proven: DurableThrough
    /// Segment numbers that a durable snapshot lists as retired, as far as the scan knows.
    let isRetired: (SegmentNumber) -> Bool

    private(set) var report: RecoveryReport
    private(set) var tail: DurableThrough
    /// The segment of the tail, when it can be written on.
    private(set) var tailSegment: ScannedSegment?
    /// Damage, an unreadable or missing part: the last segment is left as it is.
    private(set) var mustStartFresh = false
    /// What the scan learned of each segment it went through.
    private(set) var entries: [SegmentEntry] = []
    /// Segments that accepted snapshots list as gone.
    private(set) var retired: Set<SegmentNumber> = []
    private(set) var recordedLosses: Set<DamagedRange> = []
    /// Accepted frames that are not known to be durable where they stand.
    private(set) var carried: [ReplayedFrame] = []
    private(set) var provenEndsInMissingSegment = false

    /// The segments as the base snapshot lists them: a scan that starts in the middle of one does not see all of it.
    private let known: [SegmentNumber: SegmentEntry]
    private var index = 0
    private var offset: UInt64
    private var expected: EventSequence
    private var previous = TailSituation.Previous.frame
    private var seal: SealRecord?
    private var window: SegmentWindow?

    init(
        scan: [ScannedSegment], known: [SegmentEntry], ledger: EpochLedger, start: DurableThrough,
        proven: DurableThrough, report: RecoveryReport, isRetired: @escaping (SegmentNumber) -> Bool
    ) {
        self.known = Dictionary(known.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        self.scan = scan.filter { !ledger.voids($0.number) && $0.life != nil }
        self.ledger = ledger
        self.proven = proven
        self.report = report
        self.isRetired = isRetired
        offset = start.lsn.offset
        expected = start.nextSequence
        tail = start
    }

    /// Goes through the log. `replay` gets every accepted frame that is durable where it stands, in order.
    mutating func run(
        start: DurableThrough, replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) {
        guard let first = scan.firstIndex(where: { $0.number >= start.lsn.segment }) else {
            missingToTheEnd(start.lsn.segment, from: start.lsn.offset)
            return
        }
        if scan[first].number == start.lsn.segment {
            enter(first, at: start.lsn.offset)
        } else if ledger.opening(cuttingAt: start.lsn) != nil {
            enter(first, at: UInt64(SpaceBudget.identityBytes))
        } else {
            missing(start.lsn.segment, from: start.lsn.offset, goingOnAt: first)
        }
        while let segment = window?.life.segment {
            let lsn = LSN(segment: segment, offset: offset)
            let (found, header) = look(at: lsn)
            var situation = TailSituation(
                found: found, previous: previous, vouched: proven.lsn > lsn, beyond: .nothing)
            var next: (offset: UInt64, header: FrameHeader)?
            if found != .frame || previous == .seal { (situation.beyond, next) = beyond(lsn) }
            let row = TailTable.row(for: situation)
            report.rows[row.name, default: 0] += 1
            switch row.action {
            case .accept: try accept(header!, at: lsn, replay)
            case .nextSegment: goOn(from: lsn)
            case .skipToOpen:
                offset = ledger.opening(cuttingAt: lsn)!.lsn.offset
                previous = .frame
            case .cut: return cut(at: lsn)
            case .cutUnreadable:
                report.unreadable.append(
                    DamagedRange(.unreadable, segment, offset, 0, expected, expected))
                mustStartFresh = true
                return cut(at: lsn)
            case .damageToFrame, .holdToFrame:
                lost(row.action == .holdToFrame, to: next!.offset, endSequence: next!.header.baseSequence)
                offset = next!.offset
                previous = .frame
            case .damageToSegment, .holdToSegment:
                let later = nextSegmentWithFrames(after: index)!
                lost(row.action == .holdToSegment, to: 0, endSequence: later.header.baseSequence)
                enter(later.index, at: UInt64(SpaceBudget.identityBytes))
            case .damageToStatement, .holdToStatement:
                let inside = proven.lsn.segment == segment
                lost(
                    row.action == .holdToStatement, to: inside ? proven.lsn.offset : 0,
                    endSequence: max(proven.nextSequence, expected))
                return end(at: proven.lsn)
            case .missingSegment:
                let gone = seal!.nextSegment
                if let later = nextSegmentWithFrames(after: index) {
                    missing(gone, from: 0, goingOnAt: later.index)
                } else {
                    return missingToTheEnd(gone, from: 0)
                }
            }
        }
    }

    // MARK: Looking

    private func look(at lsn: LSN) -> (TailSituation.Found, FrameHeader?) {
        switch window!.probe(at: lsn.offset, verifyingPayload: true) {
        case .unreadable: return (.unreadable, nil)
        case .nothing: return (.nothing, nil)
        case .badPayload(let header):
            return (ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn) ? .stale : .badPayload, header)
        case .frame(let header):
            if ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn) { return (.stale, header) }
            // A frame that numbers events again is not one that the log wrote here.
            return header.baseSequence < expected ? (.nothing, nil) : (.frame, header)
        }
    }

    private func beyond(_ lsn: LSN) -> (TailSituation.Beyond, (offset: UInt64, header: FrameHeader)?) {
        if let opening = ledger.opening(cuttingAt: lsn) {
            if opening.lsn.segment == lsn.segment { return (.openHere, nil) }
            if scan.contains(where: { $0.number == opening.lsn.segment }) { return (.openLater, nil) }
        }
        if previous == .seal {
            return (scan.contains { $0.number == seal?.nextSegment } ? .segment : .nothing, nil)
        }
        if let next = nextFrame(in: window!, after: lsn.offset) { return (.frame, next) }
        return (nextSegmentWithFrames(after: index) == nil ? .nothing : .segment, nil)
    }

    private func nextFrame(
        in window: SegmentWindow, after start: UInt64
    ) -> (offset: UInt64, header: FrameHeader)? {
        var from = start + 8
        while let (position, header) = window.nextHeader(from: from) {
            let lsn = LSN(segment: window.life.segment, offset: position)
            if !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn), header.baseSequence >= expected,
                case .frame = window.probe(at: position, verifyingPayload: true)
            {
                return (position, header)
            }
            from = position + 8
        }
        return nil
    }

    /// The next segment whose first frame is valid and counts.
    private func nextSegmentWithFrames(after index: Int) -> (index: Int, header: FrameHeader)? {
        for later in scan.indices where later > index {
            let start = UInt64(SpaceBudget.identityBytes)
            guard let window = scan[later].window() else { continue }
            let lsn = LSN(segment: scan[later].number, offset: start)
            if case .frame(let header) = window.probe(at: start, verifyingPayload: true),
                !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn), header.baseSequence >= expected
            {
                return (later, header)
            }
            // Its first frame is damaged; a later one of it counts just as well.
            if let next = nextFrame(in: window, after: start) { return (later, next.header) }
        }
        return nil
    }

    // MARK: Moving

    private mutating func enter(_ index: Int, at offset: UInt64) {
        self.index = index
        self.offset = offset
        previous = .frame
        seal = nil
        mustStartFresh = false
        window = scan[index].window()
        report.segmentsScanned += 1
    }

    private mutating func accept(
        _ header: FrameHeader, at lsn: LSN, _ replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) {
        if header.baseSequence > expected {
            // No bytes are missing, but numbers are: whatever held them is gone with its segment.
            record(
                DamagedRange(
                    .damaged, lsn.segment, lsn.offset, lsn.offset, expected, header.baseSequence))
            expected = header.baseSequence
        }
        let payload: [UInt8]
        do throws(FileError) {
            payload = try window!.payload(of: header, at: lsn.offset)
        } catch {
            throw .file(error, "the frame at \(lsn) was read a moment ago and cannot be read again")
        }
        var entry = entries.last { $0.number == lsn.segment } ?? newEntry(at: lsn, header)
        if header.type == .put { entry.holdsEvents = true }
        let end = LSN(segment: lsn.segment, offset: lsn.offset + UInt64(header.frameBytes))
        switch header.type {
        case .seal:
            seal = try? SealRecord(decoding: payload.rawSpan)
            entry.endOffset = end.offset
            previous = .seal
        case .close: previous = .close
        default: previous = .frame
        }
        if header.type == .snapshot, let snapshot = try? Snapshot(decoding: payload.rawSpan) {
            retired.formUnion(snapshot.retiredNumbers(among: scan.map(\.number) + entries.map(\.number)))
        }
        if header.type == .loss, let loss = try? LossRecord(decoding: payload.rawSpan) {
            recordedLosses.insert(DamagedRange(loss))
        }
        if entries.last?.number == lsn.segment { entries[entries.count - 1] = entry } else { entries.append(entry) }
        expected = EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))
        offset = end.offset
        tail = DurableThrough(lsn: end, nextSequence: expected)
        report.framesReplayed += 1
        let frame = ReplayedFrame(lsn: lsn, end: end, header: header, payload: payload)
        if lsn >= proven.lsn, scan[0...index].contains(where: \.syncFailed) {
            carried.append(frame)
        } else {
            try replay(frame)
        }
    }

    private func newEntry(at lsn: LSN, _ header: FrameHeader) -> SegmentEntry {
        if var entry = known[lsn.segment] {
            entry.endOffset = 0
            return entry
        }
        return SegmentEntry(
            number: lsn.segment, salt: scan[index].life!.salt, baseSequence: header.baseSequence, endOffset: 0,
            segmentBytes: UInt32(min(scan[index].segmentBytes, UInt64(UInt32.max))),
            kind: scan[index].identity?.kind ?? .regular, holdsEvents: false)
    }

    private mutating func goOn(from lsn: LSN) {
        endEntry(at: lsn.offset)
        // An opening that cuts right behind a seal goes before the seal: the segment it names was voided.
        let target = ledger.opening(cuttingAt: lsn)?.lsn.segment ?? seal!.nextSegment
        let next = scan.firstIndex { $0.number == target }!
        enter(next, at: UInt64(SpaceBudget.identityBytes))
        tail = DurableThrough(lsn: LSN(segment: target, offset: offset), nextSequence: expected)
    }

    private mutating func endEntry(at offset: UInt64) {
        if let last = entries.last, last.number == scan[index].number { entries[entries.count - 1].endOffset = offset }
    }

    // MARK: Ending

    private mutating func cut(at lsn: LSN) {
        report.wasClosedCleanly = previous == .close
        noteCutFrames(behind: lsn)
        tailSegment = scan[index]
        tail = DurableThrough(lsn: lsn, nextSequence: max(expected, proven.nextSequence))
    }

    private mutating func end(at lsn: LSN) {
        mustStartFresh = true
        endEntry(at: lsn.segment == scan[index].number ? lsn.offset : offset)
        tail = DurableThrough(lsn: max(lsn, LSN(segment: scan[index].number, offset: offset)), nextSequence: expected)
    }

    private mutating func lost(_ unreadable: Bool, to end: UInt64, endSequence: EventSequence) {
        let range = DamagedRange(
            unreadable ? .unreadable : .damaged, scan[index].number, offset, end, expected, endSequence)
        if unreadable { report.unreadable.append(range) } else { record(range) }
        endEntry(at: end == 0 ? offset : 0)
        expected = max(expected, endSequence)
        mustStartFresh = true
    }

    private mutating func missing(_ number: SegmentNumber, from: UInt64, goingOnAt later: Int) {
        let start = UInt64(SpaceBudget.identityBytes)
        var base = expected
        if let window = scan[later].window(), case .frame(let header) = window.probe(at: start, verifyingPayload: true) {
            base = max(base, header.baseSequence)
        } else if let header = nextSegmentWithFrames(after: later - 1)?.header {
            base = max(base, header.baseSequence)
        }
        if !isRetired(number) { record(DamagedRange(.segmentMissing, number, from, 0, expected, base)) }
        expected = base
        enter(later, at: start)
        tail = DurableThrough(lsn: LSN(segment: scan[later].number, offset: start), nextSequence: expected)
    }

    /// The newest segment is gone, and what it held is known only as far as somebody states it. Its numbers must not be
    /// used again, so the sequence jumps by as many events as it could have held.
    private mutating func missingToTheEnd(_ number: SegmentNumber, from: UInt64) {
        let room = UInt64(scan.last?.segmentBytes ?? UInt64(SpaceBudget.smallestSegmentBytes)) * 32
        var end = EventSequence(expected.rawValue + room)
        if proven.lsn.segment >= number { end = max(end, EventSequence(proven.nextSequence.rawValue + room)) }
        record(DamagedRange(.segmentMissing, number, from, 0, expected, end))
        expected = end
        mustStartFresh = true
        let start = LSN(segment: number, offset: max(from, UInt64(SpaceBudget.identityBytes)))
        tail = DurableThrough(lsn: max(start, proven.lsn), nextSequence: expected)
    }

    private mutating func record(_ range: DamagedRange) { report.losses.append(range) }

    /// Whole frames behind the cut are named, up to a bound; they are set aside with everything else that is there.
    private mutating func noteCutFrames(behind lsn: LSN) {
        for later in index..<scan.count where report.unknown.count < 256 {
            guard let window = scan[later].window() else { continue }
            var from = later == index ? lsn.offset : UInt64(SpaceBudget.identityBytes)
            while report.unknown.count < 256, let (position, header) = window.nextHeader(from: from) {
                let place = LSN(segment: scan[later].number, offset: position)
                guard !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: place),
                    case .frame = window.probe(at: position, verifyingPayload: true)
                else {
                    from = position + 8
                    continue
                }
                if header.type != .padding {
                    report.unknown.append(
                        CutFrame(
                            lsn: place, type: header.type, frameBytes: header.frameBytes,
                            firstSequence: header.baseSequence,
                            endSequence: EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))))
                }
                from = position + UInt64(header.frameBytes)
            }
        }
    }
}
