internal import LogFormat

/// How often events were handed out and rolled back. Kept for the lowest sequences, since a poison event ends up at the head
/// of the queue.
struct DeliveryCounts: Sendable {
    private var counts: [UInt64: UInt64] = [:]

    subscript(_ sequence: EventSequence) -> UInt64 { counts[sequence.rawValue] ?? 0 }

    var isEmpty: Bool { counts.isEmpty }

    /// Counts of the events in these ranges.
    func counts(in ranges: [SequenceRange]) -> [UInt64: UInt64] {
        guard !counts.isEmpty else { return [:] }
        var found: [UInt64: UInt64] = [:]
        for range in ranges {
            if range.count < UInt64(counts.count) {
                for sequence in range.first.rawValue..<range.end.rawValue { found[sequence] = counts[sequence] }
            } else {
                for (sequence, count) in counts where range.contains(EventSequence(sequence)) {
                    found[sequence] = count
                }
            }
        }
        return found
    }

    /// A take of these ranges was rolled back: one more for each event. Returns the new counts, ascending, as a record
    /// keeps them, for the first `most` events at most; `limit` counts are kept in all.
    mutating func increment(
        _ ranges: [SequenceRange], keeping limit: Int, atOnce most: Int
    ) -> [DeliveryCountRecord.Entry] {
        var entries: [DeliveryCountRecord.Entry] = []
        for range in ranges {
            for sequence in range.first.rawValue..<range.end.rawValue {
                guard entries.count < min(limit, most) else { break }
                let known = counts[sequence] ?? 0
                let count = known == .max ? known : known + 1
                counts[sequence] = count
                entries.append(DeliveryCountRecord.Entry(sequence: EventSequence(sequence), count: count))
            }
        }
        trim(limit)
        return entries
    }

    mutating func apply(_ entries: [DeliveryCountRecord.Entry], limit: Int) {
        for entry in entries {
            counts[entry.sequence.rawValue] = max(counts[entry.sequence.rawValue] ?? 0, entry.count)
        }
        trim(limit)
    }

    /// These events are decided.
    mutating func forget(_ range: SequenceRange) {
        guard !counts.isEmpty else { return }
        if range.count < UInt64(counts.count) {
            for sequence in range.first.rawValue..<range.end.rawValue { counts[sequence] = nil }
        } else {
            counts = counts.filter { !range.contains(EventSequence($0.key)) }
        }
    }

    mutating func keep(_ isWanted: (EventSequence) -> Bool) {
        counts = counts.filter { isWanted(EventSequence($0.key)) }
    }

    mutating func trim(_ limit: Int) {
        guard counts.count > limit else { return }
        for sequence in counts.keys.sorted().dropFirst(limit) { counts[sequence] = nil }
    }

    var state: [ClientState.DeliveryCount] {
        counts.sorted { $0.key < $1.key }.map { sequence, count in
            ClientState.DeliveryCount(groupIndex: 0, sequence: EventSequence(sequence), count: count)
        }
    }
}
