internal import LogFormat

/// What a log did since it was opened. A value: a copy of the counters at one moment.
public struct LogStatistics: Sendable, Equatable {
    /// Groups written: durable, or, under a weaker durability, handed to the operating system.
    public internal(set) var groups: UInt64 = 0
    /// Appends in them.
    public internal(set) var appends: UInt64 = 0
    /// Frames in them, those of the log's own included (snapshots, seals, marks, ...; not padding).
    public internal(set) var frames: UInt64 = 0
    /// Events in them.
    public internal(set) var events: UInt64 = 0
    /// Their payloads as stored: after compression, without headers and padding.
    public internal(set) var payloadBytesStored: UInt64 = 0
    /// Everything that the log wrote to its files: groups with headers and padding, whatever became of them; the zeros of
    /// pre-writing; identities, checkpoints, reserve, set-aside copies. Not the file system's own.
    public internal(set) var bytesWritten: UInt64 = 0
    /// The most appends that went into one group.
    public internal(set) var largestGroupAppends: Int = 0
    /// Groups with appends in them; the others are seals and the like.
    public internal(set) var groupsWithAppends: UInt64 = 0
    /// From handing a group to the file to its being durable (or just written, under a weaker durability).
    public internal(set) var writeLatency = LatencyHistogram()
    /// Groups on their way to the disk at this moment ...
    public internal(set) var groupsInFlight: Int = 0
    /// ... and the most that were at once.
    public internal(set) var mostGroupsInFlight: Int = 0
    /// Syncs of the weaker durabilities.
    public internal(set) var syncs: UInt64 = 0

    public init() {}

    /// Over the groups that have any.
    public var meanAppendsPerGroup: Double {
        groupsWithAppends == 0 ? 0 : Double(appends) / Double(groupsWithAppends)
    }

    /// Under the log's lock.
    mutating func began(_ group: GroupCommit, inFlight: Int) {
        bytesWritten += UInt64(group.plan.totalBytes)
        groupsInFlight = inFlight
        mostGroupsInFlight = max(mostGroupsInFlight, inFlight)
    }

    /// Under the log's lock: its write has succeeded.
    mutating func wrote(_ group: GroupCommit, nanoseconds: UInt64) {
        groups += 1
        frames += UInt64(group.frames.count)
        for frame in group.frames {
            events += UInt64(frame.eventCount)
            payloadBytesStored += UInt64(frame.bytes.count)
        }
        let count = group.tickets.count
        appends += UInt64(count)
        if count > 0 { groupsWithAppends += 1 }
        largestGroupAppends = max(largestGroupAppends, count)
        writeLatency.add(nanoseconds: nanoseconds)
    }
}
