import Glibc

/// This program once more, with other arguments; what it prints is read line by line.
final class ChildProcess {
    private let process: pid_t
    private let output: Int32
    private var unread: [UInt8] = []
    private var hasEnded = false

    init(_ arguments: [String]) throws(BenchmarkError) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw BenchmarkError("no pipe for a process of walbench, errno \(errno)") }
        output = ends[0]
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addclose(&actions, ends[0])
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addclose(&actions, ends[1])
        var pid: pid_t = 0
        let failure = unsafe withCStrings(["walbench"] + arguments) { arguments in
            unsafe withCStrings(Self.environment) { environment in
                unsafe posix_spawn(&pid, "/proc/self/exe", &actions, nil, arguments, environment)
            }
        }
        close(ends[1])
        process = pid
        guard failure == 0 else {
            close(ends[0])
            hasEnded = true
            throw BenchmarkError("a process of walbench cannot be started, errno \(failure)")
        }
    }

    deinit {
        kill()
        close(output)
    }

    /// The next line that it prints; an error when it ends before.
    func line() throws -> String {
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            let count = unsafe read(output, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                kill()
                if Interruption.isRequested { throw Interruption() }
                throw BenchmarkError("the process that was to be killed ended by itself; it said why")
            }
            unread += piece[..<count]
        }
    }

    /// SIGKILL, whatever it is doing. On return it is gone.
    func kill() {
        guard !hasEnded else { return }
        hasEnded = true
        _ = Glibc.kill(process, SIGKILL)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }

    private static var environment: [String] {
        (text(ofFile: "/proc/self/environ") ?? "").split(separator: "\0").map(String.init)
    }
}

/// As C wants them: pointers to strings, and nil at the end.
private func withCStrings<R>(_ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R)
    -> R
{
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe body(&pointers)
}
