internal import FileIO
internal import LogFormat

/// Where replay starts.
extension Recovery {
    mutating func chooseBase(_ logUUID: LogUUID) throws(LogError) -> Base {
        var candidates = slots.valid.map {
            Base(
                snapshot: $0.snapshot, durable: $0.durableThrough, generation: $0.generation,
                name: "checkpoint slot \($0.slot), generation \($0.generation)")
        }
        for number in inventory.segments.reversed() {
            guard let segment = try open(number), segment.identity?.logUUID == logUUID,
                segment.identity?.segment == number, let window = segment.window()
            else { continue }
            let start = UInt64(SpaceBudget.identityBytes)
            if case .frame(let header) = window.probe(at: start, verifyingPayload: true), header.type == .snapshot,
                let snapshot = Self.snapshot(header, at: start, in: window)
            {
                candidates.append(
                    Base(snapshot: snapshot, durable: header.durableThrough, name: "snapshot of segment \(number)"))
                break
            }
        }
        if let best = Self.newest(candidates) {
            if hasWhatItNeeds(best) { return best }
            // A retirement since then has let go what replay from there would need. The snapshot of that retirement stands
            // further on in the log; a checkpoint has it, too, unless it was deleted.
            return Self.newest(candidates + snapshotsInside(logUUID)) ?? best
        }
        return try baseWithoutSnapshot(logUUID)
    }

    private static func newest(_ candidates: [Base]) -> Base? {
        candidates.max {
            ($0.snapshot.covered.lsn, $0.durable.lsn, $0.generation)
                < ($1.snapshot.covered.lsn, $1.durable.lsn, $1.generation)
        }
    }

    /// Whether every segment that replay would go through is there.
    private func hasWhatItNeeds(_ base: Base) -> Bool {
        let covered = base.snapshot.covered.lsn
        let present = Set(inventory.segments)
        let entry = base.snapshot.segments.first { $0.number == covered.segment }
        let isWhole = entry == nil || entry?.endOffset == covered.offset
        return (isWhole || present.contains(covered.segment))
            && base.snapshot.segments.allSatisfy { $0.number <= covered.segment || present.contains($0.number) }
    }

    /// All snapshots that stand anywhere in the newest segments. What they cover was durable when they were put together,
    /// so they are true even where they are not part of the log any more.
    private mutating func snapshotsInside(_ logUUID: LogUUID) -> [Base] {
        var found: [Base] = []
        for number in inventory.segments.suffix(4) {
            guard let segment = opened[number], segment.identity?.logUUID == logUUID,
                segment.identity?.segment == number, let window = segment.window()
            else { continue }
            var offset = UInt64(SpaceBudget.identityBytes)
            while let (position, header) = window.nextFrame(from: offset) {
                offset = position + UInt64(header.frameBytes)
                if header.type == .snapshot, let snapshot = Self.snapshot(header, at: position, in: window) {
                    let lsn = LSN(segment: number, offset: position)
                    found.append(
                        Base(snapshot: snapshot, durable: header.durableThrough, name: "snapshot at \(lsn)"))
                }
            }
        }
        return found
    }

    private static func snapshot(_ header: FrameHeader, at offset: UInt64, in window: SegmentWindow) -> Snapshot? {
        guard let payload = try? window.payload(of: header, at: offset),
            let raw = try? FramePayload.decompress(payload, header: header)
        else { return nil }
        return try? Snapshot(decoding: raw.rawSpan)
    }

    /// No snapshot is left: replay everything that is there, with the pointers as they were at the beginning. Nobody knows what
    /// became of the events before the first one that is there: they count as lost, or as unreadable when that is why.
    private mutating func baseWithoutSnapshot(_ logUUID: LogUUID) throws(LogError) -> Base {
        report.remarks.append("no snapshot is left; everything that is there is replayed")
        for (index, number) in inventory.segments.enumerated() {
            guard let segment = try open(number), segment.identity.map({ $0.logUUID == logUUID }) ?? true else {
                continue
            }
            if segment.identity == nil {
                let next = inventory.segments.dropFirst(index + 1).first
                segment.life = try next.flatMap { (next) throws(LogError) in
                    try open(next)?.lifeOfPredecessor(number, logUUID)
                }
            }
            guard let life = segment.life, let window = segment.window() else {
                try refuseUnread(segment)
                continue
            }
            let start = LSN(segment: number, offset: UInt64(SpaceBudget.identityBytes))
            guard window.nextHeader(from: start.offset) != nil || window.missedSectors else { continue }
            let entry = SegmentEntry(
                number: number, salt: life.salt, baseSequence: EventSequence(1), endOffset: 0,
                segmentBytes: UInt32(segment.segmentBytes), kind: segment.identity?.kind ?? .regular, holdsEvents: false
            )
            return Base(
                snapshot: Snapshot(
                    covered: DurableThrough(lsn: start, nextSequence: EventSequence(1)),
                    epoch: Epoch(0), nonce: 0, segments: [entry]),
                durable: .nothing, name: "nothing: no snapshot is left")
        }
        throw LogError(
            .damaged,
            "\(directory.path) holds segments of a log, but not one readable frame; nothing was touched; restore a segment, or "
                + "move the files away to start anew")
    }
}
