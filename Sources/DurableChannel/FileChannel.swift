public import FileIO
internal import LogFormat
public import SegmentedLog

/// A durable, transactional channel in one directory: events in, in transactions; events out, in commit order, each until the
/// commit of its take is durable.
///
/// ```swift
/// let channel = try FileChannel.open(at: "/var/lib/sluice/web")
/// var put = try channel.beginPut()
/// try put.append(Event(headers: ["host": "web-1"], body: "a line"))
/// try put.commit()                       // after the sync
/// var take = try channel.beginTake(maxEvents: 100, waitingUpTo: .seconds(1))
/// for event in take.events { deliver(event.body) }
/// try take.commit()                      // dropped without commit: rolled back
/// try channel.close()
/// ```
///
/// Thread rules: every method may be called from any thread, and any number of put and take transactions may be open at once;
/// one transaction belongs to one thread at a time. Blocking calls block on the disk and on room or events where they say so;
/// each has an `async` twin that blocks no thread of Swift concurrency.
///
/// Memory: the tail cache, one window of the reader, and the frames in which the events of open takes stand (see
/// ``beginTake(maxEvents:maxBytes:waitingUpTo:group:order:)-(_,_,_,_,_)``). Nothing grows with the backlog.
public final class FileChannel: @unchecked Sendable {
    public let path: String
    public let configuration: ChannelConfiguration
    /// What opening found and did.
    public let recoveryReport: RecoveryReport
    /// What became of every sequence, as it stood at opening.
    public let lossReport: LossReport

    package let log: Log
    let ledger: PointerLedger
    let runtime: any Runtime
    let limits: ChannelLimits
    let retirement: Retirement
    let pool = BlockingPool()
    /// The runtime is the channel's own and ends with it.
    private let ownedRuntime: SystemRuntime?

    /// Whose turn it is to find events for a take; guards `store`.
    let taking = Turn()
    /// Whose turn it is to give up old events for room.
    let dropping = Turn()
    let store: FrameStore

    static let groupName = "default"
    /// What the disk did not give is asked for again after so long.
    static let retryNanoseconds: UInt64 = 5_000_000_000

    private init(
        _ log: Log, _ ledger: PointerLedger, _ runtime: any Runtime, _ configuration: ChannelConfiguration,
        report: RecoveryReport, loss: LossReport, ownedRuntime: SystemRuntime?
    ) {
        self.log = log
        self.ledger = ledger
        self.runtime = runtime
        self.configuration = configuration
        self.ownedRuntime = ownedRuntime
        path = log.path
        limits = ledger.state.limits
        recoveryReport = report
        lossReport = loss
        retirement = Retirement(log, ledger, runtime)
        store = FrameStore(log, ledger, recentBytes: max(configuration.tailCacheBytes, 1 << 20))
    }

    // MARK: Opening

    /// Opens the channel in a directory, or makes a new one there, and recovers what a crash left.
    ///
    /// On return everything that can be taken is durable. The time and memory that it needs do not grow with the number of
    /// events that are held. Blocks; reads from the last checkpoint to the end of the log.
    ///
    /// - Parameters:
    ///   - path: the directory, made with its parents (0700) when it is not there. It holds nothing but the channel.
    ///   - fileSystem: the seam to the disk; another one in tests.
    ///   - runtime: clock, randomness, waiting, background work. nil: the system's, for this channel alone; several channels
    ///     that share one share its background thread.
    /// - Throws: `configuration`, `notAChannel`, `inUse`, `newerVersion`, `damaged` (under `strict`, or when no identity is
    ///   left), `full` (no room for what the opening must write), `fileOperation`.
    public static func open(
        at path: String, configuration: ChannelConfiguration = ChannelConfiguration(),
        fileSystem: any FileSystem = LinuxFileSystem(), runtime: (any Runtime)? = nil
    ) throws(ChannelError) -> FileChannel {
        let owned = runtime == nil ? SystemRuntime() : nil
        let runtime: any Runtime = runtime ?? owned!
        do throws(ChannelError) {
            return try open(path, configuration, fileSystem, runtime, owned)
        } catch {
            owned?.shutdown()
            throw error
        }
    }

