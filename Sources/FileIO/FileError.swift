internal import Glibc

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
    public enum Reason: Sendable, Equatable, CaseIterable {
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
        /// A write that made no progress (the call returned 0), or a direct write that stopped inside a block.
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

    /// With the reason that the kernel's number stands for.
    ///
    /// - Parameter errno: positive, as `errno` holds it.
    public init(_ operation: Operation, path: String, errno: Int32) {
        self.init(operation, path: path, errno: errno, reason: Reason(errno: errno, of: operation))
    }

    /// One line: what failed, where, the kernel's words, and what to do about it.
    public var description: String {
        let cause = errno == 0 ? "\(reason)" : "\(Self.words(for: errno)) (errno \(errno))"
        return "\(operation.rawValue) of \(path) failed: \(cause); \(remedy)"
    }

    /// What the reader of the message can do.
    public var remedy: String {
        switch (reason, operation) {
        case (.noSpace, _):
            "free space on the file system, or raise the quota or the file size limit"
        case (.outOfResources, _):
            "raise the limit on open files or memory, or try again later"
        case (.notPermitted, _):
            "check the owner and mode of the path, and that its file system is mounted for writing"
        case (.notFound, _):
            "check the path"
        case (.exists, _):
            "choose another name, or move away what stands there"
        case (.wrongKind, _):
            "move away what stands there: links, directories, fifos and devices are never used as files"
        case (.unsupported, _):
            "use another file system, or a weaker write method"
        case (_, .read):
            "check the device and the kernel's log"
        case (.noProgress, _), (.inputOutput, _):
            "check the device and the kernel's log; the state of what it was to change is unknown, so do not repeat it"
        }
    }

    private static func words(for errno: Int32) -> String {
        // The GNU strerror is safe to call from any thread for a number that it knows.
        guard let text = unsafe strerror(errno) else { return "unknown error" }
        return unsafe String(cString: text)
    }
}

extension FileError.Reason {
    init(errno: Int32, of operation: FileError.Operation) {
        switch errno {
        case ENOSPC, EDQUOT, EFBIG: self = .noSpace
        case EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN: self = .outOfResources
        case EACCES, EPERM, EROFS: self = .notPermitted
        case ENOENT: self = .notFound
        case EEXIST, ENOTEMPTY: self = .exists
        case EISDIR where operation == .rename || operation == .create: self = .exists
        case EISDIR, ENOTDIR, ELOOP, ENXIO, ENODEV: self = .wrongKind
        case EINVAL, EOPNOTSUPP, ENOSYS: self = .unsupported
        default: self = .inputOutput
        }
    }
}
