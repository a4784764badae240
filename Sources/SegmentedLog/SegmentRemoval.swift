internal import FileIO
internal import LogFormat

/// Takes the names of segments that nothing needs away: to a spare name when the file is to be used again, to its reserve
/// name, or for good. The last step of retirement, of a failed epoch's voided segments, and of a segment that was prepared
/// in vain.
///
/// Never starts before what makes the segment unneeded is durable. What a crash undoes here (a name that comes back) is
/// recognised by the snapshot that lists the segment as retired, and by its salt.
final class SegmentRemoval: @unchecked Sendable {
    enum Cause {
        /// Two durable snapshots let it go; its file may be used again.
        case retired
        /// Of a failed epoch: its bytes may be anything, and so may its file's state.
        case voided
        /// Prepared, and never begun.
        case unused
    }

    private let log: Log
    private let all: [SegmentEntry]
    private var entries: [SegmentEntry]
    private let cause: Cause
    private let completion: (@Sendable (LogError?) -> Void)?
    /// So many of ``LogState/sparesToCome``.
    private var sparesPromised = 0
    /// Under spare names, waiting for the directory sync.
    private var recycled: [SpareFile] = []
    private var reserves: Set<Int> = []
    private var namesTaken: Set<Int> = []
    private var freedBytes: UInt64 = 0
    /// Of the directory, before the first name went.
    private let syncFailures: Int

    init(
        _ log: Log, _ entries: [SegmentEntry], _ cause: Cause, completion: (@Sendable (LogError?) -> Void)? = nil
    ) {
        self.log = log
        all = entries
        self.entries = entries
        self.cause = cause
        self.completion = completion
        syncFailures = log.directory.failedSynchronizations
    }

    func start() {
        log.lock.withLock { log.state.reservesBeingRemoved += reserveCount }
        goOn()
    }

    private var reserveCount: Int { all.count { $0.kind == .reserve } }
    private var regularBytes: UInt64 {
        all.reduce(0) { $0 + ($1.kind == .regular ? UInt64($1.segmentBytes) : 0) }
    }

    private func goOn() {
        log.runtime.schedule(after: 0) { [self] in
            do throws(FileError) {
                if let entry = entries.last {
                    try remove(entry)
                    entries.removeLast()
                    goOn()
                } else {
                    #if PlantedBugs
                        if PlantedBug.skipRemovalSync.isPlanted { return finish(nil) }
                    #endif
                    // Before a name may be used again, the old one must be gone for good; and freed room is counted as
                    // free only when the disk cannot bring the file back.
                    try log.directory.synchronize(since: syncFailures)
                    finish(nil)
                }
            } catch {
                finish(.file(error, "a segment that is not needed any more cannot be removed from \(log.path)"))
            }
        }
    }

    private func remove(_ entry: SegmentEntry) throws(FileError) {
        let name = FileNames.segment(entry.number)
        guard let status = try log.directory.status(of: name), status.kind == .regular else {
            if entry.kind == .regular { freedBytes += UInt64(entry.segmentBytes) }
            return
        }
        // A file that also has another name, or that somebody reads, is not written over; but the reserve must be whole, and
        // a reader that finds its segment changed asks first whether it is still live.
        let isOurs = status.linkCount == 1 && status.size == UInt64(entry.segmentBytes)
        let isRead = log.lock.withLock { log.pins[entry.number, default: 0] > 0 }
        if entry.kind == .reserve, isOurs, status.size == UInt64(log.budget.reserveBytes),
            let index = freeReserveIndex()
        {
            try log.directory.rename(name, to: FileNames.reserve(index))
            reserves.insert(index)
        } else if cause == .retired, isOurs, !isRead, wantsSpare(entry) {
            let spare = FileNames.temporary(log.runtime.randomNonzero())
            try log.directory.rename(name, to: spare)
            recycled.append(SpareFile(name: spare, bytes: UInt64(entry.segmentBytes)))
        } else {
            try log.directory.unlink(name)
            if entry.kind == .regular {
                freedBytes += status.size
            } else if let index = freeReserveIndex() {
                // Of another size, from another configuration.
                try LogOpening.makeReserve(index, in: log.directory, log.runtime, log.budget, log.writeMethod)
                log.count(written: UInt64(log.budget.reserveBytes))
                reserves.insert(index)
            }
        }
    }

    /// A name that no reserve has; this one has it from now on.
    private func freeReserveIndex() -> Int? {
        log.lock.withLock { () -> Int? in
            let index = [0, 1].first {
                !log.state.reservesPresent.contains($0) && !log.state.reserveNamesTaken.contains($0)
            }
            if let index {
                log.state.reserveNamesTaken.insert(index)
                namesTaken.insert(index)
            }
            return index
        }
    }

    private func wantsSpare(_ entry: SegmentEntry) -> Bool {
        log.lock.withLock {
            // One that failed may need the room.
            if case .failed = log.state.preparation { return false }
            guard entry.kind == .regular, entry.segmentBytes == log.budget.segmentBytes, !log.state.isClosing,
                log.state.spares.count + log.state.sparesToCome < log.budget.mostSpares,
                log.state.room.inUseBytes <= log.state.room.segmentBudgetBytes
            else { return false }
            log.state.sparesToCome += 1
            sparesPromised += 1
            return true
        }
    }

    private func finish(_ error: LogError?) {
        let areTooMany = log.lock.withLock { () -> Bool in
            log.state.sparesToCome -= sparesPromised
            log.backgroundFailures[.retirement] = error
            // After a failed directory sync nobody knows which names are left: their room stays counted as taken.
            if error == nil {
                log.state.room.release(freedBytes, wasUnused: cause == .unused)
                log.state.reservesPresent.formUnion(reserves)
                log.state.spares += recycled
                log.state.room.unuse(recycled.reduce(0) { $0 + $1.bytes })
                log.state.roomWasMade()
            } else {
                if cause == .unused { log.state.room.use(regularBytes) }
                // To be tried again by the next retirement; but not what has another name now, or none, or nobody knows which.
                log.state.leaving += entries
            }
            if cause == .unused { log.state.discardsUnderWay -= all.count - reserveCount }
            log.state.reservesBeingRemoved -= reserveCount
            log.state.reserveNamesTaken.subtract(namesTaken)
            log.backgroundCount -= 1
            // The capacity may have been lowered while they were made.
            return log.beginRemovingSpares()
        }
        if areTooMany { log.removeSpares() }
        completion?(error)
        log.schedulePump()
        log.wakeClosers()
    }
}
