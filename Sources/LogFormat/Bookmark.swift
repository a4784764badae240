/// A named byte string that is committed with the puts or takes of its transaction: a source's file and offset, a sink's
/// output file and length. DESIGN.md 3.7.
public struct Bookmark: Equatable, Sendable {
    /// 1 to 255 bytes of UTF-8.
    public var name: String
    /// Up to 65536 bytes.
    public var value: [UInt8]

    public init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }

    var encodedBytes: Int { BookmarkLayout.byteCount + name.utf8.count + value.count }

    /// The bytes, unaligned. Throws when a field is out of its range.
    public func encode() throws(FormatError) -> [UInt8] {
        try check()
        return .filled(encodedBytes) { bytes in
            var cursor = WriteCursor()
            encode(into: &bytes, &cursor)
        }
    }

    /// From exactly the bytes of one bookmark.
    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = ReadCursor(.bookmark, bytes)
        try self.init(from: bytes, &cursor)
        try cursor.finish()
    }

    func check() throws(FormatError) {
        guard FormatConstants.nameBytes.contains(name.utf8.count) else {
            throw .outOfRange(.bookmark, BookmarkLayout.nameBytes, at: 0)
        }
        guard value.count <= FormatConstants.maximumValueBytes else {
            throw .outOfRange(.bookmark, BookmarkLayout.valueBytes, at: 0)
        }
    }

    func encode(into bytes: inout MutableRawSpan, _ cursor: inout WriteCursor) {
        let base = cursor.skip(BookmarkLayout.byteCount)
        bytes.store(UInt8(name.utf8.count), BookmarkLayout.nameBytes, at: base)
        bytes.store(UInt32(value.count), BookmarkLayout.valueBytes, at: base)
        cursor.text(name, &bytes)
        cursor.array(value, &bytes)
    }

    init(from bytes: RawSpan, _ cursor: inout ReadCursor) throws(FormatError) {
        typealias Layout = BookmarkLayout
        let base = try cursor.skip(Layout.byteCount)
        let nameBytes = Int(bytes.load(Layout.nameBytes, at: base))
        guard nameBytes != 0 else { throw .outOfRange(.bookmark, Layout.nameBytes, at: base) }
        guard bytes.load(Layout.reserved, at: base) == 0 else {
            throw FormatError(.bookmark, .reservedNotZero, at: base + Layout.reserved.offset)
        }
        let valueBytes = Int(bytes.load(Layout.valueBytes, at: base))
        guard valueBytes <= FormatConstants.maximumValueBytes else {
            throw .outOfRange(.bookmark, Layout.valueBytes, at: base)
        }
        name = try cursor.text(nameBytes, .bookmarkName, bytes)
        value = try cursor.array(valueBytes, bytes)
    }

    /// Checks a list before it is encoded.
    static func check(_ bookmarks: [Bookmark]) throws(FormatError) {
        guard bookmarks.count <= FormatConstants.maximumBookmarks else {
            throw FormatError(.bookmark, .outOfRange(.bookmarkCount), at: 0)
        }
        var names = NameSet()
        for bookmark in bookmarks {
            try bookmark.check()
            guard names.insert(bookmark.name) else { throw FormatError(.bookmark, .repeated(.bookmarkName), at: 0) }
        }
    }
}

extension ReadCursor {
    /// A list of bookmarks with different names.
    mutating func bookmarks(_ count: Int, _ bytes: RawSpan) throws(FormatError) -> [Bookmark] {
        try check(
            count, .bookmarkCount, in: 0...FormatConstants.maximumBookmarks, eachAtLeast: BookmarkLayout.byteCount + 1)
        var bookmarks: [Bookmark] = []
        bookmarks.reserveCapacity(count)
        var names = NameSet()
        for _ in 0..<count {
            let start = position
            let bookmark = try Bookmark(from: bytes, &self)
            guard names.insert(bookmark.name) else {
                throw FormatError(structure, .repeated(.bookmarkName), at: start)
            }
            bookmarks.append(bookmark)
        }
        return bookmarks
    }
}
