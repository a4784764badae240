internal import DurableChannel

/// What a file looks like beside its bookmark.
struct FileObservation: Equatable, Sendable {
    var device: UInt64
    var inode: UInt64
    var size: UInt64
    /// Of as many first bytes as the bookmark's covers, or of all when there are fewer.
    var head: Fingerprint
    /// Of as many bytes before the bookmark's offset as its covers; of fewer when the file is shorter.
    var tail: Fingerprint

    /// Whether the file holds what the bookmark saw in it.
    func matches(_ bookmark: FileBookmark) -> Bool {
        size >= bookmark.offset && head == bookmark.head && tail == bookmark.tail
    }

    /// Whether it is the bookmark's file, whatever it holds. Devices are numbered anew at boot, so another device
    /// number does not speak against a file with the same inode number whose bytes agree; of a file that was empty
    /// there are none.
    func isFile(of bookmark: FileBookmark) -> Bool {
        inode == bookmark.inode && (device == bookmark.device || (bookmark.offset > 0 && matches(bookmark)))
    }
}

/// A file that was opened, with what must be known of it.
struct ObservedFile {
    let file: any StorageFile
    let observation: FileObservation
    let modificationTime: UInt64
    /// The file's first bytes, as many as a fingerprint covers.
    let first: [UInt8]
    /// The bytes before the bookmark's offset.
    let tail: [UInt8]

    init(
        _ file: any StorageFile, beside bookmark: FileBookmark?, for purpose: String
    ) throws(LineTransferError) {
        self.file = file
        (observation, modificationTime, first, tail) = try fileCall(purpose) { () throws(FileError) in
            let status = try file.status()
            let first = try Self.bytes(of: file, 0..<min(status.size, UInt64(Fingerprint.maximumBytes)))
            let offset = bookmark?.offset ?? 0
            let covered = UInt64(FileBookmark.fingerprintBytes(before: offset))
            let last = try Self.bytes(of: file, offset - covered..<offset)
            let observation = FileObservation(
                device: status.device, inode: status.inode, size: status.size,
                head: Fingerprint(of: first.prefix(Int(covered))), tail: Fingerprint(of: last))
            return (observation, status.modificationTime, first, last)
        }
    }

    static func bytes(of file: any StorageFile, _ range: Range<UInt64>) throws(FileError) -> [UInt8] {
        let buffer = AlignedBuffer(byteCount: range.count)
        let count = try file.read(into: buffer, at: 0, count: range.count, from: range.lowerBound, source: .cache)
        return unsafe buffer.bytes.extracting(0..<count).withUnsafeBytes { bytes in unsafe [UInt8](bytes) }
    }
}
