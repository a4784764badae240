package import LogFormat

extension RecoveryReport {
    /// Each list with at most `most` items; how many there were stands beside it.
    package func json(listing most: Int) -> JSON {
        func list<Item>(_ items: [Item], _ render: (Item) -> JSON) -> JSON {
            .object([("count", .whole(UInt64(items.count))), ("first", .list(items.prefix(most).map(render)))])
        }
        return .object([
            ("created", .flag(created)), ("epoch", .whole(epoch.rawValue)), ("base", .text(base)),
            ("wasClosedCleanly", .flag(wasClosedCleanly)), ("replayedFrom", replayedFrom.json),
            ("provenThrough", provenThrough.json), ("tail", tail.json),
            ("segmentsScanned", .whole(UInt64(segmentsScanned))), ("framesReplayed", .whole(UInt64(framesReplayed))),
            ("rows", .object(rows.sorted { $0.key < $1.key }.map { ($0.key, .whole(UInt64($0.value))) })),
            ("losses", list(losses, \.json)), ("unreadable", list(unreadable, \.json)),
            ("unknown", list(unknown, \.json)), ("setAsideFiles", list(setAsideFiles, JSON.text)),
            ("removedFiles", list(removedFiles, JSON.text)), ("foreignFiles", list(foreignFiles, JSON.text)),
            ("remarks", list(remarks) { .text(String($0.prefix(500))) }),
            ("nanoseconds", .object(steps.map { ($0.name, .whole($0.nanoseconds)) })),
            ("totalNanoseconds", .whole(durationNanoseconds)),
        ])
    }
}

extension DamagedRange {
    package var json: JSON {
        .object([
            ("reason", .text("\(reason)")), ("segment", .text("\(segment)")), ("from", .whole(fromOffset)),
            ("to", .whole(toOffset)), ("first", .whole(firstSequence.rawValue)),
            ("end", .whole(endSequence.rawValue)),
        ])
    }
}

extension CutFrame {
    package var json: JSON {
        .object([
            ("lsn", .text("\(lsn)")), ("type", .text("\(type)")), ("first", .whole(firstSequence.rawValue)),
            ("end", .whole(endSequence.rawValue)),
        ])
    }
}

extension DurableThrough {
    fileprivate var json: JSON {
        .object([("lsn", .text("\(lsn)")), ("nextSequence", .whole(nextSequence.rawValue))])
    }
}
