internal import FileIO
internal import LogFormat

/// The second pass of recovery: from the replay position on, accept what counts, decide what does not by the table.
struct TailJudge {
    let view: TailView
    let proven: DurableThrough
    /// Of the segments that there are, or that the base lists, those that a durable snapshot lists as retired.
    private let retiredBefore: Set<SegmentNumber>
    /// The durable snapshots that were found before the scan.
    private let snapshots: [Snapshot]

    private var scan: [ScannedSegment] { view.scan }
    private var known: [SegmentNumber: SegmentEntry] { view.known }

    private(set) var report: RecoveryReport
    /// Where replay begins: what is older is served, and not looked at.
    private(set) var firstSegment: SegmentNumber
    private(set) var tail: DurableThrough
    /// The segment of the tail, when it can be written on.
    private(set) var tailSegment: ScannedSegment?
    /// Damage, an unreadable or missing part: the last segment is left as it is.
    private(set) var mustStartFresh = false
    /// What the scan learned of each segment it went through.
    private(set) var entries: [SegmentEntry] = []
    /// Segments that accepted snapshots list as gone.
    private(set) var retired: Set<SegmentNumber> = []
    /// Of the snapshots that were accepted on the way, the one that covers most.
    private(set) var lastSnapshot: Snapshot?
    /// The epoch in force at the tail; nil when no frame was accepted.
    private(set) var lastEpoch: EpochStart?
    /// The segment of the last frame that was accepted.
    private var lastAccepted: SegmentNumber?
    private(set) var recordedLosses: Set<DamagedRange> = []
    /// What was decided where no frame that counts stands, for whoever asks why; the first ones of very many.
    private(set) var decisions: [TailDecision] = []
    private static let mostDecisions = 1024
    /// Accepted frames that are not known to be durable where they stand.
    private(set) var carried: [ReplayedFrame] = []

    /// All segments that there are, or should be: what a snapshot does not list of them is retired.
    private let numbers: [SegmentNumber]
    private var index = 0
    private var offset: UInt64
    private var expected: EventSequence
    private var previous = TailSituation.Previous.frame
    private var seal: SealRecord?
    private var window: SegmentWindow?

    init(
        _ view: TailView, present: [SegmentNumber], start: DurableThrough, proven: DurableThrough,
        report: RecoveryReport, retired: Set<SegmentNumber>, snapshots: [Snapshot]
    ) {
        self.view = view
        numbers = present + view.known.keys
        self.proven = proven
        self.report = report
        retiredBefore = retired
        self.snapshots = snapshots
        offset = start.lsn.offset
        // A snapshot of before the first event, which only a forged one is, states no sequence.
        expected = max(start.nextSequence, EventSequence(1))
        tail = DurableThrough(lsn: start.lsn, nextSequence: expected)
        firstSegment = start.lsn.segment
    }

    /// Goes through the log. `replay` gets every accepted frame that is durable where it stands, in order.
    mutating func run(
        start: DurableThrough, replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) {
        let (from, place) = entrance(start.lsn)
        firstSegment = from
        let first = scan.firstIndex { $0.number >= from }
        if first.map({ scan[$0].number }) != from, let entry = known[from] {
            // It is gone altogether, with what the snapshot covers of it, too.
            expected = entry.baseSequence
        }
        if let first, scan[first].number == from {
            enter(first, at: place)
        } else if !goOn(without: from, after: (first ?? scan.endIndex) - 1) {
            return
        }
        while let window {
            let lsn = LSN(segment: window.life.segment, offset: self.offset)
            let place = TailView.Place(index: index, lsn: lsn, window: window, expected: expected)
            var (found, header) = view.look(at: place)
            let isVouched = proven.lsn > lsn
            var outlook = TailView.Outlook()
            if found != .frame || previous == .seal {
                outlook = view.lookBeyond(place, behind: previous == .seal ? seal : nil)
                if previous != .seal, view.isPartlyUnreadable(place, isVouched, outlook) { found = .unreadable }
            }
            #if PlantedBugs
                if PlantedBug.cutDamageAsTail.isPlanted, found != .frame, previous != .seal, outlook.opening == nil {
                    return cut(at: lsn)
                }
                if PlantedBug.stepOverHole.isPlanted, found != .frame, outlook.beyond == .frame {
                    _ = try act(.damageToFrame, at: lsn, outlook)
                    continue
                }
            #endif
            let situation = TailSituation(
                found: found, previous: previous, vouched: isVouched, beyond: outlook.beyond)
            let row = TailTable.row(for: situation)
            if row.action != .accept, decisions.count < Self.mostDecisions {
                decisions.append(TailDecision(situation, row, at: lsn))
            }
            report.rows[row.name, default: 0] += 1
            if let header, row.action == .accept {
                try accept(header, at: lsn, in: window, replay)
            } else if try !act(row.action, at: lsn, outlook) {
                return
            }
        }
    }

