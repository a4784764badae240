public import FileIO
public import LogFormat

/// What a log is opened with. Sizes are in bytes. Nothing here is part of the format: each value may differ at the next
/// opening.
public struct LogConfiguration: Sendable {
    /// The most that the directory may ever take on disk, everything counted: segments, spare, reserve, checkpoint,
    /// set-aside copies, the directory itself. At least 320 KiB with the default sizes.
    public var capacityBytes: UInt64

    /// Size of a regular segment, a multiple of 4096. nil: 16 MiB, but at most an eighth of the capacity and at least 1/2048
    /// of it. One that does not fit throws at open; it is never adjusted.
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

    /// The client's state must find so many bytes in a snapshot beside a full segment table; a configuration that leaves fewer
    /// throws at open, before anything is touched.
    public var leastClientStateBytes = 0

    /// A mark is written when nothing was appended for so long (nanoseconds). 0: never.
    public var idleMarkDelay: UInt64 = 100_000_000

    /// A checkpoint is written after so many bytes of log: what recovery reads at the most, about.
    public var checkpointIntervalBytes: UInt64 = 4 << 20

    /// When an append is acknowledged, and so what a power cut may take. `commit`: when it is on the disk. `interval`: when
    /// it was handed to the operating system, which is told to write it within ``syncIntervalNanoseconds``. `none`: the
    /// same, and the operating system writes when it likes. The weaker two survive the end of the process, and lose the
    /// newest appends, never some in the middle, in a power cut; the mode is recorded in the log. They write with
    /// ``WriteMethod/writeThenSync``, whatever ``writeMethods`` says.
    public var durability: DurabilityMode = .commit

    /// Under `interval`: how long (nanoseconds) an acknowledged append may be unsynced.
    public var syncIntervalNanoseconds: UInt64 = 1_000_000_000

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
