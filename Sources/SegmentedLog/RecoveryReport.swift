public import LogFormat

/// What opening a log found and did. A value: nothing in it changes later.
public struct RecoveryReport: Sendable {
    /// A new log was made.
    public var created = false
    /// Where the pointers were taken from, in words.
    public var base = "nothing"
    /// The position from which the log was replayed.
    public var replayedFrom: DurableThrough = .nothing
    /// The furthest position that any valid statement proves.
    public var provenThrough: DurableThrough = .nothing
    /// Where the log ended, and the sequence that comes next.
    public var tail: DurableThrough = .nothing
    /// Whether the last frame was the clean close of an epoch, with nothing behind it.
    public var wasClosedCleanly = false
    /// The epoch that this opening began.
    public var epoch = Epoch(0)
    public var segmentsScanned = 0
    public var framesReplayed = 0
    /// Proven damage: acknowledged bytes that are gone. Recorded in the log by `loss` frames.
    public var losses: [DamagedRange] = []
    /// Bytes that the disk does not give at present. Held, not lost.
    public var unreadable: [DamagedRange] = []
    /// Whole frames behind the place where the log was cut: never acknowledged, or acknowledged within the last groups
    /// before a crash and damaged since. Nobody can tell; they are set aside.
    public var unknown: [CutFrame] = []
    /// Which rows of the recovery table were used, and how often.
    public var rows: [String: Int] = [:]
    /// Files of no meaning that were removed, or were to be removed behind the opening: what stood under spare names, and copies
    /// that were set aside before and had to make room.
    public var removedFiles: [String] = []
    /// Files in the directory that are not the log's, or of another log; left alone.
    public var foreignFiles: [String] = []
    /// Copies of damaged or cut ranges that were made.
    public var setAsideFiles: [String] = []
    /// What else a person should know: a damaged copy of something that stands twice, a checkpoint not used, ...
    public var remarks: [String] = []
    /// How long each step took, in the order in which they came.
    public var steps: [RecoveryStep] = []
    /// How long it all took, in nanoseconds of the monotonic clock.
    public var durationNanoseconds: UInt64 = 0
}

extension RecoveryReport {
    /// The last step is over, and with it the opening, which began at `started`.
    mutating func end(with name: String, since begun: UInt64, of started: UInt64, at now: UInt64) {
        steps.append(RecoveryStep(name: name, nanoseconds: now - begun))
        durationNanoseconds = now - started
    }
}

/// A part of an opening.
public struct RecoveryStep: Sendable, Equatable {
    /// `base` (identities, checkpoint, the snapshot to start from), `sync`, `survey`, `replay`, `epoch` (what is cut set
    /// aside, and the first frame of the new epoch), `files` (what nothing needs removed, where its room is needed at once, and the
    /// reserve made whole).
    public var name: String
    /// Of the monotonic clock.
    public var nanoseconds: UInt64
}

/// A range of a segment that cannot be served, and the sequences that stood in it.
public struct DamagedRange: Hashable, Sendable, CustomStringConvertible {
    public var reason: LossReason
    public var segment: SegmentNumber
    public var fromOffset: UInt64
    /// Exclusive; 0 when the rest of the segment is meant.
    public var toOffset: UInt64
    public var firstSequence: EventSequence
    /// Exclusive. Equal to the first when no event was in it.
    public var endSequence: EventSequence

    public var description: String {
        let end = toOffset == 0 ? "end" : String(toOffset, radix: 16)
        return "\(reason) \(segment)/\(String(fromOffset, radix: 16))-\(end), "
            + "sequences \(firstSequence)..<\(endSequence)"
    }

    /// Whether it says all that `other` says. An opening after the one that recorded a loss may see less of it.
    func covers(_ other: DamagedRange) -> Bool {
        segment == other.segment && fromOffset <= other.fromOffset
            && (toOffset == 0 || (other.toOffset != 0 && toOffset >= other.toOffset))
            && firstSequence <= other.firstSequence && endSequence >= other.endSequence
    }

    /// A range without bytes (numbers are missing, and nothing that they could have stood in) is written down as the place
    /// where that was noticed: a record's range must not be empty.
    var record: LossRecord {
        LossRecord(
            reason: reason, segment: segment, fromOffset: fromOffset,
            toOffset: toOffset == 0 ? 0 : max(toOffset, fromOffset + 8),
            firstSequence: firstSequence, endSequence: endSequence)
    }

    public init(
        _ reason: LossReason, _ segment: SegmentNumber, _ from: UInt64, _ to: UInt64, _ first: EventSequence,
        _ end: EventSequence
    ) {
        self.reason = reason
        self.segment = segment
        fromOffset = from
        toOffset = to
        firstSequence = first
        endSequence = end
    }

    public init(_ record: LossRecord) {
        self.init(
            record.reason, record.segment, record.fromOffset, record.toOffset, record.firstSequence,
            record.endSequence)
    }
}

/// A whole frame behind a cut.
public struct CutFrame: Hashable, Sendable {
    public var lsn: LSN
    public var type: FrameType
    public var frameBytes: UInt32
    public var firstSequence: EventSequence
    public var endSequence: EventSequence
}

/// A frame that replay hands to the client: every accepted frame from ``RecoveryReport/replayedFrom`` on, in order.
public struct ReplayedFrame: Sendable {
    public var lsn: LSN
    /// Where the frame ends: the LSN of what follows it.
    public var end: LSN
    public var header: FrameHeader
    /// The stored payload, verified.
    public var payload: [UInt8]
}

/// A client's state, as it stood after every record before `through`.
public struct ClientCheckpoint: Sendable, Equatable {
    public var through: DurableThrough
    public var bytes: [UInt8]

    public init(through: DurableThrough, bytes: [UInt8]) {
        self.through = through
        self.bytes = bytes
    }
}
