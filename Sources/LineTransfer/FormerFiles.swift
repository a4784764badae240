internal import DurableChannel

/// What rotation has left of a source under other names: the file in which the bookmark stands, and those that had the
/// source's name after it, oldest first.
struct FormerFiles {
    let names: [String]
    let files: [ObservedFile]

    /// Finds the bookmark's file by its inode, wherever in the directory it was moved (logrotate's `create`).
    static func moved(
        from name: String, in directory: any StorageDirectory, _ bookmark: FileBookmark
    ) throws(LineTransferError) -> FormerFiles? {
        let names = try list(directory, for: name)
        for other in names where other != name {
            guard let found = observed(other, in: directory, bookmark, where: { $0.inode == bookmark.inode }),
                found.observation.isFile(of: bookmark), found.observation.matches(bookmark)
            else { continue }
            return try FormerFiles(other, found, of: name, in: directory, names)
        }
        return nil
    }

    /// Finds a copy of the bookmark's file that was made before that was emptied (logrotate's `copytruncate`): by its
    /// bytes, for it is another file. Only among names that begin with the source's, and only when a single one holds
    /// those bytes: with few of them, several logs may begin alike.
    static func copied(
        from name: String, in directory: any StorageDirectory, _ bookmark: FileBookmark
    ) throws(LineTransferError) -> FormerFiles? {
        guard bookmark.offset > 0 else { return nil }
        let names = try list(directory, for: name)
        var copies: [(name: String, file: ObservedFile)] = []
        for other in names where other != name && other.hasPrefix(name) {
            guard let found = observed(other, in: directory, bookmark, where: { $0.size >= bookmark.offset }),
                found.observation.matches(bookmark)
            else { continue }
            copies.append((other, found))
        }
        guard copies.count == 1 else { return nil }
        return try FormerFiles(copies[0].name, copies[0].file, of: name, in: directory, names)
    }

    private init(
        _ former: String, _ file: ObservedFile, of name: String, in directory: any StorageDirectory, _ names: [String]
    ) throws(LineTransferError) {
        var files = [file]
        var read = [former]
        for other in Self.later(than: former, of: name, among: names) {
            // One that cannot be read is an error: its lines would be left out in silence.
            let purpose = "reading the lines of \(other), which is a former \(name),"
            let status = try fileCall(purpose) { () throws(FileError) in try directory.status(of: other) }
            guard let status, status.kind == .regular else { continue }
            let opened = try fileCall(purpose) { () throws(FileError) in try directory.open(other, for: .reading) }
            files.append(try ObservedFile(opened, beside: nil, for: purpose))
            read.append(other)
        }
        self.files = files
        self.names = read
    }

    /// The names that rotation has given out after `former`, in the order of their files. Numbers up to three digits
    /// (`app.log.2`) count up with age; everything longer (`app.log-20260131`) is taken for a time. Names of another
    /// shape, such as those of compressed files, say nothing.
    static func later(than former: String, of name: String, among names: [String]) -> [String] {
        func shape(_ other: String) -> [UInt8]? {
            guard other != name, other.hasPrefix(name) else { return nil }
            return other.utf8.dropFirst(name.utf8.count).map { isDigit($0) ? UInt8(ascii: "0") : $0 }
        }
        func number(_ other: String) -> Int? {
            guard other.hasPrefix("\(name).") else { return nil }
            let digits = other.utf8.dropFirst(name.utf8.count + 1)
            return digits.count <= 3 && digits.allSatisfy(isDigit) ? Int(String(other.suffix(digits.count))) : nil
        }
        if let age = number(former) {
            let younger = names.compactMap { other in number(other).map { (age: $0, name: other) } }
            return younger.filter { $0.age < age }.sorted { $0.age > $1.age }.map(\.name)
        }
        guard let wanted = shape(former), wanted.contains(UInt8(ascii: "0")) else { return [] }
        return names.filter { $0 > former && shape($0) == wanted }.sorted()
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func list(
        _ directory: any StorageDirectory, for name: String
    ) throws(LineTransferError) -> [String] {
        try fileCall("looking for the former \(name)") { () throws(FileError) in try directory.list() }
    }

    /// A file that may be the one. One that cannot be opened is passed over: it is said that none was found.
    private static func observed(
        _ name: String, in directory: any StorageDirectory, _ bookmark: FileBookmark, where fits: (FileStatus) -> Bool
    ) -> ObservedFile? {
        guard let status = try? directory.status(of: name), status.kind == .regular, fits(status),
            let file = try? directory.open(name, for: .reading)
        else { return nil }
        return try? ObservedFile(file, beside: bookmark, for: "")
    }
}
