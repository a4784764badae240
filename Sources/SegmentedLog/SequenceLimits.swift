internal import LogFormat

/// What statements of durability say of numbers: before a place that was durable, no event has the number that was next there, or a
/// higher one. A frame that has it was cut off, also when the opening that cut it cannot be seen.
struct SequenceLimits {
    /// By place; with the least number that was next there or further on.
    private let stated: [DurableThrough]

    init(_ statements: [DurableThrough]) {
        var stated = statements.sorted { $0.lsn < $1.lsn }
        for index in stated.indices.dropLast().reversed() {
            stated[index].nextSequence = min(stated[index].nextSequence, stated[index + 1].nextSequence)
        }
        self.stated = stated
    }

    /// Whether a frame there can be one that counts.
    func allow(_ header: FrameHeader, at lsn: LSN) -> Bool {
        var low = 0
        var high = stated.count
        while low < high {
            let middle = (low + high) / 2
            if stated[middle].lsn > lsn { high = middle } else { low = middle + 1 }
        }
        guard low < stated.count else { return true }
        return header.baseSequence.rawValue + UInt64(header.eventCount) <= stated[low].nextSequence.rawValue
    }
}
