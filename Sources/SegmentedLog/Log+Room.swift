internal import FileIO
internal import LogFormat

/// What a log's capacity is used for at one moment, in bytes.
public struct LogRoom: Sendable, Equatable {
    /// The most that the directory may take, everything counted.
    public var capacityBytes: UInt64
    /// The part of it that is for segments; the rest is for checkpoint, reserve, set-aside copies, directory.
    public var segmentBudgetBytes: UInt64
    /// What the files of segments take of it: live, on their way out, prepared, spare.
    public var segmentBytesInUse: UInt64
    /// Of those, the segments that hold something (live, or on their way out).
    public var liveBytes: UInt64
    /// Frame bytes of all claims.
    public var claimedBytes: Int
    /// What may still be used for segments, or promised: neither used nor promised now.
    public var freeBytes: UInt64
    /// What all files take, by the log's own accounting. At most the capacity, unless that was lowered.
    public var diskBytes: UInt64
    /// Why the last attempt to make a segment failed, for want of room on the disk or another reason; nil when it did not,
    /// or when it is being tried again.
    public var preparationFailure: LogError?
}

extension Log {
    /// Changes a claim on room for an append to come, in frame bytes as they would be stored without compression
    /// (``FramePayload/minimumFrameBytes``; 0: no claim). An append that releases its claim, and is not longer, is not refused
    /// with `full` while the disk itself has room, whatever is appended in between.
    ///
    /// False: there is no room, and nothing was changed; it is worth asking again when segments have been retired, the
    /// capacity was raised, another claim has ended, or, after a failure of the disk, after a tenth of a second (the log
    /// tries again to make a segment when it is asked). Lowering always succeeds. A claim is an amount, nothing more: who
    /// has it gives it back, by ``append(_:releasing:)`` or by changing it to 0.
    ///
    /// Claims are kept in memory only. Each counts as a segment of its own, of the smallest size that holds it, so that many
    /// of them in a small log are refused though their bytes alone would fit.
    ///
    /// Takes only the log's lock; no I/O.
    public func changeClaim(from old: Int, to new: Int) -> Bool {
        if new <= old {
            let endsOne = lock.withLock { () -> Bool in
                _ = state.changeClaim(from: old, to: new)
                return !state.pending.isEmpty
            }
            // What waited may have been kept back by the promise.
            if endsOne, new == 0, old > 0 { schedulePump() }
            return true
        }
        let now = runtime.monotonicClock()
        let (granted, looks) = lock.withLock { () -> (Bool, Bool) in
            if state.changeClaim(from: old, to: new) { return (true, false) }
            guard now >= lastLookForRoom + Self.lookForRoomInterval else { return (false, false) }
            lastLookForRoom = now
            state.wantsPreparation = true
            return (false, true)
        }
        if looks { runtime.schedule(after: 0) { [self] in lookForRoom() } }
        return granted
    }

    private static let lookForRoomInterval: UInt64 = 100_000_000

    /// A claim was refused: what an earlier failure has left undone is tried again.
    private func lookForRoom() {
        retireWhatIsLeft()
        let left = lock.withLock { () -> FoundFiles? in
            defer { foundFilesLeft = nil }
            return foundFilesLeft
        }
        if let left { FoundFileRemoval(self, left).start() }
        pump()
    }

    /// Segments without events, and those that an earlier attempt has left behind, are let go, in the background.
    package func retireWhatIsLeft() {
        let (unneeded, isLeft) = lock.withLock {
            (state.retirableWithoutLeave(), !state.leaving.isEmpty && state.retirementsUnderWay == 0)
        }
        if !unneeded.isEmpty || isLeft { retire(unneeded) { _ in } }
    }

    /// What the capacity is used for. Costs the log's lock; no I/O.
    public var room: LogRoom {
        lock.withLock {
            var failure: LogError?
            if case .failed(let error, _) = state.preparation { failure = error }
            let reserves = state.reservesPresent.count + (state.prepared?.kind == .reserve ? 1 : 0)
            let reservesInUse = (state.table.entries + state.leaving).count { $0.kind == .reserve }
            return LogRoom(
                capacityBytes: state.room.capacityBytes, segmentBudgetBytes: state.room.segmentBudgetBytes,
                segmentBytesInUse: state.room.inUseBytes, liveBytes: state.room.usedBytes,
                claimedBytes: state.room.claimedFrameBytes, freeBytes: state.room.freeBytes,
                diskBytes: UInt64(4 * SpaceBudget.pageBytes + 2 * budget.slotBytes)
                    + UInt64(min(2, reserves + reservesInUse)) * UInt64(budget.reserveBytes) + setAsideBytes
                    + reportBytes + state.room.inUseBytes,
                preparationFailure: failure)
        }
    }

