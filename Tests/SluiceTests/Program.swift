import Glibc
import Synchronization
import TestSupport

/// The real `sluice`, as a process of its own.
final class Program {
    /// How a process ended.
    struct End: Equatable {
        /// Nil when a signal ended it.
        var code: Int32?
        var signal: Int32?
    }

    /// A process that ran to its end, with what it wrote.
    struct Result {
        var end: End
        var output: [UInt8]
        var errors: String

        var code: Int32? { end.code }
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Where standard input comes from.
    enum Input {
        case bytes([UInt8])
        case file(String)
        /// ``send(_:)`` and ``endInput()``.
        case pipe
        case closed
    }

    static let path = BuiltProgram.path("sluice")

    let process: pid_t
    private let inputEnd: Int32
    private let outputEnd: Int32
    private let errorFile: String
    private var unread: [UInt8] = []

    private static let seconds = 120

    /// - Parameters:
    ///   - directory: for what it writes to standard error.
    ///   - closesOutput: standard output is closed.
    init(_ arguments: [String], in directory: String, input: Input = .bytes([]), closesOutput: Bool = false) {
        let errorFile = "\(directory)/errors-\(Self.started.add(1, ordering: .relaxed).newValue)"
        self.errorFile = errorFile
        let started = Self.spawning.withLock { _ in
            Self.start(arguments, input, errorFile, closesOutput: closesOutput)
        }
        (process, inputEnd, outputEnd) = started
    }

    /// One start at a time: between the making of a pipe and its mark no other child may get its ends.
    private static let spawning = Mutex(())
    private static let started = Atomic<Int>(0)

    private static func start(
        _ arguments: [String], _ input: Input, _ errorFile: String, closesOutput: Bool
    ) -> (process: pid_t, inputEnd: Int32, outputEnd: Int32) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let outputs = markedPipe()
        var inputs: [Int32] = []
        switch input {
        case .bytes(let bytes):
            let file = "\(errorFile)-input"
            _ = TestFiles.write(bytes, to: file)
            unsafe posix_spawn_file_actions_addopen(&actions, 0, file, O_RDONLY, 0)
        case .file(let file): unsafe posix_spawn_file_actions_addopen(&actions, 0, file, O_RDONLY, 0)
        case .pipe:
            inputs = markedPipe()
            unsafe posix_spawn_file_actions_adddup2(&actions, inputs[0], 0)
        case .closed: unsafe posix_spawn_file_actions_addclose(&actions, 0)
        }
        if closesOutput {
            unsafe posix_spawn_file_actions_addclose(&actions, 1)
        } else {
            unsafe posix_spawn_file_actions_adddup2(&actions, outputs[1], 1)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)

        let words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
        let environment = ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"]
        let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer { unsafe (words + variables).forEach { word in unsafe free(word) } }
        // The thread of a test may have signals blocked, which a child would inherit.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let failure = unsafe posix_spawn(&process, path, &actions, &attributes, words, variables)
        precondition(failure == 0, "\(path) cannot be started: \(failure)")
        close(outputs[1])
        if !inputs.isEmpty { close(inputs[0]) }
        return (process, inputs.last ?? -1, outputs[0])
    }

    /// A pipe that children do not inherit.
    private static func markedPipe() -> [Int32] {
        var ends: [Int32] = [-1, -1]
        let failure = unsafe pipe(&ends)
        precondition(failure == 0, "no pipe: \(errno)")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return ends
    }

    deinit {
        if inputEnd >= 0 && !hasEndedInput { close(inputEnd) }
        if !hasClosedOutput { close(outputEnd) }
    }

    // MARK: While it runs

