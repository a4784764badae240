internal import FileIO
internal import LogFormat

/// A segment's bytes, read in large pieces, and the frames in them.
///
/// Not thread-safe: one owner. Memory: one buffer of a MiB at the most, or of the largest frame met, and what it is told to
/// remember; a frame's length is believed only when its header's checksum holds and the file has that many bytes.
final class SegmentWindow {
    let file: any StorageFile
    let life: SegmentLife
    /// No byte is read from here on: the segment's size, the file's if that is shorter, or the durable end.
    var end: UInt64
    let source: ReadSource

    /// Whether ``nextHeader(from:)`` stepped over something that the disk did not give.
    private(set) var missedSectors = false

    private var buffer: AlignedBuffer
    private var start: UInt64 = 0
    private var count = 0
    /// What was read first, for whoever goes over it once more; the present buffer may be one of them.
    private var remembered: [(start: UInt64, count: Int, buffer: AlignedBuffer)] = []
    private var isRemembered = false
    private var roomToRemember: Int
    /// Asks for what comes next while frames are gone through. For whoever does much else with what was read: where it is in the
    /// page cache already, the asking costs a tenth of reading it.
    private let prefetches: Bool
    /// The first frame that was met, and up to where the disk was asked.
    private var firstFrame: UInt64?
    private var prefetched: UInt64 = 0
    /// How much is asked for at once: a disk that is busy with a MiB lets a commit wait for milliseconds.
    private static let prefetchBytes: UInt64 = 128 << 10

    /// How much is read at once: little at first, for whoever looks at one place; twice as much with each read that goes on behind
    /// the last one, for a scan. (A disk that gives 0.55 GB/s in pieces of 256 KiB gave 0.9 in pieces of 1 MiB.)
    static let windowBytes = 256 << 10
    private static let largestWindowBytes = 1 << 20
    private var windowBytes: Int
    /// Reading ahead up to here has failed: until then it is read page by page, so that a bad sector is met by its own page
    /// only, and not by every attempt to read what stands before it.
    private var carefulUntil: UInt64 = 0
    /// Bytes of frames that turned out to be bad. A crash leaves a few of them; forged headers that all reach far would make
    /// a scan take for ever, so beyond a limit they are bad unread.
    private var wasted: UInt64 = 0
    private var wasteLimit: UInt64 { 4 * max(end, 1 << 20) }
    private static let pageBytes = UInt64(SpaceBudget.pageBytes)
    /// What a disk loses at once.
    private static let sectorBytes: UInt64 = 512

    init(
        file: any StorageFile, life: SegmentLife, end: UInt64, source: ReadSource, windowBytes: Int = windowBytes,
        remembering bytes: Int = 0, prefetches: Bool = false
    ) {
        roomToRemember = bytes
        self.prefetches = prefetches
        self.file = file
        self.life = life
        self.end = end
        self.source = source
        self.windowBytes = windowBytes
        // A page of what was read before, and a window.
        buffer = AlignedBuffer(byteCount: Int(min(UInt64(windowBytes) + Self.pageBytes, end)))
    }

    enum Probe {
        /// A valid header; the whole frame was verified when that was asked for.
        case frame(FrameHeader)
        case badPayload(FrameHeader)
        case nothing
        case unreadable(FileError)
    }

    /// What stands at `offset`.
    func probe(at offset: UInt64, verifyingPayload: Bool) -> Probe {
        let found = judge(offset, verifyingPayload)
        if prefetches, case .frame(let header) = found { prefetch(behind: offset, UInt64(header.frameBytes)) }
        return found
    }

    private func judge(_ offset: UInt64, _ verifyingPayload: Bool) -> Probe {
        guard offset % 8 == 0, offset + UInt64(FrameHeader.byteCount) <= end else { return .nothing }
        do throws(FileError) {
            let index = try load(offset, count: FrameHeader.byteCount)
            var buffer = self.buffer
            guard FrameHeader.hasMagic(buffer.bytes, at: index) else { return .nothing }
            let header: FrameHeader
            do throws(FormatError) {
                header = try FrameHeader.decode(buffer.bytes, at: index, life: life, position: offset)
            } catch {
                return .nothing
            }
            guard offset + UInt64(header.frameBytes) <= end else { return .badPayload(header) }
            guard verifyingPayload else { return .frame(header) }
            guard wasted <= wasteLimit else { return .badPayload(header) }
            let whole = try load(offset, count: Int(header.frameBytes))
            buffer = self.buffer
            do throws(FormatError) {
                try Frame.verify(buffer.bytes, at: whole, header: header, life: life, position: offset)
                return .frame(header)
            } catch {
                wasted += UInt64(header.frameBytes)
                return .badPayload(header)
            }
        } catch {
            return .unreadable(error)
        }
    }

