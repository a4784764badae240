public import FileIO
internal import LogFormat

extension Log {
    /// Opens the log in a directory, or makes a new one there, and recovers what a crash left.
    ///
    /// On return a new epoch has begun: everything that `replay` was given, and everything that can be read, is durable.
    /// Blocks; reads from the newest snapshot's position to the end of the log, and the names in the directory.
    ///
    /// - Parameters:
    ///   - clientState: asked, with no lock held, whenever the client's pointers are to be written down. nil: there are none.
    ///   - replay: gets every accepted frame from the newest snapshot's position on, in order, before this returns.
    ///   - restored: gets the client's state of that snapshot, once, before the first frame.
    /// - Throws: `notALog`, `inUse`, `newerVersion`, `configuration`, `damaged` (under `strict`, or when no identity is
    ///   left), `full` (no room for the segment that the new epoch needs), `fileOperation`.
    public static func open(
        at path: String, fileSystem: any FileSystem, runtime: any Runtime, configuration: LogConfiguration,
        clientState: (@Sendable () -> ClientCheckpoint)? = nil,
        restored: (ClientCheckpoint) throws(LogError) -> Void = { _ in },
        replay: (ReplayedFrame) throws(LogError) -> Void = { _ in }
    ) throws(LogError) -> Log {
        let directory = try openDirectory(path, fileSystem, configuration)
        do throws(LogError) {
            let opening = try LogOpening(directory, runtime, configuration)
            let log = try opening.run(clientState: clientState, restored: restored, replay: replay)
            try log.finishOpening()
            return log
        } catch {
            directory.close()
            throw error
        }
    }

    private static func openDirectory(
        _ path: String, _ fileSystem: any FileSystem, _ configuration: LogConfiguration
    ) throws(LogError) -> any StorageDirectory {
        do throws(FileError) {
            if configuration.createsIfMissing { try fileSystem.makeDirectory(at: path) }
            let directory = try fileSystem.openDirectory(at: path)
            if try directory.tryLock() { return directory }
            let holder = LogOpening.readPID(directory).map { " (process \($0), as it said when it opened)" } ?? ""
            directory.close()
            throw FileError(.lock, path: path + holder, errno: 0, reason: .exists)
        } catch {
            if error.operation == .lock, error.errno == 0 {
                throw LogError(
                    .inUse,
                    "the log is in use: another opening holds \(error.path); close it, or wait for its process to end")
            }
            throw LogError(.notALog, "\(path) cannot be opened as a log's directory", fileError: error)
        }
    }

    /// The rest of an opening, through the log's own paths: losses are recorded, and what needs no leave is retired.
    private func finishOpening() throws(LogError) {
        let pendingLosses = lock.withLock { () -> [DamagedRange] in
            defer { lossesToRecord = [] }
            return lossesToRecord
        }
        if !pendingLosses.isEmpty {
            let frames = pendingLosses.map { range in
                LogState.payload(.loss, LogState.encoded { () throws(FormatError) in try range.record.encode() })
            }
            _ = try append(frames)
        }
        let unneeded = lock.withLock { state.retirableWithoutLeave() }
        if !unneeded.isEmpty {
            do throws(LogError) { try retire(unneeded) } catch {
                lock.withLock { lastBackgroundError = error }
            }
        }
    }
}

extension Log {
    /// Removes segments that recovery found and nothing needs. Never recycled: recovery did not make these files and cannot
    /// know what else uses them. A checkpoint comes first, so that two durable places say that they are gone.
    fileprivate func removeFound(_ numbers: [SegmentNumber]) {
        do throws(LogError) {
            try checkpoint()
            do throws(FileError) {
                for number in numbers { try directory.unlink(FileNames.segment(number)) }
                try directory.synchronize()
            } catch {
                throw .file(error, "segments that are not needed any more cannot be removed from \(path)")
            }
        } catch {
            lastBackgroundError = error
        }
        state.segmentBytesInUse = Self.segmentBytes(in: directory, budget)
    }

