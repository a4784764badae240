internal import FileIO
internal import LogFormat

/// What follows from the judgement, and what is refused.
extension Recovery {
    mutating func conclude(
        _ judge: TailJudge, _ scan: [ScannedSegment], _ base: Base, _ logUUID: LogUUID
    ) throws(LogError) -> Outcome {
        var tail = judge.tail
        let jump = try noteStrangers(judge, scan, &tail)
        try checkCarried(judge)
        #if PlantedBugs
            if PlantedBug.reuseSequences.isPlanted { tail.nextSequence = base.snapshot.covered.nextSequence }
        #endif
        report.tail = tail
        let retired = self.retired.union(judge.retired)
        let present = Set(inventory.segments)
        var entries: [SegmentNumber: SegmentEntry] = [:]
        for entry in base.snapshot.segments where !retired.contains(entry.number) { entries[entry.number] = entry }
        for entry in judge.entries where !retired.contains(entry.number) { entries[entry.number] = entry }
        let listed = entries
        noteMissing(&entries, present: present, olderThan: judge.firstSegment)
        for number in entries.keys where judge.view.ledger.voids(number) || number > judge.tail.lsn.segment {
            entries[number] = nil
        }
        for entry in base.snapshot.segments { highestNumber = max(highestNumber, entry.number) }
        for slot in slots.valid {
            highestNumber = max(highestNumber, slot.snapshot.segments.last?.number ?? highestNumber)
        }
        highestNumber = max(highestNumber, judge.tail.lsn.segment, inventory.segments.last ?? highestNumber)

        try checkNumbers(tail)

        // A file may go when a durable snapshot or a durable cut says so; what cannot be identified stays.
        let foreign = Set(report.foreignFiles)
        let removable = inventory.segments.filter { number in
            // (The tail's own segment is listed when the log goes on in it.)
            guard entries[number] == nil, !foreign.contains(FileNames.segment(number)) else { return false }
            return retired.contains(number) || opened[number]?.identity != nil
        }
        let newLosses = report.losses.filter { loss in !judge.recordedLosses.contains { $0.covers(loss) } }
        if policy == .strict, let first = newLosses.first ?? report.unreadable.first {
            throw LogError(
                .damaged,
                "\(directory.path) is damaged: \(first)\(newLosses.count > 1 ? ", and \(newLosses.count - 1) more" : ""); the "
                    + "policy is strict, so nothing was touched; inspect it, or open it with the policy salvage",
                lsn: LSN(segment: first.segment, offset: first.fromOffset))
        }
        let missing = newLosses.isEmpty ? [] : listed.values.filter { !present.contains($0.number) }
        // The epoch that begins now must stand behind all that cannot be seen (see `survey`).
        let hidesLater = scan.contains { $0.hidesFrames && $0.number >= tail.lsn.segment }
        var base = base
        if retired.contains(where: { $0 >= base.snapshot.covered.lsn.segment }), let later = judge.lastSnapshot {
            // The next recovery must not go through a segment that is let go.
            base.snapshot = later
        }
        return Outcome(
            report: report, logUUID: logUUID, base: base, table: SegmentTable(Array(entries.values)), tail: tail,
            lastEpoch: judge.lastEpoch
                ?? EpochStart(epoch: base.snapshot.epoch, nonce: base.snapshot.nonce),
            eras: judge.view.ledger.openings.map {
                Era(from: $0.lsn, start: EpochStart(epoch: $0.epoch, nonce: $0.nonce))
            }, openings: judge.view.ledger.openings.map(\.stated),
            ledger: judge.view.ledger, decisions: judge.decisions, highestEpoch: highestEpoch,
            highestNumber: highestNumber, tailSegment: judge.tailSegment,
            mustStartFresh: judge.mustStartFresh || jump || hidesLater, carried: judge.carried, newLosses: newLosses,
            missing: missing,
            removable: removable, slots: slots, inventory: inventory)
    }

