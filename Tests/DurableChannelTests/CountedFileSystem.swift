import FileIO
import Glibc
import Synchronization

/// A file system that counts the calls that go through it, and the bytes that are read; the sync of a directory can
/// take long.
final class CountedFileSystem: FileSystem {
    final class Count: Sendable {
        let calls = Atomic<Int>(0)
        let bytesRead = Atomic<Int>(0)
        let directorySyncMicroseconds = Atomic<UInt32>(0)
    }

    let count = Count()
    private let inner: any FileSystem

    init(_ inner: any FileSystem) { self.inner = inner }

    var calls: Int { count.calls.load(ordering: .relaxed) }
    var bytesRead: Int { count.bytesRead.load(ordering: .relaxed) }

    func makeDirectory(at path: String) throws(FileError) {
        count.calls.add(1, ordering: .relaxed)
        try inner.makeDirectory(at: path)
    }

    func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        count.calls.add(1, ordering: .relaxed)
        return CountedDirectory(try inner.openDirectory(at: path), count)
    }
}

private final class CountedDirectory: StorageDirectory {
    private let inner: any StorageDirectory
    private let count: CountedFileSystem.Count

    init(_ inner: any StorageDirectory, _ count: CountedFileSystem.Count) {
        self.inner = inner
        self.count = count
    }

    private var counted: any StorageDirectory {
        count.calls.add(1, ordering: .relaxed)
        return inner
    }

    var path: String { inner.path }
    func tryLock() throws(FileError) -> Bool { try counted.tryLock() }
    func list() throws(FileError) -> [String] { try counted.list() }
    func status(of name: String) throws(FileError) -> FileStatus? { try counted.status(of: name) }
    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        CountedFile(try counted.open(name, for: access), count)
    }
    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        CountedFile(try counted.create(name, method: method), count)
    }
    func rename(_ oldName: String, to newName: String) throws(FileError) { try counted.rename(oldName, to: newName) }
    func unlink(_ name: String) throws(FileError) { try counted.unlink(name) }
    func synchronize() throws(FileError) {
        usleep(count.directorySyncMicroseconds.load(ordering: .relaxed))
        try counted.synchronize()
    }
    func volume() throws(FileError) -> VolumeStatus { try counted.volume() }
    func close() { counted.close() }
}

private final class CountedFile: StorageFile {
    private let inner: any StorageFile
    private let count: CountedFileSystem.Count

    init(_ inner: any StorageFile, _ count: CountedFileSystem.Count) {
        self.inner = inner
        self.count = count
    }

    private var counted: any StorageFile {
        count.calls.add(1, ordering: .relaxed)
        return inner
    }

    var name: String { inner.name }
    var writeMethod: WriteMethod { inner.writeMethod }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count bytes: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        let got = try counted.read(into: buffer, at: bufferOffset, count: bytes, from: offset, source: source)
        count.bytesRead.add(got, ordering: .relaxed)
        return got
    }

    func submitWrite(
        _ buffer: AlignedBuffer, count bytes: Int, at offset: UInt64,
        completion: @escaping @Sendable (FileError?) -> Void
    ) {
        counted.submitWrite(buffer, count: bytes, at: offset, completion: completion)
    }

    func write(_ buffer: AlignedBuffer, count bytes: Int, at offset: UInt64) throws(FileError) {
        try counted.write(buffer, count: bytes, at: offset)
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) { try counted.prewrite(range) }
    func synchronize() throws(FileError) { try counted.synchronize() }
    func truncate(to size: UInt64) throws(FileError) { try counted.truncate(to: size) }
    func status() throws(FileError) -> FileStatus { try counted.status() }
    func close() throws(FileError) { try counted.close() }
}
