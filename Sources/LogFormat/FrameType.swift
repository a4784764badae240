/// What a frame is. DESIGN.md 3.6.
public enum FrameType: UInt8, CaseIterable, Sendable {
    /// The state of the pointers; the first frame of each segment.
    case snapshot = 1
    /// Begins an epoch.
    case open = 2
    /// Transactions with events.
    case put = 3
    /// Transactions with acknowledged ranges.
    case takeCommit = 4
    /// A consumer group may have been handed every sequence below a limit.
    case lease = 5
    /// Ranges given up, with the reason.
    case drop = 6
    /// Ranges that damage took, with the place.
    case loss = 7
    /// How often events were handed out and returned.
    case deliveryCount = 8
    /// Transactions with bookmarks only.
    case bookmark = 9
    /// The end of a segment; names the next one.
    case seal = 10
    /// The clean end of an epoch; empty.
    case close = 11
    /// States `durableThrough` when the log falls idle; empty.
    case mark = 12
    /// Fills a group to the block size; its payload is zeros.
    case padding = 13

    /// Whether the payload is a run of transactions.
    public var holdsTransactions: Bool { self == .put || self == .takeCommit || self == .bookmark }

    /// Whether the payload must be empty.
    var isEmpty: Bool { self == .close || self == .mark }
}

/// What was done to the bytes of a payload.
public enum Compression: UInt8, CaseIterable, Sendable {
    case none = 0
    /// One LZ4 block.
    case lz4 = 1
}
