public import FileIO
public import LogFormat

/// A segmented, checksummed write-ahead log in one directory: frames in, in order and durable; frames out, by position.
///
/// It knows no events and no takes. What it keeps of its client's pointers is an opaque state, asked for when a segment
/// begins, a checkpoint is due or segments are retired.
///
/// Thread rules: every method may be called from any thread; those that block say so. Frames are encoded, compressed
/// and checksummed by their maker, outside every lock (``FramePayload``). Locks: `lock` is held only for decisions, never
/// over I/O or a callback; `checkpointLock`, taken before it, is held while a checkpoint slot is written.
public final class Log: @unchecked Sendable {
    public let configuration: LogConfiguration
    public let path: String
    /// What opening found and did.
    public let recoveryReport: RecoveryReport
    /// How groups are written.
    public let writeMethod: WriteMethod
    /// What groups are padded to.
    public let blockBytes: Int
    public let logUUID: LogUUID

    let directory: any StorageDirectory
    let runtime: any Runtime
    let budget: SpaceBudget
    let clientSource: (@Sendable () -> ClientCheckpoint)?

    let lock = Lock()
    // Everything below is guarded by `lock`.
    var state: LogState
    var buffers: [AlignedBuffer] = []
    /// Background work under way; closing waits for it.
    var backgroundCount = 0
    var idleTimerArmed = false
    var checkpointing = false
    var pins: [SegmentNumber: Int] = [:]
    var closeWaiters: [WaitCell] = []
    var lastBackgroundError: LogError?

    /// Found by recovery; recorded in the log before opening returns.
    var lossesToRecord: [DamagedRange] = []

    /// Held over the writing of a checkpoint; taken before `lock`, never after it.
    let checkpointLock = Lock()
    var checkpointGeneration: UInt64
    var nextSlot: UInt32

    init(
        configuration: LogConfiguration, directory: any StorageDirectory, runtime: any Runtime, budget: SpaceBudget,
        report: RecoveryReport, writeMethod: WriteMethod, state: LogState, checkpointGeneration: UInt64,
        nextSlot: UInt32, clientSource: (@Sendable () -> ClientCheckpoint)?
    ) {
        self.configuration = configuration
        self.directory = directory
        self.runtime = runtime
        self.budget = budget
        self.writeMethod = writeMethod
        self.state = state
        self.checkpointGeneration = checkpointGeneration
        self.nextSlot = nextSlot
        self.clientSource = clientSource
        path = directory.path
        recoveryReport = report
        blockBytes = budget.blockBytes
        logUUID = state.logUUID
    }

    // MARK: Appending

    /// Appends frames, in this order and next to each other, and returns when they are durable. Each frame is atomic by
    /// itself; the append as a whole is not (a crash may leave its first frames).
    ///
    /// Frames of the log's own (snapshot, open, seal, close, padding) are not for appending: recovery would believe them.
    /// Not from a completion: it would wait for the thread it runs on.
    ///
    /// Blocks for one synced write, or several when others are ahead. Costs one copy of the payloads.
    /// Throws `full` when there is no room for another segment (nothing was written), `tooLarge`, `outcomeUnknown` when
    /// the write failed, `readOnly`, `closed`.
    public func append(_ frames: [FramePayload]) throws(LogError) -> AppendReceipt {
        precondition(!frames.isEmpty, "an append without frames")
        let ticket = AppendTicket(frames, completion: nil)
        lock.lock()
        do throws(LogError) {
            try state.enqueue(ticket)
        } catch {
            lock.unlock()
            throw error
        }
        let work = nextWork()
        lock.unlock()
        return try wait(for: ticket, doing: work)
    }

    /// Waits for a ticket's answer, and does what there is to do meanwhile. The appending thread writes its own group, and
    /// whatever joined it: no thread is woken for a lone append.
    func wait(for ticket: AppendTicket, doing first: Work?) throws(LogError) -> AppendReceipt {
        var work = first
        while true {
            if let work { run(work) }
            _ = runtime.wait(for: ticket.cell!)
            // Woken to lead, or because it is done: the answer, which is written under the lock, tells which.
            ticket.cell!.reset()
            lock.lock()
            if let answer = ticket.answer {
                lock.unlock()
                return try answer.get()
            }
            work = nextWork()
            lock.unlock()
        }
    }

