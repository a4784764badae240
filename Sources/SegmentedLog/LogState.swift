internal import FileIO
internal import LogFormat

/// The log's decisions, apart from threads and I/O: it is told what happened and says what to do next. Everything here
/// is guarded by the lock of ``Log``; in the simulator one thread drives it.
///
///     enqueue -> nextJob -> (write) -> completed -> answered tickets
///
/// Which segment comes next, and whether there may be one, is in `LogState+Rolling.swift`; groups and their
/// acknowledgement in `LogState+Groups.swift`; what follows a failed write in `LogState+Latch.swift`.
struct LogState {
    enum Phase {
        case running
        /// A write failed; waiting until every write in flight has returned.
        case latched(FileError)
        /// All have returned: a fresh segment and a new epoch are on their way.
        case reopening(FileError)
        case readOnly(LogError)
        case closed
    }

    enum Preparation {
        case idle
        case running
        /// Not tried again before this time of the monotonic clock, unless room was made.
        case failed(LogError, retryAt: UInt64)
    }

    enum Job {
        /// Ask the client for its state, then come back: a segment is about to begin.
        case gatherClientState
        case write(GroupCommit)
        case prepare(SegmentRequest)
    }

    /// Sizes, as of the opening; what the capacity is now, ``room`` says.
    let budget: SpaceBudget
    let groupsInFlight: Int
    let maximumGroupBytes: Int
    let durability: DurabilityMode
    let logUUID: LogUUID
    var blockBytes: Int { budget.blockBytes }

    var phase = Phase.running
    /// No new appends; what is queued goes on.
    var isClosing = false
    /// The present epoch, and before it others that an identity may have to state.
    var openings: [EpochOpening]
    var opening: EpochOpening { openings.present }
    var epoch: Epoch { opening.epoch }
    /// Which epoch is in force from where on, oldest first: a client's state, and so a snapshot, may be older than the
    /// present epoch, and names the one at the place that it covers.
    var eras: [Era]
    /// Acknowledged: durable as far as ``durability`` promises it. Readers and clients go by this.
    var durable: DurableThrough
    /// On the disk for certain. Only this is ever stated, by a frame or a checkpoint slot: recovery takes a statement for
    /// proof. The same as ``durable`` but for the weaker durabilities.
    var synced: DurableThrough
    var nextSequence: EventSequence
    var highestNumber: SegmentNumber
    var table: SegmentTable
    var active: ActiveSegment?
    /// Under its final name, durable, not used yet.
    var prepared: ActiveSegment?
    /// As good as that, but under its spare name: it gets the final one when it is soon wanted, for whatever stands under such
    /// a name an opening looks through. Until then its preparation is under way.
    var unnamed: UnnamedSegment?
    var preparation = Preparation.idle
    /// A claim was refused for want of a segment that could not be made: it is to be tried again, though nobody rolls.
    var wantsPreparation = false
    var clientState: ClientCheckpoint?
    private var furthestClient: ClientCheckpoint?
    /// Reserve segments on their way back under a reserve's name.
    var reservesBeingRemoved = 0
    /// The names that they are to have: two that came back at once must not take the same.
    var reserveNamesTaken: Set<Int> = []
    /// How often in a row a reserve could not be used, and, after the second time, when it is tried again.
    var reserveFailures = 0
    var reserveRetryAt: UInt64 = 0
    var pending: [AppendTicket] = []
    /// In the order of the log.
    var inFlight: [GroupCommit] = []
    /// How many appends were under way at once lately, waiting or in flight: a maximum that falls slowly.
    var crowd = 0
    /// What of the capacity is taken and promised.
    var room: RoomAccount
    /// Retired files that can become segments again, under their spare names: what is put after a backlog was taken need not be
    /// written twice.
    var spares: [SpareFile] = []
    /// So many more are being made by retirements that have not ended.
    var sparesToCome = 0
    var reservesPresent: Set<Int> = []
    /// Files of voided segments, to be removed once the cut that voids them is durable.
    var voided: [SegmentEntry] = []
    /// Files under a final name that were never used and may be removed at once.
    var removable: [SegmentEntry] = []
    /// Regular segments among them whose files are not gone yet.
    var discardsUnderWay = 0
    var retiring: Set<SegmentNumber> = []
    /// Retired by a durable snapshot in the log; their files go when a checkpoint says so, too.
    var leaving: [SegmentEntry] = []
    /// Retirements under way, those that still wait for room in the log included.
    var retirementsUnderWay = 0
    /// Retirements that were decided on, and are not under way yet.
    var retirementsToCome = 0
    /// After one that failed: segments without events are not let go again of the log's own accord before this time.
    var retirementRetryAt: UInt64 = 0
    /// Bytes of log since the last checkpoint.
    var bytesSinceCheckpoint: UInt64 = 0
    var lastGroupBytes: UInt64 = 0
    var lastFrame: FrameType = .open
    /// Under a weaker durability: ended segments that hold what was not synced yet, oldest first.
    var sealedUnsynced: [ActiveSegment] = []
    /// Counts appends, so that an idle timer can see that something happened.
    var activity: UInt64 = 0
    var statistics = LogStatistics()
    /// Turned away while a job was looked for, and not told yet; taken out by ``takeRefused()``.
    var refused: [AppendTicket] = []
    /// A fresh segment was asked for since the latch. (A request that failed before it does not count.)
    var askedForFresh = false

