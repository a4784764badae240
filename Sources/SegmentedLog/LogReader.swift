internal import FileIO
public import LogFormat

/// What a reader comes to.
public enum LogItem: Sendable {
    case frame(LogFrame)
    /// Proven damage. The client records it (``Log/record(_:)``) before it goes on; the reader itself is past it already.
    case damage(DamagedRange)
    /// Bytes that the disk does not give at present, for the second time. The reader is past them; they are not lost.
    case unreadable(DamagedRange)
}

/// A frame, verified.
public struct LogFrame: Sendable {
    public var lsn: LSN
    /// The LSN of what follows.
    public var end: LSN
    public var header: FrameHeader
    /// The stored payload.
    public var payload: [UInt8]
}

/// Reads a log in order, up to what is durable: segment by segment, in large pieces, each frame verified once.
///
/// One thread at a time. Holds at most one file open and one window of 1 MiB (or the largest frame). Its present segment is
/// not recycled under it; a retired one is left at the next call. Costs one read for each MiB, and one copy of each payload.
public final class LogReader: @unchecked Sendable {
    private let log: Log
    /// What comes wholly before it is passed by.
    private var seeking: EventSequence?
    private var segment: SegmentNumber
    private var offset: UInt64
    private var expected: EventSequence?
    private var runningEpoch = Epoch(0)
    private var window: SegmentWindow?
    private var isPinned = false
    /// Where the present segment ends, as far as was known when it was last looked up: asked for again only there.
    private var known: Place?
    private var presentEpoch = Epoch(0)
    /// A seek that came to a hole at the beginning of this segment went back from it.
    private var wentBackFrom: SegmentNumber?
    private var surveyed: (segment: SegmentNumber, ledger: EpochLedger)?

    private static let windowBytes = 1 << 20
    private static let start = UInt64(SpaceBudget.identityBytes)

    init(
        _ log: Log, from lsn: LSN?, expecting sequence: EventSequence?, seeking: EventSequence? = nil
    ) {
        self.seeking = seeking
        self.log = log
        let first = log.lock.withLock { log.state.table.entries.first }
        let place = lsn ?? LSN(segment: first?.number ?? SegmentNumber(1), offset: Self.start)
        segment = place.segment
        offset = max(place.offset, Self.start)
        // At the beginning of a segment the table knows the number.
        expected =
            sequence
            ?? (place.offset <= Self.start
                ? log.lock.withLock { log.state.table.entry(place.segment)?.baseSequence } : nil)
    }

    deinit { leave() }

    /// Where the next frame is looked for.
    public var position: LSN { LSN(segment: segment, offset: offset) }

    /// The next item, or nil when there is nothing durable beyond ``position`` at present. Blocks for a read now and then.
    public func next() throws(LogError) -> LogItem? {
        while let item = try step() {
            guard let target = seeking else { return item }
            switch item {
            case .frame(let frame): guard frame.header.type == .put else { continue }
            case .damage(let range), .unreadable(let range):
                guard range.endSequence > target, !goBack(from: range) else { continue }
            }
            seeking = nil
            return item
        }
        return nil
    }

    private func step() throws(LogError) -> LogItem? {
        while true {
            let isKnown = known.map { offset < $0.end } ?? false
            if !isKnown { known = try locate() }
            guard let place = known else { return nil }
            let limit = place.end
            let window = try enter(limit)
            switch window.probe(at: offset, verifyingPayload: mustVerify) {
            case .frame(let header) where counts(header):
                if passes(header) { continue }
                if mustVerify { return try take(header, window) }
                // Found by its header; it is to be handed out, so all of it must hold.
                if case .frame = window.probe(at: offset, verifyingPayload: true) { return try take(header, window) }
            default: break
            }
            if isKnown {
                // Nothing is judged by what may have changed since: the segment may be retired, and the file in use again.
                known = nil
                continue
            }
            // Not what it should be. The page cache may lag behind direct writes, so the device is asked before judging.
            let device = try reopen(limit)
            switch device.probe(at: offset, verifyingPayload: true) {
            case .frame(let header) where counts(header): return try take(header, device)
            case .unreadable:
                if let item = pass(device, place, unreadable: true) { return item }
            default:
                // Retired, and perhaps used again, since it was looked up: then this is no damage.
                guard log.lock.withLock({ log.state.table.entry(segment) != nil }) else {
                    leave()
                    continue
                }
                if let item = pass(device, place, unreadable: false) { return item }
            }
        }
    }

