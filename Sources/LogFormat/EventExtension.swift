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
    static func valueBytes(of tag: UInt16) -> Int? {
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

    /// The entries of a block that was validated; `range` is what follows its length.
    static func decoded(_ bytes: RawSpan, _ range: Range<Int>) -> [EventExtension] {
        var entries: [EventExtension] = []
        var next = range.lowerBound
        while next < range.upperBound {
            let value = next + EventExtensionLayout.byteCount
            let end = value + Int(bytes.load(EventExtensionLayout.length, at: next))
            entries.append(EventExtension(bytes.load(EventExtensionLayout.tag, at: next), bytes, value..<end))
            next = end
        }
        return entries
    }

    private init(_ tag: UInt16, _ bytes: RawSpan, _ value: Range<Int>) {
        switch tag {
        case EventExtensionLayout.eventTimeTag: self = .eventTime(bytes.loadInteger(at: value.lowerBound))
        case EventExtensionLayout.expiryTag: self = .expiry(bytes.loadInteger(at: value.lowerBound))
        case EventExtensionLayout.priorityTag: self = .priority(bytes.loadInteger(at: value.lowerBound))
        case EventExtensionLayout.traceIDTag:
            self = .traceID(
                high: bytes.loadInteger(at: value.lowerBound), low: bytes.loadInteger(at: value.lowerBound + 8))
        default: self = .unknown(tag: tag, bytes: bytes.copy(value))
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
