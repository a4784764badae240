internal import FileIO
internal import LogFormat
internal import SegmentedLog

extension FileChannel {
    /// Hands out the next events, in commit order; what was rolled back comes first. Nobody else is given them until the take
    /// is rolled back.
    ///
    /// Before it returns, it is durable that they may have been handed out (the lease), so that a repeat after a crash carries
    /// the redelivery mark.
    ///
    /// - Parameters:
    ///   - maxEvents: at most so many; at least 1.
    ///   - maxBytes: no more once their bodies and headers take so many bytes; one event is handed out whatever its size.
    ///   - wait: how long to wait for the first event; nil for ever. It does not wait for more than one.
    ///   - group: the consumer group; `default` is the only one for now.
    /// - Returns: a take that is empty when nothing came in time.
    /// - Throws: `closed`, `tooManyTakes`, `unsupported`; `damaged` under `strict` when the next event is damaged (the
    ///   position stays); `fileOperation` when the log cannot be read; `readOnly` when the lease would have to be raised and
    ///   cannot be: beyond it a repeat could come without its mark.
    /// - Memory: the events share the memory of the frames (transactions as they were put, decompressed) in which they
    ///   stand, whole: at most `maxBytes`, the largest event, and two of the largest frames for each run of sequences.
    ///   A take is one run, unless it is given what others have rolled back, or around it; 64 runs at most. Many open
    ///   takes within one frame share it. Copy what is to be kept for long (``TakenEvent/event``).
    /// - Cost: for a taker who keeps up no I/O but one lease record for each ``ChannelConfiguration/leaseStep`` events; else
    ///   large sequential reads, each frame verified and decompressed once.
    public func beginTake(
        maxEvents: Int = 100, maxBytes: Int = 4 << 20, waitingUpTo wait: Duration? = .zero,
        group: String = "default", order: TakeOrder = .fifo
    ) throws(ChannelError) -> TakeTransaction {
        let draft = try beginDraft(group, maxEvents)
        let started = runtime.monotonicClock()
        while true {
            try gather(into: draft, maxEvents, maxBytes)
            guard draft.events.isEmpty, let left = remaining(of: wait, since: started) else { break }
            block(min(left, retryIn, Self.longestSuspension), in: .takers, unless: { ledger.state.hasNext })
        }
        return TakeTransaction(draft)
    }

    /// As the blocking ``beginTake(maxEvents:maxBytes:waitingUpTo:group:order:)-(_,_,_,_,_)``, without blocking a thread of
    /// Swift concurrency. When its task is cancelled it waits no longer, as when the time is over.
    public func beginTake(
        maxEvents: Int = 100, maxBytes: Int = 4 << 20, waitingUpTo wait: Duration? = .zero,
        group: String = "default", order: TakeOrder = .fifo
    ) async throws(ChannelError) -> TakeTransaction {
        let draft = try beginDraft(group, maxEvents)
        let started = runtime.monotonicClock()
        while true {
            try await pool.run { [self] () throws(ChannelError) in try gather(into: draft, maxEvents, maxBytes) }
            guard draft.events.isEmpty, !Task.isCancelled, let left = remaining(of: wait, since: started) else { break }
            await suspend(
                min(left, retryIn, Self.longestSuspension), in: .takers, unless: { [ledger] in ledger.state.hasNext })
        }
        return TakeTransaction(draft)
    }

    /// Each suspension leaves a timer until it is over, and what another taker found unreadable is due again without a word: so
    /// no wait is longer in one piece.
    private static let longestSuspension: UInt64 = 1_000_000_000

    private func beginDraft(_ group: String, _ maxEvents: Int) throws(ChannelError) -> TakeDraft {
        guard group == Self.groupName else {
            throw ChannelError(
                .unsupported, "there is one consumer group for now, '\(Self.groupName)'; '\(group)' cannot be served")
        }
        guard maxEvents > 0 else {
            throw ChannelError(.configuration, "maxEvents is \(maxEvents); a take is given at least one event")
        }
        try ledger.lock.withLock { () throws(ChannelError) in
            try ledger.checkOpen()
            guard ledger.openTakes < limits.takes else {
                throw ChannelError(
                    .tooManyTakes,
                    "\(ledger.openTakes) takes are open, as many as this channel keeps account of; commit some")
            }
            ledger.openTakes += 1
        }
        return TakeDraft(self)
    }

    /// Time left to wait for a first event; nil when it is over.
    private func remaining(of wait: Duration?, since started: UInt64) -> UInt64? {
        guard !ledger.lock.withLock({ ledger.closing }) else { return nil }
        guard let wait else { return .max }
        let waited = runtime.monotonicClock() - started
        return waited < wait.nanoseconds ? wait.nanoseconds - waited : nil
    }

    /// A taker that was woken and is given nothing wakes the next one: else that one would sleep beside events.
    private func passOn() { wake(ledger.lock.withLock { ledger.woken() }) }

    /// How long until what the disk did not give is asked for again.
    private var retryIn: UInt64 {
        let now = runtime.monotonicClock()
        return ledger.lock.withLock {
            if ledger.state.group.unreadable.isEmpty { return .max }
            return ledger.unreadableRetryAt > now ? ledger.unreadableRetryAt - now : 1
        }
    }