    // MARK: Seeking

    /// Headers are enough on the way to a sequence through what this opening has written. (What an earlier one left may hold a
    /// torn frame whose header is whole, and reaches over the `open` frame that cut it.)
    private var mustVerify: Bool { seeking == nil || runningEpoch != presentEpoch }

    /// A frame on the way to the sequence that is looked for: stepped over.
    private func passes(_ header: FrameHeader) -> Bool {
        guard let target = seeking else { return false }
        let end = EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))
        guard end <= target, header.baseSequence <= target else { return false }
        offset += UInt64(header.frameBytes)
        runningEpoch = header.epoch
        expected = end
        return true
    }

    /// Where an opening could not read the end of one segment and the beginning of the next, it gave that one the first number of
    /// all that it held. So a hole at the beginning of the segment that the table names is looked for in the one before, too.
    private func goBack(from hole: DamagedRange) -> Bool {
        guard hole.segment == segment, hole.fromOffset <= Self.start, segment < wentBackFrom ?? .init(.max),
            let earlier = log.lock.withLock({ log.state.table.entries.last { $0.number < segment } })
        else { return false }
        leave()
        wentBackFrom = segment
        segment = earlier.number
        offset = Self.start
        expected = earlier.baseSequence
        runningEpoch = Epoch(0)
        return true
    }

    // MARK: Where

    private struct Place {
        var end: UInt64
        /// The table says that the frames end there.
        var isEnded: Bool
        var nextBase: EventSequence
    }

    /// Moves on to the segment that holds the next byte; nil when nothing durable is left.
    private func locate() throws(LogError) -> Place? {
        while true {
            let (entry, next, durable) = log.lock.withLock {
                () -> (SegmentEntry?, SegmentEntry?, DurableThrough) in
                presentEpoch = log.state.epoch
                return (
                    log.state.table.entry(segment), log.state.table.entry(after: segment), log.state.durable
                )
            }
            if let entry {
                var end = entry.endOffset == 0 ? UInt64(entry.segmentBytes) : entry.endOffset
                // A later segment may be begun already, with numbers behind what is still on its way here.
                let isLast = segment == durable.lsn.segment
                if isLast { end = min(end, durable.lsn.offset) }
                if segment > durable.lsn.segment { return nil }
                if offset < end {
                    let nextBase = isLast ? durable.nextSequence : next?.baseSequence ?? durable.nextSequence
                    return Place(end: end, isEnded: entry.endOffset != 0, nextBase: nextBase)
                }
                if isLast { return nil }
            }
            guard let next, next.number <= durable.lsn.segment else { return nil }
            leave()
            segment = next.number
            offset = Self.start
            runningEpoch = Epoch(0)
            // Across a retired gap nothing is missing: its events were let go.
            expected = max(expected ?? next.baseSequence, next.baseSequence)
        }
    }

    private func enter(_ end: UInt64) throws(LogError) -> SegmentWindow {
        if let window {
            // A growing segment: what was read before it grew is asked for again.
            if window.end != end {
                window.end = end
                window.forget()
            }
            return window
        }
        return try open(end, .cache)
    }

    private func reopen(_ end: UInt64) throws(LogError) -> SegmentWindow { try open(end, .device) }

    private func open(_ end: UInt64, _ source: ReadSource) throws(LogError) -> SegmentWindow {
        leave()
        let salt = log.lock.withLock { () -> UInt64? in
            guard let entry = log.state.table.entry(segment) else { return nil }
            log.pins[segment, default: 0] += 1
            isPinned = true
            return entry.salt
        }
        guard let salt else {
            throw LogError(.notFound, "segment \(segment) of \(log.path) was retired", lsn: position)
        }
        do throws(FileError) {
            let file = try log.directory.open(FileNames.segment(segment), for: .reading)
            let size = try file.status().size
            let opened = SegmentWindow(
                file: file, life: SegmentLife(logUUID: log.logUUID, salt: salt, segment: segment),
                end: min(end, size), source: source, windowBytes: Self.windowBytes, prefetches: true)
            if source == .cache { window = opened }
            return opened
        } catch {
            leave()
            throw .file(error, "segment \(segment) of \(log.path) cannot be read")
        }
    }

    private func leave() {
        known = nil
        if let window { try? window.file.close() }
        window = nil
        guard isPinned else { return }
        isPinned = false
        log.lock.withLock {
            log.pins[segment, default: 1] -= 1
            if log.pins[segment] == 0 { log.pins[segment] = nil }
        }
    }

    // MARK: What

    /// In one segment epochs only rise; a left-over of a lower one is not part of the log.
    private func counts(_ header: FrameHeader) -> Bool {
        header.epoch >= runningEpoch && header.baseSequence >= expected ?? header.baseSequence
    }

    private func take(_ header: FrameHeader, _ window: SegmentWindow) throws(LogError) -> LogItem {
        if let expected, header.baseSequence > expected {
            // Numbers are missing, though no bytes are: they went with a lost segment.
            self.expected = header.baseSequence
            return .damage(DamagedRange(.damaged, segment, offset, offset, expected, header.baseSequence))
        }
        let lsn = position
        do throws(FileError) {
            let payload = try window.payload(of: header, at: offset)
            offset += UInt64(header.frameBytes)
            runningEpoch = header.epoch
            expected = EventSequence(header.baseSequence.rawValue + UInt64(header.eventCount))
            return .frame(LogFrame(lsn: lsn, end: position, header: header, payload: payload))
        } catch {
            throw .file(error, "the frame at \(lsn) cannot be read")
        }
    }

    /// Steps over what is no frame: quietly where a later epoch has cut the log, else with a word about what is missing. A hole
    /// of which the disk does not give all is not damage: nobody knows what it held.
    private func pass(_ window: SegmentWindow, _ place: Place, unreadable: Bool) -> LogItem? {
        let from = offset
        let ledger = survey(window)
        defer { leave() }
        if let opening = ledger.opening(cuttingAt: position), opening.lsn.offset > from {
            offset = opening.lsn.offset
            return nil
        }
        let next = window.nextFrame(from: from + 8) { position, header in
            let lsn = LSN(segment: segment, offset: position)
            return counts(header) && !ledger.isStale(epoch: header.epoch, nonce: header.nonce, at: lsn)
        }
        if let next {
            return skip(
                to: next.offset, at: next.offset, next.header.baseSequence,
                unreadable || !window.gives(from: from, to: next.offset))
        }
        return skip(
            to: place.end, at: place.isEnded ? place.end : 0, place.nextBase,
            unreadable || !window.gives(from: from, to: place.end))
    }

    /// The openings of this segment; looked for once, however many holes it has.
    private func survey(_ window: SegmentWindow) -> EpochLedger {
        if let known = surveyed, known.segment == segment { return known.ledger }
        var running = Epoch(0)
        let found = SegmentSurvey(window, from: Self.start, runningEpoch: &running)
        let ledger = EpochLedger(base: nil, found: found.openings)
        if found.headersEnd != nil { surveyed = (segment, ledger) }
        return ledger
    }

    private func skip(
        to target: UInt64, at end: UInt64, _ next: EventSequence, _ unreadable: Bool
    ) -> LogItem {
        let first = expected ?? next
        let range = DamagedRange(
            unreadable ? .unreadable : .damaged, segment, offset, end, first, max(first, next))
        offset = target
        expected = max(first, next)
        return unreadable ? .unreadable(range) : .damage(range)
    }
}
