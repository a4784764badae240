internal import FileIO
internal import LogFormat
internal import SegmentedLog

extension FileChannel {
    /// Begins a put. Nothing is claimed or written yet. Throws `closed`, `readOnly`.
    /// - Parameter producer: with it a repeated commit is recognised, and answered with the first receipt.
    public func beginPut(producer: ProducerStamp? = nil) throws(ChannelError) -> PutTransaction {
        if let producer, producer.id == .none {
            throw ChannelError(.configuration, "a producer's id must not be all zero; choose 16 random bytes")
        }
        let (id, bytes) = try ledger.lock.withLock { () throws(ChannelError) in
            try ledger.checkOpen()
            return (ledger.nextTransactionID(), ledger.lastPutBytes)
        }
        let limit = try channelCall { () throws(LogError) in try log.appendLimit() }
        return PutTransaction(
            PutDraft(self, id, producer, claim: RoomClaim(self, mostBytes: limit), reservingBytes: bytes))
    }

    /// Why an append found no room.
    func fullError(_ bytes: Int) -> ChannelError {
        let room = log.room
        let (held, capacity, claimed) = ledger.lock.withLock {
            (ledger.state.stored, ledger.state.capacityEvents, ledger.state.claimedEvents)
        }
        if let capacity, held + claimed >= capacity {
            return ChannelError(
                .full,
                "\(path) holds \(held) events and \(claimed) are claimed, of \(capacity); take events, or raise capacityEvents"
            )
        }
        if let error = room.preparationFailure {
            return ChannelError(
                .full,
                "\(path) cannot make another segment (\(error.message)); make room on the disk, or take events; puts resume "
                    + "by themselves", fileError: error.fileError)
        }
        return ChannelError(
            .full,
            "\(path) has no room for \(bytes) bytes more: \(held) events are held, segments take \(room.liveBytes) of "
                + "\(room.segmentBudgetBytes) bytes, \(room.claimedBytes) are claimed; take events, or raise capacityBytes"
        )
    }

    /// With `dropOldest`, when there is no room in bytes: gives up the events of the oldest segment whose events nobody holds,
    /// and lets it go. True when there may be more room now. One thread at a time, and nothing is given up while something that
    /// is decided already is still to go: else several producers, or a retirement that lags, would empty the channel.
    ///
    /// These drops cannot be in the group of the put that causes them: the room must be there before that put is written.
    ///
    /// - Parameter looksAgain: to have waited for another one's turn is reason enough to look whether that has made room. Not
    ///   each time: several who hand the turn to each other would do nothing else, for ever.
    func dropForRoom(looksAgain: Bool) throws(ChannelError) -> Bool {
        if dropping.take(runtime), looksAgain {
            dropping.give(runtime)
            return true
        }
        defer { dropping.give(runtime) }
        // Where promises to open transactions hold the room, no drop gives any.
        let room = log.room
        guard
            room.segmentBudgetBytes - room.freeBytes - min(room.liveBytes, room.segmentBudgetBytes - room.freeBytes)
                <= room.segmentBudgetBytes / 2
        else { return false }
        // What is going already, the log may not list any more.
        if retirement.awaitsRoom {
            retirement.checkNow()
            return true
        }
        let before = log.segments.map(\.number)
        if !retirement.reclaim() {
            guard try dropOldestSegment() else { return false }
            retirement.checkNow()
        }
        let left = Set(log.segments.map(\.number))
        return before.contains { !left.contains($0) }
    }

    /// False when there is no segment that may be given up.
    private func dropOldestSegment() throws(ChannelError) -> Bool {
        let segments = log.segments
        let (ranges, ticket) = ledger.lock.withLock { () -> ([SequenceRange], UInt64) in
            for segment in segments where segment.holdsEvents && segment.endOffset != nil {
                let all = SequenceRange(first: segment.baseSequence, end: segment.endSequence)
                guard !ledger.state.group.isAcknowledged(all), !ledger.state.group.hasInFlight(in: all) else {
                    continue
                }
                let chosen = ledger.state.group.claimOldest(.max, in: all, mostRanges: limits.recordEntries)
                // A failed write leaves a segment that was to hold events, and has none. (A commit that began here would never end.)
                guard !chosen.isEmpty else { continue }
                ledger.state.droppingEvents += chosen.eventCount
                return (chosen, ledger.state.beginCommit())
            }
            return ([], 0)
        }
        guard !ranges.isEmpty else { return false }
        let answer = Result { () throws(LogError) in
            try log.append([.drop(.overflow, Self.groupName, ranges)])
        }
        let woken = ledger.lock.withLock { () -> Woken in
            ledger.state.droppingEvents -= ranges.eventCount
            switch answer {
            case .success(let receipt):
                for range in ranges { ledger.acknowledge(range, .dropped(.overflow)) }
                ledger.state.endCommit(ticket, receipt.durableThrough)
            case .failure:
                ledger.state.group.unclaimOldest(ranges)
                ledger.state.endCommit(ticket, nil)
            }
            return ledger.woken()
        }
        wake(woken)
        _ = try channelCall { () throws(LogError) in try answer.get() }
        return true
    }
}
