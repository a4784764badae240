public import DurableChannel

/// An output file that gets each event exactly once, whatever crashes.
///
/// The file's length is a bookmark, committed with the takes whose events end there. The order of operations:
///
/// 1. At start the file is cut back to its bookmark. What stood behind it belongs to takes that were not committed;
///    they come again.
/// 2. Without a bookmark, the file (and its directory) is synced and its length committed as one, before anything is
///    written. Otherwise a process killed before its first take was committed would leave lines that the next one takes
///    for somebody else's.
/// 3. The file is synced before the take is committed. Otherwise a power cut could keep the commit and lose the lines.
/// 4. Bookmark and take are one transaction. Otherwise a crash between the two would cut off delivered events, or keep
///    events that come again.
///
/// A file that is shorter than its bookmark, is gone, or holds other bytes is an error, and it is left as it is.
/// A sink that has thrown is of no use any more: what is in the file then is found out at the next start.
public final class LineSink: LineOutput {
    /// What an operator should know: how much was cut off.
    public let findings: [String]

    private let directory: any StorageDirectory
    private let file: any StorageFile
    private let bookmarkName: String
    private let device: UInt64
    private let inode: UInt64
    private var length: UInt64
    private var head: FileHead
    /// The last bytes before `length`, as many as a fingerprint covers.
    private var tail: [UInt8]

    /// Opens or makes `name`, cuts it back or commits its length. A file that is made gets mode 0600.
    ///
    /// - Throws: ``LineTransferError/Code/missingFile``, ``LineTransferError/Code/shorterFile``,
    ///   ``LineTransferError/Code/otherFile``, ``LineTransferError/Code/invalidBookmark``: nothing was touched;
    ///   ``LineTransferError/Code/fileOperation``, ``LineTransferError/Code/channel``.
    public init(
        _ name: String, in directory: any StorageDirectory, channel: FileChannel, bookmarkName: String
    ) throws(LineTransferError) {
        var bookmark: FileBookmark?
        if let value = channel.bookmark(bookmarkName) {
            bookmark = try FileBookmark(decoding: value, of: .sink, named: bookmarkName)
        }
        let opened: ObservedFile
        (opened, length, findings) = try Self.begin(name, in: directory, bookmark)
        self.directory = directory
        self.bookmarkName = bookmarkName
        file = opened.file
        device = opened.observation.device
        inode = opened.observation.inode
        head = FileHead(Array(opened.first.prefix(FileBookmark.fingerprintBytes(before: length))))
        tail = bookmark == nil ? try Self.lastBytes(of: file, before: length) : opened.tail
        if bookmark == nil { try commitLength(to: channel) }
    }

    /// The first bookmark. The bytes that are there and the file's name are made durable before: a power cut that kept
    /// the bookmark and lost them would make the next start refuse a file that nobody has touched.
    private func commitLength(to channel: FileChannel) throws(LineTransferError) {
        try fileCall("making the output durable") { () throws(FileError) in
            try file.synchronize()
            try directory.synchronize()
        }
        try channelCall { () throws(ChannelError) in try channel.setBookmark(bookmarkName, bookmark.encoded()) }
    }

    /// Opens or makes the file as its bookmark wants it, and says where to write on.
    private static func begin(
        _ name: String, in directory: any StorageDirectory, _ bookmark: FileBookmark?
    ) throws(LineTransferError) -> (file: ObservedFile, length: UInt64, findings: [String]) {
        let path = "\(directory.path)/\(name)"
        let found = try existing(name, in: directory, beside: bookmark)
        switch (SinkDecision(bookmark, found?.observation), found) {
        case (.create, _):
            return (try create(name, in: directory), 0, [])
        case (.adopt(let size), let found?):
            return (found, size, [])
        case (.goOn(let length), let found?):
            let surplus = found.observation.size - length
            if surplus == 0 { return (found, length, []) }
            // Need not be durable: a cut that a crash undoes is made again by the next start.
            try fileCall("cutting back") { () throws(FileError) in try found.file.truncate(to: length) }
            return (found, length, ["\(path) was cut back by \(surplus) bytes whose take had not been committed"])
        default:
            throw refusal(path, bookmark, found?.observation)
        }
    }

