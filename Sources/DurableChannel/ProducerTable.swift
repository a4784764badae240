internal import FileIO
internal import LogFormat

/// The last transaction of each producer, so that its repetition is answered with the first receipt; and which producers
/// have a commit under way, for a repetition must wait for it.
struct ProducerTable: Sendable {
    struct Entry: Sendable {
        var producerSequence: UInt64
        var receipt: PutReceipt
    }

    enum Answer {
        /// It is new: go on, and call ``finish(_:_:)`` or ``fail(_:)``.
        case proceed
        case repeated(PutReceipt)
        /// A commit of the same producer is under way; ask again when the cell is signalled.
        case wait(WaitCell)
        /// A later one was committed already.
        case stale(UInt64)
    }

    private var entries: [ProducerID: Entry] = [:]
    private var underWay: [ProducerID: [WaitCell]] = [:]
    /// Forgotten to make room.
    private(set) var evicted: UInt64 = 0

    var count: Int { entries.count }

    /// One commit of a producer at a time: else a later one could be in the log while an earlier one was refused, and its
    /// repetition would be taken for a repeat.
    mutating func begin(_ stamp: ProducerStamp) -> Answer {
        if underWay[stamp.id] != nil {
            let cell = WaitCell()
            underWay[stamp.id]!.append(cell)
            return .wait(cell)
        }
        if let entry = entries[stamp.id] {
            if stamp.sequence == entry.producerSequence {
                var receipt = entry.receipt
                receipt.isRepeat = true
                return .repeated(receipt)
            }
            if stamp.sequence < entry.producerSequence { return .stale(entry.producerSequence) }
        }
        underWay[stamp.id] = []
        return .proceed
    }

    /// The commit of `stamp` is durable. Returns who waited for it.
    mutating func finish(_ stamp: ProducerStamp, _ receipt: PutReceipt, _ limits: ChannelLimits) -> [WaitCell] {
        apply(stamp, receipt, limits)
        return underWay.removeValue(forKey: stamp.id) ?? []
    }

    /// The commit of `stamp` failed: its producer's entry is unchanged.
    mutating func fail(_ stamp: ProducerStamp) -> [WaitCell] {
        underWay.removeValue(forKey: stamp.id) ?? []
    }

    mutating func apply(_ stamp: ProducerStamp, _ receipt: PutReceipt, _ limits: ChannelLimits) {
        if let known = entries[stamp.id], known.producerSequence >= stamp.sequence { return }
        entries[stamp.id] = Entry(producerSequence: stamp.sequence, receipt: receipt)
        trim(limits)
    }

    /// Forgets those whose last transactions are the oldest: by their place in the log, so that replay forgets the same.
    mutating func trim(_ limits: ChannelLimits) {
        while entries.count > limits.producers {
            guard let oldest = entries.min(by: { Self.order($0) < Self.order($1) }) else { return }
            entries[oldest.key] = nil
            evicted += 1
        }
    }

    private static func order(_ entry: (key: ProducerID, value: Entry)) -> (UInt64, UInt64, UInt64) {
        (entry.value.receipt.sequences.lowerBound, entry.key.high, entry.key.low)
    }

    /// What a snapshot keeps: ascending by the place of the transaction.
    var state: [ClientState.Producer] {
        entries.sorted { Self.order($0) < Self.order($1) }.map { id, entry in
            ClientState.Producer(
                id: id, producerSequence: entry.producerSequence,
                firstSequence: EventSequence(entry.receipt.sequences.lowerBound),
                eventCount: UInt64(entry.receipt.sequences.count), lsn: entry.receipt.lsn ?? DurableThrough.nothing.lsn)
        }
    }

    mutating func restore(_ state: [ClientState.Producer]) {
        for producer in state {
            // Numbers that no transaction can have were forged; they must not overflow.
            let first = min(producer.firstSequence.rawValue, FormatConstants.maximumNumber)
            let end = first + min(producer.eventCount, UInt64(UInt32.max))
            entries[producer.id] = Entry(
                producerSequence: producer.producerSequence,
                receipt: PutReceipt(sequences: first..<end, lsn: producer.lsn))
        }
    }
}
