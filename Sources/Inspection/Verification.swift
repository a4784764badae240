internal import DurableChannel
package import LogFormat
package import SegmentedLog

/// Every checksum, every length, every link, and the pointers against the data.
///
/// One pass over all segments at the speed of reading them. A segment of a log in use that is let go meanwhile gets no verdict.
package struct Verification {
    /// How it ends: the worst that was found.
    package enum Outcome: Int, Sendable, Comparable {
        case clean, tornTail, damaged, eventsLost

        package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    package private(set) var segments: [SegmentVerdict] = []
    /// What is wrong with no segment in particular.
    package private(set) var findings: [WalkFinding] = []
    /// Held events that no whole frame has: lost, though no opening may have come by yet.
    package private(set) var lostEvents: [SequenceRange] = []
    /// Held events that the disk does not give at present.
    package private(set) var unreadableEvents: [SequenceRange] = []
    /// Only some segments were looked at: what is missing elsewhere was not looked for.
    package private(set) var isSample = false

    private let inspection: LogInspection
    private var there = SequenceSet()
    private var unreadable = SequenceSet()
    private var lastSeal: (segment: SegmentNumber, record: SealRecord)?

    /// Looks at everything, or at every `stride`-th segment beside the first and the last two.
    ///
    /// - Parameter progress: asked now and then, with the number of bytes looked at.
    package init(
        _ inspection: LogInspection, segments wanted: Set<SegmentNumber>? = nil, stride: Int = 1,
        progress: (UInt64) -> Void = { _ in }
    ) throws {
        self.inspection = inspection
        var walk = LogWalk(inspection)
        walk.segments = wanted
        let numbers = inspection.inventory.segments
        if stride > 1, numbers.count > 3 {
            let chosen = numbers.indices.filter { $0 % stride == 0 || $0 >= numbers.count - 2 }.map { numbers[$0] }
            walk.segments = wanted.map { $0.intersection(chosen) } ?? Set(chosen)
        }
        isSample = walk.segments != nil
        var done: UInt64 = 0
        var current: SegmentVerdict?
        try walk.run { item in
            switch item {
            case .segment(let segment):
                var verdict = SegmentVerdict(segment)
                begin(&verdict)
                current = verdict
            case .frame(let frame):
                note(frame, &current!)
                done += UInt64(frame.header.frameBytes)
                progress(done)
            case .hole(let hole):
                note(hole, &current!)
                done += UInt64(hole.range.count)
                progress(done)
            case .recycled(let segment):
                var verdict = current?.segment.name == segment.name ? current! : SegmentVerdict(segment)
                verdict.isRecycled = true
                self.segments.append(verdict)
                current = nil
                lastSeal = nil
            case .unread(let segment, let error):
                var verdict = SegmentVerdict(segment)
                verdict.error = error
                noteUnread(&verdict)
                self.segments.append(verdict)
                current = nil
            case .end:
                if let verdict = current { self.segments.append(verdict) }
                current = nil
            }
            return .goOn
        }
        conclude()
    }

    // MARK: Segments

    private mutating func begin(_ verdict: inout SegmentVerdict) {
        let segment = verdict.segment
        guard segment.role.isPartOfLog, let number = segment.number else { return }
        let start = LSN(segment: number, offset: 0)
        for (index, flaw) in segment.copies.enumerated() {
            guard let flaw else { continue }
            verdict.note(
                WalkFinding(
                    kind: .identity, lsn: LSN(segment: number, offset: UInt64(index * IdentityBlock.byteCount)),
                    endOffset: UInt64((index + 1) * IdentityBlock.byteCount), sequences: nil,
                    words: "copy \(index) of its identity: \(flaw)"))
        }
        if let entry = segment.entry, let identity = segment.identity, identity.salt != entry.salt {
            verdict.note(
                WalkFinding(
                    kind: .chain, lsn: start, endOffset: 0, sequences: nil,
                    words: "its identity names another life of the file than the log lists"))
        }
        if let lastSeal, let identity = segment.identity, lastSeal.record.nextSegment == number,
            lastSeal.record.nextSalt != identity.salt, inspection.view?.epoch(cuttingAt: start) == nil
        {
            verdict.note(
                WalkFinding(
                    kind: .chain, lsn: start, endOffset: 0, sequences: nil,
                    words: "the seal of segment \(lastSeal.segment) names another life of it"))
        }
        lastSeal = nil
    }

    private mutating func noteUnread(_ verdict: inout SegmentVerdict) {
        guard verdict.segment.role.isPartOfLog else { return }
        let number = verdict.segment.number ?? SegmentNumber(0)
        let isLater = verdict.error?.code == .newerVersion
        // Also where something that is no file stands under its name: takes that come to it are refused until it is moved away.
        let isUnreadable = verdict.error?.fileError.map { $0.reason != .notFound } ?? false
        var sequences: SequenceRange?
        if let entry = verdict.segment.entry, entry.holdsEvents, let end = inspection.view?.base(after: number) {
            sequences = SequenceRange(first: entry.baseSequence, end: max(end, entry.baseSequence))
        }
        if isUnreadable || isLater, let sequences { unreadable.insert(sequences) }
        verdict.note(
            WalkFinding(
                kind: isUnreadable ? .unreadable : .damaged, lsn: LSN(segment: number, offset: 0),
                endOffset: verdict.segment.status?.size ?? 0, sequences: sequences, heldEvents: held(sequences),
                words: verdict.error.map { "\($0)" } ?? "it cannot be read"))
    }

    private func held(_ range: SequenceRange?) -> UInt64 {
        guard let range, let channel = inspection.channel else { return 0 }
        return channel.held(in: range).reduce(0) { $0 + $1.count }
    }

    // MARK: Frames and holes

    private mutating func note(_ frame: WalkedFrame, _ verdict: inout SegmentVerdict) {
        let header = frame.header
        verdict.checkedBytes = frame.lsn.offset + UInt64(header.frameBytes)
        switch frame.verdict {
        case .valid: break
        case .behindEnd:
            verdict.framesBehindEnd += 1
            if header.type != .padding { verdict.isTorn = true }
            return
        default:
            verdict.otherFrames += 1
            return
        }
        verdict.frames += 1
        verdict.frameBytes += UInt64(header.frameBytes)
        verdict.events += UInt64(header.eventCount)
        if let missing = frame.missingBefore {
            let held = held(missing)
            // Numbers that an opening passed over, and said so, nobody misses.
            if held > 0 {
                verdict.note(
                    WalkFinding(
                        kind: .missingSequences, lsn: frame.lsn, endOffset: frame.lsn.offset, sequences: missing,
                        heldEvents: held, words: "what held them is gone"))
            }
        }
        if header.eventCount > 0 { there.insert(frame.sequences) }
        if header.type == .seal, let raw = try? frame.raw(), let record = try? SealRecord(decoding: raw.rawBytes) {
            lastSeal = (frame.lsn.segment, record)
        }
    }

    private mutating func note(_ hole: WalkedHole, _ verdict: inout SegmentVerdict) {
        verdict.checkedBytes = max(verdict.checkedBytes, hole.range.upperBound)
        switch hole.verdict {
        case .damaged, .unreadable:
            if hole.verdict == .unreadable, let sequences = hole.sequences { unreadable.insert(sequences) }
            verdict.note(
                WalkFinding(
                    kind: hole.verdict == .unreadable ? .unreadable : .damaged, lsn: hole.lsn,
                    endOffset: hole.range.upperBound, sequences: hole.sequences, heldEvents: held(hole.sequences),
                    words: hole.flaw.words))
        case .torn, .unproven: verdict.isTorn = true
        default: break
        }
    }

    // MARK: The log as a whole

    private mutating func conclude() {
        for finding in inspection.findings.sorted(by: { ($0.segment, $0.fromOffset) < ($1.segment, $1.fromOffset) })
        where finding.reason == .segmentMissing || finding.reason == .shorterThanStated {
            let sequences = SequenceRange(
                first: finding.firstSequence, end: max(finding.firstSequence, finding.endSequence))
            findings.append(
                WalkFinding(
                    kind: .missingSegment, lsn: LSN(segment: finding.segment, offset: finding.fromOffset),
                    endOffset: finding.toOffset, sequences: sequences,
                    words: finding.reason == .segmentMissing
                        ? "the log lists it, or leads to it, and its file is not there"
                        : "its file is shorter than it was"))
        }
        if let view = inspection.view {
            for remark in view.report.remarks
            where remark.hasPrefix("checkpoint slot") || remark.hasPrefix("the checkpoint") {
                findings.append(
                    WalkFinding(
                        kind: .checkpoint, lsn: LSN(segment: SegmentNumber(0), offset: 0), endOffset: 0, sequences: nil,
                        words: remark))
            }
        }
        if let channel = inspection.channel, channel.hasForgedCounts {
            findings.append(
                WalkFinding(
                    kind: .pointers, lsn: LSN(segment: SegmentNumber(0), offset: 0), endOffset: 0, sequences: nil,
                    words:
                        "the counts of taken, dropped and lost events do not add up to the sequences that are decided"))
        }
        noteMissingEvents()
    }

    /// Every event that is held must stand in a frame. (What was lost before an opening is decided; it is not missed again.)
    private mutating func noteMissingEvents() {
        guard let channel = inspection.channel, let view = inspection.view, !isSample,
            !segments.contains(where: \.isRecycled)
        else { return }
        let all = SequenceRange(first: EventSequence(1), end: view.tail.nextSequence)
        guard all.first < all.end else { return }
        var lost = channel.lostNow.ranges.flatMap { there.missing(from: $0) }
        for range in channel.held(in: all) { lost += there.missing(from: range) }
        for range in lost.sorted(by: { $0.first < $1.first }) {
            let kept = unreadable.missing(from: range)
            lostEvents += kept
            var held = SequenceSet([range])
            for part in kept { held.remove(part) }
            unreadableEvents += held.ranges
        }
    }

    // MARK: What it says

    package var outcome: Outcome {
        if lostEvents.contains(where: { $0.count > 0 }) { return .eventsLost }
        let all = segments.flatMap(\.findings) + findings
        if all.contains(where: { $0.heldEvents > 0 && $0.kind != .unreadable }) { return .eventsLost }
        if !all.isEmpty || inspection.refusal?.code == .damaged { return .damaged }
        return segments.contains(where: \.isTorn) ? .tornTail : .clean
    }

    package var frames: UInt64 { segments.reduce(0) { $0 + $1.frames } }
    package var events: UInt64 { segments.reduce(0) { $0 + $1.events } }
    package var checkedBytes: UInt64 { segments.reduce(0) { $0 + $1.checkedBytes } }
    package var findingCount: Int { segments.reduce(0) { $0 + $1.findingCount } + findings.count }
}

extension SegmentScan.Flaw {
    /// What stands there.
    package var words: String {
        switch self {
        case .noHeader: "no valid frame header begins here"
        case .notWhole(let header):
            "a \(header.type) frame of \(header.frameBytes) bytes whose header is valid and whose payload, gap or trailer is not"
        case .unreadable: "the disk does not give the bytes"
        }
    }
}

extension SegmentScan.IdentityFlaw: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalid(let error): "\(error)"
        case .unreadable(let error): "\(error)"
        }
    }
}