    public func write(_ buffer: AlignedBuffer, count: Int) throws(LineTransferError) {
        try fileCall("writing the output") { () throws(FileError) in try file.write(buffer, count: count, at: length) }
        let bytes = buffer.bytes.extracting(0..<count)
        head.note(bytes, at: length)
        let last = bytes.extracting(max(0, count - Fingerprint.maximumBytes)..<count)
        tail += unsafe last.withUnsafeBytes { bytes in unsafe [UInt8](bytes) }
        tail.removeFirst(max(0, tail.count - Fingerprint.maximumBytes))
        length += UInt64(count)
    }

    /// Syncs the file, and makes sure that it still stands under its name: events must not go to a file that the next
    /// start will not find.
    public func prepareCommit() throws(LineTransferError) -> Bookmark? {
        try fileCall("making the output durable") { () throws(FileError) in try file.synchronize() }
        let status = try fileCall("looking at the output") { () throws(FileError) in
            try directory.status(of: file.name)
        }
        guard let status, status.inode == inode, status.device == device else {
            throw LineTransferError(
                .otherFile,
                "\(directory.path)/\(file.name) was moved or replaced while it was written; the take was not "
                    + "committed: move it back, or write to another name")
        }
        return Bookmark(name: bookmarkName, value: bookmark.encoded())
    }

    private var bookmark: FileBookmark {
        FileBookmark(
            .sink, device: device, inode: inode, offset: length, head: head.fingerprint(before: length),
            tail: Fingerprint(of: tail))
    }

    private static func existing(
        _ name: String, in directory: any StorageDirectory, beside bookmark: FileBookmark?
    ) throws(LineTransferError) -> ObservedFile? {
        let purpose = "opening the output"
        let file: any StorageFile
        do throws(FileError) {
            file = try directory.open(name, for: .writing(.writeThenSync))
        } catch {
            if error.reason == .notFound { return nil }
            throw LineTransferError(purpose, error)
        }
        return try ObservedFile(file, beside: bookmark, for: purpose)
    }

    private static func create(_ name: String, in directory: any StorageDirectory) throws(LineTransferError)
        -> ObservedFile
    {
        let purpose = "making the output"
        let file = try fileCall(purpose) { () throws(FileError) in try directory.create(name, method: .writeThenSync) }
        return try ObservedFile(file, beside: nil, for: purpose)
    }

    private static func lastBytes(of file: any StorageFile, before offset: UInt64) throws(LineTransferError) -> [UInt8]
    {
        let covered = UInt64(FileBookmark.fingerprintBytes(before: offset))
        return try fileCall("opening the output") { () throws(FileError) in
            try ObservedFile.bytes(of: file, offset - covered..<offset)
        }
    }

    private static func refusal(
        _ path: String, _ bookmark: FileBookmark?, _ found: FileObservation?
    ) -> LineTransferError {
        let length = bookmark?.offset ?? 0
        let remedy = "nothing was touched: put the file back as it was, or write to another name"
        guard let found else {
            return LineTransferError(
                .missingFile, "\(path) is gone, and \(length) bytes of events were delivered into it; \(remedy)")
        }
        if let bookmark, found.isFile(of: bookmark), found.size < length {
            return LineTransferError(
                .shorterFile,
                "\(path) has \(found.size) bytes, and \(length) bytes of events were delivered into it; \(remedy)")
        }
        return LineTransferError(
            .otherFile,
            "\(path) is not the file into which \(length) bytes of events were delivered, or other bytes stand in it; "
                + "\(remedy)"
        )
    }
}
