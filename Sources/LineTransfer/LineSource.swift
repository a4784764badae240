public import DurableChannel

/// The lines of a file, from where its bookmark stands.
///
/// The bookmark is committed in the same transaction as the lines before it, so after any crash the two agree, and
/// going on at the bookmark neither leaves a line out nor puts one twice.
///
/// The end of the file is the end of the input. A last line without a newline is put, and the bookmark stands behind
/// it. If the file grows later, a newline that comes first belongs to that line; anything else that continues it is an
/// event of its own.
///
/// The file belongs to a program that may never sync it. So the lines of a batch are made durable where they stand
/// before they are given out: otherwise a power cut could keep the bookmark and lose the end of the file, and it would
/// pass for a truncated one, whose lines are put again. The same goes for its name in the directory.
public struct LineSource {
    /// What an operator should know about the file: that it was truncated, rotated or replaced, and what follows from
    /// it.
    public let findings: [String]
    /// The files to read, the one that is being read first: after a rotation the rest of the former one, then the new
    /// one.
    private var parts: [Part]
    private let directory: any StorageDirectory
    /// The names under which the files were opened survive a power cut.
    private var namesAreDurable = false

    /// Opens `name` and decides by its bookmark where to begin. Reads 512 bytes of it at most; after a rotation looks
    /// at the other files of its directory too.
    ///
    /// - Throws: ``LineTransferError/Code/fileOperation``.
    public init(
        _ name: String, in directory: any StorageDirectory, bookmark: FileBookmark?, readBytes: Int = 512 << 10,
        maximumLineBytes: Int = LineSplitter.maximumLineBytes
    ) throws(LineTransferError) {
        self.directory = directory
        let path = "\(directory.path)/\(name)"
        let opened = try Self.open(name, in: directory, beside: bookmark)
        func part(_ found: ObservedFile, at bookmark: FileBookmark?) -> Part {
            Part(found, from: bookmark, readBytes: readBytes, maximumLineBytes: maximumLineBytes)
        }
        switch SourceDecision(bookmark, opened.observation) {
        case .start:
            findings = []
            parts = [part(opened, at: nil)]
        case .goOn:
            findings = []
            parts = [part(opened, at: bookmark)]
        case .truncated:
            findings = [
                "\(path) was truncated: it has \(opened.observation.size) bytes, and \(bookmark?.offset ?? 0) of it "
                    + "were put; starting again at its beginning, so lines that stayed in it are put once more"
            ]
            parts = [part(opened, at: nil)]
        case .rewritten:
            findings = ["\(path) was written anew: it does not hold what was put of it; starting at its beginning"]
            parts = [part(opened, at: nil)]
        case .replaced:
            if let bookmark, let (formerName, former) = try Self.former(of: name, in: directory, bookmark) {
                findings = [
                    "\(path) was rotated: the rest of the former file, now \(formerName), is put before the new one"
                ]
                parts = [part(former, at: bookmark), part(opened, at: nil)]
            } else {
                findings = [
                    "\(path) was replaced, and the file of before is not in its directory any more: what that one held "
                        + "behind byte \(bookmark?.offset ?? 0) was not put; starting at the beginning of the new one"
                ]
                parts = [part(opened, at: nil)]
            }
        }
    }

    /// The next lines; nil at the end. All of them are of one file, and durable in it. Costs a sync whenever it gets
    /// behind what the file held at the last one: of a file that nobody writes to, one in all.
    ///
    /// - Throws: ``LineTransferError/Code/lineTooLong`` when the next line is,
    ///   ``LineTransferError/Code/fileOperation``.
    public mutating func nextBatch(_ limits: LineBatch.Limits) throws(LineTransferError) -> LineBatch? {
        while !parts.isEmpty {
            var batch = LineBatch(limits)
            while try !parts[0].splitter.take(into: &batch, atEnd: parts[0].hasEnded), !parts[0].hasEnded {
                try parts[0].read()
            }
            // The part stays until the batch was put: its bookmark is asked of it.
            if !batch.isEmpty {
                try makeDurable()
                return batch
            }
            parts.removeFirst()
        }
        return nil
    }

