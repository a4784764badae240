import CommandOptions
import DurableChannel
import FileIO
import Inspection
import LogFormat
import SegmentedLog

extension Call {
    /// `walctl status`.
    func status() throws -> Int32 {
        var worst = Finding.none
        for (index, path) in arguments.operands.enumerated() {
            if index > 0 { try output.line() }
            let inspection = try look(path)
            if inspection.inventory.isVirgin, inspection.file == nil {
                worst = max(worst, try statusOfAll(below: path))
            } else {
                guard inspection.file == nil else {
                    throw UsageError(
                        "\(path) is a file; status is of a channel's directory, verify and inspect look into one file",
                        verb)
                }
                worst = max(worst, try status(StatusReport(inspection)))
            }
        }
        return worst.rawValue
    }

    private func status(_ report: StatusReport) throws -> Finding {
        try output.answer("status", report.path, [("outcome", .text(report.finding.word))] + report.members)
        let text = StatusText(report, now, output.style)
        for line in text.lines { try output.line(line) }
        return report.finding
    }

    // MARK: Many channels

    private func statusOfAll(below root: String) throws -> Finding {
        let (paths, unread) = ChannelSearch.paths(below: root)
        for error in unread { complain("\(error)") }
        if paths.isEmpty {
            guard unread.isEmpty else {
                throw ChannelError(.fileOperation, "\(root) cannot be looked into", fileError: unread[0])
            }
            throw ChannelError(
                .configuration,
                "there is no channel in \(root) nor below it: no segment, no checkpoint, no reserve; check the path")
        }
        var worst = Finding.none
        var rows = TextTable([
            .left("channel"), .left("state"), .left("used by"), .right("held"), .left("oldest"), .right("used"),
            .right("capacity"),
            .right("full"), .right("lost"),
        ])
        try output.begin("status", root)
        for path in paths {
            let report: StatusReport
            do throws(ChannelError) { report = StatusReport(try look(path)) } catch {
                complain("\(error)")
                continue
            }
            worst = max(worst, report.finding)
            try output.record(
                "status", [("path", .text(path)), ("outcome", .text(report.finding.word))] + report.members)
            rows.add(
                [
                    path, report.stateWords, report.process.map { "\($0)" } ?? "", "\(report.held)",
                    report.oldest?.commitTime.map { Units.ago($0, now) } ?? "", Units.bytes(report.space.used),
                    report.space.capacity.map(Units.bytes) ?? "not known", report.fullness ?? "",
                    "\(report.group.lost)",
                ], colours: [1: report.colour])
        }
        for line in rows.lines(output.style) { try output.line(line) }
        try output.end([("channels", .whole(UInt64(paths.count))), ("outcome", .text(worst.word))])
        return worst
    }
}

extension StatusReport {
    var finding: Finding {
        if lostNow > 0 { return .loss }
        switch state {
        case .clean, .none: return .none
        case .tornTail: return .tornTail
        case .damaged: return .damage
        case .refused: return refusal?.code == .damaged ? .damage : .none
        }
    }

    var stateWords: String {
        switch state {
        case .clean: process == nil ? "clean" : "in use"
        case .tornTail: "torn tail"
        case .damaged: lostNow > 0 ? "events lost" : "damaged"
        case .refused: "does not open"
        case .none: "no log"
        }
    }

    var colour: Style.Colour {
        switch state {
        case .clean: .green
        case .tornTail: .yellow
        case .damaged, .refused: .red
        case .none: .grey
        }
    }

    /// Of the capacity.
    var fullness: String? {
        space.capacity.map { "\(min(999, space.used * 100 / max(1, $0))) %" }
    }
}

/// One screen.
private struct StatusText {
    private(set) var lines: [String] = []
    private let report: StatusReport
    private let now: UInt64
    private let style: Style

    init(_ report: StatusReport, _ now: UInt64, _ style: Style) {
        self.report = report
        self.now = now
        self.style = style
        lines.append(style.bold(report.path))
        let state = style.paint(report.stateWords, report.colour)
        add("state", report.process.map { "\(state), open in process \($0)" } ?? "\(state), not open")
        if let refusal = report.refusal { add("", "\(refusal)") }
        if report.state == .none { return }
        addEvents()
        addLog()
        addSpace()
        addFindings()
    }