    private static func open(
        _ path: String, _ configuration: ChannelConfiguration, _ fileSystem: any FileSystem, _ runtime: any Runtime,
        _ owned: SystemRuntime?
    ) throws(ChannelError) -> FileChannel {
        let recorded = LogSettings.read(at: path, fileSystem: fileSystem)
        let isUnknown = recorded == nil && configuration.capacityBytes == nil
        let estimate = isUnknown ? LogSettings.estimated(at: path, fileSystem: fileSystem) : nil
        var remarks: [String] = []
        if let estimate {
            remarks.append(
                "the capacity of the last opening is not known (\(path)/settings is missing or damaged); "
                    + "\(estimate.capacityBytes) bytes are taken from what is there; name the capacity to set it again")
        }
        let configuration = configuration.resolved(recorded ?? estimate)
        let logConfiguration = try configuration.logConfiguration()
        // Replay needs no limits but the format's; the channel's own depend on the log that is opened.
        let ledger = PointerLedger(
            ChannelState(groupName: groupName, limits: .ofFormat),
            cacheBytes: configuration.tailCacheBytes)
        var failure: ChannelError?
        let opened = Result { () throws(LogError) in
            try Log.open(
                at: path, fileSystem: fileSystem, runtime: runtime, configuration: logConfiguration,
                clientState: { ledger.checkpoint() },
                restored: { (checkpoint) throws(LogError) in
                    try refuse(&failure) { () throws(ChannelError) in
                        try ledger.restore(checkpoint)
                    }
                },
                replay: { (frame) throws(LogError) in
                    try refuse(&failure) { () throws(ChannelError) in
                        try ledger.lock.withLock { () throws(ChannelError) in
                            if let remark = try ledger.state.replay(frame) { remarks.append(remark) }
                            ledger.state.replayed(frame)
                        }
                    }
                })
        }
        if let failure { throw failure }
        let log = try channelCall { () throws(LogError) in try opened.get() }
        var report = log.recoveryReport
        ledger.begin(log, report, configuration.capacityEvents)
        guard ledger.lock.withLock({ ledger.state.bookmarks.fits(ledger.state.limits) }) else {
            try? log.close()
            throw ChannelError(
                .configuration,
                "the bookmarks of \(path) take more than a snapshot of \(log.configuration.snapshotLimitBytes ?? 0) bytes leaves for "
                    + "them; raise snapshotLimitBytes to what it was")
        }
        // A lease may have stood in what is gone, and in what cannot be read at present, too.
        let mayLackLease = !report.losses.isEmpty || !report.unreadable.isEmpty
        if mayLackLease, let remark = markEverything(log, ledger) { report.remarks.append(remark) }
        report.remarks += remarks
        // An estimate is not written down: it would pass for what somebody wanted.
        if estimate == nil {
            do throws(LogError) { try log.recordSettings() } catch { report.remarks.append("\(error)") }
        }
        if ledger.state.group.hasForgedCounts {
            report.remarks.append(
                "the counts of taken, dropped and lost events did not agree with the sequences, and were set from them")
        }
        let loss = ledger.lock.withLock {
            LossReport(report, lost: ledger.lostAtOpening, ledger.state.group, tail: ledger.state.visible)
        }
        do throws(LogError) { try keep(report, loss, in: log) } catch { report.remarks.append("\(error)") }
        let channel = FileChannel(
            log, ledger, runtime, configuration, report: report, loss: loss, ownedRuntime: owned)
        channel.retirement.start()
        return channel
    }

    /// As the blocking ``open(at:configuration:fileSystem:runtime:)-(_,_,_,_)``, without blocking a thread of Swift concurrency.
    public static func open(
        at path: String, configuration: ChannelConfiguration = ChannelConfiguration(),
        fileSystem: any FileSystem = LinuxFileSystem(), runtime: (any Runtime)? = nil
    ) async throws(ChannelError) -> FileChannel {
        let pool = BlockingPool()
        defer { pool.end() }
        return try await pool.run { () throws(ChannelError) in
            try open(at: path, configuration: configuration, fileSystem: fileSystem, runtime: runtime)
        }
    }

