import CommandOptions
import DurableChannel
import Inspection
import LogFormat
import SegmentedLog

extension Call {
    /// `walctl events`.
    func events() throws -> Int32 {
        let filter = try filter()
        let pattern: BytePattern?
        if let text = arguments.text("--grep") {
            pattern = try BytePattern(text) { UsageError("--grep \(text): \($0)", verb) }
        } else {
            pattern = nil
        }
        for path in arguments.operands {
            let inspection = try look(path)
            let state = arguments.text("--state") ?? (inspection.file == nil ? "held" : "all")
            if state != "all", inspection.channel == nil {
                throw inspection.refusal
                    ?? ChannelError(
                        .configuration,
                        "of one segment alone nobody knows which events are taken; use --state all, or give the directory"
                    )
            }
            try output.begin("events", path, inspection.headMembers)
            var lister = EventLister(self, filter, state: state, pattern)
            var walk = LogWalk(inspection)
            walk.segments = filter.segments
            walk.sequences = filter.sequences
            walk.isLiveOnly = true
            try walk.run { item in try lister.show(item, inspection) }
            try output.end([("events", .whole(lister.shown))])
            for line in lister.remarks { complain("\(path): \(line)") }
        }
        return ExitStatus.done
    }
}

/// One line for each event.
private struct EventLister {
    private(set) var shown: UInt64 = 0
    /// What stands between events that were asked for, for standard error: it is not an event.
    private(set) var remarks: [String] = []

    private let call: Call
    private let filter: Filter
    private let state: String
    private let pattern: BytePattern?
    private let headers: [(key: String, value: String)]
    private let body: String
    private static let mostRemarks = 20

    init(_ call: Call, _ filter: Filter, state: String, _ pattern: BytePattern?) {
        self.call = call
        self.filter = filter
        self.state = state
        self.pattern = pattern
        headers = call.arguments.pairs("--header")
        body = call.arguments.text("--body") ?? "text"
    }

    mutating func show(_ item: LogWalk.Item, _ inspection: LogInspection) throws -> LogWalk.Step {
        switch item {
        case .frame(let frame):
            guard frame.verdict == .valid, frame.header.eventCount > 0, filter.admits(frame.header),
                isWanted(frame.sequences, inspection.channel)
            else { return .goOn }
            switch FrameBatch.of(frame) {
            case nil: return .goOn
            case .failure(let error): note("\(error)")
            case .success(let batch): return try show(batch, inspection.channel)
            }
        case .hole(let hole) where hole.verdict.isFinding:
            let events = hole.sequences.map { $0.count > 0 ? ", events \([$0].words)" : "" } ?? ""
            note("\(hole.lsn): \(hole.verdict.words), \(hole.flaw.words)\(events)")
        case .recycled(let segment): note("\(segment.name) was let go while it was read")
        case .unread(_, let error): note("\(error)")
        default: break
        }
        return .goOn
    }

    private mutating func note(_ text: String) {
        if remarks.count < Self.mostRemarks { remarks.append(text) }
        if remarks.count == Self.mostRemarks { remarks.append("and more; walctl verify lists all of them") }
    }

    /// Whether the frame can hold one, so that others need not be opened.
    private func isWanted(_ range: SequenceRange, _ channel: ChannelReplay?) -> Bool {
        guard let channel, state != "all" else { return true }
        let held = channel.held(in: range).reduce(0) { $0 + $1.count }
        return state == "held" ? held > 0 : held < range.count
    }

    private mutating func show(_ batch: FrameBatch, _ channel: ChannelReplay?) throws -> LogWalk.Step {
        for transaction in batch.transactions {
            if let wanted = filter.transaction, transaction.head.id != wanted { continue }
            for place in transaction.events {
                let event = batch.event(place)
                guard filter.admits(event.sequence), isWanted(event, channel) else { continue }
                try show(event, channel)
                shown += 1
                if let limit = filter.limit, shown >= limit { return .stop }
            }
        }
        return .goOn
    }

    private func isWanted(_ event: WalkedEvent, _ channel: ChannelReplay?) -> Bool {
        if let channel, state != "all", channel.isDecided(event.sequence) != (state == "taken") { return false }
        for (key, value) in headers where event.view.header(key).map({ $0.elementsEqual(value.utf8) }) != true {
            return false
        }
        guard let pattern else { return true }
        return pattern.matches(event.view.body)
    }

    private func show(_ event: WalkedEvent, _ channel: ChannelReplay?) throws {
        let output = call.output
        let isDecided = channel?.isDecided(event.sequence)
        guard output.format == .text else {
            return try output.record(
                "event",
                event.members + [
                    ("state", .optional(isDecided.map { .text($0 ? "taken" : "held") })),
                    (
                        "may_repeat",
                        .optional(channel.map { .flag(isDecided == false && event.sequence < $0.markedBelow) })
                    ),
                ])
        }
        if body == "raw" { return try output.raw(Array(event.view.body) + [UInt8(ascii: "\n")]) }
        let headers = event.view.headers.map { "\($0.key)=\($0.value.escaped(most: 200))" }.joined(separator: " ")
        var line = "\(event.sequence)  \(Units.time(event.commitTime))"
        if state == "all", let isDecided { line += isDecided ? "  taken" : "  held " }
        if !headers.isEmpty { line += "  [\(headers)]" }
        let bytes = Array(event.view.body)
        switch body {
        case "none": line += "  \(event.view.bodyBytes) B"
        case "base64": line += "  \(Base64.encode(bytes))"
        case "json": line += "  \(JSON.bytes(bytes).rendered)"
        default: line += "  \(bytes.escaped(most: Int.max))"
        }
        try output.line(line)
    }
}
