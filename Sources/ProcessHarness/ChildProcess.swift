internal import FileIO
internal import Glibc

/// Another program, or this one once more, with its standard output on a pipe. Used by one thread.
package final class ChildProcess {
    package enum End: Equatable, Sendable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        package var description: String {
            switch self {
            case .code(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    /// What can be read.
    package enum Reading {
        case bytes([UInt8])
        /// The other end was closed, by an exit or a kill.
        case end
        case tooLate
    }

    /// What a process must not have more of.
    package struct Limits: Sendable, Equatable {
        package var openFiles: UInt64?
        package var fileBytes: UInt64?

        package init(openFiles: UInt64? = nil, fileBytes: UInt64? = nil) {
            self.openFiles = openFiles
            self.fileBytes = fileBytes
        }

        /// Of this process, from here on. A file that would become too long is an error then, and no signal.
        package func apply() {
            signal(SIGXFSZ, SIG_IGN)
            Self.limit(RLIMIT_NOFILE, openFiles)
            Self.limit(RLIMIT_FSIZE, fileBytes)
        }

        private static func limit(_ resource: __rlimit_resource, _ value: UInt64?) {
            guard let value else { return }
            var limit = rlimit(rlim_cur: UInt(value), rlim_max: UInt(value))
            _ = unsafe setrlimit(__rlimit_resource_t(resource.rawValue), &limit)
        }
    }

    package let process: Int32
    private let output: Int32
    private var end: End?

    /// This program, for a process of this one.
    package static let itself = "/proc/self/exe"

    /// - Parameters:
    ///   - program: a path, or a name that is looked for in `PATH`.
    ///   - arguments: without the program's name.
    ///   - errors: a file for its standard error; nil for none.
    /// - Returns: nil when it cannot be started.
    package init?(_ program: String, _ arguments: [String], errors: String? = nil) {
        var ends: [Int32] = [0, 0]
        // Neither of the two for the processes of other threads.
        guard linuxPipe(&ends) else { return nil }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors ?? "/dev/null", flags, 0o600)
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        // A trap is told by its signal: nobody waits for its backtrace.
        let environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SWIFT_BACKTRACE=enable=no",
        ]
        let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (words + variables).forEach { word in unsafe free(word) } }
        var process: pid_t = 0
        let failure = unsafe posix_spawnp(&process, program, &actions, nil, words, variables)
        Glibc.close(ends[1])
        guard failure == 0 else {
            Glibc.close(ends[0])
            return nil
        }
        self.process = process
        output = ends[0]
    }

    deinit {
        if end == nil {
            send(SIGKILL)
            _ = wait()
        }
        close(output)
    }

    /// Runs a program to its end. nil when it cannot be started, or takes longer.
    package static func run(
        _ program: String, _ arguments: [String], errors: String? = nil, seconds: Double
    ) -> (end: End, output: String)? {
        guard let child = ChildProcess(program, arguments, errors: errors) else { return nil }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var bytes: [UInt8] = []
        while true {
            switch child.read(until: deadline) {
            case .bytes(let more): bytes += more
            case .end: return (child.wait(), String(decoding: bytes, as: UTF8.self))
            case .tooLate: return nil
            }
        }
    }

    package func send(_ signal: Int32) { if end == nil { kill(process, signal) } }

    /// Waits for something to read. What is there already is given even when the deadline is over.
    package func read(until deadline: ContinuousClock.Instant) -> Reading {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let left = (deadline - ContinuousClock.now) / .milliseconds(1)
            var polled = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&polled, 1, Int32(max(0, min(left.rounded(.up), 60_000))))
            if ready < 0, errno == EINTR { continue }
            if ready <= 0 {
                if left > 0 { continue }
                return .tooLate
            }
            let count = unsafe Glibc.read(output, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            return count > 0 ? .bytes(Array(piece[..<count])) : .end
        }
    }

    /// Blocks until it has stopped itself. False when it has ended instead.
    package func waitForStop() -> Bool {
        var status: Int32 = 0
        while unsafe waitpid(process, &status, WUNTRACED) < 0 { guard errno == EINTR else { return false } }
        if status & 0xFF == 0x7F { return true }
        note(status)
        return false
    }

    private func note(_ status: Int32) {
        end = status & 0x7F == 0 ? .code((status >> 8) & 0xFF) : .signal(status & 0x7F)
    }

    /// Blocks until it has ended.
    package func wait() -> End {
        if let end { return end }
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        note(status)
        return end!
    }
}

/// A pipe of which neither end is inherited.
private func linuxPipe(_ ends: inout [Int32]) -> Bool {
    // Between `pipe` and `fcntl` another thread's child could inherit an end, and keep the pipe open beyond its writer's life.
    forking.withLock {
        guard unsafe pipe(&ends) == 0 else { return false }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return true
    }
}

private let forking = Lock()
