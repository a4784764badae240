import CommandOptions
import DurableChannel
import FileIO
import Inspection
import LogFormat
import SegmentedLog

extension Call {
    /// `walctl verify`.
    func verify() throws -> Int32 {
        var worst = Finding.none
        for path in arguments.operands { worst = max(worst, try verify(path)) }
        return worst.rawValue
    }

    private func verify(_ path: String) throws -> Finding {
        let inspection = try look(path)
        var progress = Progress(of: inspection.segmentBytes)
        let verification = try Verification(
            inspection, segments: try filter().segments, stride: Int(arguments.number("--sample") ?? 1)
        ) { progress.show($0) }
        progress.end()
        let finding = Finding(verification.outcome)
        if output.format == .text {
            try say(verification, inspection, path)
        } else {
            try output.begin("verify", path, inspection.headMembers)
            for segment in verification.segments { try output.record("segment", segment.members) }
            for finding in verification.findings { try output.record("finding", finding.members) }
            try output.end([("outcome", .text(finding.word))] + verification.members)
        }
        return finding
    }

    private func say(_ verification: Verification, _ inspection: LogInspection, _ path: String) throws {
        let style = output.style
        var rows = TextTable([
            .left("segment"), .left("verdict"), .right("frames"), .right("events"), .right("checked"),
            .right("findings"),
        ])
        for verdict in verification.segments {
            rows.add(
                [
                    verdict.segment.number.map { "\($0)" } ?? verdict.segment.name, verdict.word, "\(verdict.frames)",
                    "\(verdict.events)", Units.bytes(verdict.checkedBytes),
                    verdict.findingCount == 0 ? "" : "\(verdict.findingCount)",
                ], colours: [1: verdict.colour])
        }
        for line in rows.lines(style) { try output.line(line) }
        let found = verification.segments.flatMap(\.findings) + verification.findings
        if !found.isEmpty { try output.line() }
        for finding in found { try output.line("\(style.paint(finding.title, .red)): \(finding.text)") }
        let more = verification.findingCount - found.count
        if more > 0 { try output.line("... and \(more) more") }
        if let refusal = inspection.refusal { try output.line("an opening would be refused: \(refusal)") }
        try output.line()
        for line in verification.conclusion(inspection) { try output.line(line) }
    }
}

extension Finding {
    init(_ outcome: Verification.Outcome) {
        self =
            switch outcome {
            case .clean: .none
            case .tornTail: .tornTail
            case .damaged: .damage
            case .eventsLost: .loss
            }
    }
}

extension SegmentVerdict {
    fileprivate var colour: Style.Colour {
        switch word {
        case "clean": .green
        case "torn tail", "recycled while reading": .yellow
        case "retired", "not used": .grey
        default: .red
        }
    }
}

extension WalkFinding {
    fileprivate var title: String {
        switch kind {
        case .damaged: "damaged"
        case .unreadable: "unreadable"
        case .missingSequences: "missing"
        case .missingSegment: "missing segment"
        case .identity: "identity"
        case .chain: "chain"
        case .payload: "payload"
        case .pointers: "pointers"
        case .checkpoint: "checkpoint"
        }
    }

    /// Where, what stands there, and what it held.
    fileprivate var text: String {
        var text = lsn.segment.rawValue == 0 ? "" : "\(lsn)"
        if endOffset > lsn.offset {
            text += "-\(String(endOffset, radix: 16)) (\(Units.bytes(endOffset - lsn.offset)))"
        }
        if !text.isEmpty { text += ": " }
        text += words
        if let sequences, sequences.count > 0 {
            text += "; events \(sequences.first) to \(sequences.end.rawValue - 1)"
            if heldEvents > 0 { text += ", \(heldEvents) of them not taken" }
        }
        return text
    }
}

extension Verification {
    fileprivate func conclusion(_ inspection: LogInspection) -> [String] {
        let sum =
            "\(frames) frames, \(events) events, \(Units.bytes(checkedBytes)) looked at\(isSample ? " (not everything)" : "")"
        var lines: [String] = []
        switch outcome {
        case _ where inspection.refusal != nil:
            lines.append("the channel does not open: \(sum)")
        case .clean: lines.append("clean: \(sum)")
        case .tornTail:
            lines.append("clean, with a torn tail: \(sum)")
            lines.append(
                "a crash left it in the middle of a write that nobody was told was done; the next opening cuts it off, nothing is lost by "
                    + "that")
        case .damaged:
            lines.append("damaged, and every event that waits is there: \(sum)")
            lines.append(
                "the channel opens and goes on as it is; walctl explain DIR PLACE says what stands there, and why it is judged so"
            )
        case .eventsLost:
            lines.append("events are lost: \(sum)")
            for range in lostEvents.prefix(20) where range.count > 0 {
                lines.append("  \(range.first) to \(range.end.rawValue - 1) (\(range.count))")
            }
            if lostEvents.count > 20 { lines.append("  ... and \(lostEvents.count - 20) more ranges") }
            lines.append(
                "the channel opens, counts them as lost, keeps a copy of what is damaged (aside-...), and goes on; copy the directory before, if a disk or a backup may still give what is missing"
            )
        }
        if !unreadableEvents.isEmpty {
            lines.append(
                "\(unreadableEvents.reduce(0) { $0 + $1.count }) events the disk does not give at present; they are held"
            )
        }
        if segments.contains(where: \.isRecycled) {
            lines.append(
                "segments that were let go while they were read have no verdict; whether events are missing was not looked for"
            )
        }
        if !inspection.isSteady {
            lines.append(
                "the log changed faster than it could be looked at as a whole; what is wrong at its end may not be listed"
            )
        }
        return lines
    }
}
