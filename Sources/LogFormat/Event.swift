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
        var total = EventLayout.byteCount + body.count
        for header in headers { total += EventHeaderLayout.byteCount + header.key.utf8.count + header.value.count }
        if !extensions.isEmpty { total += EventExtensionLayout.lengthBytes + EventExtension.encodedBytes(extensions) }
        return total
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
        guard headers.count <= FormatConstants.maximumHeaders else {
            throw .outOfRange(.event, EventLayout.headerCount, at: 0)
        }
        guard body.count <= FormatConstants.maximumBodyBytes else {
            throw .outOfRange(.event, EventLayout.bodyBytes, at: 0)
        }
        var keys = NameSet()
        for header in headers {
            guard FormatConstants.nameBytes.contains(header.key.utf8.count) else {
                throw FormatError(.event, .outOfRange(.headerKey), at: 0)
            }
            guard header.value.count <= FormatConstants.maximumValueBytes else {
                throw FormatError(.event, .outOfRange(.headerValue), at: 0)
            }
            guard keys.insert(header.key) else { throw FormatError(.event, .repeated(.headerKey), at: 0) }
        }
        try EventExtension.check(extensions)
    }

    func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        let base = cursor.skip(EventLayout.byteCount)
        bytes.store(extensions.isEmpty ? 0 : EventLayout.extensionFlag, EventLayout.flags, at: base)
        bytes.store(UInt16(headers.count), EventLayout.headerCount, at: base)
        bytes.store(UInt32(body.count), EventLayout.bodyBytes, at: base)
        for header in headers {
            let place = cursor.skip(EventHeaderLayout.byteCount)
            bytes.store(UInt8(header.key.utf8.count), EventHeaderLayout.keyBytes, at: place)
            bytes.store(UInt32(header.value.count), EventHeaderLayout.valueBytes, at: place)
            cursor.text(header.key, &bytes)
            cursor.array(header.value, &bytes)
        }
        if !extensions.isEmpty { cursor.extensions(extensions, &bytes) }
        cursor.array(body, &bytes)
    }

    init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        typealias Layout = EventLayout
        let base = try cursor.skip(Layout.byteCount)
        let flags = bytes.load(Layout.flags, at: base)
        guard flags & ~Layout.extensionFlag == 0, bytes.load(Layout.reserved, at: base) == 0 else {
            throw FormatError(.event, .reservedNotZero, at: base)
        }
        let bodyBytes = Int(bytes.load(Layout.bodyBytes, at: base))
        guard bodyBytes <= FormatConstants.maximumBodyBytes else {
            throw .outOfRange(.event, Layout.bodyBytes, at: base)
        }
        headers = try cursor.eventHeaders(Int(bytes.load(Layout.headerCount, at: base)), bytes)
        extensions = flags & Layout.extensionFlag == 0 ? [] : try cursor.extensions(bytes)
        body = try cursor.array(bodyBytes, bytes)
    }
}

extension ReadCursor {
    fileprivate mutating func eventHeaders(_ count: Int, _ bytes: RawSpan) throws(FormatError) -> [EventHeader] {
        typealias Layout = EventHeaderLayout
        try check(count, .headerCount, in: 0...FormatConstants.maximumHeaders, eachAtLeast: Layout.byteCount + 1)
        var headers: [EventHeader] = []
        headers.reserveCapacity(count)
        var keys = NameSet()
        for _ in 0..<count {
            let base = try skip(Layout.byteCount)
            let keyBytes = Int(bytes.load(Layout.keyBytes, at: base))
            guard keyBytes != 0 else { throw .outOfRange(.event, Layout.keyBytes, at: base) }
            let valueBytes = Int(bytes.load(Layout.valueBytes, at: base))
            guard valueBytes <= FormatConstants.maximumValueBytes else {
                throw .outOfRange(.event, Layout.valueBytes, at: base)
            }
            let key = try text(keyBytes, .headerKey, bytes)
            guard keys.insert(key) else { throw FormatError(.event, .repeated(.headerKey), at: base) }
            headers.append(EventHeader(key: key, value: try array(valueBytes, bytes)))
        }
        return headers
    }
}
