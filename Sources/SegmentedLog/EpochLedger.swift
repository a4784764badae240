internal import LogFormat

/// Which frames count: the epochs that a scan has met, in `open` frames and identities, and what they cut.
///
/// A frame of a lower epoch at or beyond the cut of a higher one is stale, and so is a frame whose nonce is not that of
/// its epoch. Without this a whole, never acknowledged group that was left behind a torn one would be accepted after
/// the next crash, when a new group of equal size has landed on the torn one (fault row 42).
struct EpochLedger {
    struct Opening: Hashable {
        var epoch: Epoch
        var nonce: UInt64
        /// Frames of lower epochs from here on are stale.
        var cut: LSN
        var nextSequence: EventSequence
        /// Where the `open` frame stands, or before that, where only an identity tells of it.
        var lsn: LSN
    }

    /// Openings that count, ascending by epoch.
    private(set) var openings: [Opening] = []
    /// For each index of `openings`: the lowest cut of it and all higher ones.
    private var lowestCuts: [LSN] = []
    /// The highest opening for each cut.
    private var byCut: [LSN: Opening] = [:]

    /// - Parameters:
    ///   - base: epoch, nonce and place at which the scan starts, from the snapshot it starts from. Lower epochs ended
    ///     before that place. Where an identity states that epoch, that says more: what it cut.
    ///   - found: every valid `open` frame met, and what identities state, in any order.
    init(base: Opening?, found: [Opening]) {
        // Highest epoch first: an opening counts unless one that counts and is higher has cut it away, or one of the
        // same epoch was met before (two of the same epoch cannot both have been durable before use).
        var all = found
        if let base, !found.contains(where: { $0.epoch == base.epoch && $0.nonce == base.nonce }) { all.append(base) }
        var kept: [Opening] = []
        var lowestCut: LSN?
        var pendingCut: LSN?
        for opening in all.sorted(by: { ($0.epoch, $0.lsn) > ($1.epoch, $1.lsn) }) {
            if let last = kept.last, last.epoch == opening.epoch { continue }
            if let pending = pendingCut { lowestCut = min(pending, lowestCut ?? pending) }
            pendingCut = nil
            if let cut = lowestCut, cut <= opening.lsn { continue }
            kept.append(opening)
            pendingCut = opening.cut
        }
        openings = kept.reversed()
        for opening in openings where opening.lsn > opening.cut { byCut[opening.cut] = opening }
        lowestCuts = openings.map(\.cut)
        for index in stride(from: lowestCuts.count - 2, through: 0, by: -1) {
            lowestCuts[index] = min(lowestCuts[index], lowestCuts[index + 1])
        }
    }

    /// Whether a frame does not count.
    func isStale(epoch: Epoch, nonce: UInt64, at lsn: LSN) -> Bool {
        #if PlantedBugs
            if PlantedBug.ignoreEpoch.isPlanted { return false }
        #endif
        let index = firstIndex(notBelow: epoch)
        if index < openings.count, openings[index].epoch == epoch {
            if openings[index].nonce != nonce { return true }
            return index + 1 < openings.count && lowestCuts[index + 1] <= lsn
        }
        return index < openings.count && lowestCuts[index] <= lsn
    }

    /// The opening further on that cuts exactly here, the highest if there are several.
    func opening(cuttingAt lsn: LSN) -> Opening? {
        byCut[lsn]
    }

    /// Whether no frame of this segment can count: a later opening cuts before its first frame.
    func voids(_ segment: SegmentNumber) -> Bool {
        let start = LSN(segment: segment, offset: UInt64(SpaceBudget.identityBytes))
        return openings.contains { $0.cut <= start && $0.lsn.segment > segment }
    }

    private func firstIndex(notBelow epoch: Epoch) -> Int {
        var low = 0
        var high = openings.count
        while low < high {
            let middle = (low + high) / 2
            if openings[middle].epoch < epoch { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension [EpochOpening] {
    /// The epoch in force. A log is open in one, and an identity without one does not decode.
    var present: EpochOpening {
        guard let last else { preconditionFailure("no epoch is in force") }
        return last
    }

    /// What an identity made now states, when `present` is in force or about to be. Of the others those that have cut a segment from a
    /// later one: else the `open` frame and what it cut off stand in one segment. When they are too many, first those go whose
    /// segment is not live any more (its file may be there all the same), and then the oldest.
    func stated(with present: EpochOpening, _ table: SegmentTable) -> [EpochOpening] {
        let others = filter { $0.epoch < present.epoch && $0.segment > $0.cut.lsn.segment }
        let most = IdentityBlock.maximumOpenings - 1
        guard others.count > most else { return others + [present] }
        let gone = others.filter { table.entry($0.cut.lsn.segment) == nil }.dropFirst(others.count - most)
        let live = others.filter { table.entry($0.cut.lsn.segment) != nil }
        return (gone + live).sorted { $0.epoch < $1.epoch }.suffix(most) + [present]
    }
}

extension IdentityBlock {
    /// In force, or about to be, when the segment was made ready.
    var opening: EpochOpening { openings.present }
}

extension EpochLedger.Opening {
    var stated: EpochOpening {
        EpochOpening(
            epoch: epoch, nonce: nonce, cut: DurableThrough(lsn: cut, nextSequence: nextSequence), segment: lsn.segment)
    }

    /// As an identity states it. In the segment of its cut the frame stands at the cut or behind it; one that was met says where.
    init(_ opening: EpochOpening) {
        let isHere = opening.segment == opening.cut.lsn.segment
        self.init(
            epoch: opening.epoch, nonce: opening.nonce, cut: opening.cut.lsn, nextSequence: opening.cut.nextSequence,
            lsn: isHere ? opening.cut.lsn : LSN(segment: opening.segment, offset: 0))
    }
}