    private mutating func add(_ name: String, _ value: String) {
        lines.append("  " + name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }

    private mutating func addEvents() {
        let group = report.group
        add("held", "\(count(report.held)) events, \(Units.bytes(report.heldBytes)) in their segments")
        if let oldest = report.oldest {
            let age =
                oldest.commitTime.map { "put \(Units.ago($0, now)) (\(Units.time($0)))" } ?? "its frame cannot be read"
            add("oldest", "event \(oldest.sequence), \(age)\(oldest.lsn.map { ", at \($0)" } ?? "")")
        }
        add(
            "all events",
            "\(count(report.put)) put = \(count(report.held)) held + \(count(group.taken)) taken + \(count(group.dropped)) dropped + "
                + "\(count(group.lost)) lost")
        if group.dropped > 0 {
            add(
                "",
                "dropped: \(count(group.droppedByOverflow)) for room, \(count(group.expired)) expired, \(count(group.deadLettered)) to dead "
                    + "letters, \(count(group.skipped)) skipped")
        }
        var pointers = "taken or dropped below \(group.acknowledgedBelow)"
        if !group.acknowledged.isEmpty { pointers += ", and \(group.acknowledged.count) ranges above it" }
        add("pointers", pointers + "; next event \(report.nextSequence); lease \(group.leaseLimit)")
        if report.mayRepeat > 0 {
            add(
                "",
                "\(count(report.mayRepeat)) of the held may have been handed out and carry the mark at the next opening"
            )
        }
        if !report.bookmarks.isEmpty {
            let names = report.bookmarks.prefix(4).map { Array($0.name.utf8).escaped(most: 60) }
            let more = report.bookmarks.count > 4 ? " and \(report.bookmarks.count - 4) more" : ""
            add("bookmarks", names.joined(separator: ", ") + more)
        }
        if report.producers > 0 { add("producers", count(UInt64(report.producers))) }
    }

    private mutating func addLog() {
        var segments = "\(report.liveSegments) live"
        if report.retiredSegments > 0 { segments += ", \(report.retiredSegments) not listed" }
        if report.spareFiles > 0 { segments += ", \(report.spareFiles) spare" }
        segments += ", \(report.reserves) of 2 reserves under their names"
        if let bytes = report.segmentBytes { segments += "; \(Units.bytes(bytes)) each" }
        add("segments", segments)
        if let pin = report.pin {
            let words =
                pin.heldEvents > 0
                ? "\(count(pin.heldEvents)) held events, the first is \(pin.first.map { "\($0)" } ?? "?")"
                : report.liveSegments == 1
                    ? "it is the active one" : "nothing that is held; it goes with the next retirement"
            add("kept by", "segment \(pin.segment), the oldest: \(words)")
        }
        if let open = report.open {
            var words = "\(open.durability)"
            if open.durability != .commit {
                words = style.paint("\(words) (a power cut may lose what was acknowledged)", .yellow)
            }
            words +=
                ", blocks of \(open.blockBytes) bytes, \(open.groupsInFlight) groups in flight, epoch \(report.epoch)"
            add("durability", words)
        }
        if let method = report.writeMethod {
            add("write method", "\(method)")
        } else if report.process != nil {
            add("write method", "not to be seen from here")
        }
        if report.recent.raw > 0 {
            let percent = report.recent.stored * 100 / report.recent.raw
            add("compression", "to \(percent) % (of \(Units.bytes(report.recent.raw)) put since the last checkpoint)")
        }
    }

    private mutating func addSpace() {
        let space = report.space
        var words = Units.bytes(space.used)
        if let capacity = space.capacity {
            words += " of \(Units.bytes(capacity)) (\(report.fullness ?? ""))"
        } else {
            words += "; the capacity is not recorded"
        }
        words += ": segments \(Units.bytes(space.segments))"
        if space.spares > 0 { words += ", spares \(Units.bytes(space.spares))" }
        if space.setAside > 0 { words += ", set aside \(Units.bytes(space.setAside))" }
        if space.foreign > 0 { words += ", not the channel's \(Units.bytes(space.foreign))" }
        add("space", words)
    }

    private mutating func addFindings() {
        for finding in report.findings.prefix(20) { add("found", style.paint("\(finding)", .red)) }
        if report.findings.count > 20 { add("", "... and \(report.findings.count - 20) more") }
        if report.lostNow > 0 {
            add(
                "",
                style.paint(
                    "\(count(report.lostNow)) events that nobody has taken are lost; the next opening counts them", .red
                ))
        }
        if report.tornFrames > 0 {
            add("found", "\(report.tornFrames) whole frames behind the end; the next opening sets them aside")
        }
        if !report.isSteady {
            add("note", "the log changed faster than it could be looked at; what is wrong, if anything, is not listed")
        }
        for remark in report.remarks.prefix(8) { add("note", remark) }
        for opening in report.openings.prefix(3) {
            var words = "epoch \(opening.epoch), \(Units.ago(opening.time, now))"
            if let flaw = opening.flaw { words += ": its report is not valid: \(flaw)" }
            if opening.created == true {
                words += ", made the channel"
            } else if let clean = opening.wasClosedCleanly {
                words += clean ? ", after a clean close" : ", after a crash"
            }
            if let milliseconds = opening.milliseconds { words += ", took \(milliseconds) ms" }
            if let lost = opening.lost, lost > 0 { words += ", \(count(lost)) events lost" }
            add("opening", words)
        }
    }

    private func count(_ number: UInt64) -> String { grouped(number) }
}
