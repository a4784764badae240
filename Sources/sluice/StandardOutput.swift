import DurableChannel
import Glibc
import LineTransfer

/// Standard output, unbuffered: when a call returns, `write` has returned for every byte.
///
/// Not through the seam of `FileIO`: that one is for files that are synced and written at offsets, and this may be a
/// pipe, a terminal, or a file that a shell opened for appending.
final class StandardOutput: LineOutput, @unchecked Sendable {
    private let lock = Lock()
    private let isFile: Bool

    /// How long a reader that takes nothing is waited for once the end is wished for.
    private static let patienceMilliseconds: Int32 = 500
    /// What a pipe takes without blocking when it says that it takes something.
    private static let pieceBytes = 4096

    init() {
        var status = stat()
        isFile = unsafe fstat(STDOUT_FILENO, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    func write(_ buffer: AlignedBuffer, count: Int) throws(LineTransferError) {
        try writeAll(buffer.bytes.extracting(0..<count))
    }

    func write(_ bytes: [UInt8]) throws(LineTransferError) {
        try writeAll(unsafe bytes.span.bytes)
    }

    /// Nobody can make safe what a pipe has: the take is committed when it was written.
    func prepareCommit() throws(LineTransferError) -> Bookmark? { nil }

    /// Lines of several threads do not mix.
    private func writeAll(_ bytes: RawSpan) throws(LineTransferError) {
        lock.lock()
        defer { lock.unlock() }
        var done = 0
        while done < bytes.byteCount {
            var length = bytes.byteCount - done
            if !isFile {
                guard
                    Descriptors.waitForRoom(
                        STDOUT_FILENO, or: Termination.descriptor, patience: Self.patienceMilliseconds)
                else { throw LineTransferError(.stopped, "standard output takes nothing, and the end was wished for") }
                length = min(length, Self.pieceBytes)
            }
            let (count, number) = unsafe bytes.extracting(done..<done + length).withUnsafeBytes { piece in
                // The number at once, before code of the runtime may change it.
                unsafe (Glibc.write(STDOUT_FILENO, piece.baseAddress, piece.count), errno)
            }
            if count >= 0 {
                done += count
            } else if number == EPIPE {
                throw LineTransferError(.outputClosed, "nobody reads standard output any more")
            } else if number != EINTR && number != EAGAIN {
                throw LineTransferError("writing", FileError(.write, path: "standard output", errno: number))
            }
        }
    }
}