    /// The stored payload of a frame that ``probe(at:verifyingPayload:)`` has just verified.
    func payload(of header: FrameHeader, at offset: UInt64) throws(FileError) -> [UInt8] {
        let index = try load(offset, count: Int(header.frameBytes)) + FrameHeader.byteCount
        let buffer = self.buffer
        return buffer.bytes.copy(index..<(index + Int(header.storedBytes)))
    }

    /// The frame that ends at `offset`, found by its trailer; nil when none does. For scans from the far side of a damaged
    /// range, and from the end of the log.
    func frame(endingAt offset: UInt64, notBefore start: UInt64) -> (offset: UInt64, header: FrameHeader)? {
        guard offset <= end, offset >= start + UInt64(FormatConstants.minimumFrameBytes),
            let index = try? load(offset - 8, count: 8)
        else { return nil }
        let buffer = self.buffer
        guard let length = Frame.trailerLength(buffer.bytes, endingAt: index + 8), UInt64(length) <= offset - start,
            case .frame(let header) = probe(at: offset - UInt64(length), verifyingPayload: true),
            header.frameBytes == length
        else { return nil }
        return (offset - UInt64(length), header)
    }

    /// The next valid header at or after `offset`, at any multiple of 8. Sectors that cannot be read are stepped over. What
    /// has been read is looked through before more is: whoever goes from header to header reads the file once.
    func nextHeader(from offset: UInt64) -> (offset: UInt64, header: FrameHeader)? {
        var offset = (offset + 7) / 8 * 8
        while offset + UInt64(FrameHeader.byteCount) <= end {
            guard let index = try? load(offset, count: FrameHeader.byteCount) else {
                missedSectors = true
                offset = (offset / Self.sectorBytes + 1) * Self.sectorBytes
                continue
            }
            let buffer = self.buffer
            let bytes = buffer.bytes
            let limit = min(count, Int(end - start))
            var step = index
            while step + FrameHeader.byteCount <= limit {
                let page = min((step / SpaceBudget.pageBytes + 1) * SpaceBudget.pageBytes, limit)
                // Most of what is looked through are the zeros of space that was written beforehand.
                if bytes.isZero(step..<page) {
                    step = page
                    continue
                }
                while step < min(page, limit - FrameHeader.byteCount + 1) {
                    let position = start + UInt64(step)
                    if FrameHeader.hasMagic(bytes, at: step),
                        let header = try? FrameHeader.decode(bytes, at: step, life: life, position: position)
                    {
                        return (position, header)
                    }
                    step += 8
                }
            }
            offset = start + UInt64(step)
        }
        return nil
    }

    /// The next whole frame at or after `offset` and before `limit`, of those whose header counts. Headers of what is torn, or does
    /// not count, are stepped over and not hopped: what they reach over may hold others.
    func nextFrame(
        from offset: UInt64, before limit: UInt64 = .max,
        where counts: (_ offset: UInt64, _ header: FrameHeader) -> Bool = { _, _ in true }
    ) -> (offset: UInt64, header: FrameHeader)? {
        var from = offset
        while from < limit, let (position, header) = nextHeader(from: from), position < limit {
            if counts(position, header), case .frame = probe(at: position, verifyingPayload: true) {
                return (position, header)
            }
            from = position + 8
        }
        return nil
    }

    /// Copies a range as it is, for setting it aside. Unreadable bytes come as zeros.
    func copy(_ range: Range<UInt64>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var offset = range.lowerBound
        while offset < min(range.upperBound, end) {
            let wanted = Int(min(UInt64(4096), min(range.upperBound, end) - offset))
            if let index = try? load(offset, count: wanted) {
                let buffer = self.buffer
                bytes.append(contentsOf: buffer.bytes.copy(index..<(index + wanted)))
            } else {
                bytes.append(contentsOf: repeatElement(0, count: wanted))
            }
            offset += UInt64(wanted)
        }
        return bytes
    }

    /// Whether the disk gives all bytes of a range, as far as there are any.
    func gives(from start: UInt64, to limit: UInt64) -> Bool {
        var offset = start
        let limit = min(limit, end)
        while offset < limit {
            let next = min((offset / Self.pageBytes + 1) * Self.pageBytes, limit)
            guard (try? load(offset, count: Int(next - offset))) != nil else { return false }
            offset = next
        }
        return true
    }

    /// Drops what was read, so that the next call asks the file again.
    func forget() {
        count = 0
        remembered = []
        isRemembered = false
    }

