import FileIO
import Synchronization

/// A file system that counts the calls that go through it, and the bytes that are read and written.
final class CountingFileSystem: FileSystem {
    private let inner: any FileSystem
    let counts = Counts()

    final class Counts: Sendable {
        private let callCount = Atomic<Int>(0)
        private let byteCount = Atomic<Int>(0)
        var calls: Int { callCount.load(ordering: .relaxed) }
        private let writtenCount = Atomic<Int>(0)
        var bytesRead: Int { byteCount.load(ordering: .relaxed) }
        var bytesWritten: Int { writtenCount.load(ordering: .relaxed) }
        fileprivate func wrote(_ bytes: Int) { writtenCount.add(bytes, ordering: .relaxed) }
        fileprivate func call() { callCount.add(1, ordering: .relaxed) }
        fileprivate func read(_ bytes: Int) { byteCount.add(bytes, ordering: .relaxed) }
    }

    init(_ inner: any FileSystem) { self.inner = inner }

    func makeDirectory(at path: String) throws(FileError) {
        counts.call()
        try inner.makeDirectory(at: path)
    }

    func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        counts.call()
        return Directory(try inner.openDirectory(at: path), counts)
    }

    private final class Directory: StorageDirectory {
        private let inner: any StorageDirectory
        private let counts: Counts

        init(_ inner: any StorageDirectory, _ counts: Counts) {
            self.inner = inner
            self.counts = counts
        }

        var path: String { inner.path }

        func tryLock() throws(FileError) -> Bool {
            counts.call()
            return try inner.tryLock()
        }

        func list() throws(FileError) -> [String] {
            counts.call()
            return try inner.list()
        }

        func status(of name: String) throws(FileError) -> FileStatus? {
            counts.call()
            return try inner.status(of: name)
        }

        func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
            counts.call()
            return File(try inner.open(name, for: access), counts)
        }

        func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
            counts.call()
            return File(try inner.create(name, method: method), counts)
        }

        func rename(_ oldName: String, to newName: String) throws(FileError) {
            counts.call()
            try inner.rename(oldName, to: newName)
        }

        func unlink(_ name: String) throws(FileError) {
            counts.call()
            try inner.unlink(name)
        }

        func synchronize() throws(FileError) {
            counts.call()
            try inner.synchronize()
        }

        func volume() throws(FileError) -> VolumeStatus {
            counts.call()
            return try inner.volume()
        }

        func close() { inner.close() }
    }

    private final class File: StorageFile {
        private let inner: any StorageFile
        private let counts: Counts

        init(_ inner: any StorageFile, _ counts: Counts) {
            self.inner = inner
            self.counts = counts
        }

        var name: String { inner.name }
        var writeMethod: WriteMethod { inner.writeMethod }

        func read(
            into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
        ) throws(FileError) -> Int {
            counts.call()
            let bytes = try inner.read(into: buffer, at: bufferOffset, count: count, from: offset, source: source)
            counts.read(bytes)
            return bytes
        }

        func submitWrite(
            _ buffer: AlignedBuffer, count: Int, at offset: UInt64,
            completion: @escaping @Sendable (FileError?) -> Void
        ) {
            counts.call()
            counts.wrote(count)
            inner.submitWrite(buffer, count: count, at: offset, completion: completion)
        }

        func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
            counts.call()
            counts.wrote(count)
            try inner.write(buffer, count: count, at: offset)
        }

        func synchronize() throws(FileError) {
            counts.call()
            try inner.synchronize()
        }

        func truncate(to size: UInt64) throws(FileError) {
            counts.call()
            try inner.truncate(to: size)
        }

        func prewrite(_ range: Range<UInt64>) throws(FileError) {
            counts.call()
            counts.wrote(range.count)
            try inner.prewrite(range)
        }

        func status() throws(FileError) -> FileStatus {
            counts.call()
            return try inner.status()
        }

        func close() throws(FileError) {
            counts.call()
            try inner.close()
        }
    }
}
