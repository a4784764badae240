internal import DurableChannel

/// What to do with an output file at start, by its bookmark and its looks.
enum SinkDecision: Equatable, Sendable {
    /// There is no bookmark and no file: make it, and commit length 0.
    case create
    /// There is no bookmark: what stands in the file is somebody else's and stays. Commit its length.
    case adopt(length: UInt64)
    /// Cut back to the bookmark: what stands behind it was written, and its take not committed.
    case goOn(length: UInt64)
    /// The bookmark's file is gone.
    case missing
    /// It is shorter than its bookmark: lines that count as delivered are not in it any more.
    case shorter
    /// It is not the file of the bookmark, or other bytes stand in it.
    case other

    init(_ bookmark: FileBookmark?, _ found: FileObservation?) {
        switch (bookmark, found) {
        case (nil, nil): self = .create
        case (nil, let found?): self = .adopt(length: found.size)
        case (_?, nil): self = .missing
        case (let bookmark?, let found?):
            if !found.isFile(of: bookmark) {
                self = .other
            } else if found.size < bookmark.offset {
                self = .shorter
            } else {
                self = found.matches(bookmark) ? .goOn(length: bookmark.offset) : .other
            }
        }
    }
}
