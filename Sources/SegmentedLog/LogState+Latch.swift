internal import FileIO
internal import LogFormat

/// What follows a write that failed: everything behind it is given up, and writing goes on once, in a fresh segment and a
/// new epoch.
extension LogState {
    /// Every write to the latched segment has returned. What was not acknowledged is given up, whole or not at all, even
    /// where its own write succeeded: the epoch that follows cuts it off.
    mutating func settle(_ error: FileError) -> [AppendTicket] {
        let unknown = inFlight.flatMap(\.tickets)
        for ticket in unknown {
            turnAway(
                ticket,
                LogError(
                    .outcomeUnknown,
                    "a write to the log failed: the append may be in it, whole, or not at all; take it as neither done nor "
                        + "undone", lsn: durable.lsn, fileError: error))
        }
        inFlight.removeAll()
        statistics.groupsInFlight = 0
        nextSequence = durable.nextSequence
        let cut = durable.lsn
        guard durability == .commit else { return unknown + stopWeak(error) }
        // Their snapshots list what is voided here.
        let retirements = turnAway(
            { $0.isRetirement },
            LogError(
                .fileOperation, "a write to the log failed; the segments that were to go are still there",
                fileError: error))
        for entry in table.entries where entry.number > cut.segment { voided.append(entry) }
        table.remove(Set(voided.map(\.number)))
        table.update(cut.segment) { $0.endOffset = cut.offset }
        active = nil
        clientState = nil
        askedForFresh = false
        phase = .reopening(error)
        return unknown + retirements
    }

    mutating func opened(_ group: GroupCommit) {
        phase = .running
        eras.append(
            Era(
                from: LSN(segment: group.segment.number, offset: group.offset),
                start: EpochStart(opening)))
    }

    mutating func becomeReadOnly(_ first: FileError, then second: LogError) -> [AppendTicket] {
        let error = LogError(
            .readOnly,
            "two writes in a row failed (\(first); then \(second)); nothing more is written until the log is opened again; "
                + "check the disk", lsn: durable.lsn, fileError: second.fileError ?? first)
        phase = .readOnly(error)
        return turnAwayAll(error)
    }

    /// A write or a sync failed under a weaker durability. A new epoch would have to cut at what was acknowledged, and of
    /// that nobody knows any more what is on the disk: nothing is written behind it.
    mutating func stopWeak(_ error: FileError) -> [AppendTicket] {
        if case .readOnly = phase { return [] }
        let stopped = LogError(
            .readOnly,
            "a write or sync failed, and the durability is \(durability): what was acknowledged behind \(synced.lsn) (sequences "
                + "from \(synced.nextSequence) on) may be lost in a power cut; nothing more is written until the log is opened "
                + "again; check the disk", lsn: synced.lsn, fileError: error)
        phase = .readOnly(stopped)
        return turnAwayAll(stopped)
    }

    /// The next step to a new epoch after a failed write.
    mutating func reopeningJob(now: UInt64) -> Job? {
        guard case .reopening(let error) = phase, inFlight.isEmpty else { return nil }
        // One that was made ready for a roll is given an identity that states the cut.
        guard let fresh = prepared, fresh.identity.opening != opening else {
            if case .running = preparation { return nil }
            if case .failed(let second, _) = preparation, askedForFresh {
                refused += becomeReadOnly(error, then: second)
                return nil
            }
            preparation = .running
            askedForFresh = true
            return .prepare(
                SegmentRequest(
                    bytes: UInt64(budget.segmentBytes), mayUseReserve: true, prefersReserve: true, beginsEpoch: true))
        }
        guard clientState != nil else { return .gatherClientState }
        let previous = epoch
        openings = fresh.identity.openings
        begin(fresh)
        let record = OpenRecord(
            cut: durable.lsn, nextSequence: durable.nextSequence, previousEpoch: previous,
            blockBytes: UInt32(blockBytes), groupsInFlight: UInt16(groupsInFlight), durability: durability,
            reason: .failedWrite)
        // One write, alone: nothing follows until it is durable.
        return .write(
            place(
                [
                    firstFrame(of: fresh),
                    FramePayload.own(.open) { () throws(FormatError) in try record.encode() },
                ], tickets: [],
                in: fresh, opensEpoch: true))
    }
}
