/// Tells whether a key stands twice among the headers of one event, where they stand.
///
/// While the headers are few it looks back at the ones before, without allocating anything; and that only when a filter
/// of 64 bits says that the key may be one of them. Linear in the headers however their keys were chosen.
struct HeaderKeys {
    /// Up to so many headers are looked back at.
    static let few = 32

    private let first: Int
    private var count = 0
    private var filter: UInt64 = 0
    private var many: Set<[UInt8]> = []

    /// The event's headers begin at `first`.
    init(from first: Int) { self.first = first }

    /// Takes the key of the next header. False when one before it has the same. `bytes` are the same with each call.
    @inline(__always)
    mutating func insert(_ key: Range<Int>, _ bytes: RawSpan) -> Bool {
        let bit = Self.bit(key, bytes)
        let isNew = count < Self.few && filter & bit == 0
        filter |= bit
        count += 1
        return isNew || insertByComparing(key, bytes)
    }

    /// One of 64 bits, chosen by the length of a key (which is not empty) and its last 8 bytes.
    @inline(__always)
    private static func bit(_ key: Range<Int>, _ bytes: RawSpan) -> UInt64 {
        let word: UInt64
        if key.count >= 8 {
            word = bytes.loadInteger(at: key.upperBound - 8)
        } else if key.count >= 4 {
            let first = bytes.loadInteger(at: key.lowerBound, as: UInt32.self)
            word = UInt64(first) << 32 | UInt64(bytes.loadInteger(at: key.upperBound - 4, as: UInt32.self))
        } else {
            let first = bytes.loadInteger(at: key.lowerBound, as: UInt8.self)
            let middle = bytes.loadInteger(at: key.lowerBound + key.count / 2, as: UInt8.self)
            let last = bytes.loadInteger(at: key.upperBound - 1, as: UInt8.self)
            word = UInt64(first) << 16 | UInt64(middle) << 8 | UInt64(last)
        }
        // The upper bits of a product depend on all bits of its factors.
        return 1 &<< (((word ^ UInt64(truncatingIfNeeded: key.count)) &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }

    /// Compares the key of header number `count` with those before it.
    private mutating func insertByComparing(_ key: Range<Int>, _ bytes: RawSpan) -> Bool {
        if count > Self.few {
            if many.isEmpty { rememberTheFirst(bytes) }
            return many.insert(bytes.copy(key)).inserted
        }
        var next = first
        for _ in 1..<count {
            let header = EventHeaderPlace(bytes, at: next)
            if bytes.isEqual(header.key, key) { return false }
            next = header.value.upperBound
        }
        return true
    }

    private mutating func rememberTheFirst(_ bytes: RawSpan) {
        var next = first
        for _ in 0..<Self.few {
            let header = EventHeaderPlace(bytes, at: next)
            many.insert(bytes.copy(header.key))
            next = header.value.upperBound
        }
    }
}