    /// Finds events for a take, leases them, and gives them to it. On an error everything is as it was, but for losses that
    /// were recorded; with some events found already, those are given, and the error is left to the next take.
    private func gather(into draft: TakeDraft, _ maxEvents: Int, _ maxBytes: Int) throws(ChannelError) {
        taking.take(runtime)
        defer {
            let isBehind = store.shouldReadAhead
            taking.give(runtime)
            if isBehind { readAhead() }
        }
        var gathering = Gathering(self, maxEvents: maxEvents, maxBytes: maxBytes)
        do throws(ChannelError) { try gathering.run() } catch {
            guard !gathering.events.isEmpty else {
                draft.end()
                passOn()
                throw error
            }
        }
        guard !gathering.events.isEmpty else { return }
        do throws(ChannelError) {
            try lease(to: gathering.ranges.last!.end)
            try settle(gathering.ranges.last!.end)
        } catch {
            gathering.undo()
            draft.end()
            passOn()
            throw error
        }
        let woken = ledger.lock.withLock { () -> Woken in
            gathering.events.deliveryCounts = ledger.state.deliveryCounts.counts(in: gathering.ranges)
            ledger.counters.redelivered += gathering.events.redelivered
            return ledger.woken()
        }
        draft.begin(gathering.events, gathering.ranges)
        wake(woken)
    }

    /// In the background, while the take is worked on and committed; whoever wants the turn is let before it, and whoever wants
    /// the processor: the kernel may put this on that of the taker, who sleeps while its commit is written, and would then
    /// wait, the write long done, until all of this is done. (It holds no channel: the last one to hold that must not be work
    /// in the background.)
    private func readAhead() {
        runtime.schedule(after: 0) { [store, taking, runtime] in
            guard taking.takeIfFree() else { return }
            store.readAhead(unless: { taking.isWanted }, givingWay: runtime.giveWay)
            taking.give(runtime)
        }
    }

    /// In the weaker durabilities: what is handed out must not be lost and its numbers given to other events, for a sink
    /// discards repeats by number. So a take syncs what it hands out, unless that is durable already.
    private func settle(_ end: EventSequence) throws(ChannelError) {
        guard configuration.durability != .commit, log.syncedThrough.nextSequence < end else { return }
        try channelCall { () throws(LogError) in try log.synchronize() }
    }

    // MARK: Lease

    /// On return every sequence below `end` is durably known as one that may have been handed out. Tried again after a failed
    /// write: a lease may be repeated.
    private func lease(to end: EventSequence) throws(ChannelError) {
        #if PlantedBugs
            if PlantedBug.leaseAfterDelivery.isPlanted {
                ledger.lock.withLock { ledger.state.group.leaseLimit = max(ledger.state.group.leaseLimit, end) }
                return log.submit([.lease(Self.groupName, end)]) { _ in }
            }
        #endif
        var attempts = 0
        while true {
            let step = ledger.lock.withLock { () -> LeaseStep in
                if ledger.state.group.leaseLimit >= end { return .done }
                let cell = WaitCell()
                guard !ledger.leaseUnderWay else {
                    ledger.leaseWaiting.append(cell)
                    return .wait(cell)
                }
                return .append(beginLease(atLeast: end), ledger.state.beginCommit())
            }
            switch step {
            case .done: return
            case .wait(let cell): _ = runtime.wait(for: cell)
            case .append(let limit, let ticket):
                let answer = Result { () throws(LogError) in
                    try log.append([.lease(Self.groupName, limit)])
                }.flatMap(synced)
                wake(
                    ledger.lock.withLock {
                        ledger.state.endCommit(ticket, try? answer.get().durableThrough)
                        var woken = ledger.woken()
                        woken.cells += endLease(limit, isDurable: answer.isSuccess)
                        return woken
                    })
                attempts += 1
                if case .failure(let error) = answer, error.code != .outcomeUnknown || attempts == 3 {
                    throw ChannelError(error)
                }
            }
        }
    }

    private enum LeaseStep { case done, wait(WaitCell), append(EventSequence, UInt64) }

    /// In the weaker modes too: else a power cut would take the marks of repeats.
    func synced(_ receipt: AppendReceipt) -> Result<AppendReceipt, LogError> {
        guard configuration.durability != .commit else { return .success(receipt) }
        do throws(LogError) {
            try log.synchronize()
            return .success(receipt)
        } catch {
            return .failure(error)
        }
    }

    /// Under the ledger's lock: a lease record goes on its way. Numbers of events end before the format's do.
    func beginLease(atLeast end: EventSequence) -> EventSequence {
        ledger.leaseUnderWay = true
        let limit = max(end, ledger.state.group.cursor.advanced(by: configuration.leaseStep))
        return min(limit, EventSequence(FormatConstants.maximumNumber))
    }

    /// Under the ledger's lock: it came back. Returns who waited for it.
    func endLease(_ limit: EventSequence, isDurable: Bool) -> [WaitCell] {
        ledger.leaseUnderWay = false
        if isDurable { ledger.state.group.leaseLimit = max(limit, ledger.state.group.leaseLimit) }
        defer { ledger.leaseWaiting = [] }
        return ledger.leaseWaiting
    }
}

extension Result {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}
