#if PlantedBugs
    /// A mistake that can be switched on by name, to see whether a harness finds it: a harness is believed only when it does.
    ///
    /// Exists only in a build with the package trait `PlantedBugs`. Each is a small edit of what runs in production, at the
    /// place that asks for ``isPlanted``. Each breaks a promise that a client can see, in some crash, fault or damage; where
    /// another line of defence would cover for what is left out, the edit takes that away, too, or its summary says what else
    /// must happen. Those whose comment names a relative really happened there.
    package enum PlantedBug: String, CaseIterable, Sendable {
        // MARK: A commit and its sync

        /// A group's appends are answered when its write was submitted, and not when it is done.
        case acknowledgeBeforeSync
        /// A group is written without O_DSYNC: with the write methods that need no sync behind the write.
        case skipSynchronousWrite
        /// A group is written, and the `fdatasync` behind it left out: with the write method that needs one.
        case skipDataSync
        /// Under a weaker durability the sync that was asked for, or that comes before a snapshot, is left out.
        case skipDeferredSync
        /// A group that completes is acknowledged, and those before it, though they have not completed.
        case acknowledgeOutOfOrder
        /// A write or sync that failed is followed by another sync, and when that succeeds the group is acknowledged, though
        /// the failed one has dropped its bytes. PostgreSQL had it for 20 years.
        case retryFailedSync
        /// Reads that recovery decides by come from the page cache, which after a failed sync shows what the disk does not
        /// have. The other half of what PostgreSQL had.
        case trustPageCache
        /// A take's commit returns when its record was queued.
        case acknowledgeTakeBeforeSync
        /// Events are handed out, and the lease that says so becomes durable later.
        case leaseAfterDelivery
        /// A put's bookmark becomes durable in a record of its own before the put's events.
        case setBookmarkBeforeEvents

        // MARK: Making segments

        /// A prepared segment gets its name before its zeros and its identity were synced. In etcd (issue 16596) the first
        /// write of a new file was torn, and the store could never be opened again.
        case skipPreparedSegmentSync
        /// A prepared segment is used before its name was synced. Vector had it, and etcd in 2016: the file was synced, the
        /// directory was not.
        case skipPreparedNameSync
        /// The first segment of a log, and one that recovery makes, gets its name before its contents were synced.
        case skipFreshSegmentSync
        /// The same segment is used before its name was synced.
        case skipFreshNameSync
        /// The names of new directories are not synced in their parents.
        case skipParentSync
        /// A spare file becomes a segment with the identity of its former life.
        case keepIdentityOfSpare
        /// Recovery keeps a file that it found and does not need as the next spare, before its old name is durably gone.
        case recycleFoundFile
        /// There is no reserve, so that a full channel cannot note takes. In Flume a full disk meant that the queue could not
        /// even be drained.
        case leaveReserveOut

        // MARK: Letting segments go

        /// Names go before the snapshot that makes them unneeded is durable. In Vector a consumed segment was unlinked before
        /// the position was durable, which ended in a crash loop.
        case unlinkBeforePosition
        /// Names go when one durable place says that they may: a checkpoint slot, and nothing in the log. Whoever deletes the
        /// checkpoint, which costs nothing otherwise, misses segments then.
        case retireOnOneSnapshot
        /// A segment goes when its events were handed out, and not only when they were durably decided.
        case retireWhenHandedOut
        /// Names that went are taken to be gone for good before the directory was synced.
        case skipRemovalSync
        /// A checkpoint slot is written and not synced; since a snapshot in the log would cover for it, segments are let go
        /// on the word of the slot alone.
        case skipCheckpointSync

        // MARK: What is stated of durability

        /// Frames state that the groups in flight before them are durable.
        case stateAheadOfDurable
        /// A snapshot says that it covers the groups in flight.
        case snapshotAheadOfDurable
        /// A snapshot covers commits that are durable and that its pointers do not contain yet.
        case snapshotUntoldCommits
        /// The planned end of a segment is taken as proof that all before it was durable.
        case takeSealAsProof

        // MARK: Recovery

        /// What a killed process left in the page cache is delivered without having been synced.
        case publishUnsyncedFrames
        /// Names that a killed process left are used without having been synced.
        case skipRecoveredNameSync
        /// The frame that begins an epoch where the log ended is written and not synced.
        case skipOpenFrameSync
        /// Frames of an epoch that was cut off count.
        case ignoreEpoch
        /// Damage is taken for the end of the log, and everything behind it goes. In NATS (2025) one flipped bit cost
        /// everything behind it, half of what had been acknowledged.
        case cutDamageAsTail
        /// A whole frame behind a hole is delivered, though nobody says that the hole was ever durable.
        case stepOverHole
        /// What cannot be read is taken for the end of the log, or for damage.
        case endLogAtUnreadable
        /// A checkpoint slot whose checksums do not hold is signed again and believed. redb had it in 2026.
        case signTornSlotAgain
        /// A segment with a damaged identity block is removed. NATS removed good data as orphaned when its metadata could
        /// not be read.
        case deleteUnidentifiedSegment
        /// A checkpoint without segments is taken for no log at all, and a new one is made over it.
        case makeDamagedLogAnew
        /// Numbering goes on where the last snapshot says, and not behind the last event.
        case reuseSequences
        /// Where the newest segment is gone or short, its numbers are given again.
        case skipJumpOverLoss
        /// Events given back by a rollback, or by a crash, come again the last ones first. Flume put takes that a crash had
        /// interrupted back in the order of a hash table.
        case giveBackInWrongOrder
        /// Replay does not learn who put what, so that a repeated commit is a second one.
        case forgetProducers

        // MARK: Checksums

        /// A frame whose header holds is taken for whole.
        case skipPayloadChecksum
        /// A header is believed whatever its checksum.
        case skipHeaderChecksum
        /// Log, salt, segment number and position are not under the checksum, in writing and in reading.
        case leaveSeedOut
        /// Log, salt and segment number are not under it, and a frame with numbers that were given before counts: what a
        /// recycled file still holds behind the tail is the log's.
        case acceptRecycledTail

        /// The one that this process has. Set once, before anything else runs.
        package nonisolated(unsafe) static var planted: PlantedBug?

        package var isPlanted: Bool { unsafe Self.planted == self }

        /// What it does, in one sentence, for a table.
        package var summary: String {
            switch self {
            case .acknowledgeBeforeSync: "commits are answered when their write was submitted"
            case .skipSynchronousWrite: "groups are written without O_DSYNC"
            case .skipDataSync: "the fdatasync behind a group's write is left out"
            case .skipDeferredSync: "under a weaker durability synchronize() syncs nothing"
            case .acknowledgeOutOfOrder: "a group is acknowledged though one before it has not completed"
            case .retryFailedSync: "a failed sync is tried again and then acknowledged (PostgreSQL)"
            case .trustPageCache: "recovery reads from the page cache, not from the device (PostgreSQL)"
            case .acknowledgeTakeBeforeSync: "a take's commit returns before its record is durable"
            case .leaseAfterDelivery: "events are handed out before their lease is durable"
            case .setBookmarkBeforeEvents: "a put's bookmark is durable before its events"
            case .skipPreparedSegmentSync: "a prepared segment is not synced before it has its name (etcd)"
            case .skipPreparedNameSync: "a prepared segment is used before its name is synced (Vector, etcd)"
            case .skipFreshSegmentSync: "a fresh segment is not synced before it has its name"
            case .skipFreshNameSync: "a fresh segment is used before its name is synced"
            case .skipParentSync: "new directories are not synced in their parents"
            case .keepIdentityOfSpare: "a recycled file keeps the identity of its former life"
            case .recycleFoundFile: "a file found at recovery is recycled"
            case .leaveReserveOut: "there is no reserve for takes from a full channel (Flume)"
            case .unlinkBeforePosition: "segments are unlinked before the position is durable (Vector)"
            case .retireOnOneSnapshot: "segments are retired on one snapshot only, that of the checkpoint"
            case .retireWhenHandedOut: "segments are retired when their events were handed out"
            case .skipRemovalSync: "names are taken to be gone before the directory is synced"
            case .skipCheckpointSync: "checkpoint slots are not synced, and segments retired on their word"
            case .stateAheadOfDurable: "frames state that groups in flight are durable"
            case .snapshotAheadOfDurable: "snapshots cover groups in flight"
            case .snapshotUntoldCommits: "snapshots cover commits that their pointers do not contain"
            case .takeSealAsProof: "the planned end of a segment is proof that all before it was durable"
            case .publishUnsyncedFrames: "recovery delivers frames that were never synced"
            case .skipRecoveredNameSync: "recovery uses names that were never synced"
            case .skipOpenFrameSync: "the frame that opens an epoch is not synced"
            case .ignoreEpoch: "frames of an epoch that was cut off count"
            case .cutDamageAsTail: "damage is cut off as a torn tail, with all behind it (NATS)"
            case .stepOverHole: "a group is delivered across a hole that nobody vouches for"
            case .endLogAtUnreadable: "bytes that cannot be read end the log"
            case .signTornSlotAgain: "a torn checkpoint slot is signed again and believed (redb)"
            case .deleteUnidentifiedSegment: "a segment with a damaged identity block is removed (NATS)"
            case .makeDamagedLogAnew: "a new log is made over one that has only its checkpoint left"
            case .reuseSequences: "recovery gives the numbers behind the last snapshot again"
            case .skipJumpOverLoss: "the numbers of a lost newest segment are given again"
            case .giveBackInWrongOrder: "events that were given back come in the wrong order (Flume)"
            case .forgetProducers: "replay forgets who put what, so repeated commits are put twice"
            case .skipPayloadChecksum: "payload checksums are not checked"
            case .skipHeaderChecksum: "header checksums are not checked"
            case .leaveSeedOut: "the place of a frame is left out of its checksum"
            case .acceptRecycledTail: "frames of a former life of the file are accepted"
            }
        }
    }

    extension CheckpointSlot {
        /// What ``PlantedBug/signTornSlotAgain`` makes of a slot: both checksums are set to what the bytes are.
        package init?(signingAgain bytes: RawSpan) {
            typealias Layout = CheckpointLayout
            guard bytes.byteCount >= Layout.byteCount else { return nil }
            let payloadBytes = Int(bytes.load(Layout.payloadBytes, at: 0))
            guard payloadBytes <= bytes.byteCount - Layout.byteCount else { return nil }
            var signed = bytes.copy(0..<Layout.byteCount + payloadBytes)
            signed.withMutableBytes { signed in
                let payload = signed.checksum(of: Layout.byteCount..<Layout.byteCount + payloadBytes)
                signed.store(payload, Layout.payloadChecksum, at: 0)
                signed.store(signed.checksum(of: 0..<Layout.headerChecksum.offset), Layout.headerChecksum, at: 0)
            }
            guard let slot = try? CheckpointSlot(decoding: signed.rawBytes) else { return nil }
            self = slot
        }
    }
#endif
