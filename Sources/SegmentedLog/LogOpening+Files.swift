internal import FileIO
internal import LogFormat

/// The files around the log: spare names, the reserve, the pid file.
extension LogOpening {
    // MARK: Files of no use

    func foundFile(_ name: String) -> FoundFile { FoundFile(name, in: directory) }

    /// Whether all that recovery found and nothing needs can stay while the log goes on: this opening makes no file, and besides
    /// those there is room, within the capacity and on the disk, for the largest append and then some. (Whether a fresh segment is
    /// needed at once turns out later.)
    func canRemoveLater(_ outcome: Recovery.Outcome, _ spareNames: [FoundFile]) -> Bool {
        guard outcome.report.unknown.isEmpty, outcome.newLosses.isEmpty else { return false }
        let reserves = usableReserves(outcome.inventory.reserves).count
        guard reserves + outcome.table.entries.count(where: { $0.kind == .reserve }) >= 2 else { return false }
        let wanted = budget.capacityBytes / 4 + 2 * UInt64(budget.segmentBytes)
        let taken = segmentBytesOnDisk(outcome.table) + spareNames.sumOfBytes
        return taken + wanted <= budget.segmentBudgetBytes && wanted <= freeBytes
    }

    /// What is under a spare name and no file goes at once, or is reported.
    func removeOthers(than files: inout [FoundFile], _ report: inout RecoveryReport) {
        var others = files.filter { !$0.isRegular }
        files.removeAll { !$0.isRegular }
        removeNow(&others, &report)
    }

    /// Files that cannot be removed stay in the list.
    func removeNow(_ files: inout [FoundFile], _ report: inout RecoveryReport) {
        var left: [FoundFile] = []
        for file in files {
            do throws(FileError) {
                try directory.unlink(file.name)
                report.removedFiles.append(file.name)
            } catch {
                report.remarks.append("\(file.name), of no meaning, cannot be removed: \(error)")
                if file.isRegular { left.append(file) }
            }
        }
        files = left
    }

    // MARK: Files around the log

    func segmentBytesOnDisk(_ table: SegmentTable) -> UInt64 {
        Log.segmentBytes(in: directory, table)
    }

    func usableReserves(_ present: Set<Int>) -> Set<Int> {
        present.filter { index in
            guard let status = try? directory.status(of: FileNames.reserve(index)) else { return false }
            return status.kind == .regular && status.size == UInt64(budget.reserveBytes) && status.linkCount == 1
                && status.allocatedBytes >= status.size
        }
    }

    /// Makes the reserve whole again, as far as there is room.
    func makeReserves(_ log: Log) {
        #if PlantedBugs
            if PlantedBug.leaveReserveOut.isPlanted { return }
        #endif
        let live = log.state.table.entries.filter { $0.kind == .reserve }.count
        for index in 0..<2 where !log.state.reservesPresent.contains(index) {
            guard log.state.reservesPresent.count + live < 2 else { return }
            do throws(FileError) {
                try unlinkReserve(index)
                try Self.makeReserve(index, in: directory, runtime, budget, log.writeMethod)
                log.state.reservesPresent.insert(index)
            } catch {
                log.backgroundFailures[.reserve] = .file(error, "the reserve of \(directory.path) is not whole")
                return
            }
        }
    }

    /// What stands under the name of a reserve goes; durable with the next sync of the directory.
    func unlinkReserve(_ index: Int) throws(FileError) {
        if try directory.status(of: FileNames.reserve(index)) != nil {
            try directory.unlink(FileNames.reserve(index))
        }
    }

    /// A reserve file, whole, under its name; durable on return.
    static func makeReserve(
        _ index: Int, in directory: any StorageDirectory, _ runtime: any Runtime, _ budget: SpaceBudget,
        _ method: WriteMethod
    ) throws(FileError) {
        let temporary = FileNames.temporary(runtime.randomNonzero())
        try directory.replace(FileNames.reserve(index), under: temporary, method: method) {
            (file) throws(FileError) in try file.prewrite(0..<UInt64(budget.reserveBytes))
        }
    }

    static func readPID(_ directory: any StorageDirectory) -> Int32? {
        guard let bytes = directory.contents(of: FileNames.pid, atMost: 16) else { return nil }
        return Int32(String(decoding: bytes.prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
    }

    /// For people only: nothing is decided by it, so it is not synced and its failure is nobody's.
    func writePID() {
        if (try? directory.status(of: FileNames.pid)) != nil { try? directory.unlink(FileNames.pid) }
        guard let file = try? directory.create(FileNames.pid, method: .writeThenSync) else { return }
        try? file.write(Array("\(ProcessIdentity.current)\n".utf8))
        try? file.close()
    }
}
