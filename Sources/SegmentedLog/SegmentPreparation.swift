internal import FileIO
internal import LogFormat

/// Makes the next segment ready: one storage operation at a time, in the background, so that nothing waits for more than
/// one of them, and so that a simulated crash can come between any two.
///
///     create (or take a spare, or the reserve) -> zeros -> identity -> sync -> rename -> directory sync
///     or, for a new epoch, of one that is ready: first copy of its new identity -> sync -> both copies -> sync
///
/// In this order a segment under its final name always has its identity (fault rows 6, 10, 16 of etcd's history: the first
/// write of a new file torn, and the store could never open).
final class SegmentPreparation: @unchecked Sendable {
    private enum Step {
        case source, zeros(UInt64), firstCopy, identity, synchronize, rename, directory
        /// So many bytes of the disk are still to be had from spares.
        case giveUpSpares(UInt64)
    }

    private let log: Log
    private let request: SegmentRequest
    private var step = Step.source
    private var file: (any StorageFile)?
    private var name = ""
    private var finalName = ""
    private var identity: IdentityBlock?
    /// What counts against the segment budget, given back when this fails.
    private var claimed: UInt64 = 0
    private var reserveIndex: Int?
    private var triedReserve = false
    /// Of the directory, before the segment got its name.
    private var syncFailures = 0

    /// What the device is kept busy with in one go: a commit that comes in between waits for less than a millisecond or two.
    private static let zerosAtOnce: UInt64 = 512 << 10
    /// Before the next step: as long as the last zeros took, when nobody will soon want the segment.
    private var pause: UInt64 = 0
    /// What comes meanwhile (a full segment, a failed write, closing) must not wait for it for long.
    private static let longestPause: UInt64 = 5_000_000
    private static let backOffNanoseconds: UInt64 = 100_000_000

    init(_ log: Log, _ request: SegmentRequest) {
        self.log = log
        self.request = request
    }

    /// Goes on where the name was kept back.
    init(_ log: Log, naming unnamed: UnnamedSegment) {
        self.log = log
        request = unnamed.request
        identity = unnamed.segment.identity
        file = unnamed.segment.file
        claimed = unnamed.segment.segmentBytes
        name = unnamed.name
        finalName = FileNames.segment(unnamed.segment.number)
        step = .rename
    }

    func start() { goOn() }

    private func goOn() {
        log.runtime.schedule(after: pause) { [self] in
            pause = 0
            do throws(LogError) {
                try perform()
            } catch {
                failed(error)
            }
        }
    }

    private func perform() throws(LogError) {
        do throws(FileError) {
            switch step {
            case .source:
                guard try takeSource() else { throw FileError(.create, path: log.path, errno: 0, reason: .noSpace) }
            case .zeros(let from):
                let end = identity!.segmentBytes
                let next = min(from + Self.zerosAtOnce, end)
                let began = log.runtime.monotonicClock()
                try file!.prewrite(from..<next)
                let isWanted = log.lock.withLock { () -> Bool in
                    log.state.statistics.bytesWritten += next - from
                    return log.state.isClosing || log.state.wantsNext
                }
                if !isWanted { pause = min(log.runtime.monotonicClock() - began, Self.longestPause) }
                step = next < end ? .zeros(next) : .identity
            case .firstCopy:
                // It has its name: whenever the power goes, one of the two copies is whole.
                try file!.write(Self.encode(identity!), count: IdentityBlock.byteCount, at: 0)
                try file!.synchronize()
                log.count(written: UInt64(IdentityBlock.byteCount))
                step = .identity
            case .identity:
                try file!.write(Self.encode(identity!), count: SpaceBudget.identityBytes, at: 0)
                log.count(written: UInt64(SpaceBudget.identityBytes))
                step = .synchronize
            case .synchronize:
                #if PlantedBugs
                    if PlantedBug.skipPreparedSegmentSync.isPlanted {
                        step = .rename
                        if keepBack() { return }
                        break
                    }
                #endif
                try file!.synchronize()
                if name == finalName { return ready() }
                step = .rename
                if keepBack() { return }
            case .rename:
                // Over its final name only now: a name without an identity behind it would be damage.
                syncFailures = log.directory.failedSynchronizations
                try log.directory.rename(name, to: finalName)
                name = finalName
                step = .directory
            case .directory:
                #if PlantedBugs
                    if PlantedBug.skipPreparedNameSync.isPlanted { return ready() }
                #endif
                // Without it the whole segment, acknowledged groups included, could be nameless after a crash.
                try log.directory.synchronize(since: syncFailures)
                return ready()
            case .giveUpSpares(let bytes):
                step = .source
                if bytes > 0, let spare = log.lock.withLock({ log.state.spares.popLast() }) {
                    log.removeSpare(spare)
                    step = .giveUpSpares(bytes - min(spare.bytes, bytes))
                }
            }
        } catch {
            throw Self.describe(error, in: log.path, request: request)
        }
        goOn()
    }

