internal import FileIO
internal import Glibc

/// An open directory of a ``SimulatedDisk``.
final class SimulatedDirectory: StorageDirectory, @unchecked Sendable {
    let path: String
    private let fileSystem: SimulatedFileSystem
    private let inode: UInt64
    private var isClosed = false
    private var disk: SimulatedDisk { fileSystem.disk }

    init(_ fileSystem: SimulatedFileSystem, path: String, inode: UInt64) {
        self.fileSystem = fileSystem
        self.path = path
        self.inode = inode
    }

    deinit {
        close()
    }

    func tryLock() throws(FileError) -> Bool {
        try begin(.lock, .lock)
        if let holder = disk.locks[inode] { return holder.directory == ObjectIdentifier(self) }
        disk.locks[inode] = (ObjectIdentifier(fileSystem), ObjectIdentifier(self))
        return true
    }

    func list() throws(FileError) -> [String] {
        try begin(.list, .list)
        return (disk.live.directories[inode] ?? [:]).keys.sorted()
    }

    func status(of name: String) throws(FileError) -> FileStatus? {
        try begin(.status, .status, name)
        guard let entry = disk.entry(name, in: inode) else { return nil }
        if entry.kind == .regular { return FileStatus(of: entry.inode, on: disk) }
        return FileStatus(
            kind: entry.kind, size: 0, allocatedBytes: entry.kind == .directory ? UInt64(Page.byteCount) : 0,
            linkCount: entry.kind == .directory ? 2 : 1, device: FileStatus.simulatedDevice, inode: entry.inode,
            modificationTime: disk.modificationTimes[entry.inode] ?? 0)
    }

    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        try begin(.open, .open, name)
        guard let entry = disk.entry(name, in: inode) else { throw error(.open, ENOENT, name) }
        guard entry.kind == .regular else {
            throw FileError(.open, path: path(of: name), errno: 0, reason: .wrongKind)
        }
        if case .writing(let method) = access { try checkSupport(of: method, .open, name) }
        return SimulatedFile(fileSystem, name: name, path: path(of: name), inode: entry.inode, access: access)
    }

    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        try begin(.create, .create, name)
        guard disk.entry(name, in: inode) == nil else { throw error(.create, EEXIST, name) }
        try checkSupport(of: method, .create, name)
        guard disk.live.directories[inode] != nil else { throw error(.create, ENOENT, name) }
        guard let file = disk.make(.regular, name, in: inode, path) else { throw error(.create, ENOSPC, name) }
        return SimulatedFile(
            fileSystem, name: name, path: path(of: name), inode: file, access: .writing(method))
    }

    func rename(_ oldName: String, to newName: String) throws(FileError) {
        try checkName(newName, .rename)
        try begin(.rename, .rename, oldName)
        guard let entry = disk.entry(oldName, in: inode) else { throw error(.rename, ENOENT, oldName) }
        let replaced = disk.entry(newName, in: inode)
        if replaced?.inode == entry.inode { return }
        if replaced?.kind == .directory && entry.kind != .directory { throw error(.rename, EISDIR, oldName) }
        if let replaced, entry.kind == .directory {
            guard replaced.kind == .directory else { throw error(.rename, ENOTDIR, oldName) }
            guard disk.live.directories[replaced.inode]?.isEmpty ?? true else {
                throw error(.rename, ENOTEMPTY, oldName)
            }
        }
        disk.rename(entry, oldName, to: newName, in: inode, path)
    }

    func unlink(_ name: String) throws(FileError) {
        try begin(.unlink, .unlink, name)
        guard let entry = disk.entry(name, in: inode) else { throw error(.unlink, ENOENT, name) }
        guard entry.kind != .directory else { throw error(.unlink, EISDIR, name) }
        disk.remove(name, from: inode, path)
    }

    func synchronize() throws(FileError) {
        try checkOpen(.synchronizeDirectory)
        try fileSystem.synchronizeDirectory(inode, path) { failedSynchronizations += 1 }
    }

    private(set) var failedSynchronizations = 0

    func volume() throws(FileError) -> VolumeStatus {
        try begin(.volume, .volume)
        let allocated = disk.allocatedBytes()
        let free = disk.options.capacityBytes.map { $0 > allocated ? $0 - allocated : 0 } ?? UInt64.max
        return VolumeStatus(
            logicalBlockBytes: disk.options.logicalBlockBytes, freeBytes: free,
            fileSystemName: disk.options.fileSystemName, isNetwork: disk.options.isNetwork)
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        if disk.locks[inode]?.directory == ObjectIdentifier(self) { disk.locks[inode] = nil }
    }

    /// Checks the name and the directory, and begins the operation; a fault that strikes leaves it undone.
    private func begin(
        _ operation: SimulatedOperation, _ reported: FileError.Operation, _ name: String? = nil
    ) throws(FileError) {
        if let name { try checkName(name, reported) }
        try checkOpen(reported, name)
        let fault = try disk.begin(operation, path(of: name), errorAs: reported)
        try fileSystem.carryOut(fault, reported, path(of: name))
    }

    private func checkOpen(_ operation: FileError.Operation, _ name: String? = nil) throws(FileError) {
        guard !isClosed else { throw error(operation, EBADF, name) }
        try fileSystem.checkAlive(operation, path(of: name))
    }

    private func checkName(_ name: String, _ operation: FileError.Operation) throws(FileError) {
        let isComponent =
            !name.isEmpty && name != "." && name != ".."
            && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
        guard isComponent else {
            throw FileError(operation, path: "\(path)/\(name)", errno: EINVAL, reason: .wrongKind)
        }
        guard name.utf8.count <= 255 else { throw error(operation, ENAMETOOLONG, name) }
    }

    private func checkSupport(
        of method: WriteMethod, _ operation: FileError.Operation, _ name: String
    ) throws(FileError) {
        if method == .directSynced && !disk.options.supportsDirectWrites { throw error(operation, EINVAL, name) }
    }

    private func path(of name: String?) -> String {
        guard let name else { return path }
        return path.utf8.last == UInt8(ascii: "/") ? path + name : "\(path)/\(name)"
    }

    private func error(_ operation: FileError.Operation, _ errno: Int32, _ name: String? = nil) -> FileError {
        FileError(operation, path: path(of: name), errno: errno)
    }
}

extension FileStatus {
    static let simulatedDevice: UInt64 = 1

    /// Of a regular file.
    init(of inode: UInt64, on disk: SimulatedDisk) {
        let image = disk.live.files[inode] ?? FileImage()
        self.init(
            kind: .regular, size: image.size, allocatedBytes: image.allocatedBytes,
            linkCount: UInt64(disk.live.linkCount(of: inode)), device: Self.simulatedDevice, inode: inode,
            modificationTime: disk.modificationTimes[inode] ?? 0)
    }
}
