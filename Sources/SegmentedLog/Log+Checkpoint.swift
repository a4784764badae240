internal import FileIO
internal import LogFormat

extension Log {
    /// Writes a checkpoint slot now: the client's state and the live segments. Saves time at the next opening; nothing
    /// else depends on it. Blocks for one write and one sync (under a weaker durability also for a sync of the log, whose
    /// end the state must not be ahead of); appends go on meanwhile. Throws `fileOperation` or `readOnly` after a failed write,
    /// until the log goes on.
    public func checkpoint() throws(LogError) {
        try writeCheckpoint(syncedClient())
    }

    /// Under the lock: why no snapshot can be written down. After a failed write the live segments are those of an epoch that is
    /// not durable yet, and never may be: a snapshot that lists them says that one is gone which the log still leads to.
    var snapshotObstacle: LogError? {
        switch state.phase {
        case .readOnly(let error): error
        case .reopening: betweenEpochs
        case .running, .latched, .closed: nil
        }
    }

    var betweenEpochs: LogError {
        LogError(
            .fileOperation,
            "a write to \(path) failed, and the log is about to go on in a fresh segment; a checkpoint can be written and "
                + "segments can be let go then")
    }

    func checkpointInBackground() {
        var failure: LogError?
        do throws(LogError) { try checkpoint() } catch { failure = error }
        lock.withLock {
            checkpointing = false
            backgroundCount -= 1
            backgroundFailures[.checkpoint] = failure
        }
        wakeClosers()
    }

    /// Writes the older slot. The newer one stays as it is, so a torn write costs nothing.
    ///
    /// What it states is put together when it is its turn: else two that had waited would put both slots back to before a
    /// retirement whose files are gone.
    ///
    /// - Returns: the segments that it lists.
    @discardableResult
    func writeCheckpoint(_ client: ClientCheckpoint) throws(LogError) -> Set<SegmentNumber> {
        try checkpointLock.withLock { () throws(LogError) -> Set<SegmentNumber> in
            let (snapshot, synced) = try lock.withLock { () throws(LogError) -> (Snapshot, DurableThrough) in
                if let obstacle = snapshotObstacle { throw obstacle }
                let client = state.furthest(client)
                if let error = snapshotError(client) { throw error }
                state.keepFurthest(client)
                state.bytesSinceCheckpoint = 0
                return (state.snapshot(client), state.synced)
            }
            #if PlantedBugs
                // A slot does not cover more than it states.
                let isAhead = PlantedBug.snapshotAheadOfDurable.isPlanted && snapshot.covered.lsn > synced.lsn
                let durable = isAhead ? snapshot.covered : synced
            #else
                let durable = synced
            #endif
            let time = runtime.wallClock()
            let slot = CheckpointSlot(
                slot: nextSlot, logUUID: logUUID, generation: checkpointGeneration + 1, durableThrough: durable,
                time: time, snapshot: snapshot)
            let encoded = try CheckpointFile.encode(slot, slotBytes: budget.slotBytes)
            do throws(FileError) {
                do throws(FileError) {
                    try CheckpointFile.overwrite(slot.slot, with: encoded, in: directory, slotBytes: budget.slotBytes)
                    count(written: UInt64(encoded.byteCount))
                } catch {
                    // Its bytes on disk are unknown now, and are not written again: a new file takes its place.
                    try CheckpointFile.replace(
                        slot.slot, with: encoded, in: directory, slotBytes: budget.slotBytes,
                        temporary: FileNames.temporary(runtime.randomNonzero()))
                    count(written: UInt64(2 * budget.slotBytes + encoded.byteCount))
                }
            } catch {
                throw .file(error, "the checkpoint cannot be written; the log itself is not affected")
            }
            checkpointGeneration += 1
            nextSlot = 1 - nextSlot
            return Set(snapshot.segments.map(\.number))
        }
    }
}

extension CheckpointFile {
    /// Writes no more than the slot's bytes; what an earlier, longer snapshot left behind them is of no meaning.
    static func overwrite(
        _ slot: UInt32, with encoded: AlignedBuffer, in directory: any StorageDirectory, slotBytes: Int
    ) throws(FileError) {
        let file = try directory.open(FileNames.checkpoint, for: .writing(.writeThenSync))
        defer { try? file.close() }
        guard try file.status().size == UInt64(2 * slotBytes) else {
            throw FileError(.write, path: FileNames.checkpoint, errno: 0, reason: .unsupported)
        }
        try file.write(encoded, count: encoded.byteCount, at: UInt64(slot) * UInt64(slotBytes))
        #if PlantedBugs
            if PlantedBug.skipCheckpointSync.isPlanted { return }
        #endif
        try file.synchronize()
    }

    /// A new file with one slot, allocated whole, under a spare name; then its name, atomically.
    static func replace(
        _ slot: UInt32, with encoded: AlignedBuffer, in directory: any StorageDirectory, slotBytes: Int,
        temporary: String
    ) throws(FileError) {
        try directory.replace(FileNames.checkpoint, under: temporary) { (file) throws(FileError) in
            try file.prewrite(0..<UInt64(2 * slotBytes))
            try file.write(encoded, count: encoded.byteCount, at: UInt64(slot) * UInt64(slotBytes))
        }
    }
}