    /// What stands under a final name, an opening after a crash reads through, and removes: nothing gets there long before it is
    /// wanted. (What is left to do is a name and a sync, and a quarter of a segment, or some groups, are still to be filled.)
    private func keepBack() -> Bool {
        let segment = ActiveSegment(identity!, file: file!)
        guard segment.kind == .regular else { return false }
        let keepsBack = log.lock.withLock { () -> Bool in
            guard !log.state.wantsNext else { return false }
            log.state.unnamed = UnnamedSegment(segment: segment, name: name, request: request)
            log.backgroundFailures[.segment] = nil
            log.backgroundCount -= 1
            return true
        }
        if keepsBack { log.wakeClosers() }
        return keepsBack
    }

    /// Finds a file: the reserve when that is preferred, a recycled spare, or a new file within the capacity.
    private func takeSource() throws(FileError) -> Bool {
        if request.beginsEpoch, takePrepared() { return true }
        if request.prefersReserve, try takeReserve() { return true }
        let bytes = request.bytes
        // What others were promised is not taken: the reserve, and an error, are there for that.
        guard request.bytes > 0,
            request.prefersReserve
                || log.lock.withLock({ log.state.mayBegin(bytes, ending: log.state.claim(of: request)) })
        else {
            return request.mayUseReserve && !triedReserve ? try takeReserve() : false
        }
        if try takeSpare(bytes) { return true }
        let fits = log.lock.withLock { () -> Bool in
            guard log.state.room.hasRoomOnDisk(bytes, for: log.state.claim(of: request)) else { return false }
            log.state.room.take(bytes)
            claimed = bytes
            return true
        }
        guard fits else { return request.mayUseReserve && !triedReserve ? try takeReserve() : false }
        name = FileNames.temporary(log.runtime.randomNonzero())
        makeIdentity(bytes: bytes, kind: .regular)
        file = try log.directory.create(name, method: log.writeMethod)
        step = .zeros(0)
        return true
    }

    /// The segment that was made ready for a roll: it gets an identity that begins an epoch.
    private func takePrepared() -> Bool {
        guard let prepared = log.lock.withLock({ log.state.takePrepared() }) else { return false }
        if prepared.kind == .regular { claimed = prepared.segmentBytes }
        file = prepared.file
        makeIdentity(bytes: prepared.segmentBytes, kind: prepared.kind, of: prepared.life)
        name = finalName
        step = .firstCopy
        return true
    }

    /// A spare, when one is as large as is wanted. Those of another size go, as long as they are in the way.
    private func takeSpare(_ bytes: UInt64) throws(FileError) -> Bool {
        while let spare = nextSpare(bytes) {
            guard spare.bytes == bytes else {
                log.removeSpare(spare)
                continue
            }
            do throws(FileError) {
                file = try log.directory.open(spare.name, for: .writing(log.writeMethod))
            } catch {
                // It is there, and counted, for the next attempt; unless somebody has removed it.
                guard error.reason == .notFound else {
                    log.lock.withLock { log.state.spares.insert(spare, at: 0) }
                    throw error
                }
                log.lock.withLock { log.state.room.release(spare.bytes, wasUnused: true) }
                continue
            }
            claimed = spare.bytes
            name = spare.name
            makeIdentity(bytes: spare.bytes, kind: .regular)
            // Written once already: its blocks are allocated, and old frames fail by their salt.
            step = .identity
            #if PlantedBugs
                if PlantedBug.keepIdentityOfSpare.isPlanted { step = .synchronize }
            #endif
            return true
        }
        return false
    }

    /// One that is as large as is wanted; else one that is in the way.
    private func nextSpare(_ bytes: UInt64) -> SpareFile? {
        log.lock.withLock {
            if let index = log.state.spares.lastIndex(where: { $0.bytes == bytes }) {
                return log.state.spares.remove(at: index)
            }
            let isInTheWay = !log.state.room.hasRoomOnDisk(bytes, for: log.state.claim(of: request))
            return isInTheWay ? log.state.spares.popLast() : nil
        }
    }

    private func takeReserve() throws(FileError) -> Bool {
        triedReserve = true
        #if PlantedBugs
            if PlantedBug.leaveReserveOut.isPlanted { return false }
        #endif
        // One that an earlier failure cost is made anew, if there is room for it.
        if let lost = log.lock.withLock({ log.state.lostReserve }) {
            try LogOpening.makeReserve(lost, in: log.directory, log.runtime, log.budget, log.writeMethod)
            log.count(written: UInt64(log.budget.reserveBytes))
            log.lock.withLock {
                _ = log.state.reservesPresent.insert(lost)
                log.backgroundFailures[.reserve] = nil
            }
        }
        let index = log.lock.withLock { () -> Int? in
            guard let index = log.state.reservesPresent.min() else { return nil }
            log.state.reservesPresent.remove(index)
            // The file has this name until it has another one: a reserve that comes back meanwhile must not get it.
            log.state.reserveNamesTaken.insert(index)
            return index
        }
        guard let index else { return false }
        reserveIndex = index
        name = FileNames.reserve(index)
        makeIdentity(bytes: UInt64(log.budget.reserveBytes), kind: .reserve)
        file = try log.directory.open(name, for: .writing(log.writeMethod))
        step = .identity
        return true
    }

