internal import FileIO
internal import LogFormat

/// One opening of a log, step by step.
struct LogOpening {
    let directory: any StorageDirectory
    let runtime: any Runtime
    let configuration: LogConfiguration
    let budget: SpaceBudget
    /// Of the disk, when the opening began.
    let freeBytes: UInt64
    let started: UInt64

    init(
        _ directory: any StorageDirectory, _ runtime: any Runtime, _ configuration: LogConfiguration
    ) throws(LogError) {
        self.directory = directory
        self.runtime = runtime
        self.configuration = configuration
        started = runtime.monotonicClock()
        let volume: VolumeStatus
        do throws(FileError) { volume = try directory.volume() } catch {
            throw LogError.file(error, "the file system of \(directory.path) cannot be asked")
        }
        if volume.isNetwork && !configuration.allowsNetworkFileSystem {
            throw LogError(
                .notALog,
                "\(directory.path) is on \(volume.fileSystemName), a network file system, whose locks and syncs cannot be "
                    + "relied on; use a local disk, or set allowsNetworkFileSystem")
        }
        freeBytes = volume.freeBytes
        budget = try SpaceBudget(
            configuration, blockBytes: max(configuration.blockBytes ?? 512, volume.logicalBlockBytes))
        guard budget.clientStateLimitBytes >= configuration.leastClientStateBytes else {
            throw .configuration(
                "a snapshot of \(budget.snapshotLimitBytes) bytes leaves \(max(0, budget.clientStateLimitBytes)) for the "
                    + "pointers beside its table of segments, and \(configuration.leastClientStateBytes) are needed; raise "
                    + "snapshotLimitBytes or segmentBytes")
        }
    }

