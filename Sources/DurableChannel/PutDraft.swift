internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// The inside of a ``PutTransaction``: the events encoded so far and the room claimed for them.
final class PutDraft: @unchecked Sendable {
    let channel: FileChannel
    private let id: UInt64
    private let stamp: ProducerStamp?
    /// What the drop record in the same append may take.
    private let dropBytes: Int
    private var bookmarks: [Bookmark] = []
    private var bookmarkBytes = 0
    /// A transaction is used by one thread at a time.
    private let events: Guarded<Events>
    private var droppedEvents = 0
    private var isFinished = false

    /// What a frame takes beside its payload, rounded up.
    private static let frameOverhead = 128
    /// Ranges of the drop record that may go with a put.
    private static let mostDropRanges = 256

    init(
        _ channel: FileChannel, _ id: UInt64, _ stamp: ProducerStamp?, claim: RoomClaim, reservingBytes: Int
    ) {
        events = Guarded(Events(encoder: PutEncoder(reservingBytes: reservingBytes), claim: claim))
        self.channel = channel
        self.id = id
        self.stamp = stamp
        let mayDrop = channel.configuration.whenFull == .dropOldest && channel.configuration.capacityEvents != nil
        dropBytes = mayDrop ? Self.frameOverhead + 16 * Self.mostDropRanges : 0
    }

    private struct Events {
        var encoder: PutEncoder
        var claim: RoomClaim
    }

