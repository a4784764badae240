import Glibc

/// Standard output, in large pieces. Whoever reads it may go away: then the command ends, quietly.
final class StandardOutput {
    struct Failure: Error {}

    private var bytes: [UInt8] = []
    private static let most = 64 << 10

    func write(_ text: String) throws(Failure) {
        bytes += text.utf8
        if bytes.count >= Self.most { try flush() }
    }

    func write(_ more: [UInt8]) throws(Failure) {
        bytes += more
        if bytes.count >= Self.most { try flush() }
    }

    func flush() throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE { exit(ExitStatus.done) }
            guard count > 0 else { throw Failure() }
            rest = rest.dropFirst(count)
        }
        bytes.removeAll(keepingCapacity: true)
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
