internal import CLinux
internal import Glibc

/// ``StorageDirectory`` over a directory's descriptor.
final class LinuxDirectory: StorageDirectory, @unchecked Sendable {
    let path: String
    private let descriptor: Int32
    private let gate = DescriptorGate()
    private let lockState = Lock()
    /// Under `lockState`: this directory's entry in the table of the process, while it holds the lock.
    private var lockKey: LockTable.Key?
    /// One sync at a time: the kernel tells of a failure once, and whoever asks next must find it counted.
    private let syncTurn = Lock()
    private let syncState = Lock()
    /// Under `syncState`, so that whoever reads it waits for no disk.
    private var failedSyncs = 0

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close()
    }

    func tryLock() throws(FileError) -> Bool {
        try call(.lock) { () throws(FileError) in
            try lockState.withLock { () throws(FileError) in
                if lockKey != nil { return true }
                var found = linux_status_t()
                let failure = unsafe linux_status(descriptor, &found)
                guard failure == 0 else { throw error(.lock, -failure) }

                // The table first: where one description is shared, flock would say yes to both.
                let key = LockTable.Key(device: found.device, inode: found.inode)
                guard LockTable.shared.insert(key) else { return false }
                let taken = linux_try_lock(descriptor)
                guard taken == 1 else {
                    LockTable.shared.remove(key)
                    if taken == 0 { return false }
                    throw error(.lock, -taken)
                }
                lockKey = key
                return true
            }
        }
    }

    func list() throws(FileError) -> [String] {
        try call(.list) { () throws(FileError) in
            var opened: UnsafeMutableRawPointer?
            let failure = unsafe linux_list_open(descriptor, &opened)
            guard failure == 0, let stream = unsafe opened else { throw error(.list, -failure) }
            defer { unsafe linux_list_close(stream) }

            var names: [String] = []
            var name = [CChar](repeating: 0, count: 256)
            while true {
                let count = unsafe linux_list_next(stream, &name)
                guard count >= 0 else { throw error(.list, -count) }
                if count == 0 { return names.sorted() }
                names.append(String(decoding: name[..<Int(count)].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
        }
    }

    func status(of name: String) throws(FileError) -> FileStatus? {
        try call(.status, name) { () throws(FileError) in
            var found = linux_status_t()
            let failure = unsafe linux_status_at(descriptor, name, &found)
            if failure == -ENOENT { return nil }
            guard failure == 0 else { throw error(.status, -failure, name) }
            return FileStatus(found)
        }
    }

    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        try call(.open, name) { () throws(FileError) in
            switch access {
            case .reading:
                try openFile(.open, name, flags: 0, method: .writeThenSync)
            case .writing(let method):
                try openFile(.open, name, flags: LINUX_OPEN_WRITE, method: method)
            }
        }
    }

    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        try call(.create, name) { () throws(FileError) in
            try openFile(
                .create, name, flags: LINUX_OPEN_WRITE | LINUX_OPEN_CREATE, method: method)
        }
    }

    func rename(_ oldName: String, to newName: String) throws(FileError) {
        try call(.rename, oldName) { () throws(FileError) in
            try Self.check(newName, .rename, in: path)
            let failure = unsafe linux_rename(descriptor, oldName, newName)
            guard failure == 0 else { throw error(.rename, -failure, oldName) }
        }
    }

    func unlink(_ name: String) throws(FileError) {
        try call(.unlink, name) { () throws(FileError) in
            let failure = unsafe linux_unlink(descriptor, name)
            guard failure == 0 else { throw error(.unlink, -failure, name) }
        }
    }

    func synchronize() throws(FileError) {
        try call(.synchronizeDirectory) { () throws(FileError) in
            try syncTurn.withLock { () throws(FileError) in
                let failure = linux_sync(descriptor)
                guard failure == 0 else {
                    syncState.withLock { failedSyncs += 1 }
                    throw error(.synchronizeDirectory, -failure)
                }
            }
        }
    }

    var failedSynchronizations: Int { syncState.withLock { failedSyncs } }

    /// As documented in ``StorageDirectory``. The block is what the kernel says that O_DIRECT must align to
    /// (`STATX_DIOALIGN`, Linux 6.1), asked of an unnamed file. Where it does not say (older kernels, no permission to
    /// write), 4096 is given, which is safe on every common device; a tmpfs has no device, so there it is 512.
    func volume() throws(FileError) -> VolumeStatus {
        try call(.volume) { () throws(FileError) in
            var found = linux_volume_t()
            let failure = unsafe linux_volume(descriptor, &found)
            guard failure == 0 else { throw error(.volume, -failure) }
            return VolumeStatus(found)
        }
    }

    func close() {
        gate.close {
            // The kernel's lock before the table's entry: whoever gets past the table must find the kernel's free.
            // Unlocked by name, because a forked child may still share the description.
            let key = lockState.withLock { lockKey }
            if key != nil { _ = linux_unlock(descriptor) }
            _ = linux_close(descriptor)
            if let key { LockTable.shared.remove(key) }
        }
    }

    /// Opens with what `method` needs, and makes sure that it is a regular file.
    private func openFile(
        _ operation: FileError.Operation, _ name: String, flags: UInt32, method: WriteMethod
    ) throws(FileError) -> LinuxFile {
        var methodFlags: UInt32 = 0
        if flags & LINUX_OPEN_WRITE != 0 {
            switch method {
            case .directSynced: methodFlags = LINUX_OPEN_SYNCED | LINUX_OPEN_DIRECT
            case .synced: methodFlags = LINUX_OPEN_SYNCED
            case .writeThenSync: break
            }
        }
        let isCreating = flags & LINUX_OPEN_CREATE != 0
        let opened = unsafe linux_open(descriptor, name, flags | methodFlags)
        if opened < 0 {
            // A file system without O_DIRECT makes the file and then refuses to open it.
            if isCreating && opened == -EINVAL { _ = unsafe linux_unlink(descriptor, name) }
            throw error(operation, -opened, name)
        }
        do throws(FileError) {
            var found = linux_status_t()
            let failure = unsafe linux_status(opened, &found)
            guard failure == 0 else { throw error(operation, -failure, name) }
            guard FileStatus(found).kind == .regular else {
                throw FileError(operation, path: path(of: name), errno: 0, reason: .wrongKind)
            }
            // Reads from the cache and pre-writing go through a second descriptor of the same inode. By number and not
            // by name, which may mean another file by now.
            guard method == .directSynced, methodFlags != 0 else {
                return LinuxFile(name: name, path: path(of: name), method: method, descriptor: opened, cached: opened)
            }
            let cached = try openCached(operation, name, besides: opened, inode: found.inode)
            return LinuxFile(name: name, path: path(of: name), method: method, descriptor: opened, cached: cached)
        } catch {
            _ = linux_close(opened)
            if isCreating { _ = unsafe linux_unlink(descriptor, name) }
            throw error
        }
    }

    /// A descriptor through the page cache for the inode of `direct`: through /proc, else by name if that still means
    /// the same inode.
    private func openCached(
        _ operation: FileError.Operation, _ name: String, besides direct: Int32, inode: UInt64
    ) throws(FileError) -> Int32 {
        let reopened = linux_reopen(direct, LINUX_OPEN_WRITE)
        if reopened >= 0 { return reopened }
        let opened = unsafe linux_open(descriptor, name, LINUX_OPEN_WRITE)
        guard opened >= 0 else { throw error(operation, -opened, name) }
        var found = linux_status_t()
        guard unsafe linux_status(opened, &found) == 0, found.inode == inode else {
            _ = linux_close(opened)
            throw error(operation, ENOENT, name)
        }
        return opened
    }

    /// Runs one operation while the descriptor is open, on a name that is one path component.
    private func call<R>(
        _ operation: FileError.Operation, _ name: String? = nil, _ body: () throws(FileError) -> R
    ) throws(FileError) -> R {
        if let name { try Self.check(name, operation, in: path) }
        guard let done = try gate.pass(body) else { throw error(operation, EBADF, name) }
        return done
    }

    private func path(of name: String?) -> String {
        guard let name else { return path }
        return path.utf8.last == UInt8(ascii: "/") ? path + name : "\(path)/\(name)"
    }

    private func error(_ operation: FileError.Operation, _ errno: Int32, _ name: String? = nil) -> FileError {
        FileError(operation, path: path(of: name), errno: errno)
    }

    /// A name with a slash would leave the directory; one with a zero byte would be cut by the kernel.
    private static func check(
        _ name: String, _ operation: FileError.Operation, in path: String
    ) throws(FileError) {
        let isComponent =
            !name.isEmpty && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
        guard isComponent else {
            throw FileError(operation, path: "\(path)/\(name)", errno: EINVAL, reason: .wrongKind)
        }
    }
}

