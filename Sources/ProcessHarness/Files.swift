internal import Glibc

/// The names in a directory, in no order; none when it cannot be read.
func names(in path: String) -> [String] {
    guard let directory = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

/// A file or directory, and all that is in it.
func remove(_ path: String) {
    if unsafe unlink(path) == 0 { return }
    for name in names(in: path) { remove("\(path)/\(name)") }
    unsafe rmdir(path)
}

/// The text of a short file; empty when it cannot be read.
func contents(ofFile path: String) -> String {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = unsafe read(file, &piece, piece.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += piece[..<count]
    }
}

/// False when it cannot be written.
func write(_ text: String, toFile path: String) -> Bool { write(Array(text.utf8), toFile: path) }

func write(_ bytes: [UInt8], toFile path: String) -> Bool {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    defer { if file >= 0 { close(file) } }
    guard file >= 0 else { return false }
    return unsafe Glibc.write(file, bytes, bytes.count) == bytes.count
}

/// A directory and the files in it, two levels deep at most; what stood there before must be gone.
func copy(_ path: String, to copy: String) {
    unsafe mkdir(copy, 0o700)
    for name in names(in: path) {
        let file = unsafe open("\(path)/\(name)", O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        var status = stat()
        guard file >= 0, unsafe fstat(file, &status) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR {
            ProcessHarness.copy("\(path)/\(name)", to: "\(copy)/\(name)")
        } else {
            copyBytes(file, to: "\(copy)/\(name)")
        }
    }
}

private func copyBytes(_ file: Int32, to path: String) {
    let other = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard other >= 0 else { return }
    defer { close(other) }
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
        let count = unsafe read(file, &piece, piece.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        _ = unsafe write(other, piece, count)
    }
}
