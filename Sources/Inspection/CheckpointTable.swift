internal import DurableChannel
package import LogFormat
internal import SegmentedLog

/// Every snapshot of the pointers that there is: checkpoint slots, and the snapshots at the head of each segment; with the one that
/// an opening would begin from, and the rule that says so.
package struct CheckpointTable: Sendable {
    package struct Row: Sendable {
        /// `slot 0`, `segment 1f`.
        package var place: String
        /// Where its frame stands; nil for a slot.
        package var lsn: LSN?
        /// Of a slot.
        package var generation: UInt64?
        package var time: UInt64
        package var durableThrough: DurableThrough
        package var snapshot: Snapshot
        /// The channel's part, if it can be understood.
        package var client: ClientState?
        package var isBase: Bool
    }

    /// Slots first, then segments, the newest first.
    package private(set) var rows: [Row] = []
    /// Slots and snapshots that cannot be used, and why.
    package private(set) var remarks: [String] = []
    /// Why the base is the base.
    package let rule: String
    /// From where to where an opening would replay, and the frames on that way.
    package let replay: (from: LSN, to: LSN, frames: Int)?

    /// Snapshots of so many segments, the newest, are looked at: what is older no opening takes.
    private static let mostSegments = 64

    package init(_ inspection: LogInspection) {
        let view = inspection.view
        for slot in view?.slots ?? [] {
            let name = "checkpoint slot \(slot.slot), generation \(slot.generation)"
            rows.append(
                Row(
                    place: "slot \(slot.slot)", lsn: nil, generation: slot.generation, time: slot.time,
                    durableThrough: slot.durableThrough, snapshot: slot.snapshot,
                    client: Self.client(slot.snapshot), isBase: view?.base.name == name))
        }
        for number in inspection.inventory.segments.reversed().prefix(Self.mostSegments) {
            let segment = WalkedSegment(FileNames.segment(number), number, inspection)
            guard
                let scan = try? SegmentScan(
                    segment.name, in: inspection.directory, life: inspection.life(of: segment)),
                case .frame(let header, let place)? = scan.next(), header.type == .snapshot
            else { continue }
            let lsn = LSN(segment: number, offset: place)
            guard let stored = try? scan.payload(of: header, at: place),
                let raw = try? FramePayload.decompress(stored, header: header),
                let snapshot = try? Snapshot(decoding: raw.rawBytes)
            else {
                remarks.append("the snapshot at \(lsn) is not valid though its checksum is right")
                continue
            }
            rows.append(
                Row(
                    place: "segment \(number)", lsn: lsn, generation: nil, time: header.commitTime,
                    durableThrough: header.durableThrough, snapshot: snapshot, client: Self.client(snapshot),
                    isBase: view?.base.name == "snapshot of segment \(number)"))
        }
        if let view {
            remarks += view.report.remarks.filter { $0.contains("checkpoint") }
            replay = (view.base.snapshot.covered.lsn, view.tail.lsn, view.report.framesReplayed)
            rule =
                "an opening begins from \(view.base.name): of the valid slots and the newest segment's snapshot it covers most "
                + "(\(view.base.snapshot.covered.lsn)); of equals the one that was written later"
        } else {
            replay = nil
            rule = inspection.refusal.map { "an opening would be refused: \($0)" } ?? "one segment alone is not opened"
        }
    }

    private static func client(_ snapshot: Snapshot) -> ClientState? {
        snapshot.client.isEmpty ? ClientState() : try? ClientState(decoding: snapshot.client.rawBytes)
    }
}

extension CheckpointTable.Row {
    package var members: [(String, JSON)] {
        [
            ("place", .text(place)), ("lsn", .optional(lsn.map { .text("\($0)") })),
            ("generation", .optional(generation.map(JSON.whole))), ("time", .whole(time)),
            ("durable_through", .text("\(durableThrough.lsn)")),
            ("durable_sequence", .whole(durableThrough.nextSequence.rawValue)), ("is_base", .flag(isBase)),
            ("snapshot", snapshot.json), ("pointers", .optional(client?.json)),
        ]
    }
}

extension ClientState {
    /// All of it.
    package var json: JSON {
        .object([
            ("groups", .list(groups.map(\.json))),
            ("bookmarks", .list(bookmarks.map { .object([("name", .text($0.name)), ("value", .bytes($0.value))]) })),
            (
                "producers",
                .list(
                    producers.map {
                        .object([
                            ("id", .text("\($0.id)")), ("producer_sequence", .whole($0.producerSequence)),
                            ("first_sequence", .whole($0.firstSequence.rawValue)),
                            ("event_count", .whole($0.eventCount)),
                            ("lsn", .text("\($0.lsn)")),
                        ])
                    })
            ),
            (
                "delivery_counts",
                .list(
                    deliveryCounts.map {
                        .object([
                            ("group_index", .whole(UInt64($0.groupIndex))), ("sequence", .whole($0.sequence.rawValue)),
                            ("count", .whole($0.count)),
                        ])
                    })
            ),
        ])
    }
}

extension ClientState.Group {
    package var json: JSON {
        .object([
            ("name", .text(name)), ("acknowledged_below", .whole(acknowledgedBelow.rawValue)),
            ("acknowledged", .list(acknowledged.map(\.json))), ("lease_limit", .whole(leaseLimit.rawValue)),
            ("taken", .whole(taken)), ("dropped_by_overflow", .whole(droppedByOverflow)), ("expired", .whole(expired)),
            ("dead_lettered", .whole(deadLettered)), ("skipped", .whole(skipped)), ("lost", .whole(lost)),
        ])
    }

    /// Everything that was given up, for whatever reason.
    package var dropped: UInt64 { droppedByOverflow + expired + deadLettered + skipped }
}
