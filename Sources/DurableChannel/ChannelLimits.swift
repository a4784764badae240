internal import LogFormat

/// How many of everything that grows a channel keeps account of. The whole state must fit into a snapshot, which in a small
/// channel is small; beyond these numbers a typed error says so, and nothing is forgotten in silence.
struct ChannelLimits: Equatable, Sendable {
    /// Open takes.
    let takes: Int
    /// Acknowledged ranges above the prefix: what lies between open takes.
    let ranges: Int
    /// Runs of dead letters in one take.
    var deadLetterRanges: Int { max(1, min(64, ranges / 4)) }
    /// Runs that open takes may leave between them, with room for what a crash in a commit adds.
    var openRuns: Int { max(1, ranges - 2 * deadLetterRanges) }
    /// Names and values of all bookmarks, in bytes.
    let bookmarkBytes: Int
    let producers: Int
    let deliveryCounts: Int

    /// Ranges of a drop record, counts of a delivery count record: what finds room in the reserve of a full log.
    let recordEntries: Int

    /// A shorter state is of no use.
    static let leastStateBytes = 1024

    /// The format's own: for replay, before the log is known.
    static let ofFormat = ChannelLimits(stateBytes: 1 << 30, recordBytes: 1 << 30)

    /// - Parameters:
    ///   - stateBytes: the longest state that fits into a snapshot.
    ///   - recordBytes: the longest frame that a full log takes.
    init(stateBytes: Int, recordBytes: Int) {
        recordEntries = max(1, min(FormatConstants.maximumRangesInDrop, (recordBytes - 512) / 16))
        // Counts and names of the four parts, the group, and the paddings.
        let room = max(stateBytes - 256, 0)
        // A bookmark takes 6 bytes beside its name and value.
        bookmarkBytes = min(FormatConstants.maximumBookmarkBytes, room / 4)
        let bookmarkOverhead = 6 * min(FormatConstants.maximumBookmarks, bookmarkBytes / 16)
        producers = min(FormatConstants.maximumProducers, room / 5 / 48)
        deliveryCounts = min(FormatConstants.maximumDeliveryCounts, room / 8 / 24)
        let left = room - bookmarkBytes - bookmarkOverhead - producers * 48 - deliveryCounts * 24
        ranges = max(1, min(FormatConstants.maximumRangesInGroup, left / 16))
        takes = min(1024, ranges)
    }

    /// Bookmarks that may exist at once: with names so short that their overhead counts, fewer.
    var bookmarks: Int { min(FormatConstants.maximumBookmarks, bookmarkBytes / 16) }
}