    /// Returns what a person should know when it cannot be made durable; that must not keep the channel from opening.
    private static func markEverything(_ log: Log, _ ledger: PointerLedger) -> String? {
        let limit = ledger.lock.withLock { () -> EventSequence in
            ledger.state.group.markEverything(below: ledger.state.visible)
            return ledger.state.group.leaseLimit
        }
        // Durably: the next opening may not see the damage any more.
        do throws(LogError) {
            _ = try log.append([.lease(groupName, limit)])
            return nil
        } catch {
            return "the lease that damage may have taken cannot be written anew: \(error)"
        }
    }

    /// On disk, for whoever asks later. Only what a person may miss is worth a sync.
    static func keep(_ report: RecoveryReport, _ loss: LossReport, in log: Log) throws(LogError) {
        var most = 256
        var bytes: [UInt8]
        repeat {
            let json = JSON.object([
                ("version", .whole(1)), ("recovery", report.json(listing: most)), ("loss", loss.json(listing: most)),
            ])
            bytes = json.bytes + "\n".utf8
            most /= 2
        } while bytes.count > log.reportLimitBytes && most > 0
        try log.keepReport(bytes, isDurable: !report.losses.isEmpty || !report.unreadable.isEmpty)
    }

    /// Passes a refusal through the log, which knows its own errors only.
    private static func refuse(
        _ failure: inout ChannelError?, _ body: () throws(ChannelError) -> Void
    ) throws(LogError) {
        do throws(ChannelError) { try body() } catch {
            failure = error
            throw LogError(.damaged, error.message, lsn: error.lsn)
        }
    }

    // MARK: Looking

    /// The durable value of a bookmark; nil when there is none under that name.
    public func bookmark(_ name: String) -> [UInt8]? {
        ledger.lock.withLock { ledger.state.bookmarks.value(name) }
    }

    // MARK: Keeping

