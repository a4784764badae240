internal import FileIO
internal import LogFormat

/// A group of frames on its way to the disk: placed and numbered under the log's lock, put together and written outside it.
final class GroupCommit: @unchecked Sendable {
    enum Outcome { case written, failed(FileError) }

    let segment: ActiveSegment
    let offset: UInt64
    let plan: GroupPlan
    let frames: [FramePayload]
    /// The sequence of the first event, or the next one at this place, for each frame.
    let baseSequences: [EventSequence]
    let tickets: [AppendTicket]
    let epoch: Epoch
    let nonce: UInt64
    /// What its frames state: durable when it was put together.
    let stated: DurableThrough
    /// Where the log stands when it is durable.
    let end: DurableThrough
    /// The snapshot and open frames that begin an epoch after a failed write.
    let opensEpoch: Bool

    /// Guarded by the log's lock.
    var outcome: Outcome?
    /// Set when it is put together, before it is written.
    private(set) var commitTime: UInt64 = 0

    init(
        segment: ActiveSegment, plan: GroupPlan, frames: [FramePayload], tickets: [AppendTicket], epoch: Epoch,
        nonce: UInt64, stated: DurableThrough, numbering: Numbering, opensEpoch: Bool
    ) {
        self.segment = segment
        offset = segment.cursor
        self.plan = plan
        self.frames = frames
        self.tickets = tickets
        self.epoch = epoch
        self.nonce = nonce
        self.stated = stated
        self.opensEpoch = opensEpoch
        baseSequences = numbering.bases
        end = DurableThrough(
            lsn: LSN(segment: segment.number, offset: offset + UInt64(plan.totalBytes)), nextSequence: numbering.next)
    }

    /// Which sequences the events of each frame have.
    struct Numbering {
        var bases: [EventSequence] = []
        /// What the next event after the group gets.
        var next: EventSequence

        /// One after the other.
        init(_ frames: [FramePayload], from first: EventSequence) {
            next = first
            bases.reserveCapacity(frames.count)
            for frame in frames { append(frame) }
        }

        mutating func append(_ frame: FramePayload) {
            bases.append(next)
            next = EventSequence(next.rawValue + UInt64(frame.eventCount))
        }
    }

    var beginsSegment: Bool { offset == UInt64(SpaceBudget.identityBytes) }

    /// One of its frames, as replay hands it out; for what recovery has written again in another place.
    func replayed(_ index: Int, header: FrameHeader) -> ReplayedFrame {
        let place = plan.places[index]
        let position = offset + UInt64(place.lowerBound)
        var header = header
        header.frameBytes = UInt32(place.count)
        header.baseSequence = baseSequences[index]
        header.durableThrough = stated
        header.epoch = epoch
        header.nonce = nonce
        header.storedBytes = UInt32(frames[index].bytes.count)
        header.compression = frames[index].compression
        header.payloadChecksum = frames[index].checksum
        return ReplayedFrame(
            lsn: LSN(segment: segment.number, offset: position),
            end: LSN(segment: segment.number, offset: position + UInt64(place.count)), header: header,
            payload: frames[index].bytes)
    }

    /// Writes headers, payloads and padding into `buffer`. Copies each payload once; computes the header checksums.
    func assemble(into buffer: AlignedBuffer, commitTime: UInt64) {
        self.commitTime = commitTime
        buffer.withMutableBytes { (bytes: inout MutableRawSpan) in
            for (index, frame) in frames.enumerated() {
                let place = plan.places[index]
                Frame.write(
                    frame, baseSequence: baseSequences[index], commitTime: commitTime, durableThrough: stated,
                    epoch: epoch, nonce: nonce, frameBytes: place.count, life: segment.life,
                    position: offset + UInt64(place.lowerBound), into: &bytes, at: place.lowerBound)
            }
            if let padding = plan.padding {
                Frame.writePadding(
                    baseSequence: end.nextSequence, commitTime: commitTime, durableThrough: stated, epoch: epoch,
                    nonce: nonce, frameBytes: padding.count, life: segment.life,
                    position: offset + UInt64(padding.lowerBound), into: &bytes, at: padding.lowerBound)
            }
        }
    }

    /// The answer for one of its tickets, once everything up to the group's end is durable.
    func receipt(for ticket: AppendTicket) -> AppendReceipt {
        let first = ticket.firstFrame
        let after = first + ticket.frames.count
        let lower = baseSequences[first].rawValue
        let upper = after < baseSequences.count ? baseSequences[after].rawValue : end.nextSequence.rawValue
        return AppendReceipt(
            sequences: lower..<upper,
            lsn: LSN(segment: segment.number, offset: offset + UInt64(plan.places[first].lowerBound)),
            durableThrough: end, commitTime: commitTime)
    }
}

/// The segment that groups are placed in. Guarded by the log's lock; the file itself is thread-safe.
final class ActiveSegment: @unchecked Sendable {
    let identity: IdentityBlock
    let life: SegmentLife
    let file: any StorageFile
    /// Where the next group goes.
    var cursor: UInt64

    init(_ identity: IdentityBlock, file: any StorageFile, cursor: UInt64 = UInt64(SpaceBudget.identityBytes)) {
        self.identity = identity
        life = identity.life
        self.file = file
        self.cursor = cursor
    }

    var number: SegmentNumber { life.segment }
    var segmentBytes: UInt64 { identity.segmentBytes }
    var kind: SegmentKind { identity.kind }

    /// Whether a group of `bytes` fits and leaves the block that the seal will need.
    func fits(_ bytes: Int, blockBytes: Int) -> Bool {
        cursor + UInt64(bytes + blockBytes) <= segmentBytes
    }

    /// As a segment table lists it while it holds nothing.
    func entry(baseSequence: EventSequence) -> SegmentEntry {
        SegmentEntry(
            number: number, salt: life.salt, baseSequence: baseSequence, endOffset: 0,
            segmentBytes: UInt32(segmentBytes), kind: kind, holdsEvents: false)
    }

    var isUnused: Bool { cursor == UInt64(SpaceBudget.identityBytes) }
}