    /// Carries out what the table says; false when the log ends here.
    private mutating func act(_ action: TailAction, at lsn: LSN, _ outlook: TailView.Outlook) throws(LogError) -> Bool {
        switch action {
        case .accept: preconditionFailure("a frame is accepted with its header")
        case .cut: cut(at: lsn)
        case .cutUnreadable: hold(from: lsn)
        case .skipToOpen:
            offset = outlook.opening.promised.lsn.offset
            previous = .frame
            return true
        case .nextSegment:
            // An opening that cuts right behind a seal goes before the seal: the segment it names was voided.
            if let opening = outlook.opening, opening.nextSequence > expected {
                // The recovery that opened it found this segment short, and jumped.
                record(
                    DamagedRange(.shorterThanStated, lsn.segment, lsn.offset, 0, expected, opening.nextSequence))
                expected = opening.nextSequence
            }
            let next = outlook.opening?.lsn.segment ?? seal.promised.nextSegment
            guard scan.contains(where: { $0.number == next }) else {
                endEntry(at: lsn.offset)
                return goOn(without: next, after: index)
            }
            goOn(from: lsn, to: next)
            return true
        case .damageToFrame, .holdToFrame:
            let next = outlook.frame.promised
            lost(action == .holdToFrame, to: next.offset, endSequence: next.header.baseSequence)
            offset = next.offset
            previous = .frame
            return true
        case .damageToSegment, .holdToSegment:
            let later = outlook.segment.promised
            let end = later.header.baseSequence
            if action == .holdToSegment, let window {
                leaveHeld(lsn, in: window, until: end, for: later.index, at: later.offset)
                enter(later.index, at: later.offset)
                return true
            }
            leave(lsn, until: end)
            enter(later.index, at: UInt64(SpaceBudget.identityBytes))
            return true
        case .damageToStatement: damageToStatement()
        case .holdToStatement: return holdToStatement(from: lsn)
        case .missingSegment: return goOn(without: seal.promised.nextSegment, after: index)
        }
        return false
    }

    /// A snapshot that covers all of a segment leads to the beginning of the next one that it lists.
    private func entrance(_ start: LSN) -> (SegmentNumber, UInt64) {
        // One that it does not list at all it lets go, which it may only when it covers it.
        let entry = known[start.segment]
        guard entry == nil || entry?.endOffset == start.offset,
            let next = known.keys.filter({ $0 > start.segment }).min()
        else { return (start.segment, start.offset) }
        return (next, UInt64(SpaceBudget.identityBytes))
    }

    // MARK: Moving

    private mutating func enter(_ index: Int, at offset: UInt64) {
        self.index = index
        self.offset = offset
        previous = .frame
        seal = nil
        mustStartFresh = false
        window = scan[index].takeSurveyed() ?? scan[index].window()
        report.segmentsScanned += 1
        if var entry = known[scan[index].number], entries.last?.number != entry.number {
            entry.endOffset = 0
            entries.append(entry)
        }
    }

