internal import FileIO

/// What stands under a name.
struct DirectoryEntry: Sendable, Equatable {
    var inode: UInt64
    var kind: FileStatus.Kind
}

/// One side of the disk: files by inode, and directories by inode.
struct DiskImage: Sendable {
    static let root: UInt64 = 1

    var files: [UInt64: FileImage] = [:]
    var directories: [UInt64: [String: DirectoryEntry]] = [root: [:]]

    /// What `du` says: 4096 for each directory, and the pages of each file. Holes take nothing.
    var allocatedBytes: UInt64 {
        files.values.reduce(UInt64(directories.count * Page.byteCount)) { $0 + $1.allocatedBytes }
    }

    /// Over names, sizes and contents of everything that has a name; inode numbers do not count.
    var hash: UInt64 { hash(ofDirectory: Self.root) }

    func linkCount(of inode: UInt64) -> Int {
        directories.values.reduce(0) { $0 + $1.values.count { $0.inode == inode } }
    }

    mutating func add(_ name: String, _ entry: DirectoryEntry, to directory: UInt64) {
        directories[directory, default: [:]][name] = entry
        if entry.kind == .directory && directories[entry.inode] == nil { directories[entry.inode] = [:] }
    }

    mutating func remove(_ name: String, from directory: UInt64) {
        directories[directory, default: [:]][name] = nil
    }

    /// Forgets files and directories that no name leads to, but for `kept`.
    mutating func removeUnreachable(except kept: Set<UInt64> = []) {
        var reached: Set<UInt64> = [Self.root]
        var open = [Self.root]
        while let directory = open.popLast() {
            for entry in (directories[directory] ?? [:]).values where reached.insert(entry.inode).inserted {
                if entry.kind == .directory { open.append(entry.inode) }
            }
        }
        if files.keys.contains(where: { !reached.contains($0) && !kept.contains($0) }) {
            files = files.filter { reached.contains($0.key) || kept.contains($0.key) }
        }
        if directories.keys.contains(where: { !reached.contains($0) && !kept.contains($0) }) {
            directories = directories.filter { reached.contains($0.key) || kept.contains($0.key) }
        }
    }

    private func hash(ofDirectory inode: UInt64) -> UInt64 {
        // A sum, because a dictionary has another order in every process.
        (directories[inode] ?? [:]).reduce(into: 1) { sum, element in
            let (name, entry) = element
            let inner: UInt64 =
                switch entry.kind {
                case .regular: (files[entry.inode] ?? FileImage()).hash
                case .directory: Mixing.mix(2, hash(ofDirectory: entry.inode))
                case .symbolicLink: 3
                case .other: 4
                }
            sum &+= Mixing.mix(Mixing.hash(name), inner)
        }
    }
}
