import FileIO
import Glibc

/// A directory of this process's own under the one that is measured; removed with what is in it.
struct Workplace {
    let fileSystem = LinuxFileSystem()
    let directory: any StorageDirectory
    let volume: VolumeStatus
    /// For the log, which wants a directory of its own.
    let logPath: String

    /// What pre-written files have, and so how far writes go before they begin again at the front.
    static let fileBytes: UInt64 = 256 << 20

    /// `parent` must exist: a mistyped path is not to be made, nor the wrong disk measured.
    init(under parent: String) throws {
        try fileSystem.openDirectory(at: parent).close()
        let path = "\(parent)/walbench-\(getpid())"
        try fileSystem.makeDirectory(at: path)
        directory = try fileSystem.openDirectory(at: path)
        volume = try directory.volume()
        logPath = "\(path)/log"
    }

    /// A file whose blocks are written already, for one method; nil when the file system does not have the method.
    func makePrewrittenFile(_ name: String, _ method: WriteMethod) throws(FileError) -> (any StorageFile)? {
        guard let file = try makeFile(name, method) else { return nil }
        try file.prewrite(0..<Self.fileBytes)
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

    /// Removes everything, as far as it can.
    func remove() {
        if let inner = try? fileSystem.openDirectory(at: logPath) { Self.empty(inner) }
        _ = unsafe rmdir(logPath)
        let path = directory.path
        Self.empty(directory)
        _ = unsafe rmdir(path)
    }

    private static func empty(_ directory: any StorageDirectory) {
        for name in (try? directory.list()) ?? [] { try? directory.unlink(name) }
        directory.close()
    }
}