    /// The disk gave everything that was asked for, and no frame was bad.
    var isUnblemished: Bool { !missedSectors && wasted == 0 && carefulUntil == 0 }

    /// Makes `count` bytes at `offset` available; returns their index in the buffer. `offset + count` is at most `end`.
    private func load(_ offset: UInt64, count wanted: Int) throws(FileError) -> Int {
        if offset >= start, offset + UInt64(wanted) <= start + UInt64(count) { return Int(offset - start) }
        if let piece = remembered.first(where: {
            offset >= $0.start && offset + UInt64(wanted) <= $0.start + UInt64($0.count)
        }) {
            (start, count, buffer) = piece
            isRemembered = true
            return Int(offset - start)
        }
        var base = offset / Self.pageBytes * Self.pageBytes
        var needed = Int(offset - base) + wanted
        let isSequential = count > 0 && base >= start && base <= start + UInt64(count)
        if isSequential {
            windowBytes = min(2 * windowBytes, max(windowBytes, Self.largestWindowBytes))
        }
        let ahead = min(UInt64(windowBytes) + Self.pageBytes, end - base)
        let kept = keep(from: base, makingRoomFor: max(needed, Int(ahead)))
        count = 0
        isRemembered = false
        let from = base + UInt64(kept)
        let most = max(from < carefulUntil ? Int(Self.pageBytes) : windowBytes, needed - kept)
        let limit = Int(min(UInt64(min(most, buffer.byteCount - kept)), end - from))
        do throws(FileError) {
            count = try kept + readTwice(limit, from: from, to: kept)
        } catch {
            // One bad sector must not hide its neighbours: ask for no more than what is needed.
            carefulUntil = max(carefulUntil, from + UInt64(limit))
            // In pieces of a page nothing is worth remembering; and whoever comes again asks the disk again.
            roomToRemember = 0
            remembered = []
            base = offset / Self.sectorBytes * Self.sectorBytes
            needed = Int(offset - base) + wanted
            count = try readTwice(needed, from: base, to: 0)
        }
        start = base
        remember()
        guard count >= needed else {
            let got = count
            count = 0
            throw FileError(
                .read, path: "\(file.name) (short: \(got) of \(needed) bytes at \(base))", errno: 0,
                reason: .inputOutput)
        }
        return Int(offset - start)
    }

    /// What lies behind the window, up to a window's length behind the frame at `offset`. Not for who reads a single one.
    private func prefetch(behind offset: UInt64, _ frameBytes: UInt64) {
        guard source == .cache else { return }
        let first = firstFrame ?? offset
        firstFrame = first
        guard offset >= first + Self.prefetchBytes else { return }
        prefetched = max(prefetched, start + UInt64(count))
        // One piece more than a window has: the next one is read whole, and only whole pieces are asked for.
        let limit = min(end, offset + frameBytes + UInt64(windowBytes) + Self.prefetchBytes)
        while prefetched + Self.prefetchBytes <= limit || (limit == end && prefetched < end) {
            let next = min(prefetched + Self.prefetchBytes, end)
            file.prefetch(prefetched..<next)
            prefetched = next
        }
    }

    private func remember() {
        guard roomToRemember >= buffer.byteCount else {
            roomToRemember = 0
            return
        }
        roomToRemember -= buffer.byteCount
        remembered.append((start, count, buffer))
        isRemembered = true
    }

    /// Moves what has been read from `base` on, in whole pages, to the front of a buffer that is large enough: a scan goes on
    /// behind it and reads nothing twice. The number of bytes.
    private func keep(from base: UInt64, makingRoomFor needed: Int) -> Int {
        let last = buffer
        if needed > buffer.byteCount || isRemembered { buffer = AlignedBuffer(byteCount: needed) }
        let readEnd = (start + UInt64(count)) / Self.pageBytes * Self.pageBytes
        guard base >= start, base < readEnd else { return 0 }
        let index = Int(base - start)
        let kept = Int(readEnd - base)
        buffer.copy(from: last.bytes.extracting(index..<index + kept), at: 0)
        return kept
    }

    /// A read error may pass (row 24); a write error never does. So a read, and only a read, is tried once more.
    private func readTwice(_ count: Int, from offset: UInt64, to index: Int) throws(FileError) -> Int {
        #if PlantedBugs
            let source = PlantedBug.trustPageCache.isPlanted ? ReadSource.cache : self.source
        #endif
        do throws(FileError) {
            return try file.read(into: buffer, at: index, count: count, from: offset, source: source)
        } catch {
            return try file.read(into: buffer, at: index, count: count, from: offset, source: source)
        }
    }
}
