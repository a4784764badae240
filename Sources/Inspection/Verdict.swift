/// What is to be thought of some bytes of a segment.
package enum Verdict: String, Sendable, CaseIterable {
    // Whole frames.

    /// Part of the log.
    case valid
    /// A later epoch has cut it off, or the segment ends before it: left over, of no meaning.
    case stale
    /// Behind the place where the log ends: never acknowledged, or acknowledged within the last groups before a crash and cut off by
    /// damage before it. Nobody can tell; an opening copies it aside.
    case behindEnd = "behind_end"
    /// Its segment is not part of the log (any more): let go, or never used.
    case notListed = "not_listed"

    // Bytes that no whole frame covers.

    /// Acknowledged bytes are gone.
    case damaged
    /// The end of the log: never acknowledged, as far as anything tells.
    case torn
    /// A torn end that a later epoch has cut off: nothing is missing.
    case cutOff = "cut_off"
    /// The disk does not give the bytes at present: held, not lost.
    case unreadable
    /// In a log that is in use, behind what is durable: a write is under way.
    case beingWritten = "being_written"
    /// Nothing that was looked at says whether it was acknowledged (one segment alone).
    case unproven
    /// Space behind the last frame.
    case unwritten

    /// It is one of the things that are looked for.
    package var isFinding: Bool { [.damaged, .unreadable].contains(self) }
}
