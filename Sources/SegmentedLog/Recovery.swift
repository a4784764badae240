internal import FileIO
internal import LogFormat

/// Opening what is there, up to the decision: reads, syncs what it read, and judges. It writes nothing into the log; what
/// follows from its outcome is done by ``LogOpening``.
///
///     inventory -> identities, checkpoint -> base snapshot -> sync -> survey -> judge
///
/// Convergence: everything is derived from durable bytes, nothing written before the new epoch's `open` frame changes any
/// of them, and that frame is one synced write (or one rename). So a crash anywhere in recovery finds the same again.
struct Recovery {
    /// A snapshot that replay can start from.
    struct Base {
        var snapshot: Snapshot
        var durable: DurableThrough
        /// Of the checkpoint slot; 0 for a segment's snapshot.
        var generation: UInt64 = 0
        var name: String
    }

    struct Outcome {
        var report: RecoveryReport
        var logUUID: LogUUID
        var base: Base
        var table: SegmentTable
        var tail: DurableThrough
        /// See ``TailJudge/freshCut``.
        var freshCut: DurableThrough
        var lastEpoch: EpochStart
        /// The epochs from the base on.
        var eras: [Era]
        var highestEpoch: Epoch
        var highestNumber: SegmentNumber
        var tailSegment: ScannedSegment?
        var mustStartFresh: Bool
        var carried: [ReplayedFrame]
        var newLosses: [DamagedRange]
        /// Listed, not there, and not yet recorded as lost: listed on until they are, so that a recovery after a crash before
        /// that finds the loss again.
        var missing: [SegmentEntry]
        /// Our segments that nothing needs: retired, voided, or never used.
        var removable: [SegmentNumber]
        var slots: CheckpointFile.Slots
        var inventory: LogInventory
    }

    private let directory: any StorageDirectory
    private let policy: DamagePolicy
    private let inventory: LogInventory
    private var slots: CheckpointFile.Slots
    private var opened: [SegmentNumber: ScannedSegment] = [:]
    private var report = RecoveryReport()
    private var retired: Set<SegmentNumber> = []
    private let clock: () -> UInt64
    private var lapStarted: UInt64

    init(
        _ directory: any StorageDirectory, inventory: LogInventory, policy: DamagePolicy,
        clock: @escaping () -> UInt64
    ) {
        self.directory = directory
        self.clock = clock
        lapStarted = clock()
        self.inventory = inventory
        self.policy = policy
        slots = CheckpointFile.read(in: directory)
        report.remarks = slots.remarks
        report.foreignFiles = inventory.foreign
    }

