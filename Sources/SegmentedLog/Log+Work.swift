internal import FileIO
internal import LogFormat

/// Doing what the state decides: outside of the lock, on whatever thread comes by.
extension Log {
    /// Looks for work in the background: for appends that no thread waits for.
    func schedulePump() {
        runtime.schedule(after: 0) { [self] in pump() }
    }

    func pump() {
        while let work = lock.withLock({ nextWork() }) { run(work) }
        // What ended without an answer (a mark that did not fit, the last hope for a fresh segment) wakes nobody else.
        wakeClosers()
    }

    struct Work: ~Copyable {
        var job: LogState.Job?
        /// For a group to be written: nil when none that is kept is large enough.
        var buffer: AlignedBuffer?
        var refused: [AppendTicket]
        var ahead: SegmentRequest?
        var removable: [SegmentEntry]
        var unnamed: UnnamedSegment?
    }

    /// Under the lock: what is to be done next; nil when nothing is.
    func nextWork() -> Work? {
        let now = runtime.monotonicClock()
        let job = state.nextJob(now: now)
        let ahead = state.aheadRequest(now: now)
        let unnamed = state.takeUnnamed()
        guard job != nil || ahead != nil || unnamed != nil || !state.refused.isEmpty || !state.removable.isEmpty else {
            return nil
        }
        var work = Work(
            job: job, refused: state.takeRefused(), ahead: ahead, removable: state.removable, unnamed: unnamed)
        state.removable = []
        switch job {
        case .write(let group): work.buffer = takeBuffer(group.plan.totalBytes)
        case .prepare: backgroundCount += 1
        case nil, .gatherClientState: break
        }
        if ahead != nil { backgroundCount += 1 }
        if unnamed != nil { backgroundCount += 1 }
        if !work.removable.isEmpty { backgroundCount += 1 }
        return work
    }

    /// Outside the lock.
    /// - Parameter leader: the append whose thread this is; nil in the background.
    func run(_ work: consuming Work, leader: AppendTicket? = nil) {
        if !work.refused.isEmpty {
            tell(work.refused)
            wakeClosers()
        }
        if !work.removable.isEmpty { SegmentRemoval(self, work.removable, .unused).start() }
        if let request = work.ahead { SegmentPreparation(self, request).start() }
        if let unnamed = work.unnamed { SegmentPreparation(self, naming: unnamed).start() }
        switch work.job {
        case nil: break
        case .gatherClientState: gatherClientState()
        case .prepare(let request): SegmentPreparation(self, request).start()
        case .write(let group): write(group, work.buffer ?? makeBuffer(group.plan.totalBytes), leader)
        }
    }

    private func gatherClientState() {
        let client: ClientCheckpoint
        do throws(LogError) { client = try syncedClient() } catch { return passOn() }
        let refused = lock.withLock { () -> [AppendTicket] in
            let value = state.furthest(client)
            if let error = snapshotError(value) { return state.turnAwayAll(error) }
            state.keepFurthest(value)
            state.forgetEras(before: value.through.lsn)
            state.clientState = value
            return []
        }
        tell(refused)
        passOn()
        if !refused.isEmpty { wakeClosers() }
    }

