package import DurableChannel
package import LogFormat

/// What `verify` says of one segment.
package struct SegmentVerdict: Sendable {
    package var segment: WalkedSegment
    /// Whole frames that are part of the log.
    package var frames: UInt64 = 0
    /// Whole frames that are not: stale, or of a segment that is not listed.
    package var otherFrames: UInt64 = 0
    /// Whole frames behind the end of the log.
    package var framesBehindEnd: UInt64 = 0
    /// Events in frames that are part of the log.
    package var events: UInt64 = 0
    /// Bytes of those frames.
    package var frameBytes: UInt64 = 0
    /// Bytes that were looked at.
    package var checkedBytes: UInt64 = 0
    /// What is wrong, the first ``mostFindings`` of them.
    package var findings: [WalkFinding] = []
    package var findingCount = 0
    package var isTorn = false
    /// It was let go while it was read: no verdict.
    package var isRecycled = false
    /// Why it could not be looked at.
    package var error: ChannelError?

    package static let mostFindings = 1024

    init(_ segment: WalkedSegment) { self.segment = segment }

    mutating func note(_ finding: WalkFinding) {
        findingCount += 1
        if findings.count < Self.mostFindings { findings.append(finding) }
    }

    /// One word.
    package var word: String {
        if isRecycled { return "recycled while reading" }
        if error != nil { return "not readable" }
        if findingCount > 0 { return findings.contains { $0.kind == .damaged } ? "damaged" : findings[0].kind.rawValue }
        if isTorn { return "torn tail" }
        return switch segment.role {
        case .live, .active, .alone, .unjudged: "clean"
        case .retired: "retired"
        case .unused: "not used"
        case .foreign: "foreign"
        }
    }
}

/// Something that is wrong, and where.
package struct WalkFinding: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Acknowledged bytes are gone.
        case damaged
        /// The disk does not give them at present.
        case unreadable
        /// Numbers are missing, and no bytes that they could have stood in.
        case missingSequences = "missing_sequences"
        /// A segment that the log lists is not there.
        case missingSegment = "missing_segment"
        /// One of the two copies of an identity.
        case identity
        /// A segment's neighbours and it do not agree.
        case chain
        /// A frame's checksums are right and what it holds is no payload of its type.
        case payload
        /// The pointers and the data do not agree.
        case pointers
        /// A checkpoint slot cannot be used.
        case checkpoint
    }

    package var kind: Kind
    package var lsn: LSN
    /// Exclusive; the same as the place's offset where no bytes are meant.
    package var endOffset: UInt64
    /// The sequences that stood there, if any did.
    package var sequences: SequenceRange?
    /// How many of those are held: acknowledged, and neither taken nor dropped.
    package var heldEvents: UInt64 = 0
    package var words: String
}
