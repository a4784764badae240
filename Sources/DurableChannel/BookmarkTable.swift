internal import LogFormat

/// The durable bookmarks, and the room that commits under way will need for theirs.
struct BookmarkTable: Sendable {
    private struct Entry {
        var name: String
        var value: [UInt8]
        /// Where its transaction stands: of two that end side by side the later in the log counts.
        var lsn: LSN
    }

    /// By the bytes of the name: two texts that only look the same are two names.
    private var entries: [[UInt8]: Entry] = [:]
    private var bytes = 0
    private var pendingBytes = 0
    private var pendingCount = 0

    func value(_ name: String) -> [UInt8]? { entries[Array(name.utf8)]?.value }

    /// All of them, ascending by name.
    var all: [Bookmark] {
        entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { Bookmark(name: $0.value.name, value: $0.value.value) }
    }

    func fits(_ limits: ChannelLimits) -> Bool {
        bytes <= limits.bookmarkBytes && entries.count <= limits.bookmarks
    }

    /// Sets aside room for the bookmarks of a commit; false when they would be too many or too long.
    mutating func reserve(_ bookmarks: [Bookmark], _ limits: ChannelLimits) -> Bool {
        var replaced = 0
        var new = 0
        for bookmark in bookmarks {
            if let old = entries[bookmark.key] {
                replaced += bookmark.name.utf8.count + old.value.count
            } else {
                new += 1
            }
        }
        let added = Self.bytes(of: bookmarks)
        // What does not grow is never refused.
        guard added > replaced || new > 0 else {
            pendingBytes += added
            pendingCount += bookmarks.count
            return true
        }
        guard bytes - replaced + added + pendingBytes <= limits.bookmarkBytes,
            entries.count + new + pendingCount <= limits.bookmarks
        else { return false }
        pendingBytes += added
        pendingCount += bookmarks.count
        return true
    }

    /// The commit is done, or has failed.
    mutating func release(_ bookmarks: [Bookmark]) {
        pendingBytes -= Self.bytes(of: bookmarks)
        pendingCount -= bookmarks.count
    }

    mutating func apply(_ bookmarks: [Bookmark], at lsn: LSN) {
        for bookmark in bookmarks {
            if let old = entries[bookmark.key] {
                guard old.lsn <= lsn else { continue }
                bytes -= bookmark.name.utf8.count + old.value.count
            }
            entries[bookmark.key] = Entry(name: bookmark.name, value: bookmark.value, lsn: lsn)
            bytes += bookmark.name.utf8.count + bookmark.value.count
        }
    }

    private static func bytes(of bookmarks: [Bookmark]) -> Int {
        bookmarks.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
    }
}

extension Bookmark {
    /// What its name is compared by.
    var key: [UInt8] { Array(name.utf8) }
}
