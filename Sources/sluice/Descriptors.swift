import Glibc

enum Descriptors {
    /// Makes sure that 0, 1 and 2 are taken. If one of them were free, the next file opened would get its number: the
    /// channel's own segment would be read as standard input, or an acknowledgement written into it. A descriptor that
    /// was closed stays useless: it is opened the wrong way round.
    static func reserveStandardOnes() {
        for (number, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)] {
            guard fcntl(number, F_GETFD) == -1 else { continue }
            // The lowest free number is this one, since those below it are taken by now.
            _ = unsafe open("/dev/null", mode)
        }
    }

    /// Waits until one of two descriptors has something to read, or its other end has gone.
    ///
    /// - Parameter timeout: in milliseconds; -1 for ever.
    /// - Returns: which of the two; both false when time ran out.
    static func waitForInput(_ first: Int32, or second: Int32, timeout: Int32) -> (first: Bool, second: Bool) {
        var polled = [
            pollfd(fd: first, events: Int16(POLLIN), revents: 0), pollfd(fd: second, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let count = unsafe poll(&polled, 2, timeout)
            if count == -1 && errno == EINTR { continue }
            return (polled[0].revents != 0, polled[1].revents != 0)
        }
    }

    /// Waits until a descriptor takes more, or its other end has gone. Once `wish` has something to read, for no longer
    /// than `patience` milliseconds; false then.
    static func waitForRoom(_ descriptor: Int32, or wish: Int32, patience: Int32) -> Bool {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: wish, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let isWished = polled[1].revents != 0
            let count = unsafe poll(&polled, isWished ? 1 : 2, isWished ? patience : -1)
            if polled[0].revents != 0 { return true }
            if count == 0 { return false }
        }
    }
}