    /// What the segment files take; a reserve in use counts as reserve.
    fileprivate static func segmentBytes(in directory: any StorageDirectory, _ budget: SpaceBudget) -> UInt64 {
        var sum: UInt64 = 0
        for name in (try? directory.list()) ?? [] {
            guard case .segment = FileNames.kind(of: name), let status = try? directory.status(of: name) else {
                continue
            }
            if status.size != UInt64(budget.reserveBytes) { sum += status.size }
        }
        return sum
    }
}

/// One opening of a log, step by step.
struct LogOpening {
    let directory: any StorageDirectory
    let runtime: any Runtime
    let configuration: LogConfiguration
    let budget: SpaceBudget
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
        budget = try SpaceBudget(
            configuration, blockBytes: max(configuration.blockBytes ?? 512, volume.logicalBlockBytes))
    }

    func run(
        clientState: (@Sendable () -> ClientCheckpoint)?, restored: (ClientCheckpoint) throws(LogError) -> Void,
        replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> Log {
        let inventory: LogInventory
        do throws(FileError) { inventory = try LogInventory(directory) } catch {
            throw .file(error, "\(directory.path) cannot be listed")
        }
        if inventory.isVirgin { return try create(inventory, clientState, restored) }
        var recovery = Recovery(directory, inventory: inventory, policy: configuration.damagePolicy)
        var held: [ReplayedFrame] = []
        let outcome = try recovery.run { (frame) throws(LogError) in held.append(frame) }
        let snapshot = outcome.base.snapshot
        try restored(ClientCheckpoint(through: snapshot.covered, bytes: snapshot.client))
        for frame in held { try replay(frame) }
        return try publish(outcome, clientState, replay)
    }

    // MARK: A new log

    private func create(
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
        removeTemporaries(inventory.temporaries, &report)
        let identity = identity(uuid, SegmentNumber(1), after: nil, bytes: UInt64(budget.segmentBytes), .regular)
        let entry = entry(identity, start.nextSequence)
        let epoch = EpochStart(epoch: Epoch(1), nonce: runtime.randomNonzero())
        let snapshot = Snapshot(covered: start, epoch: Epoch(0), nonce: 0, segments: [entry])
        let record = openRecord(cut: start, previous: Epoch(0), .created)
        let (method, made) = try makeFresh(
            identity, snapshot, record, epoch, stated: .nothing, carried: [], reserve: nil)
        try restored(ClientCheckpoint(through: start, bytes: []))
        report.tail = start
        let log = makeLog(
            report, uuid, epoch, method, active: made.segment, durable: made.group.end,
            table: SegmentTable([entry]), highestNumber: SegmentNumber(1), eras: [],
            openedAt: start.lsn, inUse: UInt64(budget.segmentBytes),
            reserves: [], slots: CheckpointFile.Slots(), losses: [], clientState)
        makeReserves(log)
        try log.writeCheckpoint(
            log.lock.withLock { log.state.snapshot(ClientCheckpoint(through: start, bytes: [])) },
            durable: made.group.end)
        return log
    }

    // MARK: A log that is there

    private func publish(
        _ outcome: Recovery.Outcome, _ clientState: (@Sendable () -> ClientCheckpoint)?,
        _ replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) -> Log {
        var outcome = outcome
        var report = outcome.report
        // Files under spare names first: their room may be needed, and they mean nothing.
        removeTemporaries(outcome.inventory.temporaries, &report)
        let setAside = SetAside(directory: directory, runtime: runtime, budget: budget)
        setAside.copy(cut: report.unknown, of: outcome.logUUID, &report)
        let epoch = EpochStart(
            epoch: Epoch(outcome.highestEpoch.rawValue + 1), nonce: runtime.randomNonzero())
        report.epoch = epoch.epoch
        var table = outcome.table
        let reason: OpenReason = report.wasClosedCleanly ? .reopened : .recovered
        let made: Place
        var reserves = outcome.inventory.reserves
        if let continued = try continueInPlace(outcome, &table, epoch, reason, &report) {
            made = continued
        } else {
            made = try startFresh(&outcome, &table, epoch, reason, &reserves, clientState, replay)
        }
        report.durationNanoseconds = runtime.monotonicClock() - started
        setAside.copy(damaged: outcome.newLosses, of: outcome.logUUID, &report)
        let keep = Set(table.entries.map(\.number))
        let removable = outcome.removable.filter { !keep.contains($0) }
        let log = makeLog(
            report, outcome.logUUID, epoch, made.method, active: made.segment, durable: made.durable, table: table,
            highestNumber: max(outcome.highestNumber, made.segment.number),
            eras: outcome.eras, openedAt: made.openedAt, inUse: segmentBytesOnDisk(),
            reserves: usableReserves(reserves), slots: outcome.slots, losses: outcome.newLosses, clientState)
        if !removable.isEmpty { log.removeFound(removable) }
        makeReserves(log)
        return log
    }

    /// Writes the `open` frame at the tail, alone, at the next block boundary: reopening costs one block. nil when the
    /// last segment cannot be written on: it is damaged, short, full, or its sync failed.
    private func continueInPlace(
        _ outcome: Recovery.Outcome, _ table: inout SegmentTable, _ epoch: EpochStart, _ reason: OpenReason,
        _ report: inout RecoveryReport
    ) throws(LogError) -> Place? {
        guard !outcome.mustStartFresh, outcome.carried.isEmpty, let last = outcome.tailSegment, !last.syncFailed,
            last.validCopies == 2, let identity = last.identity, identity.life == last.life,
            last.status.size >= identity.segmentBytes, last.status.linkCount == 1
        else { return nil }
        let isUnused = outcome.tail.lsn.offset == UInt64(SpaceBudget.identityBytes)
        let cursor = SpaceBudget.roundUp(outcome.tail.lsn.offset, to: budget.blockBytes)
        let room = UInt64((isUnused ? budget.firstGroupBytes : budget.blockBytes) + budget.blockBytes)
        guard cursor + room <= identity.segmentBytes, let (method, file) = try openForWriting(last.number) else {
            return nil
        }
        let segment = ActiveSegment(
            number: last.number, life: identity.life, file: file, segmentBytes: identity.segmentBytes,
            kind: identity.kind, cursor: cursor)
        var changed = table
        if changed.entry(last.number) == nil { changed.append(entry(identity, outcome.tail.nextSequence)) }
        changed.update(last.number) { $0.endOffset = 0 }
        var frames: [FramePayload] = []
        if isUnused {
            let base = outcome.base.snapshot
            let snapshot = Snapshot(
                covered: base.covered, epoch: base.epoch, nonce: base.nonce, segments: changed.entries,
                client: base.client)
            frames.append(
                LogState.payload(.snapshot, LogState.encoded { () throws(FormatError) in try snapshot.encode() }))
        }
        let record = openRecord(cut: outcome.tail, previous: outcome.highestEpoch, reason)
        frames.append(LogState.payload(.open, LogState.encoded { () throws(FormatError) in try record.encode() }))
        let group = GroupCommit(
            segment: segment, plan: GroupPlan(frames, blockBytes: budget.blockBytes),
            frames: frames, tickets: [], firstFrames: [], epoch: epoch.epoch, nonce: epoch.nonce,
            stated: outcome.tail, nextSequence: outcome.tail.nextSequence, opensEpoch: true)
        do throws(FileError) {
            try write(group)
        } catch {
            // Whether the frame is on the disk nobody knows; the next epoch, in a fresh segment, cuts at the same place.
            try? file.close()
            report.remarks.append("the last segment cannot be written on: \(error)")
            return nil
        }
        segment.cursor = group.end.lsn.offset
        table = changed
        return Place(
            method: method, segment: segment, durable: group.end,
            openedAt: LSN(segment: segment.number, offset: group.offset))
    }

    private func write(_ group: GroupCommit) throws(FileError) {
        let buffer = AlignedBuffer(byteCount: group.plan.totalBytes)
        group.assemble(into: buffer, commitTime: runtime.wallClock())
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
    private func startFresh(
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
        table.update(cut.lsn.segment) { $0.endOffset = max(cut.lsn.offset, UInt64(SpaceBudget.identityBytes)) }
        let frames = try carried.map { (frame) throws(LogError) in try Self.again(frame) }
        let bytes = frames.reduce(budget.firstGroupBytes) { $0 + $1.minimumFrameBytes }
        let size = budget.segmentBytes(forGroupOf: SpaceBudget.roundUp(bytes, to: budget.blockBytes))
        let inUse = segmentBytesOnDisk()
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
                outcome.logUUID, number, after: table.newest, bytes: attempt.1, attempt.0)
            var changed = table
            var own = entry(identity, cut.nextSequence)
            own.holdsEvents = carried.contains { $0.header.type == .put }
            changed.append(own)
            let base = outcome.base.snapshot
            let snapshot = Snapshot(
                covered: base.covered, epoch: base.epoch, nonce: base.nonce, segments: changed.entries,
                client: base.client)
            let record = openRecord(cut: cut, previous: outcome.highestEpoch, reason)
            do throws(LogError) {
                let (method, made) = try makeFresh(
                    identity, snapshot, record, epoch, stated: cut, carried: frames, reserve: attempt.2)
                if let used = attempt.2 { reserves.remove(used) }
                table = changed
                for (index, frame) in carried.enumerated() {
                    try replay(made.group.replayed(index + 2, header: frame.header))
                }
                return Place(
                    method: method, segment: made.segment, durable: made.group.end,
                    openedAt: LSN(segment: number, offset: made.group.offset))
            } catch {
                // The disk is full, though the capacity is not: the reserve was made for this.
                guard error.fileError?.reason == .noSpace, attempt.2 == nil, frames.isEmpty, let index = reserves.min()
                else { throw error }
                attempt = (.reserve, UInt64(budget.reserveBytes), index)
            }
        }
    }

    /// What the fresh segment is made of: a new file within the budget; else the reserve; else the place of a reserve
    /// segment that nothing needs any more (a log that crashed again and again before it could retire it).
    private func source(
        _ size: UInt64, _ useReserve: Bool, _ reserves: Set<Int>, _ outcome: inout Recovery.Outcome,
        _ table: inout SegmentTable, _ clientState: (@Sendable () -> ClientCheckpoint)?
    ) throws(LogError) -> (SegmentKind, UInt64, Int?)? {
        if !useReserve { return (.regular, size, nil) }
        if let index = usableReserves(reserves).min() { return (.reserve, UInt64(budget.reserveBytes), index) }
        // Everything was replayed, so the client's state covers the whole log; new losses must stay to be found again.
        let client = clientState?() ?? ClientCheckpoint(through: outcome.tail, bytes: [])
        guard client.through == outcome.tail, outcome.newLosses.isEmpty,
            let first = table.entries.dropLast().first(where: { $0.kind == .reserve && !$0.holdsEvents })
        else { return nil }
        table.remove([first.number])
        outcome.base.snapshot = Snapshot(
            covered: client.through, epoch: outcome.lastEpoch.epoch, nonce: outcome.lastEpoch.nonce,
            segments: table.entries, client: client.bytes)
        try reclaim(first, outcome)
        return (.reserve, UInt64(budget.reserveBytes), nil)
    }

    /// Removes a segment without events, after a checkpoint that covers the whole log and does not list it.
    private func reclaim(_ entry: SegmentEntry, _ outcome: Recovery.Outcome) throws(LogError) {
        let newest = outcome.slots.newest
        let slot = CheckpointSlot(
            slot: newest.map { 1 - $0.slot } ?? 0, logUUID: outcome.logUUID,
            generation: (newest?.generation ?? 0) + 1, durableThrough: outcome.tail, time: runtime.wallClock(),
            snapshot: outcome.base.snapshot)
        let buffer = try CheckpointFile.encode(slot, slotBytes: budget.slotBytes)
        do throws(FileError) {
            try CheckpointFile.overwrite(slot.slot, with: buffer, in: directory, slotBytes: budget.slotBytes)
            try directory.unlink(FileNames.segment(entry.number))
            try directory.synchronize()
        } catch {
            throw .file(error, "segment \(entry.number) of \(directory.path), which nothing needs, cannot be removed")
        }
    }

    /// The same frame for another place: payload and numbers as they were.
    private static func again(_ frame: ReplayedFrame) throws(LogError) -> FramePayload {
        do throws(FormatError) {
            let raw = try FramePayload.decompress(frame.payload.rawSpan, header: frame.header)
            return try FramePayload(
                type: frame.header.type, eventCount: frame.header.eventCount,
                transactionCount: frame.header.transactionCount, raw: raw, compression: frame.header.compression)
        } catch {
            throw LogError(.damaged, "the frame at \(frame.lsn) cannot be carried over: \(error)", lsn: frame.lsn)
        }
    }

    // MARK: Parts

    private func openForWriting(_ number: SegmentNumber) throws(LogError) -> (WriteMethod, any StorageFile)? {
        for method in configuration.writeMethods {
            do throws(FileError) {
                return (method, try directory.open(FileNames.segment(number), for: .writing(method)))
            } catch {
                if error.reason == .unsupported { continue }
                throw .file(error, "segment \(number) of \(directory.path) cannot be opened for writing")
            }
        }
        throw Self.noMethod(directory.path)
    }

    private func makeFresh(
        _ identity: IdentityBlock, _ snapshot: Snapshot, _ record: OpenRecord, _ epoch: EpochStart,
        stated: DurableThrough, carried: [FramePayload], reserve: Int?
    ) throws(LogError) -> (WriteMethod, (segment: ActiveSegment, group: GroupCommit)) {
        let first = [
            LogState.payload(.snapshot, LogState.encoded { () throws(FormatError) in try snapshot.encode() }),
            LogState.payload(.open, LogState.encoded { () throws(FormatError) in try record.encode() }),
        ]
        for method in configuration.writeMethods {
            do throws(FileError) {
                let fresh = FreshSegment(directory: directory, runtime: runtime, budget: budget, method: method)
                return (
                    method,
                    try fresh.make(
                        identity, frames: first + carried, epoch: epoch.epoch, nonce: epoch.nonce, stated: stated,
                        nextSequence: record.nextSequence, reserve: reserve)
                )
            } catch {
                if error.reason == .unsupported { continue }
                throw .file(error, "a segment cannot be made in \(directory.path)")
            }
        }
        throw Self.noMethod(directory.path)
    }

    private static func noMethod(_ path: String) -> LogError {
        LogError(
            .configuration, "the file system of \(path) takes none of the configured write methods; allow writeThenSync"
        )
    }

    private func identity(
        _ uuid: LogUUID, _ number: SegmentNumber, after: SegmentEntry?, bytes: UInt64, _ kind: SegmentKind
    ) -> IdentityBlock {
        IdentityBlock(
            logUUID: uuid, segment: number, salt: runtime.randomNonzero(), segmentBytes: bytes,
            creationTime: runtime.wallClock(), predecessor: after?.number ?? SegmentNumber(0),
            predecessorSalt: after?.salt ?? 0, kind: kind)
    }

    private func entry(_ identity: IdentityBlock, _ base: EventSequence) -> SegmentEntry {
        SegmentEntry(
            number: identity.segment, salt: identity.salt, baseSequence: base, endOffset: 0,
            segmentBytes: UInt32(identity.segmentBytes), kind: identity.kind, holdsEvents: false)
    }

    private func openRecord(cut: DurableThrough, previous: Epoch, _ reason: OpenReason) -> OpenRecord {
        OpenRecord(
            cut: cut.lsn, nextSequence: cut.nextSequence, previousEpoch: previous,
            blockBytes: UInt32(budget.blockBytes), groupsInFlight: UInt16(configuration.groupsInFlight),
            durability: .commit, reason: reason)
    }

    private func makeLog(
        _ report: RecoveryReport, _ uuid: LogUUID, _ epoch: EpochStart, _ method: WriteMethod, active: ActiveSegment,
        durable: DurableThrough, table: SegmentTable, highestNumber: SegmentNumber,
        eras: [Era], openedAt: LSN, inUse: UInt64,
        reserves: Set<Int>, slots: CheckpointFile.Slots, losses: [DamagedRange],
        _ clientState: (@Sendable () -> ClientCheckpoint)?
    ) -> Log {
        var report = report
        report.epoch = epoch.epoch
        report.durationNanoseconds = runtime.monotonicClock() - started
        let state = LogState(
            budget: budget, configuration: configuration, logUUID: uuid, start: epoch,
            eras: eras + [Era(from: openedAt, start: epoch)], durable: durable,
            highestNumber: highestNumber, table: table, active: active, segmentBytesInUse: inUse,
            reservesPresent: reserves)
        let log = Log(
            configuration: configuration, directory: directory, runtime: runtime, budget: budget, report: report,
            writeMethod: method, state: state, checkpointGeneration: (slots.newest?.generation ?? 0) + 1,
            nextSlot: slots.newest.map { 1 - $0.slot } ?? 0, clientSource: clientState)
        log.lossesToRecord = losses
        writePID()
        return log
    }

    // MARK: Files around the log

    private func removeTemporaries(_ names: [String], _ report: inout RecoveryReport) {
        for name in names {
            do throws(FileError) {
                try directory.unlink(name)
                report.removedFiles.append(name)
            } catch {
                report.remarks.append("\(name), of no meaning, cannot be removed: \(error)")
            }
        }
    }

    private func segmentBytesOnDisk() -> UInt64 {
        Log.segmentBytes(in: directory, budget)
    }

    private func usableReserves(_ present: Set<Int>) -> Set<Int> {
        present.filter { index in
            guard let status = try? directory.status(of: FileNames.reserve(index)) else { return false }
            return status.kind == .regular && status.size == UInt64(budget.reserveBytes) && status.linkCount == 1
                && status.allocatedBytes >= status.size
        }
    }

    /// Makes the reserve whole again, as far as there is room.
    private func makeReserves(_ log: Log) {
        let live = log.state.table.entries.filter { $0.kind == .reserve }.count
        for index in 0..<2 where !log.state.reservesPresent.contains(index) {
            guard log.state.reservesPresent.count + live < 2 else { return }
            do throws(FileError) {
                if try directory.status(of: FileNames.reserve(index)) != nil {
                    try directory.unlink(FileNames.reserve(index))
                }
                let temporary = FileNames.temporary(runtime.randomNonzero())
                let file = try directory.create(temporary, method: log.writeMethod)
                do throws(FileError) {
                    try file.prewrite(0..<UInt64(budget.reserveBytes))
                    try file.synchronize()
                    try file.close()
                    try directory.rename(temporary, to: FileNames.reserve(index))
                } catch {
                    try? file.close()
                    try? directory.unlink(temporary)
                    throw error
                }
                try directory.synchronize()
                log.state.reservesPresent.insert(index)
            } catch {
                log.lastBackgroundError = .file(error, "the reserve of \(directory.path) is not whole")
                return
            }
        }
    }

    static func readPID(_ directory: any StorageDirectory) -> Int32? {
        let buffer = AlignedBuffer(byteCount: 4096)
        guard let file = try? directory.open(FileNames.pid, for: .reading),
            let count = try? file.read(into: buffer, at: 0, count: 16, from: 0, source: .cache)
        else { return nil }
        try? file.close()
        var text = ""
        for index in 0..<count {
            let byte = buffer.bytes.byte(at: index)
            guard byte >= 0x30, byte <= 0x39 else { break }
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return Int32(text)
    }

    /// For people only: nothing is decided by it, so it is not synced and its failure is nobody's.
    private func writePID() {
        if (try? directory.status(of: FileNames.pid)) != nil { try? directory.unlink(FileNames.pid) }
        guard let file = try? directory.create(FileNames.pid, method: .writeThenSync) else { return }
        let text = Array("\(ProcessIdentity.current)\n".utf8)
        let buffer = AlignedBuffer(byteCount: 4096)
        buffer.copy(from: text, at: 0)
        try? file.write(buffer, count: text.count, at: 0)
        try? file.close()
    }
}

/// Where a new epoch goes on.
private struct Place {
    var method: WriteMethod
    var segment: ActiveSegment
    var durable: DurableThrough
    /// Where its first frame stands.
    var openedAt: LSN
}

/// A new epoch's number and nonce.
struct EpochStart: Equatable, Sendable {
    var epoch: Epoch
    var nonce: UInt64
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
