/// Fills a run of zero bytes from front to back. It holds a position only; the bytes come with each call.
struct WriteCursor {
    private(set) var position: Int

    init(at position: Int = 0) { self.position = position }

    /// Steps over `count` bytes, which stay zero, and returns where they begin.
    @discardableResult
    mutating func skip(_ count: Int) -> Int {
        defer { position += count }
        return position
    }

    mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, _ bytes: inout MutableRawSpan
    ) {
        bytes.storeInteger(value, at: skip(MemoryLayout<Value>.size))
    }

    mutating func array(_ array: [UInt8], _ bytes: inout MutableRawSpan) {
        bytes.store(array.rawBytes, at: skip(array.count))
    }

    mutating func text(_ text: String, _ bytes: inout MutableRawSpan) {
        bytes.store(text, at: skip(text.utf8.count))
    }

    /// Steps to a multiple of 8, counted from `start`.
    mutating func align(from start: Int) {
        position = start + FormatConstants.aligned(position - start)
    }
}
