import LogFormat

/// Little-endian numbers in bytes, and checksums over parts of them.
package enum Bytes {
    package static func number(_ bytes: [UInt8], at offset: Int, count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    package static func store(_ value: UInt64, count: Int, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }

    package static func encoded(_ value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    package static func checksum(_ bytes: [UInt8], _ range: Range<Int>, continuing: UInt32 = 0) -> UInt32 {
        unsafe Checksum.crc32c(bytes.span.bytes.extracting(range), continuing: continuing)
    }
}
