import FileIO

/// A file system that counts what goes through it: so the benchmark knows what an engine really wrote and read without
/// asking the engine.
final class CountingFileSystem: FileSystem {
    let traffic = Traffic()
    private let inner: any FileSystem

    init(_ inner: any FileSystem) { self.inner = inner }

    func makeDirectory(at path: String) throws(FileError) { try counted.makeDirectory(at: path) }

    func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        CountingDirectory(try counted.openDirectory(at: path), traffic)
    }

    private var counted: any FileSystem {
        traffic.countCall()
        return inner
    }
}

private final class CountingDirectory: StorageDirectory {
    private let inner: any StorageDirectory
    private let traffic: Traffic

    init(_ inner: any StorageDirectory, _ traffic: Traffic) {
        self.inner = inner
        self.traffic = traffic
    }

    private var counted: any StorageDirectory {
        traffic.countCall()
        return inner
    }

    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        CountingFile(try counted.open(name, for: access), traffic)
    }

    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        CountingFile(try counted.create(name, method: method), traffic)
    }

    var path: String { inner.path }
    func tryLock() throws(FileError) -> Bool { try counted.tryLock() }
    func list() throws(FileError) -> [String] { try counted.list() }
    func status(of name: String) throws(FileError) -> FileStatus? { try counted.status(of: name) }
    func rename(_ oldName: String, to newName: String) throws(FileError) { try counted.rename(oldName, to: newName) }
    func unlink(_ name: String) throws(FileError) { try counted.unlink(name) }
    func synchronize() throws(FileError) { try counted.synchronize() }
    var failedSynchronizations: Int { inner.failedSynchronizations }
    func volume() throws(FileError) -> VolumeStatus { try counted.volume() }
    func close() { counted.close() }
}

private final class CountingFile: StorageFile {
    private let inner: any StorageFile
    private let traffic: Traffic

    init(_ inner: any StorageFile, _ traffic: Traffic) {
        self.inner = inner
        self.traffic = traffic
    }

    private var counted: any StorageFile {
        traffic.countCall()
        return inner
    }

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) {
        traffic.countGroup(count)
        counted.submitWrite(buffer, count: count, at: offset, completion: completion)
    }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
        traffic.countOther(count)
        try counted.write(buffer, count: count, at: offset)
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        traffic.countOther(Int(range.upperBound - range.lowerBound))
        try counted.prewrite(range)
    }

    var name: String { inner.name }
    var writeMethod: WriteMethod { inner.writeMethod }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        let got = try counted.read(into: buffer, at: bufferOffset, count: count, from: offset, source: source)
        traffic.countRead(got)
        return got
    }

    func prefetch(_ range: Range<UInt64>) { counted.prefetch(range) }
    func synchronize() throws(FileError) { try counted.synchronize() }
    func truncate(to size: UInt64) throws(FileError) { try counted.truncate(to: size) }
    func status() throws(FileError) -> FileStatus { try counted.status() }
    func close() throws(FileError) { try counted.close() }
}
