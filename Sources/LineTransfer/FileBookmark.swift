internal import DurableChannel

/// The value of a bookmark about a file: which file, and how far. A source commits it with the lines that it put, a
/// sink with the events that it wrote.
///
/// A file is known again by its device and inode, by its first bytes, and by the last bytes before the position: an
/// inode number is given to another file as soon as the first one is gone, and a file can be written anew in its place.
///
/// 72 bytes, little-endian:
///
/// | offset | size | field | meaning |
/// | --- | --- | --- | --- |
/// | 0 | 4 | magic | `53 4c 42 4d` ("SLBM") |
/// | 4 | 1 | version | 1 |
/// | 5 | 1 | kind | 1 source, 2 sink |
/// | 6 | 1 | flags | bit 0: the last line had no newline (source only) |
/// | 7 | 1 | reserved | zero |
/// | 8 | 8 | device | as `stat` gives it |
/// | 16 | 8 | inode | |
/// | 24 | 8 | offset | bytes put, or written |
/// | 32 | 8 | lines | lines put; 0 for a sink |
/// | 40 | 2 | headBytes | the smaller of 256 and offset |
/// | 42 | 2 | tailBytes | the smaller of 256 and offset |
/// | 44 | 4 | reserved | zero |
/// | 48 | 8 | headHash | of the first headBytes of the file: 8 bytes of SHA-256, the first one highest |
/// | 56 | 8 | tailHash | of the tailBytes before offset |
/// | 64 | 4 | reserved | zero |
/// | 68 | 4 | checksum | CRC-32C of bytes 0-67 |
///
/// Valid if and only if: 72 bytes; magic, version and checksum right; kind 1 or 2; flags 0, or 1 for a source with an
/// offset above 0; reserved zero; headBytes and tailBytes as above; lines at most offset, and 0 for a sink.
public struct FileBookmark: Equatable, Sendable {
    public enum Kind: UInt8, Sendable { case source = 1, sink = 2 }

    public var kind: Kind
    public var device: UInt64
    public var inode: UInt64
    /// Everything before it was put, or written.
    public var offset: UInt64
    /// Lines before the offset. Of a source only.
    public var lines: UInt64
    /// The line before the offset was put without a newline, because the file ended there. Of a source only.
    public var endsWithoutNewline: Bool
    var head: Fingerprint
    var tail: Fingerprint

    init(
        _ kind: Kind, device: UInt64, inode: UInt64, offset: UInt64, lines: UInt64 = 0,
        endsWithoutNewline: Bool = false,
        head: Fingerprint, tail: Fingerprint
    ) {
        self.kind = kind
        self.device = device
        self.inode = inode
        self.offset = offset
        self.lines = lines
        self.endsWithoutNewline = endsWithoutNewline
        self.head = head
        self.tail = tail
    }

    /// How many bytes each fingerprint covers in a file that was dealt with up to `offset`.
    static func fingerprintBytes(before offset: UInt64) -> Int { Int(min(offset, UInt64(Fingerprint.maximumBytes))) }

    public static let byteCount = 72
    static let version: UInt8 = 1
    static let magic: UInt32 = 0x4D42_4C53  // "SLBM"

    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        bytes.appendInteger(Self.magic)
        bytes += [Self.version, kind.rawValue, endsWithoutNewline ? 1 : 0, 0]
        for field in [device, inode, offset, lines] { bytes.appendInteger(field) }
        bytes.appendInteger(UInt16(head.byteCount))
        bytes.appendInteger(UInt16(tail.byteCount))
        bytes.appendInteger(UInt32(0))
        for field in [head.hash, tail.hash] { bytes.appendInteger(field) }
        bytes.appendInteger(UInt32(0))
        bytes.appendInteger(Checksum.crc32c(unsafe bytes.span.bytes))
        return bytes
    }

    /// Any bytes give a bookmark or an error.
    ///
    /// - Parameter name: of the bookmark, for the message.
    public init(decoding bytes: [UInt8], of kind: Kind, named name: String) throws(LineTransferError) {
        func error(_ what: String) -> LineTransferError {
            LineTransferError(
                .invalidBookmark,
                "the bookmark \(name) \(what); it says how far a file was carried, so nothing was touched: use the "
                    + "version of sluice that wrote it, or the file under another name")
        }
        guard bytes.count >= 5, bytes.integer(at: 0) == Self.magic, bytes[4] != 0 else {
            throw error("is not one of a file")
        }
        guard bytes[4] == Self.version else { throw error("is of version \(bytes[4]), and this is version 1") }
        guard bytes.count == Self.byteCount, let fields = Self(fields: bytes) else { throw error("is damaged") }
        guard fields.kind == kind else { throw error("is of a \(fields.kind), not of a \(kind)") }
        self = fields
    }

    private init?(fields bytes: [UInt8]) {
        guard Checksum.crc32c(unsafe bytes.span.bytes.extracting(0..<68)) == bytes.integer(at: 68) else { return nil }
        guard let kind = Kind(rawValue: bytes[5]), bytes[6] <= 1, bytes[7] == 0 else { return nil }
        guard bytes.integer(at: 44) == UInt32(0), bytes.integer(at: 64) == UInt32(0) else { return nil }
        self.init(
            kind, device: bytes.integer(at: 8), inode: bytes.integer(at: 16), offset: bytes.integer(at: 24),
            lines: bytes.integer(at: 32), endsWithoutNewline: bytes[6] == 1,
            head: Fingerprint(byteCount: Int(bytes.integer(at: 40, as: UInt16.self)), hash: bytes.integer(at: 48)),
            tail: Fingerprint(byteCount: Int(bytes.integer(at: 42, as: UInt16.self)), hash: bytes.integer(at: 56)))
        let covered = Self.fingerprintBytes(before: offset)
        guard head.byteCount == covered, tail.byteCount == covered, lines <= offset else { return nil }
        guard !endsWithoutNewline || (kind == .source && offset > 0), kind == .source || lines == 0 else { return nil }
    }
}

extension [UInt8] {
    fileprivate mutating func appendInteger(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// The integer whose first byte is at `offset`. The caller has checked that it is there.
    fileprivate func integer<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for index in (0..<Value.bitWidth / 8).reversed() { value = value << 8 | Value(self[offset + index]) }
        return value
    }
}
