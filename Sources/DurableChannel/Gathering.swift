internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// One search for the events of a take: claims runs of sequences, finds their frames, and steps over what is lost or cannot be
/// read. Under the channel's turn for taking.
struct Gathering {
    private let channel: FileChannel
    private let maxEvents: Int
    private let maxBytes: Int
    private var bytes = 0
    private(set) var found = SequenceSet()
    var events = TakenEvents()
    /// Parts of claims by where they came from, so that all can be put back.
    private var claims: [(range: SequenceRange, isReturned: Bool)] = []

    /// A take has at most so many ranges, so that its record stays small.
    private static let mostAtOnce = 4_096
    private static let maximumRanges = FormatConstants.maximumRangesInTransaction

    init(_ channel: FileChannel, maxEvents: Int, maxBytes: Int) {
        self.channel = channel
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }

    private var ledger: PointerLedger { channel.ledger }
    var ranges: [SequenceRange] { found.ranges }
    private var isFull: Bool {
        events.count >= maxEvents || found.ranges.count >= Self.maximumRanges
            // One event is handed out whatever its size.
            || (bytes >= maxBytes && !events.isEmpty)
    }

    mutating func run() throws(ChannelError) {
        while !isFull {
            // Not the whole backlog at once, however many are asked for: what is claimed nobody else may have, or drop.
            let wanted = UInt64(min(maxEvents - events.count, Self.mostAtOnce))
            let claimed = try ledger.lock.withLock { () throws(ChannelError) -> Claim? in
                try ledger.checkOpen()
                retryUnreadable()
                guard ledger.state.group.openRuns < channel.limits.openRuns || ledger.openTakes == 1 else {
                    throw ChannelError(
                        .tooManyTakes,
                        "the open takes leave \(ledger.state.group.openRuns) ranges between them, as many as this channel keeps "
                            + "account of; commit or roll back some")
                }
                guard let claim = ledger.state.group.claim(wanted, below: ledger.state.visible) else { return nil }
                // What was rolled back had been handed out, under a lease; what only came back from an unreadable place may
                // be above it. A lease that is raised later does not mark what it was raised for.
                let marked = claim.isReturned ? ledger.state.group.leaseLimit : ledger.state.group.markedBelow
                return Claim(range: claim.range, isReturned: claim.isReturned, markedBelow: marked)
            }
            guard let claimed else { return }
            if let last = found.ranges.last, claimed.range.first < last.end {
                // Another take was rolled back meanwhile: its events come first, in the next take, and not behind these.
                ledger.lock.withLock {
                    ledger.state.group.unclaim(claimed.range, isReturned: claimed.isReturned)
                }
                return
            }
            try fill(claimed)
        }
    }

    private struct Claim {
        var range: SequenceRange
        var isReturned: Bool
        var markedBelow: EventSequence
    }

    /// What the disk did not give is asked for again after a while.
    private func retryUnreadable() {
        let now = channel.runtime.monotonicClock()
        guard !ledger.state.group.unreadable.isEmpty, now >= ledger.unreadableRetryAt else { return }
        ledger.unreadableRetryAt = now + FileChannel.retryNanoseconds
        ledger.state.group.retryUnreadable()
    }

    private mutating func fill(_ claim: Claim) throws(ChannelError) {
        var position = claim.range.first
        // Whatever ends this early, what was claimed and not found goes back.
        defer {
            let rest = SequenceRange(first: position, end: claim.range.end)
            ledger.lock.withLock { ledger.state.group.unclaim(rest, isReturned: claim.isReturned) }
        }
        while position < claim.range.end, !isFull {
            let rest = SequenceRange(first: position, end: claim.range.end)
            switch try channel.store.find(position) {
            case .frame(let frame): position = add(frame, rest, claim)
            case .lost(let range):
                let gone = rest.clamped(to: range.firstSequence..<range.endSequence)
                try channel.recordLoss(range, of: gone)
                position = gone.end
            case .missing(let range, let lsn):
                try channel.recordLoss(range, at: lsn)
                position = min(range.end, claim.range.end)
            case .unreadable(let range):
                let held = rest.clamped(to: range.firstSequence..<range.endSequence)
                ledger.lock.withLock {
                    // What is in memory need not be asked of the disk.
                    let end = min(
                        range.endSequence, ledger.state.visible, ledger.cache.next(from: held.end) ?? range.endSequence)
                    ledger.state.group.hold(held, andBelow: end)
                    ledger.unreadableRetryAt = channel.runtime.monotonicClock() + FileChannel.retryNanoseconds
                }
                position = held.end
            case .nothing:
                throw ChannelError(
                    .notFound,
                    "event \(position) is held, and the log has no frame for it; inspect the log; reopening it decides")
            }
        }
    }

