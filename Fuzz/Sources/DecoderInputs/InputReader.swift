/// The bytes of an input from the front, for interpreters that must make sense of any: behind the end there are zeros.
package struct InputReader {
    private let bytes: [UInt8]
    private var place = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package var isAtEnd: Bool { place >= bytes.count }

    package mutating func byte() -> UInt8 {
        guard place < bytes.count else { return 0 }
        defer { place += 1 }
        return bytes[place]
    }

    /// Little-endian, of so many bytes.
    package mutating func number(bytes count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(byte()) << UInt64(8 * $1) }
    }

    /// One of these.
    package mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[Int(byte()) % choices.count] }

    package mutating func flag() -> Bool { byte() & 1 == 1 }

    /// At most so many, fewer when the input ends.
    package mutating func bytes(upTo count: Int) -> [UInt8] {
        let end = min(place + count, bytes.count)
        defer { place = end }
        return place < end ? Array(bytes[place..<end]) : []
    }

    package mutating func rest() -> [UInt8] { bytes(upTo: bytes.count) }
}
