internal import FileIO
internal import LogFormat

/// The first pass of recovery over one segment: hop from header to header, through damaged ranges too, and note whatever
/// proves or voids something. Judges nothing.
struct SegmentSurvey {
    struct Statement {
        var lsn: LSN
        var epoch: Epoch
        var nonce: UInt64
        var through: DurableThrough
    }

    var openings: [EpochLedger.Opening] = []
    /// For each epoch only those that go further than the ones before.
    var statements: [Statement] = []
    var highestEpoch = Epoch(0)
    var sealNext: SealRecord?
    /// No valid header begins at or behind this place, so that nobody needs to look for one again: what is left of the
    /// active segment may be long. nil when some of it could not be read.
    var headersEnd: UInt64?

    init(_ window: SegmentWindow, from start: UInt64, runningEpoch: inout Epoch) {
        let segment = window.life.segment
        var offset = start
        var best: [Epoch: DurableThrough] = [:]
        headersEnd = start
        while let (position, header) = Self.next(window, at: offset) {
            let lsn = LSN(segment: segment, offset: position)
            headersEnd = position + 8
            highestEpoch = max(highestEpoch, header.epoch)
            if header.durableThrough.lsn > (best[header.epoch]?.lsn ?? DurableThrough.nothing.lsn) {
                best[header.epoch] = header.durableThrough
                statements.append(
                    Statement(
                        lsn: lsn, epoch: header.epoch, nonce: header.nonce, through: header.durableThrough))
            }
            if header.epoch >= runningEpoch, case .frame = window.probe(at: position, verifyingPayload: true) {
                if header.type == .open || header.type == .seal {
                    note(header, at: lsn, in: window)
                }
                runningEpoch = header.epoch
                offset = position + UInt64(header.frameBytes)
            } else {
                // A torn frame, or a left-over of a lower epoch, may reach over newer frames: step, do not hop. What its
                // header states was true all the same.
                offset = position + 8
            }
        }
        if window.missedSectors { headersEnd = nil }
    }

    private static func next(_ window: SegmentWindow, at offset: UInt64) -> (UInt64, FrameHeader)? {
        if case .frame(let header) = window.probe(at: offset, verifyingPayload: false) { return (offset, header) }
        return window.nextHeader(from: offset)
    }

    private mutating func note(_ header: FrameHeader, at lsn: LSN, in window: SegmentWindow) {
        guard let payload = try? window.payload(of: header, at: lsn.offset) else { return }
        if header.type == .open, let record = try? OpenRecord(decoding: payload.rawSpan), record.cut <= lsn {
            openings.append(
                EpochLedger.Opening(
                    epoch: header.epoch, nonce: header.nonce, cut: record.cut, nextSequence: record.nextSequence,
                    lsn: lsn))
        } else if header.type == .seal {
            sealNext = try? SealRecord(decoding: payload.rawSpan)
            #if PlantedBugs
                if PlantedBug.takeSealAsProof.isPlanted {
                    let through = DurableThrough(lsn: lsn, nextSequence: header.baseSequence)
                    statements.append(Statement(lsn: lsn, epoch: header.epoch, nonce: header.nonce, through: through))
                }
            #endif
        }
    }
}