    /// The state right after an epoch was opened in `active`.
    init(
        budget: SpaceBudget, configuration: LogConfiguration, logUUID: LogUUID, openings: [EpochOpening], eras: [Era],
        durable: DurableThrough, highestNumber: SegmentNumber, table: SegmentTable,
        active: ActiveSegment,
        segmentBytesInUse: UInt64, reservesPresent: Set<Int>
    ) {
        self.budget = budget
        self.logUUID = logUUID
        self.durable = durable
        synced = durable
        self.highestNumber = highestNumber
        self.table = table
        self.active = active
        room = RoomAccount(budget, inUseBytes: segmentBytesInUse)
        self.reservesPresent = reservesPresent
        groupsInFlight = configuration.groupsInFlight
        maximumGroupBytes = configuration.maximumGroupBytes
        durability = configuration.durability
        self.openings = openings
        self.eras = eras
        nextSequence = durable.nextSequence
    }

    // MARK: Appends

    /// Takes an append in, or says why not; then its claim has ended.
    mutating func enqueue(_ ticket: AppendTicket) throws(LogError) {
        do throws(LogError) {
            try check(ticket)
        } catch {
            endClaim(of: ticket)
            throw error
        }
        if ticket.isRetirement {
            // First, but not before a put that has begun a segment for its claim: that is as large as it needs.
            let isOwed = active?.isUnused == true && pending.first?.isClaimed == true
            pending.insert(ticket, at: isOwed ? 1 : 0)
        } else {
            pending.append(ticket)
        }
        activity += 1
    }

    private func check(_ ticket: AppendTicket) throws(LogError) {
        switch phase {
        case .readOnly(let error): throw error
        case .closed: throw LogError(.closed, "the log is closed")
        case .running, .latched, .reopening: break
        }
        if isClosing { throw LogError(.closed, "the log is being closed") }
        let bytes = SpaceBudget.roundUp(ticket.frameBytes, to: blockBytes)
        // What was claimed is not refused, though the capacity was lowered since.
        guard bytes <= room.maximumAppendBytes || ticket.frameBytes <= ticket.claim else {
            throw LogError(
                .tooLarge,
                "an append of \(bytes) bytes is more than this log takes at once (\(room.maximumAppendBytes) bytes: at most "
                    + "a quarter of the capacity, \(room.capacityBytes) bytes); append less at a time, or raise the capacity"
            )
        }
        guard nextSequence.rawValue < FormatConstants.maximumNumber - 1 << 32 else {
            throw LogError(.tooLarge, "the log has no more sequence numbers (\(nextSequence)); start a new one")
        }
    }

    /// The next thing to do, if there is any.
    mutating func nextJob(now: UInt64) -> Job? {
        guard case .running = phase else { return reopeningJob(now: now) }
        guard mayBeginGroup, let active else { return nil }
        // Whatever is turned away, the next one may be luckier.
        while let first = pending.first {
            if accepts(first, in: active) { return .write(takeGroup(from: active)) }
            if first.onlyIfItFits {
                pending.removeFirst()
            } else {
                let turnedAway = refused.count
                if let job = rollJob(for: first, now: now) { return job }
                if refused.count == turnedAway { return nil }
            }
        }
        return nil
    }

    /// Whether what waits should be written now, beside what is in flight. A device takes several writes at once, but each costs
    /// the processor as much as a hundred appends: of many that come together each group takes a fair share, and few go alone.
    /// (What waits here is looked at again when a group that is in flight has ended.)
    private var mayBeginGroup: Bool {
        inFlight.isEmpty || (inFlight.count < groupsInFlight && pending.count * groupsInFlight >= crowd)
    }

    /// Before a group is taken out of what waits.
    mutating func noteCrowd() {
        let present = inFlight.reduce(pending.count) { $0 + $1.tickets.count }
        crowd = max(present, crowd - (crowd + 7) / 8)
    }

