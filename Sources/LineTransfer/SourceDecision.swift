internal import DurableChannel

/// Where to begin in a file of lines, by its bookmark and its looks.
enum SourceDecision: Equatable, Sendable {
    /// There is no bookmark: from the beginning.
    case start
    /// It is the file that the bookmark speaks of: from the bookmark's offset.
    case goOn
    /// It is that file, and shorter than what was put of it: emptied, or cut back, and perhaps written on since. From
    /// the beginning. Some of its lines may have been put before; none is passed over.
    case truncated
    /// It is that file by its number, and other bytes stand in it: from the beginning.
    case rewritten
    /// Another file stands under the name: from its beginning, when the rest of the former one has been put.
    case replaced

    init(_ bookmark: FileBookmark?, _ found: FileObservation) {
        guard let bookmark else {
            self = .start
            return
        }
        if !found.isFile(of: bookmark) {
            self = .replaced
        } else if found.size < bookmark.offset {
            self = .truncated
        } else {
            self = found.matches(bookmark) ? .goOn : .rewritten
        }
    }
}
