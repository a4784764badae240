/// 4096 bytes of a file, never changed once made, so that clones of a disk share them.
final class Page: Sendable {
    static let byteCount = 4096
    static let zero = Page([UInt8](repeating: 0, count: byteCount))

    let bytes: [UInt8]
    /// 0 exactly when all bytes are zero, so that a hole and written zeros count as the same contents.
    let hash: UInt64

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        self.hash = Self.hash(bytes)
    }

    /// This page with the bytes from `offset` on replaced.
    func replacing(at offset: Int, with source: RawSpan) -> Page {
        if source.byteCount == Self.byteCount {
            return Page(unsafe source.withUnsafeBytes { unsafe [UInt8]($0) })
        }
        var changed = bytes
        unsafe changed.withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { unsafe target[offset...].copyBytes(from: $0) }
        }
        return Page(changed)
    }

    /// This page with zeros at `range`.
    func clearing(_ range: Range<Int>) -> Page {
        var changed = bytes
        changed.replaceSubrange(range, with: repeatElement(0, count: range.count))
        return Page(changed)
    }

    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        unsafe bytes.withUnsafeBytes { raw in
            // Two streams, so that the multiplications overlap.
            var a: UInt64 = 0x9E37_79B9_7F4A_7C15
            var b: UInt64 = 0xC2B2_AE3D_27D4_EB4F
            var anyBit: UInt64 = 0
            for offset in stride(from: 0, to: byteCount, by: 16) {
                let first = unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                let second = unsafe raw.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
                anyBit |= first | second
                a = (a ^ first) &* 0xFF51_AFD7_ED55_8CCD
                a ^= a >> 32
                b = (b ^ second) &* 0xC4CE_B9FE_1A85_EC53
                b ^= b >> 32
            }
            return anyBit == 0 ? 0 : max(1, Mixing.mix(a, b))
        }
    }
}

/// Hashes that are the same in every process, unlike those of `Hasher`.
enum Mixing {
    /// Finaliser of splitmix64.
    static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        mix(mix(a) ^ b)
    }

    static func hash(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return mix(hash)
    }

    static func hash(_ bytes: RawSpan) -> UInt64 {
        var hash: UInt64 = UInt64(bytes.byteCount)
        unsafe bytes.withUnsafeBytes { raw in
            var offset = 0
            while offset + 8 <= raw.count {
                let word = unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD
                hash ^= hash >> 32
                offset += 8
            }
            while offset < raw.count {
                hash = (hash ^ UInt64(unsafe raw[offset])) &* 0x100_0000_01B3
                offset += 1
            }
        }
        return mix(hash)
    }
}