    /// The client's state, for a snapshot. All that it knows is on the disk on return (it may know more than it covers), for
    /// a snapshot is believed when it is found again. (Under `commit` it always is.)
    func syncedClient() throws(LogError) -> ClientCheckpoint {
        let client = clientSource?() ?? ClientCheckpoint(through: durableThrough, bytes: [])
        try syncWritten()
        return client
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

    // MARK: Groups

    private func write(_ group: GroupCommit, _ buffer: AlignedBuffer, _ leader: AppendTicket?) {
        let bytes = group.plan.totalBytes
        group.assemble(into: buffer, commitTime: runtime.wallClock())
        let started = runtime.monotonicClock()
        #if PlantedBugs
            if PlantedBug.acknowledgeBeforeSync.isPlanted {
                group.segment.file.submitWrite(buffer, count: bytes, at: group.offset) { _ in }
                return completed(group, buffer: AlignedBuffer(byteCount: 512), since: started, leader, error: nil)
            }
            if (writeMethod == .writeThenSync ? PlantedBug.skipDataSync : .skipSynchronousWrite).isPlanted {
                let file = group.segment.file
                do throws(FileError) { try file.write(buffer, count: bytes, at: group.offset) } catch {
                    return completed(group, buffer: buffer, since: started, leader, error: error)
                }
                return completed(group, buffer: buffer, since: started, leader, error: nil)
            }
        #endif
        if configuration.durability == .commit {
            group.segment.file.submitWrite(buffer, count: bytes, at: group.offset) { [self] error in
                #if PlantedBugs
                    if PlantedBug.retryFailedSync.isPlanted, error != nil,
                        (try? group.segment.file.synchronize()) != nil
                    {
                        return completed(group, buffer: buffer, since: started, leader, error: nil)
                    }
                #endif
                completed(group, buffer: buffer, since: started, leader, error: error)
            }
        } else {
            var failure: FileError?
            do throws(FileError) {
                try group.segment.file.write(buffer, count: bytes, at: group.offset)
            } catch {
                failure = error
            }
            completed(group, buffer: buffer, since: started, leader, error: failure)
        }
    }

    private func completed(
        _ group: GroupCommit, buffer: AlignedBuffer, since started: UInt64, _ leader: AppendTicket?, error: FileError?
    ) {
        // The file was opened under a spare name; people look for it under the one that it has.
        let error = error.map { error in
            var named = error
            named.path = "\(path)/\(FileNames.segment(group.segment.number))"
            return named
        }
        let now = runtime.monotonicClock()
        lock.lock()
        if error == nil { state.statistics.wrote(group, nanoseconds: now - started) }
        let answered = state.completed(group, error: error)
        returnBuffer(buffer)
        let followUp = followUp(of: group, error, now: now)
        let next = nextLead(leader)
        let closers = quietClosers()
        lock.unlock()
        tell(answered)
        carryOut(followUp)
        passOn(next)
        wake(closers)
    }

    /// What the end of a group gives rise to besides its answers.
    private struct FollowUp {
        /// The appends counted so far.
        var idleTimer: UInt64?
        var armsSyncTimer = false
        var checkpoints = false
        var voided: [SegmentEntry] = []
        var unneeded: [SegmentNumber] = []
    }

    /// Under the lock.
    private func followUp(of group: GroupCommit, _ error: FileError?, now: UInt64) -> FollowUp {
        var followUp = FollowUp()
        if state.isIdle, !idleTimerArmed, configuration.idleMarkDelay > 0, configuration.durability != .none {
            idleTimerArmed = true
            followUp.idleTimer = state.activity
        }
        if configuration.durability == .interval, !syncTimerArmed, state.synced.lsn < state.durable.lsn {
            syncTimerArmed = true
            followUp.armsSyncTimer = true
        }
        // At a roll, too, so that recovery need not go through a segment that has ended.
        let rolled = error == nil && group.beginsSegment && group.segment.kind == .regular
        if rolled || state.bytesSinceCheckpoint >= configuration.checkpointIntervalBytes, !checkpointing {
            checkpointing = true
            backgroundCount += 1
            followUp.checkpoints = true
        }
        guard error == nil else { return followUp }
        if group.opensEpoch {
            followUp.voided = state.takeVoided()
            if !followUp.voided.isEmpty { backgroundCount += 1 }
        }
        // In a reserve segment the other one is wanted back as soon as can be, also when an attempt has failed.
        if group.beginsSegment || (group.segment.kind == .reserve && now >= state.retirementRetryAt) {
            followUp.unneeded = state.retirableWithoutLeave()
            if !followUp.unneeded.isEmpty { state.retirementsToCome += 1 }
        }
        return followUp
    }

    private func carryOut(_ followUp: FollowUp) {
        if let activity = followUp.idleTimer { armIdleTimer(activity) }
        if followUp.armsSyncTimer { armSyncTimer() }
        if followUp.checkpoints { runtime.schedule(after: 0) { [self] in checkpointInBackground() } }
        if !followUp.voided.isEmpty { SegmentRemoval(self, followUp.voided, .voided).start() }
        if !followUp.unneeded.isEmpty { retireUnneeded(followUp.unneeded) }
    }

    /// Who looks for work next.
    private enum Lead { case thread(WaitCell), background }

    /// Under the lock. Something is done and something may be waiting: the lead goes to whoever wrote, if groups before its own
    /// keep it waiting (it is awake, and no thread need be woken); else to the first thread that waits, or to the background.
    private func nextLead(_ leader: AppendTicket?) -> Lead? {
        guard let first = state.firstToLead else { return state.needsPump ? .background : nil }
        let next = if let leader, leader.answer == nil { leader } else { first }
        return next.cell.map { .thread($0) } ?? .background
    }

    private func passOn(_ lead: Lead?) {
        switch lead {
        case nil: break
        case .thread(let cell): runtime.signal(cell, value: AppendTicket.lead)
        case .background: schedulePump()
        }
    }

    /// Something has changed: whoever waits looks for work.
    func passOn() { passOn(lock.withLock { nextLead(nil) }) }

    /// Outside the lock: whoever waits for these appends is told; they have their answers.
    func tell(_ tickets: [AppendTicket]) {
        for ticket in tickets {
            if let completion = ticket.completion {
                completion(ticket.answer!)
            } else {
                runtime.signal(ticket.cell!, value: AppendTicket.done)
            }
        }
    }

    // MARK: Buffers

    /// Under the lock.
    private func takeBuffer(_ bytes: Int) -> AlignedBuffer? {
        buffers.firstIndex { $0.byteCount >= bytes }.map { buffers.remove(at: $0) }
    }

    /// In doubling sizes, so that one that was made for a group serves the next, which is a little longer.
    private func makeBuffer(_ bytes: Int) -> AlignedBuffer {
        var size = 65_536
        while size < bytes && size < configuration.maximumGroupBytes { size *= 2 }
        return AlignedBuffer(byteCount: max(size, bytes))
    }

    /// Under the lock. Keeps as many as can be in flight, the largest; lets the ones of rare large appends go.
    private func returnBuffer(_ buffer: AlignedBuffer) {
        guard buffer.byteCount <= 2 * configuration.maximumGroupBytes else { return }
        // Ascending, so that a small group takes a small one and the first is the one to give up.
        let place = buffers.firstIndex { $0.byteCount >= buffer.byteCount } ?? buffers.count
        buffers.insert(buffer, at: place)
        if buffers.count > configuration.groupsInFlight + 1 { buffers.removeFirst() }
    }

    /// Bytes that went to a file by another way than a group.
    func count(written bytes: UInt64) {
        lock.withLock { state.statistics.bytesWritten += bytes }
    }
}
