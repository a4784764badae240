public import LogFormat
public import SegmentedLog
internal import FileIO

/// What a channel is opened with. Nothing here is part of the format: each value may differ at the next opening. A value
/// that cannot work throws ``ChannelError/Code/configuration`` at open; none is adjusted in silence.
public struct ChannelConfiguration: Sendable {
    /// The most that the directory may ever take on disk, in bytes, everything counted: events, pre-written and spare
    /// segments, reserve, checkpoint, set-aside copies. From 1 MiB (smaller with smaller segments) to 64 PiB. May be changed
    /// live: ``FileChannel/resize(capacityBytes:)``. nil: what the channel was last opened with; 8 GiB for a new one.
    public var capacityBytes: UInt64?

    /// The most events that may be held at once; nil for as many as there is room for. At least 1. Only under
    /// ``OverflowPolicy/dropOldest`` can there be more for a while, which says by how many.
    public var capacityEvents: UInt64?

    /// What ``PutTransaction/append(_:)-(Event)`` does when there is no room.
    public var whenFull = OverflowPolicy.block(.seconds(30))

    /// What is done to the events of a transaction on disk. Compressing takes time on the committing thread only; what does
    /// not become shorter is stored as it is.
    public var compression = Compression.lz4

    /// When a commit returns. Anything but `commit` loses acknowledged events at a power cut; the choice is recorded in the
    /// log.
    public var durability = DurabilityMode.commit

    /// With `interval`: how long acknowledged events may stay unsynced.
    public var syncInterval = Duration.seconds(1)

    /// What to do about proven damage: serve the rest (`salvage`), or refuse (`strict`).
    public var damagePolicy = DamagePolicy.salvage

    /// Whether to make a channel where there is none.
    public var createsIfMissing = true

    /// Network file systems are refused unless this is set: neither their locks nor their syncs can be relied on.
    public var allowsNetworkFileSystem = false

    /// Size of a segment, a multiple of 4096. nil: what the channel was last opened with, unless the capacity is given anew;
    /// else 16 MiB, but at most an eighth of the capacity and at least 1/2048 of it.
    public var segmentBytes: UInt32?

    /// Commits are padded to this. nil: the device's logical block. 4096 for those who do not want to assume that an
    /// interrupted small write leaves the rest of its physical sector alone.
    public var blockBytes: Int?

    /// How many group commits may be on their way to the disk at once, 1...64.
    public var groupsInFlight = 4

    /// How events reach the disk: the first of these that the file system takes.
    public var writeMethods: [WriteMethod] = WriteMethod.allCases

    /// Events that are kept in memory for the takers who come to them next, in bytes. 0 for none: takers then read the log.
    public var tailCacheBytes = 8 << 20

    /// Leases are taken in steps of so many events. After a crash, so many events at most carry the redelivery mark though
    /// nobody was given them. At least 1.
    public var leaseStep: UInt64 = 65_536

    /// A checkpoint is written after so many bytes of log.
    public var checkpointIntervalBytes: UInt64 = 4 << 20

    /// The longest snapshot of the pointers. nil: 1/64 of the capacity, at least 8 KiB, at most 2 MiB. Bookmarks, producers
    /// and takes that are open at once share it.
    public var snapshotLimitBytes: Int?

    public init(capacityBytes: UInt64? = nil) {
        self.capacityBytes = capacityBytes
    }

    static let defaultCapacityBytes: UInt64 = 8 << 30

    /// With what is left open filled in from the last opening.
    func resolved(_ last: LogSettings?) -> ChannelConfiguration {
        var resolved = self
        if segmentBytes == nil, let last, capacityBytes == nil || capacityBytes == last.capacityBytes {
            resolved.segmentBytes = last.segmentBytes
        }
        resolved.capacityBytes = capacityBytes ?? last?.capacityBytes ?? Self.defaultCapacityBytes
        return resolved
    }

    func logConfiguration() throws(ChannelError) -> LogConfiguration {
        guard capacityEvents != 0 else {
            throw ChannelError(.configuration, "capacityEvents is 0; it must be at least 1, or nil for no limit")
        }
        guard leaseStep > 0, leaseStep <= 1 << 40 else {
            throw ChannelError(.configuration, "leaseStep is \(leaseStep); it must be 1 to 2^40")
        }
        guard tailCacheBytes >= 0 else {
            throw ChannelError(.configuration, "tailCacheBytes is \(tailCacheBytes); it must not be negative")
        }
        guard syncInterval > .zero else {
            throw ChannelError(.configuration, "syncInterval is \(syncInterval); it must be longer than nothing")
        }
        var log = LogConfiguration(capacityBytes: capacityBytes ?? Self.defaultCapacityBytes)
        log.segmentBytes = segmentBytes
        log.blockBytes = blockBytes
        log.groupsInFlight = groupsInFlight
        log.writeMethods = writeMethods
        log.snapshotLimitBytes = snapshotLimitBytes
        log.leastClientStateBytes = ChannelLimits.leastStateBytes
        log.checkpointIntervalBytes = checkpointIntervalBytes
        log.damagePolicy = damagePolicy
        log.createsIfMissing = createsIfMissing
        log.allowsNetworkFileSystem = allowsNetworkFileSystem
        log.durability = durability
        log.syncIntervalNanoseconds = syncInterval.nanoseconds
        return log
    }
}

/// What happens to an event for which there is no room.
public enum OverflowPolicy: Sendable, Equatable {
    /// Wait for room, for at most so long (nil: for ever), then throw `full`.
    ///
    /// What open transactions have claimed is room that others wait for. So a thread that has two put transactions open
    /// can wait for its own other one, and two threads with two each for one another: with nil for ever, until somebody
    /// takes, rolls back, raises the capacity, or closes the channel. Have one put open per thread, or give a time:
    /// then `full` ends the wait, the transaction stays usable, and one of them can be committed or rolled back.
    case block(Duration?)
    /// Throw `full` at once.
    case reject
    /// Give up the oldest events that nobody holds, counted and recorded durably with reason `overflow`. Where all of
    /// them are handed out, an append waits for a second and throws `full`.
    ///
    /// Events in flight are never dropped, and no commit is refused for ``ChannelConfiguration/capacityEvents``. So
    /// when events that were queued at the append are handed out before the commit, the channel holds more than its
    /// capacity: by as many events, at most, as were in flight at the last commit of a put. The next commit of a put
    /// drops what is too many then. (A commit drops 256 runs of events at most: where takes have left more holes than
    /// that among the oldest, it needs several.)
    case dropOldest
    /// Do not take the event: `append` says so, and it is counted. It never had a sequence number.
    case dropNewest
}

/// In which order events are handed out.
public enum TakeOrder: Sendable, Equatable {
    /// In commit order; what was rolled back comes first.
    case fifo
}

extension Duration {
    /// Rounded down; 0 for a negative one, the greatest number for one that is longer than 584 years.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, more) = product.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return overflow || more ? .max : sum
    }
}
