internal import DurableChannel

/// Lines that stand one behind the other in one buffer. The bytes are shared with whoever reads on behind them; nobody
/// changes them while a run is there.
public struct LineRun: Sendable {
    /// A place between two lines: everything before it has been dealt with.
    public struct Boundary: Equatable, Sendable {
        /// In the input, in bytes.
        public var offset: UInt64
        /// Lines before it, from the beginning of the input.
        public var lines: UInt64
        /// The line before it had no newline, because the input ended there.
        public var endsWithoutNewline: Bool
        /// The last bytes before it, up to ``Fingerprint/maximumBytes``.
        var tail: Fingerprint
    }

    private let buffer: AlignedBuffer
    /// Where the bytes of the input that stand before the first line begin in the buffer.
    private let historyStart: Int
    private let start: Int
    /// Where each line ends: at its newline, or behind its last byte when there is none.
    private let ends: [Int]
    private let lastHasNewline: Bool
    private let offset: UInt64
    private let linesBefore: UInt64

    init(
        _ buffer: AlignedBuffer, historyStart: Int, start: Int, ends: [Int], lastHasNewline: Bool, offset: UInt64,
        linesBefore: UInt64
    ) {
        self.buffer = buffer
        self.historyStart = historyStart
        self.start = start
        self.ends = ends
        self.lastHasNewline = lastHasNewline
        self.offset = offset
        self.linesBefore = linesBefore
    }

    /// At least one.
    public var count: Int { ends.count }

    /// The number of a line in the input, from 1.
    public func lineNumber(of index: Int) -> UInt64 { linesBefore + UInt64(index) + 1 }

    /// The bytes of a line, without its newline.
    @_lifetime(borrow self)
    public func bytes(of index: Int) -> RawSpan {
        let first = index == 0 ? start : ends[index - 1] + 1
        return unsafe _overrideLifetime(buffer.bytes.extracting(first..<ends[index]), borrowing: self)
    }

    /// The place behind a line and its newline.
    public func boundary(after index: Int) -> Boundary {
        let hasNewline = lastHasNewline || index < ends.count - 1
        let end = ends[index] + (hasNewline ? 1 : 0)
        let tailStart = max(historyStart, end - Fingerprint.maximumBytes)
        return Boundary(
            offset: offset + UInt64(end - start), lines: lineNumber(of: index), endsWithoutNewline: !hasNewline,
            tail: Fingerprint(of: buffer.bytes.extracting(tailStart..<end)))
    }
}
