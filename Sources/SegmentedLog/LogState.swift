internal import FileIO
internal import LogFormat

/// The log's decisions, apart from threads and I/O: it is told what happened and says what to do next. Everything here
/// is guarded by the lock of ``Log``; in the simulator one thread drives it.
///
///     enqueue -> nextJob -> (write) -> completed -> answers
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

    struct Answer {
        var ticket: AppendTicket
        var result: Result<AppendReceipt, LogError>
    }

    let budget: SpaceBudget
    let groupsInFlight: Int
    let maximumGroupBytes: Int
    let blockBytes: Int
    let logUUID: LogUUID

    var phase = Phase.running
    /// No new appends; what is queued goes on.
    var isClosing = false
    var epoch: Epoch
    var nonce: UInt64
    /// Which epoch is in force from where on, oldest first: a client's state, and so a snapshot, may be older than the
    /// present epoch, and names the one at the place that it covers.
    private(set) var eras: [Era]
    var durable: DurableThrough
    var nextSequence: EventSequence
    var highestNumber: SegmentNumber
    var table: SegmentTable
    var active: ActiveSegment?
    /// Under its final name, durable, not used yet.
    var prepared: ActiveSegment?
    var preparation = Preparation.idle
    var clientState: ClientCheckpoint?
    private var furthestClient: ClientCheckpoint?
    /// Reserve segments on their way back under a reserve's name.
    var reservesBeingRemoved = 0
    var pending: [AppendTicket] = []
    /// In the order of the log.
    var inFlight: [GroupCommit] = []
    /// Bytes of all segment files, live, prepared, spare or being made, that count against the segment budget.
    var segmentBytesInUse: UInt64 = 0
    /// A retired file that can become a segment again, under its spare name.
    var spare: (name: String, bytes: UInt64)?
    var reservesPresent: Set<Int> = []
    /// Files of voided segments, to be removed once the cut that voids them is durable.
    var voided: [SegmentEntry] = []
    /// Files under a final name that were never used and may be removed at once.
    var removable: [SegmentEntry] = []
    var retiring: Set<SegmentNumber> = []
    /// Retired by a durable snapshot in the log; their files go when a checkpoint says so, too.
    var leaving: [SegmentEntry] = []
    /// Retirements under way, those that still wait for room in the log included.
    var retirementsUnderWay = 0
    /// Bytes of log since the last checkpoint.
    var bytesSinceCheckpoint: UInt64 = 0
    var lastFrame: FrameType = .open
    /// Counts appends, so that an idle timer can see that something happened.
    var activity: UInt64 = 0
    var mostGroupsInFlight = 0

    /// The state right after an epoch was opened in `active`.
    init(
        budget: SpaceBudget, configuration: LogConfiguration, logUUID: LogUUID, start: EpochStart, eras: [Era],
        durable: DurableThrough, highestNumber: SegmentNumber, table: SegmentTable, active: ActiveSegment,
        segmentBytesInUse: UInt64, reservesPresent: Set<Int>
    ) {
        self.budget = budget
        self.logUUID = logUUID
        self.durable = durable
        self.highestNumber = highestNumber
        self.table = table
        self.active = active
        self.segmentBytesInUse = segmentBytesInUse
        self.reservesPresent = reservesPresent
        groupsInFlight = configuration.groupsInFlight
        maximumGroupBytes = configuration.maximumGroupBytes
        blockBytes = budget.blockBytes
        epoch = start.epoch
        nonce = start.nonce
        self.eras = eras
        nextSequence = durable.nextSequence
    }

    // MARK: Appends

    /// Takes an append in, or says why not.
    mutating func enqueue(_ ticket: AppendTicket) throws(LogError) {
        switch phase {
        case .readOnly(let error): throw error
        case .closed: throw LogError(.closed, "the log is closed")
        case .running, .latched, .reopening: break
        }
        if isClosing { throw LogError(.closed, "the log is being closed") }
        let bytes = SpaceBudget.roundUp(ticket.frameBytes, to: blockBytes)
        guard UInt64(bytes) <= budget.capacityBytes / 4,
            budget.segmentBytes(forGroupOf: bytes) <= budget.segmentBudgetBytes / 2
        else {
            throw LogError(
                .tooLarge,
                "an append of \(bytes) bytes is more than a quarter of the capacity "
                    + "(\(budget.capacityBytes) bytes); append less at a time, or raise the capacity")
        }
        guard nextSequence.rawValue < FormatConstants.maximumNumber - 1 << 32 else {
            throw LogError(.tooLarge, "the log has no more sequence numbers (\(nextSequence)); start a new one")
        }
        if ticket.isRetirement { pending.insert(ticket, at: 0) } else { pending.append(ticket) }
        activity += 1
    }

    /// The next thing to do, if there is any.
    mutating func nextJob(now: UInt64) -> Job? {
        guard case .running = phase else { return reopeningJob(now: now) }
        guard inFlight.count < groupsInFlight, let first = pending.first, let active else { return nil }
        if accepts(first, in: active) { return .write(takeGroup(from: active)) }
        if first.onlyIfItFits {
            pending.removeFirst()
            return nextJob(now: now)
        }
        return rollJob(for: first, now: now)
    }

    /// Whether an append can go into a segment: events never into the reserve, which they would pin.
    func accepts(_ ticket: AppendTicket, in segment: ActiveSegment) -> Bool {
        accepts(
            ticket, behind: segment.isUnused ? budget.firstGroupBytes : 0, in: segment)
    }

    private func accepts(_ ticket: AppendTicket, behind bytes: Int, in segment: ActiveSegment) -> Bool {
        if ticket.holdsEvents && segment.kind == .reserve { return false }
        let kept = segment.kind == .reserve && !ticket.isRetirement ? budget.firstGroupBytes : 0
        return segment.fits(
            SpaceBudget.roundUp(bytes + ticket.frameBytes, to: blockBytes) + kept, blockBytes: blockBytes)
    }

    /// The active segment is full for the first append waiting: seal it and go on in the next one.
    private mutating func rollJob(for first: AppendTicket, now: UInt64) -> Job? {
        guard let next = prepared, accepts(first, in: next) else {
            // One that is ready and too small is of no use any more.
            if let old = prepared { discard(old) }
            let bytes = SpaceBudget.roundUp(first.frameBytes, to: blockBytes)
            let fitsReserve =
                SpaceBudget.identityBytes + 2 * budget.firstGroupBytes + bytes + blockBytes
                <= Int(budget.reserveBytes)
            return preparationJob(
                SegmentRequest(
                    bytes: budget.segmentBytes(forGroupOf: bytes), mayUseReserve: !first.holdsEvents && fitsReserve,
                    prefersReserve: false), now: now)
        }
        // At most two segments have groups in flight, so that a cut in the older one voids one segment at most.
        guard inFlight.allSatisfy({ $0.segment === active }) else { return nil }
        // Asked for outside the lock; the first group of the next segment takes it.
        guard clientState != nil else { return .gatherClientState }
        return .write(sealGroup(next: next))
    }

    /// Asks for a segment unless one is being made, or making one has just failed.
    private mutating func preparationJob(_ request: SegmentRequest, now: UInt64) -> Job? {
        switch preparation {
        case .running: return nil
        case .failed(let error, let retryAt) where now < retryAt:
            if request.mayUseReserve, !reservesPresent.isEmpty, prepared == nil {
                preparation = .running
                return .prepare(SegmentRequest(bytes: 0, mayUseReserve: true, prefersReserve: true))
            }
            let turnedAway = refuse(error, mayUseReserve: request.mayUseReserve)
            refused.append(contentsOf: turnedAway)
            return turnedAway.isEmpty ? nil : nextJob(now: now)
        case .idle, .failed:
            preparation = .running
            return .prepare(request)
        }
    }

    /// Answers that came up while a job was looked for; taken out by ``takeRefused()``.
    private var refused: [Answer] = []

    mutating func takeRefused() -> [Answer] {
        defer { refused = [] }
        return refused
    }

    /// Turns away what cannot be written for want of a segment: appends with events; and the first of the others when no
    /// reserve is left and none is on its way back.
    private mutating func refuse(_ error: LogError, mayUseReserve: Bool) -> [Answer] {
        let first = pending.first
        // A retirement whose snapshot is written needs no more room: it will give some.
        let comesBack = retirementsUnderWay > pending.count { $0.isRetirement }
        let keepsFirst = mayUseReserve && (!reservesPresent.isEmpty || prepared?.kind == .reserve || comesBack)
        let isTurnedAway = { (ticket: AppendTicket) in ticket.holdsEvents || (ticket === first && !keepsFirst) }
        let turnedAway = pending.filter(isTurnedAway)
        pending.removeAll(where: isTurnedAway)
        return turnedAway.map { Answer(ticket: $0, result: .failure(error)) }
    }

    /// A reserve that is neither there nor in use: an earlier failure cost it. Only when none is left.
    var lostReserve: Int? {
        guard reservesPresent.isEmpty, prepared?.kind != .reserve, reservesBeingRemoved == 0 else { return nil }
        let inUse = (table.entries + leaving).count { $0.kind == .reserve }
        return inUse < 2 ? 0 : nil
    }

    /// The furthest state of the client that was seen: two threads may ask for it, and the older answer come last.
    mutating func furthest(_ client: ClientCheckpoint) -> ClientCheckpoint {
        if let known = furthestClient, known.through.lsn > client.through.lsn { return known }
        furthestClient = client
        return client
    }

    /// A segment should be made ready ahead of use.
    mutating func aheadRequest() -> SegmentRequest? {
        guard case .running = phase, case .idle = preparation, prepared == nil, !isClosing, let active,
            active.kind == .regular, active.cursor > active.segmentBytes / 2
        else { return nil }
        preparation = .running
        return SegmentRequest(bytes: UInt64(budget.segmentBytes), mayUseReserve: false, prefersReserve: false)
    }

    private mutating func discard(_ segment: ActiveSegment) {
        prepared = nil
        removable.append(segment.entry(baseSequence: nextSequence))
    }

    // MARK: Groups

    private mutating func takeGroup(from segment: ActiveSegment) -> GroupCommit {
        var tickets: [AppendTicket] = []
        var bytes = 0
        var frames: [FramePayload] = []
        var firstFrames: [Int] = []
        if segment.isUnused { frames.append(firstFrame(of: segment)) }
        bytes = frames.reduce(0) { $0 + $1.minimumFrameBytes }
        for ticket in pending {
            if !tickets.isEmpty && bytes + ticket.frameBytes > maximumGroupBytes { break }
            guard accepts(ticket, behind: bytes, in: segment) else { break }
            firstFrames.append(frames.count)
            frames.append(contentsOf: ticket.frames)
            tickets.append(ticket)
            bytes += ticket.frameBytes
        }
        precondition(!tickets.isEmpty, "a group without appends")
        pending.removeFirst(tickets.count)
        return place(frames, tickets: tickets, firstFrames: firstFrames, in: segment, opensEpoch: false)
    }

    private mutating func sealGroup(next: ActiveSegment) -> GroupCommit {
        let segment = active!
        let record = SealRecord(nextSegment: next.number, nextSalt: next.life.salt)
        let group = place(
            [FramePayload.own(.seal) { () throws(FormatError) in try record.encode() }], tickets: [],
            firstFrames: [], in: segment, opensEpoch: false)
        table.update(segment.number) { $0.endOffset = segment.cursor }
        begin(next)
        return group
    }

    /// Makes a prepared segment the active one.
    private mutating func begin(_ segment: ActiveSegment) {
        prepared = nil
        preparation = .idle
        active = segment
        table.append(segment.entry(baseSequence: nextSequence))
    }

    /// The snapshot that begins a segment: the client's state as it gave it last, and the live segments.
    private mutating func firstFrame(of segment: ActiveSegment) -> FramePayload {
        let client = clientState ?? ClientCheckpoint(through: durable, bytes: [])
        clientState = nil
        return FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot(client).encode() }
    }

    /// The pointers as a snapshot states them. Segments being retired are still listed, until the snapshot that lets
    /// them go is durable; that one names them in `excluding`.
    func snapshot(_ client: ClientCheckpoint, excluding: Set<SegmentNumber> = []) -> Snapshot {
        let era = eras.last { $0.from <= client.through.lsn }?.start ?? EpochStart(epoch: Epoch(0), nonce: 0)
        return Snapshot(
            covered: client.through, epoch: era.epoch, nonce: era.nonce,
            segments: table.entries(excluding: excluding), client: client.bytes)
    }

    /// No later snapshot covers less than this one: what was in force before is of no more use.
    mutating func forgetEras(before covered: LSN) {
        if let first = eras.lastIndex(where: { $0.from <= covered }) { eras.removeFirst(first) }
    }

    private mutating func place(
        _ frames: [FramePayload], tickets: [AppendTicket], firstFrames: [Int], in segment: ActiveSegment,
        opensEpoch: Bool
    ) -> GroupCommit {
        let plan = GroupPlan(frames, blockBytes: blockBytes)
        let group = GroupCommit(
            segment: segment, plan: plan, frames: frames, tickets: tickets, firstFrames: firstFrames, epoch: epoch,
            nonce: nonce, stated: durable, nextSequence: nextSequence, opensEpoch: opensEpoch)
        segment.cursor += UInt64(plan.totalBytes)
        nextSequence = group.end.nextSequence
        bytesSinceCheckpoint += UInt64(plan.totalBytes)
        lastFrame = frames.last!.type
        if frames.contains(where: { $0.type == .put }) { table.update(segment.number) { $0.holdsEvents = true } }
        inFlight.append(group)
        mostGroupsInFlight = max(mostGroupsInFlight, inFlight.count)
        return group
    }

    // MARK: Completion

    /// A group's write has returned. Acknowledges, strictly in order, what is now durable.
    mutating func completed(_ group: GroupCommit, error: FileError?) -> [Answer] {
        group.outcome = error.map { .failed($0) } ?? .written
        if let error, case .running = phase { phase = .latched(error) }
        var answers: [Answer] = []
        // In order: a group is acknowledged only when all before it are durable, for a cut before it voids it.
        while let first = inFlight.first, case .written = first.outcome {
            inFlight.removeFirst()
            durable = first.end
            for (index, ticket) in first.tickets.enumerated() {
                // At once, before any snapshot that covers this place can be taken: one that covered it and still listed
                // them would call for files that may be gone.
                if ticket.isRetirement { leave(ticket.retires) }
                answers.append(Answer(ticket: ticket, result: .success(first.receipt(forTicket: index))))
            }
            if first.opensEpoch { opened(first) }
        }
        if case .latched(let error) = phase, inFlight.allSatisfy({ $0.outcome != nil }) {
            answers.append(contentsOf: settle(error))
        } else if case .reopening(let first) = phase, let error {
            inFlight.removeAll()
            answers.append(contentsOf: becomeReadOnly(first, then: LogError(.fileOperation, "", fileError: error)))
        }
        return answers
    }

    private mutating func leave(_ numbers: Set<SegmentNumber>) {
        leaving += table.entries.filter { numbers.contains($0.number) }
        table.remove(numbers)
    }

    /// Every write to the latched segment has returned. What was not acknowledged is given up, whole or not at all, even
    /// where its own write succeeded: the epoch that follows cuts it off.
    private mutating func settle(_ error: FileError) -> [Answer] {
        let answers = inFlight.flatMap(\.tickets).map { ticket in
            Answer(
                ticket: ticket,
                result: .failure(
                    LogError(
                        .outcomeUnknown,
                        "a write to the log failed: the append may be in it, whole, or not at all; take it as neither done "
                            + "nor undone", lsn: durable.lsn, fileError: error)))
        }
        inFlight.removeAll()
        nextSequence = durable.nextSequence
        let cut = durable.lsn
        for entry in table.entries where entry.number > cut.segment { voided.append(entry) }
        table.remove(Set(voided.map(\.number)))
        table.update(cut.segment) { $0.endOffset = cut.offset }
        active = nil
        clientState = nil
        askedForFresh = false
        phase = .reopening(error)
        return answers
    }

    private mutating func opened(_ group: GroupCommit) {
        phase = .running
        eras.append(
            Era(
                from: LSN(segment: group.segment.number, offset: group.offset),
                start: EpochStart(epoch: epoch, nonce: nonce)))
    }

    mutating func becomeReadOnly(_ first: FileError, then second: LogError) -> [Answer] {
        let error = LogError(
            .readOnly,
            "two writes in a row failed (\(first); then \(second)); nothing more is written until the log is opened again; "
                + "check the disk", lsn: durable.lsn, fileError: second.fileError ?? first)
        phase = .readOnly(error)
        defer { pending.removeAll() }
        return pending.map { Answer(ticket: $0, result: .failure(error)) }
    }

    // MARK: A new epoch after a failed write

    private mutating func reopeningJob(now: UInt64) -> Job? {
        guard case .reopening(let error) = phase, inFlight.isEmpty else { return nil }
        guard let fresh = prepared else {
            if case .running = preparation { return nil }
            if case .failed(let second, _) = preparation, askedForFresh {
                refused.append(contentsOf: becomeReadOnly(error, then: second))
                return nil
            }
            preparation = .running
            askedForFresh = true
            return .prepare(
                SegmentRequest(bytes: UInt64(budget.segmentBytes), mayUseReserve: true, prefersReserve: true))
        }
        guard clientState != nil else { return .gatherClientState }
        let previous = epoch
        epoch = Epoch(epoch.rawValue + 1)
        nonce = pendingNonce
        begin(fresh)
        let record = OpenRecord(
            cut: durable.lsn, nextSequence: durable.nextSequence, previousEpoch: previous,
            blockBytes: UInt32(blockBytes), groupsInFlight: UInt16(groupsInFlight), durability: .commit,
            reason: .failedWrite)
        // One write, alone: nothing follows until it is durable.
        return .write(
            place(
                [
                    firstFrame(of: fresh),
                    FramePayload.own(.open) { () throws(FormatError) in try record.encode() },
                ], tickets: [], firstFrames: [],
                in: fresh, opensEpoch: true))
    }

    /// Random, drawn by the shell together with the client's state.
    var pendingNonce: UInt64 = 1
    /// A fresh segment was asked for since the latch. (A request that failed before it does not count.)
    private var askedForFresh = false

    // MARK: Preparation

    mutating func prepared(_ segment: ActiveSegment) {
        prepared = segment
        preparation = .idle
    }

    /// Making a segment failed. Nothing was changed by it; whoever waited for it is told.
    mutating func preparationFailed(_ error: LogError, now: UInt64, backOff: UInt64) -> [Answer] {
        preparation = .failed(error, retryAt: now + backOff)
        guard case .running = phase, let first = pending.first, let active, !accepts(first, in: active) else {
            return []
        }
        return refuse(error, mayUseReserve: !first.holdsEvents)
    }

    /// Room was made: making a segment may be tried again at once.
    mutating func roomWasMade() {
        if case .failed = preparation { preparation = .idle }
    }
}

/// An epoch, and the place from which it is in force.
struct Era: Equatable, Sendable {
    var from: LSN
    var start: EpochStart
}

/// What a segment is wanted for.
struct SegmentRequest: Equatable, Sendable {
    /// At least so large.
    var bytes: UInt64
    /// Appends without events go on in the reserve when there is no room for a regular segment.
    var mayUseReserve: Bool
    /// Nothing else is tried first: a failed write must not wait for a large file.
    var prefersReserve: Bool
}
