public import FileIO

/// What a log is opened with. Sizes are in bytes. Nothing here is part of the format: each value may differ at the next
/// opening.
public struct LogConfiguration: Sendable {
    /// The most that the directory may ever take on disk, everything counted: segments, spare, reserve, checkpoint,
    /// set-aside copies, the directory itself. At least 256 KiB with the default sizes.
    public var capacityBytes: UInt64

    /// Size of a regular segment, a multiple of 4096. nil: the smaller of 64 MiB and an eighth of the capacity. One that
    /// does not fit throws at open; it is never adjusted.
    public var segmentBytes: UInt32?

    /// Groups are padded to this. nil: the device's logical block. A larger power of two (4096) is for those who do not
    /// want to assume that an interrupted small write leaves the rest of its physical sector alone.
    public var blockBytes: Int?

    /// K: how many groups may be on their way to the disk at once, 1...64.
    public var groupsInFlight: Int = 4

    /// A group takes waiting appends up to this many bytes; a larger single append is a group alone.
    public var maximumGroupBytes: Int = 1 << 20

    /// The longest snapshot that may be written, and so the size of a checkpoint slot. nil: 1/64 of the capacity, at
    /// least 8 KiB, at most 2 MiB. A client's state must fit with 40 bytes for each live segment.
    public var snapshotLimitBytes: Int?

    /// A mark is written when nothing was appended for so long (nanoseconds). 0: never.
    public var idleMarkDelay: UInt64 = 100_000_000

    /// A checkpoint is written after so many bytes of log.
    public var checkpointIntervalBytes: UInt64 = 16 << 20

    /// What to do about proven damage.
    public var damagePolicy: DamagePolicy = .salvage

    /// The write methods to try, in this order; the first that the file system takes is used.
    public var writeMethods: [WriteMethod] = WriteMethod.allCases

    /// Whether to make a new log where there is none.
    public var createsIfMissing = true

    /// Network file systems are refused unless this is set: neither their locks nor their syncs can be relied on.
    public var allowsNetworkFileSystem = false

    public init(capacityBytes: UInt64) {
        self.capacityBytes = capacityBytes
    }
}

/// What to do about proven damage.
public enum DamagePolicy: Sendable {
    /// Serve everything outside the damaged ranges; record, count and report the loss.
    case salvage
    /// Refuse to open, and touch nothing.
    case strict
}
