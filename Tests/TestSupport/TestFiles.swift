internal import Glibc

/// Where the package is, found by the place of this file.
public enum TestFiles {
    public static let package: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        return parts.dropLast(3).joined(separator: "/")
    }()

    public static func read(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += buffer[..<count]
        }
    }

    public static func write(_ bytes: [UInt8], to path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes[written...].withUnsafeBytes { rest in
                unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    public static func text(_ path: String) -> String? {
        read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a directory, sorted, without those that begin with a dot.
    public static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// A new empty directory, which `body` may fill; it is removed afterwards with all that is in it.
    public static func withDirectory<Result>(
        in parent: String = "/tmp", _ body: (String) throws -> Result
    ) rethrows -> Result {
        var template = Array("\(parent)/sluice-test-XXXXXX".utf8CString)
        let path = unsafe mkdtemp(&template).map { name in unsafe String(cString: name) } ?? ""
        defer { remove(path) }
        return try body(path)
    }

    /// A file system of a few dozen MiB that a test may fill; nil when there is none.
    public static func smallVolume(_ name: String) -> String? {
        guard let parent = unsafe getenv("SLUICE_SMALL_VOLUMES") else { return nil }
        let path = unsafe String(cString: parent) + "/" + name
        return unsafe access(path, W_OK) == 0 ? path : nil
    }

    /// Writes a file until the disk takes no more; returns how long it became.
    public static func fillDisk(with path: String) -> Int {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 1, count: 4096)
        var length = 0
        while length < 1 << 30 {
            let count = unsafe Glibc.write(descriptor, block, block.count)
            guard count > 0 else { break }
            length += count
        }
        // With delayed allocation what the file got is known only now.
        fsync(descriptor)
        return length
    }

    /// A directory and all that is in it.
    private static func remove(_ path: String) {
        for name in names(in: path) where unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