    /// Changes the capacity while the log is in use; it holds until the log is closed, and is not recorded in it. The sizes
    /// of segments, snapshots, reserve and set-aside share stay as they were at the opening: only what segments may take
    /// altogether changes. Appends that wait for room are looked at again. When less is allowed than is in use, no segment
    /// is made until enough were retired; what was claimed before keeps its room.
    ///
    /// No I/O, but spare segments are removed in the background when not all that is there fits any more.
    /// Throws `configuration`, with nothing changed, when the fixed parts and two segments do not fit, or when that would be
    /// more segments than a snapshot of this log can list (4,088 at most).
    public func setCapacity(_ bytes: UInt64) throws(LogError) {
        let areTooMany = try lock.withLock { () throws(LogError) -> Bool in
            try state.room.setCapacity(bytes)
            state.roomWasMade()
            if state.room.inUseBytes > state.room.segmentBudgetBytes { state.discardPrepared() }
            return beginRemovingSpares()
        }
        if areTooMany { removeSpares() }
        schedulePump()
    }

    /// Under the lock: whether there are more than the capacity has room for; then it counts as work in the background from now
    /// on, and ``removeSpares()`` must follow.
    func beginRemovingSpares() -> Bool {
        guard state.room.inUseBytes > state.room.segmentBudgetBytes, !state.spares.isEmpty else { return false }
        backgroundCount += 1
        return true
    }

    func removeSpares() { runtime.schedule(after: 0) { [self] in removeNextSpare() } }

    /// One by one, as long as there is too much.
    private func removeNextSpare() {
        let spare = lock.withLock { () -> SpareFile? in
            guard state.room.inUseBytes > state.room.segmentBudgetBytes, let last = state.spares.popLast() else {
                backgroundCount -= 1
                return nil
            }
            return last
        }
        guard let spare else { return wakeClosers() }
        removeSpare(spare)
        removeSpares()
    }

    /// Blocks for a directory sync: room is free only when no crash can bring the file back.
    func removeSpare(_ spare: SpareFile) {
        do throws(FileError) {
            try directory.changeNames { () throws(FileError) in try directory.unlink(spare.name) }
            lock.withLock { state.room.release(spare.bytes, wasUnused: true) }
        } catch {
            // Its room stays counted: nobody knows whether the file is there.
            lock.withLock {
                state.room.use(spare.bytes)
                backgroundFailures[.retirement] = .file(error, "a spare segment of \(path) cannot be removed")
            }
        }
    }

    /// The longest client state (``ClientCheckpoint/bytes``) that always fits a snapshot, however many segments are live.
    /// Constant while the log is open.
    public var clientStateLimitBytes: Int { budget.clientStateLimitBytes }

    /// The most frame bytes (``FramePayload/minimumFrameBytes``, summed) that an append may have; more is refused as
    /// `tooLarge`. Changes with the capacity.
    public var maximumAppendBytes: Int { lock.withLock { state.room.maximumAppendBytes } }

    /// ``maximumAppendBytes``; throws when nothing can be written any more.
    public func appendLimit() throws(LogError) -> Int {
        try lock.withLock { () throws(LogError) in
            if case .readOnly(let error) = state.phase { throw error }
            return state.room.maximumAppendBytes
        }
    }

    /// The most frame bytes of an append without events that finds a place on a full log, in the reserve; longer ones may be
    /// refused with `full`. Constant while the log is open.
    public var maximumReserveAppendBytes: Int { budget.largestReserveGroupBytes }
}

extension LogState {
    mutating func changeClaim(from old: Int, to new: Int) -> Bool {
        if new > old, case .failed(let error, _) = preparation, !error.isOfCapacity {
            // The disk itself has no room, or something else is wrong with it: only what is ready can be promised.
            guard let prepared, prepared.kind == .regular,
                room.claimedFrameBytes - old + new + (room.claimCount + 1) * blockBytes
                    <= budget.largestRegularGroupBytes
            else { return false }
        }
        return room.changeClaim(from: old, to: new, liveRegularSegments: table.regularCount)
    }
}
