internal import FileIO
public import LogFormat

extension Log {
    /// Lets segments go whose every event is acknowledged, dropped or lost for every reader, durably: the caller's word
    /// for that. The active segment, and one that is not listed by ``segments``, are skipped.
    ///
    /// Order, each step durable before the next begins:
    /// 1. a snapshot that covers every record in them and does not list them, in the log;
    /// 2. the same in a checkpoint slot (two places, so that no single damage brings them back into demand);
    /// 3. their names: recycled, returned to the reserve, or removed; then the directory.
    ///
    /// Blocks for three or four syncs. Throws `fileOperation`, `full`, ... when a step failed: then the segments stay.
    public func retire(_ numbers: [SegmentNumber]) throws(LogError) {
        let cell = WaitCell()
        let box = ErrorBox()
        retire(numbers) { error in
            box.error = error
            self.runtime.signal(cell, value: 1)
        }
        _ = runtime.wait(for: cell)
        if let error = box.error { throw error }
    }

    /// As ``retire(_:)-(Array)``, without blocking. `completion` gets nil when all three steps are done.
    public func retire(_ numbers: [SegmentNumber], completion: @escaping @Sendable (LogError?) -> Void) {
        let client = clientSource?()
        let plan = lock.withLock { planRetirement(numbers, client) }
        guard let snapshot = plan.snapshot else { return completion(plan.failure) }
        let chosen = plan.chosen
        if chosen.isEmpty {
            // Only what an earlier attempt left behind: the log lets it go already.
            let durable = plan.durable
            return runtime.schedule(after: 0) { [self] in finishRetirement(chosen, snapshot, durable, completion) }
        }
        let frame = FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot.encode() }
        submit(
            AppendTicket([frame], retires: chosen) { [self] result in
                switch result {
                case .failure(let error): endRetirement(chosen, error, completion)
                case .success(let receipt):
                    runtime.schedule(after: 0) { [self] in
                        finishRetirement(chosen, snapshot, receipt.durableThrough, completion)
                    }
                }
            })
    }

    private struct RetirementPlan {
        var chosen: Set<SegmentNumber> = []
        var durable = DurableThrough.nothing
        /// nil when there is nothing to do.
        var snapshot: Snapshot?
        var failure: LogError?
    }

    /// Under the lock.
    private func planRetirement(_ numbers: [SegmentNumber], _ client: ClientCheckpoint?) -> RetirementPlan {
        let client = state.furthest(client ?? ClientCheckpoint(through: state.durable, bytes: []))
        let chosen = Set(numbers.filter { mayRetire($0, covered: client.through.lsn) })
        guard !chosen.isEmpty || !state.leaving.isEmpty else { return RetirementPlan() }
        if let error = snapshotError(client) { return RetirementPlan(failure: error) }
        state.retiring.formUnion(chosen)
        state.retirementsUnderWay += 1
        backgroundCount += 1
        return RetirementPlan(
            chosen: chosen, durable: state.durable, snapshot: state.snapshot(client, excluding: state.retiring))
    }

    /// Under the lock.
    private func mayRetire(_ number: SegmentNumber, covered: LSN) -> Bool {
        guard let entry = state.table.entry(number), entry.endOffset != 0, number != state.active?.number,
            !state.retiring.contains(number)
        else { return false }
        return LSN(segment: number, offset: entry.endOffset) <= covered
    }

    private func finishRetirement(
        _ chosen: Set<SegmentNumber>, _ snapshot: Snapshot, _ durable: DurableThrough,
        _ completion: @escaping @Sendable (LogError?) -> Void
    ) {
        do throws(LogError) {
            try writeCheckpoint(snapshot, durable: durable)
        } catch {
            return endRetirement(chosen, error, completion)
        }
        // Two durable places say that they are gone, and so are those that an earlier, failed attempt left behind.
        let live = Set(snapshot.segments.map(\.number))
        let entries = lock.withLock { () -> [SegmentEntry] in
            let entries = state.leaving.filter { !live.contains($0.number) }
            state.leaving.removeAll { !live.contains($0.number) }
            return entries
        }
        SegmentRemoval(self, entries, mayRecycle: true) { [self] error in
            lock.withLock {
                state.retiring.subtract(chosen)
                state.retirementsUnderWay -= 1
            }
            completion(error)
        }.start()
    }

    private func endRetirement(
        _ chosen: Set<SegmentNumber>, _ error: LogError, _ completion: @escaping @Sendable (LogError?) -> Void
    ) {
        lock.withLock {
            state.retiring.subtract(chosen)
            state.retirementsUnderWay -= 1
            backgroundCount -= 1
            lastBackgroundError = error
        }
        completion(error)
        schedulePump()
        wakeClosers()
    }
}

/// Carries an answer from a completion to the thread that waits for it.
private final class ErrorBox: @unchecked Sendable {
    var error: LogError?
}
