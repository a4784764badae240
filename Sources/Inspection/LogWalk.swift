package import DurableChannel
internal import FileIO
package import LogFormat
internal import SegmentedLog

/// A way through the segments of a log, frame by frame, in the order of the log, that goes on behind whatever is wrong, and says of
/// everything what is to be thought of it.
///
/// Bytes are judged by the engine's own decoders (``SegmentScan``); what counts, by what an opening would find
/// (``LogInspection/view``). What stands before the last checkpoint no opening looks at: there everything was durable, so what
/// is not whole is damage, unless a later epoch has cut it off.
///
/// Memory: one window of 1 MiB, or the largest frame.
package struct LogWalk {
    package enum Item {
        /// Before its frames.
        case segment(WalkedSegment)
        case frame(WalkedFrame)
        case hole(WalkedHole)
        /// The file was let go, or made into another segment's, while it was read: what was said of it stands, the rest is not known.
        case recycled(WalkedSegment)
        /// It cannot be opened, or nothing says what its frames' checksums are seeded with.
        case unread(WalkedSegment, ChannelError)
        /// Behind its frames: where they end.
        case end(WalkedSegment, at: UInt64)
    }

    package enum Step {
        case goOn
        /// Nothing more of this segment.
        case leaveSegment
        case stop
    }

    private let inspection: LogInspection
    /// nil: all.
    package var segments: Set<SegmentNumber>?
    /// Segments that hold none of these events, as the table says, are passed by.
    package var sequences: SequenceRange?
    /// Segments that are not part of the log are passed by.
    package var isLiveOnly = false

    package init(_ inspection: LogInspection) { self.inspection = inspection }

    /// What was durable, as far as anything that was read says.
    private var durable = DurableThrough.nothing
    private var expected = EventSequence(1)
    private var epoch = Epoch(0)
    /// A segment was let go while it was read, or before: what comes next does not follow what came before.
    private var isInterrupted = false

    package mutating func run(_ visit: (Item) throws -> Step) throws {
        durable = inspection.view?.report.provenThrough ?? .nothing
        for (name, number) in files {
            let segment = WalkedSegment(name, number, inspection)
            if isLiveOnly, !segment.role.isPartOfLog { continue }
            if let sequences, !inspection.mayHold(number, sequences) { continue }
            if try walk(segment, visit) == .stop { return }
        }
    }

    private var files: [(String, SegmentNumber?)] {
        if let file = inspection.file { return [(file, inspection.inventory.segments.first)] }
        return inspection.inventory.segments.filter { segments?.contains($0) ?? true }
            .map { (FileNames.segment($0), $0) }
    }

    private mutating func walk(_ segment: WalkedSegment, _ visit: (Item) throws -> Step) throws -> Step {
        var segment = segment
        let scan: SegmentScan
        do throws(LogError) {
            scan = try SegmentScan(
                segment.name, in: inspection.directory, life: inspection.life(of: segment),
                segmentBytes: segment.entry.map { UInt64($0.segmentBytes) })
        } catch {
            // Let go between the listing and now.
            if inspection.isInUse, error.fileError?.reason == .notFound {
                isInterrupted = true
                return try visit(.recycled(segment))
            }
            return try visit(.unread(segment, ChannelError(error))).orGoOn
        }
        segment.note(scan, inspection)
        if inspection.file == nil, let life = scan.life, let other = inspection.stranger(life, under: segment) {
            segment.role = segment.entry == nil ? .foreign : segment.role
            return try visit(.unread(segment, ChannelError(.damaged, other))).orGoOn
        }
        guard scan.life != nil else {
            return try visit(
                .unread(
                    segment,
                    ChannelError(
                        .damaged,
                        "\(segment.name): neither copy of its identity is valid, and nothing else says what its frames' checksums are "
                            + "seeded with, so none of them can be told from other bytes; look at it with --hex, or beside its "
                            + "neighbours in the directory"))
            ).orGoOn
        }
        if segment.role.isPartOfLog {
            expected = max(expected, segment.entry?.baseSequence ?? expected)
        } else {
            (expected, epoch) = (EventSequence(1), Epoch(0))
        }
        let first = try visit(.segment(segment))
        guard first == .goOn else { return first.orGoOn }
        return try walk(segment, scan, visit)
    }

    private mutating func walk(
        _ segment: WalkedSegment, _ scan: SegmentScan, _ visit: (Item) throws -> Step
    ) throws -> Step {
        var end = SegmentScan.firstOffset
        var patience = inspection.isInUse ? 5 : 0
        while let piece = scan.next() {
            let step: Step
            switch piece {
            case .frame(let header, let place):
                step = try visit(.frame(walked(header, at: place, segment, scan)))
                end = place + UInt64(header.frameBytes)
            case .hole(let range, _), .rest(let range):
                if inspection.isInUse {
                    guard scan.isCurrent else {
                        isInterrupted = true
                        return try visit(.recycled(segment)).orGoOn
                    }
                    // A write may have been under way when this place was read.
                    if patience > 0, mayBeWritten(piece, segment) {
                        patience -= 1
                        Pause.milliseconds(1)
                        scan.seek(to: range.lowerBound)
                        continue
                    }
                }
                step = try give(piece, segment, scan, visit)
            }
            if step != .goOn { return step.orGoOn }
        }
        return try visit(.end(segment, at: end)).orGoOn
    }

    /// Whether looking again may show more: a hole; or the end of the frames before the place where the segment is known to end.
    private func mayBeWritten(_ piece: SegmentScan.Piece, _ segment: WalkedSegment) -> Bool {
        switch piece {
        case .frame: false
        case .hole: true
        case .rest(let range): (segment.entry?.endOffset ?? 0) > range.lowerBound
        }
    }

    private mutating func give(
        _ piece: SegmentScan.Piece, _ segment: WalkedSegment, _ scan: SegmentScan, _ visit: (Item) throws -> Step
    ) throws -> Step {
        switch piece {
        case .frame: return .goOn
        case .hole(let range, let flaw):
            return try visit(.hole(hole(range, flaw, segment, scan)))
        case .rest(let range):
            // Frames were there up to its end, and are not now.
            let wanted = segment.entry?.endOffset ?? 0
            var from = range.lowerBound
            if segment.role.isPartOfLog, wanted > from, inspection.view?.epoch(cuttingAt: lsn(segment, from)) == nil {
                let gone = hole(from..<min(wanted, max(range.upperBound, wanted)), .noHeader, segment, scan)
                let step = try visit(.hole(gone))
                if step != .goOn { return step }
                from = wanted
            }
            guard from < range.upperBound else { return .goOn }
            return try visit(
                .hole(
                    WalkedHole(
                        segment: segment, range: from..<range.upperBound, verdict: .unwritten, flaw: .noHeader,
                        sequences: nil,
                        scan: scan)))
        }
    }

    private func lsn(_ segment: WalkedSegment, _ offset: UInt64) -> LSN {
        LSN(segment: segment.number ?? SegmentNumber(0), offset: offset)
    }

    // MARK: Frames

    private mutating func walked(
        _ header: FrameHeader, at place: UInt64, _ segment: WalkedSegment, _ scan: SegmentScan
    ) -> WalkedFrame {
        let lsn = lsn(segment, place)
        let verdict = verdict(header, lsn, segment)
        var missing: SequenceRange?
        if verdict == .valid {
            if header.durableThrough.lsn > durable.lsn { durable = header.durableThrough }
            epoch = max(epoch, header.epoch)
            if header.baseSequence > expected, !isInterrupted, expected > EventSequence(1) || segment.entry != nil {
                missing = SequenceRange(first: expected, end: header.baseSequence)
            }
            expected = max(expected, header.endSequence)
            isInterrupted = false
        }
        return WalkedFrame(
            segment: segment, lsn: lsn, header: header, verdict: verdict, missingBefore: missing, scan: scan)
    }

    private func verdict(_ header: FrameHeader, _ lsn: LSN, _ segment: WalkedSegment) -> Verdict {
        guard segment.role.isPartOfLog else { return .notListed }
        if header.epoch < epoch { return .stale }
        guard let view = inspection.view else { return .valid }
        if view.isStale(header, at: lsn) { return .stale }
        if let end = segment.entry?.endOffset, end != 0, lsn.offset >= end { return .stale }
        // In a log that is in use, what was written since.
        if lsn >= view.tail.lsn { return inspection.isInUse ? .valid : .behindEnd }
        return header.baseSequence < expected ? .stale : .valid
    }

    // MARK: Holes

    private mutating func hole(
        _ range: Range<UInt64>, _ flaw: SegmentScan.Flaw, _ segment: WalkedSegment, _ scan: SegmentScan
    ) -> WalkedHole {
        let verdict = verdict(range, flaw, segment, scan)
        var sequences: SequenceRange?
        if verdict.isFinding {
            var end = expected
            if let next = scan.frameBehindHole {
                end = next.header.baseSequence
            } else if let entry = segment.entry {
                end = inspection.view?.base(after: entry.number) ?? expected
            }
            sequences = SequenceRange(first: expected, end: max(expected, end))
            expected = max(expected, end)
        }
        return WalkedHole(
            segment: segment, range: range, verdict: verdict, flaw: flaw, sequences: sequences, scan: scan)
    }

    private func verdict(
        _ range: Range<UInt64>, _ flaw: SegmentScan.Flaw, _ segment: WalkedSegment, _ scan: SegmentScan
    ) -> Verdict {
        let here = lsn(segment, range.lowerBound)
        let isUnreadable = if case .unreadable = flaw { true } else { false }
        guard segment.role.isPartOfLog else { return isUnreadable ? .unreadable : .stale }
        if let next = scan.frameBehindHole, next.header.type == .open,
            let payload = try? scan.payload(of: next.header, at: next.offset),
            let record = try? OpenRecord(decoding: payload.rawBytes), record.cut == here
        {
            return .cutOff
        }
        guard let view = inspection.view else {
            if isUnreadable { return .unreadable }
            guard let next = scan.frameBehindHole else { return durable.lsn > here ? .damaged : .torn }
            return max(durable.lsn, next.header.durableThrough.lsn) > here ? .damaged : .unproven
        }
        if view.epoch(cuttingAt: here) != nil { return .cutOff }
        if let end = segment.entry?.endOffset, end != 0, range.lowerBound >= end { return .stale }
        if isUnreadable { return .unreadable }
        if here >= view.tail.lsn {
            guard inspection.isInUse else { return .torn }
            return durable.lsn > here ? .damaged : .beingWritten
        }
        guard here >= view.base.snapshot.covered.lsn else { return .damaged }
        let finding = inspection.findings.first { $0.covers(here) } ?? view.report.losses.first { $0.covers(here) }
        if let finding { return finding.reason == .unreadable ? .unreadable : .damaged }
        return inspection.isInUse ? .beingWritten : .cutOff
    }
}

