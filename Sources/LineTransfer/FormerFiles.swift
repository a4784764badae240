internal import DurableChannel

/// What rotation has left of a source under other names: the file in which the bookmark stands, and those that had the
/// source's name after it, oldest first.
struct FormerFiles {
    var names: [String] { [name] + later.map(\.name.name) }
    /// The bookmark's file.
    let file: ObservedFile
    private let name: String
    /// Those after it. Each is opened when its turn comes: there may be thousands.
    let later: [Candidate]
    /// Files that may have had the source's name after it too, and are not read: compressed ones, and those whose names
    /// are of another form.
    let unread: [String]
    /// False when the bookmark's file has a name from which those of the others cannot be known.
    let namesTell: Bool

    /// Whose former files are looked for.
    struct Source {
        let name: String
        let directory: any StorageDirectory
        /// Of the file that had the name at the start: rotated since, it is no former one, and must not come twice.
        let inode: UInt64
        /// It is reached through a link, which may have meant files of other names.
        let isBehindLink: Bool

        func reading(_ other: String) -> String { "reading the lines of \(other), which is a former \(name)," }
    }

    /// A file beside the source, and when it was last written.
    struct Candidate {
        let name: RotatedName
        let time: UInt64
        var inode: UInt64 = 0
    }

    /// Finds the bookmark's file by its inode, wherever in the directory it was moved (logrotate's `create`).
    static func moved(
        from source: Source, _ bookmark: FileBookmark
    ) throws(LineTransferError) -> FormerFiles? {
        let names = try list(source)
        for other in names where other != source.name {
            guard let found = observed(other, of: source, bookmark, where: { $0.inode == bookmark.inode }),
                found.observation.isFile(of: bookmark), found.observation.matches(bookmark)
            else { continue }
            return try FormerFiles(other, found, of: source, names)
        }
        return nil
    }

    /// Finds a copy of the bookmark's file that was made before that was emptied (logrotate's `copytruncate`): by its
    /// bytes, for it is another file. Only among names that begin with the source's, and only when a single one holds
    /// those bytes: with few of them, several logs may begin alike.
    static func copied(
        from source: Source, _ bookmark: FileBookmark
    ) throws(LineTransferError) -> FormerFiles? {
        guard bookmark.offset > 0 else { return nil }
        let names = try list(source)
        var copies: [(name: String, file: ObservedFile)] = []
        for other in names where other != source.name && other.hasPrefix(source.name) {
            guard let found = observed(other, of: source, bookmark, where: { $0.size >= bookmark.offset }),
                found.observation.matches(bookmark)
            else { continue }
            copies.append((other, found))
        }
        guard copies.count == 1 else { return nil }
        return try FormerFiles(copies[0].name, copies[0].file, of: source, names)
    }

    private init(
        _ name: String, _ file: ObservedFile, of source: Source, _ names: [String]
    ) throws(LineTransferError) {
        var others: [Candidate] = []
        for other in names where other != source.name && other != name {
            guard let rotated = RotatedName(other, of: source.name, behindLink: source.isBehindLink) else { continue }
            let status = try fileCall(source.reading(other)) { () throws(FileError) in
                try source.directory.status(of: other)
            }
            guard let status, status.kind == .regular, status.inode != source.inode else { continue }
            others.append(Candidate(name: rotated, time: status.modificationTime, inode: status.inode))
        }
        let former = RotatedName(name, of: source.name, behindLink: source.isBehindLink)
        let since = Self.since(former, file.modificationTime, among: others)
        self.name = name
        self.file = file
        later = since.read
        unread = since.unread.map(\.name.name)
        namesTell = former != nil
    }

    /// Opens one of the files after the bookmark's, which may have been rotated again by now. One that is not found or
    /// cannot be read is an error: its lines would be left out in silence.
    static func open(_ file: Candidate, of source: Source) throws(LineTransferError) -> ObservedFile {
        let purpose = source.reading(file.name.name)
        func opened(_ name: String) throws(LineTransferError) -> (any StorageFile)? {
            try fileCall(purpose) { () throws(FileError) in
                guard let status = try source.directory.status(of: name), status.kind == .regular,
                    status.inode == file.inode
                else { return nil }
                let opened = try source.directory.open(name, for: .reading)
                return try opened.status().inode == file.inode ? opened : nil
            }
        }
        if let found = try opened(file.name.name) { return try ObservedFile(found, beside: nil, for: purpose) }
        for name in try list(source) where name != source.name {
            if let found = try opened(name) { return try ObservedFile(found, beside: nil, for: purpose) }
        }
        throw LineTransferError(
            .fileOperation,
            "\(file.name.name), a former \(source.name), was removed before its lines were put; put again, which looks "
                + "for what is left of it")
    }

    /// Which of the other files were last written after a former one, oldest first, and so had the source's name after
    /// it: those to be read, whose names have its form, and those of which it is not known. The time decides, as not
    /// every way of rotating gives out names in an order; where it does not tell two apart, the names do.
    static func since(
        _ former: RotatedName?, _ time: UInt64, among others: [Candidate]
    ) -> (read: [Candidate], unread: [Candidate]) {
        let later = others.filter { $0.time >= time }.sorted {
            $0.time == $1.time ? $0.name.precedes($1.name) : $0.time < $1.time
        }
        func isRead(_ other: Candidate) -> Bool {
            guard let former, !other.name.isCompressed, other.name.form == former.form else { return false }
            return other.time > time || former.precedes(other.name)
        }
        return (later.filter(isRead), later.filter { !isRead($0) })
    }

    private static func list(_ source: Source) throws(LineTransferError) -> [String] {
        try fileCall("looking for the former \(source.name)") { () throws(FileError) in try source.directory.list() }
    }

    /// A file that may be the one. One that cannot be opened is passed over: it is said that none was found.
    private static func observed(
        _ name: String, of source: Source, _ bookmark: FileBookmark, where fits: (FileStatus) -> Bool
    ) -> ObservedFile? {
        guard let status = try? source.directory.status(of: name), status.kind == .regular, fits(status),
            let file = try? source.directory.open(name, for: .reading)
        else { return nil }
        return try? ObservedFile(file, beside: bookmark, for: "")
    }
}
