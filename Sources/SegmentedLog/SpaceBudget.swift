internal import LogFormat

/// How a capacity is divided: sizes of the files of a log, as plain arithmetic.
///
///     capacity = fixed (directory, pid, two checkpoint files, reserve, set-aside share) + segments
struct SpaceBudget: Equatable, Sendable {
    let capacityBytes: UInt64
    let segmentBytes: UInt32
    let snapshotLimitBytes: Int
    let slotBytes: Int
    let reserveBytes: UInt32
    let setAsideBytes: UInt64
    /// What groups are padded to: a power of two.
    let blockBytes: Int
    /// Bytes of the largest group that begins a segment: snapshot and open frame, padded.
    let firstGroupBytes: Int
    /// How many segments a snapshot lists at the most.
    private(set) var mostLiveSegments = 0

    static let pageBytes = 4096
    static let largestReportBytes = 64 << 10
    static let smallestSegmentBytes = 16_384
    static let largestSegmentBytes = 4_294_963_200
    /// What a regular segment has, where the capacity is neither small nor very large, nor snapshots half as large.
    ///
    /// An opening after a crash reads what is left of the active segment, and making one ahead writes all of it beside the
    /// appends: both want small segments. A roll costs half a dozen syncs in the background: it wants large ones.
    private static let usualSegmentBytes: UInt64 = 16 << 20
    /// Half of what a snapshot can list, and so the most segments of the usual size.
    private static let usualSegments = UInt64(FormatConstants.maximumSegments / 2)
    static let identityBytes = 2 * IdentityBlock.byteCount

    init(_ configuration: LogConfiguration, blockBytes: Int) throws(LogError) {
        let capacity = configuration.capacityBytes
        self.blockBytes = blockBytes
        capacityBytes = capacity
        // Groups begin right behind the identity, so no block can be larger than that.
        guard blockBytes >= 512, blockBytes <= Self.identityBytes, blockBytes & (blockBytes - 1) == 0 else {
            throw .configuration(
                "blockBytes is \(blockBytes); it must be a power of two from 512 to 8192 (no device with larger blocks "
                    + "can hold a log)")
        }
        guard (1...64).contains(configuration.groupsInFlight) else {
            throw .configuration("groupsInFlight is \(configuration.groupsInFlight); it must be 1 to 64")
        }
        guard configuration.maximumGroupBytes >= 4096, configuration.maximumGroupBytes <= 64 << 20 else {
            throw .configuration("maximumGroupBytes is \(configuration.maximumGroupBytes); it must be 4 KiB to 64 MiB")
        }
        guard !configuration.writeMethods.isEmpty else {
            throw .configuration("writeMethods is empty; name at least one")
        }
        guard capacity >= 65_536, capacity <= 1 << 56 else {
            throw .configuration("capacityBytes is \(capacity); it must be at least 64 KiB and at most 64 PiB")
        }
        let page = UInt64(Self.pageBytes)
        snapshotLimitBytes =
            configuration.snapshotLimitBytes ?? Int(min(max(capacity / 64, 8 << 10), 2 << 20))
        guard snapshotLimitBytes >= 256, snapshotLimitBytes <= 32 << 20 else {
            throw .configuration("snapshotLimitBytes is \(snapshotLimitBytes); it must be 256 to 32 MiB")
        }
        firstGroupBytes = Self.roundUp(Frame.minimumBytes(storedBytes: snapshotLimitBytes) + 256, to: blockBytes)
        slotBytes = Self.roundUp(CheckpointSlot.headerBytes + snapshotLimitBytes, to: Self.pageBytes)
        // Room for identity, the first snapshot and open frame, the snapshot that retires the other reserve segment, and 16
        // blocks of small records between two rolls.
        let firstGroup = Frame.minimumBytes(storedBytes: snapshotLimitBytes) + 512 + blockBytes
        reserveBytes = UInt32(
            Self.roundUp(Self.identityBytes + 2 * firstGroup + 18 * blockBytes, to: Self.pageBytes))
        setAsideBytes = max(64 << 10, capacity / 20) / page * page

        // The floor is for the message: a capacity that small is refused below, for what all parts together need.
        let usual = max(
            Self.usualSegmentBytes, 2 * UInt64(snapshotLimitBytes),
            min(capacity / Self.usualSegments, UInt64(Self.largestSegmentBytes)))
        let automatic = max(min(usual, capacity / 8) / page * page, UInt64(Self.smallestSegmentBytes))
        let wanted = configuration.segmentBytes.map(UInt64.init) ?? automatic
        guard wanted % page == 0, wanted >= UInt64(Self.smallestSegmentBytes),
            wanted <= UInt64(Self.largestSegmentBytes)
        else {
            throw .configuration(
                "segmentBytes is \(wanted); it must be a multiple of 4096 from 16384 to 4294963200")
        }
        segmentBytes = UInt32(wanted)
        guard fixedBytes + 2 * UInt64(segmentBytes) <= capacity else {
            throw .configuration(
                "capacityBytes is \(capacity); with segments of \(segmentBytes) bytes at least "
                    + "\(fixedBytes + 2 * UInt64(segmentBytes)) are needed (active and spare segment, reserve, checkpoint, "
                    + "set-aside share); raise capacityBytes or lower segmentBytes")
        }
        let room = UInt64(segmentBytes) - UInt64(Self.identityBytes)
        guard room >= UInt64(firstGroup + 2 * blockBytes) else {
            throw .configuration(
                "segmentBytes is \(wanted), too small for a snapshot of up to \(snapshotLimitBytes) bytes; "
                    + "raise segmentBytes (or capacityBytes), or lower snapshotLimitBytes")
        }
        let mostSegments = Int((capacity - fixedBytes) / UInt64(segmentBytes)) + 4
        let emptySnapshot = Snapshot.headerBytes + mostSegments * SegmentEntry.byteCount
        guard emptySnapshot <= snapshotLimitBytes else {
            throw .configuration(
                "a snapshot of up to \(mostSegments) segments takes \(emptySnapshot) bytes, snapshotLimitBytes is "
                    + "\(snapshotLimitBytes); raise it, or segmentBytes")
        }
        guard (capacity - fixedBytes) / UInt64(segmentBytes) <= UInt64(FormatConstants.maximumSegments - 8) else {
            throw .configuration(
                "capacityBytes is \(capacity), more than 4088 segments of \(segmentBytes) bytes; raise segmentBytes")
        }
        mostLiveSegments = snapshotEntries
    }

