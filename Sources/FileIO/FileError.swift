/// A failed operation on a file or directory: what, where, and the kernel's reason.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The operation, named by its system call where there is one.
    public enum Operation: String, Sendable, CaseIterable {
        case open, create, read, write, synchronize, truncate, prewrite, close
        case rename, unlink, list, status, lock, makeDirectory, synchronizeDirectory, volume
    }

    public var operation: Operation
    /// Path of the directory, and the name in it if the operation had one.
    public var path: String
    /// The kernel's number (`ENOSPC`, ...), kept as it came. 0 for a ``Reason`` that is ours.
    public var errno: Int32
    public var reason: Reason

    /// What the number means for the caller.
    public enum Reason: Sendable, Equatable {
        /// ENOSPC, EDQUOT, EFBIG: no room. State is unchanged when it came out of create, truncate or prewrite.
        case noSpace
        /// EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN: the process or host is out of something; try again later.
        case outOfResources
        /// EACCES, EPERM, EROFS.
        case notPermitted
        /// ENOENT.
        case notFound
        /// EEXIST, and a rename or create onto a directory.
        case exists
        /// A link, directory, fifo, socket or device where a regular file (or a directory) must be.
        case wrongKind
        /// EINVAL or EOPNOTSUPP: the file system does not offer this.
        case unsupported
        /// A write that made no progress (the call returned 0).
        case noProgress
        /// Everything else, EIO above all.
        case inputOutput
    }

    public init(_ operation: Operation, path: String, errno: Int32, reason: Reason) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.reason = reason
    }
}