    /// No log counts so far; bytes that say so were forged, and going on would leave the range that the format allows.
    private func checkNumbers(_ tail: DurableThrough) throws(LogError) {
        let highest = max(
            highestEpoch.rawValue, highestNumber.rawValue, tail.nextSequence.rawValue,
            slots.newest?.generation ?? 0)
        guard highest < FormatConstants.maximumNumber - 1 << 40 else {
            throw LogError(
                .damaged,
                "\(directory.path) holds numbers at the end of their range (\(highest)), which no log reaches; nothing was "
                    + "touched; restore it from a copy, or move it away to start anew")
        }
    }

    /// What is carried into a fresh segment goes before the cut of its epoch, and what is held stands behind that: it would be cut
    /// off.
    private func checkCarried(_ judge: TailJudge) throws(LogError) {
        guard let first = judge.carried.first else { return }
        let held = report.unreadable.first {
            $0.segment > first.lsn.segment || $0.toOffset == 0 || $0.toOffset > first.lsn.offset
        }
        guard let held else { return }
        throw LogError(
            .fileOperation,
            "\(directory.path) cannot be synced from \(first.lsn) on, and the disk does not give all of what stands behind that "
                + "(\(held)); nothing was touched; restore the disk, or copy the directory to another one",
            lsn: first.lsn)
    }

    /// Where the log seems to end, and a later part of it cannot be reached: what that held is not served, and its numbers are
    /// not used again. True when the sequence jumped.
    private mutating func noteStrangers(
        _ judge: TailJudge, _ scan: [ScannedSegment], _ tail: inout DurableThrough
    ) throws(LogError) -> Bool {
        let last = tail.lsn.segment
        let isUnknown = { [report, retired] (number: SegmentNumber) in
            number >= last && !judge.entries.contains { $0.number == number && $0.holdsEvents }
                && !judge.view.ledger.voids(number) && !retired.contains(number)
                && !report.losses.contains { $0.segment == number }
                && !judge.recordedLosses.contains { $0.reason == .segmentMissing && $0.segment >= number }
        }
        var lost = strangers.filter { isUnknown($0.key) }
        for segment in scan where segment.life == nil && segment.identity == nil && isUnknown(segment.number) {
            guard segment.holdsAnything else { continue }
            lost[segment.number] = 0
            try refuseUnread(segment)
        }
        guard let newest = lost.keys.max() else { return false }
        let usual = judge.view.scan.map(\.segmentBytes).max() ?? UInt64(SpaceBudget.smallestSegmentBytes)
        let room = lost.values.reduce(0) { $0 + ($1 > 0 ? $1 : usual) } * TailJudge.mostEventsPerByte
        let end = EventSequence(tail.nextSequence.rawValue + room)
        report.losses.append(DamagedRange(.segmentMissing, newest, 0, 0, tail.nextSequence, end))
        tail.nextSequence = end
        return true
    }

    /// What the disk withholds is neither lost nor there: going on without it would decide.
    func refuseUnread(_ segment: ScannedSegment) throws(LogError) {
        guard segment.identity == nil, segment.isIdentityUnread, segment.holdsAnything else { return }
        throw LogError(
            .fileOperation,
            "the disk does not give the identity of \(FileNames.segment(segment.number)) in \(directory.path), and nothing "
                + "else tells whose it is; it may hold events that nobody took, so nothing was touched; restore the disk, or "
                + "move the file away to go on without what it holds",
            lsn: LSN(segment: segment.number, offset: 0))
    }

    /// A live segment whose file is gone, and that replay did not come by.
    private mutating func noteMissing(
        _ entries: inout [SegmentNumber: SegmentEntry], present: Set<SegmentNumber>, olderThan start: SegmentNumber
    ) {
        let numbers = entries.keys.sorted()
        for (index, number) in numbers.enumerated() where !present.contains(number) {
            // What replay misses from where it begins, it has named itself.
            guard let entry = entries.removeValue(forKey: number), number < start else { continue }
            let following = index + 1 < numbers.count ? entries[numbers[index + 1]]?.baseSequence : nil
            let end = max(following ?? entry.baseSequence, entry.baseSequence)
            report.losses.append(DamagedRange(.segmentMissing, number, 0, 0, entry.baseSequence, end))
        }
    }
}