    /// Sets a bookmark in a commit of its own, without events; durable on return. Blocks for one synced write.
    public func setBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) {
        var put = try beginPut()
        try put.setBookmark(name, value)
        _ = try put.commit()
    }

    /// Writes a checkpoint now. It saves time at the next opening and nothing else. Blocks for one write and one sync; commits
    /// go on meanwhile. Throws `fileOperation` or `readOnly` after a failed write, until the channel goes on.
    public func checkpoint() throws(ChannelError) {
        try checkOpen()
        try channelCall { () throws(LogError) in try log.checkpoint() }
    }

    /// Makes everything that was committed so far durable. With durability `commit` it is already.
    public func synchronize() throws(ChannelError) {
        try checkOpen()
        try channelCall { () throws(LogError) in try log.synchronize() }
    }

    /// Changes the capacity in bytes, live. Less than what is held: puts wait, or are refused, until takes have made room.
    /// The size of segments stays. Noted in the directory, for openings that do not say. Throws `configuration`, with nothing changed, when the channel cannot work so small.
    public func resize(capacityBytes: UInt64) throws(ChannelError) {
        try checkOpen()
        try channelCall { () throws(LogError) in try log.setCapacity(capacityBytes) }
        wakePutters()
        try channelCall { () throws(LogError) in try log.recordSettings() }
    }

    /// Changes the capacity in events, live; nil for no limit.
    public func resize(capacityEvents: UInt64?) throws(ChannelError) {
        try checkOpen()
        guard capacityEvents != 0 else {
            throw ChannelError(.configuration, "capacityEvents is 0; it must be at least 1, or nil for no limit")
        }
        ledger.lock.withLock { ledger.state.capacityEvents = capacityEvents }
        wakePutters()
    }

    private func checkOpen() throws(ChannelError) {
        try ledger.lock.withLock { () throws(ChannelError) in try ledger.checkOpen() }
    }

    // MARK: Closing

    /// Ends the channel cleanly: commits under way are finished, open takes are rolled back, the lease is lowered to
    /// what was really handed out, and the log is closed with a checkpoint. Transactions that are still open throw
    /// `closed` from then on, and so does everything else. A channel is closed once: whoever closes it again, or
    /// meanwhile, waits for that end, and is told the same.
    ///
    /// Blocks until what is under way is done. The channel is closed when this returns or throws, its files and its
    /// lock included; an error says only that the next opening will have more to do. But for `readOnly`: under a weaker
    /// durability a write or sync has failed, and what was acknowledged since the last sync may be lost in a power cut.
    public func close() throws(ChannelError) {
        let cell = WaitCell()
        let (waiters, isFirst) = ledger.lock.withLock { () -> ([Waiter], Bool) in
            if ledger.closing {
                if ledger.end == nil { ledger.endWaiting.append(cell) } else { cell.signal(1) }
                return ([], false)
            }
            ledger.closing = true
            defer { (ledger.waiting.takers, ledger.waiting.putters) = ([], []) }
            return (ledger.waiting.takers + ledger.waiting.putters, true)
        }
        if isFirst {
            for waiter in waiters { waiter.wake() }
            let end = Result { () throws(ChannelError) in try endOnce() }
            let waiting = ledger.lock.withLock { () -> [WaitCell] in
                ledger.end = end
                defer { ledger.endWaiting = [] }
                return ledger.endWaiting
            }
            for cell in waiting { runtime.signal(cell, value: 1) }
        } else {
            _ = runtime.wait(for: cell)
        }
        try ledger.lock.withLock { ledger.end }?.get()
    }

    private func endOnce() throws(ChannelError) {
        // Who is finding events has its turn first.
        taking.take(runtime)
        store.forget()
        taking.give(runtime)
        waitForCommits()
        retirement.stop()
        lowerLease()
        defer {
            pool.end()
            ownedRuntime?.shutdown()
        }
        try channelCall { () throws(LogError) in try log.close() }
    }

    /// As the blocking ``close()-(_)``.
    public func close() async throws(ChannelError) {
        let pool = BlockingPool()
        defer { pool.end() }
        try await pool.run { [self] () throws(ChannelError) in try close() }
    }

    private func waitForCommits() {
        while true {
            let cell = WaitCell()
            let isQuiet = ledger.lock.withLock { () -> Bool in
                if ledger.state.isQuiet { return true }
                ledger.waiting.closers.append(cell)
                return false
            }
            if isQuiet { return }
            _ = runtime.wait(for: cell)
        }
    }

    /// Without it every event up to the lease would carry the mark at the next opening. It saves marks, nothing else: failing
    /// costs nothing.
    private func lowerLease() {
        let limit = ledger.lock.withLock { () -> EventSequence? in
            let group = ledger.state.group
            guard group.closingLease < group.leaseLimit else { return nil }
            ledger.state.group.leaseLimit = group.closingLease
            return group.closingLease
        }
        guard let limit else { return }
        _ = try? log.append([.lease(Self.groupName, limit)])
    }
}

extension PointerLedger {
    /// The end of an opening.
    func begin(_ log: Log, _ report: RecoveryReport, _ capacityEvents: UInt64?) {
        lock.withLock {
            self.log = log
            beginTransactions(of: log.epoch.rawValue)
            // Those that were recorded during the opening came behind what was replayed; the others count nothing twice.
            for loss in report.losses where loss.firstSequence < loss.endSequence {
                let range = SequenceRange(first: loss.firstSequence, end: loss.endSequence)
                for part in state.group.undecided(in: range) { lostAtOpening.insert(part) }
                state.acknowledge(range, .lost)
            }
            state.beginLife(
                log.durableThrough,
                limits: ChannelLimits(
                    stateBytes: log.clientStateLimitBytes, recordBytes: log.maximumReserveAppendBytes))
            state.capacityEvents = capacityEvents
        }
    }
}
