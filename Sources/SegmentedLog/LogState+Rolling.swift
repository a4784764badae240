internal import FileIO
internal import LogFormat

/// Which segment comes next, and whether there may be one.
extension LogState {
    /// The active segment is full for the first append waiting: go on in the next one. nil when that must wait, or when
    /// appends were turned away (``refused``).
    mutating func rollJob(for first: AppendTicket, now: UInt64) -> Job? {
        if let next = prepared, accepts(first, in: next) {
            if mayBegin(next, for: first) { return rollJob(to: next) }
            if first.holdsEvents, first.claim == 0 {
                // Promised to others, for whom it stays.
                refused += turnAway({ $0.holdsEvents && $0.claim == 0 }, Self.promised(room))
                return nil
            }
        }
        // One that is ready and does not do is of no use any more.
        if let old = prepared { discard(old) }
        let bytes = SpaceBudget.roundUp(first.frameBytes, to: blockBytes)
        let request = SegmentRequest(
            bytes: segmentBytes(for: first, group: bytes),
            mayUseReserve: !first.holdsEvents && bytes <= budget.largestReserveGroupBytes, prefersReserve: false,
            claim: first.claim)
        // Files of no use are in the way; whoever removes them looks for work again.
        let isInTheWay = discardsUnderWay > 0 && !room.hasRoomOnDisk(request.bytes, for: request.claim)
        if request.claim > 0, isInTheWay { return nil }
        return preparationJob(request, now: now)
    }

    private mutating func rollJob(to next: ActiveSegment) -> Job? {
        // At most two segments have groups in flight, so that a cut in the older one voids one segment at most.
        guard inFlight.allSatisfy({ $0.segment === active }), mayLeaveActive(for: next) else { return nil }
        // Asked for outside the lock; the first group of the next segment takes it.
        guard clientState != nil else { return .gatherClientState }
        return .write(sealGroup(next: next))
    }

    /// A regular segment, or a large one for a large append; for a claim, when only what was promised is left, just that.
    private func segmentBytes(for first: AppendTicket, group bytes: Int) -> UInt64 {
        let wanted = budget.segmentBytes(forGroupOf: bytes)
        guard first.claim > 0, !mayBegin(wanted, ending: first.claim) else { return wanted }
        return budget.smallestSegmentBytes(forGroupOf: bytes)
    }

    /// What the append that a segment is being prepared for has claimed: nothing any more when it was given up meanwhile, as
    /// all are when a second write fails.
    func claim(of request: SegmentRequest) -> Int {
        pending.contains { $0.claim == request.claim } ? request.claim : 0
    }

    /// Whether it breaks no promise that was made to others.
    func mayBegin(_ bytes: UInt64, ending claim: Int) -> Bool {
        room.mayBegin(bytes, ending: claim, liveRegularSegments: table.regularCount)
    }

    private func mayBegin(_ next: ActiveSegment, for first: AppendTicket) -> Bool {
        next.kind == .reserve || mayBegin(next.segmentBytes, ending: first.claim)
    }

    /// A reserve segment is left for a regular one only when the other is back, or lost: else what needs a reserve next, the
    /// snapshots that retire the two among it, might find none, and nothing would ever make room again.
    private func mayLeaveActive(for next: ActiveSegment) -> Bool {
        guard active?.kind == .reserve, next.kind == .regular, reservesPresent.isEmpty else { return true }
        // One that waits for room finds it in the active segment, which keeps it.
        return retirementsUnderWay == 0 && !reserveComesBack
    }

    /// A reserve segment is on its way back under a reserve's name, or will be without anybody's doing.
    private var reserveComesBack: Bool {
        if reservesBeingRemoved > 0 || retirementsToCome > 0 { return true }
        // A retirement whose snapshot is written needs no more room: it will give some.
        if retirementsUnderWay > pending.count(where: { $0.isRetirement }) { return true }
        // The other one is let go when the first group of this one is durable.
        guard let active, active.kind == .reserve, durable.lsn.segment < active.number else { return false }
        return table.entries.contains { $0.kind == .reserve && $0.number < active.number }
    }

