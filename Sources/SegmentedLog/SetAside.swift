internal import FileIO
internal import LogFormat

/// Copies of what recovery cuts off or finds damaged, so that a person can look at it later. Bounded: when the share is
/// full nothing more is copied, and a damaged segment stays where it is all the same.
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

    private func copy(_ segment: SegmentNumber, _ range: Range<UInt64>, of log: LogUUID, _ report: inout RecoveryReport)
    {
        let name = FileNames.setAside(LSN(segment: segment, offset: range.lowerBound))
        do throws(FileError) {
            // Made by an earlier recovery that did not come to its end.
            if try directory.status(of: name) != nil { return }
            let size = UInt64(SpaceBudget.roundUp(range.count, to: SpaceBudget.pageBytes))
            guard try bytesSetAside() + size <= budget.setAsideBytes else {
                report.remarks.append(
                    "no room to set \(range.count) bytes of segment \(segment) aside; they stay in it")
                return
            }
            let scanned = try directory.open(FileNames.segment(segment), for: .reading)
            let end = min(range.upperBound, try scanned.status().size)
            guard end > range.lowerBound else { return }
            let window = SegmentWindow(
                file: scanned, life: SegmentLife(logUUID: log, salt: 1, segment: segment), end: end,
                source: .device)
            let bytes = window.copy(range.lowerBound..<end)
            try scanned.close()
            try write(bytes, name)
            report.setAsideFiles.append(name)
        } catch {
            report.remarks.append("\(range.count) bytes of segment \(segment) could not be set aside: \(error)")
        }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws(FileError) {
        let temporary = FileNames.temporary(runtime.randomNonzero())
        let file = try directory.create(temporary, method: .writeThenSync)
        do throws(FileError) {
            let buffer = AlignedBuffer(byteCount: bytes.count)
            buffer.copy(from: bytes, at: 0)
            try file.write(buffer, count: bytes.count, at: 0)
            try file.synchronize()
            try file.close()
            try directory.rename(temporary, to: name)
        } catch {
            try? file.close()
            try? directory.unlink(temporary)
            throw error
        }
        try directory.synchronize()
    }

    private func bytesSetAside() throws(FileError) -> UInt64 {
        var sum: UInt64 = 0
        for name in try directory.list() where FileNames.kind(of: name) == .setAside {
            if let status = try directory.status(of: name) {
                sum += SpaceBudget.roundUp(status.size, to: SpaceBudget.pageBytes)
            }
        }
        return sum
    }
}
