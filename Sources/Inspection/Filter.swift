package import LogFormat

/// Which part of a log is wanted. Works alike for every verb.
package struct Filter: Sendable {
    /// nil: all.
    package var segments: Set<SegmentNumber>?
    /// Events of these sequences; frames that number one of them.
    package var sequences: SequenceRange?
    /// Commit times, in nanoseconds since 1970: from ...
    package var since: UInt64?
    /// ... to before.
    package var until: UInt64?
    package var types: Set<FrameType>?
    /// Frames that hold a transaction of this id.
    package var transaction: UInt64?
    /// How many there may be.
    package var limit: UInt64?

    package init() {}

    /// Whether something is left out that a header tells.
    package var isOfEverything: Bool {
        segments == nil && sequences == nil && since == nil && until == nil && types == nil && transaction == nil
    }

    /// What can be told from a header.
    package func admits(_ header: FrameHeader) -> Bool {
        if let types, !types.contains(header.type) { return false }
        if let since, header.commitTime < since { return false }
        if let until, header.commitTime >= until { return false }
        if let sequences {
            guard header.eventCount > 0 else { return types != nil }
            return header.baseSequence < sequences.end && header.endSequence > sequences.first
        }
        return true
    }

    /// What takes a look into the frame.
    package func admits(_ frame: WalkedFrame) -> Bool {
        guard admits(frame.header) else { return false }
        guard let transaction else { return true }
        guard frame.header.type.holdsTransactions, let raw = try? frame.raw() else { return false }
        let heads = try? TransactionHead.heads(
            in: raw.rawBytes, type: frame.header.type, transactionCount: frame.header.transactionCount)
        return heads?.contains { $0.id == transaction } ?? false
    }

    package func admits(_ sequence: EventSequence) -> Bool {
        sequences.map { $0.first <= sequence && sequence < $0.end } ?? true
    }
}
