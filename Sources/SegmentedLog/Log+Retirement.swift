internal import FileIO
public import LogFormat

extension Log {
    /// Lets segments go whose every event is acknowledged, dropped or lost for every reader, durably: the caller's word
    /// for that. The active segment, and one that is not listed by ``segments``, are skipped.
    ///
    /// Order, each step durable before the next begins:
    /// 1. a snapshot that covers every record in them and does not list them, in the log;
    /// 2. the same, or a later one, in a checkpoint slot (two places, so that no single damage brings them back into demand);
    /// 3. their names: recycled, returned to the reserve, or removed; then the directory.
    ///
    /// Blocks for three or four syncs. Throws `fileOperation`, `full`, ... when a step failed: then the files stay, until a later
    /// retirement.
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
        guard configuration.durability != .commit else { return beginRetirement(numbers, completion) }
        // A sync comes first.
        runtime.schedule(after: 0) { [self] in beginRetirement(numbers, completion) }
    }

    private static let retirementBackOff: UInt64 = 100_000_000

    /// Segments without events, as was decided when a group had ended.
    func retireUnneeded(_ numbers: [SegmentNumber]) {
        guard configuration.durability != .commit else { return beginRetirement(numbers, wasToCome: true) { _ in } }
        runtime.schedule(after: 0) { [self] in beginRetirement(numbers, wasToCome: true) { _ in } }
    }

    /// The client may not have come to the end of that group yet, and its state not cover them: then nothing else would come to
    /// them before the next roll. A few times, and each time later.
    private func retryUnneeded(_ attempt: Int = 0) {
        let delays: [UInt64] = [0, 1_000_000, 10_000_000, 100_000_000]
        guard attempt < delays.count else { return }
        runtime.schedule(after: delays[attempt]) { [self] in
            let unneeded = lock.withLock { state.isClosing ? [] : state.retirableWithoutLeave() }
            guard !unneeded.isEmpty, let client = try? syncedClient() else { return }
            guard lock.withLock({ unneeded.contains { mayRetire($0, covered: client.through.lsn) } }) else {
                return retryUnneeded(attempt + 1)
            }
            retire(unneeded) { _ in }
        }
    }

    private func beginRetirement(
        _ numbers: [SegmentNumber], wasToCome: Bool = false, _ completion: @escaping @Sendable (LogError?) -> Void
    ) {
        let client: ClientCheckpoint
        do throws(LogError) {
            client = try syncedClient()
        } catch {
            if wasToCome { lock.withLock { state.retirementsToCome -= 1 } }
            completion(error)
            // Who waits for a reserve that it was to bring back waits no longer.
            if wasToCome { schedulePump() }
            return
        }
        let plan = lock.withLock { () -> RetirementPlan in
            if wasToCome { state.retirementsToCome -= 1 }
            return planRetirement(numbers, client)
        }
        guard let snapshot = plan.snapshot else {
            if wasToCome, plan.failure == nil { retryUnneeded() }
            completion(plan.failure)
            if wasToCome { schedulePump() }
            return
        }
        let chosen = plan.chosen
        #if PlantedBugs
            if PlantedBug.unlinkBeforePosition.isPlanted {
                for number in chosen { try? directory.unlink(FileNames.segment(number)) }
                try? directory.synchronize()
            }
        #endif
        if chosen.isEmpty {
            // Only what an earlier attempt left behind: the log lets it go already.
            return runtime.schedule(after: 0) { [self] in finishRetirement(chosen, snapshot, client, completion) }
        }
        #if PlantedBugs
            if PlantedBug.retireOnOneSnapshot.isPlanted || PlantedBug.skipCheckpointSync.isPlanted {
                lock.withLock {
                    state.leaving += state.table.entries.filter { chosen.contains($0.number) }
                    state.table.remove(chosen)
                }
                return runtime.schedule(after: 0) { [self] in finishRetirement(chosen, snapshot, client, completion) }
            }
        #endif
        let frame = FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot.encode() }
        submit(
            AppendTicket([frame], retires: chosen) { [self] result in
                switch result {
                case .failure(let error): endRetirement(chosen, error, completion)
                case .success:
                    runtime.schedule(after: 0) { [self] in finishRetirement(chosen, snapshot, client, completion) }
                }
            })
    }

    private struct RetirementPlan {
        var chosen: Set<SegmentNumber> = []
        /// nil when there is nothing to do.
        var snapshot: Snapshot?
        var failure: LogError?
    }

    /// Under the lock.
    private func planRetirement(_ numbers: [SegmentNumber], _ client: ClientCheckpoint) -> RetirementPlan {
        if let error = retirementObstacle { return RetirementPlan(failure: error) }
        let client = state.furthest(client)
        let chosen = Set(numbers.filter { mayRetire($0, covered: client.through.lsn) })
        guard !chosen.isEmpty || !state.leaving.isEmpty else { return RetirementPlan() }
        if let error = snapshotError(client) { return RetirementPlan(failure: error) }
        state.keepFurthest(client)
        state.retiring.formUnion(chosen)
        state.retirementsUnderWay += 1
        backgroundCount += 1
        return RetirementPlan(
            chosen: chosen, snapshot: state.snapshot(client, excluding: state.retiring))
    }

    /// Under the lock. Between a failed write and the epoch that follows it no segment is active, and each that is listed
    /// might be let go: a snapshot that lists none says nothing, and where it would go is not there yet.
    private var retirementObstacle: LogError? {
        if let error = snapshotObstacle { return error }
        switch state.phase {
        case .running where state.active != nil: return nil
        case .closed: return LogError(.closed, "the log is closed")
        case .running, .latched, .reopening, .readOnly: return betweenEpochs
        }
    }

    /// Under the lock.
    private func mayRetire(_ number: SegmentNumber, covered: LSN) -> Bool {
        guard let entry = state.table.entry(number), entry.endOffset != 0, number != state.active?.number,
            !state.retiring.contains(number)
        else { return false }
        return LSN(segment: number, offset: entry.endOffset) <= covered
    }

    private func finishRetirement(
        _ chosen: Set<SegmentNumber>, _ snapshot: Snapshot, _ client: ClientCheckpoint,
        _ completion: @escaping @Sendable (LogError?) -> Void
    ) {
        // Of another retirement, whose snapshot is not durable yet, the slot may list what the one in the log does not, or the other
        // way round: what either lists, stays.
        var live = Set(snapshot.segments.map(\.number))
        do throws(LogError) {
            // The snapshot in the log first: it is one of the two places.
            try syncWritten()
            live.formUnion(try writeCheckpoint(client))
        } catch {
            return endRetirement(chosen, error, completion)
        }
        // Two durable places say that they are gone, and so are those that an earlier, failed attempt left behind.
        let entries = lock.withLock { () -> [SegmentEntry] in
            let entries = state.leaving.filter { !live.contains($0.number) }
            state.leaving.removeAll { !live.contains($0.number) }
            return entries
        }
        SegmentRemoval(self, entries, .retired) { [self] error in
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
        let now = runtime.monotonicClock()
        lock.withLock {
            state.retiring.subtract(chosen)
            state.retirementsUnderWay -= 1
            state.retirementRetryAt = now + Self.retirementBackOff
            backgroundCount -= 1
            backgroundFailures[.retirement] = error
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
