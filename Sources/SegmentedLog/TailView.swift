internal import LogFormat

/// What recovery sees of the log from a place in it: what stands there, and what counts beyond. It reads, and decides nothing.
struct TailView {
    let scan: [ScannedSegment]
    let ledger: EpochLedger
    /// The segments as the base snapshot lists them: a scan that starts in the middle of one does not see all of it.
    let known: [SegmentNumber: SegmentEntry]

    init(_ scan: [ScannedSegment], known: [SegmentEntry], _ ledger: EpochLedger) {
        self.scan = scan.filter { !ledger.voids($0.number) && $0.life != nil }
        self.ledger = ledger
        self.known = Dictionary(known.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    }

    struct Place {
        /// Of its segment, in ``TailView/scan``.
        var index: Int
        var lsn: LSN
        var window: SegmentWindow
        /// The next sequence.
        var expected: EventSequence
    }

    /// What counts beyond a place, and where.
    struct Outlook {
        var beyond = TailSituation.Beyond.nothing
        var opening: EpochLedger.Opening?
        var frame: (offset: UInt64, header: FrameHeader)?
        var segment: (index: Int, offset: UInt64, header: FrameHeader)?
    }

    /// What stands there, and its header when that is one of a frame that counts.
    func look(at place: Place) -> (TailSituation.Found, FrameHeader?) {
        let (lsn, window) = (place.lsn, place.window)
        #if PlantedBugs
            if PlantedBug.endLogAtUnreadable.isPlanted,
                case .unreadable = window.probe(at: lsn.offset, verifyingPayload: true)
            {
                return (.nothing, nil)
            }
        #endif
        switch window.probe(at: lsn.offset, verifyingPayload: true) {
        case .unreadable: return (.unreadable, nil)
        case .nothing: return (.nothing, nil)
        case .badPayload(let header):
            return (ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn) ? .stale : .badPayload, nil)
        case .frame(let header):
            if ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn) { return (.stale, nil) }
            // A frame that numbers events again is not one that the log wrote here, and neither is a seal that names
            // no segment.
            #if PlantedBugs
                if PlantedBug.acceptRecycledTail.isPlanted, header.type != .seal { return (.frame, header) }
            #endif
            if header.baseSequence < place.expected { return (.nothing, nil) }
            if header.type == .seal, Self.seal(header, at: lsn, in: window) == nil { return (.badPayload, nil) }
            return (.frame, header)
        }
    }

    private static func seal(_ header: FrameHeader, at lsn: LSN, in window: SegmentWindow) -> SealRecord? {
        guard let payload = try? window.payload(of: header, at: lsn.offset) else { return nil }
        guard let seal = try? SealRecord(decoding: payload.rawSpan), seal.nextSegment > lsn.segment else { return nil }
        return seal
    }

    /// - Parameter seal: what was accepted right before it, if that is one.
    func lookBeyond(_ place: Place, behind seal: SealRecord?) -> Outlook {
        var outlook = Outlook()
        let lsn = place.lsn
        // Its segment may be gone, when a later one states it: the log goes on behind that.
        if let opening = ledger.opening(cuttingAt: lsn), scan.contains(where: { $0.number >= opening.lsn.segment }) {
            outlook.opening = opening
            outlook.beyond = opening.lsn.segment == lsn.segment ? .openHere : .openLater
        } else if let seal {
            outlook.beyond = scan.contains { $0.number == seal.nextSegment } ? .segment : .nothing
        } else if let frame = nextFrame(
            in: place.window, of: scan[place.index], after: lsn.offset, expecting: place.expected)
        {
            outlook.frame = frame
            outlook.beyond = .frame
        } else if let segment = nextSegmentWithFrames(after: place.index, expecting: place.expected) {
            outlook.segment = segment
            outlook.beyond = .segment
        }
        return outlook
    }

    /// Whether the disk withholds part of the hole that begins here: then nobody knows what it held.
    func isPartlyUnreadable(_ place: Place, _ isVouched: Bool, _ outlook: Outlook) -> Bool {
        #if PlantedBugs
            if PlantedBug.endLogAtUnreadable.isPlanted { return false }
        #endif
        if outlook.opening != nil { return false }
        let (index, lsn) = (place.index, place.lsn)
        let known = isVouched ? outlook.frame?.offset ?? framesEnd(of: lsn) : 0
        // Only a segment that the survey could not go through is looked at once more.
        if scan[index].headersEnd == nil, !place.window.gives(from: lsn.offset, to: known > 0 ? known : .max) {
            return true
        }
        guard isVouched else { return leadsToUnreadable(after: index) }
        if outlook.frame != nil { return false }
        guard let later = outlook.segment else { return scan[(index + 1)...].contains { $0.headersEnd == nil } }
        return scan[(index + 1)..<later.index].contains { $0.headersEnd == nil }
            || scan[later.index].window()?.gives(from: UInt64(SpaceBudget.identityBytes), to: later.offset) == false
    }

    /// Whether the frames of a later segment, from the first one on, come to a place that the disk does not give: it may hold what
    /// vouches for the hole.
    private func leadsToUnreadable(after index: Int) -> Bool {
        scan[(index + 1)...].contains { $0.headersEnd == nil && framesOf($0)?.isCutShort == true }
    }

    /// Where the frames of a segment end, counted from its first one; nil when it has none that can be read, or may have some.
    func framesOf(_ segment: ScannedSegment) -> (end: UInt64, isCutShort: Bool)? {
        guard let window = segment.window() else { return nil }
        let start = UInt64(SpaceBudget.identityBytes)
        var offset = start
        while true {
            switch window.probe(at: offset, verifyingPayload: true) {
            case .frame(let header): offset += UInt64(header.frameBytes)
            case .unreadable: return (segment.segmentBytes, true)
            case .badPayload, .nothing: return offset > start ? (offset, false) : nil
            }
        }
    }

    /// Behind a hole: no later epoch cut it off, and it numbers no event again.
    private func counts(_ header: FrameHeader, at lsn: LSN, _ expected: EventSequence) -> Bool {
        !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn) && header.baseSequence >= expected
    }

    private func nextFrame(
        in window: SegmentWindow, of segment: ScannedSegment, after start: UInt64,
        expecting expected: EventSequence
    ) -> (offset: UInt64, header: FrameHeader)? {
        window.nextFrame(from: start + 8, before: segment.headersEnd ?? window.end) { position, header in
            counts(header, at: LSN(segment: window.life.segment, offset: position), expected)
        }
    }

    /// The next segment with a frame that is valid and counts, and the first such frame of it.
    func nextSegmentWithFrames(
        after index: Int, expecting expected: EventSequence
    ) -> (index: Int, offset: UInt64, header: FrameHeader)? {
        for later in scan.indices where later > index {
            let start = UInt64(SpaceBudget.identityBytes)
            guard start < scan[later].headersEnd ?? .max, let window = scan[later].window() else { continue }
            let lsn = LSN(segment: scan[later].number, offset: start)
            if case .frame(let header) = window.probe(at: start, verifyingPayload: true),
                counts(header, at: lsn, expected)
            {
                return (later, start, header)
            }
            // Its first frame is damaged; a later one of it counts just as well.
            if let next = nextFrame(in: window, of: scan[later], after: start, expecting: expected) {
                return (later, next.offset, next.header)
            }
        }
        return nil
    }

    /// Where the frames of this segment ended, as far as somebody says so: a later opening that cut it, or the table; else 0.
    func framesEnd(of lsn: LSN) -> UInt64 {
        let cut = ledger.openings.first {
            $0.cut.segment == lsn.segment && $0.cut > lsn && $0.lsn.segment > lsn.segment
        }
        let end = cut?.cut.offset ?? known[lsn.segment]?.endOffset ?? 0
        return end > lsn.offset ? end : 0
    }
}
