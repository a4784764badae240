public import FileIO
public import LogFormat

/// Reports of the last openings, kept as files beside the log for whoever asks later what happened to it.
extension Log {
    /// The most bytes that one kept report may have; longer ones are refused. Constant while the log is open.
    public var reportLimitBytes: Int { budget.reportLimitBytes }

    /// Keeps a report of this opening, as the file `report-<epoch>`; a second one takes the place of the first. The oldest
    /// are removed when there are more than eight, or more than their share of the capacity (a quarter of what is set aside).
    ///
    /// Information only: nothing is decided by it. One at a time: two at once count the same room.
    /// - Parameter isDurable: synced, with its name, on return; else a power cut may take it, or a part of it.
    /// - Throws: `tooLarge`, `fileOperation`; the log itself is not affected.
    public func keepReport(_ bytes: [UInt8], isDurable: Bool) throws(LogError) {
        guard bytes.count <= reportLimitBytes else {
            throw LogError(
                .tooLarge, "a report of \(bytes.count) bytes is not kept in \(path); \(reportLimitBytes) are the most")
        }
        let size = SpaceBudget.roundUp(UInt64(max(bytes.count, 1)), to: SpaceBudget.pageBytes)
        do throws(FileError) {
            let kept = try makeRoomForReport(size)
            let temporary = FileNames.temporary(runtime.randomNonzero())
            try directory.replace(FileNames.report(epoch), under: temporary, isDurable: isDurable) {
                (file) throws(FileError) in try file.write(bytes)
            }
            lock.withLock {
                reportBytes = kept + size
                state.statistics.bytesWritten += UInt64(bytes.count)
            }
        } catch {
            throw .file(error, "the report of this opening cannot be kept in \(path); the log itself is not affected")
        }
    }

    /// Removes the oldest reports until there is room for one more; returns what the others take.
    private func makeRoomForReport(_ size: UInt64) throws(FileError) -> UInt64 {
        let own = FileNames.report(epoch)
        let failures = directory.failedSynchronizations
        var older: [(name: String, bytes: UInt64)] = []
        for name in try directory.list() where FileNames.kind(of: name) == .report {
            guard let status = try directory.status(of: name), status.kind == .regular else { continue }
            older.append(
                (name, max(SpaceBudget.roundUp(status.size, to: SpaceBudget.pageBytes), status.allocatedBytes)))
        }
        let there = older.reduce(0) { $0 + $1.bytes }
        older.removeAll { $0.name == own }
        older.sort { $0.name > $1.name }
        var kept: UInt64 = 0
        for (index, report) in older.enumerated() {
            // One page of the share stays free, so that the next one needs no sync first.
            if index < Self.mostReports - 1, kept + report.bytes + size + size <= budget.reportBytes {
                kept += report.bytes
            } else {
                try directory.unlink(report.name)
            }
        }
        // A name that a crash brings back would take its room again.
        if there + size > budget.reportBytes { try directory.synchronize(since: failures) }
        return kept
    }

    private static let mostReports = 8

    /// The reports that are kept in a log's directory, newest first: the epoch of each opening, and its bytes, which after a
    /// power cut may be anything when they had not been synced. Those that cannot be read are left out. Needs no lock, and
    /// changes nothing.
    public static func reports(
        at path: String, fileSystem: any FileSystem
    ) throws(LogError) -> [(epoch: Epoch, bytes: [UInt8])] {
        do throws(FileError) {
            let directory = try fileSystem.openDirectory(at: path)
            defer { directory.close() }
            let names = try directory.list().filter { FileNames.kind(of: $0) == .report }.sorted(by: >)
            return names.compactMap { name in
                // No report is longer; a file that is has something else in it.
                guard let epoch = FileNames.reportEpoch(name),
                    let bytes = directory.contents(of: name, atMost: SpaceBudget.largestReportBytes), !bytes.isEmpty
                else { return nil }
                return (epoch, bytes)
            }
        } catch {
            throw .file(error, "the reports in \(path) cannot be read")
        }
    }
}