extension LogWalk.Step {
    /// Behind a segment.
    fileprivate var orGoOn: LogWalk.Step { self == .stop ? .stop : .goOn }
}

extension DamagedRange {
    /// Whether a place is in it.
    func covers(_ lsn: LSN) -> Bool {
        segment == lsn.segment && fromOffset <= lsn.offset && (toOffset == 0 || lsn.offset < toOffset)
    }
}

extension LogView {
    /// The first sequence behind a segment's events.
    func base(after number: SegmentNumber) -> EventSequence? {
        segments.first { $0.number > number }?.baseSequence
            ?? (segments.last?.number == number ? tail.nextSequence : nil)
    }
}

extension LogInspection {
    /// Whether a segment can hold one of these events, as far as anything says.
    func mayHold(_ number: SegmentNumber?, _ range: SequenceRange) -> Bool {
        guard let number, let view, let entry = view.entry(number), !isInUse || entry.endOffset != 0 else {
            return true
        }
        guard let end = view.base(after: number) else { return true }
        return entry.baseSequence < range.end && end > range.first
    }

    /// What a file is that bears a segment's name and is not that segment; nil for one that is. Its frames are no part of the log
    /// where they stand; the file can be looked at alone.
    func stranger(_ life: SegmentLife, under segment: WalkedSegment) -> String? {
        guard life.segment != segment.number || (view != nil && life.logUUID != view?.logUUID) else { return nil }
        return
            "\(segment.name) is segment \(life.segment) of log \(life.logUUID), and no part of this log under that name; look at it "
            + "alone (walctl inspect FILE), or move it away"
    }

    /// What its frames' checksums are seeded with, where its own identity need not say it.
    func life(of segment: WalkedSegment) -> SegmentLife? {
        guard file == nil, let number = segment.number else { return nil }
        if segment.role.isPartOfLog, let life = view?.lives[number] { return life }
        guard let next = inventory.segments.first(where: { $0 > number }),
            let scan = try? SegmentScan(FileNames.segment(number), in: directory), scan.life == nil,
            let successor = try? SegmentScan(FileNames.segment(next), in: directory), let identity = successor.identity,
            identity.predecessor == number
        else { return nil }
        return SegmentLife(logUUID: identity.logUUID, salt: identity.predecessorSalt, segment: number)
    }
}
