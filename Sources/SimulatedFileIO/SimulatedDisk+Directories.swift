internal import FileIO
internal import Glibc

/// Changes of directories, and the life of what their entries lead to.
extension SimulatedDisk {
    /// What an entry of the live image leads to.
    func entry(_ name: String, in directory: UInt64) -> DirectoryEntry? {
        live.directories[directory]?[name]
    }

    /// The directory that a path leads to, or the kernel's number. Links are not followed, also not on the way.
    func directory(at path: String) -> Result<UInt64, Errno> {
        var inode = DiskImage.root
        for component in DiskImage.components(of: path) where component != "." {
            guard let entry = entry(component, in: inode) else { return .failure(Errno(ENOENT)) }
            guard entry.kind == .directory else { return .failure(Errno(ENOTDIR)) }
            inode = entry.inode
        }
        return .success(inode)
    }

    struct Errno: Error {
        var number: Int32

        init(_ number: Int32) {
            self.number = number
        }
    }

    /// Adds a name for something new; its inode, or nil when the disk is too full.
    func make(_ kind: FileStatus.Kind, _ name: String, in directory: UInt64, _ path: String) -> UInt64? {
        let cost: UInt64 = kind == .directory ? UInt64(Page.byteCount) : 0
        if let capacity = options.capacityBytes, live.allocatedBytes + max(cost, 1) > capacity { return nil }
        let entry = DirectoryEntry(inode: nextInode, kind: kind)
        nextInode += 1
        change(path, .add(directory: directory, name: name, entry))
        if kind == .regular { live.files[entry.inode] = FileImage() }
        return entry.inode
    }

    func remove(_ name: String, from directory: UInt64, _ path: String) {
        let inode = entry(name, in: directory)?.inode
        change(path, .remove(directory: directory, name: name))
        if let inode { forgetIfUnused(inode) }
    }

    func rename(_ entry: DirectoryEntry, _ name: String, to newName: String, in directory: UInt64, _ path: String) {
        let replaced = self.entry(newName, in: directory)?.inode
        change(path, .rename(directory: directory, from: name, to: newName, entry))
        if let replaced { forgetIfUnused(replaced) }
    }

    /// Makes every pending change of the directory's entries durable, in order.
    func synchronizeDirectory(_ directory: UInt64) {
        for operation in pendingOperations where operation.directory == directory {
            durable.apply(operation.effect)
        }
        pendingOperations.removeAll { $0.directory == directory }
        forgetDurable()
    }

    /// What a failed sync of a directory does: its changes stay visible and will never be written.
    func loseDirectoryChanges(of directory: UInt64, keepingFirst kept: Int = 0) {
        let pending = pendingOperations.filter { $0.directory == directory }
        for operation in pending.prefix(kept) { durable.apply(operation.effect) }
        pendingOperations.removeAll { $0.directory == directory }
    }

    // MARK: Handles

    func retain(_ inode: UInt64) {
        handleCounts[inode, default: 0] += 1
    }

    /// An unlinked file goes, and its room is free, when the last handle is closed.
    func release(_ inode: UInt64) {
        let left = (handleCounts[inode] ?? 1) - 1
        handleCounts[inode] = left == 0 ? nil : left
        if left == 0 && !isHalted { forgetIfUnused(inode) }
    }

    private func change(_ path: String, _ effect: PendingOperation.Effect) {
        live.apply(effect)
        addPending(path, effect)
    }

    private func forgetIfUnused(_ inode: UInt64) {
        guard live.files[inode] != nil, handleCounts[inode] == nil, live.linkCount(of: inode) == 0 else { return }
        live.files[inode] = nil
        diverged.remove(inode)
        forgetDurable()
    }

    /// Drops what no crash can bring back: files that are gone from the live image, that no durable name leads to, and
    /// that no pending change would give a name.
    private func forgetDurable() {
        func isGone(_ inode: UInt64) -> Bool { live.files[inode] == nil && live.directories[inode] == nil }
        guard
            durable.files.keys.contains(where: isGone) || durable.directories.keys.contains(where: isGone)
                || pendingOperations.contains(where: { $0.inode.map(isGone) ?? false })
        else { return }
        let named = Set(pendingOperations.compactMap(\.namedInode))
        durable.removeUnreachable(except: named.union(live.files.keys).union(live.directories.keys))
        pendingOperations.removeAll { operation in
            guard let inode = operation.inode, live.files[inode] == nil else { return false }
            return !named.contains(inode) && durable.linkCount(of: inode) == 0
        }
    }
}
