// An event in its parts, as a producer has them. Headers are walked in spans: a loop over the array would count references
// of every key and value, which costs as much as all else here.

extension Event {
    /// What is to be known of an event before it is encoded, found in one pass over its headers.
    package struct Measure: Sendable {
        /// How long its encoding is, whether or not it is within the limits.
        package private(set) var bytes: Int
        /// How long that of its headers is.
        private(set) var headerBytes = 0
        /// All limits are kept, but that a key may stand twice.
        private(set) var isWithinLimits: Bool
        /// Two keys are equally long, or 64 bytes apart: only such can be the same.
        private(set) var mayRepeatKey = false

        package init(_ headers: [EventHeader], _ extensions: [EventExtension], bodyBytes: Int) {
            bytes = EventLayout.byteCount + bodyBytes
            isWithinLimits =
                bodyBytes <= FormatConstants.maximumBodyBytes && headers.count <= FormatConstants.maximumHeaders
            if !extensions.isEmpty {
                bytes += EventExtensionLayout.lengthBytes + EventExtension.encodedBytes(extensions)
                if (try? EventExtension.check(extensions)) == nil { isWithinLimits = false }
            }
            // One bit for a length, or for a few that are 64 apart.
            var lengths: UInt64 = 0
            let headers = headers.span
            for index in headers.indices {
                let keyBytes = headers[index].key.utf8.count
                let valueBytes = headers[index].value.count
                headerBytes += EventHeaderLayout.byteCount + keyBytes + valueBytes
                if !FormatConstants.nameBytes.contains(keyBytes) || valueBytes > FormatConstants.maximumValueBytes {
                    isWithinLimits = false
                }
                let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: keyBytes)
                if lengths & bit != 0 { mayRepeatKey = true }
                lengths |= bit
            }
            bytes += headerBytes
        }
    }

    /// Checks all limits before it is encoded, but not whether a key stands twice.
    static func check(
        headers: [EventHeader], extensions: [EventExtension], bodyBytes: Int
    ) throws(FormatError) {
        guard headers.count <= FormatConstants.maximumHeaders else {
            throw .outOfRange(.event, EventLayout.headerCount, at: 0)
        }
        guard bodyBytes <= FormatConstants.maximumBodyBytes else {
            throw .outOfRange(.event, EventLayout.bodyBytes, at: 0)
        }
        let headers = headers.span
        for index in headers.indices {
            guard FormatConstants.nameBytes.contains(headers[index].key.utf8.count) else {
                throw FormatError(.event, .outOfRange(.headerKey), at: 0)
            }
            guard headers[index].value.count <= FormatConstants.maximumValueBytes else {
                throw FormatError(.event, .outOfRange(.headerValue), at: 0)
            }
        }
        if !extensions.isEmpty { try EventExtension.check(extensions) }
    }

    static var repeatedKey: FormatError { FormatError(.event, .repeated(.headerKey), at: 0) }
}

extension WriteCursor {
    /// An event that was checked. Writes every byte of it, zeros too.
    mutating func event(
        _ headers: [EventHeader], _ extensions: [EventExtension], _ body: RawSpan, _ bytes: inout MutableRawSpan
    ) {
        head(extensions.isEmpty ? 0 : EventLayout.extensionFlag, headers.count, body.byteCount, &bytes)
        self.headers(headers, &bytes)
        if !extensions.isEmpty { self.extensions(extensions, &bytes) }
        bytes.store(body, at: skip(body.byteCount))
    }

    /// The same, with headers that stand in the bytes already, encoded, and without extensions.
    @inline(__always)
    mutating func event(
        copying headers: Range<Int>, count: Int, _ body: RawSpan, _ bytes: inout MutableRawSpan
    ) {
        head(0, count, body.byteCount, &bytes)
        bytes.copy(headers, to: skip(headers.count))
        bytes.store(body, at: skip(body.byteCount))
    }

    @inline(__always)
    private mutating func head(_ flags: UInt8, _ headerCount: Int, _ bodyBytes: Int, _ bytes: inout MutableRawSpan) {
        let base = skip(EventLayout.byteCount)
        bytes.store(flags, EventLayout.flags, at: base)
        bytes.store(0, EventLayout.reserved, at: base)
        bytes.store(UInt16(headerCount), EventLayout.headerCount, at: base)
        bytes.store(UInt32(bodyBytes), EventLayout.bodyBytes, at: base)
    }

    private mutating func headers(_ headers: [EventHeader], _ bytes: inout MutableRawSpan) {
        let headers = headers.span
        for index in headers.indices {
            let place = skip(EventHeaderLayout.byteCount)
            bytes.store(UInt8(headers[index].key.utf8.count), EventHeaderLayout.keyBytes, at: place)
            bytes.store(UInt32(headers[index].value.count), EventHeaderLayout.valueBytes, at: place)
            text(headers[index].key, &bytes)
            array(headers[index].value, &bytes)
        }
    }
}
