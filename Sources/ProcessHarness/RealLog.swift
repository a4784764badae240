package import CrashHarness
internal import DurableChannel
internal import FileIO
internal import Glibc

/// A small log made by processes of its own on the real file system, with what they said (``EveryBitPromises``): the first one
/// lives its life and ends it, the second one closes the log, is killed when that is idle, or is killed under load.
package struct RealLog: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
        /// The log does not hold what was promised.
        package let isBrokenPromise: Bool

        init(_ description: String, isBrokenPromise: Bool = false) {
            self.description = description
            self.isBrokenPromise = isBrokenPromise
        }
    }

    package let end: EveryBitLog.End
    /// Where the log is.
    package let directory: String
    /// Where what the processes said is kept.
    private var linesPath: String { directory + ".lines" }

    package init(_ end: EveryBitLog.End, in parent: String) {
        self.end = end
        directory = "\(parent)/bits-\(end.rawValue)"
    }

    private static let writers = 3
    /// Puts in the killed life that are waited for.
    private static let putsBeforeKill = 22
    private static let seconds = 60.0

    // MARK: The process

    /// What the process does that was started for a life, 1 or 2. Returns false when it failed, which was said on standard error.
    package func live(_ life: Int) -> Bool {
        let voice = Voice(lastPut: life == 2 && end == .killed ? Self.putsBeforeKill : nil)
        let writer = EveryBitWriter(path: directory, fileSystem: LinuxFileSystem(), runtime: SystemRuntime()) {
            voice.say($0.text)
        }
        do throws(ChannelError) {
            switch (life, end) {
            case (1, _): try writer.firstLife()
            case (_, .closed):
                try writer.secondLife { channel throws(ChannelError) in
                    try channel.close()
                    voice.say(EveryBitPromises.Line.closed.text)
                }
            case (_, .idle):
                try writer.secondLife { _ in
                    voice.say(Self.idle)
                    while true { pause() }
                }
            case (_, .killed): try liveUnderLoad(writer)
            }
            return true
        } catch {
            let text = Array("\(error)\n".utf8)
            _ = unsafe write(STDERR_FILENO, text, text.count)
            return false
        }
    }

    private func liveUnderLoad(_ writer: EveryBitWriter) throws(ChannelError) {
        let channel = try writer.open()
        let failures = onThreads(Self.writers + 1) { client -> ChannelError? in
            do throws(ChannelError) {
                if client < Self.writers {
                    try writer.keepPutting(client + 1, on: channel)
                } else {
                    try writer.keepTaking(client + 1, on: channel)
                }
                return nil
            } catch { return error }
        }
        for case let failure? in failures { throw failure }
    }

    private static let idle = "idle"

    /// Writes lines to standard output, one thread at a time, each whole before anything else is done.
    private final class Voice: Sendable {
        private let lock = Lock()
        /// So many acknowledgements are said, and then nothing any more: the process dies with SIGKILL at once, before the groups
        /// that are on their way can vouch for the last ones. Under `lock`.
        private let left: Guarded

        private final class Guarded: @unchecked Sendable {
            var puts: Int?

            init(_ puts: Int?) { self.puts = puts }
        }

        init(lastPut: Int?) { left = Guarded(lastPut) }

        func say(_ line: String) {
            lock.withLock {
                defer { endIfDue(after: line) }
                var rest = Array("\(line)\n".utf8)[...]
                while !rest.isEmpty {
                    let count = unsafe rest.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
                    if count < 0, errno == EINTR { continue }
                    // Nobody listens any more: nothing that is done from here on counts.
                    guard count > 0 else { exit(74) }
                    rest = rest.dropFirst(count)
                }
            }
        }

        private func endIfDue(after line: String) {
            guard line.hasPrefix("put "), let puts = left.puts else { return }
            left.puts = puts - 1
            if puts == 1 { kill(getpid(), SIGKILL) }
        }
    }

    // MARK: Making it

    /// Makes it with processes of this program, and reads it into memory.
    /// - Parameters:
    ///   - arguments: with which this program lives that life of that log: ``live(_:)``.
    ///   - pause: how long an idle log is left alone, in milliseconds. If that is too short, what is given back is no idle log.
    package func make(idleFor pause: Int, _ arguments: (_ life: Int) -> [String]) throws(Failure) -> EveryBitLog {
        try Directory.remove(directory)
        var lines: [String] = []
        for life in [1, 2] {
            guard let child = ChildProcess(ChildProcess.itself, arguments(life), errors: directory + ".errors") else {
                throw Failure("a process that makes the log cannot be started")
            }
            lines += try listen(to: child, life, pause)
            let ended = child.wait()
            let expected = life == 2 && end != .closed ? ChildProcess.End.signal(SIGKILL) : .code(0)
            guard ended == expected else {
                throw Failure(
                    "the process that makes the \(end.rawValue) log ended with \(ended): see \(directory).errors")
            }
        }
        unsafe unlink(directory + ".errors")
        try Directory.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: linesPath)
        return try read()
    }

    /// What it says, until it ends or is killed.
    private func listen(to child: ChildProcess, _ life: Int, _ pause: Int) throws(Failure) -> [String] {
        let deadline = ContinuousClock.now + .seconds(Self.seconds)
        var bytes: [UInt8] = []
        var isKilled = false
        while true {
            switch child.read(until: deadline) {
            case .bytes(let more): bytes += more
            case .end:
                let text = String(decoding: bytes, as: UTF8.self)
                var lines = text.split(separator: "\n").map { String($0) }
                // Whoever was killed may have been in the middle of a line.
                if !text.hasSuffix("\n") { lines = lines.dropLast() }
                return lines.filter { $0 != Self.idle }
            case .tooLate: throw Failure("the process that makes the \(end.rawValue) log does not come to its end")
            }
            guard life == 2, !isKilled else { continue }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            switch end {
            // Who is killed under load does it itself.
            case .closed, .killed: break
            case .idle:
                guard lines.last == Self.idle[...] else { continue }
                usleep(UInt32(pause) * 1000)
                child.send(SIGKILL)
                isKilled = true
            }
        }
    }

    /// One that was made before.
    package func read() throws(Failure) -> EveryBitLog {
        let text = String(decoding: try Directory.read(linesPath), as: UTF8.self)
        guard let promises = EveryBitPromises(lines: text.split(separator: "\n").map { String($0) }) else {
            throw Failure("\(linesPath) is not what such a process says")
        }
        var files: [String: [UInt8]] = [:]
        for name in try Directory.names(in: directory) { files[name] = try Directory.read("\(directory)/\(name)") }
        do { return try EveryBitLog(end, files: files, promises: promises) } catch {
            throw Failure("the \(end.rawValue) log in \(directory): \(error)", isBrokenPromise: true)
        }
    }

    package func remove() throws(Failure) {
        try Directory.remove(directory)
        unsafe unlink(linesPath)
    }
}

