// The one place where the bytes of an event are judged. Decoding an `Event` and indexing a put frame both go through it.

/// Headers that were judged already, and where they stand. Those of one source's events are mostly the same, byte by byte: they
/// are judged once, and then compared, unless they are so long that judging, which steps over values, costs less.
struct KnownHeaders {
    var count = 0
    var place = 0..<0

    var areShort: Bool { place.count <= 64 * count }
}

extension ReadCursor {
    /// Steps over one event and returns where it stands, once every rule of DESIGN.md 3.7 is found to hold. Allocates
    /// nothing unless the event has more than ``HeaderKeys/few`` headers. The bytes are at most 4 GiB.
    ///
    /// - Parameter known: of an event before it in the same bytes; of this one on return.
    mutating func event(_ bytes: RawSpan, _ known: inout KnownHeaders) throws(FormatError) -> EventPlace {
        typealias Layout = EventLayout
        let base = try skip(Layout.byteCount)
        let flags = bytes.load(Layout.flags, at: base)
        guard flags & ~Layout.extensionFlag == 0, bytes.load(Layout.reserved, at: base) == 0 else {
            throw FormatError(.event, .reservedNotZero, at: base)
        }
        let bodyBytes = bytes.load(Layout.bodyBytes, at: base)
        guard bodyBytes <= FormatConstants.maximumBodyBytes else {
            throw .outOfRange(.event, Layout.bodyBytes, at: base)
        }
        let headerCount = bytes.load(Layout.headerCount, at: base)
        if try !stepOver(known, Int(headerCount), bytes) {
            let start = position
            try eventHeaders(Int(headerCount), bytes)
            known = KnownHeaders(count: Int(headerCount), place: start..<position)
        }
        if flags & Layout.extensionFlag != 0 { try eventExtensions(bytes) }
        let bodyOffset = try skip(Int(bodyBytes))
        return EventPlace(
            offset: UInt32(base), headerCount: UInt32(headerCount), bodyOffset: UInt32(bodyOffset),
            bodyBytes: bodyBytes)
    }

    /// False, and nothing is stepped over, when other headers than those stand here.
    private mutating func stepOver(
        _ known: KnownHeaders, _ count: Int, _ bytes: RawSpan
    ) throws(FormatError) -> Bool {
        guard count == known.count, known.areShort, known.place.count <= remaining,
            bytes.isEqual(position..<position + known.place.count, known.place)
        else { return false }
        _ = try skip(known.place.count)
        return true
    }

    private mutating func eventHeaders(_ count: Int, _ bytes: RawSpan) throws(FormatError) {
        typealias Layout = EventHeaderLayout
        try check(count, .headerCount, in: 0...FormatConstants.maximumHeaders, eachAtLeast: Layout.byteCount + 1)
        var keys = HeaderKeys(from: position)
        for _ in 0..<count {
            let base = try skip(Layout.byteCount)
            let keyBytes = Int(bytes.load(Layout.keyBytes, at: base))
            guard keyBytes != 0 else { throw .outOfRange(.event, Layout.keyBytes, at: base) }
            let valueBytes = Int(bytes.load(Layout.valueBytes, at: base))
            guard valueBytes <= FormatConstants.maximumValueBytes else {
                throw .outOfRange(.event, Layout.valueBytes, at: base)
            }
            let keyOffset = try skip(keyBytes)
            let key = keyOffset..<keyOffset + keyBytes
            guard bytes.isUTF8(key) else { throw FormatError(structure, .notUTF8(.headerKey), at: keyOffset) }
            guard keys.insert(key, bytes) else { throw FormatError(.event, .repeated(.headerKey), at: base) }
            _ = try skip(valueBytes)
        }
    }

    /// A block that is there: it has at least one entry, and its tags ascend from 1.
    private mutating func eventExtensions(_ bytes: RawSpan) throws(FormatError) {
        typealias Layout = EventExtensionLayout
        let start = position
        let length = Int(try integer(bytes, as: UInt32.self))
        guard length != 0, length <= FormatConstants.maximumExtensionBytes else {
            throw FormatError(.event, .outOfRange(.extensionBytes), at: start)
        }
        let first = try skip(length)
        var block = ReadCursor(.event, from: first, to: first + length)
        var previous: UInt16 = 0
        while block.remaining > 0 {
            let base = try block.skip(Layout.byteCount)
            let tag = bytes.load(Layout.tag, at: base)
            let valueBytes = Int(bytes.load(Layout.length, at: base))
            guard valueBytes == EventExtension.valueBytes(of: tag) ?? valueBytes else {
                throw .outOfRange(.event, Layout.length, at: base)
            }
            _ = try block.skip(valueBytes)
            guard tag > previous else { throw FormatError(.event, .outOfOrder(.extensionTag), at: base) }
            previous = tag
        }
    }
}
