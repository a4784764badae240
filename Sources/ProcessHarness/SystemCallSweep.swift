internal import CrashHarness
internal import FileIO
internal import Glibc

/// Makes each system call on the files of a channel fail, with `strace`, in the standard workload, and looks at what is left;
/// and kills the process at each of its storage operations.
///
/// One variant is one process: the call of one name and number fails in it, in each thread that comes so far.
package struct SystemCallSweep: Sendable {
    /// What happens to a call.
    package enum Mode: String, Sendable, CaseIterable {
        /// EIO, this time.
        case once
        /// EIO, from this one on.
        case always
        /// ENOSPC, from this one on.
        case full
        /// EINTR, this time.
        case interrupted
        /// The process is killed before it.
        case killed

        fileprivate func injection(_ call: SystemCallTrace.Call) -> String {
            switch self {
            case .once: "\(call.name):error=EIO:when=\(call.ordinal)"
            case .always: "\(call.name):error=EIO:when=\(call.ordinal)+"
            case .full: "\(call.name):error=ENOSPC:when=\(call.ordinal)+"
            case .interrupted: "\(call.name):error=EINTR:when=\(call.ordinal)"
            case .killed: "\(call.name):signal=SIGKILL:when=\(call.ordinal)"
            }
        }
    }

    package struct Variant: Sendable, CustomStringConvertible {
        /// `new` or `killed`: what the process begins with.
        package var beginning: String
        /// A system call; or `before`, `halfway` or `after` for a storage operation at which the process ends itself.
        package var call: String
        package var ordinal: Int
        package var mode: Mode

        /// As ``SystemCallSweep/only`` takes it.
        package var description: String { "\(beginning)-\(call)-\(ordinal)-\(mode.rawValue)" }
    }

    package struct Failure: Sendable {
        package var variant: Variant
        package var objection: String
        package var directory: String
    }

    package struct Report: Sendable {
        /// Variants that were looked at, by the name of the call and the mode.
        package var variants: [String: [Mode: Int]] = [:]
        package var failures: [Failure] = []
        package var refusedOpenings = 0
        package var errors: [String: Int] = [:]
        /// The call was not made in that run: a thread had come to another number.
        package var missed = 0

        package var count: Int { variants.values.reduce(0) { $0 + $1.values.reduce(0, +) } }

        package init() {}
    }

    package struct Obstacle: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    package var directory: String
    package var jobs = 1
    /// Every so many are looked at.
    package var every = 1
    /// A variant's name, to look at it alone.
    package var only: String?
    package var mostFailures = 10

    private static let mostSeconds = 60
    /// What a process can ask of files. (Those that are not made are not found in the trace.)
    private static let calls =
        "open,openat,creat,mkdir,mkdirat,pread64,preadv,pwrite64,pwritev,fdatasync,fsync,sync_file_range,ftruncate,fallocate,"
        + "fadvise64,readahead,rename,renameat,renameat2,link,linkat,unlink,unlinkat,stat,lstat,fstat,newfstatat,statx,statfs,"
        + "fstatfs,flock,getdents64,close,read,write,readv,writev,lseek,fcntl,ioctl,access,faccessat2,readlink,readlinkat"

    package init(directory: String) { self.directory = directory }

    /// - Parameter progress: is called after each variant, by one thread at a time.
    package func run(_ progress: @escaping @Sendable (Report) -> Void = { _ in }) throws(Obstacle) -> Report {
        guard let result = ChildProcess.run("strace", ["-V"], seconds: 10), result.end == .code(0) else {
            throw Obstacle(description: "strace is not there; install it (Debian: strace)")
        }
        var wanted: [(Variant, Prepared)] = []
        for beginning in StandardWorkload.Beginning.allCases {
            let prepared = try prepare(beginning)
            let (calls, operations) = try trace(prepared)
            // What is left out of a sample is left out of each mode alike: the modes stand outside.
            for place in KillingFileSystem.Place.allCases {
                for operation in 0..<operations {
                    let variant = Variant(
                        beginning: beginning.rawValue, call: place.rawValue, ordinal: Int(operation), mode: .killed)
                    wanted.append((variant, prepared))
                }
            }
            for mode in Mode.allCases {
                for call in calls {
                    let variant = Variant(
                        beginning: beginning.rawValue, call: call.name, ordinal: call.ordinal, mode: mode)
                    wanted.append((variant, prepared))
                }
            }
        }
        let all = only.map { only in wanted.filter { "\($0.0)" == only } } ?? wanted
        if let only, all.isEmpty { throw Obstacle(description: "there is no variant \(only)") }
        let chosen = stride(from: 0, to: all.count, by: every).map { all[$0] }
        let state = State()
        onThreads(jobs) { _ in
            while let index = state.next(chosen.count, mostFailures) {
                let (variant, prepared) = chosen[index]
                state.look(variant, in: "\(directory)/call-\(variant)", from: prepared, progress)
            }
        }
        remove("\(directory)/standard.script")
        for beginning in StandardWorkload.Beginning.allCases { remove("\(directory)/begin-\(beginning.rawValue)") }
        return state.report
    }

    /// A channel as the disturbed life finds it.
    fileprivate struct Prepared: Sendable {
        var beginning: StandardWorkload.Beginning
        /// Holds the folder `channel`, or nothing.
        var place: String
        var script: String
        var witness: Witness
    }

    private func prepare(_ beginning: StandardWorkload.Beginning) throws(Obstacle) -> Prepared {
        let script = "\(directory)/standard.script"
        guard write(StandardWorkload.script.text, toFile: script) else {
            throw Obstacle(description: "\(script) cannot be written")
        }
        let place = "\(directory)/begin-\(beginning.rawValue)"
        remove(place)
        unsafe mkdir(place, 0o700)
        var prepared = Prepared(
            beginning: beginning, place: place, script: script, witness: Witness(StandardWorkload.script))
        if beginning == .killed {
            var trial = CallTrial(prepared, place)
            trial.live(0, ["--end-by-kill"], isDisturbed: false, mayBeKilled: true)
            if let objection = trial.witness.objections.first { throw Obstacle(description: objection) }
            prepared.witness = trial.witness
        }
        return prepared
    }

    /// The calls of an undisturbed run, and how many storage operations it has.
    private func trace(_ prepared: Prepared) throws(Obstacle) -> ([SystemCallTrace.Call], UInt64) {
        let place = "\(directory)/trace-\(prepared.beginning.rawValue)"
        let output = "\(place).txt"
        copy(prepared.place, to: place)
        defer {
            remove(place)
            remove(output)
        }
        var trial = CallTrial(prepared, place)
        trial.live(
            prepared.beginning.disturbedLife, ["--blind"], tracing: ["-y", "-o", output], isDisturbed: false,
            mayBeKilled: false)
        if let objection = trial.witness.objections.first { throw Obstacle(description: objection) }
        let calls = SystemCallTrace(contents(ofFile: output), of: "\(place)/channel").calls
        guard !calls.isEmpty, let operations = trial.witness.operations else {
            throw Obstacle(description: "strace has written down no call")
        }
        return (calls, operations)
    }

    fileprivate static let tracing = ["-f", "-qq", "-e", "trace=\(calls)"]

    private final class State: @unchecked Sendable {
        private let lock = Lock()
        private var index = 0
        private var all = Report()

        var report: Report { lock.withLock { all } }

        func next(_ count: Int, _ mostFailures: Int) -> Int? {
            lock.withLock {
                guard index < count, all.failures.count < mostFailures else { return nil }
                index += 1
                return index - 1
            }
        }

        func look(
            _ variant: Variant, in place: String, from prepared: Prepared, _ progress: (Report) -> Void
        ) {
            remove(place)
            copy(prepared.place, to: place)
            var trial = CallTrial(prepared, place)
            trial.run(prepared.beginning.disturbedLife, variant)
            let objection = trial.witness.objections.first
            if objection == nil { remove(place) }
            lock.withLock {
                all.variants[variant.call, default: [:]][variant.mode, default: 0] += 1
                all.refusedOpenings += trial.wasRefused ? 1 : 0
                all.missed += trial.wasMissed ? 1 : 0
                all.errors.merge(trial.witness.errors, uniquingKeysWith: +)
                if let objection {
                    all.failures.append(Failure(variant: variant, objection: objection, directory: place))
                }
                progress(all)
            }
        }
    }

    /// One copy of the prepared channel, and its lives.
    fileprivate struct CallTrial {
        private let place: String
        private let script: String
        private(set) var witness: Witness
        private(set) var wasRefused = false
        private(set) var wasMissed = false

        init(_ prepared: Prepared, _ place: String) {
            self.place = place
            script = prepared.script
            witness = prepared.witness
        }

        mutating func run(_ life: Int, _ variant: Variant) {
            if let place = KillingFileSystem.Place(rawValue: variant.call) {
                kill(life, at: variant.ordinal, place)
            } else {
                fail(life, variant)
            }
            for look in [StandardWorkload.lastLife, StandardWorkload.emptyLife] where witness.objections.isEmpty {
                live(look, [], isDisturbed: false, mayBeKilled: false)
            }
            witness.expectNothing()
        }

        private mutating func kill(_ life: Int, at operation: Int, _ place: KillingFileSystem.Place) {
            let options = ["--blind", "--kill-at", "\(operation)", "--kill-place", place.rawValue]
            live(life, options, isDisturbed: false, mayBeKilled: true)
            wasMissed = witness.stage == .closed
        }

        private mutating func fail(_ life: Int, _ variant: Variant) {
            let call = SystemCallTrace.Call(name: variant.call, ordinal: variant.ordinal)
            let output = "\(place)/trace"
            let tracing = ["-y", "-o", output, "-e", "inject=\(variant.mode.injection(call))"]
            // Reading and writing go on by themselves; the kernel interrupts nothing else of a local file system.
            let isPlain = variant.mode == .interrupted && ["pread64", "pwrite64"].contains(variant.call)
            live(life, ["--blind"], tracing: tracing, isDisturbed: !isPlain, mayBeKilled: variant.mode == .killed)
            let text = contents(ofFile: output)
            wasMissed = !text.contains(variant.mode == .killed ? "SIGKILL" : "(INJECTED)")
            if let line = untold(text, variant) { witness.object("nobody was told of \(line)") }
        }

        /// A call that failed, and of which somebody should have been told, in a life in which nobody got an error: the write of
        /// a client's transaction, and what makes a new log durable. (After any other failed write the log goes on in a fresh
        /// segment, and what recovery cannot sync it carries over into one: DESIGN.md, 6 and 7.)
        private func untold(_ trace: String, _ variant: Variant) -> Substring? {
            guard variant.mode != .interrupted, variant.mode != .killed, witness.errorsInThisLife == 0 else {
                return nil
            }
            var hasFrames = variant.beginning == StandardWorkload.Beginning.killed.rawValue
            for line in trace.split(separator: "\n") {
                // Types of frames, as strace writes them: put, take commit, bookmark.
                let isOfClient = ["\\3", "\\4", "\\t"].contains { line.contains("\"SLF1\($0)\\") }
                let isSync = line.contains("sync(")
                if line.contains("(INJECTED)"), isOfClient || isSync && !hasFrames { return line }
                hasFrames = hasFrames || line.contains("\"SLF1")
            }
            return nil
        }

        /// - Parameter tracing: what strace is told; nil for a process that nobody traces.
        mutating func live(
            _ number: Int, _ options: [String], tracing: [String]? = nil, isDisturbed: Bool, mayBeKilled: Bool
        ) {
            witness.begin(life: number, isDisturbed: isDisturbed, isBlind: options.contains("--blind"))
            var words = [
                "life", script, "\(place)/channel", "--life", "\(number)", "--first-put",
                "\(witness.model.puts.count)",
            ]
            words += options + (tracing == nil ? [] : ["--wait-for-tracer"])
            let errors = "\(place)/errors-\(number)"
            guard let child = ChildProcess(ChildProcess.itself, words, errors: errors) else {
                return witness.object("a process cannot be started, errno \(errno)")
            }
            var tracer: ChildProcess?
            if let tracing {
                tracer = attach(to: child, tracing)
                if tracer == nil { return }
            }
            let watch = LifeWatch(child)
            let isOver = self.watch(watch)
            _ = write(watch.said, toFile: "\(place)/said-\(number)")
            guard isOver else { return }
            judge(child.wait(), errors, isDisturbed: isDisturbed, mayBeKilled: mayBeKilled)
            // What it has written down is complete then.
            _ = tracer?.wait()
            witness.end(isPowerCut: false)
        }

        /// Has a process traced that has stopped itself: so its calls are counted from there, and not from the loading of its
        /// libraries.
        private mutating func attach(to child: ChildProcess, _ tracing: [String]) -> ChildProcess? {
            let words = SystemCallSweep.tracing + tracing + ["-p", "\(child.process)"]
            guard child.waitForStop(), let tracer = ChildProcess("strace", words, errors: "\(place)/errors-strace")
            else {
                witness.object("a process cannot be traced")
                return nil
            }
            let deadline = ContinuousClock.now + .seconds(SystemCallSweep.mostSeconds)
            while contents(ofFile: "/proc/\(child.process)/status").contains("TracerPid:\t0\n") {
                guard ContinuousClock.now < deadline else {
                    let reason = contents(ofFile: "\(place)/errors-strace")
                    witness.object("strace does not trace: \(reason)")
                    return nil
                }
                usleep(500)
            }
            child.send(SIGCONT)
            return tracer
        }

        /// False when the process does not come to its end.
        private mutating func watch(_ watch: LifeWatch) -> Bool {
            while true {
                switch watch.step(until: .now + .seconds(SystemCallSweep.mostSeconds), &witness) {
                case .more: continue
                case .end: return true
                case .tooLate:
                    watch.child.send(SIGKILL)
                    _ = watch.child.wait()
                    witness.object("a process said nothing for \(SystemCallSweep.mostSeconds) s, at \(witness.stage)")
                    return false
                }
            }
        }

        private mutating func judge(
            _ end: ChildProcess.End, _ errors: String, isDisturbed: Bool, mayBeKilled: Bool
        ) {
            switch end {
            case .signal(SIGKILL) where mayBeKilled: break
            case .code(0): break
            case .code(3) where isDisturbed:
                if witness.stage < .opened { wasRefused = true }
            case .code(3): witness.object("the channel was not opened: \(witness.lastError)")
            default:
                let words = contents(ofFile: errors).split(separator: "\n").prefix(3).joined(separator: " ")
                witness.object("ended with \(end) at \(witness.stage): \(words)")
            }
        }
    }
}
