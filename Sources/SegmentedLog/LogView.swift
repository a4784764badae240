package import FileIO
package import LogFormat

/// What an opening would find in a directory, and decide, found without changing anything there.
///
/// The passes and the table are the opening's own (``Recovery``): so what this says is what would happen. The directory may be
/// one that withholds syncs and refuses to write (`Inspection.ReadOnlyDirectory`); nothing here asks for more than names and reads.
/// Costs what an opening costs, and keeps no file open.
package struct LogView: Sendable {
    /// A snapshot that replay can start from.
    package struct Base: Sendable {
        package var snapshot: Snapshot
        /// What was durable when it was written.
        package var durableThrough: DurableThrough
        /// Of the checkpoint slot; 0 for a segment's snapshot, or where there is none.
        package var generation: UInt64
        /// Where it stands, in words.
        package var name: String
    }

    package let logUUID: LogUUID
    package let report: RecoveryReport
    package let base: Base
    /// The valid checkpoint slots.
    package let slots: [CheckpointSlot]
    /// The live segments, as the opening would list them.
    package let segments: [SegmentEntry]
    /// Of those that are listed, the ones whose file is gone.
    package let missing: [SegmentEntry]
    /// Damage that no `loss` frame records yet: under `strict` an opening would be refused because of it.
    package let newLosses: [DamagedRange]
    package let tail: DurableThrough
    /// The epoch in force at the end; 0 before the first one.
    package let epoch: Epoch
    /// What an opening would begin with a segment of its own, and not with a frame in the last one.
    package let needsFreshSegment: Bool
    /// Our segments that nothing needs: an opening would remove them.
    package let removable: [SegmentNumber]
    /// What the table said wherever no frame that counts stood, in the order in which it was asked.
    package let decisions: [TailDecision]
    /// The epochs that are known, with what each has cut off.
    package let openings: [EpochOpening]
    package let inventory: LogInventory
    /// What the frames of segments are seeded with, of those that were looked at or are listed; also where the identity is gone.
    package let lives: [SegmentNumber: SegmentLife]
    private let ledger: EpochLedger

    /// - Parameters:
    ///   - begin: gets the snapshot that replay starts from, before the first frame.
    ///   - replay: gets each accepted frame, in order.
    /// - Throws: what an opening under `salvage` would, but for locks and sizes. `notALog` where there is nothing yet.
    package init(
        _ directory: any StorageDirectory, clock: @escaping () -> UInt64,
        begin: (Snapshot) throws(LogError) -> Void, replay: (ReplayedFrame) throws(LogError) -> Void
    ) throws(LogError) {
        let inventory: LogInventory
        do throws(FileError) { inventory = try LogInventory(directory) } catch {
            throw .file(error, "\(directory.path) cannot be listed")
        }
        guard !inventory.isVirgin else {
            throw LogError(
                .notALog, "there is no log in \(directory.path): no segment, no checkpoint, no reserve; check the path")
        }
        var recovery = Recovery(directory, inventory: inventory, policy: .salvage, clock: clock)
        defer { for segment in recovery.opened.values { try? segment.file.close() } }
        let outcome = try recovery.run(begin: begin, replay: replay)
        logUUID = outcome.logUUID
        report = outcome.report
        base = Base(
            snapshot: outcome.base.snapshot, durableThrough: outcome.base.durable, generation: outcome.base.generation,
            name: outcome.base.name)
        slots = outcome.slots.valid
        segments = outcome.table.entries
        missing = outcome.missing
        newLosses = outcome.newLosses
        tail = outcome.tail
        epoch = outcome.lastEpoch.epoch
        needsFreshSegment = outcome.mustStartFresh
        removable = outcome.removable
        decisions = outcome.decisions
        openings = outcome.openings
        ledger = outcome.ledger
        self.inventory = inventory
        var lives: [SegmentNumber: SegmentLife] = [:]
        for entry in outcome.base.snapshot.segments + outcome.table.entries {
            lives[entry.number] = SegmentLife(logUUID: outcome.logUUID, salt: entry.salt, segment: entry.number)
        }
        for segment in recovery.opened.values { if let life = segment.life { lives[segment.number] = life } }
        self.lives = lives
    }

    /// Whether a frame does not count, because a later epoch has cut it off.
    package func isStale(_ header: FrameHeader, at lsn: LSN) -> Bool {
        ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn)
    }

    /// The epoch that has cut the log exactly here; nil when none did.
    package func epoch(cuttingAt lsn: LSN) -> Epoch? { ledger.opening(cuttingAt: lsn)?.epoch }

    /// The live segment of that number.
    package func entry(_ number: SegmentNumber) -> SegmentEntry? { segments.first { $0.number == number } }
}
