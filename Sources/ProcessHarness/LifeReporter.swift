internal import FileIO
internal import Glibc

/// Writes ``LifeMessage``s to a descriptor, one thread at a time, each with one call as far as the pipe takes it.
final class LifeReporter: Sendable {
    private let descriptor: Int32
    private let lock = Lock()

    init(descriptor: Int32) { self.descriptor = descriptor }

    func report(_ message: LifeMessage) { report { message } }

    /// `make` is called in the order of the lines: what it counts is numbered as the watcher reads it.
    func report(_ make: () -> LifeMessage) {
        lock.withLock { write(Array("\(make().line)\n".utf8)) }
    }

    /// Without somebody who reads, nothing that is said counts, and nothing more is done.
    private func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { exit(74) }
            rest = rest.dropFirst(count)
        }
    }
}
