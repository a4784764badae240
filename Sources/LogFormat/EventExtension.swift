/// An entry of an event's extension block. DESIGN.md 3.7.
public enum EventExtension: Equatable, Sendable {
    /// When it happened, in nanoseconds since 1970 UTC.
    case eventTime(UInt64)
    /// When it stops being of use, in nanoseconds since 1970 UTC.
    case expiry(UInt64)
    case priority(UInt8)
    /// 16 bytes; stored as `high`, then `low`, each little-endian.
    case traceID(high: UInt64, low: UInt64)
    /// Of a later version: kept as it is. The tag is not one of the above and not 0; up to 65535 bytes.
    case unknown(tag: UInt16, bytes: [UInt8])

    /// What entries are ordered by.
    public var tag: UInt16 {
        switch self {
        case .eventTime: EventExtensionLayout.eventTimeTag
        case .expiry: EventExtensionLayout.expiryTag
        case .priority: EventExtensionLayout.priorityTag
        case .traceID: EventExtensionLayout.traceIDTag
        case .unknown(let tag, _): tag
        }
    }

    private var valueBytes: Int {
        switch self {
        case .unknown(_, let bytes): bytes.count
        default: Self.valueBytes(of: tag) ?? 0
        }
    }

    /// The length that a known tag's value must have.
    fileprivate static func valueBytes(of tag: UInt16) -> Int? {
        switch tag {
        case EventExtensionLayout.eventTimeTag, EventExtensionLayout.expiryTag: 8
        case EventExtensionLayout.priorityTag: 1
        case EventExtensionLayout.traceIDTag: 16
        default: nil
        }
    }

    /// The entries of a block, without its length.
    static func encodedBytes(_ extensions: [EventExtension]) -> Int {
        extensions.reduce(0) { $0 + EventExtensionLayout.byteCount + $1.valueBytes }
    }

    static func check(_ extensions: [EventExtension]) throws(FormatError) {
        guard encodedBytes(extensions) <= FormatConstants.maximumExtensionBytes else {
            throw FormatError(.event, .outOfRange(.extensionBytes), at: 0)
        }
        var previous: UInt16 = 0
        for entry in extensions {
            guard entry.tag > previous else { throw FormatError(.event, .outOfOrder(.extensionTag), at: 0) }
            previous = entry.tag
            if case .unknown(let tag, let bytes) = entry {
                guard valueBytes(of: tag) == nil else { throw FormatError(.event, .outOfRange(.extensionTag), at: 0) }
                guard bytes.count <= UInt16.max else { throw FormatError(.event, .outOfRange(.extensionLength), at: 0) }
            }
        }
    }

    fileprivate func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        let base = cursor.skip(EventExtensionLayout.byteCount)
        bytes.store(tag, EventExtensionLayout.tag, at: base)
        bytes.store(UInt16(valueBytes), EventExtensionLayout.length, at: base)
        switch self {
        case .eventTime(let time), .expiry(let time): cursor.integer(time, &bytes)
        case .priority(let priority): cursor.integer(priority, &bytes)
        case .traceID(let high, let low):
            cursor.integer(high, &bytes)
            cursor.integer(low, &bytes)
        case .unknown(_, let value): cursor.array(value, &bytes)
        }
    }

    fileprivate init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        let base = try cursor.skip(EventExtensionLayout.byteCount)
        let tag = bytes.load(EventExtensionLayout.tag, at: base)
        let length = Int(bytes.load(EventExtensionLayout.length, at: base))
        guard length == Self.valueBytes(of: tag) ?? length else {
            throw .outOfRange(.event, EventExtensionLayout.length, at: base)
        }
        switch tag {
        case EventExtensionLayout.eventTimeTag: self = .eventTime(try cursor.integer(bytes))
        case EventExtensionLayout.expiryTag: self = .expiry(try cursor.integer(bytes))
        case EventExtensionLayout.priorityTag: self = .priority(try cursor.integer(bytes))
        case EventExtensionLayout.traceIDTag:
            let high: UInt64 = try cursor.integer(bytes)
            self = .traceID(high: high, low: try cursor.integer(bytes))
        default: self = .unknown(tag: tag, bytes: try cursor.array(length, bytes))
        }
    }
}

extension WriteCursor {
    /// A block: the length, then the entries.
    mutating func extensions(_ extensions: [EventExtension], _ bytes: inout MutableRawSpan) {
        integer(UInt32(EventExtension.encodedBytes(extensions)), &bytes)
        for entry in extensions { entry.encode(into: &bytes, &self) }
    }
}

extension ReadCursor {
    /// A block that is there: it has at least one entry, and its tags ascend from 1.
    mutating func extensions(_ bytes: RawSpan) throws(FormatError) -> [EventExtension] {
        let start = position
        let length = Int(try integer(bytes, as: UInt32.self))
        guard length != 0, length <= FormatConstants.maximumExtensionBytes else {
            throw FormatError(.event, .outOfRange(.extensionBytes), at: start)
        }
        let first = try skip(length)
        var block = ReadCursor(.event, from: first, to: first + length)
        var extensions: [EventExtension] = []
        while block.remaining > 0 {
            let place = block.position
            let entry = try EventExtension(from: bytes, &block)
            guard entry.tag > extensions.last?.tag ?? 0 else {
                throw FormatError(.event, .outOfOrder(.extensionTag), at: place)
            }
            extensions.append(entry)
        }
        return extensions
    }
}
