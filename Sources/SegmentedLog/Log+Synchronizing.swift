internal import FileIO
internal import LogFormat

/// The weaker durabilities (`interval`, `none`): groups are acknowledged when they were written, and synced later.
///
/// What is *stated* in the log and in checkpoint slots is only what was synced, so recovery finds nothing missing that it
/// must take for damage. In the format's own order a sync comes before a snapshot is written (which covers what it
/// states), so before each roll, checkpoint and retirement; and at the end.
extension Log {
    /// Makes everything that was acknowledged so far durable. Returns at once where it is already: always under
    /// ``LogConfiguration/durability`` `commit`.
    ///
    /// Blocks for one `fdatasync` for each segment that was written since the last sync. Throws `readOnly` when a sync
    /// failed: then what was acknowledged since the last one is in doubt, and nothing more is written.
    public func synchronize() throws(LogError) {
        let wanted = lock.withLock { state.durable.lsn }
        try syncWritten(through: wanted)
    }

    /// As ``synchronize()``; used where the order of the format needs it.
    func syncWritten(through wanted: LSN? = nil) throws(LogError) {
        guard configuration.durability != .commit else { return }
        var failure: LogError?
        syncLock.withLock {
            let plan = lock.withLock { () -> (target: DurableThrough, segments: [ActiveSegment])? in
                // Another thread's sync, that this one has waited for, may have done it.
                if state.synced.lsn >= wanted ?? state.durable.lsn { return nil }
                if case .readOnly(let error) = state.phase { failure = error }
                return (state.durable, state.unsynced)
            }
            guard let plan, failure == nil else { return }
            #if PlantedBugs
                if PlantedBug.skipDeferredSync.isPlanted {
                    return lock.withLock { state.synced(through: plan.target) }
                }
            #endif
            do throws(FileError) {
                // In the order of the log: nothing of the newer one may be stated before all of the older one is there.
                for segment in plan.segments { try segment.file.synchronize() }
                lock.withLock { state.synced(through: plan.target) }
            } catch {
                // Never tried again: the next sync would succeed, whatever became of the bytes.
                let answers = lock.withLock { () -> [AppendTicket] in
                    let answers = state.stopWeak(error)
                    if case .readOnly(let stopped) = state.phase { failure = stopped }
                    return answers
                }
                tell(answers)
            }
        }
        if let failure {
            wakeClosers()
            throw failure
        }
    }

    /// A group was written; it is synced after the interval, together with whatever comes until then.
    func armSyncTimer() {
        runtime.schedule(after: configuration.syncIntervalNanoseconds) { [self] in
            let isOpen = lock.withLock { () -> Bool in
                syncTimerArmed = false
                if case .closed = state.phase { return false }
                backgroundCount += 1
                return true
            }
            guard isOpen else { return }
            var failure: LogError?
            do throws(LogError) { try syncWritten() } catch { failure = error }
            lock.withLock { backgroundFailures[.sync] = failure }
            let again = lock.withLock { () -> Bool in
                backgroundCount -= 1
                guard !syncTimerArmed, case .running = state.phase, state.synced.lsn < state.durable.lsn else {
                    return false
                }
                syncTimerArmed = true
                return true
            }
            if again { armSyncTimer() }
            wakeClosers()
        }
    }
}

extension LogState {
    /// Segments that hold what was acknowledged and not synced, oldest first.
    var unsynced: [ActiveSegment] {
        guard let active, active.number <= durable.lsn.segment else { return sealedUnsynced }
        return sealedUnsynced + [active]
    }

    mutating func synced(through target: DurableThrough) {
        guard target.lsn > synced.lsn else { return }
        synced = target
        statistics.syncs += 1
        // A sealed segment is done with when its seal is, too.
        sealedUnsynced.removeAll {
            $0.number < target.lsn.segment || ($0.number == target.lsn.segment && $0.cursor <= target.lsn.offset)
        }
    }
}
