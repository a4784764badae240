internal import FileIO
internal import Glibc
internal import LogFormat

extension StorageDirectory {
    /// Makes a file that appears whole: filled under a spare name, synced, and only then renamed to the one that it is for,
    /// over what stood there. A crash leaves the old file or the new one, and at most a spare name, which means nothing.
    ///
    /// - Parameter isDurable: the file and its name are synced. Without that a power cut may leave anything in it.
    func replace(
        _ name: String, under temporary: String, method: WriteMethod = .writeThenSync, isDurable: Bool = true,
        fill: (any StorageFile) throws(FileError) -> Void
    ) throws(FileError) {
        let file = try create(temporary, method: method)
        func makeIt() throws(FileError) {
            do throws(FileError) {
                try fill(file)
                if isDurable { try file.synchronize() }
                try file.close()
                try rename(temporary, to: name)
            } catch {
                try? file.close()
                try? unlink(temporary)
                throw error
            }
        }
        if isDurable { try changeNames(makeIt) } else { try makeIt() }
    }

    /// Creates, renames or unlinks, and makes that durable.
    func changeNames(_ change: () throws(FileError) -> Void) throws(FileError) {
        let failures = failedSynchronizations
        try change()
        try synchronize(since: failures)
    }

    /// Makes the names durable that were changed since ``StorageDirectory/failedSynchronizations`` was `failures`. A sync that
    /// failed since, for whomever, may have been the only word about them, and this one's success says nothing then.
    func synchronize(since failures: Int) throws(FileError) {
        try synchronize()
        guard failedSynchronizations == failures else {
            throw FileError(.synchronizeDirectory, path: path, errno: EIO)
        }
    }
}

extension StorageDirectory {
    /// The beginning of a small file, for people's eyes or a hint: what cannot be read is not there.
    func contents(of name: String, atMost limit: Int) -> [UInt8]? {
        guard let file = try? open(name, for: .reading) else { return nil }
        defer { try? file.close() }
        let buffer = AlignedBuffer(byteCount: limit)
        guard let count = try? file.read(into: buffer, at: 0, count: limit, from: 0, source: .cache) else { return nil }
        return buffer.bytes.copy(0..<count)
    }
}

extension StorageFile {
    func write(_ bytes: [UInt8]) throws(FileError) {
        let buffer = AlignedBuffer(byteCount: max(bytes.count, 1))
        buffer.copy(from: bytes, at: 0)
        try write(buffer, count: bytes.count, at: 0)
    }
}
