internal import FileIO
internal import LogFormat

/// Groups: what goes into one, and what its end means for those that wait.
extension LogState {
    mutating func takeGroup(from segment: ActiveSegment) -> GroupCommit {
        var frames = segment.isUnused ? [firstFrame(of: segment)] : []
        var bytes = frames.reduce(0) { $0 + $1.minimumFrameBytes }
        var count = 0
        for ticket in pending {
            if count > 0 && bytes + ticket.frameBytes > maximumGroupBytes { break }
            guard accepts(ticket, behind: bytes, in: segment) else { break }
            ticket.firstFrame = frames.count
            if frames.isEmpty { frames = ticket.frames } else { frames += ticket.frames }
            count += 1
            bytes += ticket.frameBytes
        }
        precondition(count > 0, "a group without appends")
        let tickets = Array(pending[..<count])
        noteCrowd()
        pending.removeFirst(count)
        for ticket in tickets { endClaim(of: ticket) }
        return place(frames, tickets: tickets, in: segment, opensEpoch: false)
    }

    mutating func sealGroup(next: ActiveSegment) -> GroupCommit {
        let segment = active!
        let record = SealRecord(nextSegment: next.number, nextSalt: next.life.salt)
        let group = place(
            [FramePayload.own(.seal) { () throws(FormatError) in try record.encode() }], tickets: [],
            in: segment, opensEpoch: false)
        table.update(segment.number) { $0.endOffset = segment.cursor }
        if durability != .commit { sealedUnsynced.append(segment) }
        begin(next)
        return group
    }

    /// Makes a prepared segment the active one.
    mutating func begin(_ segment: ActiveSegment) {
        prepared = nil
        preparation = .idle
        active = segment
        if segment.kind == .regular { room.use(segment.segmentBytes) }
        table.append(segment.entry(baseSequence: nextSequence))
    }

    /// The snapshot that begins a segment: the client's state as it gave it last, and the live segments.
    mutating func firstFrame(of segment: ActiveSegment) -> FramePayload {
        // Segments may have been let go since the client gave it, by a snapshot that covers more.
        let client = furthest(clientState ?? ClientCheckpoint(through: synced, bytes: []))
        clientState = nil
        return FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot(client).encode() }
    }

    mutating func place(
        _ frames: [FramePayload], tickets: [AppendTicket], in segment: ActiveSegment, opensEpoch: Bool
    ) -> GroupCommit {
        #if PlantedBugs
            let synced = PlantedBug.stateAheadOfDurable.isPlanted ? inFlight.last?.end ?? self.synced : self.synced
        #endif
        let plan = GroupPlan(frames, blockBytes: blockBytes)
        let group = GroupCommit(
            segment: segment, plan: plan, frames: frames, tickets: tickets, epoch: epoch,
            nonce: opening.nonce, stated: synced, numbering: GroupCommit.Numbering(frames, from: nextSequence),
            opensEpoch: opensEpoch)
        segment.cursor += UInt64(plan.totalBytes)
        nextSequence = group.end.nextSequence
        lastGroupBytes = UInt64(plan.totalBytes)
        bytesSinceCheckpoint += lastGroupBytes
        lastFrame = frames.last!.type
        if frames.contains(where: { $0.type == .put }) { table.update(segment.number) { $0.holdsEvents = true } }
        inFlight.append(group)
        statistics.began(group, inFlight: inFlight.count)
        return group
    }

    /// A group's write has returned. Acknowledges, strictly in order, what is now durable. Returns whom to tell: they have their
    /// answers.
    mutating func completed(_ group: GroupCommit, error: FileError?) -> [AppendTicket] {
        group.outcome = error.map { .failed($0) } ?? .written
        if let error, case .running = phase { phase = .latched(error) }
        #if PlantedBugs
            if PlantedBug.acknowledgeOutOfOrder.isPlanted, let index = inFlight.firstIndex(where: { $0 === group }) {
                for earlier in inFlight[..<index] where earlier.outcome == nil { earlier.outcome = .written }
            }
        #endif
        var answered: [AppendTicket] = []
        // In order: a group is acknowledged only when all before it are durable, for a cut before it voids it.
        while let first = inFlight.first, case .written = first.outcome {
            inFlight.removeFirst()
            durable = first.end
            if durability == .commit { synced = durable }
            for ticket in first.tickets {
                // At once, before any snapshot that covers this place can be taken: one that covered it and still listed
                // them would call for files that may be gone.
                if ticket.isRetirement { leave(ticket.retires) }
                ticket.answer = .success(first.receipt(for: ticket))
            }
            if answered.isEmpty { answered = first.tickets } else { answered += first.tickets }
            if first.opensEpoch { opened(first) }
        }
        statistics.groupsInFlight = inFlight.count
        if case .latched(let error) = phase, inFlight.allSatisfy({ $0.outcome != nil }) {
            answered += settle(error)
        } else if case .reopening(let first) = phase, let error {
            inFlight.removeAll()
            answered += becomeReadOnly(first, then: LogError(.fileOperation, "", fileError: error))
        }
        return answered
    }

    private mutating func leave(_ numbers: Set<SegmentNumber>) {
        leaving += table.entries.filter { numbers.contains($0.number) }
        table.remove(numbers)
    }
}
