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
    ///   - restored: gets the client's state of the newest snapshot, once, before the first frame.
    ///   - replay: gets every accepted frame from that snapshot's position on, in order, as it is judged: one at a time is in
    ///     memory. When this call throws after all, the client forgets what both were given.
    /// - Throws: `notALog`, `inUse`, `newerVersion`, `configuration`, `damaged` (under `strict`, or when no identity is
    ///   left), `full` (no room for the segment that the new epoch needs), `fileOperation`.
    public static func open(
        at path: String, fileSystem: any FileSystem, runtime: any Runtime, configuration: LogConfiguration,
        clientState: (@Sendable () -> ClientCheckpoint)? = nil,
        restored: (ClientCheckpoint) throws(LogError) -> Void = { _ in },
        replay: (ReplayedFrame) throws(LogError) -> Void = { _ in }
    ) throws(LogError) -> Log {
        // A configuration that cannot work makes no directory either. (With larger blocks it is looked at again.)
        _ = try SpaceBudget(configuration, blockBytes: configuration.blockBytes ?? 512)
        let directory = try openDirectory(path, fileSystem, configuration)
        do throws(LogError) {
            let opening = try LogOpening(directory, runtime, configuration)
            let (log, removal) = try opening.run(clientState: clientState, restored: restored, replay: replay)
            log.finishOpening()
            removal?.start()
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
            // What is wrong with the disk, or short for the moment, says nothing about the directory.
            let isPassing = [.inputOutput, .noSpace, .outOfResources].contains(error.reason)
            throw LogError(
                isPassing ? .fileOperation : .notALog, "\(path) cannot be opened as a log's directory", fileError: error
            )
        }
    }

    /// The rest of an opening, through the log's own paths: losses are recorded, and what needs no leave is retired.
    private func finishOpening() {
        let pendingLosses = lock.withLock { () -> [DamagedRange] in
            defer { lossesToRecord = [] }
            return lossesToRecord
        }
        // A few at a time, so that they fit into the reserve of a full log. What cannot be recorded now is found again at the
        // next opening; it must not keep the log from opening.
        for start in stride(from: 0, to: pendingLosses.count, by: 8) {
            let frames = pendingLosses[start..<min(start + 8, pendingLosses.count)].map { range in
                FramePayload.own(.loss) { () throws(FormatError) in try range.record.encode() }
            }
            do throws(LogError) { _ = try append(frames) } catch {
                lock.withLock { backgroundFailures[.loss] = error }
                break
            }
        }
        let unneeded = lock.withLock { state.retirableWithoutLeave() }
        if !unneeded.isEmpty {
            do throws(LogError) { try retire(unneeded) } catch {
                lock.withLock { backgroundFailures[.retirement] = error }
            }
        }
    }
}

extension Log {
    /// What the segment files take; a reserve in use counts as reserve. Of those that are listed the table knows the size, so
    /// that no call is made for each of them: only others are looked at.
    static func segmentBytes(in directory: any StorageDirectory, _ table: SegmentTable) -> UInt64 {
        var sum: UInt64 = 0
        var others: [FoundFile] = []
        for name in (try? directory.list()) ?? [] {
            guard case .segment(let number) = FileNames.kind(of: name) else { continue }
            if let entry = table.entry(number) {
                if entry.kind == .regular { sum += UInt64(entry.segmentBytes) }
            } else {
                others.append(FoundFile(name, in: directory))
            }
        }
        return sum + others.sumOfBytes
    }
}
