internal import DurableChannel
package import LogFormat

/// What a frame of one of the small types says, and where others begin: for a line of its own, and for programs.
package struct FrameDetails: Sendable {
    /// In a few words; empty for frames whose columns say it all.
    package let words: String
    package let members: [(String, JSON)]

    /// What does not decode says so: its checksum is right, so it was forged, or written by a faulty program.
    package init(_ frame: WalkedFrame) {
        do throws(ChannelError) {
            let raw = try frame.raw()
            do throws(FormatError) {
                (words, members) = try Self.decode(frame.header, raw)
            } catch {
                words = "its checksum is right, and it is no \(frame.header.type): \(error)"
                members = [("error", .text("\(error)"))]
            }
        } catch {
            words = "\(error)"
            members = [("error", .text("\(error)"))]
        }
    }

    private static func decode(_ header: FrameHeader, _ raw: [UInt8]) throws(FormatError) -> (String, [(String, JSON)])
    {
        let bytes = raw.rawBytes
        switch header.type {
        case .snapshot:
            let snapshot = try Snapshot(decoding: bytes)
            return (
                "covers \(snapshot.covered.lsn), \(snapshot.segments.count) segments, next event \(snapshot.covered.nextSequence)",
                [("snapshot", snapshot.json)]
            )
        case .open:
            let record = try OpenRecord(decoding: bytes)
            return (
                "epoch \(header.epoch) begins (\(record.reason)), cut at \(record.cut), next event \(record.nextSequence)",
                [
                    ("cut", .text("\(record.cut)")), ("next_sequence", .whole(record.nextSequence.rawValue)),
                    ("previous_epoch", .whole(record.previousEpoch.rawValue)),
                    ("block_bytes", .whole(UInt64(record.blockBytes))),
                    ("groups_in_flight", .whole(UInt64(record.groupsInFlight))),
                    ("durability", .text("\(record.durability)")),
                    ("reason", .text("\(record.reason)")),
                ]
            )
        case .seal:
            let record = try SealRecord(decoding: bytes)
            return ("goes on in segment \(record.nextSegment)", [("next_segment", .text("\(record.nextSegment)"))])
        case .lease:
            let record = try LeaseRecord(decoding: bytes)
            return (
                "'\(record.group)' may have had what is below \(record.limit)",
                [("group", .text(record.group)), ("limit", .whole(record.limit.rawValue))]
            )
        case .drop:
            let record = try DropRecord(decoding: bytes)
            return (
                "\(record.reason): \(record.ranges.words)",
                [
                    ("reason", .text("\(record.reason)")), ("group", .text(record.group)),
                    ("ranges", .list(record.ranges.map(\.json))),
                ]
            )
        case .loss:
            let record = try LossRecord(decoding: bytes)
            let range = SequenceRange(first: record.firstSequence, end: record.endSequence)
            return (
                "\(record.reason) in segment \(record.segment) from \(String(record.fromOffset, radix: 16)): \([range].words)",
                [
                    ("reason", .text("\(record.reason)")), ("damaged_segment", .text("\(record.segment)")),
                    ("from_offset", .whole(record.fromOffset)), ("to_offset", .whole(record.toOffset)),
                    ("first_sequence", .whole(record.firstSequence.rawValue)),
                    ("end_sequence", .whole(record.endSequence.rawValue)),
                ]
            )
        case .deliveryCount:
            let record = try DeliveryCountRecord(decoding: bytes)
            return (
                "\(record.entries.count) events handed out and returned",
                [
                    ("group", .text(record.group)),
                    (
                        "entries",
                        .list(
                            record.entries.map {
                                .object([("sequence", .whole($0.sequence.rawValue)), ("count", .whole($0.count))])
                            })
                    ),
                ]
            )
        case .takeCommit, .bookmark:
            let heads = try TransactionHead.heads(
                in: bytes, type: header.type, transactionCount: header.transactionCount)
            let ranges = heads.flatMap(\.ranges)
            let names = heads.flatMap(\.bookmarks).map(\.name)
            return (
                [
                    ranges.isEmpty ? "" : "takes \(ranges.words)",
                    names.isEmpty ? "" : "bookmarks \(names.joined(separator: ", "))",
                ]
                .filter { !$0.isEmpty }.joined(separator: "; "),
                [("ranges", .list(ranges.map(\.json))), ("bookmarks", .list(names.map(JSON.text)))]
            )
        case .put, .close, .mark, .padding: return ("", [])
        }
    }
}

extension [SequenceRange] {
    /// `1 to 7, 9`; the first few of very many.
    package var words: String {
        let most = 6
        var parts = prefix(most).map { range in
            switch range.count {
            case 0: "no events"
            case 1: "\(range.first)"
            default: "\(range.first) to \(range.end.rawValue - 1)"
            }
        }
        if count > most { parts.append("and \(count - most) more") }
        return parts.joined(separator: ", ")
    }
}

extension Snapshot {
    /// All of it but the channel's part, of which only the length.
    package var json: JSON {
        .object([
            ("covered", .text("\(covered.lsn)")), ("covered_sequence", .whole(covered.nextSequence.rawValue)),
            ("epoch", .whole(epoch.rawValue)), ("client_bytes", .whole(UInt64(client.count))),
            (
                "segments",
                .list(
                    segments.map {
                        .object([
                            ("segment", .text("\($0.number)")), ("base_sequence", .whole($0.baseSequence.rawValue)),
                            ("end_offset", .whole($0.endOffset)), ("segment_bytes", .whole(UInt64($0.segmentBytes))),
                            ("kind", .text("\($0.kind)")), ("holds_events", .flag($0.holdsEvents)),
                        ])
                    })
            ),
        ])
    }
}

extension WalkedFrame {
    package var members: [(String, JSON)] {
        [
            ("lsn", .text("\(lsn)")), ("segment", .text("\(lsn.segment)")), ("offset", .whole(lsn.offset)),
            ("type", .text("\(header.type)")), ("verdict", .text(verdict.rawValue)),
            ("frame_bytes", .whole(UInt64(header.frameBytes))), ("stored_bytes", .whole(UInt64(header.storedBytes))),
            ("raw_bytes", .whole(UInt64(header.rawBytes))), ("compression", .text("\(header.compression)")),
            ("event_count", .whole(UInt64(header.eventCount))),
            ("transaction_count", .whole(UInt64(header.transactionCount))),
            ("base_sequence", .whole(header.baseSequence.rawValue)), ("epoch", .whole(header.epoch.rawValue)),
            ("durable_through", .text("\(header.durableThrough.lsn)")),
            ("durable_sequence", .whole(header.durableThrough.nextSequence.rawValue)),
            ("commit_time", .whole(header.commitTime)), ("missing_before", .optional(missingBefore?.json)),
        ]
    }
}

extension WalkedHole {
    package var members: [(String, JSON)] {
        [
            ("lsn", .text("\(lsn)")), ("segment", .text("\(lsn.segment)")), ("from_offset", .whole(range.lowerBound)),
            ("to_offset", .whole(range.upperBound)), ("verdict", .text(verdict.rawValue)), ("words", .text(flaw.words)),
            ("sequences", .optional(sequences?.json)),
        ]
    }
}
