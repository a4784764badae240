internal import FileIO
public import LogFormat

extension Log {
    /// A reader that starts at `lsn`, or at the oldest segment.
    /// - Parameter sequence: the next sequence at that place, if it is known: then a hole at the very beginning is seen, too.
    public func makeReader(from lsn: LSN? = nil, expecting sequence: EventSequence? = nil) -> LogReader {
        LogReader(self, from: lsn, expecting: sequence)
    }

    /// A reader whose next put frame is the one that holds `sequence`, or the first one behind it when it is not there.
    ///
    /// The segment is found in the table of live segments; in it the reader hops from header to header on its first call of
    /// ``LogReader/next()``. Frames without events that stand before the put frame are passed by. Damage is reported when it
    /// may have held `sequence` or something behind it.
    public func makeReader(at sequence: EventSequence) -> LogReader {
        let entry = lock.withLock { state.table.entry(holding: sequence) }
        let lsn = entry.map { LSN(segment: $0.number, offset: UInt64(SpaceBudget.identityBytes)) }
        return LogReader(self, from: lsn, expecting: entry?.baseSequence, seeking: sequence)
    }

    /// Records a damaged range that a reader came to, durably, and then sets its bytes aside as far as there is room. From
    /// now on the events in it are lost, whatever the disk should give later.
    public func record(_ range: DamagedRange) throws(LogError) {
        _ = try append([
            FramePayload.own(.loss) { () throws(FormatError) in try range.record.encode() }
        ])
        // One at a time: each looks at what the others take.
        checkpointLock.withLock {
            var report = RecoveryReport()
            let setAside = SetAside(directory: directory, runtime: runtime, budget: budget)
            setAside.copy(damaged: [range], of: logUUID, &report)
            guard !report.setAsideFiles.isEmpty || !report.removedFiles.isEmpty else { return }
            let added = setAside.bytes(of: report.setAsideFiles)
            let names = ((try? directory.list()) ?? []).filter { FileNames.kind(of: $0) == .setAside }
            let all = setAside.bytes(of: names)
            lock.withLock {
                setAsideBytes = all
                state.statistics.bytesWritten += added
            }
        }
    }
}