extension FileStatus {
    init(_ found: linux_status_t) {
        let kind: Kind =
            switch found.kind {
            case LINUX_KIND_REGULAR: .regular
            case LINUX_KIND_DIRECTORY: .directory
            case LINUX_KIND_LINK: .symbolicLink
            default: .other
            }
        self.init(
            kind: kind, size: found.size, allocatedBytes: found.allocated_bytes, linkCount: found.link_count,
            device: found.device, inode: found.inode, modificationTime: found.modified_ns)
    }
}

extension VolumeStatus {
    /// The magic numbers of linux/magic.h and of the file systems that keep theirs to themselves. FUSE does not say what
    /// is behind it, so it counts as a network.
    private static let known: [UInt64: (name: String, isNetwork: Bool)] = [
        0xEF53: ("ext4", false), 0x5846_5342: ("xfs", false), 0x9123_683E: ("btrfs", false),
        0x0102_1994: ("tmpfs", false), 0x794C_7630: ("overlay", false), 0xF2F5_2010: ("f2fs", false),
        0x2FC1_2FC1: ("zfs", false), 0xCA45_1A4E: ("bcachefs", false), 0x4D44: ("vfat", false),
        0x2011_BAB0: ("exfat", false), 0x8584_58F6: ("ramfs", false), 0x7371_7368: ("squashfs", false),
        0x6969: ("nfs", true), 0xFF53_4D42: ("cifs", true), 0xFE53_4D42: ("smb2", true), 0x517B: ("smb", true),
        0x00C3_6400: ("ceph", true), 0x6573_5546: ("fuse", true), 0x0102_1997: ("9p", true),
        0x5346_414F: ("afs", true), 0x7375_7245: ("coda", true), 0x4750_4653: ("gpfs", true),
        0x0BD0_0BD0: ("lustre", true), 0x1983_0326: ("fhgfs", true), 0x786F_4256: ("vboxsf", true),
    ]

    init(_ found: linux_volume_t) {
        let (name, isNetwork) = Self.known[found.magic] ?? ("0x" + String(found.magic, radix: 16), false)
        let alignment = Int(found.direct_alignment)
        let block =
            if name == "tmpfs" {
                512
            } else if alignment > 0 && alignment & (alignment - 1) == 0 {
                max(512, alignment)
            } else {
                4096
            }
        self.init(
            logicalBlockBytes: block, freeBytes: found.free_bytes, fileSystemName: name, isNetwork: isNetwork)
    }
}
