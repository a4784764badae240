import Glibc

/// Something could not be measured: what, where, and why.
struct BenchmarkError: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// All bytes of a file, also of one under /proc that does not say how long it is. Links are followed.
func contents(ofFile path: String) throws(BenchmarkError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("cannot be opened", path) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
        let count = unsafe read(descriptor, &piece, piece.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw failure("cannot be read", path) }
        if count == 0 { return bytes }
        bytes += piece[..<count]
    }
}

/// Makes or replaces a file.
func write(_ text: String, to path: String) throws(BenchmarkError) {
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure("cannot be written", path) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
        let count = unsafe bytes[written...].withUnsafeBytes {
            unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw failure("cannot be written", path) }
        written += count
    }
}

func text(ofFile path: String) -> String? {
    (try? contents(ofFile: path)).map { String(decoding: $0, as: UTF8.self) }
}

private func failure(_ what: String, _ path: String) -> BenchmarkError {
    BenchmarkError("\(path) \(what): \(unsafe String(cString: strerror(errno)))")
}
