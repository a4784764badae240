import FileIO
import Glibc
import SimulatedFileIO
import Testing

/// The two implementations of the seam, each with an empty directory to work in.
enum Kind: String, CaseIterable, Sendable {
    case linux, simulated
}

final class World {
    let kind: Kind
    let fileSystem: any FileSystem
    let runtime: any Runtime
    /// An empty directory of this world alone.
    let root: String
    let disk: SimulatedDisk?
    private let simulated: SimulatedRuntime?

    init(_ kind: Kind, parent: String? = nil) throws {
        self.kind = kind
        switch kind {
        case .linux:
            root = try makeTemporaryDirectory(in: parent)
            fileSystem = LinuxFileSystem()
            runtime = SystemRuntime()
            (disk, simulated) = (nil, nil)
        case .simulated:
            root = "/disk"
            let (disk, runtime) = (SimulatedDisk(), SimulatedRuntime(seed: 1))
            fileSystem = SimulatedFileSystem(disk: disk, runtime: runtime)
            try fileSystem.makeDirectory(at: root)
            (self.runtime, self.disk, self.simulated) = (runtime, disk, runtime)
        }
    }

    deinit {
        if kind == .linux { removeTree(root) }
    }

    func directory() throws -> any StorageDirectory {
        try fileSystem.openDirectory(at: root)
    }

    /// Lets writes in flight complete.
    func settle() {
        simulated?.runUntilIdle()
    }

    func plant(_ kind: FileStatus.Kind, _ name: String) {
        let path = "\(root)/\(name)"
        if let disk {
            disk.plant(kind, at: path)
            return
        }
        let done: Int32 =
            switch kind {
            case .regular: unsafe creat(path, 0o600)
            case .directory: unsafe mkdir(path, 0o700)
            case .symbolicLink: unsafe symlink("target", path)
            case .other: unsafe mkfifo(path, 0o600)
            }
        #expect(done >= 0)
        if kind == .regular { _ = Glibc.close(done) }
    }
}

func makeTemporaryDirectory(in parent: String? = nil) throws -> String {
    let chosen = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    var template = Array("\(parent ?? chosen)/sluice-test-XXXXXX".utf8CString)
    let made = unsafe mkdtemp(&template) != nil
    try #require(made)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func removeTree(_ path: String) {
    guard let directory = try? LinuxFileSystem().openDirectory(at: path) else {
        _ = unsafe unlink(path)
        return
    }
    for name in (try? directory.list()) ?? [] { removeTree("\(path)/\(name)") }
    directory.close()
    _ = unsafe rmdir(path)
}

extension AlignedBuffer {
    /// A buffer that begins with these bytes.
    convenience init(_ bytes: [UInt8]) {
        self.init(byteCount: bytes.count)
        copy(from: bytes, at: 0)
    }

    func array(_ count: Int) -> [UInt8] {
        (0..<count).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }
}

extension StorageFile {
    func put(_ bytes: [UInt8], at offset: UInt64 = 0) throws {
        try write(AlignedBuffer(bytes), count: bytes.count, at: offset)
    }

    func bytes(_ count: Int, at offset: UInt64 = 0, source: ReadSource = .cache) throws -> [UInt8] {
        let buffer = AlignedBuffer(byteCount: max(1, count))
        return buffer.array(try read(into: buffer, at: 0, count: count, from: offset, source: source))
    }
}

/// Bytes that differ from place to place and from seed to seed.
func pattern(_ count: Int, seed: UInt8 = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) &+ seed }
}

/// The error of a call that must fail.
func failure(_ body: () throws -> Void) -> FileError? {
    do {
        try body()
    } catch {
        return error as? FileError
    }
    return nil
}

/// A place for the outcomes of completions, which may come from any thread.
final class Outcomes: @unchecked Sendable {
    private let lock = Lock()
    private var errors: [FileError?] = []

    func add(_ error: FileError?) {
        lock.withLock { errors.append(error) }
    }

    var all: [FileError?] { lock.withLock { errors } }
    var count: Int { all.count }
    var failures: [FileError] { all.compactMap { $0 } }
}