    private var hasEndedInput = false
    private var hasClosedOutput = false

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(inputEnd, bytes, bytes.count)
    }

    func endInput() {
        hasEndedInput = true
        close(inputEnd)
    }

    /// Standard output loses its reader.
    func closeOutput() {
        hasClosedOutput = true
        close(outputEnd)
    }

    /// The next line of standard output without its newline; nil at its end, or when none comes.
    func line() -> String? {
        while true {
            if let newline = unread.firstIndex(of: 10) {
                defer { unread.removeFirst(newline + 1) }
                return String(decoding: unread[..<newline], as: UTF8.self)
            }
            guard fill() else { return nil }
        }
    }

    func signal(_ number: Int32) { kill(process, number) }

    /// How much of an input that is a file it has read.
    var inputPosition: Int {
        let words = (TestFiles.text("/proc/\(process)/fdinfo/0") ?? "").split { " \t\n".contains($0) }
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// What standard error has so far.
    var errors: String { TestFiles.text(errorFile) ?? "" }

    /// Waits for words on standard error.
    func waitForError(_ text: String) -> Bool {
        for _ in 0..<Self.seconds * 100 {
            if errors.contains(text) { return true }
            usleep(10_000)
        }
        return false
    }

    /// Waits for the end and reads everything. A process that takes too long is killed.
    func finish() -> Result {
        var output: [UInt8] = []
        if !hasClosedOutput {
            while fill() {}
            output = unread
        }
        return Result(end: waitForEnd(), output: output, errors: errors)
    }

    private func waitForEnd() -> End {
        var status: Int32 = 0
        for _ in 0..<Self.seconds * 1000 {
            let found = unsafe waitpid(process, &status, WNOHANG)
            if found == process {
                let signal = status & 0x7F
                return signal == 0 ? End(code: (status >> 8) & 0xFF) : End(signal: signal)
            }
            usleep(1000)
        }
        kill(process, SIGKILL)
        unsafe waitpid(process, &status, 0)
        return End(signal: -1)
    }

    private func fill() -> Bool {
        var polled = pollfd(fd: outputEnd, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&polled, 1, Int32(Self.seconds * 1000)) == 1 else { return false }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe read(outputEnd, &buffer, buffer.count)
        guard count > 0 else { return false }
        unread += buffer[..<count]
        return true
    }

    // MARK: All at once

    static func run(_ arguments: [String], in directory: String, input: [UInt8] = []) -> Result {
        Program(arguments, in: directory, input: .bytes(input)).finish()
    }
}

/// A directory, with a channel `ch` and other files in it.
struct Bench {
    let path: String

    static func with(_ body: (Bench) throws -> Void) rethrows {
        try TestFiles.withDirectory { path in
            unsafe mkdir("\(path)/work", 0o700)
            try body(Bench(path: path))
        }
    }

    var channel: String { "\(path)/ch" }

    /// A file beside the channel.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A small channel, unless the options say otherwise: a channel of the default size begins with 64 MiB of zeros.
    static func putOptions(_ options: [String]) -> [String] {
        options.contains { $0.hasPrefix("--capacity-bytes") } ? options : ["--capacity-bytes", "16MiB"] + options
    }

    func put(_ options: [String] = [], _ input: [UInt8] = []) -> Program.Result {
        Program.run(["put", channel] + Self.putOptions(options), in: "\(path)/work", input: input)
    }

    func take(_ options: [String] = []) -> Program.Result {
        Program.run(["take", channel] + options, in: "\(path)/work")
    }

    func startPut(_ options: [String], _ input: Program.Input = .bytes([]), closesOutput: Bool = false) -> Program {
        Program(
            ["put", channel] + Self.putOptions(options), in: "\(path)/work", input: input, closesOutput: closesOutput)
    }

    func startTake(_ options: [String], closesOutput: Bool = false) -> Program {
        Program(["take", channel] + options, in: "\(path)/work", closesOutput: closesOutput)
    }
}

/// Whether they are the same; without showing what differs, which takes minutes for a log.
func areSame(_ left: [UInt8]?, _ right: [UInt8]) -> Bool { left == right }

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Lines that differ, like those of a log.
func logLines(_ count: Int, width: Int = 120) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(count * (width + 20))
    for index in 0..<count {
        text += bytes("\(index) GET /some/page/\(index * 7919 % 100_003) ")
        for place in 0..<width { text.append(UInt8(97 + (index &* 31 &+ place &* 17) % 26)) }
        text.append(10)
    }
    return text
}