    private(set) var encoder: PutEncoder {
        unsafeAddress { unsafe withUnsafePointer(to: &events.address.pointee.encoder) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &events.address.pointee.encoder) { unsafe $0 } }
    }

    private var claim: RoomClaim {
        unsafeAddress { unsafe withUnsafePointer(to: &events.address.pointee.claim) { unsafe $0 } }
        unsafeMutableAddress { unsafe withUnsafeMutablePointer(to: &events.address.pointee.claim) { unsafe $0 } }
    }

    private var ledger: PointerLedger { channel.ledger }
    private var maximumFrameBytes: Int { claim.mostBytes }

    // MARK: Appending

    func append(
        headers: [EventHeader], extensions: [EventExtension], body: RawSpan
    ) throws(ChannelError) -> AppendOutcome {
        if extensions.isEmpty, appendRepeat(headers, body) { return .accepted }
        let measure = Event.Measure(headers, extensions, bodyBytes: body.byteCount)
        let needed = try frameBytes(measure, body.byteCount)
        if claim.covers(needed, encoder.eventCount + 1) { return try encode(measure, headers, extensions, body) }
        var wait = RoomWait(channel)
        while let shortage = try claim.reach(needed, encoder.eventCount + 1) {
            // Nobody waits, and nothing is given up, for an event that can never be taken.
            try check(headers, extensions, body.byteCount)
            // What is about to go anyway comes first.
            if shortage == .bytes, wait.isFirst, channel.retirement.reclaim() { continue }
            if dropsForRoom(shortage), try channel.dropForRoom(looksAgain: wait.looksAgain) { continue }
            switch try noRoom(wait, needed) {
            case .dropped: return .dropped
            case .wait(let nanoseconds): wait.block(nanoseconds)
            }
        }
        return try encode(measure, headers, extensions, body)
    }

    /// As the blocking one, step by step. What waits for room waits without a thread: threads of the pool are for what
    /// makes room.
    func append(_ event: Event) async throws(ChannelError) -> AppendOutcome {
        if event.extensions.isEmpty, appendRepeat(event.headers, event.body.rawSpan) { return .accepted }
        let measure = Event.Measure(event.headers, event.extensions, bodyBytes: event.body.count)
        let needed = try frameBytes(measure, event.body.count)
        var wait = RoomWait(channel)
        while let shortage = try claim.reach(needed, encoder.eventCount + 1) {
            try check(event.headers, event.extensions, event.body.count)
            if shortage == .bytes, wait.isFirst, await channel.retirement.reclaim() { continue }
            if dropsForRoom(shortage) {
                // It writes.
                let (channel, looksAgain) = (channel, wait.looksAgain)
                if try await channel.pool.run({ () throws(ChannelError) in
                    try channel.dropForRoom(looksAgain: looksAgain)
                }) {
                    continue
                }
            }
            switch try noRoom(wait, needed) {
            case .dropped: return .dropped
            case .wait(let nanoseconds):
                // As when the time is over.
                if Task.isCancelled { throw channel.fullError(needed) }
                await wait.suspend(nanoseconds)
            }
        }
        return try encode(measure, event.headers, event.extensions, event.body.rawSpan)
    }

    /// The way that most events go: within what is claimed, with the headers of the one before. False, and nothing is changed, when
    /// it must be looked at closer.
    private func appendRepeat(_ headers: [EventHeader], _ body: RawSpan) -> Bool {
        precondition(!isFinished, "the transaction is over")
        guard !ledger.isClosed, encoder.eventCount < claim.events else { return false }
        let most = min(claim.bytes - otherFrameBytes, FormatConstants.maximumTransactionBytes)
        return encoder.appendRepeat(headers, body, upTo: most - otherBytes(with: bookmarkBytes))
    }

    /// What the transaction takes beside its events, at the most.
    private func otherBytes(with bookmarkBytes: Int) -> Int { bookmarkBytes + FormatConstants.alignment }

    /// What its frames take beside the transaction, at the most.
    private var otherFrameBytes: Int { Self.frameOverhead + dropBytes }

    /// Frame bytes of the transaction with one more event. Throws when it can never fit.
    private func frameBytes(_ measure: Event.Measure, _ bodyBytes: Int) throws(ChannelError) -> Int {
        precondition(!isFinished, "the transaction is over")
        if ledger.isClosed { throw .closed }
        let added = measure.bytes
        let raw = encoder.encodedBytes + added + otherBytes(with: bookmarkBytes)
        let needed = raw + otherFrameBytes
        guard raw <= FormatConstants.maximumTransactionBytes, needed <= maximumFrameBytes else {
            // An event that is too large by itself is told so.
            guard bodyBytes <= FormatConstants.maximumBodyBytes else {
                throw ChannelError(
                    .invalidEvent,
                    "a body of \(bodyBytes) bytes is longer than \(FormatConstants.maximumBodyBytes); split the event")
            }
            throw ChannelError(
                .transactionTooLarge,
                "with this event of \(added) bytes the transaction would take \(raw) bytes, and at most "
                    + "\(min(FormatConstants.maximumTransactionBytes, maximumFrameBytes - otherFrameBytes)) fit (64 MiB, "
                    + "or a quarter of the capacity); commit what it has first, or raise the capacity")
        }
        return needed
    }

    private func check(
        _ headers: [EventHeader], _ extensions: [EventExtension], _ bodyBytes: Int
    ) throws(ChannelError) {
        do throws(FormatError) {
            try PutEncoder.check(headers: headers, extensions: extensions, bodyBytes: bodyBytes)
        } catch {
            throw ChannelError(.invalidEvent, "the event is outside of the limits (\(error)); nothing of it was taken")
        }
    }

    private func encode(
        _ measure: Event.Measure, _ headers: [EventHeader], _ extensions: [EventExtension], _ body: RawSpan
    ) throws(ChannelError) -> AppendOutcome {
        do throws(FormatError) {
            try encoder.append(measure, headers, extensions, body)
            return .accepted
        } catch {
            throw ChannelError(.invalidEvent, "the event is outside of the limits (\(error)); nothing of it was taken")
        }
    }

    // MARK: Room

    private enum NoRoom { case dropped, wait(UInt64) }

    /// Where events are short, all that may be dropped counts as room already.
    private func dropsForRoom(_ shortage: RoomClaim.Shortage) -> Bool {
        shortage == .bytes && channel.configuration.whenFull == .dropOldest && channel.log.readOnlyError == nil
    }

    private func noRoom(_ wait: RoomWait, _ bytes: Int) throws(ChannelError) -> NoRoom {
        // What is taken already, and not given back yet, comes first.
        channel.retirement.check()
        if let error = channel.log.readOnlyError { throw ChannelError(error) }
        switch channel.configuration.whenFull {
        case .reject: break
        case .dropNewest:
            droppedEvents += 1
            ledger.lock.withLock { ledger.counters.droppedNewest += 1 }
            return .dropped
        case .dropOldest: if let left = wait.remaining(of: .seconds(1)) { return .wait(left) }
        case .block(let timeout): if let left = wait.remaining(of: timeout) { return .wait(left) }
        }
        ledger.lock.withLock { ledger.counters.refusedAppends += 1 }
        throw channel.fullError(bytes)
    }

    // MARK: Bookmarks

    func setBookmark(_ name: String, _ value: [UInt8]) throws(ChannelError) {
        let bookmark = try channel.checkedBookmark(name, value)
        let all = bookmarks.filter { $0.key != bookmark.key } + [bookmark]
        let bytes = all.reduce(0) { $0 + 6 + $1.name.utf8.count + $1.value.count }
        // Without events it needs no room of its own: such records go on in the reserve.
        if encoder.eventCount > 0 {
            let needed = encoder.encodedBytes + otherBytes(with: bytes) + Self.frameOverhead
            guard needed <= maximumFrameBytes, needed <= FormatConstants.maximumTransactionBytes else {
                throw ChannelError(
                    .transactionTooLarge,
                    "with this bookmark the transaction would take \(needed) bytes; commit what it has first")
            }
            guard try claim.reach(needed, encoder.eventCount) == nil else { throw channel.fullError(needed) }
        }
        bookmarks = all
        bookmarkBytes = bytes
    }

    // MARK: Ending

    func rollback() {
        guard !isFinished else { return }
        isFinished = true
        claim.release()
    }

    func commit() throws(ChannelError) -> PutReceipt {
        precondition(!isFinished, "the transaction is over")
        do throws(ChannelError) {
            if let repeated = try beginProducer() {
                rollback()
                return repeated
            }
        } catch {
            rollback()
            throw error
        }
        guard encoder.eventCount > 0 || !bookmarks.isEmpty else {
            endProducer()
            rollback()
            var receipt = PutReceipt.nothing
            receipt.droppedEvents = droppedEvents
            return receipt
        }
        isFinished = true
        defer { claim.release() }
        let commit: PutCommit
        do throws(ChannelError) {
            commit = try prepare()
        } catch {
            endProducer()
            throw error
        }
        return try write(commit)
    }

    /// Everything that is known of a commit before it is written.
    private struct PutCommit {
        var frames: [FramePayload]
        var raw: [UInt8]
        var eventCount: Int
        var bodyBytes: Int
        var ticket: UInt64
        /// The oldest, given up to keep the capacity in events.
        var drops: [SequenceRange]
    }

    private func prepare() throws(ChannelError) -> PutCommit {
        let count = encoder.eventCount
        let bodyBytes = encoder.bodyBytes
        var payload: FramePayload
        var raw: [UInt8] = []
        do throws(FormatError) {
            if count > 0 {
                raw = try encoder.finish(
                    id: id, producer: stamp?.id ?? .none, producerSequence: stamp?.sequence ?? 0, bookmarks: bookmarks)
                payload = try FramePayload(
                    type: .put, eventCount: UInt32(count), transactionCount: 1, raw: raw,
                    compression: channel.configuration.compression)
            } else {
                let transaction = Transaction(
                    id: id, producer: stamp?.id ?? .none, producerSequence: stamp?.sequence ?? 0, bookmarks: bookmarks)
                payload = try FramePayload(
                    type: .bookmark, transactionCount: 1, raw: try transaction.encode(for: .bookmark))
            }
        } catch {
            throw ChannelError(.transactionTooLarge, "the transaction is outside of the format's limits (\(error))")
        }
        let (ticket, drops) = try ledger.lock.withLock { () throws(ChannelError) in
            try ledger.checkOpen()
            try channel.reserveBookmarks(bookmarks)
            return (ledger.state.beginCommit(), dropsForCapacity(count))
        }
        var frames = [payload]
        // In the same group as the put that causes them, and behind it: a crash between the two drops nothing for nothing.
        if !drops.isEmpty { frames.append(.drop(.overflow, FileChannel.groupName, drops)) }
        return PutCommit(
            frames: frames, raw: raw, eventCount: count, bodyBytes: bodyBytes, ticket: ticket, drops: drops)
    }

    /// Under the ledger's lock.
    private func dropsForCapacity(_ count: Int) -> [SequenceRange] {
        let excess = channel.configuration.whenFull == .dropOldest ? ledger.state.excess(with: UInt64(count)) : 0
        ledger.state.committingEvents += UInt64(count)
        guard excess > 0 else { return [] }
        let drops = ledger.state.group.claimOldest(
            excess, in: SequenceRange(first: EventSequence(1), end: ledger.state.visible),
            mostRanges: min(Self.mostDropRanges, channel.limits.recordEntries))
        ledger.state.droppingEvents += drops.eventCount
        return drops
    }

    /// Under the ledger's lock: the commit has ended, this way or that.
    private func endCapacity(_ commit: PutCommit) {
        claim.releaseEvents()
        ledger.state.committingEvents -= UInt64(commit.eventCount)
        ledger.state.droppingEvents -= commit.drops.eventCount
    }

    private func write(_ commit: PutCommit) throws(ChannelError) -> PutReceipt {
        #if PlantedBugs
            if PlantedBug.setBookmarkBeforeEvents.isPlanted, commit.eventCount > 0, !bookmarks.isEmpty {
                _ = try? channel.log.append([.bookmarks(commit.ticket, FileChannel.groupName, bookmarks)])
            }
        #endif
        let answer: AppendReceipt
        do throws(LogError) {
            // The claim ends when the frames have their place.
            answer = try channel.log.append(commit.frames, releasing: claim.takeBytes())
        } catch {
            failed(commit, error)
            throw ChannelError(error)
        }
        var receipt = PutReceipt(sequences: answer.sequences, lsn: answer.lsn, checksum: commit.frames[0].checksum)
        let waiters = ledger.lock.withLock { () -> Woken in
            ledger.committed(
                receipt, raw: commit.raw, commitTime: answer.commitTime, bodyBytes: commit.bodyBytes)
            endCapacity(commit)
            ledger.state.bookmarks.release(bookmarks)
            ledger.state.bookmarks.apply(bookmarks, at: answer.lsn)
            for range in commit.drops { ledger.acknowledge(range, .dropped(.overflow)) }
            ledger.state.endCommit(commit.ticket, answer.durableThrough)
            var waiters = ledger.woken()
            if let stamp { waiters.cells += ledger.state.producers.finish(stamp, receipt, channel.limits) }
            return waiters
        }
        channel.wake(waiters)
        if !commit.drops.isEmpty { channel.retirement.checkIfUseful() }
        receipt.droppedEvents = droppedEvents
        return receipt
    }

    private func failed(_ commit: PutCommit, _ error: LogError) {
        let waiters = ledger.lock.withLock { () -> Woken in
            endCapacity(commit)
            ledger.state.bookmarks.release(bookmarks)
            ledger.state.group.unclaimOldest(commit.drops)
            ledger.state.endCommit(commit.ticket, nil)
            if error.code == .outcomeUnknown { ledger.counters.unknownOutcomes += 1 }
            return ledger.woken()
        }
        channel.wake(waiters)
        endProducer()
    }

    // MARK: Producers

    /// The first receipt when this transaction was committed before; waits for one that is under way.
    private func beginProducer() throws(ChannelError) -> PutReceipt? {
        guard let stamp else { return nil }
        while true {
            switch ledger.lock.withLock({ ledger.state.producers.begin(stamp) }) {
            case .proceed: return nil
            case .wait(let cell): _ = channel.runtime.wait(for: cell)
            case .repeated(let receipt):
                ledger.lock.withLock { ledger.counters.repeatedCommits += 1 }
                return receipt
            case .stale(let last):
                throw ChannelError(
                    .staleProducer,
                    "producer \(stamp.id) has committed sequence \(last), so \(stamp.sequence) was committed before or comes "
                        + "too late; its receipt is not kept any more; go on with a higher sequence")
            }
        }
    }

    /// The commit failed: the producer's entry is as it was.
    private func endProducer() {
        guard let stamp else { return }
        let cells = ledger.lock.withLock { ledger.state.producers.fail(stamp) }
        for cell in cells { channel.runtime.signal(cell, value: 1) }
    }
}
