public import DurableChannel
internal import Glibc

/// Cuts an input into lines: bytes in, lines out, without their newlines. A carriage return is part of its line, an
/// empty line is a line of 0 bytes, and any byte but a newline is content.
///
/// It owns the buffer that is read into and does no reading itself. A line is found where it was read and is not
/// copied; only the beginning of a line that the end of a buffer cut is, once. A buffer whose lines are still held by
/// somebody is left to them: reading goes on behind them, or in a new one.
public struct LineSplitter {
    /// What one event may hold.
    public static let maximumLineBytes = FormatConstants.maximumBodyBytes

    private let maximumLineBytes: Int
    private let readBytes: Int
    private var buffer: AlignedBuffer
    /// The last bytes before `start` that are still there, for fingerprints: `historyStart..<start`.
    private var historyStart = 0
    /// The first byte that was not given out.
    private var start = 0
    /// There is no newline in `start..<scanned`.
    private var scanned = 0
    /// Behind the last byte that was read.
    private var end = 0
    /// Of `start`, in the input.
    private var offset: UInt64
    /// Lines before `start`, in the input.
    private var lines: UInt64
    private var skipsNewline: Bool

    /// - Parameters:
    ///   - readBytes: room for one read.
    ///   - offset: where reading begins in the input.
    ///   - lines: how many lines stand before that.
    ///   - history: the last bytes before it, if bookmarks are wanted.
    ///   - skipsNewline: the line before it was given out when it had no newline yet; one that follows ends that line
    ///     and is no empty line.
    public init(
        maximumLineBytes: Int = Self.maximumLineBytes, readBytes: Int = 512 << 10, offset: UInt64 = 0,
        lines: UInt64 = 0,
        history: [UInt8] = [], skipsNewline: Bool = false
    ) {
        precondition(maximumLineBytes > 0 && readBytes > 0, "a line has bytes, and so has a read")
        self.maximumLineBytes = maximumLineBytes
        self.readBytes = readBytes
        self.offset = offset
        self.lines = lines
        self.skipsNewline = skipsNewline
        buffer = AlignedBuffer(byteCount: readBytes + Fingerprint.maximumBytes)
        buffer.copy(from: history, at: 0)
        start = history.count
        scanned = start
        end = start
    }

    /// Bytes that were read and do not make a whole line yet.
    public var unfinishedBytes: Int { end - start }

    /// Where the unfinished bytes begin in the input.
    public var position: UInt64 { offset }

    /// Lines given out, and those before the beginning.
    public var lineCount: UInt64 { lines }

    /// Has something read into the buffer, behind what is there: `read(buffer, at, count, offset)` reads up to `count`
    /// bytes, which stand at `offset` in the input, to the place `at` of the buffer, and returns how many. False when
    /// it returned 0.
    public mutating func fill<E: Error>(
        _ read: (AlignedBuffer, Int, Int, UInt64) throws(E) -> Int
    ) throws(E) -> Bool {
        makeRoom()
        let count = try read(buffer, end, buffer.byteCount - end, offset + UInt64(end - start))
        precondition(count >= 0 && count <= buffer.byteCount - end, "a read of \(count) bytes")
        end += count
        return count > 0
    }

    /// Moves whole lines into the batch. True when it is full, false when more must be read first.
    ///
    /// - Parameter atEnd: the input has ended: what is left is a line too.
    /// - Throws: ``LineTransferError/Code/lineTooLong`` when the first line that would come next is too long and the
    ///   batch is empty; so what stands before it is given out first. Asked again it throws again.
    public mutating func take(into batch: inout LineBatch, atEnd: Bool = false) throws(LineTransferError) -> Bool {
        skipNewline()
        var found = Found(begin: start, scanned: scanned)
        unsafe buffer.bytes.withUnsafeBytes { bytes in
            unsafe found.search(bytes, to: end, atEnd: atEnd, maximumLineBytes, batch)
        }
        scanned = found.scanned
        hand(found, to: &batch)
        if found.isTooLong && batch.isEmpty { throw tooLong }
        return found.isFull || found.isTooLong
    }

