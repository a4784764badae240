public import FileIO
internal import Glibc
public import Synchronization

/// A file system that counts the calls that go through it, and the bytes that are read and written. The sync of a directory
/// can take long.
public final class CountingFileSystem: FileSystem {
    public final class Counts: @unchecked Sendable {
        fileprivate let made = Atomic<Int>(0)
        fileprivate let read = Atomic<Int>(0)
        fileprivate let written = Atomic<Int>(0)
        private let lock = Lock()
        private var asked: [String: [Prefetch]] = [:]
        public let directorySyncMicroseconds = Atomic<UInt32>(0)

        public var calls: Int { made.load(ordering: .relaxed) }
        public var bytesRead: Int { read.load(ordering: .relaxed) }
        /// Those written beforehand, too.
        public var bytesWritten: Int { written.load(ordering: .relaxed) }
        /// Of each file, by its name, in the order of asking.
        public var prefetched: [String: [Prefetch]] { lock.withLock { asked } }

        fileprivate func prefetch(_ range: Range<UInt64>, of name: String) {
            lock.withLock { asked[name, default: []].append(Prefetch(range: range, bytesReadBefore: bytesRead)) }
        }
    }

    public struct Prefetch: Sendable {
        public var range: Range<UInt64>
        /// Of all files.
        public var bytesReadBefore: Int
    }

    public let counts = Counts()
    private let inner: any FileSystem

    public init(_ inner: any FileSystem) { self.inner = inner }

    private var counted: any FileSystem {
        counts.made.add(1, ordering: .relaxed)
        return inner
    }

    public func makeDirectory(at path: String) throws(FileError) { try counted.makeDirectory(at: path) }
    public func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        CountedDirectory(try counted.openDirectory(at: path), counts)
    }
}

private final class CountedDirectory: StorageDirectory {
    private let inner: any StorageDirectory
    private let counts: CountingFileSystem.Counts

    init(_ inner: any StorageDirectory, _ counts: CountingFileSystem.Counts) {
        self.inner = inner
        self.counts = counts
    }

    private var counted: any StorageDirectory {
        counts.made.add(1, ordering: .relaxed)
        return inner
    }

    var path: String { inner.path }
    func tryLock() throws(FileError) -> Bool { try counted.tryLock() }
    func list() throws(FileError) -> [String] { try counted.list() }
    func status(of name: String) throws(FileError) -> FileStatus? { try counted.status(of: name) }
    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        CountedFile(try counted.open(name, for: access), counts)
    }
    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        CountedFile(try counted.create(name, method: method), counts)
    }
    func rename(_ oldName: String, to newName: String) throws(FileError) { try counted.rename(oldName, to: newName) }
    func unlink(_ name: String) throws(FileError) { try counted.unlink(name) }
    func synchronize() throws(FileError) {
        usleep(counts.directorySyncMicroseconds.load(ordering: .relaxed))
        try counted.synchronize()
    }
    var failedSynchronizations: Int { inner.failedSynchronizations }
    func volume() throws(FileError) -> VolumeStatus { try counted.volume() }
    func close() { inner.close() }
}

private final class CountedFile: StorageFile {
    private let inner: any StorageFile
    private let counts: CountingFileSystem.Counts

    init(_ inner: any StorageFile, _ counts: CountingFileSystem.Counts) {
        self.inner = inner
        self.counts = counts
    }

    private var counted: any StorageFile {
        counts.made.add(1, ordering: .relaxed)
        return inner
    }

    var name: String { inner.name }
    var writeMethod: WriteMethod { inner.writeMethod }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count bytes: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        let got = try counted.read(into: buffer, at: bufferOffset, count: bytes, from: offset, source: source)
        counts.read.add(got, ordering: .relaxed)
        return got
    }

    func submitWrite(
        _ buffer: AlignedBuffer, count bytes: Int, at offset: UInt64,
        completion: @escaping @Sendable (FileError?) -> Void
    ) {
        counts.written.add(bytes, ordering: .relaxed)
        counted.submitWrite(buffer, count: bytes, at: offset, completion: completion)
    }

    func write(_ buffer: AlignedBuffer, count bytes: Int, at offset: UInt64) throws(FileError) {
        counts.written.add(bytes, ordering: .relaxed)
        try counted.write(buffer, count: bytes, at: offset)
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        counts.written.add(range.count, ordering: .relaxed)
        try counted.prewrite(range)
    }

    func prefetch(_ range: Range<UInt64>) {
        counts.prefetch(range, of: name)
        counted.prefetch(range)
    }
    func synchronize() throws(FileError) { try counted.synchronize() }
    func truncate(to size: UInt64) throws(FileError) { try counted.truncate(to: size) }
    func status() throws(FileError) -> FileStatus { try counted.status() }
    func close() throws(FileError) { try counted.close() }
}
