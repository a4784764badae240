public import LogFormat

/// What a put got when it was committed.
public struct PutReceipt: Sendable, Equatable {
    /// The sequences of its events, in the order in which they were appended; empty when it had none.
    public var sequences: Range<UInt64>
    /// Where it stands in the log; nil when nothing was written (an empty transaction).
    public var lsn: LSN?
    /// CRC-32C of its payload as it is stored. nil when nothing was written, and for a repeat that is answered after the
    /// channel was opened again.
    public var checksum: UInt32?
    /// This producer had committed this sequence before: nothing was written now, and the rest is the first receipt.
    public var isRepeat = false
    /// Events that were not taken for want of room (policy `dropNewest`); they are not among `sequences`.
    public var droppedEvents = 0

    static let nothing = PutReceipt(sequences: 0..<0)

    init(sequences: Range<UInt64>, lsn: LSN? = nil, checksum: UInt32? = nil) {
        self.sequences = sequences
        self.lsn = lsn
        self.checksum = checksum
    }
}

/// Names a put so that its repetition is recognised: after `outcomeUnknown`, a lost answer or a crash the same transaction can
/// be committed again and is there once.
public struct ProducerStamp: Sendable, Hashable {
    /// The producer, 16 random bytes that it keeps; not all zero.
    public var id: ProducerID
    /// Higher with each transaction of that producer; gaps are allowed. Only the last one is remembered.
    public var sequence: UInt64

    public init(id: ProducerID, sequence: UInt64) {
        self.id = id
        self.sequence = sequence
    }
}

/// What became of an event that was appended.
public enum AppendOutcome: Sendable, Equatable {
    /// It is part of the transaction.
    case accepted
    /// There was no room, and the policy is `dropNewest`: it is not part of the transaction, and was counted.
    case dropped
}
