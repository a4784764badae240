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
        var lastEpoch: EpochStart
        /// The epochs from the base on.
        var eras: [Era]
        /// Those, and of earlier ones those that identities state: what they cut off may stand in files that nobody looks at now.
        var openings: [EpochOpening]
        var ledger: EpochLedger
        var decisions: [TailDecision]
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

    let directory: any StorageDirectory
    let policy: DamagePolicy
    let inventory: LogInventory
    var slots: CheckpointFile.Slots
    var opened: [SegmentNumber: ScannedSegment] = [:]
    var report = RecoveryReport()
    var retired: Set<SegmentNumber> = []
    var highestEpoch = Epoch(0)
    var highestNumber = SegmentNumber(0)
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
            guard !slots.isUnread, !opened.values.contains(where: \.isIdentityUnread) else {
                throw LogError(
                    .fileOperation,
                    "the disk gives neither a segment's identity nor a checkpoint in \(directory.path), so nobody knows which log "
                        + "this is; nothing was touched; restore the disk, or copy the directory to another one")
            }
            throw LogError(
                .damaged,
                "\(directory.path) holds files of a log, but no segment and no checkpoint that says which; nothing was "
                    + "touched; restore a segment, or move the files away to start anew")
        }
        return best.key
    }

    /// nil when the file cannot be opened as a segment at all.
    mutating func open(_ number: SegmentNumber) throws(LogError) -> ScannedSegment? {
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
    var strangers: [SegmentNumber: UInt64] = [:]
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
                highestEpoch = max(highestEpoch, identity.opening.epoch)
                for stated in identity.openings {
                    let opening = EpochLedger.Opening(stated)
                    openings.append(opening)
                    // What an epoch is cut at is durable.
                    statements.append(
                        SegmentSurvey.Statement(
                            lsn: opening.lsn, epoch: opening.epoch, nonce: opening.nonce, through: stated.cut)
                    )
                }
            }
            if segment.identity == nil, segment.number == covered.lsn.segment, let window = segment.window() {
                // What it stated, the `open` frames before the base state as well.
                var running = Epoch(0)
                let before = SegmentSurvey(window, from: UInt64(SpaceBudget.identityBytes), runningEpoch: &running)
                openings += before.openings.filter { $0.lsn < covered.lsn }
                highestEpoch = max(highestEpoch, before.highestEpoch)
            }
            // Replay begins in the first one, and as a rule goes no further than the last checkpoint lies back.
            let isFirst = segment === scan.first
            guard let window = segment.window(remembering: isFirst ? Self.rememberedBytes : 0) else { continue }
            let start =
                segment.number == covered.lsn.segment ? covered.lsn.offset : UInt64(SpaceBudget.identityBytes)
            let survey = SegmentSurvey(window, from: start, runningEpoch: &running)
            if isFirst, window.isUnblemished { segment.surveyed = window }
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

    /// Of what the survey reads, for the replay. A checkpoint is written each 4 MiB, unless it was configured otherwise.
    private static let rememberedBytes = 5 << 20

    private static func further(_ one: DurableThrough, _ other: DurableThrough) -> DurableThrough {
        DurableThrough(lsn: max(one.lsn, other.lsn), nextSequence: max(one.nextSequence, other.nextSequence))
    }
}

extension Snapshot {
    /// Whether this snapshot says that a segment is not needed: it has a number up to the newest one's, and is not in the table.
    func retires(_ number: SegmentNumber) -> Bool { !retiredNumbers(among: [number]).isEmpty }

    func retiredNumbers(among numbers: [SegmentNumber]) -> Set<SegmentNumber> {
        guard let newest = segments.last?.number else { return [] }
        let live = Set(segments.map(\.number))
        return Set(numbers.filter { $0 <= newest && !live.contains($0) })
    }
}
