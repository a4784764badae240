import DurableChannel
import Glibc
import LineTransfer

/// Standard input. Not through the seam of `FileIO`: a pipe has no offsets, and waiting for it must end when a signal
/// comes.
struct StandardInput {
    enum Readiness {
        case ready
        /// Nothing came in time.
        case idle
        /// The end was wished for.
        case stop
    }

    /// - Parameter timeout: in milliseconds; -1 for ever.
    func wait(timeout: Int32) -> Readiness {
        let (isReady, isWished) = Descriptors.waitForInput(STDIN_FILENO, or: Termination.descriptor, timeout: timeout)
        if isWished { return .stop }
        return isReady ? .ready : .idle
    }

    /// Reads what is there, up to `count` bytes; 0 at the end.
    func read(into buffer: AlignedBuffer, at place: Int, count: Int) throws(LineTransferError) -> Int {
        while true {
            let (got, number) = buffer.withMutableBytes { bytes in
                unsafe bytes.withUnsafeMutableBytes { bytes in
                    // The number at once, before code of the runtime may change it.
                    unsafe (Glibc.read(STDIN_FILENO, bytes.baseAddress! + place, count), errno)
                }
            }
            if got >= 0 { return got }
            if number == EINTR { continue }
            guard number == EAGAIN else {
                throw LineTransferError("reading the lines", FileError(.read, path: "standard input", errno: number))
            }
            // It was made non-blocking by whoever shares it, and somebody else took what was there.
            usleep(1000)
        }
    }
}
