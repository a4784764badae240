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
    /// The file that is being read: after a rotation first the rest of the former one.
    private var part: Part
    /// Those that were rotated since.
    private var later: [FormerFiles.Candidate]
    /// The one that has the name now, if it is not being read yet.
    private var newest: ObservedFile?
    private let source: FormerFiles.Source
    private let readBytes: Int
    private let maximumLineBytes: Int
    /// The names under which the files were opened survive a power cut.
    private var namesAreDurable = false

    /// Opens `name` and decides by its bookmark where to begin. Reads 512 bytes of it at most; after a rotation or
    /// truncation looks at the other files of its directory too.
    ///
    /// - Parameter path: under which it is known, when that is another one, because links lead to it.
    /// - Throws: ``LineTransferError/Code/fileOperation``.
    public init(
        _ name: String, in directory: any StorageDirectory, knownAs path: String? = nil, bookmark: FileBookmark?,
        readBytes: Int = 512 << 10, maximumLineBytes: Int = LineSplitter.maximumLineBytes
    ) throws(LineTransferError) {
        (self.readBytes, self.maximumLineBytes) = (readBytes, maximumLineBytes)
        let purpose = "reading the lines of \(name)"
        let file = try fileCall(purpose) { () throws(FileError) in try directory.open(name, for: .reading) }
        let opened = try ObservedFile(file, beside: bookmark, for: purpose)
        let decision = SourceDecision(bookmark, opened.observation)
        let ownPath = "\(directory.path)/\(name)"
        source = FormerFiles.Source(
            name: name, directory: directory, inode: opened.observation.inode,
            isBehindLink: path.map { $0 != ownPath } ?? false)
        var former: FormerFiles?
        if let bookmark {
            switch decision {
            case .start, .goOn: break
            case .truncated, .rewritten: former = try FormerFiles.copied(from: source, bookmark)
            case .replaced: former = try FormerFiles.moved(from: source, bookmark)
            }
        }
        findings = Self.findings(
            decision, path ?? ownPath, opened.observation.size, put: bookmark?.offset ?? 0, former)
        // The bookmark is about the first one; of a source that is read again from its beginning, about none.
        let isAboutFirst = decision == .goOn || former != nil
        part = Part(
            former?.file ?? opened, from: isAboutFirst ? bookmark : nil, readBytes: readBytes,
            maximumLineBytes: maximumLineBytes)
        later = former?.later ?? []
        newest = former == nil ? nil : opened
    }

    private static func findings(
        _ decision: SourceDecision, _ path: String, _ size: UInt64, put offset: UInt64, _ former: FormerFiles?
    ) -> [String] {
        let found = former?.names.joined(separator: ", ") ?? ""
        let notPut = former.map(notPut) ?? ""
        let copy =
            former == nil
            ? "what it held behind byte \(offset) before that, if anything, was not put, nor what was copied away since"
            : "the rest of what it held before that is put first, from \(found)\(notPut)"
        switch decision {
        case .start, .goOn:
            return []
        case .truncated:
            return [
                "\(path) was truncated: it has \(size) bytes, and \(offset) of it were put; \(copy); starting again "
                    + "at its beginning, so lines that stayed in it are put once more"
            ]
        case .rewritten:
            return [
                "\(path) was written anew: it does not hold what was put of it; \(copy); starting at its beginning"
            ]
        case .replaced where former != nil:
            return [
                "\(path) was rotated: the rest of the former file, now \(found), is put before the new one\(notPut)"
            ]
        case .replaced:
            return [
                "\(path) was replaced, and the file of before is not in its directory any more: what that one held "
                    + "behind byte \(offset) was not put, nor what was rotated since; starting at the beginning of "
                    + "the new one (what is still there under other names can be put by those)"
            ]
        }
    }

    /// What an operator has to look after, since the bookmark goes past it.
    private static func notPut(_ former: FormerFiles) -> String {
        var text = ""
        if !former.unread.isEmpty {
            text +=
                "; not put: \(former.unread.joined(separator: ", ")) (last written no earlier than \(former.names[0]), "
                + "but compressed, named in another way, or of its very time): put by hand those that hold lines not "
                + "put before, from standard input, decompressed"
        }
        if !former.namesTell {
            text +=
                "; by the name \(former.names[0]) it cannot be told which other files were rotated since: what these "
                + "hold was not put"
        }
        return text
    }

    /// The next lines; nil at the end. All of them are of one file, and durable in it. Costs a sync whenever it gets
    /// behind what the file held at the last one: of a file that nobody writes to, one in all.
    ///
    /// - Throws: ``LineTransferError/Code/lineTooLong`` when the next line is,
    ///   ``LineTransferError/Code/fileOperation``.
    public mutating func nextBatch(_ limits: LineBatch.Limits) throws(LineTransferError) -> LineBatch? {
        repeat {
            var batch = LineBatch(limits)
            while try !part.take(into: &batch), !part.hasEnded { try part.read() }
            // The part stays until the batch was put: its bookmark is asked of it.
            if !batch.isEmpty {
                try makeDurable()
                return batch
            }
        } while try goOn()
        return nil
    }

    /// To the next file, if there is one.
    private mutating func goOn() throws(LineTransferError) -> Bool {
        var next = newest
        if let first = later.first {
            next = try FormerFiles.open(first, of: source)
            later.removeFirst()
        } else {
            newest = nil
        }
        guard let next else { return false }
        part = Part(next, from: nil, readBytes: readBytes, maximumLineBytes: maximumLineBytes)
        return true
    }

    /// The bookmark to commit together with the lines before a place in the batch that came last.
    public func bookmark(at boundary: LineRun.Boundary) -> FileBookmark {
        FileBookmark(
            .source, device: part.device, inode: part.inode, offset: boundary.offset, lines: boundary.lines,
            endsWithoutNewline: boundary.endsWithoutNewline, head: part.head.fingerprint(before: boundary.offset),
            tail: boundary.tail)
    }

    /// The lines that were given out, and the names of their files.
    private mutating func makeDurable() throws(LineTransferError) {
        try part.makeDurable()
        if namesAreDurable { return }
        let directory = source.directory
        try synchronizing { () throws(FileError) in try directory.synchronize() }
        namesAreDurable = true
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
        /// It has become shorter than what was read of it, so what was read last may be half a line.
        private var isCut = false
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

        mutating func take(into batch: inout LineBatch) throws(LineTransferError) -> Bool {
            try splitter.take(into: &batch, atEnd: hasEnded && !isCut)
        }

        mutating func read() throws(LineTransferError) {
            let (file, name) = (file, file.name)
            var isCut = false
            var head = head
            let hasMore = try splitter.fill { (buffer, place, count, offset) throws(LineTransferError) in
                let got = try fileCall("reading the lines of \(name)") { () throws(FileError) in
                    let got = try file.read(into: buffer, at: place, count: count, from: offset, source: .cache)
                    if got == 0 { isCut = try file.status().size < offset }
                    return got
                }
                head.note(buffer.bytes.extracting(place..<place + got), at: offset)
                return got
            }
            self.head = head
            self.isCut = isCut
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

/// Runs a sync of what belongs to another program. A file system that has no such thing, such as a read-only one, has
/// nothing that is still to be written.
private func synchronizing(_ sync: () throws(FileError) -> Void) throws(LineTransferError) {
    try fileCall("making the lines durable where they stand, before they are put,") { () throws(FileError) in
        do throws(FileError) { try sync() } catch {
            guard error.reason == .unsupported || error.reason == .notPermitted else { throw error }
        }
    }
}
