import CommandOptions
import DurableChannel
import Inspection
import LogFormat

extension Call {
    /// `walctl explain`.
    func explain() throws -> Int32 {
        let path = arguments.operands[0]
        let place = try place(arguments.operands[1])
        let inspection = try look(path)
        let explanation: Explanation
        do { explanation = try Explanation(place, in: inspection) } catch let error as ChannelError
            where error.code == .notFound
        {
            throw UsageError(error.message, verb)
        }
        let finding: Finding =
            switch explanation.outcome {
            case .harmless: .none
            case .torn: .tornTail
            case .damaged: .damage
            case .lost: .loss
            }
        try output.answer(
            "explain", path,
            [("place", .text(arguments.operands[1])), ("outcome", .text(finding.word))] + explanation.members)
        guard output.format == .text else { return finding.rawValue }
        let style = output.style
        try output.line(style.bold(explanation.title))
        for (name, words) in explanation.facts { try output.line("  \(name): \(words)") }
        if !explanation.rules.isEmpty { try output.line() }
        for rule in explanation.rules {
            let (mark, colour): (String, Style.Colour) =
                switch rule.outcome {
                case .holds: ("yes", .green)
                case .fails: ("NO ", .red)
                case .notAsked: ("-  ", .grey)
                }
            try output.line(
                "  \(style.paint(mark, colour))  \(rule.words)\(rule.detail.isEmpty ? "" : ": \(rule.detail)")")
        }
        try output.line()
        for reason in explanation.reasons { try output.line("  \(reason)") }
        return finding.rawValue
    }

    private func place(_ text: String) throws(UsageError) -> Explanation.Place {
        if let slash = text.firstIndex(of: "/"), let segment = UInt64(text[..<slash], radix: 16),
            let offset = UInt64(text[text.index(after: slash)...], radix: 16), segment > 0
        {
            return .lsn(LSN(segment: SegmentNumber(segment), offset: offset))
        }
        if let colon = text.lastIndex(of: ":") {
            let digits = text[text.index(after: colon)...]
            let offset = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
            if let offset, colon > text.startIndex { return .file(String(text[..<colon]), offset) }
        }
        if let sequence = UInt64(text), sequence > 0, sequence <= FormatConstants.maximumNumber {
            return .sequence(EventSequence(sequence))
        }
        throw UsageError(
            "\(text) is no place: SEGMENT/OFFSET in hexadecimal (1f/2a00), the number of an event, or FILE:OFFSET (checkpoint:0, "
                + "000000000000001f.seg:0x2a00) is wanted", verb)
    }
}
