/// The number of a segment, from 1. Zero stands for "none". Printed in hexadecimal.
public struct SegmentNumber: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue, radix: 16) }
}

/// The number of an event, from 1. Zero stands for "none". Printed in decimal.
public struct EventSequence: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}

/// The number of an epoch (the time from one open, or failed write, to the next), from 1. Zero stands for "none".
public struct Epoch: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}

/// A position in the log: a segment and a byte offset in it. Ordered by segment, then offset; printed `1f/2a00`.
public struct LSN: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var segment: SegmentNumber
    /// Bytes from the beginning of the segment.
    public var offset: UInt64

    public init(segment: SegmentNumber, offset: UInt64) {
        self.segment = segment
        self.offset = offset
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.segment == right.segment ? left.offset < right.offset : left.segment < right.segment
    }

    public var description: String { "\(segment)/\(String(offset, radix: 16))" }
}

/// A statement of durability: everything before `lsn` was durable, and every sequence below `nextSequence` was used.
public struct DurableThrough: Hashable, Sendable {
    public var lsn: LSN
    public var nextSequence: EventSequence

    public init(lsn: LSN, nextSequence: EventSequence) {
        self.lsn = lsn
        self.nextSequence = nextSequence
    }

    /// The statement that says nothing: stored as zeros.
    public static let nothing = DurableThrough(
        lsn: LSN(segment: SegmentNumber(0), offset: 0), nextSequence: EventSequence(0))

    /// Either ``nothing``, or a segment and a sequence that are not zero.
    var isWellFormed: Bool {
        self == .nothing
            || (lsn.segment.rawValue.isNumber && nextSequence.rawValue.isNumber
                && lsn.offset <= FormatConstants.maximumSegmentBytes)
    }
}

/// The identity of a log: 16 random bytes. Stored as `high`, then `low`, each little-endian.
public struct LogUUID: Hashable, Sendable, CustomStringConvertible {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// 32 hexadecimal digits in the usual five parts, the most significant digit of `high` first.
    public var description: String {
        let digits = hexadecimal(high) + hexadecimal(low)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// One life of a segment file: with an offset it is the *place* that every frame's header checksum covers, so that bytes
/// of another log, another segment or a former life of the file never pass.
public struct SegmentLife: Hashable, Sendable {
    public var logUUID: LogUUID
    /// Random, new for each life of the file, not zero.
    public var salt: UInt64
    public var segment: SegmentNumber

    public init(logUUID: LogUUID, salt: UInt64, segment: SegmentNumber) {
        self.logUUID = logUUID
        self.salt = salt
        self.segment = segment
    }

    /// The checksum of the place; a header's checksum continues it.
    func placeChecksum(position: UInt64) -> UInt32 {
        #if PlantedBugs
            if PlantedBug.leaveSeedOut.isPlanted { return 0 }
            if PlantedBug.acceptRecycledTail.isPlanted { return UInt32(truncatingIfNeeded: position) }
        #endif
        let place: [5 of UInt64] = [
            logUUID.high.littleEndian, logUUID.low.littleEndian, salt.littleEndian, segment.rawValue.littleEndian,
            position.littleEndian,
        ]
        return unsafe Checksum.crc32c(place.span.bytes)
    }
}

extension UInt64 {
    /// Whether it can be the number of a segment, event, epoch or checkpoint: not 0, and so far from the top that what is
    /// reckoned with it cannot overflow.
    var isNumber: Bool { self != 0 && self <= FormatConstants.maximumNumber }
}