    /// As ``append(_:)``, without blocking for the disk where the file completes writes later; with a file that writes on
    /// the calling thread (Linux) the work goes to the background. `completion` is called once, with no lock held.
    public func submit(
        _ frames: [FramePayload], completion: @escaping @Sendable (Result<AppendReceipt, LogError>) -> Void
    ) {
        precondition(!frames.isEmpty, "an append without frames")
        submit(AppendTicket(frames, completion: completion))
    }

    func submit(_ ticket: AppendTicket) {
        do throws(LogError) {
            try lock.withLock { () throws(LogError) in try state.enqueue(ticket) }
        } catch {
            ticket.completion?(.failure(error))
            return
        }
        schedulePump()
    }

    /// Looks for work in the background: for appends that no thread waits for.
    func schedulePump() {
        runtime.schedule(after: 0) { [self] in pump() }
    }

    func pump() {
        while let work = lock.withLock({ nextWork() }) { run(work) }
        // What ended without an answer (a mark that did not fit, the last hope for a fresh segment) wakes nobody else.
        wakeClosers()
    }

    // MARK: Work

    struct Work {
        var job: LogState.Job?
        var refused: [LogState.Answer]
        var ahead: SegmentRequest?
        var removable: [SegmentEntry] = []

        var isEmpty: Bool { job == nil && refused.isEmpty && ahead == nil && removable.isEmpty }
    }

    /// Under the lock: what is to be done next; nil when nothing is.
    func nextWork() -> Work? {
        let now = runtime.monotonicClock()
        let job = state.nextJob(now: now)
        let work = Work(
            job: job, refused: state.takeRefused(), ahead: state.aheadRequest(), removable: state.removable)
        state.removable = []
        if work.ahead != nil { backgroundCount += 1 }
        if case .prepare = job { backgroundCount += 1 }
        if !work.removable.isEmpty { backgroundCount += 1 }
        return work.isEmpty ? nil : work
    }

    /// Outside the lock.
    func run(_ work: Work) {
        if !work.refused.isEmpty {
            deliver(work.refused)
            wakeClosers()
        }
        if !work.removable.isEmpty { SegmentRemoval(self, work.removable, mayRecycle: false).start() }
        if let request = work.ahead { SegmentPreparation(self, request).start() }
        switch work.job {
        case nil: break
        case .gatherClientState: gatherClientState()
        case .prepare(let request): SegmentPreparation(self, request).start()
        case .write(let group): write(group)
        }
    }

    private func gatherClientState() {
        let client = clientSource?()
        let nonce = runtime.randomNonzero()
        let answers = lock.withLock { () -> [LogState.Answer] in
            let value = state.furthest(client ?? ClientCheckpoint(through: state.durable, bytes: []))
            state.pendingNonce = nonce
            if let error = snapshotError(value) {
                defer { state.pending.removeAll() }
                return state.pending.map { LogState.Answer(ticket: $0, result: .failure(error)) }
            }
            state.forgetEras(before: value.through.lsn)
            state.clientState = value
            return []
        }
        deliver(answers)
        passOn()
        if !answers.isEmpty { wakeClosers() }
    }

    /// Whether a client's state can be written down.
    func snapshotError(_ client: ClientCheckpoint) -> LogError? {
        let bytes = state.snapshot(client).encodedBytes + 2 * SegmentEntry.byteCount
        if bytes > budget.snapshotLimitBytes {
            return LogError(
                .tooLarge,
                "the snapshot would take \(bytes) bytes, \(budget.snapshotLimitBytes) are set aside for it; "
                    + "hold less state, or raise snapshotLimitBytes")
        }
        precondition(client.through.lsn <= state.durable.lsn, "a client's state cannot be ahead of what is durable")
        return nil
    }

    private func write(_ group: GroupCommit) {
        let buffer = takeBuffer(group.plan.totalBytes)
        group.assemble(into: buffer, commitTime: runtime.wallClock())
        group.segment.file.submitWrite(buffer, count: group.plan.totalBytes, at: group.offset) { [self] error in
            completed(group, buffer: buffer, error: error)
        }
    }