    /// Asks for a segment unless one is being made, or making one has just failed.
    private mutating func preparationJob(_ request: SegmentRequest, now: UInt64) -> Job? {
        switch preparation {
        case .running: return nil
        case .failed(let error, let retryAt) where now < retryAt && !(request.claim > 0 && error.isOfCapacity):
            if request.mayUseReserve, !reservesPresent.isEmpty, prepared == nil, now >= reserveRetryAt {
                preparation = .running
                return .prepare(SegmentRequest(bytes: 0, mayUseReserve: true, prefersReserve: true))
            }
            refused += refuse(error, mayUseReserve: request.mayUseReserve, now: now)
            return nil
        case .idle, .failed:
            preparation = .running
            return .prepare(request)
        }
    }

    /// Turns away what cannot be written for want of a segment: appends with events; and the first of the others when no
    /// reserve is left and none is on its way back.
    private mutating func refuse(_ error: LogError, mayUseReserve: Bool, now: UInt64) -> [AppendTicket] {
        let first = pending.first
        let hasReserve = !reservesPresent.isEmpty && now >= reserveRetryAt
        let keepsFirst = mayUseReserve && (hasReserve || prepared?.kind == .reserve || reserveComesBack)
        return turnAway(
            { ticket in
                // Others may have used up what is not promised; that says nothing about what is.
                if ticket.holdsEvents { return ticket.claim == 0 || !error.isOfCapacity }
                return ticket === first && !keepsFirst
            }, error)
    }

    mutating func turnAway(_ isTurnedAway: (AppendTicket) -> Bool, _ error: LogError) -> [AppendTicket] {
        let tickets = pending.filter(isTurnedAway)
        guard !tickets.isEmpty else { return [] }
        pending.removeAll(where: isTurnedAway)
        for ticket in tickets { turnAway(ticket, error) }
        return tickets
    }

    private static func promised(_ room: RoomAccount) -> LogError {
        LogError(
            .full,
            "there is no room for another segment: of \(room.segmentBudgetBytes) bytes for segments \(room.usedBytes) are used "
                + "and \(room.claimedSegmentBytes) promised to appends under way; appends with events are refused until "
                + "segments are retired or the capacity is raised")
    }

    /// A reserve that is neither there nor in use: an earlier failure cost it. Only when none is left.
    var lostReserve: Int? {
        guard reservesPresent.isEmpty, prepared?.kind != .reserve, reservesBeingRemoved == 0, reserveNamesTaken.isEmpty
        else { return nil }
        let inUse = (table.entries + leaving).count { $0.kind == .reserve }
        return inUse < 2 ? 0 : nil
    }

    // MARK: Ahead of use

    /// A segment should be made ready ahead of use: when the active one is half full, and when a claim waits for one.
    mutating func aheadRequest(now: UInt64) -> SegmentRequest? {
        guard case .running = phase, prepared == nil, !isClosing, let active else { return nil }
        let bytes = UInt64(budget.segmentBytes)
        switch preparation {
        case .running: return nil
        case .idle: guard active.kind == .regular, active.cursor > active.segmentBytes / 2 else { return nil }
        case .failed(_, let retryAt): guard wantsPreparation, now >= retryAt else { return nil }
        }
        // Not what would only fail, or be in the way of what is promised.
        guard mayBegin(bytes, ending: 0), !spares.isEmpty || room.hasRoomOnDisk(bytes, for: 0) else { return nil }
        preparation = .running
        wantsPreparation = false
        return SegmentRequest(bytes: bytes, mayUseReserve: false, prefersReserve: false)
    }

    /// The segment that is being made is wanted soon: a quarter of the active one is left, or only some groups like the last will
    /// fill it, or appends wait for the next already, or a new epoch does; or it is in the way, because the capacity was lowered.
    var wantsNext: Bool {
        switch phase {
        case .latched, .reopening: return true
        case .readOnly, .closed: return false
        case .running:
            guard let active, room.inUseBytes <= room.segmentBudgetBytes else { return true }
            let left = active.segmentBytes - active.cursor
            return left < max(active.segmentBytes / 4, 4 * lastGroupBytes)
                || pending.first.map { !accepts($0, in: active) } ?? false
        }
    }

