import DurableChannel
import LogFormat

/// Uses a channel, and remembers what it must have.
package struct LogWriter {
    package let channel: FileChannel
    /// Every event that was put, by its number.
    package private(set) var bodies: [UInt64: [UInt8]] = [:]
    /// Put, and not taken.
    package private(set) var held: Set<UInt64> = []
    private var stamps: UInt64 = 0

    package init(_ channel: FileChannel) { self.channel = channel }

    /// Goes on with what another has put, in so far as it is there.
    package init(_ channel: FileChannel, after other: LogWriter) throws {
        self.channel = channel
        (bodies, stamps) = (other.bodies, other.stamps)
        let take = try channel.beginTake(maxEvents: 1000)
        held = Set(take.events.map(\.sequence.rawValue))
        take.rollback()
    }

    /// Small and large, some that can be compressed; each says which it is.
    package static func body(_ sequence: UInt64, _ bytes: Int) -> [UInt8] {
        let text = Array("event \(sequence) ".utf8)
        guard sequence % 3 == 0 else { return text + [UInt8](repeating: 0x2E, count: bytes) }
        return text + (0..<bytes).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13 &+ Int(sequence)) }
    }

    package mutating func put(_ count: Int, bytes: Int, bookmark: String? = nil, stamped: Bool = false) throws {
        let first = channel.metrics.putEvents + 1
        stamps += 1
        let stamp = stamped ? ProducerStamp(id: ProducerID(high: 7, low: 8), sequence: stamps) : nil
        var put = try channel.beginPut(producer: stamp)
        for sequence in first..<first + UInt64(count) {
            bodies[sequence] = Self.body(sequence, bytes)
            try put.append(headers: [EventHeader(key: "host", value: [97])], body: bodies[sequence]!)
        }
        if let bookmark { try put.setBookmark(bookmark, Array("\(first)".utf8)) }
        try put.commit()
        held.formUnion(first..<first + UInt64(count))
    }

    /// - Parameter deadLetters: of the events so many from the front are given up.
    package mutating func take(_ count: Int, bookmark: String? = nil, deadLetters: Int = 0) throws {
        var take = try channel.beginTake(maxEvents: count)
        let sequences = take.events.map(\.sequence)
        for sequence in sequences.prefix(deadLetters) { try take.deadLetter(sequence) }
        if let bookmark { try take.setBookmark(bookmark, [1, 2, 3]) }
        try take.commit()
        held.subtract(sequences.map(\.rawValue))
    }

    package func rollBack(_ count: Int) throws { try channel.beginTake(maxEvents: count).rollback() }
}