    /// How many whole lines were read and not given out. Gives them out, to nobody; stops at one that is too long.
    public mutating func dropLines() -> UInt64 {
        let before = lines
        while true {
            var batch = LineBatch(LineBatch.Limits(lines: .max))
            guard (try? take(into: &batch)) != nil, !batch.isEmpty else { return lines - before }
        }
    }

    private mutating func skipNewline() {
        guard skipsNewline, end > start else { return }
        skipsNewline = false
        guard unsafe buffer.bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self) == newline else { return }
        start += 1
        scanned = max(scanned, start)
        offset += 1
    }

    private mutating func hand(_ found: Found, to batch: inout LineBatch) {
        guard !found.ends.isEmpty else { return }
        batch.append(
            LineRun(
                buffer, historyStart: historyStart, start: start, ends: found.ends,
                lastHasNewline: found.lastHasNewline, offset: offset, linesBefore: lines),
            bytes: found.bytes)
        lines += UInt64(found.ends.count)
        offset += UInt64(found.begin - start)
        start = found.begin
        historyStart = max(historyStart, start - Fingerprint.maximumBytes)
    }

    /// Makes room for a read. What is kept moves to the front of the buffer, or of another one: a larger one when a
    /// line fills it, a new one when lines in this one are still held.
    private mutating func makeRoom() {
        let isOurs = isKnownUniquelyReferenced(&buffer)
        let enough = readBytes / 4
        if buffer.byteCount - end >= enough && !(isOurs && start == end) { return }
        let kept = end - historyStart
        if isOurs && buffer.byteCount - kept >= enough {
            buffer.copy(from: buffer.bytes.extracting(historyStart..<end), at: 0)
        } else {
            let next = AlignedBuffer(byteCount: max(readBytes, kept) + kept + Fingerprint.maximumBytes)
            next.copy(from: buffer.bytes.extracting(historyStart..<end), at: 0)
            buffer = next
        }
        start -= historyStart
        scanned -= historyStart
        end -= historyStart
        historyStart = 0
    }

    private var tooLong: LineTransferError {
        LineTransferError(
            .lineTooLong,
            "line \(lines + 1), which begins at byte \(offset), is longer than \(maximumLineBytes) bytes, the most "
                + "that an event holds; cut it into several lines, or leave it out")
    }
}

/// The lines that a search found.
private struct Found {
    var ends: [Int] = []
    /// Where the next line begins.
    var begin: Int
    var scanned: Int
    var bytes = 0
    var lastHasNewline = true
    var isFull = false
    var isTooLong = false

    init(begin: Int, scanned: Int) {
        self.begin = begin
        self.scanned = scanned
    }

    mutating func search(
        _ bytes: UnsafeRawBufferPointer, to end: Int, atEnd: Bool, _ maximumLineBytes: Int, _ batch: LineBatch
    ) {
        guard let base = bytes.baseAddress else { return }
        while true {
            if let newline = unsafe memchr(base + scanned, CInt(newline), end - scanned) {
                let place = unsafe UnsafeRawPointer(newline) - base
                guard add(place, maximumLineBytes, batch) else { return }
                begin = place + 1
                scanned = begin
                continue
            }
            scanned = end
            // Too long as soon as that is certain, so that memory stays bounded.
            isTooLong = end - begin > maximumLineBytes
            if !atEnd || isTooLong || begin == end { return }
            guard add(end, maximumLineBytes, batch) else { return }
            begin = end
            lastHasNewline = false
            return
        }
    }

    /// Adds the line that ends there, or notes why not.
    private mutating func add(_ end: Int, _ maximumLineBytes: Int, _ batch: LineBatch) -> Bool {
        let length = end - begin
        isTooLong = length > maximumLineBytes
        isFull = !isTooLong && !batch.admits(length, behind: ends.count, bytes)
        if isTooLong || isFull {
            scanned = begin
            return false
        }
        ends.append(end)
        bytes += batch.cost(length)
        return true
    }
}

private let newline = UInt8(ascii: "\n")
