import CommandOptions
import DurableChannel
import Inspection
import LogFormat
import SegmentedLog

extension Call {
    /// `walctl checkpoint`.
    func checkpoint() throws -> Int32 {
        let path = arguments.operands[0]
        let inspection = try look(path)
        let found = CheckpointTable(inspection)
        guard output.format == .text else {
            try output.begin("checkpoint", path, inspection.headMembers)
            for row in found.rows { try output.record("snapshot", row.members) }
            try output.end([
                ("rule", .text(found.rule)), ("remarks", .list(found.remarks.map(JSON.text))),
                (
                    "replay",
                    .optional(
                        found.replay.map {
                            .object([
                                ("from", .text("\($0.from)")), ("to", .text("\($0.to)")),
                                ("frames", .whole(UInt64($0.frames))),
                            ])
                        })
                ),
            ])
            return ExitStatus.done
        }
        var rows = TextTable([
            .left(""), .left("where"), .right("generation"), .left("written"), .left("covers"),
            .left("durable through"),
            .right("next event"), .right("segments"), .right("taken below"), .right("ranges"), .right("lease"),
            .right("bookmarks"),
            .right("producers"),
        ])
        for row in found.rows {
            let group = row.client?.groups.first
            rows.add(
                [
                    row.isBase ? "->" : "", row.place, row.generation.map { "\($0)" } ?? "", Units.ago(row.time, now),
                    "\(row.snapshot.covered.lsn)", "\(row.durableThrough.lsn)", "\(row.snapshot.covered.nextSequence)",
                    "\(row.snapshot.segments.count)", group.map { "\($0.acknowledgedBelow)" } ?? "1",
                    "\(group?.acknowledged.count ?? 0)", group.map { "\($0.leaseLimit)" } ?? "1",
                    row.client.map { "\($0.bookmarks.count)" } ?? "not valid", "\(row.client?.producers.count ?? 0)",
                ], colours: row.isBase ? [0: .green, 1: .green] : [:])
        }
        for line in rows.lines(output.style) { try output.line(line) }
        if found.rows.isEmpty { try output.line("no checkpoint slot and no segment's snapshot can be read") }
        try output.line()
        try output.line(found.rule)
        if let replay = found.replay {
            try output.line("and replays from \(replay.from) to \(replay.to): \(replay.frames) frames")
        }
        for remark in found.remarks { try output.line("note: \(remark)") }
        return ExitStatus.done
    }
}