    func run(
        clientState: (@Sendable () -> ClientCheckpoint)?, restored: (ClientCheckpoint) throws(LogError) -> Void,
        replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> (Log, FoundFileRemoval?) {
        let inventory: LogInventory
        do throws(FileError) { inventory = try LogInventory(directory) } catch {
            throw .file(error, "\(directory.path) cannot be listed")
        }
        #if PlantedBugs
            if PlantedBug.makeDamagedLogAnew.isPlanted, inventory.segments.isEmpty {
                return (try create(inventory, clientState, restored), nil)
            }
        #endif
        if inventory.isVirgin { return (try create(inventory, clientState, restored), nil) }
        var recovery = Recovery(
            directory, inventory: inventory, policy: configuration.damagePolicy, clock: runtime.monotonicClock)
        // Handed on as it is judged: memory for one frame, however much there is to replay.
        let outcome = try recovery.run(
            begin: { (snapshot) throws(LogError) in
                try checkLimit(snapshot)
                try restored(ClientCheckpoint(through: snapshot.covered, bytes: snapshot.client))
            }, replay: replay)
        try checkLimit(outcome.base.snapshot)
        return try publish(outcome, clientState, replay)
    }

    private func checkLimit(_ snapshot: Snapshot) throws(LogError) {
        guard snapshot.encodedBytes + 2 * SegmentEntry.byteCount <= budget.snapshotLimitBytes else {
            throw .configuration(
                "the snapshot in \(directory.path) takes \(snapshot.encodedBytes) bytes, snapshotLimitBytes is "
                    + "\(budget.snapshotLimitBytes); nothing was touched; raise it")
        }
    }

    // MARK: A new log

    func create(
        _ inventory: LogInventory, _ clientState: (@Sendable () -> ClientCheckpoint)?,
        _ restored: (ClientCheckpoint) throws(LogError) -> Void
    ) throws(LogError) -> Log {
        guard configuration.createsIfMissing else {
            throw LogError(.notALog, "there is no log in \(directory.path); set createsIfMissing to make one")
        }
        let strangers = inventory.foreign.filter { $0 != "lost+found" }
        guard strangers.isEmpty else {
            throw LogError(
                .notALog,
                "\(directory.path) holds \(strangers.count) files that are not a log's (\(strangers[0]), ...); a log wants a "
                    + "directory of its own")
        }
        var report = RecoveryReport()
        report.created = true
        let uuid = LogUUID(high: runtime.randomNonzero(), low: runtime.randomNonzero())
        let start = DurableThrough(
            lsn: LSN(segment: SegmentNumber(1), offset: UInt64(SpaceBudget.identityBytes)),
            nextSequence: EventSequence(1))
        var spareNames = inventory.temporaries.map(foundFile)
        removeNow(&spareNames, &report)
        // Before there is a log: a crash behind its first name must not leave one whose capacity nobody knows.
        try LogSettings(capacityBytes: budget.capacityBytes, segmentBytes: budget.segmentBytes).write(
            in: directory, runtime)
        let opening = EpochOpening(
            epoch: Epoch(1), nonce: runtime.randomNonzero(), cut: start, segment: SegmentNumber(1))
        let identity = identity(
            uuid, SegmentNumber(1), after: nil, bytes: UInt64(budget.segmentBytes), .regular, [opening])
        let entry = entry(identity, start.nextSequence)
        let snapshot = Snapshot(covered: start, epoch: Epoch(0), nonce: 0, segments: [entry])
        let record = openRecord(cut: start, previous: Epoch(0), .created)
        let (method, made) = try makeFresh(
            identity, snapshot, record, stated: .nothing, carried: [], next: start.nextSequence, reserve: nil)
        try restored(ClientCheckpoint(through: start, bytes: []))
        report.tail = start
        let log = makeLog(
            report, uuid, identity.openings, method, active: made.segment, durable: made.group.end,
            table: SegmentTable([entry]), highestNumber: SegmentNumber(1), eras: [],
            openedAt: start.lsn, inUse: UInt64(budget.segmentBytes),
            reserves: [], slots: CheckpointFile.Slots(), losses: [], clientState)
        makeReserves(log)
        try log.writeCheckpoint(ClientCheckpoint(through: start, bytes: []))
        log.recoveryReport.end(with: "files", since: started, of: started, at: runtime.monotonicClock())
        return log
    }

    // MARK: A log that is there

    func publish(
        _ outcome: Recovery.Outcome, _ clientState: (@Sendable () -> ClientCheckpoint)?,
        _ replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> (Log, FoundFileRemoval?) {
        var outcome = outcome
        var report = outcome.report
        let publishing = runtime.monotonicClock()
        // Files under spare names mean nothing. Where their room may be needed they go first, else when the log is open.
        var spareNames = outcome.inventory.temporaries.map(foundFile)
        var canWait = canRemoveLater(outcome, spareNames)
        if canWait { removeOthers(than: &spareNames, &report) } else { removeNow(&spareNames, &report) }
        let setAside = SetAside(directory: directory, runtime: runtime, budget: budget)
        setAside.copy(cut: report.unknown, of: outcome.logUUID, &report)
        var epoch = EpochStart(
            epoch: Epoch(outcome.highestEpoch.rawValue + 1), nonce: runtime.randomNonzero())
        report.epoch = epoch.epoch
        var table = outcome.table
        let reason: OpenReason = report.wasClosedCleanly ? .reopened : .recovered
        let made: Place
        var reserves = outcome.inventory.reserves
        if let continued = try continueInPlace(outcome, &table, &epoch, reason, &report) {
            made = continued
        } else {
            removeNow(&spareNames, &report)
            canWait = false
            made = try startFresh(&outcome, &table, epoch, reason, &reserves, clientState, replay)
        }
        let begun = runtime.monotonicClock()
        report.steps.append(RecoveryStep(name: "epoch", nanoseconds: begun - publishing))
        setAside.copy(damaged: outcome.newLosses, of: outcome.logUUID, &report)
        let keep = Set(table.entries.map(\.number))
        if canWait { report.removedFiles += spareNames.map(\.name) }
        let found = FoundFiles(
            spareNames: spareNames,
            segments: outcome.removable.filter { !keep.contains($0) }.map { foundFile(FileNames.segment($0)) })
        let copies = Set(outcome.inventory.setAside + report.setAsideFiles).subtracting(report.removedFiles)
        let log = makeLog(
            report, outcome.logUUID, made.openings, made.method, setAsideBytes: setAside.bytes(of: copies.sorted()),
            active: made.segment, durable: made.durable, table: table,
            highestNumber: max(outcome.highestNumber, made.segment.number),
            eras: outcome.eras, openedAt: made.openedAt,
            inUse: segmentBytesOnDisk(table) + spareNames.sumOfBytes, reserves: usableReserves(reserves),
            slots: outcome.slots, losses: outcome.newLosses, clientState)
        log.reportBytes = outcome.inventory.reports.reduce(0) { sum, name in
            sum + ((try? directory.status(of: name))?.allocatedBytes ?? 0)
        }
        let removal = found.files.isEmpty ? nil : FoundFileRemoval(log, found)
        if !canWait { removal?.finishNow() }
        makeReserves(log)
        log.recoveryReport.end(with: "files", since: begun, of: started, at: runtime.monotonicClock())
        // A crash may have come before they were let go, and nothing else would come to them before the next roll.
        if !log.state.retirableWithoutLeave().isEmpty { runtime.schedule(after: 0) { log.retireWhatIsLeft() } }
        return (log, canWait ? removal : nil)
    }

    // MARK: Parts

    /// The weaker durabilities write through the page cache, and sync later.
    private var writeMethods: [WriteMethod] {
        configuration.durability == .commit ? configuration.writeMethods : [.writeThenSync]
    }

    func openForWriting(_ number: SegmentNumber) throws(LogError) -> (WriteMethod, any StorageFile)? {
        for method in writeMethods {
            do throws(FileError) {
                return (method, try directory.open(FileNames.segment(number), for: .writing(method)))
            } catch {
                if error.reason == .unsupported { continue }
                throw .file(error, "segment \(number) of \(directory.path) cannot be opened for writing")
            }
        }
        throw Self.noMethod(directory.path)
    }

    func makeFresh(
        _ identity: IdentityBlock, _ snapshot: Snapshot, _ record: OpenRecord,
        stated: DurableThrough, carried: [CarriedFrame], next: EventSequence, reserve: Int?
    ) throws(LogError) -> (WriteMethod, (segment: ActiveSegment, group: GroupCommit)) {
        let first = [
            FramePayload.own(.snapshot) { () throws(FormatError) in try snapshot.encode() },
            FramePayload.own(.open) { () throws(FormatError) in try record.encode() },
        ]
        var numbering = GroupCommit.Numbering(first, from: record.nextSequence)
        for frame in carried {
            numbering.next = frame.base
            numbering.append(frame.payload)
        }
        // What was lost or cannot be read behind the last of them may have had numbers, too.
        numbering.next = max(numbering.next, next)
        for method in writeMethods {
            do throws(FileError) {
                let fresh = FreshSegment(directory: directory, runtime: runtime, budget: budget, method: method)
                return (
                    method,
                    try fresh.make(
                        identity, frames: first + carried.map(\.payload), numbering, stated: stated, reserve: reserve)
                )
            } catch {
                if error.reason == .unsupported { continue }
                throw .file(error, "a segment cannot be made in \(directory.path)")
            }
        }
        throw Self.noMethod(directory.path)
    }

    static func noMethod(_ path: String) -> LogError {
        LogError(
            .configuration, "the file system of \(path) takes none of the configured write methods; allow writeThenSync"
        )
    }

    func identity(
        _ uuid: LogUUID, _ number: SegmentNumber, after: SegmentEntry?, bytes: UInt64, _ kind: SegmentKind,
        _ openings: [EpochOpening]
    ) -> IdentityBlock {
        IdentityBlock(
            logUUID: uuid, segment: number, salt: runtime.randomNonzero(), segmentBytes: bytes,
            creationTime: runtime.wallClock(), predecessor: after?.number ?? SegmentNumber(0),
            predecessorSalt: after?.salt ?? 0, kind: kind,
            openings: openings)
    }

    func entry(_ identity: IdentityBlock, _ base: EventSequence) -> SegmentEntry {
        SegmentEntry(
            number: identity.segment, salt: identity.salt, baseSequence: base, endOffset: 0,
            segmentBytes: UInt32(identity.segmentBytes), kind: identity.kind, holdsEvents: false)
    }

    func openRecord(cut: DurableThrough, previous: Epoch, _ reason: OpenReason) -> OpenRecord {
        OpenRecord(
            cut: cut.lsn, nextSequence: cut.nextSequence, previousEpoch: previous,
            blockBytes: UInt32(budget.blockBytes), groupsInFlight: UInt16(configuration.groupsInFlight),
            durability: configuration.durability, reason: reason)
    }

    func makeLog(
        _ report: RecoveryReport, _ uuid: LogUUID, _ openings: [EpochOpening], _ method: WriteMethod,
        setAsideBytes: UInt64 = 0, active: ActiveSegment,
        durable: DurableThrough, table: SegmentTable, highestNumber: SegmentNumber,
        eras: [Era], openedAt: LSN, inUse: UInt64,
        reserves: Set<Int>, slots: CheckpointFile.Slots, losses: [DamagedRange],
        _ clientState: (@Sendable () -> ClientCheckpoint)?
    ) -> Log {
        var report = report
        report.epoch = openings.present.epoch
        let state = LogState(
            budget: budget, configuration: configuration, logUUID: uuid, openings: openings,
            eras: eras + [Era(from: openedAt, start: EpochStart(openings.present))], durable: durable,
            highestNumber: highestNumber, table: table, active: active, segmentBytesInUse: inUse,
            reservesPresent: reserves)
        let log = Log(
            configuration: configuration, directory: directory, runtime: runtime, budget: budget, report: report,
            writeMethod: method, state: state, checkpointGeneration: (slots.newest?.generation ?? 0) + 1,
            nextSlot: slots.newest.map { 1 - $0.slot } ?? 0, clientSource: clientState)
        log.lossesToRecord = losses
        log.setAsideBytes = setAsideBytes
        writePID()
        return log
    }
}

/// Where a new epoch goes on.
struct Place {
    var method: WriteMethod
    var segment: ActiveSegment
    var durable: DurableThrough
    /// Where its first frame stands.
    var openedAt: LSN
    /// It, and before it others that identities have to state.
    var openings: [EpochOpening]
}

/// A new epoch's number and nonce.
struct EpochStart: Equatable, Sendable {
    var epoch: Epoch
    var nonce: UInt64
}

extension EpochStart {
    init(_ opening: EpochOpening) { self.init(epoch: opening.epoch, nonce: opening.nonce) }
}