/// A directory with a damaged log, for ``EveryBitTrial``.
package final class RealGround: EveryBitGround {
    private let directory: String
    private let outsideFile: String
    private let runtime = SystemRuntime()

    /// Makes `directory` anew, and beside it the file that a symbolic link leads to.
    package init(_ directory: String, _ log: EveryBitLog, _ variant: EveryBitVariant) throws(RealLog.Failure) {
        self.directory = directory
        outsideFile = directory + ".outside"
        try Directory.remove(directory)
        guard unsafe mkdir(directory, 0o700) == 0 else {
            throw RealLog.Failure("\(directory) cannot be made: \(Directory.reason)")
        }
        let changed = variant.changed(log.files)
        for (name, bytes) in log.files where changed[name] == nil {
            try Directory.write(bytes, to: "\(directory)/\(name)")
        }
        for case (let name, let bytes?) in changed { try Directory.write(bytes, to: "\(directory)/\(name)") }
        try Directory.write(log.files[variant.file]!, to: outsideFile)
        let path = "\(directory)/\(variant.file)"
        let result: Int32
        switch variant.damage {
        case .symbolicLink: result = unsafe symlink(outsideFile, path)
        case .directory: result = unsafe mkdir(path, 0o700)
        case .fifo: result = unsafe mkfifo(path, 0o600)
        default: result = 0
        }
        guard result == 0 else { throw RealLog.Failure("\(path) cannot be made: \(Directory.reason)") }
    }

    deinit {
        runtime.shutdown()
        try? Directory.remove(directory)
        unsafe unlink(outsideFile)
    }

    package func process() -> EveryBitProcess {
        EveryBitProcess(path: directory, LinuxFileSystem(), runtime) {}
    }

    package func restore(_ name: String, _ bytes: [UInt8]) {
        // What goes wrong here is found by the next opening.
        try? Directory.remove("\(directory)/\(name)")
        try? Directory.write(bytes, to: "\(directory)/\(name)")
    }

    package func names() -> [String] { (try? Directory.names(in: directory)) ?? [] }
    package func outside() -> [UInt64] { Directory.fingerprint(of: outsideFile) }

    package func fingerprint() -> [UInt64] {
        outside()
            + names().flatMap { name in
                Directory.fingerprint(ofName: name) + Directory.fingerprint(of: "\(directory)/\(name)")
            }
    }

    package func allocatedBytes() -> UInt64 {
        names().reduce(4096) { sum, name in
            var status = stat()
            guard unsafe lstat("\(directory)/\(name)", &status) == 0 else { return sum }
            return sum + UInt64(status.st_blocks) * 512
        }
    }
}

/// Files and small directories of this machine.
private enum Directory {
    static var reason: String { unsafe String(cString: strerror(errno)) }

    static func names(in path: String) throws(RealLog.Failure) -> [String] {
        guard let directory = unsafe opendir(path) else { throw RealLog.Failure("\(path): \(reason)") }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func read(_ path: String) throws(RealLog.Failure) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { throw RealLog.Failure("\(path): \(reason)") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe Glibc.read(file, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw RealLog.Failure("\(path): \(reason)") }
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws(RealLog.Failure) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw RealLog.Failure("\(path): \(reason)") }
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw RealLog.Failure("\(path): \(reason)") }
            rest = rest.dropFirst(count)
        }
    }

    /// A directory, and the files and directories in it; nothing when it is not there.
    static func remove(_ path: String) throws(RealLog.Failure) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in try names(in: path) { try remove("\(path)/\(name)") }
            guard unsafe rmdir(path) == 0 else { throw RealLog.Failure("\(path): \(reason)") }
        } else if unsafe unlink(path) != 0 {
            throw RealLog.Failure("\(path): \(reason)")
        }
    }

    /// Kind, size and bytes.
    static func fingerprint(of path: String) -> [UInt64] {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return [0] }
        let kind = UInt64(status.st_mode & S_IFMT)
        guard status.st_mode & S_IFMT == S_IFREG, let bytes = try? read(path) else { return [kind] }
        return [kind, UInt64(bytes.count), hash(bytes)]
    }

    static func fingerprint(ofName name: String) -> [UInt64] { [hash(Array(name.utf8))] }

    /// FNV-1a, 64 bits.
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
