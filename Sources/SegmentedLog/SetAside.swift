internal import FileIO
internal import LogFormat

/// Copies of what recovery cuts off or finds damaged, so that a person can look at it later. Bounded: when the share is
/// full the oldest copy goes first. A damaged segment stays where it is all the same.
struct SetAside {
    let directory: any StorageDirectory
    let runtime: any Runtime
    let budget: SpaceBudget

    /// Whole frames behind a cut, before anything is written over them.
    func copy(cut frames: [CutFrame], of log: LogUUID, _ report: inout RecoveryReport) {
        var ranges: [SegmentNumber: Range<UInt64>] = [:]
        for frame in frames {
            let end = frame.lsn.offset + UInt64(frame.frameBytes)
            let known = ranges[frame.lsn.segment] ?? frame.lsn.offset..<end
            ranges[frame.lsn.segment] = min(known.lowerBound, frame.lsn.offset)..<max(known.upperBound, end)
        }
        for (segment, range) in ranges.sorted(by: { $0.key < $1.key }) { copy(segment, range, of: log, &report) }
    }

    /// Damaged ranges.
    func copy(damaged ranges: [DamagedRange], of log: LogUUID, _ report: inout RecoveryReport) {
        for range in ranges where range.reason == .damaged && range.toOffset > range.fromOffset {
            copy(range.segment, range.fromOffset..<range.toOffset, of: log, &report)
        }
    }

    /// What the copies under these names take.
    func bytes(of names: [String]) -> UInt64 {
        names.reduce(0) { sum, name in
            guard let status = try? directory.status(of: name) else { return sum }
            return sum + Self.bytes(status)
        }
    }

    private func copy(_ segment: SegmentNumber, _ range: Range<UInt64>, of log: LogUUID, _ report: inout RecoveryReport)
    {
        let name = FileNames.setAside(LSN(segment: segment, offset: range.lowerBound))
        do throws(FileError) {
            // Made by an earlier recovery that did not come to its end.
            if try directory.status(of: name) != nil { return }
            let scanned = try directory.open(FileNames.segment(segment), for: .reading)
            defer { try? scanned.close() }
            let end = min(range.upperBound, try scanned.status().size)
            guard end > range.lowerBound else { return }
            let size = SpaceBudget.roundUp(end - range.lowerBound, to: SpaceBudget.pageBytes)
            guard try makeRoom(for: size, &report) else {
                report.remarks.append(
                    "no room to set \(range.count) bytes of segment \(segment) aside; they stay in it")
                return
            }
            let window = SegmentWindow(
                file: scanned, life: SegmentLife(logUUID: log, salt: 1, segment: segment), end: end,
                source: .device)
            try write(window.copy(range.lowerBound..<end), name)
            report.setAsideFiles.append(name)
        } catch {
            report.remarks.append("\(range.count) bytes of segment \(segment) could not be set aside: \(error)")
        }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws(FileError) {
        try directory.replace(name, under: FileNames.temporary(runtime.randomNonzero())) {
            (file) throws(FileError) in try file.write(bytes)
        }
    }

    /// Removes the oldest copies (of the lowest segments) until there is room for `size` more; false when there cannot be.
    private func makeRoom(for size: UInt64, _ report: inout RecoveryReport) throws(FileError) -> Bool {
        let share = budget.setAsideBytes - budget.reportBytes
        guard size <= share else { return false }
        var copies: [(name: String, bytes: UInt64)] = []
        for name in try directory.list() where FileNames.kind(of: name) == .setAside {
            if let status = try directory.status(of: name), status.kind == .regular {
                copies.append((name, Self.bytes(status)))
            }
        }
        copies.sort { FileNames.setAsidePlace($0.name) < FileNames.setAsidePlace($1.name) }
        var sum = copies.reduce(0) { $0 + $1.bytes }
        guard sum + size > share else { return true }
        // A name that a crash brings back would take its room again.
        try directory.changeNames { () throws(FileError) in
            for copy in copies where sum + size > share {
                try directory.unlink(copy.name)
                report.removedFiles.append(copy.name)
                report.setAsideFiles.removeAll { $0 == copy.name }
                sum -= copy.bytes
            }
        }
        return true
    }

    private static func bytes(_ status: FileStatus) -> UInt64 {
        SpaceBudget.roundUp(status.size, to: SpaceBudget.pageBytes)
    }
}
