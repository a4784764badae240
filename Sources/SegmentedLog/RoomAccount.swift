internal import LogFormat

/// What of the capacity is taken, promised and free: plain arithmetic. Guarded by the log's lock.
///
///     segment budget = used + unused + free
///     used    live segments, and those on their way out until their names are gone for good
///     unused  prepared, spare or being made: becomes whatever is needed next
///     claims  are promised out of unused + free, so that the puts that hold them are never refused
///
/// **Why each claim counts as a segment of its own**, the smallest that holds it behind the largest snapshot: between two
/// puts others may append any number of records without events. Those take no segment that is promised; they go on in the
/// reserve, and leaving a segment for the reserve ends it, however much room it has left. So in the worst case each put
/// has to begin a segment. (Counting the claims' bytes together would be less, and would end in a refused commit: two
/// small claims, one free segment; the first put begins it, records fill it, nothing is left for the second.)
struct RoomAccount: Sendable {
    let budget: SpaceBudget
    /// As configured, or as changed since.
    private(set) var capacityBytes: UInt64
    /// Files of regular segments, whatever they are used for; the reserve is paid for apart.
    private(set) var inUseBytes: UInt64
    /// Those of them that hold nothing and are promised to nobody.
    private(set) var unusedBytes: UInt64 = 0

    private(set) var claimCount = 0
    /// Frame bytes of all claims.
    private(set) var claimedFrameBytes = 0
    /// What the puts that hold them may need at the worst.
    private(set) var claimedSegmentBytes: UInt64 = 0
    /// The capacity under which the claims that are left were granted; what was promised holds when it is lowered.
    private var grantedCapacityBytes: UInt64

    /// The most frame bytes, rounded up to blocks, that one append may have: a quarter of the capacity, in a segment of at
    /// most half of what segments may take.
    private(set) var maximumAppendBytes = 0

    init(_ budget: SpaceBudget, inUseBytes: UInt64) {
        self.budget = budget
        self.inUseBytes = inUseBytes
        capacityBytes = budget.capacityBytes
        grantedCapacityBytes = budget.capacityBytes
        maximumAppendBytes = largestAppendBytes
    }

    // MARK: Reading

    /// What all segments may take together.
    var segmentBudgetBytes: UInt64 { capacityBytes - budget.fixedBytes }

    var usedBytes: UInt64 { inUseBytes - unusedBytes }

    /// What is neither used nor promised.
    var freeBytes: UInt64 {
        let taken = usedBytes + claimedSegmentBytes
        return segmentBudgetBytes > taken ? segmentBudgetBytes - taken : 0
    }

    private var largestAppendBytes: Int {
        let quarter = Int(min(capacityBytes / 4, 1 << 60))
        let half = Int(min(segmentBudgetBytes / 2, UInt64(SpaceBudget.largestSegmentBytes)))
        let large = half / SpaceBudget.pageBytes * SpaceBudget.pageBytes - budget.segmentOverheadBytes
        return min(quarter, max(budget.largestRegularGroupBytes, large)) / budget.blockBytes * budget.blockBytes
    }

    // MARK: Claims

    /// What a claim counts as.
    private func segmentBytes(of claim: Int) -> UInt64 {
        claim == 0 ? 0 : budget.smallestSegmentBytes(forGroupOf: claim)
    }

    /// Whether a claim may be changed; it is, when it may.
    ///
    /// - Parameter liveRegularSegments: as the segment table lists them; a snapshot has room for so many only.
    mutating func changeClaim(from old: Int, to new: Int, liveRegularSegments: Int) -> Bool {
        precondition(old >= 0 && new >= 0, "a claim is a number of bytes")
        let before = segmentBytes(of: old)
        let after = segmentBytes(of: new)
        if after > before {
            guard new <= maximumAppendBytes else { return false }
            let promised = claimedSegmentBytes - before + after
            let count = claimCount + (old == 0 ? 1 : 0)
            guard usedBytes + withRegularSegment(promised, count) <= segmentBudgetBytes,
                liveRegularSegments + count + Self.otherEntries <= budget.mostLiveSegments
            else { return false }
        }
        claimCount += (new == 0 ? 0 : 1) - (old == 0 ? 0 : 1)
        claimedFrameBytes += new - old
        claimedSegmentBytes = claimedSegmentBytes - before + after
        if claimCount == 0 { grantedCapacityBytes = capacityBytes }
        return true
    }

