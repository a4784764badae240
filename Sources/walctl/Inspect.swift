import CommandOptions
import DurableChannel
import FileIO
import Inspection
import LogFormat
import SegmentedLog

extension Call {
    /// `walctl inspect`.
    func inspect() throws -> Int32 {
        let filter = try filter()
        if arguments.has("--follow"), arguments.operands.count > 1 || arguments.has("--device") {
            throw UsageError("--follow goes with one DIR, and without --device", verb)
        }
        for path in arguments.operands {
            let inspection = try look(path)
            try output.begin("inspect", path, inspection.headMembers)
            var lister = FrameLister(self, filter)
            if arguments.has("--follow") {
                try LogFollower(inspection).run { item in
                    let step = try lister.show(item)
                    try output.flush()
                    return step
                }
            } else {
                var walk = LogWalk(inspection)
                walk.segments = filter.segments
                try walk.run { item in try lister.show(item) }
            }
            try output.end(lister.summary)
        }
        return ExitStatus.done
    }
}

/// One line for each frame, and for what stands between them.
private struct FrameLister {
    private let call: Call
    private let filter: Filter
    private let showsEvents: Bool
    private let showsBytes: Bool
    private var shown: UInt64 = 0
    private var hasHeading = false

    init(_ call: Call, _ filter: Filter) {
        self.call = call
        self.filter = filter
        showsEvents = call.arguments.has("--events")
        showsBytes = call.arguments.has("--hex")
    }

    private var output: Output { call.output }

    var summary: [(String, JSON)] { [("frames", .whole(shown))] }

    mutating func show(_ item: LogWalk.Item) throws -> LogWalk.Step {
        switch item {
        case .segment(let segment):
            hasHeading = false
            // Of a part of the log only what is in it is shown.
            if filter.isOfEverything { try show(segment) }
        case .frame(let frame):
            guard filter.admits(frame) else { return .goOn }
            try show(frame)
            shown += 1
            if let limit = filter.limit, shown >= limit { return .stop }
        case .hole(let hole): if filter.isOfEverything || hole.verdict.isFinding { try show(hole) }
        case .recycled(let segment):
            try output.record(
                "recycled", segment.members,
                text: output.style.paint(
                    "\(segment.name): recycled while reading; what follows in it is no part of the log", .yellow))
        case .unread(let segment, let error):
            try output.record(
                "unread", segment.members + [("error", .text("\(error)"))], text: output.style.paint("\(error)", .red))
        case .end: break
        }
        return .goOn
    }

    private mutating func show(_ segment: WalkedSegment) throws {
        try output.record("segment", segment.members, text: segment.heading(output.style))
    }

    private mutating func show(_ frame: WalkedFrame) throws {
        if !hasHeading {
            try output.line(output.style.bold(FrameLine.heading))
            hasHeading = true
        }
        let details = FrameDetails(frame)
        try output.record(
            "frame", frame.members + details.members, text: FrameLine(frame, details.words, call.now).text(output.style)
        )
        if showsEvents { try showBatch(frame) }
        if showsBytes { try show(HexView(frame)) }
    }

    private func showBatch(_ frame: WalkedFrame) throws {
        switch FrameBatch.of(frame) {
        case nil: return
        case .failure(let error): try output.line("      " + output.style.paint("\(error)", .red))
        case .success(let batch):
            for transaction in batch.transactions {
                try output.record("transaction", transaction.members(frame.lsn), text: "      " + transaction.words)
                for index in transaction.events {
                    let event = batch.event(index)
                    try output.record("event", event.members, text: "        " + event.line(mostBytes: 100))
                }
            }
        }
    }

    private func show(_ hex: HexView) throws {
        for line in hex.lines {
            try output.record(
                "bytes",
                [
                    ("offset", .whole(line.offset)), ("bytes", .text(line.bytes.hexadecimal)),
                    ("meaning", .text(line.meaning)),
                ],
                text: "      \(line.text)")
        }
    }

