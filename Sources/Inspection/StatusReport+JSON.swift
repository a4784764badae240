internal import DurableChannel
internal import FileIO
package import LogFormat
internal import SegmentedLog

extension StatusReport {
    /// For programs: flat, so that one figure is one name.
    package var members: [(String, JSON)] {
        [
            ("state", .text(state.rawValue)), ("in_use_by", .optional(process.map { .whole(UInt64($0)) })),
            ("log", .optional(log.map { .text("\($0)") })), ("refusal", .optional(refusal.map { .text("\($0)") })),
            ("is_steady", .flag(isSteady)), ("put_events", .whole(put)), ("held_events", .whole(held)),
            ("taken_events", .whole(group.taken)),
            (
                "dropped_events",
                .object([
                    ("overflow", .whole(group.droppedByOverflow)), ("expired", .whole(group.expired)),
                    ("dead_letter", .whole(group.deadLettered)), ("skipped", .whole(group.skipped)),
                ])
            ),
            ("lost_events", .whole(group.lost)), ("newly_lost_events", .whole(lostNow)),
            ("may_repeat_events", .whole(mayRepeat)), ("next_sequence", .whole(nextSequence.rawValue)),
            ("acknowledged_below", .whole(group.acknowledgedBelow.rawValue)),
            ("acknowledged_ranges", .whole(UInt64(group.acknowledged.count))),
            ("lease_limit", .whole(group.leaseLimit.rawValue)),
            ("held_bytes", .whole(heldBytes)),
            (
                "oldest_held",
                .optional(
                    oldest.map {
                        .object([
                            ("sequence", .whole($0.sequence.rawValue)),
                            ("commit_time", .optional($0.commitTime.map(JSON.whole))),
                            ("lsn", .optional($0.lsn.map { .text("\($0)") })),
                        ])
                    })
            ),
            ("bookmarks", .list(bookmarks.map { .object([("name", .text($0.name)), ("value", .bytes($0.value))]) })),
            ("producers", .whole(UInt64(producers))), ("live_segments", .whole(UInt64(liveSegments))),
            ("retired_segments", .whole(UInt64(retiredSegments))), ("spare_files", .whole(UInt64(spareFiles))),
            ("reserves", .whole(UInt64(reserves))), ("segment_bytes", .optional(segmentBytes.map(JSON.whole))),
            ("epoch", .whole(epoch.rawValue)), ("durability", .optional(open.map { .text("\($0.durability)") })),
            ("block_bytes", .optional(open.map { .whole(UInt64($0.blockBytes)) })),
            ("groups_in_flight", .optional(open.map { .whole(UInt64($0.groupsInFlight)) })),
            ("write_method", .optional(writeMethod.map { .text("\($0)") })),
            ("recent_stored_bytes", .whole(recent.stored)), ("recent_raw_bytes", .whole(recent.raw)),
            ("used_bytes", .whole(space.used)), ("capacity_bytes", .optional(space.capacity.map(JSON.whole))),
            ("segments_on_disk_bytes", .whole(space.segments)), ("spare_bytes", .whole(space.spares)),
            ("set_aside_bytes", .whole(space.setAside)), ("foreign_bytes", .whole(space.foreign)),
            (
                "oldest_segment",
                .optional(
                    pin.map {
                        .object([
                            ("segment", .text("\($0.segment)")), ("held_events", .whole($0.heldEvents)),
                            ("first_held", .optional($0.first.map { .whole($0.rawValue) })),
                        ])
                    })
            ),
            ("torn_frames", .whole(UInt64(tornFrames))), ("findings", .list(findings.map(\.snakeJSON))),
            ("remarks", .list(remarks.map(JSON.text))), ("openings", .list(openings.map(\.json))),
        ]
    }
}

extension DamagedRange {
    var snakeJSON: JSON {
        .object([
            ("reason", .text("\(reason)")), ("segment", .text("\(segment)")), ("from_offset", .whole(fromOffset)),
            ("to_offset", .whole(toOffset)), ("first_sequence", .whole(firstSequence.rawValue)),
            ("end_sequence", .whole(endSequence.rawValue)),
        ])
    }
}

extension OpeningReport {
    var json: JSON {
        .object([
            ("epoch", .whole(epoch.rawValue)), ("time", .whole(time)),
            ("created", .optional(created.map(JSON.flag))),
            ("was_closed_cleanly", .optional(wasClosedCleanly.map(JSON.flag))),
            ("lost_events", .optional(lost.map(JSON.whole))),
            ("damaged_ranges", .optional(damagedRanges.map(JSON.whole))),
            ("milliseconds", .optional(milliseconds.map(JSON.whole))), ("flaw", .optional(flaw.map(JSON.text))),
        ])
    }
}
