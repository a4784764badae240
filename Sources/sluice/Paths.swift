import DurableChannel
import Glibc
import LineTransfer

/// A file by its directory, through which it is opened, and the path that names its bookmark.
struct FilePlace {
    var directory: String
    var name: String
    /// Absolute, and what names the bookmark.
    var path: String
    var bookmarkName: String

    /// Of a file to read, which must be there. Its bookmark is named by the path as it was given, made absolute: of the
    /// directory links and `..` are followed, the last name stays, so a link that comes to mean another file is noticed
    /// as a rotation.
    static func source(_ path: String) throws(LineTransferError) -> FilePlace {
        let real = try resolved(path, "opening the file of lines")
        try checkKind(
            real, path,
            "only such a one has a place at which to go on; it can be put from standard input: "
                + "sluice put DIR < \(path)")
        let (parent, last) = split(path)
        let given = joined(try resolved(parent, "opening the file of lines"), last)
        let (directory, name) = split(real)
        return FilePlace(directory: directory, name: name, path: given, bookmarkName: BookmarkName.source(given.utf8))
    }

    /// Of a file to write, in a directory that is there. Its bookmark is named by the path behind all links: under two
    /// names with a bookmark each, what was written under one would be cut off under the other.
    static func sink(_ path: String) throws(LineTransferError) -> FilePlace {
        let purpose = "opening the output"
        var status = stat()
        let isThere = unsafe lstat(path, &status) == 0
        let (parent, last) = split(path)
        let real = isThere ? try resolved(path, purpose) : joined(try resolved(parent, purpose), last)
        if isThere {
            try checkKind(
                real, path,
                "only such a one can be cut back after a crash; without --output events go to standard "
                    + "output: sluice take DIR > \(path)")
        }
        let (directory, name) = split(real)
        return FilePlace(directory: directory, name: name, path: real, bookmarkName: BookmarkName.sink(real.utf8))
    }

    func open() throws(LineTransferError) -> any StorageDirectory {
        do throws(FileError) { return try LinuxFileSystem().openDirectory(at: directory) } catch {
            throw LineTransferError("opening the directory of \(name)", error)
        }
    }

    /// Whether a file stands, or would stand, in a directory.
    static func isIn(_ directory: String, _ path: String) -> Bool {
        guard let place = try? sink(path), let real = try? resolved(directory, "") else { return false }
        return place.directory == real
    }

    /// The directory refuses such a file, too, and knows no better remedy.
    private static func checkKind(_ real: String, _ path: String, _ remedy: String) throws(LineTransferError) {
        var status = stat()
        guard unsafe stat(real, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { return }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        var error = LineTransferError(
            .fileOperation,
            isDirectory ? "\(path) is a directory: name a file in it" : "\(path) is not a regular file: \(remedy)")
        error.fileError = FileError(.open, path: path, errno: 0, reason: .wrongKind)
        throw error
    }

    private static func resolved(_ path: String, _ purpose: String) throws(LineTransferError) -> String {
        guard let real = unsafe realpath(path, nil) else {
            throw LineTransferError(purpose, FileError(.open, path: path, errno: errno))
        }
        defer { unsafe free(real) }
        guard let text = unsafe String(validatingCString: real) else {
            throw LineTransferError(
                .fileOperation,
                "\(purpose): the path behind \(path) is no UTF-8; give the file or directory another name")
        }
        return text
    }

    /// Directory and last name. A name that is none (`..`, or nothing behind a slash) is refused by the directory
    /// later.
    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    private static func joined(_ directory: String, _ name: String) -> String {
        directory == "/" ? "/\(name)" : "\(directory)/\(name)"
    }
}