    /// - Parameters:
    ///   - begin: gets the snapshot that replay starts from, before the first frame.
    ///   - replay: gets each accepted frame as it is judged. When this throws in the end (under `strict`), the client forgets
    ///     what it was given.
    mutating func run(
        begin: (Snapshot) throws(LogError) -> Void, replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> Outcome {
        if let newer = slots.newer {
            throw LogError(
                .newerVersion,
                "the checkpoint in \(directory.path) was written by a newer version (\(newer)); nothing was touched; use the "
                    + "version that wrote it")
        }
        let logUUID = try chooseLog()
        slots.valid.removeAll { slot in
            if slot.logUUID != logUUID { report.remarks.append("checkpoint slot \(slot.slot) is of another log") }
            return slot.logUUID != logUUID
        }
        let base = try chooseBase(logUUID)
        report.base = base.name
        report.replayedFrom = base.snapshot.covered
        for snapshot in slots.valid.map(\.snapshot) + [base.snapshot] {
            retired.formUnion(snapshot.retiredNumbers(among: inventory.segments + base.snapshot.segments.map(\.number)))
        }
        try begin(base.snapshot)
        let scan = try openScan(base, logUUID)
        lap("base")
        settle(scan)
        lap("sync")
        if let error = directorySyncError {
            throw .file(error, "the directory \(directory.path) cannot be synced, so nothing in it can be relied on")
        }

        var judge = try survey(scan, base, logUUID)
        let start = DurableThrough(
            lsn: base.snapshot.covered.lsn, nextSequence: base.snapshot.covered.nextSequence)
        try judge.run(start: start, replay: replay)
        report = judge.report
        lap("replay")
        return try conclude(judge, scan, base, logUUID)
    }

    private mutating func lap(_ name: String) {
        let now = clock()
        report.steps.append(RecoveryStep(name: name, nanoseconds: now - lapStarted))
        lapStarted = now
    }

    // MARK: Which log

    /// The log that most of the newest segments and the checkpoint slots belong to: a file of another log that got in
    /// here is foreign, whichever it is.
    private mutating func chooseLog() throws(LogError) -> LogUUID {
        var votes: [LogUUID: Int] = [:]
        for slot in slots.valid { votes[slot.logUUID, default: 0] += 1 }
        for number in inventory.segments.suffix(16).reversed() {
            // Where the newest segment and the checkpoint agree, or the newest two, no older one need be opened.
            if votes.count == 1, votes.values.contains(where: { $0 >= 3 }) { break }
            if let segment = try open(number), let identity = segment.identity {
                votes[identity.logUUID, default: 0] += 2
            }
        }
        guard let best = votes.max(by: { ($0.value, $0.key.high) < ($1.value, $1.key.high) }) else {
            throw LogError(
                .damaged,
                "\(directory.path) holds files of a log, but no segment and no checkpoint that says which; nothing was "
                    + "touched; restore a segment, or move the files away to start anew")
        }
        return best.key
    }

    /// nil when the file cannot be opened as a segment at all.
    private mutating func open(_ number: SegmentNumber) throws(LogError) -> ScannedSegment? {
        if let segment = opened[number] { return segment }
        do throws(LogError) {
            let segment = try ScannedSegment.open(number, in: directory)
            opened[number] = segment
            if let identity = segment.identity, !identity.allowsWriting {
                throw LogError(
                    .newerVersion,
                    "segment \(number) in \(directory.path) uses a feature that this version can only read; nothing was "
                        + "touched; use the version that wrote it")
            }
            return segment
        } catch {
            if error.code == .newerVersion { throw error }
            // Another kind of file, or none any more, is no segment. Of one that cannot be opened now nobody knows what it holds,
            // and going on without it would give its numbers to other events.
            guard let reason = error.fileError?.reason, reason == .wrongKind || reason == .notFound else { throw error }
            let remark = "\(error)"
            if !report.remarks.contains(remark) { report.remarks.append(remark) }
            return nil
        }
    }

    // MARK: Where to start

    private mutating func chooseBase(_ logUUID: LogUUID) throws(LogError) -> Base {
        var candidates = slots.valid.map {
            Base(
                snapshot: $0.snapshot, durable: $0.durableThrough, generation: $0.generation,
                name: "checkpoint slot \($0.slot), generation \($0.generation)")
        }
        for number in inventory.segments.reversed() {
            guard let segment = try open(number), segment.identity?.logUUID == logUUID,
                segment.identity?.segment == number, let window = segment.window()
            else { continue }
            let start = UInt64(SpaceBudget.identityBytes)
            if case .frame(let header) = window.probe(at: start, verifyingPayload: true), header.type == .snapshot,
                let snapshot = Self.snapshot(header, at: start, in: window)
            {
                candidates.append(
                    Base(snapshot: snapshot, durable: header.durableThrough, name: "snapshot of segment \(number)"))
                break
            }
        }
        if let best = Self.newest(candidates) {
            if hasWhatItNeeds(best) { return best }
            // A retirement since then has let go what replay from there would need. The snapshot of that retirement stands
            // further on in the log; a checkpoint has it, too, unless it was deleted.
            return Self.newest(candidates + snapshotsInside(logUUID)) ?? best
        }
        return try baseWithoutSnapshot(logUUID)
    }

    private static func newest(_ candidates: [Base]) -> Base? {
        candidates.max {
            ($0.snapshot.covered.lsn, $0.durable.lsn, $0.generation)
                < ($1.snapshot.covered.lsn, $1.durable.lsn, $1.generation)
        }
    }

    /// Whether every segment that replay would go through is there.
    private func hasWhatItNeeds(_ base: Base) -> Bool {
        let covered = base.snapshot.covered.lsn
        let present = Set(inventory.segments)
        let entry = base.snapshot.segments.first { $0.number == covered.segment }
        let isWhole = entry == nil || entry?.endOffset == covered.offset
        return (isWhole || present.contains(covered.segment))
            && base.snapshot.segments.allSatisfy { $0.number <= covered.segment || present.contains($0.number) }
    }

    /// All snapshots that stand anywhere in the newest segments. What they cover was durable when they were put together,
    /// so they are true even where they are not part of the log any more.
    private mutating func snapshotsInside(_ logUUID: LogUUID) -> [Base] {
        var found: [Base] = []
        for number in inventory.segments.suffix(4) {
            guard let segment = opened[number], segment.identity?.logUUID == logUUID,
                segment.identity?.segment == number, let window = segment.window()
            else { continue }
            var offset = UInt64(SpaceBudget.identityBytes)
            while let (position, header) = window.nextHeader(from: offset) {
                offset = position + 8
                guard case .frame = window.probe(at: position, verifyingPayload: true) else { continue }
                offset = position + UInt64(header.frameBytes)
                if header.type == .snapshot, let snapshot = Self.snapshot(header, at: position, in: window) {
                    let lsn = LSN(segment: number, offset: position)
                    found.append(
                        Base(snapshot: snapshot, durable: header.durableThrough, name: "snapshot at \(lsn)"))
                }
            }
        }
        return found
    }

    private static func snapshot(_ header: FrameHeader, at offset: UInt64, in window: SegmentWindow) -> Snapshot? {
        guard let payload = try? window.payload(of: header, at: offset),
            let raw = try? FramePayload.decompress(payload.rawSpan, header: header)
        else { return nil }
        return try? Snapshot(decoding: raw.rawSpan)
    }

    /// No snapshot is left: replay everything that is there, with the pointers as they were at the beginning. Nobody knows what
    /// became of the events before the first one that is there: they count as lost, or as unreadable when that is why.
    private mutating func baseWithoutSnapshot(_ logUUID: LogUUID) throws(LogError) -> Base {
        report.remarks.append("no snapshot is left; everything that is there is replayed")
        for (index, number) in inventory.segments.enumerated() {
            guard let segment = try open(number), segment.identity.map({ $0.logUUID == logUUID }) ?? true else {
                continue
            }
            if segment.identity == nil {
                let next = inventory.segments.dropFirst(index + 1).first
                segment.life = try next.flatMap { (next) throws(LogError) in
                    try open(next)?.lifeOfPredecessor(number, logUUID)
                }
            }
            guard let life = segment.life, let window = segment.window() else {
                try refuseUnread(segment)
                continue
            }
            let start = LSN(segment: number, offset: UInt64(SpaceBudget.identityBytes))
            guard window.nextHeader(from: start.offset) != nil else { continue }
            let entry = SegmentEntry(
                number: number, salt: life.salt, baseSequence: EventSequence(1), endOffset: 0,
                segmentBytes: UInt32(segment.segmentBytes), kind: segment.identity?.kind ?? .regular, holdsEvents: false
            )
            return Base(
                snapshot: Snapshot(
                    covered: DurableThrough(lsn: start, nextSequence: EventSequence(1)),
                    epoch: Epoch(0), nonce: 0, segments: [entry]),
                durable: .nothing, name: "nothing: no snapshot is left")
        }
        throw LogError(
            .damaged,
            "\(directory.path) holds segments of a log, but not one readable frame; nothing was touched; restore a segment, or "
                + "move the files away to start anew")
    }

    // MARK: Reading

    /// The segments from the base on. The older ones must exist, and are checked when they are first read.
    private mutating func openScan(_ base: Base, _ logUUID: LogUUID) throws(LogError) -> [ScannedSegment] {
        let table = Dictionary(base.snapshot.segments.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        var scan: [ScannedSegment] = []
        for number in inventory.segments
        where number >= base.snapshot.covered.lsn.segment && !retired.contains(number) {
            guard let segment = try open(number) else {
                if (try? directory.status(of: FileNames.segment(number)))?.kind != .regular { strangers[number] = 0 }
                continue
            }
            #if PlantedBugs
                if PlantedBug.deleteUnidentifiedSegment.isPlanted, !segment.hasBothCopies {
                    try? directory.unlink(FileNames.segment(number))
                    continue
                }
            #endif
            let identity = segment.identity
            if segment.copies.count == 1 {
                report.remarks.append("one of the two identity blocks of segment \(number) is damaged")
            }
            if let identity, identity.logUUID != logUUID || identity.segment != number {
                report.remarks.append(
                    "\(FileNames.segment(number)) is segment \(identity.segment) of log \(identity.logUUID): not this one"
                )
                report.foreignFiles.append(FileNames.segment(number))
                if identity.logUUID == logUUID {
                    strangers[identity.segment] = identity.segmentBytes
                    highestNumber = max(highestNumber, identity.segment)
                }
                segment.life = nil
            }
            // What a durable snapshot says of it goes before what the file says of itself.
            if let entry = table[number], identity?.salt != entry.salt || segment.life == nil {
                segment.life = SegmentLife(logUUID: logUUID, salt: entry.salt, segment: number)
            }
            scan.append(segment)
        }
        for (index, segment) in scan.enumerated() where segment.life == nil && segment.identity == nil {
            report.remarks.append("both identity blocks of segment \(segment.number) are damaged")
            segment.life = scan.dropFirst(index + 1).first?.lifeOfPredecessor(segment.number, logUUID)
        }
        return scan
    }

    /// Segments of this log whose frames cannot be reached, though something in the directory proves that they existed: they
    /// stand under another one's name, or what stands under their own is no file, or does not say what it is. By their own
    /// number, with their sizes; 0 where nobody knows.
    private var strangers: [SegmentNumber: UInt64] = [:]
    private var directorySyncError: FileError?

    /// What was read may stand in the page cache only: written by a process that was killed before its sync, or left
    /// there by a sync that failed. What will be published is made durable first, and judged by what the device gives.
    /// (Else an unsynced frame is delivered, power is cut, and its sequence goes to another event.)
    private mutating func settle(_ scan: [ScannedSegment]) {
        for segment in scan {
            #if PlantedBugs
                if PlantedBug.publishUnsyncedFrames.isPlanted { continue }
            #endif
            do throws(FileError) {
                try segment.file.synchronize()
            } catch {
                segment.syncFailed = true
                report.remarks.append("segment \(segment.number) cannot be synced: \(error)")
            }
        }
        #if PlantedBugs
            if PlantedBug.skipRecoveredNameSync.isPlanted { return }
        #endif
        do throws(FileError) {
            try directory.synchronize()
        } catch {
            directorySyncError = error
        }
    }

    private mutating func survey(
        _ scan: [ScannedSegment], _ base: Base, _ logUUID: LogUUID
    ) throws(LogError) -> TailJudge {
        let covered = base.snapshot.covered
        var running = base.snapshot.epoch
        var openings: [EpochLedger.Opening] = []
        var statements: [SegmentSurvey.Statement] = []
        highestEpoch = max(running, slots.valid.map(\.snapshot.epoch).max() ?? running)
        var seal: SealRecord?
        var unidentified: [ScannedSegment] = []
        for segment in scan {
            // The segment before it, if nothing else, may say what its salt is.
            if segment.life == nil, segment.identity == nil, let seal, seal.nextSegment == segment.number {
                segment.life = SegmentLife(logUUID: logUUID, salt: seal.nextSalt, segment: segment.number)
            }
            if segment !== scan.first, segment.number > covered.lsn.segment, seal?.nextSegment != segment.number {
                unidentified.append(segment)
            }
            seal = nil
            if let identity = segment.identity, identity.life == segment.life {
                let opening = EpochLedger.Opening(identity.opening)
                highestEpoch = max(highestEpoch, opening.epoch)
                if opening.cut >= covered.lsn {
                    openings.append(opening)
                    // What an epoch is cut at is durable.
                    statements.append(
                        SegmentSurvey.Statement(
                            lsn: opening.lsn, epoch: opening.epoch, nonce: opening.nonce, through: identity.opening.cut)
                    )
                }
            }
            guard let window = segment.window() else { continue }
            let start =
                segment.number == covered.lsn.segment ? covered.lsn.offset : UInt64(SpaceBudget.identityBytes)
            let survey = SegmentSurvey(window, from: start, runningEpoch: &running)
            openings += survey.openings
            segment.headersEnd = survey.headersEnd
            statements += survey.statements
            highestEpoch = max(highestEpoch, survey.highestEpoch)
            seal = survey.sealNext
            if let next = seal?.nextSegment { highestNumber = max(highestNumber, next) }
        }
        // What the disk does not give may hold epochs, too, and may have had the same trouble when it was written: none of them may
        // have the number of another. An epoch takes a block of its segment, so those that begin in segment M and before it are
        // all below (M + 1) * 2^24; and a segment that was begun beside M, or after it, has a higher number, which its name shows.
        if let unseen = scan.last(where: \.hidesFrames) {
            let least = (unseen.number.rawValue + 1).multipliedReportingOverflow(by: 1 << 24)
            highestEpoch = max(highestEpoch, Epoch(least.overflow ? .max : least.partialValue))
        }
        let ledger = EpochLedger(
            base: base.snapshot.epoch.rawValue == 0
                ? nil
                : EpochLedger.Opening(
                    epoch: base.snapshot.epoch, nonce: base.snapshot.nonce, cut: covered.lsn,
                    nextSequence: covered.nextSequence, lsn: covered.lsn), found: openings)
        for segment in unidentified where !ledger.voids(segment.number) { try refuseUnread(segment) }
        var proven = covered
        for slot in slots.valid { proven = Self.further(proven, slot.durableThrough) }
        for statement in statements
        where !ledger.isStale(epoch: statement.epoch, nonce: statement.nonce, at: statement.lsn) {
            proven = Self.further(proven, statement.through)
        }
        report.provenThrough = proven
        lap("survey")
        return TailJudge(
            TailView(scan, known: base.snapshot.segments, ledger), present: inventory.segments, start: covered,
            proven: proven, report: report, retired: retired,
            snapshots: slots.valid.map(\.snapshot) + [base.snapshot])
    }

    private var highestEpoch = Epoch(0)
    private var highestNumber = SegmentNumber(0)

    private static func further(_ one: DurableThrough, _ other: DurableThrough) -> DurableThrough {
        DurableThrough(lsn: max(one.lsn, other.lsn), nextSequence: max(one.nextSequence, other.nextSequence))
    }

    // MARK: Conclusion

    private mutating func conclude(
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
            guard entries[number] == nil, number != judge.tailSegment?.number,
                !foreign.contains(FileNames.segment(number))
            else { return false }
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
            freshCut: DurableThrough(lsn: judge.freshCut.lsn, nextSequence: tail.nextSequence),
            lastEpoch: judge.lastEpoch
                ?? EpochStart(epoch: base.snapshot.epoch, nonce: base.snapshot.nonce),
            eras: judge.view.ledger.openings.map {
                Era(from: $0.lsn, start: EpochStart(epoch: $0.epoch, nonce: $0.nonce))
            }, highestEpoch: highestEpoch, highestNumber: highestNumber, tailSegment: judge.tailSegment,
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
    private func refuseUnread(_ segment: ScannedSegment) throws(LogError) {
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

extension Snapshot {
    /// Whether this snapshot says that a segment is not needed: it has a number up to the newest one's, and is not in the table.
    func retires(_ number: SegmentNumber) -> Bool {
        guard let newest = segments.last?.number, number <= newest else { return false }
        return !segments.contains { $0.number == number }
    }

    func retiredNumbers(among numbers: [SegmentNumber]) -> Set<SegmentNumber> {
        guard let newest = segments.last?.number else { return [] }
        let live = Set(segments.map(\.number))
        return Set(numbers.filter { $0 <= newest && !live.contains($0) })
    }
}
