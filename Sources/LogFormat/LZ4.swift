private import CLZ4

/// LZ4 blocks, behind two total functions.
enum LZ4 {
    /// One block, or nil when it would not be shorter than the bytes.
    static func compress(_ bytes: RawSpan) -> [UInt8]? {
        guard bytes.byteCount > 1 else { return nil }
        let capacity = bytes.byteCount - 1
        let block = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            count = unsafe bytes.withUnsafeBytes { source in
                unsafe sluice_lz4_compress(source.baseAddress, source.count, target.baseAddress, capacity)
            }
        }
        return block.isEmpty ? nil : block
    }

    /// The `rawBytes` bytes that the block holds, or nil when it is not a block of exactly so many.
    static func decompress(_ block: RawSpan, rawBytes: Int) -> [UInt8]? {
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: rawBytes) { target, count in
            let written = unsafe block.withUnsafeBytes { source in
                unsafe sluice_lz4_decompress(source.baseAddress, source.count, target.baseAddress, rawBytes)
            }
            count = max(0, Int(written))
        }
        return bytes.count == rawBytes ? bytes : nil
    }
}