    mutating func takeUnnamed() -> UnnamedSegment? {
        guard unnamed != nil, wantsNext else { return nil }
        defer { unnamed = nil }
        return unnamed
    }

    private mutating func discard(_ segment: ActiveSegment) {
        prepared = nil
        removable.append(segment.entry(baseSequence: nextSequence))
        if segment.kind == .regular { discardsUnderWay += 1 }
    }

    /// One that does not fit into the capacity any more.
    mutating func discardPrepared() {
        if let prepared, prepared.kind == .regular { discard(prepared) }
    }

    /// Of a segment that is made ready now: in the log's present epoch, or, after a failed write, to begin the next one, which cuts at
    /// what is acknowledged. (No more is, and no other segment is made, until that epoch's `open` frame is durable.)
    func identity(
        _ number: SegmentNumber, salt: UInt64, bytes: UInt64, kind: SegmentKind, time: UInt64, nonceOfNewEpoch: UInt64?
    ) -> IdentityBlock {
        let before = table.newest
        let next = nonceOfNewEpoch.map {
            EpochOpening(epoch: Epoch(epoch.rawValue + 1), nonce: $0, cut: durable, segment: number)
        }
        return IdentityBlock(
            logUUID: logUUID, segment: number, salt: salt, segmentBytes: bytes, creationTime: time,
            predecessor: before?.number ?? SegmentNumber(0), predecessorSalt: before?.salt ?? 0, kind: kind,
            openings: openings.stated(with: next ?? opening, table))
    }

    mutating func takePrepared() -> ActiveSegment? {
        defer { prepared = nil }
        return prepared
    }

    mutating func prepared(_ segment: ActiveSegment) {
        prepared = segment
        preparation = .idle
        // The capacity may have been lowered while it was made: it is kept for what was promised before only.
        if case .running = phase, room.inUseBytes > room.segmentBudgetBytes, pending.first?.isClaimed != true {
            discardPrepared()
        }
        if segment.kind == .reserve { reserveFailures = 0 }
    }

    /// Making a segment failed. Nothing was changed by it; whoever waited for it is told.
    mutating func preparationFailed(
        _ request: SegmentRequest, _ error: LogError, triedReserve: Bool, now: UInt64, backOff: UInt64
    ) -> [AppendTicket] {
        preparation = .failed(error, retryAt: now + backOff)
        if triedReserve, error.fileError != nil {
            // Once is tried again at once; more would be for ever.
            reserveFailures += 1
            if reserveFailures > 1 { reserveRetryAt = now + backOff }
        }
        guard case .running = phase, let first = pending.first, let active, !accepts(first, in: active) else {
            return []
        }
        var turnedAway: [AppendTicket] = []
        if request.claim > 0, first.claim == request.claim, error.isOfCapacity {
            // Not to be tried for ever.
            pending.removeFirst()
            turnAway(first, error)
            turnedAway.append(first)
        }
        return turnedAway + refuse(error, mayUseReserve: !first.holdsEvents, now: now)
    }

    /// Room was made: making a segment may be tried again at once.
    mutating func roomWasMade() {
        if case .failed = preparation { preparation = .idle }
    }
}

/// A segment that lacks only its final name, and what it was made for.
struct UnnamedSegment: Sendable {
    let segment: ActiveSegment
    let name: String
    let request: SegmentRequest
}

/// What a segment is wanted for.
struct SegmentRequest: Equatable, Sendable {
    /// A regular segment's file has so many.
    var bytes: UInt64
    /// Appends without events go on in the reserve when there is no room for a regular segment.
    var mayUseReserve: Bool
    /// Nothing else is tried first: a failed write must not wait for a large file.
    var prefersReserve: Bool
    /// It begins an epoch, and its identity says so.
    var beginsEpoch = false
    /// Of the append that it is for; 0 when that has none.
    var claim = 0
}

extension LogError {
    /// The capacity says so, and not the disk.
    var isOfCapacity: Bool { code == .full && fileError == nil }
}