    /// The bookmark to commit together with the lines before a place in the batch that came last.
    public func bookmark(at boundary: LineRun.Boundary) -> FileBookmark {
        precondition(!parts.isEmpty, "there is no batch whose bookmark could be asked for")
        let part = parts[0]
        return FileBookmark(
            .source, device: part.device, inode: part.inode, offset: boundary.offset, lines: boundary.lines,
            endsWithoutNewline: boundary.endsWithoutNewline, head: part.head.fingerprint(before: boundary.offset),
            tail: boundary.tail)
    }

    /// The lines that were given out, and the names of their files.
    private mutating func makeDurable() throws(LineTransferError) {
        try parts[0].makeDurable()
        if namesAreDurable { return }
        let directory = directory
        try synchronizing { () throws(FileError) in try directory.synchronize() }
        namesAreDurable = true
    }

    private static func open(
        _ name: String, in directory: any StorageDirectory, beside bookmark: FileBookmark?
    ) throws(LineTransferError) -> ObservedFile {
        let purpose = "reading the lines of \(name)"
        let file = try fileCall(purpose) { () throws(FileError) in try directory.open(name, for: .reading) }
        return try ObservedFile(file, beside: bookmark, for: purpose)
    }

    /// The file of the bookmark under the name that rotation gave it. A file that cannot be opened is passed over; one
    /// that was compressed is another file.
    private static func former(
        of name: String, in directory: any StorageDirectory, _ bookmark: FileBookmark
    ) throws(LineTransferError) -> (String, ObservedFile)? {
        let names = try fileCall("looking for the former \(name)") { () throws(FileError) in try directory.list() }
        for other in names where other != name {
            guard let status = try? directory.status(of: other), status.kind == .regular,
                status.inode == bookmark.inode, let found = try? open(other, in: directory, beside: bookmark),
                found.observation.isFile(of: bookmark), found.observation.matches(bookmark)
            else { continue }
            return (other, found)
        }
        return nil
    }
}

extension LineSource {
    /// One file that is read.
    private struct Part {
        let file: any StorageFile
        let device: UInt64
        let inode: UInt64
        var head: FileHead
        var splitter: LineSplitter
        var hasEnded = false
        /// The file is durable up to here.
        private var durableBytes: UInt64 = 0

        init(_ found: ObservedFile, from bookmark: FileBookmark?, readBytes: Int, maximumLineBytes: Int) {
            file = found.file
            device = found.observation.device
            inode = found.observation.inode
            head = FileHead(found.first)
            splitter = LineSplitter(
                maximumLineBytes: maximumLineBytes, readBytes: readBytes, offset: bookmark?.offset ?? 0,
                lines: bookmark?.lines ?? 0, history: bookmark == nil ? [] : found.tail,
                skipsNewline: bookmark?.endsWithoutNewline ?? false)
        }

        mutating func read() throws(LineTransferError) {
            let (file, name) = (file, file.name)
            var head = head
            let hasMore = try splitter.fill { (buffer, place, count, offset) throws(LineTransferError) in
                let got = try fileCall("reading the lines of \(name)") { () throws(FileError) in
                    try file.read(into: buffer, at: place, count: count, from: offset, source: .cache)
                }
                head.note(buffer.bytes.extracting(place..<place + got), at: offset)
                return got
            }
            self.head = head
            hasEnded = !hasMore
        }

        /// The lines that were given out.
        mutating func makeDurable() throws(LineTransferError) {
            guard splitter.position > durableBytes else { return }
            let file = file
            // The size first: of what is written later, the sync may have nothing.
            let size = try fileCall("looking at the file of lines") { () throws(FileError) in try file.status().size }
            try synchronizing { () throws(FileError) in try file.synchronize() }
            durableBytes = size
        }
    }
}

/// Runs a sync of what belongs to another program. A file system that has no such thing (a read-only one, one in memory)
/// has nothing that is still to be written.
private func synchronizing(_ sync: () throws(FileError) -> Void) throws(LineTransferError) {
    try fileCall("making the lines durable where they stand, before they are put,") { () throws(FileError) in
        do throws(FileError) { try sync() } catch {
            guard error.reason == .unsupported || error.reason == .notPermitted else { throw error }
        }
    }
}
