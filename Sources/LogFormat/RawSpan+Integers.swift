// The only file of the module that reads and writes integers, and the only one besides `RawSpan+Text`, `Checksum` and
// `LZ4` that is allowed to say `unsafe`. Everything is little-endian and may be unaligned. Callers check bounds and report
// errors before they come here; a caller that did not would trap here, not read past the end.

extension RawSpan {
    /// The integer of `field` in the structure that begins at `base`.
    @inline(__always)
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ field: Field<Value>, at base: Int) -> Value {
        loadInteger(at: base + field.offset)
    }

    /// The 16 bytes of `field`: high half first, each half little-endian.
    @inline(__always)
    func load(_ field: Field<LogUUID>, at base: Int) -> LogUUID {
        LogUUID(
            high: loadInteger(at: base + field.offset), low: loadInteger(at: base + field.offset + 8))
    }

    /// The integer whose first byte is at `offset`.
    @inline(__always)
    func loadInteger<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type = Value.self)
        -> Value
    {
        Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// True when every byte of the range, which must be inside, is zero.
    ///
    /// An opening goes over all that is left of the active segment with it, hence the blocks, which become wide instructions.
    package func isZero(_ range: Range<Int>) -> Bool {
        let bytes = extracting(range)
        let blockBytes = 16 * MemoryLayout<SIMD4<UInt64>>.size
        var offset = 0
        while bytes.byteCount - offset >= blockBytes {
            var any = SIMD4<UInt64>()
            for step in 0..<16 { any |= bytes.loadVector(at: offset + step * MemoryLayout<SIMD4<UInt64>>.size) }
            if any != SIMD4() { return false }
            offset += blockBytes
        }
        while bytes.byteCount - offset >= 8 {
            if bytes.loadInteger(at: offset, as: UInt64.self) != 0 { return false }
            offset += 8
        }
        while offset < bytes.byteCount {
            if bytes.loadInteger(at: offset, as: UInt8.self) != 0 { return false }
            offset += 1
        }
        return true
    }

    @inline(__always)
    private func loadVector(at offset: Int) -> SIMD4<UInt64> {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
    }

    /// A copy of the range.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBytes { bytes in unsafe [UInt8](bytes) }
    }
}

extension MutableRawSpan {
    /// Writes the integer of `field` in the structure that begins at `base`.
    @inline(__always)
    mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, _ field: Field<Value>, at base: Int
    ) {
        storeInteger(value, at: base + field.offset)
    }

    /// Writes the 16 bytes of `field`.
    @inline(__always)
    mutating func store(_ value: LogUUID, _ field: Field<LogUUID>, at base: Int) {
        storeInteger(value.high, at: base + field.offset)
        storeInteger(value.low, at: base + field.offset + 8)
    }

    /// Writes the integer so that its first byte is at `offset`.
    @inline(__always)
    mutating func storeInteger<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }

    /// Copies all of `source` to `offset`.
    @inline(__always)
    mutating func store(_ source: RawSpan, at offset: Int) {
        precondition(offset >= 0 && source.byteCount <= byteCount - offset, "bytes do not fit")
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { bytes in
                guard let from = bytes.baseAddress, let to = target.baseAddress else { return }
                unsafe (to + offset).copyMemory(from: from, byteCount: bytes.count)
            }
        }
    }

    /// Copies what stands in the range to `offset`.
    @inline(__always)
    mutating func copy(_ range: Range<Int>, to offset: Int) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= byteCount && offset >= 0 && range.count <= byteCount - offset,
            "bytes outside of the span")
        unsafe withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            unsafe (base + offset).copyMemory(from: base + range.lowerBound, byteCount: range.count)
        }
    }

    /// CRC-32C of what stands in the range.
    func checksum(of range: Range<Int>, continuing: UInt32 = 0) -> UInt32 {
        Checksum.crc32c(bytes.extracting(range), continuing: continuing)
    }

    /// Makes every byte of the range zero.
    mutating func clear(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the bytes")
        unsafe withUnsafeMutableBytes { target in
            for index in range { unsafe target[index] = 0 }
        }
    }
}

extension [UInt8] {
    /// The array's bytes. (The standard library's property is marked unsafe for element types with padding.)
    package var rawBytes: RawSpan {
        @_lifetime(borrow self)
        get { unsafe span.bytes }
    }

    /// `count` bytes, zero but for what `fill` writes.
    static func filled(_ count: Int, _ fill: (inout MutableRawSpan) -> Void) -> [UInt8] {
        var array = [UInt8](repeating: 0, count: count)
        array.withMutableBytes(fill)
        return array
    }

    /// Appends `count` bytes, each of which `fill` must write: they come as whatever stood there, behind all that was there before.
    /// Room that must be made grows geometrically, and is made for `spare` more bytes.
    @inline(__always)
    mutating func append(_ count: Int, spare: Int = 0, _ fill: (inout MutableRawSpan) -> Void) {
        let before = self.count
        append(addingCapacity: count + spare) { (output: inout OutputSpan<UInt8>) in
            unsafe output.withUnsafeMutableBufferPointer { room, initializedCount in
                // It begins behind the last element, in the same piece of memory; nil only when there is none at all.
                guard let end = room.baseAddress else { preconditionFailure("no room for bytes to come") }
                var bytes = unsafe MutableRawSpan(
                    _unsafeStart: UnsafeMutableRawPointer(end - before), byteCount: before + count)
                fill(&bytes)
                initializedCount = count
            }
        }
    }

    /// Lets `change` write into the bytes that are there.
    mutating func withMutableBytes(_ change: (inout MutableRawSpan) -> Void) {
        var span = mutableSpan
        var bytes = unsafe span.mutableBytes
        change(&bytes)
    }
}