    private func show(_ hole: WalkedHole) throws {
        let colour: Style.Colour =
            switch hole.verdict {
            case .damaged, .unreadable: .red
            case .torn, .unproven, .beingWritten: .yellow
            default: .grey
            }
        let size = Units.bytes(UInt64(hole.range.count))
        var text = "\(hole.lsn)-\(String(hole.range.upperBound, radix: 16))  \(hole.verdict.words), \(size)"
        if hole.verdict != .unwritten { text += ": \(hole.flaw.words)" }
        if let sequences = hole.sequences, sequences.count > 0 {
            text += "; events \(sequences.first) to \(sequences.end.rawValue - 1)"
        }
        try output.record("hole", hole.members, text: output.style.paint(text, colour))
        guard showsBytes, hole.verdict != .unwritten else { return }
        try show(HexView(hole))
    }
}

extension WalkedSegment {
    /// One line.
    fileprivate func heading(_ style: Style) -> String {
        var text = "segment \(number.map { "\($0)" } ?? name) (\(role.rawValue)"
        if let kind = identity?.kind, kind == .reserve { text += ", reserve" }
        text += ")"
        if let status { text += ", \(Units.bytes(status.size))" }
        if let entry { text += ", events from \(entry.baseSequence)" }
        if let identity { text += ", made \(Units.time(identity.creationTime))" }
        for (index, flaw) in copies.enumerated() {
            if let flaw { text += "; " + style.paint("copy \(index) of its identity: \(flaw)", .red) }
        }
        return style.bold(text)
    }
}

/// Columns of a fixed width, for what is written as it comes.
private struct FrameLine {
    static let heading = Self.columns(
        "lsn", "type", "verdict", "sequences", "events", "txns", "stored", "raw", "epoch", "committed", "holds")

    private let frame: WalkedFrame
    private let words: String
    private let now: UInt64

    init(_ frame: WalkedFrame, _ words: String, _ now: UInt64) {
        self.frame = frame
        self.words = words
        self.now = now
    }

    func text(_ style: Style) -> String {
        let header = frame.header
        let last = header.endSequence.rawValue - 1
        let numbers =
            header.eventCount == 0
            ? "-" : header.eventCount == 1 ? "\(header.baseSequence)" : "\(header.baseSequence)-\(last)"
        let line = Self.columns(
            "\(frame.lsn)", header.type.word, frame.verdict.words, numbers, "\(header.eventCount)",
            "\(header.transactionCount)",
            "\(header.storedBytes)", "\(header.rawBytes)" + (header.compression == .lz4 ? " lz4" : ""),
            "\(header.epoch)",
            Units.time(header.commitTime), words)
        return style.paint(line, frame.verdict == .valid ? nil : .grey)
    }

    private static func columns(
        _ lsn: String, _ type: String, _ verdict: String, _ sequences: String, _ events: String, _ txns: String,
        _ stored: String,
        _ raw: String, _ epoch: String, _ time: String, _ words: String
    ) -> String {
        func left(_ text: String, _ width: Int) -> String { text + blank(width - text.utf8.count) }
        func right(_ text: String, _ width: Int) -> String { blank(width - text.utf8.count) + text }
        return left(lsn, 12) + left(type, 14) + left(verdict, 11) + left(sequences, 20) + right(events, 7)
            + right(txns, 6)
            + right(stored, 9) + right(raw, 13) + right(epoch, 7) + "  " + left(time, 26) + words
    }

    private static func blank(_ count: Int) -> String { String(repeating: " ", count: max(1, count)) }
}

extension Verdict {
    /// For eyes.
    var words: String {
        switch self {
        case .valid: "valid"
        case .stale: "stale"
        case .behindEnd: "behind end"
        case .notListed: "not listed"
        case .damaged: "damaged"
        case .torn: "torn tail"
        case .cutOff: "cut off by a later epoch"
        case .unreadable: "unreadable"
        case .beingWritten: "being written"
        case .unproven: "torn or damaged"
        case .unwritten: "not written"
        }
    }
}
