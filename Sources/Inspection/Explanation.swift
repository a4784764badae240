internal import DurableChannel
package import LogFormat
internal import SegmentedLog

/// What lies at a place of a log, and why it is judged as it is: each rule with its outcome.
package struct Explanation: Sendable {
    /// What is asked about.
    package enum Place: Sendable, Equatable {
        /// In a segment, as logs print it: `1f/2a00`.
        case lsn(LSN)
        /// An event.
        case sequence(EventSequence)
        /// A byte of a file of the directory.
        case file(String, UInt64)
    }

    /// How bad what lies there is.
    package enum Outcome: Int, Sendable { case harmless, torn, damaged, lost }

    /// One sentence.
    package private(set) var title = ""
    package private(set) var outcome = Outcome.harmless
    /// Names and what there is to say.
    package private(set) var facts: [(name: String, words: String)] = []
    package private(set) var rules: [FrameDiagnosis.Rule] = []
    /// Why it is judged so, in the order in which it is decided.
    package private(set) var reasons: [String] = []

    private let inspection: LogInspection

    /// - Throws: `notFound` when there is no such place.
    package init(_ place: Place, in inspection: LogInspection) throws {
        self.inspection = inspection
        switch place {
        case .lsn(let lsn): try explain(lsn)
        case .sequence(let sequence): try explain(sequence)
        case .file(let name, let offset): try explain(name, offset)
        }
    }

    private static func notFound(_ what: String) -> ChannelError { ChannelError(.notFound, what) }

    // MARK: A file

    private mutating func explain(_ name: String, _ offset: UInt64) throws {
        if case .segment(let number) = FileNames.kind(of: name) {
            return try explain(LSN(segment: number, offset: offset))
        }
        guard name == FileNames.checkpoint else {
            throw Self.notFound(
                "\(name) is no segment and no checkpoint: there is nothing at a byte of it; ask about SEGMENT/OFFSET, a sequence, or "
                    + "checkpoint:OFFSET")
        }
        guard let bytes = inspection.contents(of: name, atMost: 128 << 20), !bytes.isEmpty else {
            throw Self.notFound("the checkpoint is not there, or cannot be read; nothing is lost by that")
        }
        let half = bytes.count / 2 / 4096 * 4096
        guard half >= 4096, offset < UInt64(2 * half) else {
            throw Self.notFound("byte \(offset) of the checkpoint belongs to no slot; it has two of \(half) bytes")
        }
        let index = Int(offset) / half
        title = "slot \(index) of the checkpoint"
        do throws(FormatError) {
            let slot = try CheckpointSlot(decoding: Array(bytes[index * half..<(index + 1) * half]).rawBytes)
            facts = [
                ("generation", "\(slot.generation)"), ("covers", "\(slot.snapshot.covered.lsn)"),
                ("durable through", "\(slot.durableThrough.lsn)"), ("segments", "\(slot.snapshot.segments.count)"),
            ]
            let isOwn = slot.slot == UInt32(index) && slot.logUUID == inspection.view?.logUUID
            reasons.append(
                isOwn
                    ? "it is valid: magic, version, slot, log, both checksums and its snapshot hold"
                    : "it is whole, and not this slot's")
            if let base = inspection.view?.base { reasons.append("an opening would begin from \(base.name)") }
        } catch {
            let isEmpty = bytes[index * half..<(index + 1) * half].allSatisfy { $0 == 0 }
            reasons.append(isEmpty ? "nothing was written to it yet" : "it is not valid: \(error)")
            reasons.append("a checkpoint saves time and proves durability; with both slots gone nothing is lost")
            if !isEmpty { outcome = .damaged }
        }
    }

    // MARK: An event

    private mutating func explain(_ sequence: EventSequence) throws {
        if let channel = inspection.channel, sequence >= channel.nextSequence {
            throw Self.notFound("event \(sequence) was never put: the next one is \(channel.nextSequence)")
        }
        var walk = LogWalk(inspection)
        walk.sequences = SequenceRange(first: sequence, end: EventSequence(sequence.rawValue + 1))
        walk.isLiveOnly = true
        var found = false
        try walk.run { item in
            switch item {
            case .frame(let frame) where frame.verdict == .valid && frame.sequences.contains(sequence):
                explain(frame)
                found = true
                return .stop
            case .hole(let hole) where hole.sequences?.contains(sequence) == true:
                explain(hole)
                found = true
                return .stop
            default: return .goOn
            }
        }
        let isLost = inspection.channel?.lostNow.contains(sequence) ?? false
        let state = inspection.channel.map {
            isLost ? "lost" : $0.isDecided(sequence) ? "taken, dropped or lost before" : "held"
        }
        facts.insert(("event \(sequence)", state ?? "whether it is taken is not known"), at: 0)
        guard !found else { return }
        title = "event \(sequence) stands in no frame that is there"
        if isLost {
            let losses = inspection.findings.filter { $0.firstSequence <= sequence && sequence < $0.endSequence }
            reasons += losses.map { "the next opening will find: \($0)" }
            reasons.append("nobody had taken it")
            outcome = .lost
        } else if inspection.channel?.isDecided(sequence) == true {
            reasons.append("it was decided, and its segment may have been let go since")
        } else {
            reasons.append("it was put and nobody has taken it: it is lost")
            outcome = .lost
        }
    }

    // MARK: A place in a segment

    private mutating func explain(_ lsn: LSN) throws {
        guard inspection.inventory.segments.contains(lsn.segment) || inspection.file != nil else {
            let isRetired = inspection.view.map { lsn.segment < $0.tail.lsn.segment } ?? false
            throw Self.notFound(
                "segment \(lsn.segment) is not there"
                    + (isRetired
                        ? "; it is older than the newest one, and was let go if nothing is reported as missing" : ""))
        }
        var walk = LogWalk(inspection)
        if inspection.file == nil { walk.segments = [lsn.segment] }
        var found = false
        try walk.run { item in
            switch item {
            case .segment(let segment) where lsn.offset < SegmentScan.firstOffset:
                explainIdentity(segment, lsn.offset)
            case .frame(let frame)
            where frame.lsn.offset <= lsn.offset && lsn.offset < frame.lsn.offset + UInt64(frame.header.frameBytes):
                explain(frame)
            case .hole(let hole) where hole.range.contains(lsn.offset): explain(hole)
            case .unread(_, let error):
                title = "segment \(lsn.segment) cannot be looked into"
                reasons.append("\(error)")
                outcome = .damaged
            default: return .goOn
            }
            found = true
            return .stop
        }
        if !found { throw Self.notFound("\(lsn) is behind the end of its segment") }
    }

    private mutating func explainIdentity(_ segment: WalkedSegment, _ offset: UInt64) {
        let index = Int(offset) / IdentityBlock.byteCount
        title = "copy \(index) of the identity of segment \(segment.number.map { "\($0)" } ?? segment.name)"
        if let identity = segment.identity {
            facts = [
                ("log", "\(identity.logUUID)"), ("size", "\(identity.segmentBytes) bytes"),
                ("predecessor", "\(identity.predecessor)"), ("kind", "\(identity.kind)"),
                ("epochs", "\(identity.openings.map { "\($0.epoch)" }.joined(separator: ", "))"),
            ]
        }
        if index < segment.copies.count, let flaw = segment.copies[index] {
            reasons.append("this copy is not valid: \(flaw)")
            reasons.append(
                segment.identity == nil
                    ? "neither is the other: what its frames' checksums are seeded with must be known from its neighbours"
                    : "the other one is, and one is enough")
            outcome = .damaged
        } else {
            reasons.append("it is valid: magic, version, checksum and every field hold")
        }
    }

    private mutating func explain(_ frame: WalkedFrame) {
        let details = FrameDetails(frame)
        let header = frame.header
        title = "a \(header.type) frame at \(frame.lsn), \(header.frameBytes) bytes: \(frame.verdict.rawValue)"
        if header.eventCount > 0 { facts.append(("events", [frame.sequences].words)) }
        if !details.words.isEmpty { facts.append(("holds", details.words)) }
        facts.append(("epoch", "\(header.epoch)"))
        diagnose(frame.bytes(), at: frame.lsn, frame.segment)
        reasons.append("every rule of a frame holds")
        switch frame.verdict {
        case .valid:
            reasons.append("no later epoch has cut it off, and it follows what stands before it: it is part of the log")
        case .stale:
            let cuts = (inspection.view?.openings ?? []).filter { $0.epoch > header.epoch && $0.cut.lsn <= frame.lsn }
            reasons.append(
                cuts.isEmpty
                    ? "and it is left over: a frame of a later epoch stands before it, its segment ends before it, or its numbers were given before"
                    : "epoch \(cuts[0].epoch) has cut the log at \(cuts[0].cut.lsn): what stands behind that of lower epochs does not count"
            )
        case .behindEnd:
            reasons.append(
                "the log ends at \(inspection.view.map { "\($0.tail.lsn)" } ?? "?"), before it: it was never acknowledged, or within the last "
                    + "groups before a crash; nobody can tell, and an opening copies it aside")
            addDecision(inspection.view?.tail.lsn ?? frame.lsn)
            outcome = .torn
        default: reasons.append("its segment is \(frame.segment.role.rawValue): no part of the log")
        }
    }

    private mutating func explain(_ hole: WalkedHole) {
        title =
            "no whole frame from \(hole.lsn) to \(String(hole.range.upperBound, radix: 16)): \(hole.verdict.rawValue)"
        if let sequences = hole.sequences, sequences.count > 0 { facts.append(("events", [sequences].words)) }
        guard hole.verdict != .unwritten else {
            reasons.append("behind the last frame: space that is not written yet, or bytes of the file's former life")
            return
        }
        if case .unreadable = hole.flaw {
            reasons.append("the disk does not give the bytes")
        } else {
            diagnose(hole.bytes(atMost: Int(FormatConstants.maximumFrameBytes)), at: hole.lsn, hole.segment)
        }
        addDecision(hole.lsn)
        explainVerdict(hole)
    }

    private mutating func explainVerdict(_ hole: WalkedHole) {
        switch hole.verdict {
        case .damaged:
            let held = hole.sequences.map { inspection.channel?.held(in: $0) ?? [] } ?? []
            let proof = inspection.view.map { view in
                hole.lsn < view.base.snapshot.covered.lsn
                    ? "it stands before \(view.base.snapshot.covered.lsn), which \(view.base.name) covers: all of it was durable"
                    : "everything before \(view.report.provenThrough.lsn) is stated to have been durable"
            }
            reasons.append(proof ?? "a frame behind it states that this place was durable")
            reasons.append(
                held.isEmpty ? "no event that anybody waits for stood in it" : "lost with it: events \(held.words)")
            outcome = held.isEmpty ? .damaged : .lost
        case .unreadable:
            reasons.append("what stood there is held, and asked for again; it is not lost")
            outcome = .damaged
        case .torn, .unproven, .beingWritten:
            reasons.append(
                hole.verdict == .beingWritten
                    ? "the log is in use: a write is under way"
                    : "nothing states that this place was durable: a write that a crash cut short")
            outcome = .torn
        case .cutOff:
            reasons.append("a later epoch has cut the log just here: nothing that was acknowledged stood behind it")
        default: reasons.append("it is no part of the log")
        }
    }

    /// The row of the recovery table that decided, if one did.
    private mutating func addDecision(_ lsn: LSN) {
        guard let decision = inspection.view?.decisions.first(where: { $0.lsn == lsn }) else { return }
        reasons.append(
            "recovery's row \(decision.row): \(decision.found) behind a \(decision.previous), "
                + "\(decision.isVouchedFor ? "vouched for" : "vouched for by nobody"), beyond it \(decision.beyond); so \(decision.action)"
        )
    }

    private mutating func diagnose(_ bytes: [UInt8], at lsn: LSN, _ segment: WalkedSegment) {
        guard let life = inspection.life(of: segment) ?? segment.identity?.life else { return }
        rules =
            FrameDiagnosis(
                bytes, life: life, position: lsn.offset,
                room: segment.readableBytes > lsn.offset ? segment.readableBytes - lsn.offset : 0
            ).rules
    }
}

extension Explanation {
    package var members: [(String, JSON)] {
        [
            ("title", .text(title)),
            ("facts", .object(facts.map { ($0.name.replacingSpaces, .text($0.words)) })),
            (
                "rules",
                .list(
                    rules.map {
                        .object([
                            ("rule", .text($0.words)), ("outcome", .text($0.outcome.rawValue)),
                            ("detail", .text($0.detail)),
                        ])
                    })
            ), ("reasons", .list(reasons.map(JSON.text))),
        ]
    }
}
