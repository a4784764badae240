internal import DurableChannel
internal import LogFormat
internal import SegmentedLog

/// Judges what an opened channel shows of a log of which something was changed, by where the change is and by what was
/// promised.
struct EveryBitCheck {
    let log: EveryBitLog
    let variant: EveryBitVariant
    private let touched: [String: Range<Int>]
    private let touchedFrames: [EveryBitLog.Frame]
    /// Vouched for by what was not touched: a record of the pointers, a frame, a checkpoint slot.
    private let provenEnd: UInt64

    init(_ log: EveryBitLog, _ variant: EveryBitVariant) {
        self.log = log
        self.variant = variant
        let touched = variant.touched(log.files)
        self.touched = touched
        touchedFrames = log.frames.filter { touched[$0.file]?.overlaps($0.bytes) ?? false }
        provenEnd = log.provenEnd(without: touched)
    }

    struct Verdict {
        /// Missing, and counted as lost or unreadable.
        var lost = 0
        /// Missing, and nobody could know: what nothing vouched for.
        var unknown = 0
    }

    /// The least number that a new event may get.
    ///
    /// What stands at the end of a log that was killed, and nothing covers, is a torn tail: its numbers may be given again
    /// (ENGINE.md 3). All others are known: by a statement that is left, or because a file is too short or not there, and then
    /// numbers go on behind all that it could have held.
    func leastNext(_ look: EveryBitLook) -> UInt64 {
        max(
            (look.events.last?.sequence ?? 0) + 1, provenEnd,
            variant.kind == .flipped ? 1 : log.promises.acknowledgedEnd)
    }

    func judge(_ look: EveryBitLook, _ verdict: inout Verdict) -> String? {
        if let objection = log.objection(toEvents: look) { return objection }
        if isReported, Set(look.report.remarks).isSubset(of: log.remarks) { return "nothing was said about it" }
        let unknown = unknownFrames(look.report)
        let gone = touchedFrames + unknown
        if let objection = objection(toMissing: look, gone, &verdict) { return objection }
        if let objection = objection(toReturned: look, gone) { return objection }
        for name in log.bookmarkNames where look.bookmarks[name] != log.bookmarks[name] {
            if !gone.contains(where: { $0.bookmarks.contains(name) }) {
                return
                    "bookmark \(name) is \(EveryBitLog.words(look.bookmarks[name])), and nothing that set it was touched"
            }
        }
        return look.metrics.isBalanced ? nil : "not balanced: \(look.metrics)"
    }

    /// A copy of what stands twice, where every opening looks: of the identity of the newest segment, or a checkpoint slot.
    private var isReported: Bool {
        guard case .flipped(let bit) = variant.damage else { return false }
        let newest = log.files.keys.filter { $0.hasSuffix(".seg") }.max()
        if variant.file == newest { return bit / 8 < 2 * IdentityBlock.byteCount }
        return log.statements.contains { $0.file == "checkpoint" && touched[$0.file]?.overlaps($0.bytes) == true }
    }

    /// Whole frames behind the place where the log was cut, which the opening has reported.
    private func unknownFrames(_ report: RecoveryReport) -> [EveryBitLog.Frame] {
        log.frames.filter { frame in report.unknown.contains { $0.lsn == frame.lsn } }
    }

    private func objection(
        toMissing look: EveryBitLook, _ gone: [EveryBitLog.Frame], _ verdict: inout Verdict
    ) -> String? {
        let there = Set(look.events.map(\.sequence))
        let missing = log.held.keys.filter { !there.contains($0) }.sorted()
        if let other = missing.first(where: { sequence in !gone.contains { $0.events.contains(sequence) } }) {
            return "event \(other) is missing, and its frame was neither touched nor cut off; missing: \(missing)"
        }
        let proven = missing.count { $0 < provenEnd }
        let counted = look.metrics.lostEvents + look.metrics.unreadableEvents
        if UInt64(proven) > counted {
            return "\(missing) are missing, those before \(provenEnd) are vouched for, and \(counted) counted as lost"
        }
        if variant.kind != .flipped, UInt64(missing.count) > counted {
            return "\(missing) are missing, those before \(provenEnd) are vouched for, and \(counted) counted as lost"
        }
        // A flipped bit tells exactly what it has cost.
        if variant.kind == .flipped, counted != UInt64(proven) {
            return "\(missing) are missing, and \(counted) counted as lost"
        }
        verdict.lost += Int(counted)
        verdict.unknown += missing.count - proven
        if log.end != .killed, variant.kind == .flipped, proven < missing.count {
            return "\(missing) are missing silently, though everything was vouched for"
        }
        return nil
    }

    /// What was taken stays taken, unless the record of it is gone; then it comes with the mark. So does what was handed out.
    private func objection(toReturned look: EveryBitLook, _ gone: [EveryBitLog.Frame]) -> String? {
        // Where the log ends earlier than it did, leases behind that are gone like everything else.
        let isShorter = look.report.tail.lsn < log.tail
        for event in look.events {
            let sequence = event.sequence
            if log.held[sequence] == nil {
                let number = EventSequence(sequence)
                let isBack = gone.contains { $0.decided.contains { $0.contains(number) } }
                // What was never acknowledged may be there after all, when a hole before it is damage now.
                let wasUnderWay = log.end == .killed && log.acknowledged[sequence] == nil
                if !isBack, !wasUnderWay { return "event \(sequence) was taken, and comes again" }
                if isBack, !event.isMarked, !isShorter { return "event \(sequence) comes again without mark" }
            }
            if log.promises.handedOut.contains(sequence), !event.isMarked, !isShorter {
                return "event \(sequence) was handed out, and comes without mark"
            }
        }
        return nil
    }
}