    /// Everything that is not a segment: four pages for the directory, the pid file, the settings and their replacement, the
    /// checkpoint twice (it is
    /// replaced by a new file when its own goes bad), two reserve files, the set-aside share.
    var fixedBytes: UInt64 {
        UInt64(4 * Self.pageBytes + 4 * slotBytes) + 2 * UInt64(reserveBytes) + setAsideBytes
    }

    /// What kept reports may take of the set-aside share; the rest is for copies of damaged and cut ranges.
    var reportBytes: UInt64 { setAsideBytes / 4 / UInt64(Self.pageBytes) * UInt64(Self.pageBytes) }

    /// The most bytes of one of them.
    var reportLimitBytes: Int {
        Int(min(reportBytes / 4, UInt64(Self.largestReportBytes))) / Self.pageBytes * Self.pageBytes
    }

    /// How many retired files are kept to be used again: an eighth of what segments may take, sixteen at most.
    var mostSpares: Int { max(1, min(16, Int(clamping: segmentBudgetBytes / 8 / UInt64(segmentBytes)))) }

    /// What all segments, active, sealed, prepared and spare, may take together.
    var segmentBudgetBytes: UInt64 { capacityBytes - fixedBytes }

    /// The longest group of frames that fits into a regular segment behind the largest snapshot.
    var largestRegularGroupBytes: Int {
        Int(segmentBytes) - Self.identityBytes - firstGroupBytes - blockBytes
    }

    /// What a segment holds besides the groups behind its first snapshot: identity, the largest such snapshot, the block for
    /// its seal.
    var segmentOverheadBytes: Int { Self.identityBytes + firstGroupBytes + blockBytes }

    /// The size of the segment that a group of `groupBytes` gets: a regular one, where that is enough.
    func segmentBytes(forGroupOf groupBytes: Int) -> UInt64 {
        groupBytes <= largestRegularGroupBytes ? UInt64(segmentBytes) : smallestSegmentBytes(forGroupOf: groupBytes)
    }

    /// The smallest segment that a group of `groupBytes` fits into.
    func smallestSegmentBytes(forGroupOf groupBytes: Int) -> UInt64 {
        let bytes = segmentOverheadBytes + Self.roundUp(groupBytes, to: blockBytes)
        return UInt64(max(Self.roundUp(bytes, to: Self.pageBytes), Self.smallestSegmentBytes))
    }

    /// The most frame bytes of an append without events that finds a place in the reserve.
    var largestReserveGroupBytes: Int {
        let room = Int(reserveBytes) - Self.identityBytes - 2 * firstGroupBytes - blockBytes
        return room / blockBytes * blockBytes
    }

    /// All segments that the capacity has room for, those of the reserve, and some small ones for claims; or, so that the
    /// capacity can be raised, as many as fit into a quarter of the snapshot.
    private var snapshotEntries: Int {
        let regular = Int(min(segmentBudgetBytes / UInt64(segmentBytes), UInt64(FormatConstants.maximumSegments)))
        let fitting = (snapshotLimitBytes - Snapshot.headerBytes) / SegmentEntry.byteCount
        let share = snapshotLimitBytes / 4 / SegmentEntry.byteCount
        let wanted = max(regular + 4 + share / 2, share)
        return max(min(wanted, fitting, FormatConstants.maximumSegments - 4), regular + 4)
    }

    /// What a snapshot has room for beside the longest segment table.
    var clientStateLimitBytes: Int {
        snapshotLimitBytes - Snapshot.headerBytes - mostLiveSegments * SegmentEntry.byteCount
    }

    /// - Parameter multiple: a power of two.
    static func roundUp(_ value: Int, to multiple: Int) -> Int {
        (value + multiple - 1) & -multiple
    }

    /// - Parameter multiple: a power of two.
    static func roundUp(_ value: UInt64, to multiple: Int) -> UInt64 {
        let multiple = UInt64(multiple)
        return (value + multiple - 1) & ~(multiple - 1)
    }
}
