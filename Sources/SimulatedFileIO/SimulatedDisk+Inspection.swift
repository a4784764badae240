public import FileIO

/// Looking at the disk and changing it from outside, as a test or a harness does: not counted, not traced, never failing
/// by script, and durable at once.
extension SimulatedDisk {
    /// The names in a directory of the live image, sorted; nil when there is no such directory.
    public func names(in path: String) -> [String]? {
        guard case .success(let inode) = directory(at: path) else { return nil }
        return live.directories[inode]?.keys.sorted()
    }

    /// All bytes of a file as a reader sees them, or as they would be after a power cut that kept nothing; nil when
    /// there is no such file.
    public func contents(of path: String, durable fromDurable: Bool = false) -> [UInt8]? {
        let image = fromDurable ? durable : live
        guard let (directory, name) = image.place(of: path) else { return nil }
        guard let entry = image.directories[directory]?[name], entry.kind == .regular else { return nil }
        return (image.files[entry.inode] ?? FileImage()).contents
    }

    /// Puts a file there with these bytes, replacing the contents of one that is there. Its directory must exist.
    public func setContents(of path: String, to bytes: [UInt8]) {
        let inode = plant(.regular, at: path)
        var image = FileImage()
        image.size = UInt64(bytes.count)
        unsafe image.write(bytes.span.bytes, at: 0)
        live.files[inode] = image
        durable.files[inode] = image
        pendingOperations.removeAll { $0.inode == inode }
        diverged.remove(inode)
        noteModification(of: inode)
    }

    /// Says that a file was changed at another time than now, in nanoseconds since 1970, as `touch` does.
    public func setModificationTime(of path: String, to time: UInt64) {
        guard let (directory, name) = live.place(of: path), let entry = live.directories[directory]?[name] else {
            preconditionFailure("there is no \(path)")
        }
        modificationTimes[entry.inode] = time
    }

    /// Puts something under a name, unless something of that kind is there. Its directory must exist.
    @discardableResult
    public func plant(_ kind: FileStatus.Kind, at path: String) -> UInt64 {
        guard let (directory, name) = live.place(of: path), live.directories[directory] != nil else {
            preconditionFailure("there is no directory for \(path)")
        }
        let found = live.directories[directory]?[name]
        let entry =
            if let found, found.kind == kind { found } else { DirectoryEntry(inode: nextInode, kind: kind) }
        if entry != found {
            nextInode += 1
            noteModification(of: entry.inode)
        }
        live.add(name, entry, to: directory)
        durable.add(name, entry, to: directory)
        if kind == .regular && live.files[entry.inode] == nil { live.files[entry.inode] = FileImage() }
        return entry.inode
    }

    /// Removes a name, as if it had never been.
    public func remove(_ path: String) {
        for image in [\SimulatedDisk.live, \SimulatedDisk.durable] {
            if let (directory, name) = self[keyPath: image].place(of: path) {
                self[keyPath: image].remove(name, from: directory)
                self[keyPath: image].removeUnreachable(except: Set(handleCounts.keys))
            }
        }
    }
}

extension DiskImage {
    /// Taken apart by bytes: by characters it costs more than what is done at the end of the path.
    static func components(of path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    }

    /// The directory that holds the last component of a path, and that component.
    fileprivate func place(of path: String) -> (directory: UInt64, name: String)? {
        var components = Self.components(of: path)
        guard let name = components.popLast() else { return nil }
        var directory = Self.root
        for component in components {
            guard let entry = directories[directory]?[component], entry.kind == .directory else { return nil }
            directory = entry.inode
        }
        return (directory, name)
    }
}
