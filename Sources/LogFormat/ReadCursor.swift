/// Walks a run of bytes from front to back. It holds positions only; the bytes come with each call. Nothing is read,
/// and nothing allocated, beyond what is left.
struct ReadCursor {
    let structure: FormatError.Structure
    private(set) var position: Int
    let end: Int

    /// Over all of `bytes`.
    init(_ structure: FormatError.Structure, _ bytes: RawSpan) {
        self.init(structure, from: 0, to: bytes.byteCount)
    }

    /// Over the bytes from `start` up to `end`, both inside the span that each call will bring.
    init(_ structure: FormatError.Structure, from start: Int, to end: Int) {
        self.structure = structure
        self.position = start
        self.end = end
    }

    var remaining: Int { end - position }

    func error(_ code: FormatError.Code) -> FormatError { FormatError(structure, code, at: position) }

    /// Steps over `count` bytes and returns where they begin.
    mutating func skip(_ count: Int) throws(FormatError) -> Int {
        guard count >= 0, count <= remaining else { throw error(.tooShort) }
        defer { position += count }
        return position
    }

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: RawSpan, as type: Value.Type = Value.self
    ) throws(FormatError) -> Value {
        bytes.loadInteger(at: try skip(MemoryLayout<Value>.size))
    }

    mutating func array(_ count: Int, _ bytes: RawSpan) throws(FormatError) -> [UInt8] {
        let start = try skip(count)
        return bytes.copy(start..<start + count)
    }

    mutating func text(_ count: Int, _ field: FormatField, _ bytes: RawSpan) throws(FormatError) -> String {
        let start = try skip(count)
        guard bytes.isUTF8(start..<start + count) else {
            throw FormatError(structure, .notUTF8(field), at: start)
        }
        return bytes.text(start..<start + count)
    }

    mutating func zeros(_ count: Int, _ bytes: RawSpan) throws(FormatError) {
        let start = try skip(count)
        guard bytes.isZero(start..<start + count) else { throw FormatError(structure, .reservedNotZero, at: start) }
    }

    /// Zero bytes up to a multiple of 8, counted from `start`.
    mutating func zerosToAlignment(from start: Int, _ bytes: RawSpan) throws(FormatError) {
        try zeros(FormatConstants.aligned(position - start) - (position - start), bytes)
    }

    /// Checks a count before anything is allocated by it: against its limits, and against the bytes that are left.
    func check(
        _ count: Int, _ field: FormatField, in limits: ClosedRange<Int>, eachAtLeast bytes: Int
    ) throws(FormatError) {
        guard limits.contains(count) else { throw error(.outOfRange(field)) }
        guard count <= remaining / bytes else { throw error(.tooShort) }
    }

    func finish() throws(FormatError) {
        guard remaining == 0 else { throw error(.trailingBytes) }
    }
}
