internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// The inside of a ``TakeTransaction``: what it was given, and what its commit will say.
final class TakeDraft: @unchecked Sendable {
    let channel: FileChannel
    private(set) var events = TakenEvents()
    private var ranges: [SequenceRange] = []
    private var bookmarks: [Bookmark] = []
    private var deadLettered = SequenceSet()
    private var isFinished = false

    init(_ channel: FileChannel) { self.channel = channel }

    private var ledger: PointerLedger { channel.ledger }

    func begin(_ events: TakenEvents, _ ranges: [SequenceRange]) {
        self.events = events
        self.ranges = ranges
    }

    func setBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) {
        let bookmark = try channel.checkedBookmark(name, value)
        bookmarks.removeAll { $0.key == bookmark.key }
        bookmarks.append(bookmark)
    }

    func deadLetter(_ sequence: EventSequence) throws(ChannelError) {
        guard ranges.contains(where: { $0.contains(sequence) }) else {
            throw ChannelError(.notFound, "the take does not hold event \(sequence)")
        }
        var all = deadLettered
        all.insert(SequenceRange(first: sequence, end: sequence.advanced(by: 1)))
        // A crash between the two records of the commit leaves as many ranges to keep account of.
        guard all.ranges.count <= channel.limits.deadLetterRanges else {
            throw ChannelError(
                .tooManyTakes,
                "a take may have \(channel.limits.deadLetterRanges) runs of dead letters in this channel; commit smaller takes"
            )
        }
        deadLettered = all
    }

    // MARK: Ending

    /// It ends without having been given anything.
    func end() {
        guard !isFinished else { return }
        isFinished = true
        ledger.lock.withLock { ledger.openTakes -= 1 }
    }

    func rollback() {
        guard !isFinished else { return }
        end()
        guard !ranges.isEmpty else { return }
        // Given back and counted in one: whoever is given them next may decide them at once.
        let (woken, entries, ticket) = ledger.lock.withLock { () -> (Woken, [DeliveryCountRecord.Entry], UInt64) in
            ledger.state.group.giveBack(ranges)
            ledger.counters.rolledBackTakes += 1
            let entries = ledger.closing ? [] : countRollback()
            return (ledger.woken(), entries, entries.isEmpty ? 0 : ledger.state.beginCommit())
        }
        channel.wake(woken)
        guard !entries.isEmpty else { return }
        channel.log.submit([.deliveryCounts(FileChannel.groupName, entries)]) { [channel] answer in
            let woken = channel.ledger.lock.withLock { () -> Woken in
                channel.ledger.state.endCommit(ticket, try? answer.get().durableThrough)
                return channel.ledger.woken()
            }
            channel.wake(woken)
        }
    }

    /// Under the ledger's lock: counts the delivery of the events, in memory now and in the log soon; a count that a crash takes
    /// is no more than a poison event tried once more.
    private func countRollback() -> [DeliveryCountRecord.Entry] {
        let undecided = ranges.flatMap { ledger.state.group.undecided(in: $0) }
        return ledger.state.deliveryCounts.increment(
            undecided, keeping: channel.limits.deliveryCounts, atOnce: channel.limits.recordEntries)
    }

    func commit() throws(ChannelError) {
        precondition(!isFinished, "the transaction is over")
        guard !ranges.isEmpty || !bookmarks.isEmpty else { return end() }
        var commit: TakeCommit
        do throws(ChannelError) {
            commit = try prepare()
        } catch {
            rollback()
            throw error
        }
        end()
        #if PlantedBugs
            if PlantedBug.acknowledgeTakeBeforeSync.isPlanted {
                return channel.log.submit(commit.frames) { [self, commit] answer in
                    do throws(LogError) { committed(commit, try answer.get()) } catch { failed(commit, error) }
                }
            }
        #endif
        do throws(LogError) {
            let receipt = try append(&commit)
            committed(commit, receipt)
        } catch {
            failed(commit, error)
            throw ChannelError(error)
        }
        channel.retirement.checkIfUseful()
    }

    /// How long is waited for a reserve to come back, each time that none is there, in nanoseconds.
    private static let pauses: [UInt64] = [0, 1_000_000, 10_000_000, 50_000_000, 100_000_000]

    /// A full log has room for takes: two reserves in turn, and the one that is full goes when all its records are in a snapshot. A
    /// snapshot covers no more than what was durable when the oldest commit under way began: a thread that was held up between that
    /// and its append keeps the reserve itself, while others fill the second one. So where it is refused nothing is written, and
    /// it begins once more, from here.
    private func append(_ commit: inout TakeCommit) throws(LogError) -> AppendReceipt {
        for pause in Self.pauses {
            do throws(LogError) { return try channel.log.append(commit.frames) } catch {
                guard error.code == .full else { throw error }
            }
            let ticket = commit.ticket
            commit.ticket = ledger.lock.withLock {
                ledger.state.endCommit(ticket, nil)
                return ledger.state.beginCommit()
            }
            channel.log.retireWhatIsLeft()
            _ = channel.runtime.wait(for: WaitCell(), timeout: pause)
        }
        return try channel.log.append(commit.frames)
    }

    private struct TakeCommit {
        var frames: [FramePayload]
        var taken: [SequenceRange]
        var ticket: UInt64
        /// A lease that rides in the same append.
        var lease: EventSequence?
    }

    private func prepare() throws(ChannelError) -> TakeCommit {
        var taken = ranges
        if !deadLettered.isEmpty { taken = ranges.flatMap { deadLettered.missing(from: $0) } }
        let (id, ticket, lease) = try ledger.lock.withLock {
            () throws(ChannelError) -> (UInt64, UInt64, EventSequence?) in
            try ledger.checkOpen()
            try channel.reserveBookmarks(bookmarks)
            // Half used up: the next one rides along, so that takers seldom wait for a lease.
            let group = ledger.state.group
            let isLow =
                !ledger.leaseUnderWay
                && group.cursor.advanced(by: channel.configuration.leaseStep / 2) > group.leaseLimit
                && ledger.state.visible > group.leaseLimit
            return (
                ledger.nextTransactionID(), ledger.state.beginCommit(),
                isLow ? channel.beginLease(atLeast: group.leaseLimit) : nil
            )
        }
        let name = FileChannel.groupName
        var frames: [FramePayload] = []
        if !taken.isEmpty {
            frames.append(.takeCommit(id, name, taken, bookmarks))
        } else if !bookmarks.isEmpty {
            frames.append(.bookmarks(id, name, bookmarks))
        }
        let dead = deadLettered.ranges
        let most = channel.limits.recordEntries
        for start in stride(from: 0, to: dead.count, by: most) {
            let end = min(start + most, dead.count)
            frames.append(.drop(.deadLetter, name, Array(dead[start..<end])))
        }
        if let lease { frames.append(.lease(name, lease)) }
        return TakeCommit(frames: frames, taken: taken, ticket: ticket, lease: lease)
    }

    private func committed(_ commit: TakeCommit, _ receipt: AppendReceipt) {
        let isLeased = commit.lease != nil && channel.synced(receipt).isSuccess
        let woken = ledger.lock.withLock { () -> Woken in
            for range in commit.taken { ledger.acknowledge(range, .taken) }
            for range in deadLettered.ranges { ledger.acknowledge(range, .dropped(.deadLetter)) }
            ledger.state.bookmarks.release(bookmarks)
            ledger.state.bookmarks.apply(bookmarks, at: receipt.lsn)
            ledger.counters.takeTransactions += 1
            ledger.state.endCommit(commit.ticket, receipt.durableThrough)
            var woken = ledger.woken()
            if let lease = commit.lease { woken.cells += channel.endLease(lease, isDurable: isLeased) }
            return woken
        }
        channel.wake(woken)
    }

    private func failed(_ commit: TakeCommit, _ error: LogError) {
        let woken = ledger.lock.withLock { () -> Woken in
            ledger.state.bookmarks.release(bookmarks)
            ledger.state.endCommit(commit.ticket, nil)
            if error.code == .outcomeUnknown { ledger.counters.unknownOutcomes += 1 }
            var woken = Woken()
            if let lease = commit.lease { woken.cells += channel.endLease(lease, isDurable: false) }
            // Nothing can be made durable any more: they stay in flight until the channel is opened again.
            if error.code != .readOnly {
                ledger.state.group.giveBack(ranges)
                ledger.counters.rolledBackTakes += 1
            }
            let more = ledger.woken()
            woken.cells += more.cells
            woken.waiters += more.waiters
            return woken
        }
        channel.wake(woken)
    }
}

extension FileChannel {
    /// A bookmark within the format's limits.
    func checkedBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) -> Bookmark {
        let bookmark = Bookmark(name: name, value: value)
        do throws(FormatError) { _ = try bookmark.encode() } catch {
            throw ChannelError(
                .invalidBookmark,
                "the bookmark '\(name)' is outside of the limits (name 1 to 255 bytes, value up to 65536): \(error)")
        }
        return bookmark
    }

    /// Under the ledger's lock: room for bookmarks of a commit.
    func reserveBookmarks(_ bookmarks: [Bookmark]) throws(ChannelError) {
        guard ledger.state.bookmarks.reserve(bookmarks, limits) else {
            throw ChannelError(
                .invalidBookmark,
                "with these bookmarks all of them would take more than \(limits.bookmarkBytes) bytes, or be more than "
                    + "\(limits.bookmarks); use fewer names, shorter values, or a larger snapshotLimitBytes")
        }
    }
}
