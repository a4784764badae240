package import FileIO

/// A directory that can be read and nothing else: what is asked of it that would change anything, fails; syncs do nothing, so
/// that whoever writes there is not disturbed, and a mount that is read-only serves as well.
package final class ReadOnlyDirectory: StorageDirectory {
    package let path: String
    private let directory: any StorageDirectory
    private let source: ReadSource

    /// - Parameter source: where all reads are answered from, whatever their callers ask for. `cache` shares what a running process
    ///   reads and writes; `device` shows what the disk has.
    package init(_ directory: any StorageDirectory, source: ReadSource = .cache) {
        self.directory = directory
        self.source = source
        path = directory.path
    }

    private func refuse(_ operation: FileError.Operation, _ name: String) -> FileError {
        FileError(operation, path: "\(path)/\(name) (opened for looking only)", errno: 0, reason: .notPermitted)
    }

    package func tryLock() throws(FileError) -> Bool { throw refuse(.lock, "") }
    package func list() throws(FileError) -> [String] { try directory.list() }
    package func status(of name: String) throws(FileError) -> FileStatus? { try directory.status(of: name) }

    package func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        guard access == .reading else { throw refuse(.open, name) }
        return ReadOnlyFile(try directory.open(name, for: .reading), source: source)
    }

    package func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        throw refuse(.create, name)
    }
    package func rename(_ oldName: String, to newName: String) throws(FileError) { throw refuse(.rename, oldName) }
    package func unlink(_ name: String) throws(FileError) { throw refuse(.unlink, name) }
    package func synchronize() throws(FileError) {}
    package var failedSynchronizations: Int { 0 }
    package func volume() throws(FileError) -> VolumeStatus { try directory.volume() }
    package func close() { directory.close() }
}

/// A file of it.
private final class ReadOnlyFile: StorageFile {
    private let file: any StorageFile
    private let source: ReadSource

    init(_ file: any StorageFile, source: ReadSource) {
        self.file = file
        self.source = source
    }

    private func refuse(_ operation: FileError.Operation) -> FileError {
        FileError(operation, path: "\(file.name) (opened for looking only)", errno: 0, reason: .notPermitted)
    }

    var name: String { file.name }
    var writeMethod: WriteMethod { file.writeMethod }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source _: ReadSource
    ) throws(FileError) -> Int {
        try file.read(into: buffer, at: bufferOffset, count: count, from: offset, source: source)
    }

    func prefetch(_ range: Range<UInt64>) { file.prefetch(range) }

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) { completion(refuse(.write)) }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) { throw refuse(.write) }
    func synchronize() throws(FileError) {}
    func truncate(to size: UInt64) throws(FileError) { throw refuse(.truncate) }
    func prewrite(_ range: Range<UInt64>) throws(FileError) { throw refuse(.prewrite) }
    func status() throws(FileError) -> FileStatus { try file.status() }
    func close() throws(FileError) { try file.close() }
}
