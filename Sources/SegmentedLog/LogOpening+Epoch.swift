internal import FileIO
internal import LogFormat

/// Beginning the new epoch: in place, at the cost of one block, or in a fresh segment.
extension LogOpening {
    /// Writes the `open` frame at the tail, alone, at the next block boundary: reopening costs one block. nil when the
    /// last segment cannot be written on: it is damaged, short, full, its sync failed, or the disk does not give all of it.
    func continueInPlace(
        _ outcome: Recovery.Outcome, _ table: inout SegmentTable, _ epoch: inout EpochStart, _ reason: OpenReason,
        _ report: inout RecoveryReport
    ) throws(LogError) -> Place? {
        guard !outcome.mustStartFresh, outcome.carried.isEmpty, let last = outcome.tailSegment, !last.syncFailed,
            last.headersEnd != nil, last.hasBothCopies, let identity = last.identity, identity.life == last.life,
            last.status.size >= identity.segmentBytes, last.status.linkCount == 1
        else { return nil }
        let isUnused = outcome.tail.lsn.offset == UInt64(SpaceBudget.identityBytes)
        let cursor = SpaceBudget.roundUp(outcome.tail.lsn.offset, to: budget.blockBytes)
        guard !hasLeftOvers(last, from: outcome.tail.lsn.offset, to: cursor) else { return nil }
        let room = UInt64((isUnused ? budget.firstGroupBytes : budget.blockBytes) + budget.blockBytes)
        guard cursor + room <= identity.segmentBytes, let (method, file) = try openForWriting(last.number) else {
            return nil
        }
        let segment = ActiveSegment(identity, file: file, cursor: cursor)
        var changed = table
        if changed.entry(last.number) == nil { changed.append(entry(identity, outcome.tail.nextSequence)) }
        changed.update(last.number) { $0.endOffset = 0 }
        var frames: [FramePayload] = []
        if isUnused {
            let base = outcome.base.snapshot
            let snapshot = Snapshot(
                covered: base.covered, epoch: base.epoch, nonce: base.nonce,
                segments: changed.entries(with: outcome.missing),
                client: base.client)
            frames.append(
                FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot.encode() })
        }
        let record = openRecord(cut: outcome.tail, previous: outcome.highestEpoch, reason)
        frames.append(FramePayload.own(.open) { () throws(FormatError) in try record.encode() })
        let group = GroupCommit(
            segment: segment, plan: GroupPlan(frames, blockBytes: budget.blockBytes),
            frames: frames, tickets: [], epoch: epoch.epoch, nonce: epoch.nonce,
            stated: outcome.tail, numbering: GroupCommit.Numbering(frames, from: outcome.tail.nextSequence),
            opensEpoch: true)
        do throws(FileError) {
            try wipe(last, from: cursor, file)
            try write(group)
        } catch {
            // Whether the frame is on the disk nobody knows; the next epoch, in a fresh segment, cuts at the same place.
            // It needs an epoch of its own: one that has the number of this frame could not cut it off.
            try? file.close()
            epoch = EpochStart(epoch: Epoch(epoch.epoch.rawValue + 1), nonce: runtime.randomNonzero())
            report.remarks.append("the last segment cannot be written on: \(error)")
            return nil
        }
        segment.cursor = group.end.lsn.offset
        table = changed
        return Place(
            method: method, segment: segment, durable: group.end,
            openedAt: LSN(segment: segment.number, offset: group.offset),
            openings: outcome.openings.stated(
                with: EpochOpening(
                    epoch: epoch.epoch, nonce: epoch.nonce, cut: outcome.tail, segment: segment.number), table))
    }

    /// Between the cut and the `open` frame nothing can be wiped: the block is that of acknowledged frames.
    private func hasLeftOvers(_ segment: ScannedSegment, from cut: UInt64, to cursor: UInt64) -> Bool {
        guard cut < cursor, let window = segment.window() else { return false }
        return window.nextFrame(from: cut, before: cursor) != nil
    }

    /// Left-overs of lower epochs from the place of the new `open` frame on are overwritten, durably, before it is written. Else, once
    /// a bad sector hides that frame, nothing would tell them from what counts. (A crash in between leaves the same torn tail, with
    /// less behind it.)
    private func wipe(_ segment: ScannedSegment, from start: UInt64, _ file: any StorageFile) throws(FileError) {
        guard let end = segment.headersEnd, end > start, let identity = segment.identity else { return }
        try file.prewrite(start..<min(SpaceBudget.roundUp(end, to: SpaceBudget.pageBytes), identity.segmentBytes))
        try file.synchronize()
    }

    func write(_ group: GroupCommit) throws(FileError) {
        let buffer = AlignedBuffer(byteCount: group.plan.totalBytes)
        group.assemble(into: buffer, commitTime: runtime.wallClock())
        #if PlantedBugs
            if PlantedBug.skipOpenFrameSync.isPlanted {
                return try group.segment.file.write(buffer, count: group.plan.totalBytes, at: group.offset)
            }
        #endif
        let cell = WaitCell()
        let box = FailureBox()
        group.segment.file.submitWrite(buffer, count: group.plan.totalBytes, at: group.offset) { [runtime] error in
            box.error = error
            runtime.signal(cell, value: 1)
        }
        _ = runtime.wait(for: cell)
        if let error = box.error { throw error }
    }

    /// A new segment that appears whole, with its `open` frame and with whatever was accepted in a segment that cannot be
    /// made durable where it stands.
    func startFresh(
        _ outcome: inout Recovery.Outcome, _ table: inout SegmentTable, _ epoch: EpochStart, _ reason: OpenReason,
        _ reserves: inout Set<Int>,
        _ clientState: (@Sendable () -> ClientCheckpoint)?, _ replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> Place {
        let carried = outcome.carried.filter { $0.header.type.isCarriedOver }
        var cut = outcome.tail
        if let first = outcome.carried.first {
            cut = DurableThrough(lsn: first.lsn, nextSequence: first.header.baseSequence)
        }
        let number = SegmentNumber(outcome.highestNumber.rawValue + 1)
        // Segments behind the cut are void; the one that is cut ends there.
        table.remove(Set(table.entries.map(\.number).filter { $0 > cut.lsn.segment }))
        table.update(cut.lsn.segment) { $0.endOffset = $0.clamped(cut.lsn.offset) }
        let frames = try carried.map { (frame) throws(LogError) in
            CarriedFrame(payload: try Self.again(frame), base: frame.header.baseSequence)
        }
        let bytes = frames.reduce(budget.firstGroupBytes) { $0 + $1.payload.minimumFrameBytes }
        let size = budget.segmentBytes(forGroupOf: SpaceBudget.roundUp(bytes, to: budget.blockBytes))
        let inUse = segmentBytesOnDisk(table)
        let useReserve = inUse + size > budget.segmentBudgetBytes && frames.isEmpty
        guard let source = try source(size, useReserve, reserves, &outcome, &table, clientState) else {
            throw LogError(
                .full,
                "\(directory.path) has no room for the segment that a new epoch needs (\(size) bytes; segments take \(inUse) of "
                    + "\(budget.segmentBudgetBytes)); raise the capacity")
        }
        var attempt = source
        while true {
            let identity = identity(
                outcome.logUUID, number, after: table.newest, bytes: attempt.1, attempt.0,
                outcome.openings.stated(
                    with: EpochOpening(epoch: epoch.epoch, nonce: epoch.nonce, cut: cut, segment: number), table))
            var changed = table
            var own = entry(identity, cut.nextSequence)
            own.holdsEvents = carried.contains { $0.header.type == .put }
            changed.append(own)
            let base = outcome.base.snapshot
            let snapshot = Snapshot(
                covered: base.covered, epoch: base.epoch, nonce: base.nonce,
                segments: changed.entries(with: outcome.missing),
                client: base.client)
            let record = openRecord(cut: cut, previous: outcome.highestEpoch, reason)
            do throws(LogError) {
                let (method, made) = try makeFresh(
                    identity, snapshot, record, stated: cut, carried: frames, next: outcome.tail.nextSequence,
                    reserve: attempt.2)
                if let used = attempt.2 { reserves.remove(used) }
                table = changed
                for (index, frame) in carried.enumerated() {
                    try replay(made.group.replayed(index + 2, header: frame.header))
                }
                return Place(
                    method: method, segment: made.segment, durable: made.group.end,
                    openedAt: LSN(segment: number, offset: made.group.offset), openings: identity.openings)
            } catch {
                // The disk is full, though the capacity is not: the reserve was made for this.
                guard error.fileError?.reason == .noSpace, attempt.2 == nil, frames.isEmpty,
                    let index = usableReserves(reserves).min()
                else { throw error }
                attempt = (.reserve, UInt64(budget.reserveBytes), index)
            }
        }
    }

    /// What the fresh segment is made of: a new file within the budget; else the reserve; else the place of a reserve
    /// segment that nothing needs any more (a log that crashed again and again before it could retire it).
    func source(
        _ size: UInt64, _ useReserve: Bool, _ reserves: Set<Int>, _ outcome: inout Recovery.Outcome,
        _ table: inout SegmentTable, _ clientState: (@Sendable () -> ClientCheckpoint)?
    ) throws(LogError) -> (SegmentKind, UInt64, Int?)? {
        if !useReserve { return (.regular, size, nil) }
        if let index = usableReserves(reserves).min() { return (.reserve, UInt64(budget.reserveBytes), index) }
        // A name that is no usable reserve must not count as one: the renaming that made it a segment may have left both names.
        if !reserves.isEmpty { try removeUnusable(reserves) }
        // One that the last life used and could not make again: its share of the room is there all the same. (Files that nobody
        // needs, and that are still there, count as segments.)
        let live = table.entries.count { $0.kind == .reserve }
        if live < 2 { return (.reserve, UInt64(budget.reserveBytes), nil) }
        // The client's state covers what was replayed: all that counts, or all before what the disk does not give. (The log may
        // end in a segment that nothing was written into yet.) New losses must stay to be found again.
        guard clientState != nil || outcome.report.unreadable.isEmpty, outcome.newLosses.isEmpty else { return nil }
        let client = clientState?() ?? ClientCheckpoint(through: outcome.tail, bytes: [])
        let covered = client.through.lsn
        guard
            let first = table.entries.dropLast().first(where: {
                $0.kind == .reserve && !$0.holdsEvents && $0.endOffset != 0
                    && LSN(segment: $0.number, offset: $0.endOffset) <= covered
            })
        else { return nil }
        table.remove([first.number])
        let era = outcome.eras.last { $0.from <= covered }?.start ?? outcome.lastEpoch
        outcome.base.snapshot = Snapshot(
            covered: client.through, epoch: era.epoch, nonce: era.nonce, segments: table.entries, client: client.bytes)
        try reclaim(first, outcome)
        return (.reserve, UInt64(budget.reserveBytes), nil)
    }

    /// Durably, before their room is used again.
    private func removeUnusable(_ reserves: Set<Int>) throws(LogError) {
        do throws(FileError) {
            try directory.changeNames { () throws(FileError) in
                for index in reserves.sorted() { try unlinkReserve(index) }
            }
        } catch {
            throw .file(error, "a reserve of \(directory.path), which is not whole, cannot be removed")
        }
    }

    /// Removes a segment without events, after a checkpoint that covers it and does not list it.
    func reclaim(_ entry: SegmentEntry, _ outcome: Recovery.Outcome) throws(LogError) {
        let newest = outcome.slots.newest
        // Not the tail: behind what is held it is only where the log goes on.
        let covered = outcome.base.snapshot.covered
        let proven = outcome.report.provenThrough
        let slot = CheckpointSlot(
            slot: newest.map { 1 - $0.slot } ?? 0, logUUID: outcome.logUUID,
            generation: (newest?.generation ?? 0) + 1, durableThrough: proven.lsn > covered.lsn ? proven : covered,
            time: runtime.wallClock(),
            snapshot: outcome.base.snapshot)
        let buffer = try CheckpointFile.encode(slot, slotBytes: budget.slotBytes)
        do throws(FileError) {
            try CheckpointFile.overwrite(slot.slot, with: buffer, in: directory, slotBytes: budget.slotBytes)
            try directory.changeNames { () throws(FileError) in
                try directory.unlink(FileNames.segment(entry.number))
            }
        } catch {
            throw .file(error, "segment \(entry.number) of \(directory.path), which nothing needs, cannot be removed")
        }
    }

    /// The same frame for another place.
    static func again(_ frame: ReplayedFrame) throws(LogError) -> FramePayload {
        do throws(FormatError) {
            let raw = try FramePayload.decompress(frame.payload, header: frame.header)
            return try FramePayload(
                type: frame.header.type, eventCount: frame.header.eventCount,
                transactionCount: frame.header.transactionCount, raw: raw, compression: frame.header.compression)
        } catch {
            throw LogError(.damaged, "the frame at \(frame.lsn) cannot be carried over: \(error)", lsn: frame.lsn)
        }
    }
}

/// A frame that recovery writes again in another place. It keeps its numbers, whatever is missing before it.
struct CarriedFrame {
    var payload: FramePayload
    var base: EventSequence
}

private final class FailureBox: @unchecked Sendable {
    var error: FileError?
}

extension FrameType {
    /// Whether a frame means something apart from its place: records of the client and of losses.
    var isCarriedOver: Bool {
        switch self {
        case .put, .takeCommit, .lease, .drop, .loss, .deliveryCount, .bookmark: true
        case .snapshot, .open, .seal, .close, .mark, .padding: false
        }
    }
}
