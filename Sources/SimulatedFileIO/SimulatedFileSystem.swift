public import FileIO
internal import Glibc

#if PlantedBugs
    internal import LogFormat
#endif

/// ``FileSystem`` over a ``SimulatedDisk``: one process that uses it. Several on one disk see each other's files and
/// locks.
public final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    public let disk: SimulatedDisk
    public let runtime: SimulatedRuntime
    /// After ``kill(keeping:)``.
    public private(set) var isKilled = false

    public init(disk: SimulatedDisk, runtime: SimulatedRuntime) {
        self.disk = disk
        self.runtime = runtime
        // Weak: work that the runtime holds may hold the disk.
        disk.wallClock = { [weak runtime] in runtime?.wallClock() ?? 0 }
    }

    /// As documented in ``FileSystem``, with the order of ``LinuxFileSystem``: each level is durable before the next one
    /// is made, and the deepest directory found is made durable too.
    public func makeDirectory(at path: String) throws(FileError) {
        try checkAlive(.makeDirectory, path)
        var (parent, parentPath) = (DiskImage.root, "/")
        // Where the name of the deepest directory found so far stands: the only one that may not be durable yet.
        var inDoubt: (inode: UInt64, path: String)?
        for name in DiskImage.components(of: path) where name != "." {
            let level = parentPath == "/" ? "/\(name)" : "\(parentPath)/\(name)"
            if let entry = disk.entry(name, in: parent) {
                guard entry.kind == .directory else { throw FileError(.makeDirectory, path: level, errno: ENOTDIR) }
                inDoubt = (parent, parentPath)
                parent = entry.inode
            } else {
                if let found = inDoubt { try synchronizeDirectory(found.inode, found.path) }
                inDoubt = nil
                parent = try makeLevel(name, in: parent, parentPath, level)
            }
            parentPath = level
        }
        if let found = inDoubt { try synchronizeDirectory(found.inode, found.path) }
    }

    public func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        try checkAlive(.open, path)
        let fault = try disk.begin(.openDirectory, path, errorAs: .open)
        try carryOut(fault, .open, path)
        switch disk.directory(at: path) {
        case .success(let inode): return SimulatedDirectory(self, path: path, inode: inode)
        case .failure(let reason): throw FileError(.open, path: path, errno: reason.number)
        }
    }

    /// Ends the process: its locks are free, its files closed, its completions never called. Its submitted writes that
    /// were in flight end as `choice` says, visible and not durable. Every later call through it throws EIO.
    public func kill(keeping choice: CrashChoice = .everything) {
        isKilled = true
        disk.locks = disk.locks.filter { $0.value.process != ObjectIdentifier(self) }
        disk.resolveInFlight(choice, of: ObjectIdentifier(self))
    }

    func checkAlive(_ operation: FileError.Operation, _ path: @autoclosure () -> String) throws(FileError) {
        if isKilled { throw FileError(operation, path: path(), errno: EIO) }
    }

    /// Lets a fault take its time, and throws if it is a failure. For operations that a failure leaves undone.
    func carryOut(
        _ fault: Fault?, _ operation: FileError.Operation, _ path: @autoclosure () -> String
    ) throws(FileError) {
        guard let fault else { return }
        runtime.advance(by: fault.delay)
        if fault.errno != 0 { throw FileError(operation, path: path(), errno: fault.errno) }
    }

    private func makeLevel(
        _ name: String, in parent: UInt64, _ parentPath: String, _ path: String
    ) throws(FileError) -> UInt64 {
        let fault = try disk.begin(.makeDirectory, path, errorAs: .makeDirectory)
        try carryOut(fault, .makeDirectory, path)
        guard let inode = disk.make(.directory, name, in: parent, parentPath) else {
            throw FileError(.makeDirectory, path: path, errno: ENOSPC)
        }
        try synchronizeDirectory(inode, path)
        #if PlantedBugs
            if PlantedBug.skipParentSync.isPlanted { return inode }
        #endif
        try synchronizeDirectory(parent, parentPath)
        return inode
    }

    /// - Parameter failed: called as soon as it has failed, before the time that the failure takes.
    func synchronizeDirectory(_ inode: UInt64, _ path: String, failed: () -> Void = {}) throws(FileError) {
        let fault = try disk.begin(.synchronizeDirectory, path, errorAs: .synchronizeDirectory)
        guard let fault, fault.errno != 0 else {
            try carryOut(fault, .synchronizeDirectory, path)
            if !disk.options.liesAboutSync { disk.synchronizeDirectory(inode) }
            return
        }
        switch fault.outcome {
        case .whole: disk.synchronizeDirectory(inode)
        case .absent: disk.loseDirectoryChanges(of: inode)
        case .torn:
            let count = disk.pendingOperations.count { $0.directory == inode }
            disk.loseDirectoryChanges(of: inode, keepingFirst: count / 2)
        }
        failed()
        try carryOut(fault, .synchronizeDirectory, path)
    }
}