    private func completed(_ group: GroupCommit, buffer: AlignedBuffer, error: FileError?) {
        // The file was opened under a spare name; people look for it under the one that it has.
        let error = error.map { error in
            var named = error
            named.path = "\(path)/\(FileNames.segment(group.segment.number))"
            return named
        }
        lock.lock()
        let answers = state.completed(group, error: error)
        for answer in answers { answer.ticket.answer = answer.result }
        returnBuffer(buffer)
        let armsTimer = state.isIdle && !idleTimerArmed && configuration.idleMarkDelay > 0
        if armsTimer { idleTimerArmed = true }
        let activity = state.activity
        let wantsCheckpoint = state.bytesSinceCheckpoint >= configuration.checkpointIntervalBytes && !checkpointing
        if wantsCheckpoint {
            checkpointing = true
            backgroundCount += 1
        }
        let voided = group.opensEpoch && error == nil ? state.takeVoided() : []
        if !voided.isEmpty { backgroundCount += 1 }
        let unneeded = group.beginsSegment && error == nil ? state.retirableWithoutLeave() : []
        lock.unlock()
        announce(answers)
        if armsTimer { armIdleTimer(activity) }
        if wantsCheckpoint { runtime.schedule(after: 0) { [self] in checkpointInBackground() } }
        if !voided.isEmpty { SegmentRemoval(self, voided, mayRecycle: false).start() }
        if !unneeded.isEmpty { retire(unneeded) { _ in } }
        passOn()
        wakeClosers()
    }

    /// Something is done and something may be waiting: hand the lead to the first thread that waits, or to the background.
    func passOn() {
        lock.lock()
        guard let first = state.firstToLead else {
            let needsPump = state.needsPump
            lock.unlock()
            if needsPump { schedulePump() }
            return
        }
        lock.unlock()
        if let cell = first.cell { runtime.signal(cell, value: AppendTicket.lead) } else { schedulePump() }
    }

    /// Outside the lock: writes the answers down and tells whoever waits.
    func deliver(_ answers: [LogState.Answer]) {
        guard !answers.isEmpty else { return }
        lock.withLock { for answer in answers { answer.ticket.answer = answer.result } }
        announce(answers)
    }

    private func announce(_ answers: [LogState.Answer]) {
        for answer in answers {
            if let completion = answer.ticket.completion {
                completion(answer.result)
            } else {
                runtime.signal(answer.ticket.cell!, value: AppendTicket.done)
            }
        }
    }

    // MARK: Buffers

    private func takeBuffer(_ bytes: Int) -> AlignedBuffer {
        let buffer = lock.withLock { () -> AlignedBuffer? in
            guard let index = buffers.firstIndex(where: { $0.byteCount >= bytes }) else { return nil }
            return buffers.remove(at: index)
        }
        return buffer ?? AlignedBuffer(byteCount: bytes <= 65_536 ? 65_536 : bytes)
    }

    /// Under the lock. Keeps as many as can be in flight; lets the ones of rare large appends go.
    private func returnBuffer(_ buffer: AlignedBuffer) {
        if buffer.byteCount <= 2 * configuration.maximumGroupBytes, buffers.count <= configuration.groupsInFlight {
            buffers.append(buffer)
        }
    }

    // MARK: Looking

    /// Everything before this is durable.
    public var durableThrough: DurableThrough { lock.withLock { state.durable } }

    /// The live segments, oldest first.
    public var segments: [SegmentSummary] {
        lock.withLock { state.table.summaries(nextSequence: state.nextSequence) }
    }

    /// The present epoch.
    public var epoch: Epoch { lock.withLock { state.epoch } }

    /// The most groups that were in flight at once since opening.
    public var mostGroupsInFlight: Int { lock.withLock { state.mostGroupsInFlight } }

    /// Set when nothing can be written any more.
    public var readOnlyError: LogError? {
        lock.withLock { if case .readOnly(let error) = state.phase { error } else { nil } }
    }

    /// The last failure of background work (making a segment ahead, a checkpoint, retirement); each is tried again.
    public var lastBackgroundFailure: LogError? { lock.withLock { lastBackgroundError } }
}

extension LogState {
    /// Nothing waits and nothing is under way, and there is something that a mark would vouch for.
    var isIdle: Bool {
        guard case .running = phase else { return false }
        return pending.isEmpty && inFlight.isEmpty && !isClosing && lastFrame != .mark && lastFrame != .close
            && lastFrame != .open
    }

    /// The append whose thread should look for work next.
    var firstToLead: AppendTicket? {
        switch phase {
        case .running: return inFlight.count < groupsInFlight ? pending.first : nil
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

extension Runtime {
    /// Random, never zero.
    func randomNonzero() -> UInt64 {
        while true {
            let value = random()
            if value != 0 { return value }
        }
    }
}
