internal import Glibc

/// Who holds the lock of a directory, asked without taking it: whoever opens the directory at that moment is not disturbed.
///
/// From `/proc/locks`, which lists the `flock` locks of all processes that this one can see. Nothing is decided by it: a lock in
/// another container may not be listed, and on some file systems (btrfs) the device number there is another one than `stat`
/// gives, so the inode alone has to do.
package enum LockHolder {
    /// The process that holds an exclusive lock on the directory at a path; nil when none is listed.
    package static func process(ofDirectoryAt path: String, on volume: VolumeStatus?) -> Int32? {
        var status = stat()
        guard unsafe stat(path, &status) == 0, let text = contents(of: "/proc/locks") else { return nil }
        let isDeviceTold = volume?.fileSystemName != "btrfs"
        for line in text.split(separator: "\n") {
            // 1: FLOCK  ADVISORY  WRITE 4711 fe:01:524301 0 EOF
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "FLOCK", words[3] == "WRITE", let process = Int32(words[4]) else {
                continue
            }
            let place = words[5].split(separator: ":")
            guard place.count == 3, UInt64(place[2]) == UInt64(status.st_ino) else { continue }
            if isDeviceTold {
                guard let major = UInt64(place[0], radix: 16), let minor = UInt64(place[1], radix: 16),
                    UInt64(status.st_dev) == Self.device(major, minor)
                else { continue }
            }
            return process
        }
        return nil
    }

    /// As `makedev` puts them together.
    private static func device(_ major: UInt64, _ minor: UInt64) -> UInt64 {
        (major & 0xfff) << 8 | (major & ~0xfff) << 32 | (minor & 0xff) | (minor & ~0xff) << 12
    }

    private static func contents(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count < 16 << 20 {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension LockHolder {
    /// How another process has a file open for writing, from `/proc`; nil where that cannot be seen.
    package static func writeMethod(of file: FileStatus, in process: Int32) -> WriteMethod? {
        for descriptor in 3..<1024 {
            let path = "/proc/\(process)/fd/\(descriptor)"
            var found = stat()
            guard unsafe stat(path, &found) == 0 else { continue }
            guard UInt64(found.st_dev) == file.device, UInt64(found.st_ino) == file.inode,
                let text = contents(of: "/proc/\(process)/fdinfo/\(descriptor)"),
                let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags:") }),
                let word = line.split(separator: "\t").last, let flags = Int32(word, radix: 8),
                flags & O_ACCMODE != O_RDONLY
            else { continue }
            let isDirect = flags & 0o40000 != 0
            let isSynced = flags & O_DSYNC != 0
            // The second descriptor of a file that is written directly is for reading through the cache.
            if isDirect { return .directSynced }
            if isSynced { return .synced }
        }
        return nil
    }
}
