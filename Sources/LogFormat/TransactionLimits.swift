/// What a transaction may hold in a frame of each type.
struct TransactionLimits {
    var nameBytes = 0...0
    var ranges = 0...0
    var bookmarks = 0...FormatConstants.maximumBookmarks
    var events = 0...0

    init(_ type: FrameType) {
        switch type {
        case .put:
            events = 1...FormatConstants.maximumTransactionBytes / EventLayout.byteCount
        case .takeCommit:
            nameBytes = FormatConstants.nameBytes
            ranges = 1...FormatConstants.maximumRangesInTransaction
        default:
            nameBytes = 0...FormatConstants.maximumNameBytes
            bookmarks = 1...FormatConstants.maximumBookmarks
        }
    }
}
