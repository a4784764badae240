internal import FileIO
internal import LogFormat

/// A file that recovery found and nothing needs.
struct FoundFile: Sendable {
    let name: String
    /// The more of what it takes and what it says it has; 0 when it cannot be looked at.
    let bytes: UInt64
    let isRegular: Bool

    init(_ name: String, in directory: any StorageDirectory) {
        self.name = name
        let status = try? directory.status(of: name)
        bytes = status.map { max($0.size, $0.allocatedBytes) } ?? 0
        isRegular = status?.kind == .regular
    }
}

/// What recovery found and nothing needs: segments that were retired, voided or never begun, and files under spare names.
struct FoundFiles: Sendable {
    /// To be removed from the end: the segments first, lest one stands between younger ones for long.
    var files: [FoundFile]
    /// A checkpoint does not list the segments.
    var isStated: Bool

    init(spareNames: [FoundFile], segments: [FoundFile]) {
        files = spareNames + segments
        isStated = segments.isEmpty
    }

    var bytes: UInt64 { files.sumOfBytes }
}

/// Takes it away, for good: recovery did not make these files and cannot know what else uses them, so none is used again.
///
/// To free 16 MiB takes a file system milliseconds, and there may be twenty such files. So it is done behind the opening, one
/// step at a time, and with pauses: what the file system does for it, commits would wait for. Until no crash can bring a name
/// back, its room counts as used, and nobody is promised it. A crash in between leaves what the next opening finds again.
final class FoundFileRemoval: @unchecked Sendable {
    private let log: Log
    private var found: FoundFiles
    /// What could not be removed, and why not.
    private var left: [FoundFile] = []
    private var failure: LogError?
    /// Of all of it, as the room that it uses was counted.
    private let bytes: UInt64
    /// Of the directory, before the first name went.
    private let syncFailures: Int
    private static let retryDelay: UInt64 = 1_000_000
    /// Between two files; a channel that is closed meanwhile waits for the present one.
    private static let longestPause: UInt64 = 20_000_000

    /// - Parameter found: counted as used.
    init(_ log: Log, _ found: FoundFiles) {
        self.log = log
        self.found = found
        bytes = found.bytes
        syncFailures = log.directory.failedSynchronizations
        log.lock.withLock { log.backgroundCount += 1 }
    }

    /// While the log is being opened.
    func finishNow() {
        do throws(LogError) {
            while try step() {}
            finish(nil)
        } catch {
            finish(error)
        }
    }

    /// Behind the opening, when it holds none of the files open any more: the last one to close a file frees it.
    func start() { goOn() }

    private func goOn(after delay: UInt64 = 0) {
        log.runtime.schedule(after: delay) { [self] in
            let began = log.runtime.monotonicClock()
            do throws(LogError) {
                if try step() { return goOn(after: pause(since: began)) }
                finish(nil)
            } catch {
                // No checkpoint can be written between a failed write and the epoch that follows it; that ends by itself.
                if case .reopening = log.lock.withLock({ log.state.phase }) { return goOn(after: Self.retryDelay) }
                finish(error)
            }
            // An append may wait for the room. (Otherwise nothing is to be begun: the log may have been opened to be looked at.)
            if log.lock.withLock({ !log.state.pending.isEmpty }) { log.schedulePump() }
            log.wakeClosers()
        }
    }

    private func pause(since began: UInt64) -> UInt64 {
        if log.lock.withLock({ log.state.isClosing }) { return 0 }
        return min(4 * (log.runtime.monotonicClock() - began), Self.longestPause)
    }

    /// False when there is nothing more to do.
    private func step() throws(LogError) -> Bool {
        if !found.isStated {
            // Two durable places say that the segments are gone, before they are.
            try log.checkpoint()
            found.isStated = true
            return true
        }
        guard let file = found.files.popLast() else {
            // Freed room is counted as free only when the disk cannot bring the file back.
            do throws(FileError) { try log.directory.synchronize(since: syncFailures) } catch { throw describe(error) }
            return false
        }
        do throws(FileError) {
            #if PlantedBugs
                if PlantedBug.recycleFoundFile.isPlanted, try recycle(file) { return true }
            #endif
            try log.directory.unlink(file.name)
        } catch {
            // Gone by another hand, or it stays.
            if error.reason != .notFound {
                left.append(file)
                failure = describe(error)
            }
        }
        return true
    }

    private func describe(_ error: FileError) -> LogError {
        .file(error, "a file that is not needed any more cannot be removed from \(log.path)")
    }

    private func finish(_ error: LogError?) {
        found.files += left.reversed()
        log.lock.withLock {
            log.backgroundFailures[.foundFiles] = error ?? failure
            if !found.files.isEmpty { log.foundFilesLeft = found }
            if error == nil {
                log.state.room.release(bytes - found.bytes, wasUnused: false)
                log.state.roomWasMade()
            }
            // Else, after a failed sync of the directory, nobody knows which names are left: their room stays counted.
            log.backgroundCount -= 1
        }
    }

    #if PlantedBugs
        private func recycle(_ file: FoundFile) throws(FileError) -> Bool {
            guard case .segment = FileNames.kind(of: file.name) else { return false }
            let spare = FileNames.temporary(log.runtime.randomNonzero())
            try log.directory.rename(file.name, to: spare)
            log.lock.withLock {
                log.state.room.take(file.bytes)
                log.state.spares = [SpareFile(name: spare, bytes: file.bytes)]
            }
            return true
        }
    #endif
}

extension [FoundFile] {
    /// They may be sparse, and of any size: no more than no disk has.
    var sumOfBytes: UInt64 { reduce(0) { Swift.min($0 + Swift.min($1.bytes, Self.most), Self.most) } }

    private static var most: UInt64 { 1 << 60 }
}
