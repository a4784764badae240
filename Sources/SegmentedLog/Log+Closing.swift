internal import FileIO
internal import LogFormat

extension Log {
    /// Ends the epoch cleanly: what was appended is finished, a checkpoint and a `close` frame are written, the lock is
    /// given up. Later calls throw `closed`. Closing twice does nothing.
    ///
    /// Blocks until the appends and the background work under way are done. The log is closed when this returns or
    /// throws; an error says only that the next opening will have more to do. But for `readOnly`: under a weaker durability a
    /// write or sync has failed, and what was acknowledged since the last sync may be lost in a power cut.
    public func close() throws(LogError) {
        guard
            lock.withLock({ () -> Bool in
                if state.isClosing { return false }
                state.isClosing = true
                return true
            })
        else { return }
        waitUntilQuiet()
        var failure: LogError?
        if lock.withLock({ if case .running = state.phase { true } else { false } }) {
            do throws(LogError) {
                // The checkpoint first, so that replay comes by the close frame and knows that nothing follows.
                try checkpoint()
                try appendClose()
                try syncWritten()
            } catch {
                failure = error
            }
            waitUntilQuiet()
        }
        let files = lock.withLock { () -> [any StorageFile] in
            // Under a weaker durability: whoever closes is told what nobody else is left to be told.
            if case .readOnly(let error) = state.phase, state.synced.lsn < state.durable.lsn {
                failure = failure ?? error
            }
            state.phase = .closed
            return [state.active, state.prepared, state.unnamed?.segment].compactMap { $0?.file }
        }
        for file in files {
            do throws(FileError) {
                try file.close()
            } catch {
                failure = failure ?? .file(error, "a segment of \(path) cannot be closed; its data was synced before")
            }
        }
        directory.close()
        if let failure { throw failure }
    }

    /// The close frame goes where there is room for it; it is not worth a new segment.
    private func appendClose() throws(LogError) {
        let ticket = AppendTicket([FramePayload.own(.close)], onlyIfItFits: true, completion: nil)
        lock.lock()
        guard let active = state.active, state.accepts(ticket, in: active) else { return lock.unlock() }
        state.pending.append(ticket)
        let work = nextWork()
        lock.unlock()
        _ = try wait(for: ticket, doing: work)
    }

    private func waitUntilQuiet() {
        while true {
            let cell = WaitCell()
            let quiet = lock.withLock { () -> Bool in
                if isQuiet { return true }
                closeWaiters.append(cell)
                return false
            }
            if quiet { return }
            _ = runtime.wait(for: cell)
        }
    }

    /// Under the lock: nothing waits, nothing is under way.
    private var isQuiet: Bool {
        guard state.pending.isEmpty, state.inFlight.isEmpty, backgroundCount == 0 else { return false }
        switch state.phase {
        case .running, .readOnly, .closed: return true
        case .latched, .reopening: return false
        }
    }

    func wakeClosers() { wake(lock.withLock { quietClosers() }) }

    /// Under the lock: who is to be told that nothing is under way any more.
    func quietClosers() -> [WaitCell] {
        guard !closeWaiters.isEmpty, isQuiet else { return [] }
        defer { closeWaiters = [] }
        return closeWaiters
    }

    func wake(_ closers: [WaitCell]) {
        for cell in closers { runtime.signal(cell, value: 1) }
    }

    // MARK: Idle

    /// After a while without appends a mark states what is durable, so that nothing of it can be mistaken for a torn tail.
    func armIdleTimer(_ activity: UInt64) {
        runtime.schedule(after: configuration.idleMarkDelay) { [self] in
            // Under a weaker durability nothing could be stated yet.
            try? syncWritten()
            let (marks, again) = lock.withLock { () -> (Bool, UInt64?) in
                idleTimerArmed = false
                guard state.isIdle else { return (false, nil) }
                if state.activity == activity { return (true, nil) }
                idleTimerArmed = true
                return (false, state.activity)
            }
            if marks { submit(AppendTicket([FramePayload.own(.mark)], onlyIfItFits: true) { _ in }) }
            if let again { armIdleTimer(again) }
        }
    }
}
