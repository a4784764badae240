import FileIO
import Synchronization

/// What went through a ``CountingFileSystem``.
final class Traffic: Sendable {
    private let groupCount = Atomic<Int>(0)
    private let groupByteCount = Atomic<Int>(0)
    private let otherByteCount = Atomic<Int>(0)

    struct Reading: Equatable {
        /// Durable writes: one for each group of the log.
        var groups: Int
        var groupBytes: Int
        /// Everything else that was written: pre-written zeros, identities, checkpoints.
        var otherBytes: Int

        static func - (left: Self, right: Self) -> Self {
            Reading(
                groups: left.groups - right.groups, groupBytes: left.groupBytes - right.groupBytes,
                otherBytes: left.otherBytes - right.otherBytes)
        }
    }

    var reading: Reading {
        Reading(
            groups: groupCount.load(ordering: .relaxed), groupBytes: groupByteCount.load(ordering: .relaxed),
            otherBytes: otherByteCount.load(ordering: .relaxed))
    }

    fileprivate func countGroup(_ bytes: Int) {
        groupCount.add(1, ordering: .relaxed)
        groupByteCount.add(bytes, ordering: .relaxed)
    }

    fileprivate func countOther(_ bytes: Int) { otherByteCount.add(bytes, ordering: .relaxed) }
}

/// A file system that counts what is written through it: so the benchmark knows what the log really wrote without
/// asking the log.
final class CountingFileSystem: FileSystem {
    let traffic = Traffic()
    private let inner: any FileSystem

    init(_ inner: any FileSystem) { self.inner = inner }

    func makeDirectory(at path: String) throws(FileError) { try inner.makeDirectory(at: path) }

    func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        CountingDirectory(try inner.openDirectory(at: path), traffic)
    }
}

private final class CountingDirectory: StorageDirectory {
    private let inner: any StorageDirectory
    private let traffic: Traffic

    init(_ inner: any StorageDirectory, _ traffic: Traffic) {
        self.inner = inner
        self.traffic = traffic
    }

    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        CountingFile(try inner.open(name, for: access), traffic)
    }

    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        CountingFile(try inner.create(name, method: method), traffic)
    }

    var path: String { inner.path }
    func tryLock() throws(FileError) -> Bool { try inner.tryLock() }
    func list() throws(FileError) -> [String] { try inner.list() }
    func status(of name: String) throws(FileError) -> FileStatus? { try inner.status(of: name) }
    func rename(_ oldName: String, to newName: String) throws(FileError) { try inner.rename(oldName, to: newName) }
    func unlink(_ name: String) throws(FileError) { try inner.unlink(name) }
    func synchronize() throws(FileError) { try inner.synchronize() }
    func volume() throws(FileError) -> VolumeStatus { try inner.volume() }
    func close() { inner.close() }
}

private final class CountingFile: StorageFile {
    private let inner: any StorageFile
    private let traffic: Traffic

    init(_ inner: any StorageFile, _ traffic: Traffic) {
        self.inner = inner
        self.traffic = traffic
    }

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) {
        traffic.countGroup(count)
        inner.submitWrite(buffer, count: count, at: offset, completion: completion)
    }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
        traffic.countOther(count)
        try inner.write(buffer, count: count, at: offset)
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        traffic.countOther(Int(range.upperBound - range.lowerBound))
        try inner.prewrite(range)
    }

    var name: String { inner.name }
    var writeMethod: WriteMethod { inner.writeMethod }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        try inner.read(into: buffer, at: bufferOffset, count: count, from: offset, source: source)
    }

    func synchronize() throws(FileError) { try inner.synchronize() }
    func truncate(to size: UInt64) throws(FileError) { try inner.truncate(to: size) }
    func status() throws(FileError) -> FileStatus { try inner.status() }
    func close() throws(FileError) { try inner.close() }
}
