internal import DurableChannel
package import LogFormat
internal import SegmentedLog

extension Verification {
    /// The sums, for programs.
    package var members: [(String, JSON)] {
        func list(_ ranges: [SequenceRange]) -> JSON { .list(ranges.filter { $0.count > 0 }.map(\.json)) }
        return [
            ("frames", .whole(frames)), ("events", .whole(events)), ("checked_bytes", .whole(checkedBytes)),
            ("findings", .whole(UInt64(findingCount))), ("lost_events", list(lostEvents)),
            ("unreadable_events", list(unreadableEvents)), ("is_sample", .flag(isSample)),
        ]
    }
}

extension SegmentVerdict {
    package var members: [(String, JSON)] {
        segment.members + [
            ("verdict", .text(word.replacingSpaces)), ("frames", .whole(frames)), ("other_frames", .whole(otherFrames)),
            ("frames_behind_end", .whole(framesBehindEnd)), ("events", .whole(events)),
            ("frame_bytes", .whole(frameBytes)),
            ("checked_bytes", .whole(checkedBytes)), ("finding_count", .whole(UInt64(findingCount))),
            ("findings", .list(findings.map { .object($0.members) })),
            ("error", .optional(error.map { .text("\($0)") })),
        ]
    }
}

extension WalkFinding {
    package var members: [(String, JSON)] {
        [
            ("kind", .text(kind.rawValue)), ("lsn", lsn.segment.rawValue == 0 ? .null : .text("\(lsn)")),
            ("from_offset", .whole(lsn.offset)), ("to_offset", .whole(endOffset)),
            ("sequences", .optional(sequences?.json)), ("held_events", .whole(heldEvents)), ("words", .text(words)),
        ]
    }
}

extension WalkedSegment {
    package var members: [(String, JSON)] {
        [
            ("segment", .optional(number.map { .text("\($0)") })), ("file", .text(name)),
            ("role", .text(role.rawValue)),
            ("kind", .optional((identity?.kind ?? entry?.kind).map { .text("\($0)") })),
            ("log", .optional(identity.map { .text("\($0.logUUID)") })),
            (
                "segment_bytes",
                .optional((identity?.segmentBytes ?? entry.map { UInt64($0.segmentBytes) }).map(JSON.whole))
            ),
            ("file_bytes", .optional(status.map { .whole($0.size) })),
            ("allocated_bytes", .optional(status.map { .whole($0.allocatedBytes) })),
            ("base_sequence", .optional(entry.map { .whole($0.baseSequence.rawValue) })),
            ("end_offset", .optional(entry.flatMap { $0.endOffset == 0 ? nil : .whole($0.endOffset) })),
            ("creation_time", .optional(identity.map { .whole($0.creationTime) })),
            ("predecessor", .optional(identity.map { .text("\($0.predecessor)") })),
            ("copies", .list(copies.map { .text($0.map { "\($0)" } ?? "valid") })),
        ]
    }
}

extension SequenceRange {
    /// The last one is in it: as people count.
    package var json: JSON {
        .object([("first", .whole(first.rawValue)), ("last", .whole(end.rawValue - 1)), ("count", .whole(count))])
    }
}

extension LogInspection {
    /// What stands at the head of each answer about this log.
    package var headMembers: [(String, JSON)] {
        [
            ("log", .optional(view.map { .text("\($0.logUUID)") })),
            ("in_use_by", .optional(process.map { .whole(UInt64($0)) })),
            ("refusal", .optional(refusal.map { .text("\($0)") })), ("is_steady", .flag(isSteady)),
        ]
    }

    /// What the segment files hold, as far as their sizes say.
    package var segmentBytes: UInt64 {
        inventory.segments.reduce(0) { sum, number in
            sum + ((try? directory.status(of: FileNames.segment(number)))?.size ?? 0)
        }
    }
}

extension String {
    var replacingSpaces: String { String(map { $0 == " " ? "_" : $0 }) }
}
