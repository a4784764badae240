import FileIO
import Glibc

/// A directory of this process's own under the one that is measured; removed with what is in it.
struct Workplace {
    let fileSystem = LinuxFileSystem()
    let directory: any StorageDirectory
    let volume: VolumeStatus

    /// What pre-written files have, and so how far writes go before they begin again at the front.
    static let fileBytes: UInt64 = 128 << 20

    /// `parent` must exist: a mistyped path is not to be made, nor the wrong disk measured.
    init(under parent: String) throws {
        try fileSystem.openDirectory(at: parent).close()
        let path = "\(parent)/walbench-\(getpid())"
        try fileSystem.makeDirectory(at: path)
        directory = try fileSystem.openDirectory(at: path)
        volume = try directory.volume()
    }

    /// For an engine, which wants a directory of its own.
    func path(_ name: String) -> String { "\(directory.path)/\(name)" }

    /// A file whose blocks are written already, for the best method that the file system has.
    func makeBestPrewrittenFile(
        _ name: String, bytes: UInt64 = fileBytes
    ) throws(FileError) -> any StorageFile {
        for method in WriteMethod.allCases {
            if let file = try makePrewrittenFile(name, method, bytes: bytes) { return file }
        }
        throw FileError(.create, path: directory.path, errno: 0, reason: .unsupported)
    }

    /// A file whose blocks are written already, for one method; nil when the file system does not have the method.
    func makePrewrittenFile(
        _ name: String, _ method: WriteMethod, bytes: UInt64 = fileBytes
    ) throws(FileError) -> (any StorageFile)? {
        guard let file = try makeFile(name, method) else { return nil }
        try file.prewrite(0..<bytes)
        try file.synchronize()
        return file
    }

    func makeFile(_ name: String, _ method: WriteMethod) throws(FileError) -> (any StorageFile)? {
        do throws(FileError) {
            let file = try directory.create(name, method: method)
            try directory.synchronize()
            return file
        } catch {
            if error.reason == .unsupported { return nil }
            throw error
        }
    }

    func roundedToBlock(_ bytes: Int) -> Int {
        (bytes + volume.logicalBlockBytes - 1) / volume.logicalBlockBytes * volume.logicalBlockBytes
    }

    /// Removes what is in it, for the next measurement.
    func empty() throws(FileError) { empty(try fileSystem.openDirectory(at: directory.path)) }

    /// Removes everything, as far as it can.
    func remove() {
        let path = directory.path
        empty(directory)
        _ = unsafe rmdir(path)
    }

    /// Removes what an engine left in its directory.
    func remove(_ name: String) {
        guard let inner = try? fileSystem.openDirectory(at: path(name)) else { return }
        empty(inner)
        _ = unsafe rmdir(path(name))
    }

    private func empty(_ directory: any StorageDirectory) {
        for name in (try? directory.list()) ?? [] {
            if case .directory? = try? directory.status(of: name)?.kind { remove(name) }
            try? directory.unlink(name)
        }
        directory.close()
    }
}