    /// - Parameter life: of a segment that has one, and keeps it.
    private func makeIdentity(bytes: UInt64, kind: SegmentKind, of life: SegmentLife? = nil) {
        let salt = life?.salt ?? log.runtime.randomNonzero()
        let time = log.runtime.wallClock()
        let nonce = request.beginsEpoch ? log.runtime.randomNonzero() : nil
        identity = log.lock.withLock { () -> IdentityBlock in
            if life == nil { log.state.highestNumber = SegmentNumber(log.state.highestNumber.rawValue + 1) }
            return log.state.identity(
                life?.segment ?? log.state.highestNumber, salt: salt, bytes: bytes, kind: kind, time: time,
                nonceOfNewEpoch: nonce)
        }
        finalName = FileNames.segment(identity!.segment)
    }

    private func ready() {
        let segment = ActiveSegment(identity!, file: file!)
        log.lock.withLock {
            log.state.prepared(segment)
            if segment.kind == .regular { log.backgroundFailures[.segment] = nil }
            if let reserveIndex { log.state.reserveNamesTaken.remove(reserveIndex) }
            log.backgroundCount -= 1
        }
        log.schedulePump()
        log.wakeClosers()
    }

    private func failed(_ error: LogError) {
        // What was begun goes; its bytes on disk are unknown. A reserve that was not even opened is as it was.
        try? file?.close()
        if !name.isEmpty, file != nil {
            try? log.directory.unlink(name)
        } else if let reserveIndex, error.fileError?.reason != .notFound {
            log.lock.withLock { _ = log.state.reservesPresent.insert(reserveIndex) }
        }
        if let reserveIndex { log.lock.withLock { _ = log.state.reserveNamesTaken.remove(reserveIndex) } }
        reserveIndex = nil
        if request.mayUseReserve, !triedReserve, error.code == .full {
            beginAgain()
            do throws(FileError) {
                if try takeReserve() { return goOn() }
            } catch {
                return failed(Self.describe(error, in: log.path, request: request))
            }
        }
        // The disk is full, and not only the capacity used up: spares, which are of another size, or they would have been taken,
        // are what there is to give back. (Not for what wants the reserve alone: it takes none, and would try for ever.)
        if request.bytes > 0, error.code == .full, error.fileError != nil,
            log.lock.withLock({ !log.state.spares.isEmpty })
        {
            beginAgain()
            step = .giveUpSpares(request.bytes)
            return goOn()
        }
        let now = log.runtime.monotonicClock()
        // Room may be had from segments that nobody needs, if an earlier attempt to let them go failed.
        let (unneeded, left) = log.lock.withLock { (log.state.retirableWithoutLeave(), !log.state.leaving.isEmpty) }
        if !unneeded.isEmpty || left { log.retire(unneeded) { _ in } }
        let answers = log.lock.withLock { () -> [AppendTicket] in
            log.state.room.release(claimed, wasUnused: true)
            log.backgroundCount -= 1
            log.backgroundFailures[.segment] = error
            return log.state.preparationFailed(
                request, error, triedReserve: triedReserve, now: now, backOff: Self.backOffNanoseconds)
        }
        log.tell(answers)
        log.schedulePump()
        log.wakeClosers()
    }

    /// Nothing of the attempt is left.
    private func beginAgain() {
        log.lock.withLock { log.state.room.release(claimed, wasUnused: true) }
        claimed = 0
        file = nil
        name = ""
        step = .source
    }

    /// Two copies of an identity block, as they stand at the beginning of a segment.
    static func encode(_ identity: IdentityBlock) -> AlignedBuffer {
        let buffer = AlignedBuffer(byteCount: SpaceBudget.identityBytes)
        let block = identity.encode()
        buffer.copy(from: block, at: 0)
        buffer.copy(from: block, at: IdentityBlock.byteCount)
        return buffer
    }

    private static func describe(_ error: FileError, in path: String, request: SegmentRequest) -> LogError {
        switch error.reason {
        case .noSpace:
            return LogError(
                .full,
                "there is no room in \(path) for another segment of \(request.bytes) bytes; appends with events are "
                    + "refused until segments are retired, the capacity is raised, or the disk has room",
                fileError: error.errno == 0 ? nil : error)
        default:
            return LogError(
                .fileOperation, "the next segment cannot be made in \(path); nothing was changed by it",
                fileError: error)
        }
    }
}
