internal import CLinux
internal import Glibc

#if PlantedBugs
    internal import LogFormat
#endif

/// ``FileSystem`` over the kernel's system calls.
///
/// Nothing is cached and nothing is retried but interrupted and short transfers. A process that runs under a file size
/// limit (RLIMIT_FSIZE) must ignore SIGXFSZ, or the kernel ends it where this module would throw `EFBIG`.
public final class LinuxFileSystem: FileSystem {
    public init() {}

    /// As documented in ``FileSystem``.
    ///
    /// A level is made only when the name of the one above it is durable. So whenever an earlier call was killed half
    /// way, the deepest directory found is the only one whose name may still be lost by a power cut; its parent is
    /// synced too. That is skipped where the parent may not be opened: then nobody like us has made the directory.
    public func makeDirectory(at path: String) throws(FileError) {
        let levels = Self.levels(of: path)
        var missing = levels.count
        while missing > 0, try Self.isMissing(levels[missing - 1]) { missing -= 1 }

        if missing > 0 {
            do throws(FileError) {
                try Self.synchronizeDirectory(at: Self.parent(of: levels[missing - 1]))
            } catch {
                guard error.reason == .notPermitted else { throw error }
            }
        }
        for level in levels[missing...] {
            let failure = unsafe linux_make_directory(level)
            // Somebody else may make the same path at this moment.
            guard failure == 0 || failure == -EEXIST else {
                throw FileError(.makeDirectory, path: level, errno: -failure)
            }
            try Self.synchronizeDirectory(at: level)
            #if PlantedBugs
                if PlantedBug.skipParentSync.isPlanted { continue }
            #endif
            try Self.synchronizeDirectory(at: Self.parent(of: level))
        }
    }

    public func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        // With a slash behind it a link would be followed.
        let descriptor = unsafe linux_open_directory(Self.withoutTrailingSlashes(path), 0)
        guard descriptor >= 0 else { throw FileError(.open, path: path, errno: -descriptor) }
        return LinuxDirectory(path: path, descriptor: descriptor)
    }

    private static func isMissing(_ path: String) throws(FileError) -> Bool {
        let descriptor = unsafe linux_open_directory(path, 1)
        if descriptor == -ENOENT { return true }
        // Without permission to read it is there all the same, and may be passed through.
        if descriptor == -EACCES { return false }
        guard descriptor >= 0 else { throw FileError(.makeDirectory, path: path, errno: -descriptor) }
        _ = linux_close(descriptor)
        return false
    }

    private static func synchronizeDirectory(at path: String) throws(FileError) {
        let descriptor = unsafe linux_open_directory(path, 1)
        guard descriptor >= 0 else { throw FileError(.synchronizeDirectory, path: path, errno: -descriptor) }
        let failure = linux_sync(descriptor)
        _ = linux_close(descriptor)
        guard failure == 0 else { throw FileError(.synchronizeDirectory, path: path, errno: -failure) }
    }

    /// `/a`, `/a/b`, `/a/b/c` for `/a/b/c`; without the root.
    private static func levels(of path: String) -> [String] {
        var levels: [String] = []
        var level = path.utf8.first == UInt8(ascii: "/") ? "/" : ""
        for component in path.split(separator: "/") {
            if !level.isEmpty && level != "/" { level += "/" }
            level += component
            levels.append(level)
        }
        return levels
    }

    private static func parent(of level: String) -> String {
        guard let slash = level.lastIndex(of: "/") else { return "." }
        return slash == level.startIndex ? "/" : String(level[..<slash])
    }

    private static func withoutTrailingSlashes(_ path: String) -> String {
        var path = path[...]
        while path.utf8.count > 1, path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        return String(path)
    }
}