    /// Takes the part of a frame that is wanted; returns where to go on.
    private mutating func add(_ frame: StoredFrame, _ rest: SequenceRange, _ claim: Claim) -> EventSequence {
        var end = min(frame.end, rest.end)
        var sequence = rest.first
        while sequence < end {
            // The first event is taken whatever its size.
            if bytes >= maxBytes, sequence > rest.first || !events.isEmpty {
                end = sequence
                break
            }
            let place = frame.index.place(Int(sequence.rawValue - frame.base.rawValue))
            bytes += place.encodedBytes
            sequence = sequence.advanced(by: 1)
        }
        let range = SequenceRange(first: rest.first, end: end)
        guard range.count > 0 else { return rest.first }
        events.append(TakenEvents.Piece(frame: frame, range: range, markedBelow: claim.markedBelow))
        claims.append((range, claim.isReturned))
        found.insert(range)
        return end
    }

    /// Nobody was given them: everything goes back where it was, without a mark.
    mutating func undo() {
        ledger.lock.withLock {
            for claim in claims.reversed() { ledger.state.group.unclaim(claim.range, isReturned: claim.isReturned) }
        }
        events = TakenEvents()
        found = SequenceSet()
        claims = []
    }
}

extension SequenceRange {
    /// The part from its beginning on that `limits` reaches; at least one sequence, since its first is within them.
    fileprivate func clamped(to limits: Range<EventSequence>) -> SequenceRange {
        SequenceRange(first: first, end: max(min(end, limits.upperBound), first.advanced(by: 1)))
    }
}

extension FileChannel {
    /// Damage was met: first it is durably recorded that its events are lost, then service goes on. Under `strict` nothing is
    /// recorded, and the position stays.
    func recordLoss(_ range: DamagedRange, of events: SequenceRange) throws(ChannelError) {
        try refuseUnderStrict(range.description, LSN(segment: range.segment, offset: range.fromOffset))
        var range = range
        range.endSequence = lastOfLoss(range.endSequence)
        let lost = SequenceRange(first: range.firstSequence, end: range.endSequence)
        try noteLoss(lost, range.description) { () throws(LogError) in try log.record(range) }
    }

    /// Numbers that are missing between two whole frames.
    func recordLoss(_ range: SequenceRange, at lsn: LSN) throws(ChannelError) {
        let range = SequenceRange(first: range.first, end: lastOfLoss(range.end))
        try refuseUnderStrict("events \(range.first)..<\(range.end) are missing", lsn)
        try noteLoss(range, "events \(range.first)..<\(range.end) are missing before \(lsn)") { () throws(LogError) in
            _ = try log.append([.loss(range, at: lsn)])
        }
    }

    /// Numbers that no event has been given cannot be lost: bytes that say so were forged.
    private func lastOfLoss(_ end: EventSequence) -> EventSequence {
        min(end, ledger.lock.withLock { ledger.state.visible })
    }

    private func noteLoss(
        _ lost: SequenceRange, _ what: String, _ record: () throws(LogError) -> Void
    ) throws(ChannelError) {
        let ticket = ledger.lock.withLock { ledger.state.beginCommit() }
        let answer = Result { () throws(LogError) in try record() }
        let woken = ledger.lock.withLock { () -> Woken in
            if answer.isSuccess {
                ledger.acknowledge(lost, .lost)
                ledger.lossMet = what
            }
            ledger.state.endCommit(ticket, nil)
            return ledger.woken()
        }
        wake(woken)
        try channelCall { () throws(LogError) in try answer.get() }
    }

    private func refuseUnderStrict(_ what: String, _ lsn: LSN) throws(ChannelError) {
        guard configuration.damagePolicy == .strict else { return }
        store.forget()
        let error = ChannelError(
            .damaged,
            "\(path) is damaged: \(what); the policy is strict, so nothing was recorded and the position stays; inspect it, or "
                + "open it with the policy salvage", lsn: lsn)
        ledger.lock.withLock { ledger.damageMet = error }
        throw error
    }
}
