import DurableChannel
import Glibc
import LineTransfer

/// A file by its directory, through which it is opened, and the path that names its bookmark.
struct FilePlace {
    var directory: String
    var name: String
    var bookmarkName: String

    /// Of a file to read, which must be there. Its bookmark is named by the path as it was given, made absolute: of the
    /// directory links and `..` are followed, the last name stays, so a link that comes to mean another file is noticed
    /// as a rotation.
    static func source(_ path: String) throws(LineTransferError) -> FilePlace {
        let real = try resolved(path, "opening the file of lines")
        let (parent, last) = split(path)
        let given = joined(try resolved(parent, "opening the file of lines"), last)
        let (directory, name) = split(real)
        return FilePlace(directory: directory, name: name, bookmarkName: BookmarkName.source(given.utf8))
    }

    /// Of a file to write, in a directory that is there. Its bookmark is named by the path behind all links: under two
    /// names with a bookmark each, what was written under one would be cut off under the other.
    static func sink(_ path: String) throws(LineTransferError) -> FilePlace {
        let purpose = "opening the output"
        var status = stat()
        let isThere = unsafe lstat(path, &status) == 0
        let (parent, last) = split(path)
        let real = isThere ? try resolved(path, purpose) : joined(try resolved(parent, purpose), last)
        let (directory, name) = split(real)
        return FilePlace(directory: directory, name: name, bookmarkName: BookmarkName.sink(real.utf8))
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