    /// Whether an append can go into a segment: events never into the reserve, which they would pin.
    func accepts(_ ticket: AppendTicket, in segment: ActiveSegment) -> Bool {
        accepts(
            ticket, behind: segment.isUnused ? budget.firstGroupBytes : 0, in: segment)
    }

    func accepts(_ ticket: AppendTicket, behind bytes: Int, in segment: ActiveSegment) -> Bool {
        if ticket.holdsEvents && segment.kind == .reserve { return false }
        let kept = segment.kind == .reserve && !ticket.isRetirement ? budget.firstGroupBytes : 0
        return segment.fits(
            SpaceBudget.roundUp(bytes + ticket.frameBytes, to: blockBytes) + kept, blockBytes: blockBytes)
    }

    mutating func takeRefused() -> [AppendTicket] {
        defer { refused = [] }
        return refused
    }

    /// An append is given up, and its claim ends; whoever waits for it is to be told.
    mutating func turnAway(_ ticket: AppendTicket, _ error: LogError) {
        endClaim(of: ticket)
        ticket.answer = .failure(error)
    }

    /// All that waits is given up.
    mutating func turnAwayAll(_ error: LogError) -> [AppendTicket] {
        defer { pending = [] }
        for ticket in pending { turnAway(ticket, error) }
        return pending
    }

    mutating func endClaim(of ticket: AppendTicket) {
        guard ticket.claim > 0 else { return }
        _ = room.changeClaim(from: ticket.claim, to: 0, liveRegularSegments: 0)
        ticket.claim = 0
    }

    // MARK: The client's state

    /// The furthest state of the client that went into a snapshot, or this one: two threads may ask for it, and the older answer
    /// come last.
    func furthest(_ client: ClientCheckpoint) -> ClientCheckpoint {
        if let known = furthestClient, known.through.lsn > client.through.lsn { return known }
        return client
    }

    /// It fits into a snapshot, and none will be written that covers less.
    mutating func keepFurthest(_ client: ClientCheckpoint) { furthestClient = client }

    /// The pointers as a snapshot states them. Segments being retired are still listed, until the snapshot that lets
    /// them go is durable; that one names them in `excluding`.
    func snapshot(_ client: ClientCheckpoint, excluding: Set<SegmentNumber> = []) -> Snapshot {
        #if PlantedBugs
            var client = client
            if PlantedBug.snapshotAheadOfDurable.isPlanted, let last = inFlight.last { client.through = last.end }
        #endif
        let era = eras.last { $0.from <= client.through.lsn }?.start ?? EpochStart(epoch: Epoch(0), nonce: 0)
        return Snapshot(
            covered: client.through, epoch: era.epoch, nonce: era.nonce,
            segments: table.entries(excluding: excluding), client: client.bytes)
    }

    /// No later snapshot covers less than this one: what was in force before is of no more use.
    mutating func forgetEras(before covered: LSN) {
        if let first = eras.lastIndex(where: { $0.from <= covered }) { eras.removeFirst(first) }
    }

    // MARK: Looking

    /// Nothing waits and nothing is under way, and there is something that a mark would vouch for. (It changes nothing. As a
    /// plain getter it would be asked of a copy of the whole state, after each group.)
    var isIdle: Bool {
        mutating get {
            guard case .running = phase else { return false }
            return pending.isEmpty && inFlight.isEmpty && !isClosing && lastFrame != .mark && lastFrame != .close
                && lastFrame != .open
        }
    }

    /// The append whose thread should look for work next.
    var firstToLead: AppendTicket? {
        switch phase {
        case .running: return mayBeginGroup ? pending.first : nil
        case .reopening, .readOnly: return pending.first
        case .latched, .closed: return nil
        }
    }

    /// Work without an append that waits: a new epoch must be begun even when nobody appends.
    var needsPump: Bool {
        if case .reopening = phase { return inFlight.isEmpty }
        return false
    }

    /// Ended segments without events, all of whose records a snapshot taken now would cover.
    func retirableWithoutLeave() -> [SegmentNumber] {
        table.withoutEvents(endedBefore: durable.lsn).filter { !retiring.contains($0) }
    }

    mutating func takeVoided() -> [SegmentEntry] {
        defer { voided = [] }
        return voided
    }
}

/// A file of a regular segment's size that is written already and holds nothing that counts.
struct SpareFile: Sendable {
    let name: String
    let bytes: UInt64
}

/// An epoch, and the place from which it is in force.
struct Era: Equatable, Sendable {
    var from: LSN
    var start: EpochStart
}
