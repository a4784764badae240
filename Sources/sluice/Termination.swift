import Glibc
import Synchronization

/// The wish of the user or the system that this process ends.
///
/// SIGTERM and SIGINT set a flag and write to a pipe, which wakes whoever waits for input. The second one of a kind
/// finds the default action again and kills.
enum Termination {
    private static let requested = Atomic<Bool>(false)
    private static let pipeEnds = Atomic<UInt64>(0)

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Has something to read once the end is wished for; never read from.
    static var descriptor: Int32 { Int32(truncatingIfNeeded: pipeEnds.load(ordering: .relaxed) >> 32) }

    /// From here on the two signals are wishes. A closed pipe and a file size limit become errors of `write` and
    /// signals no more.
    static func arm() {
        var ends: [Int32] = [-1, -1]
        if unsafe pipe(&ends) == 0 {
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
            pipeEnds.store(UInt64(ends[0]) << 32 | UInt64(ends[1]), ordering: .relaxed)
        }
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = noteSignal
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | Int32(SA_RESTART)
        for number in [SIGTERM, SIGINT] {
            var former = sigaction()
            unsafe sigaction(number, nil, &former)
            // Whoever started this with the signal ignored (nohup, a shell's background job) means it.
            if isIgnored(former) { continue }
            unsafe sigaction(number, &action, nil)
        }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
    }

    private static func isIgnored(_ action: sigaction) -> Bool {
        let handler = unsafe action.__sigaction_handler.sa_handler
        // Two function pointers cannot be compared otherwise.
        return unsafe (unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self))
    }

    fileprivate static func request() {
        // The code that is interrupted may be about to read the number of its own error.
        let former = errno
        defer { errno = former }
        requested.store(true, ordering: .relaxed)
        let byte: [UInt8] = [1]
        let end = Int32(truncatingIfNeeded: pipeEnds.load(ordering: .relaxed) & 0xFFFF_FFFF)
        _ = unsafe write(end, byte, 1)
    }
}

/// A function of the file and no closure: it runs on whatever thread the signal meets.
private func noteSignal(_ number: Int32) { Termination.request() }
