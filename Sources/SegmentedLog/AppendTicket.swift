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
    /// Called with the answer, with no lock held; nil when a thread waits on `cell`.
    let completion: (@Sendable (Result<AppendReceipt, LogError>) -> Void)?
    let cell: WaitCell?

    /// Written once, under the log's lock, before `cell` is signalled.
    var answer: Result<AppendReceipt, LogError>?

    /// Values of `cell`.
    static let done: UInt32 = 1
    static let lead: UInt32 = 2

    init(
        _ frames: [FramePayload], onlyIfItFits: Bool = false, retires: Set<SegmentNumber> = [],
        completion: (@Sendable (Result<AppendReceipt, LogError>) -> Void)?
    ) {
        self.frames = frames
        self.onlyIfItFits = onlyIfItFits
        self.retires = retires
        self.completion = completion
        holdsEvents = frames.contains { $0.eventCount > 0 }
        frameBytes = frames.reduce(0) { $0 + $1.minimumFrameBytes }
        cell = completion == nil ? WaitCell() : nil
    }
}