    private mutating func accept(
        _ header: FrameHeader, at lsn: LSN, in window: SegmentWindow,
        _ replay: (ReplayedFrame) throws(LogError) -> Void
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
            payload = try window.payload(of: header, at: lsn.offset)
        } catch {
            throw .file(error, "the frame at \(lsn) was read a moment ago and cannot be read again")
        }
        var entry = entryHere(from: header.baseSequence)
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
            retired.formUnion(snapshot.retiredNumbers(among: numbers))
            if snapshot.covered.lsn >= lastSnapshot?.covered.lsn ?? snapshot.covered.lsn { lastSnapshot = snapshot }
        }
        if header.type == .loss, let loss = try? LossRecord(decoding: payload.rawSpan) {
            recordedLosses.insert(DamagedRange(loss))
        }
        note(entry)
        expected = EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))
        offset = end.offset
        tail = DurableThrough(lsn: end, nextSequence: expected)
        report.framesReplayed += 1
        lastEpoch = EpochStart(epoch: header.epoch, nonce: header.nonce)
        lastAccepted = lsn.segment
        let frame = ReplayedFrame(lsn: lsn, end: end, header: header, payload: payload)
        if lsn >= proven.lsn, scan[0...index].contains(where: \.syncFailed) {
            carried.append(frame)
        } else {
            try replay(frame)
        }
    }

    /// What is known of this segment, or a new entry for it.
    private func entryHere(from base: EventSequence) -> SegmentEntry {
        if let last = entries.last, last.number == scan[index].number { return last }
        return SegmentEntry(
            number: scan[index].number, salt: scan[index].life?.salt ?? 1, baseSequence: base, endOffset: 0,
            segmentBytes: UInt32(scan[index].segmentBytes),
            kind: scan[index].identity?.kind ?? .regular, holdsEvents: false)
    }

    private mutating func note(_ entry: SegmentEntry) {
        if entries.last?.number == entry.number { entries[entries.count - 1] = entry } else { entries.append(entry) }
    }

    /// Events that cannot be read at present are held like others: a segment that has nothing else must not be let go.
    private mutating func noteHeld() {
        var entry = entryHere(from: expected)
        entry.holdsEvents = true
        note(entry)
    }

    /// Goes from here to the first frame that counts in a later segment, over what is lost.
    private mutating func leave(_ lsn: LSN, until end: EventSequence) {
        let framesEnd = view.framesEnd(of: lsn)
        lost(false, to: framesEnd, endSequence: end)
        endEntry(at: framesEnd)
    }

    /// The same over what is held, to `place` in a later segment. Which of the segments on the way the events are in nobody knows;
    /// a reader that comes to the missing numbers must do so where the disk does not give the bytes, or it takes them for lost.
    /// So the last such segment has them.
    private mutating func leaveHeld(
        _ lsn: LSN, in window: SegmentWindow, until end: EventSequence, for later: Int, at place: UInt64
    ) {
        let first = expected
        let framesEnd = view.framesEnd(of: lsn)
        let start = UInt64(SpaceBudget.identityBytes)
        let isHere = !window.gives(from: lsn.offset, to: framesEnd > 0 ? framesEnd : .max)
        let isLater = scan[later].window()?.gives(from: start, to: place) == false
        let between = (index + 1)..<later
        let lastHeld = isLater ? later : between.last { scan[$0].headersEnd == nil } ?? index
        if isHere, first < end { noteHeld() }
        endEntry(at: isHere ? framesEnd : lsn.offset)
        let from = lastHeld == index ? lsn : LSN(segment: scan[lastHeld].number, offset: start)
        if first < end {
            for segment in between { noteHeldSegment(segment, from: segment > lastHeld ? end : first) }
            if isLater {
                index = later
                if var entry = known[scan[later].number] {
                    entry.endOffset = 0
                    note(entry)
                }
                noteHeld()
            }
        }
        report.unreadable.append(DamagedRange(.unreadable, from.segment, from.offset, isLater ? place : 0, first, end))
        expected = max(first, end)
        mustStartFresh = true
    }

    /// Where it ends, as far as that is known.
    @discardableResult
    private mutating func noteHeldSegment(_ between: Int, from base: EventSequence) -> UInt64 {
        index = between
        var entry = known[scan[between].number] ?? entryHere(from: base)
        entry.holdsEvents = true
        if entry.endOffset == 0 {
            let unseen = scan[between].headersEnd == nil ? scan[between].segmentBytes : 0
            entry.endOffset = entry.clamped(view.framesOf(scan[between])?.end ?? unseen)
        }
        note(entry)
        return entry.endOffset
    }

    private mutating func goOn(from lsn: LSN, to target: SegmentNumber) {
        endEntry(at: lsn.offset)
        enter(scan.firstIndex { $0.number == target }.promised, at: UInt64(SpaceBudget.identityBytes))
        tail = DurableThrough(lsn: LSN(segment: target, offset: offset), nextSequence: expected)
    }

    /// 0: nobody knows where.
    private mutating func endEntry(at offset: UInt64) {
        guard let last = entries.last, last.number == scan[index].number else { return }
        entries[entries.count - 1].endOffset = offset == 0 ? 0 : last.clamped(offset)
    }

    // MARK: Ending

    private mutating func cut(at lsn: LSN) {
        report.wasClosedCleanly = previous == .close
        noteCutFrames(behind: lsn)
        noteShortFile(at: lsn)
        tailSegment = scan[index]
        // What is passed over or cut off must be known without the frames: numbers, and whole frames in later segments, which
        // stand where nothing is wiped. The identity of a fresh segment says it.
        let start = UInt64(SpaceBudget.identityBytes)
        let hasLeftOvers = scan[(index + 1)...].contains { ($0.headersEnd ?? start) > start }
        if proven.nextSequence > expected || hasLeftOvers { mustStartFresh = true }
        tail = DurableThrough(lsn: lsn, nextSequence: max(expected, proven.nextSequence))
    }

    /// What a short segment may have held behind a place must not be numbered again.
    private mutating func noteShortFile(at lsn: LSN) {
        let (mostEvents, isWiped) = shortFile(at: lsn, index)
        guard mostEvents > 0 else { return }
        let end = EventSequence(expected.rawValue + mostEvents)
        record(
            DamagedRange(
                isWiped ? .damaged : .shorterThanStated, lsn.segment, lsn.offset, 0, expected, end))
        expected = end
        mustStartFresh = true
    }

    /// A segment has its whole size, durably, before it has its name. A shorter one was cut by somebody, and what it held
    /// nobody knows.
    private func shortFile(at lsn: LSN, _ index: Int) -> (mostEvents: UInt64, isWiped: Bool) {
        let known = UInt64(known[lsn.segment]?.segmentBytes ?? 0)
        var missing = max(scan[index].segmentBytes, known) - scan[index].readableEnd
        let window = index == self.index ? window : scan[index].window()
        // So it is with one that has its size, and neither its identity nor a frame: none behind the place where replay began,
        // and none that ends there.
        let isOwn = scan[index].identity?.life == scan[index].life
        let isWiped =
            !isOwn && lastAccepted != lsn.segment
            && window?.frame(endingAt: lsn.offset, notBefore: UInt64(SpaceBudget.identityBytes)) == nil
        if isWiped {
            missing = max(
                scan[index].segmentBytes,
                scan.compactMap { $0.identity?.segmentBytes }.max() ?? UInt64(SpaceBudget.smallestSegmentBytes))
        }
        #if PlantedBugs
            if PlantedBug.skipJumpOverLoss.isPlanted { return (0, isWiped) }
        #endif
        return (missing * Self.mostEventsPerByte, isWiped)
    }

    /// Nobody proves what stands here, and the disk does not show all of it: it may be the last that was acknowledged, and the
    /// seal or the frame that leads on to a later segment. So nothing is cut off, up to the end of the last segment that has
    /// frames or may have some, and no number is used again; should the disk give it later, it counts.
    private mutating func hold(from lsn: LSN) {
        let here = index
        let last = scan.indices.last { $0 > here && view.framesOf(scan[$0]) != nil } ?? here
        var start = lsn
        var end = scan[here].segmentBytes
        if last == here || window?.gives(from: lsn.offset, to: .max) == false {
            noteHeld()
            endEntry(at: end)
        } else {
            // All that the disk does not give is in later ones.
            endEntry(at: lsn.offset)
            start = LSN(segment: scan[here + 1].number, offset: UInt64(SpaceBudget.identityBytes))
        }
        for later in (here + 1)..<(last + 1) { end = noteHeldSegment(later, from: expected) }
        let bytes = scan[here...last].reduce(0) { $0 + $1.segmentBytes }
        let next = EventSequence(expected.rawValue + bytes * Self.mostEventsPerByte)
        report.unreadable.append(DamagedRange(.unreadable, start.segment, start.offset, 0, expected, next))
        expected = max(next, proven.nextSequence)
        mustStartFresh = true
        tail = DurableThrough(lsn: LSN(segment: scan[last].number, offset: end), nextSequence: expected)
    }

    /// An event takes 8 bytes at least, and LZ4 makes 255 bytes of one at most.
    static let mostEventsPerByte: UInt64 = 32

    private mutating func end(at lsn: LSN) {
        mustStartFresh = true
        endEntry(at: lsn.segment == scan[index].number ? lsn.offset : offset)
        tail = DurableThrough(lsn: max(lsn, LSN(segment: scan[index].number, offset: offset)), nextSequence: expected)
    }

    private mutating func lost(_ unreadable: Bool, to end: UInt64, endSequence: EventSequence) {
        let range = DamagedRange(
            unreadable ? .unreadable : .damaged, scan[index].number, offset, end, expected, endSequence)
        if unreadable {
            report.unreadable.append(range)
            if endSequence > expected { noteHeld() }
        } else {
            record(range)
        }
        expected = max(expected, endSequence)
        mustStartFresh = true
    }

    /// Goes on behind a segment that is gone, at the first later one that has frames, or bytes that the disk does not give; false
    /// when the log ends here.
    private mutating func goOn(without number: SegmentNumber, after index: Int) -> Bool {
        let start = UInt64(SpaceBudget.identityBytes)
        let next = view.nextSegmentWithFrames(after: index, expecting: expected)
        let unread = scan.indices.first { $0 > index && scan[$0].headersEnd == nil }
        guard let later = [next?.index, unread].compactMap({ $0 }).min() else {
            missingToTheEnd(number)
            return false
        }
        // Numbers before the first frame that can be read may be of those that cannot, and so may the snapshot that let this
        // segment go: they are held where those are. But for those before that segment, when it is known where it begins.
        var base = known[scan[later].number]?.baseSequence
        if let next, next.index == later, scan[later].window()?.gives(from: start, to: next.offset) == true {
            base = max(base ?? expected, next.header.baseSequence)
        }
        if let base {
            noteGone(number, until: max(expected, base))
            expected = max(expected, base)
        }
        enter(later, at: start)
        tail = DurableThrough(lsn: LSN(segment: scan[later].number, offset: start), nextSequence: expected)
        return true
    }

    /// Names it as missing, unless it is gone by rights.
    private mutating func noteGone(_ number: SegmentNumber, until end: EventSequence) {
        // Without events it may have been voided by a later opening, or let go, and its file may be gone since.
        let isHarmless =
            end > expected
            ? retiredBefore.contains(number)
            : view.ledger.voids(number) || snapshots.contains { $0.retires(number) }
        if !isHarmless { record(DamagedRange(.segmentMissing, number, 0, 0, expected, end)) }
    }

    /// The newest segment is gone, and what it held is known only as far as somebody states it. Its numbers must not be
    /// used again, so the sequence jumps by as many events as it could have held.
    private mutating func missingToTheEnd(_ number: SegmentNumber) {
        let room = UInt64(scan.last?.segmentBytes ?? UInt64(SpaceBudget.smallestSegmentBytes)) * Self.mostEventsPerByte
        var end = EventSequence(expected.rawValue + room)
        if proven.lsn.segment >= number { end = max(end, EventSequence(proven.nextSequence.rawValue + room)) }
        #if PlantedBugs
            if PlantedBug.skipJumpOverLoss.isPlanted { end = max(expected, proven.nextSequence) }
        #endif
        record(DamagedRange(.segmentMissing, number, 0, 0, expected, end))
        expected = end
        mustStartFresh = true
        let start = LSN(segment: number, offset: UInt64(SpaceBudget.identityBytes))
        tail = DurableThrough(lsn: max(start, proven.lsn), nextSequence: expected)
    }

    private mutating func damageToStatement() {
        let next = max(proven.nextSequence, expected)
        if proven.lsn.segment == scan[index].number {
            // What it held behind the statement, acknowledged as well, went with the rest.
            let behind = shortFile(at: proven.lsn, index).mostEvents
            lost(false, to: proven.lsn.offset, endSequence: EventSequence(next.rawValue + behind))
            offset = proven.lsn.offset
        } else if let later = scan.firstIndex(where: { $0.number == proven.lsn.segment }) {
            let behind = shortFile(at: proven.lsn, later).mostEvents
            lost(false, to: 0, endSequence: EventSequence(next.rawValue + behind))
        } else {
            endEntry(at: offset)
            return missingToTheEnd(proven.lsn.segment)
        }
        end(at: proven.lsn)
    }

    /// Goes on at the proven end: what stands behind that may have been acknowledged, and may not be readable either. False when the
    /// segment of the statement is gone, too: then the log ends here.
    private mutating func holdToStatement(from lsn: LSN) -> Bool {
        let next = max(proven.nextSequence, expected)
        if proven.lsn.segment == lsn.segment {
            lost(true, to: proven.lsn.offset, endSequence: next)
            offset = proven.lsn.offset
            previous = .frame
            return true
        }
        guard let window, let later = scan.firstIndex(where: { $0.number == proven.lsn.segment }) else {
            hold(from: lsn)
            return false
        }
        leaveHeld(lsn, in: window, until: next, for: later, at: proven.lsn.offset)
        enter(later, at: proven.lsn.offset)
        noteHeld()
        mustStartFresh = true
        return true
    }

    private mutating func record(_ range: DamagedRange) { report.losses.append(range) }

    /// Whole frames behind the cut are named, up to a bound; they are set aside with everything else that is there.
    private mutating func noteCutFrames(behind lsn: LSN) {
        for later in index..<scan.count where report.unknown.count < 256 {
            var from = later == index ? lsn.offset : UInt64(SpaceBudget.identityBytes)
            let end = scan[later].headersEnd ?? scan[later].readableEnd
            // A window is a buffer and a read, and segments that were prepared ahead hold nothing.
            guard from < end, let window = scan[later].window() else { continue }
            let (number, ledger) = (scan[later].number, view.ledger)
            while report.unknown.count < 256,
                let (position, header) = window.nextFrame(
                    from: from, before: end,
                    where: { position, header in
                        let place = LSN(segment: number, offset: position)
                        return !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: place)
                    })
            {
                if header.type != .padding {
                    report.unknown.append(
                        CutFrame(
                            lsn: LSN(segment: number, offset: position), type: header.type,
                            frameBytes: header.frameBytes,
                            firstSequence: header.baseSequence,
                            endSequence: EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))))
                }
                from = position + UInt64(header.frameBytes)
            }
        }
    }
}

extension Optional {
    /// A value that the recovery table's row is there for. A row without it is a mistake in the program, not in the data.
    fileprivate var promised: Wrapped {
        guard let self else { preconditionFailure("a row of the recovery table was taken without what it needs") }
        return self
    }
}
