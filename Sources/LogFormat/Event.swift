/// A header of an event.
public struct EventHeader: Equatable, Sendable {
    /// 1 to 255 bytes of UTF-8.
    public var key: String
    /// Up to 65536 bytes.
    public var value: [UInt8]

    public init(key: String, value: [UInt8]) {
        self.key = key
        self.value = value
    }
}

/// One event: headers in order, extensions, and a body. DESIGN.md 3.7.
public struct Event: Equatable, Sendable {
    /// Up to 1024 with different keys (compared by bytes); their order is kept.
    public var headers: [EventHeader]
    /// Ascending by tag. Usually none.
    public var extensions: [EventExtension]
    /// Up to 16 MiB.
    public var body: [UInt8]

    public init(headers: [EventHeader] = [], extensions: [EventExtension] = [], body: [UInt8]) {
        self.headers = headers
        self.extensions = extensions
        self.body = body
    }

    /// How long its encoding is.
    public var encodedBytes: Int {
        Measure(headers, extensions, bodyBytes: body.count).bytes
    }

    /// The bytes, unaligned. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        return .filled(encodedBytes) { bytes in
            var cursor = WriteCursor()
            encode(into: &bytes, &cursor)
        }
    }

    /// From exactly the bytes of one event.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.event, bytes)
        try self.init(from: bytes, &cursor)
        try cursor.finish()
    }

    /// Checks all limits before it is encoded.
    func check() throws(FormatError) {
        try Self.check(headers: headers, extensions: extensions, bodyBytes: body.count)
        var keys = NameSet()
        for header in headers {
            guard keys.insert(header.key) else { throw Self.repeatedKey }
        }
    }

    init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        var known = KnownHeaders()
        self.init(at: try cursor.event(bytes, &known), in: bytes)
    }

    /// The event at a place that was made from these bytes.
    init(at place: EventPlace, in bytes: RawSpan) {
        headers = place.headers(in: bytes)
        extensions = place.extensions(in: bytes)
        body = bytes.copy(place.body)
    }

    func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        cursor.event(headers, extensions, body.rawBytes, &bytes)
    }
}
