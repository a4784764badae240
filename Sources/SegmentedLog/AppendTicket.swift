internal import FileIO
public import LogFormat

/// What an append got.
public struct AppendReceipt: Sendable, Equatable {
    /// The sequences of its events; empty when it had none.
    public var sequences: Range<UInt64>
    /// Where its first frame stands.
    public var lsn: LSN
    /// Everything before this is durable, this append included.
    public var durableThrough: DurableThrough
    /// What its frames say of when they were written: wall-clock nanoseconds since 1970.
    public var commitTime: UInt64
}

/// An append on its way: its frames, and in the end its answer. Used by one waiting thread, or none, and by the log
/// under its lock.
final class AppendTicket: @unchecked Sendable {
    let frames: [FramePayload]
    let holdsEvents: Bool
    /// Frame bytes without padding to a block.
    let frameBytes: Int
    /// Given up rather than rolled for: a mark.
    let onlyIfItFits: Bool
    /// The snapshot that lets segments go: first in the queue, and with room of its own in a reserve segment. Else records
    /// that wait for room would keep out the very thing that makes it.
    var isRetirement: Bool { !retires.isEmpty }
    /// The segments that it lets go: no later snapshot lists them.
    let retires: Set<SegmentNumber>
    /// What was claimed for it, as long as it is: from its placing or its refusal on 0. Guarded by the log's lock.
    var claim: Int
    var isClaimed: Bool { claim > 0 }
    /// Called with the answer, with no lock held; nil when a thread waits on `cell`.
    let completion: (@Sendable (Result<AppendReceipt, LogError>) -> Void)?
    let cell: WaitCell?

    /// Index of its first frame in its group; written when it is placed, under the log's lock.
    var firstFrame = 0
    /// Written once, under the log's lock, before `cell` is signalled.
    var answer: Result<AppendReceipt, LogError>?

    /// Values of `cell`.
    static let done: UInt32 = 1
    static let lead: UInt32 = 2

    init(
        _ frames: [FramePayload], releasing claim: Int = 0, onlyIfItFits: Bool = false,
        retires: Set<SegmentNumber> = [],
        completion: (@Sendable (Result<AppendReceipt, LogError>) -> Void)?
    ) {
        self.frames = frames
        self.claim = claim
        self.onlyIfItFits = onlyIfItFits
        self.retires = retires
        self.completion = completion
        holdsEvents = frames.contains { $0.eventCount > 0 }
        frameBytes = frames.reduce(0) { $0 + $1.minimumFrameBytes }
        cell = completion == nil ? WaitCell() : nil
    }
}
