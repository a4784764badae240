package import LogFormat

/// What recovery does at the first position that it has not judged yet: a table, kept as data so that it can be read,
/// printed, and proven complete (a test matches every combination with exactly one row). Idea: TigerBeetle's journal
/// recovery table.
struct TailSituation: Hashable, Sendable {
    /// What stands at the position.
    enum Found: CaseIterable, Hashable, Sendable {
        /// A valid frame of an epoch that counts here.
        case frame
        /// A valid header whose payload, gap or trailer is wrong.
        case badPayload
        /// No valid header: zeros, old bytes, damage, or the end of the file.
        case nothing
        /// A valid header of an epoch that a later `open` frame has cut here.
        case stale
        /// No valid frame, and the disk does not give all bytes of the hole that begins here. (Where somebody vouches it reaches to
        /// what counts beyond it; else it has no end, and later segments are part of it.)
        case unreadable
    }

    /// What was accepted right before it.
    enum Previous: CaseIterable, Hashable, Sendable { case frame, seal, close }

    /// What counts beyond it.
    enum Beyond: CaseIterable, Hashable, Sendable {
        case nothing
        /// An `open` frame whose cut is this very position, in this segment.
        case openHere
        /// The same, in a later segment.
        case openLater
        /// A valid frame further on in this segment.
        case frame
        /// A later segment with a valid frame. After a seal: the segment that it names is there.
        case segment
    }

    var found: Found
    var previous: Previous
    /// Whether any valid statement proves that bytes beyond this position were durable.
    var vouched: Bool
    var beyond: Beyond
}

/// What the table said about a place that is no frame which counts.
package struct TailDecision: Sendable, Hashable {
    package var lsn: LSN
    /// The row of the table.
    package var row: String
    /// What stood there, what was accepted before it, whether anything vouches for it, and what counts beyond it; the words of
    /// DESIGN.md, chapter 6.
    package var found: String
    package var previous: String
    package var isVouchedFor: Bool
    package var beyond: String
    package var action: String

    init(_ situation: TailSituation, _ row: TailRow, at lsn: LSN) {
        self.lsn = lsn
        self.row = row.name
        found = "\(situation.found)"
        previous = "\(situation.previous)"
        isVouchedFor = situation.vouched
        beyond = "\(situation.beyond)"
        action = "\(row.action)"
    }
}

/// What to do there.
enum TailAction: Hashable, Sendable, CaseIterable {
    /// Replay the frame and go on behind it.
    case accept
    /// The log goes on at the start of the next segment.
    case nextSegment
    /// A later epoch was opened right here: go on at its `open` frame.
    case skipToOpen
    /// The log ends here. What stands behind is a torn tail: never acknowledged.
    case cut
    /// As `cut`, but the disk does not show all of what is here: nothing of it may be written over, and the rest is unknown.
    case cutUnreadable
    /// Damage up to the next valid frame in this segment.
    case damageToFrame
    /// Damage up to the end of this segment's frames; the log goes on in the next one.
    case damageToSegment
    /// Damage up to the proven position, where the log ends.
    case damageToStatement
    /// The three of them for bytes that cannot be read: held, not lost.
    case holdToFrame, holdToSegment, holdToStatement
    /// The segment that the seal names is not there.
    case missingSegment
}

struct TailRow: Sendable {
    var name: String
    var found: Set<TailSituation.Found>
    var previous: Set<TailSituation.Previous>
    var vouched: Set<Bool>
    var beyond: Set<TailSituation.Beyond>
    var action: TailAction

    func matches(_ situation: TailSituation) -> Bool {
        found.contains(situation.found) && previous.contains(situation.previous)
            && vouched.contains(situation.vouched) && beyond.contains(situation.beyond)
    }
}

package enum TailTable {
    private typealias Found = Set<TailSituation.Found>
    private typealias Beyond = Set<TailSituation.Beyond>
    private static let anyFound = Found(TailSituation.Found.allCases)
    private static let anyBeyond = Beyond(TailSituation.Beyond.allCases)
    private static let invalid: Found = [.badPayload, .nothing, .stale]
    private static let open: Set<TailSituation.Previous> = [.frame, .close]

    /// For whoever counts how often each is used.
    package static var names: [String] { rows.map(\.name) }

    // The same rows, in words, stand in DESIGN.md, chapter 6.
    static let rows: [TailRow] = [
        // A seal is the planned end of a segment. It proves nothing about what comes next, only that it was prepared.
        TailRow(
            name: "T1 sealed, next segment there", found: anyFound, previous: [.seal], vouched: [true, false],
            beyond: [.segment, .openLater], action: .nextSegment),
        TailRow(
            name: "T2 sealed, next segment gone", found: anyFound, previous: [.seal], vouched: [true, false],
            beyond: [.nothing, .openHere, .frame], action: .missingSegment),

        TailRow(
            name: "T3 valid frame", found: [.frame], previous: open, vouched: [true, false], beyond: anyBeyond,
            action: .accept),

        // A later epoch decided on this very position, and its decision is durable.
        TailRow(
            name: "T4 cut by an open frame in this segment", found: invalid.union([.unreadable]), previous: open,
            vouched: [true, false], beyond: [.openHere], action: .skipToOpen),
        TailRow(
            name: "T5 cut by an open frame in a later segment", found: invalid.union([.unreadable]), previous: open,
            vouched: [true, false], beyond: [.openLater], action: .nextSegment),

        // Acknowledged bytes are gone.
        TailRow(
            name: "T6 damage, then a valid frame", found: invalid, previous: open, vouched: [true],
            beyond: [.frame], action: .damageToFrame),
        TailRow(
            name: "T7 damage to the end of the segment", found: invalid, previous: open, vouched: [true],
            beyond: [.segment], action: .damageToSegment),
        TailRow(
            name: "T8 damage to the proven end", found: invalid, previous: open, vouched: [true],
            beyond: [.nothing], action: .damageToStatement),

        // Nobody vouches: with several groups in flight a later group may be whole while an earlier, never acknowledged
        // one is not. Delivering the later one across the hole would invent an order that nobody was promised.
        TailRow(
            name: "T9 torn tail", found: invalid, previous: open, vouched: [false],
            beyond: [.nothing, .frame, .segment], action: .cut),

        TailRow(
            name: "T10 unreadable, then a valid frame", found: [.unreadable], previous: open, vouched: [true],
            beyond: [.frame], action: .holdToFrame),
        TailRow(
            name: "T11 unreadable to the end of the segment", found: [.unreadable], previous: open, vouched: [true],
            beyond: [.segment], action: .holdToSegment),
        TailRow(
            name: "T12 unreadable to the proven end", found: [.unreadable], previous: open, vouched: [true],
            beyond: [.nothing], action: .holdToStatement),
        // The frame that opened an epoch and cut the log here, and what was acknowledged since, may be among what the disk does
        // not give.
        TailRow(
            name: "T13 unreadable tail", found: [.unreadable], previous: open, vouched: [false],
            beyond: [.nothing, .frame, .segment], action: .cutUnreadable),
    ]

    /// The row for a situation. Every situation has exactly one.
    static func row(for situation: TailSituation) -> TailRow {
        for row in rows where row.matches(situation) { return row }
        preconditionFailure("the recovery table has no row for \(situation)")
    }
}
