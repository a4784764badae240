internal import Glibc

/// Memory for a read or a write: zero-filled, aligned to 4096 bytes, so that O_DIRECT takes it on every device.
///
/// It has one owner at a time: whoever holds it for a call that has not returned, or for a write that has not
/// completed. Nothing here checks that; two threads that touch one buffer at once are a programmer's mistake.
@safe public final class AlignedBuffer: @unchecked Sendable {
    /// The alignment of the first byte, and the unit of ``byteCount``.
    public static let alignment = 4096

    /// A multiple of ``alignment``, at least one.
    public let byteCount: Int

    /// For the system calls of this module.
    let base: UnsafeMutableRawPointer

    /// - Parameter byteCount: bytes wanted, rounded up to the next multiple of ``alignment``.
    public init(byteCount: Int) {
        precondition(byteCount >= 0, "a buffer cannot have \(byteCount) bytes")
        let rounded = max(1, (byteCount + Self.alignment - 1) / Self.alignment) * Self.alignment
        self.byteCount = rounded
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: rounded, alignment: Self.alignment)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: rounded)
    }

    deinit {
        unsafe base.deallocate()
    }

    /// The whole buffer, to read.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let all = unsafe UnsafeRawBufferPointer(start: base, count: byteCount)
            return unsafe _overrideLifetime(RawSpan(_unsafeBytes: all), borrowing: self)
        }
    }

    /// The whole buffer, to change.
    public func withMutableBytes<R, E: Error>(_ body: (inout MutableRawSpan) throws(E) -> R) throws(E) -> R {
        let all = unsafe UnsafeMutableRawBufferPointer(start: base, count: byteCount)
        var span = unsafe MutableRawSpan(_unsafeBytes: all)
        return try body(&span)
    }

    /// Sets the bytes of `range` to zero.
    public func zero(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "\(range) is outside of the buffer")
        _ = unsafe memset(base + range.lowerBound, 0, range.count)
    }

    /// Copies all of `source` to `offset`.
    public func copy(from source: RawSpan, at offset: Int) {
        precondition(offset >= 0 && source.byteCount <= byteCount - offset, "the copy is outside of the buffer")
        unsafe source.withUnsafeBytes { from in
            guard let start = from.baseAddress else { return }
            _ = unsafe memmove(base + offset, start, from.count)
        }
    }

    /// Copies all of `source` to `offset`.
    public func copy(from source: [UInt8], at offset: Int) {
        unsafe copy(from: source.span.bytes, at: offset)
    }
}
