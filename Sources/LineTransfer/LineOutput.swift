public import DurableChannel

/// Where the events of takes go. Used by one thread.
public protocol LineOutput: AnyObject {
    /// Writes the first `count` bytes of the buffer, all of them, behind what was written before.
    func write(_ buffer: AlignedBuffer, count: Int) throws(LineTransferError)

    /// Called when all of a take is written, before it is committed. On return everything written is as safe as this
    /// output can make it. A bookmark that it returns is committed with the take.
    func prepareCommit() throws(LineTransferError) -> Bookmark?
}

/// Gathers small pieces into large writes.
struct OutputBuffer: ~Copyable {
    private let output: any LineOutput
    private let buffer: AlignedBuffer
    private var count = 0

    init(_ output: any LineOutput, byteCount: Int = 1 << 20) {
        self.output = output
        buffer = AlignedBuffer(byteCount: byteCount)
    }

    mutating func append(_ bytes: RawSpan) throws(LineTransferError) {
        var done = 0
        while done < bytes.byteCount {
            if count == buffer.byteCount { try flush() }
            let length = min(bytes.byteCount - done, buffer.byteCount - count)
            buffer.copy(from: bytes.extracting(done..<done + length), at: count)
            count += length
            done += length
        }
    }

    mutating func append(_ byte: UInt8) throws(LineTransferError) {
        if count == buffer.byteCount { try flush() }
        buffer.withMutableBytes { $0.storeBytes(of: byte, toByteOffset: count, as: UInt8.self) }
        count += 1
    }

    mutating func flush() throws(LineTransferError) {
        guard count > 0 else { return }
        try output.write(buffer, count: count)
        count = 0
    }
}