    /// So that at least the first of the puts begins a regular segment: segments of the smallest size, each with a snapshot
    /// of its own, are for the worst case only.
    private func withRegularSegment(_ promised: UInt64, _ count: Int) -> UInt64 {
        let regular = UInt64(budget.segmentBytes)
        return count == 1 ? max(promised, regular) : promised + regular - segmentBytes(of: 1)
    }

    /// Besides regular segments a snapshot lists two of the reserve, and two more are kept for what comes while it is made.
    private static let otherEntries = 4

    /// Whether a segment may be begun without breaking a promise.
    ///
    /// - Parameter claim: of the append that begins it, which ends with that.
    func mayBegin(_ bytes: UInt64, ending claim: Int, liveRegularSegments: Int) -> Bool {
        let promised = claimedSegmentBytes - segmentBytes(of: claim)
        let count = claimCount - (claim == 0 ? 0 : 1)
        return usedBytes + bytes + promised <= limit(for: claim)
            && liveRegularSegments + 1 + count + Self.otherEntries <= budget.mostLiveSegments
    }

    /// What a claim was granted under holds for it.
    private func limit(for claim: Int) -> UInt64 {
        claim == 0 ? segmentBudgetBytes : grantedCapacityBytes - budget.fixedBytes
    }

    // MARK: Files

    /// Whether a file of so many bytes may be made now.
    func hasRoomOnDisk(_ bytes: UInt64, for claim: Int) -> Bool { inUseBytes + bytes <= limit(for: claim) }

    /// A file is being made.
    mutating func take(_ bytes: UInt64) {
        inUseBytes += bytes
        unusedBytes += bytes
    }

    /// An unused file begins to hold something (or may do so for all that is known).
    mutating func use(_ bytes: UInt64) { unusedBytes -= min(bytes, unusedBytes) }

    /// A used file is a spare one now.
    mutating func unuse(_ bytes: UInt64) { unusedBytes = min(unusedBytes + bytes, inUseBytes) }

    /// A file is gone for good.
    mutating func release(_ bytes: UInt64, wasUnused: Bool) {
        if wasUnused { use(bytes) }
        inUseBytes -= min(bytes, inUseBytes)
        unusedBytes = min(unusedBytes, inUseBytes)
    }

    // MARK: Capacity

    /// Changes what segments may take; everything else keeps the size that it was opened with.
    mutating func setCapacity(_ bytes: UInt64) throws(LogError) {
        let least = budget.fixedBytes + 2 * UInt64(budget.segmentBytes)
        guard bytes >= least, bytes <= 1 << 56 else {
            throw .configuration(
                "the capacity cannot be changed to \(bytes) bytes: this log, as it was opened, needs at least \(least) "
                    + "(segments of \(budget.segmentBytes) bytes), and 64 PiB are the most; open it anew with other sizes"
            )
        }
        let count = (bytes - budget.fixedBytes) / UInt64(budget.segmentBytes)
        guard count + UInt64(Self.otherEntries) <= UInt64(budget.mostLiveSegments) else {
            throw .configuration(
                "the capacity cannot be changed to \(bytes) bytes: that is \(count) segments of \(budget.segmentBytes) "
                    + "bytes, and a snapshot of this log lists \(budget.mostLiveSegments - Self.otherEntries) at most; open "
                    + "it anew with larger segments (or a larger snapshotLimitBytes)")
        }
        capacityBytes = bytes
        maximumAppendBytes = largestAppendBytes
        grantedCapacityBytes = claimCount == 0 ? bytes : max(grantedCapacityBytes, bytes)
    }
}
