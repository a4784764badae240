import CommandOptions
import CrashHarness
import FileIO
import Glibc
import LogFormat
import Synchronization

#if PlantedBugs
    /// `walcrash mutants`: runs each planted bug in a process of its own, because it may trap or hang, and prints which were
    /// found, after how many states, and by what.
    func runMutants(_ arguments: Arguments, _ verb: VerbTable) throws {
        let wanted = try arguments.text("--only").map { try [bug($0, verb)] } ?? PlantedBug.allCases
        let states = arguments.number("--states") ?? Mutant.states
        let seconds = arguments.number("--seconds") ?? Mutant.seconds
        let isText = arguments.text("--format") != "json"
        let width = PlantedBug.allCases.map(\.rawValue.count).max()! + 2
        let next = Atomic<Int>(0)
        let found = Mutex<[Int: Finding]>([:])
        onThreads(jobs(arguments)) { _ in
            while case let index = next.add(1, ordering: .relaxed).oldValue, index < wanted.count {
                let finding = Finding(of: wanted[index], states: states, seconds: seconds)
                found.withLock { all in
                    all[index] = finding
                    if isText { try? say("\(padded(wanted[index].rawValue, width))\(finding.words)") }
                }
            }
        }
        let all = found.withLock { all in wanted.indices.map { (wanted[$0], all[$0]!) } }
        let control = arguments.has("--only") ? nil : Mutant.lyingDisk(states: Int(states))
        if isText, let control { try say("\(padded("a disk that lies", width))\(control.words)") }
        let caught = all.count { $0.1.isCaught }
        let byRandom = all.count { $0.1.how.hasPrefix("random") }
        if isText {
            try say("\(caught) of \(all.count) planted bugs were caught, \(byRandom) of them by random seeds")
        } else {
            let rows = all.map { bug, finding in finding.json(bug.rawValue, bug.summary) }
            try say(
                JSON.object([
                    ("caught", .whole(UInt64(caught))), ("byRandomSeeds", .whole(UInt64(byRandom))),
                    ("mutants", .list(rows)),
                    (
                        "control",
                        .list(control.map { [$0.json("lyingDisk", "nothing is durable that was synced")] } ?? [])
                    ),
                ]).rendered)
        }
        if caught < all.count || control?.isCaught == false { throw PromiseBroken() }
    }

    /// The process of one of them: one line on standard output, for ``Finding``.
    func runMutant(_ arguments: Arguments, _ verb: VerbTable) throws {
        let bug = try bug(arguments.operands[0], verb)
        unsafe PlantedBug.planted = bug
        try say(Mutant.hunt(states: Int(arguments.number("--states") ?? Mutant.states)))
    }

    private func bug(_ name: String, _ verb: VerbTable) throws(UsageError) -> PlantedBug {
        guard let bug = PlantedBug(rawValue: name) else {
            throw UsageError("there is no planted bug '\(name)'; walcrash list shows them", verb)
        }
        return bug
    }

    /// Looks for a planted bug: first with random scripts, then by sweeping the workloads.
    enum Mutant {
        static let states: UInt64 = 60_000
        static let seconds: UInt64 = 600

        static func hunt(states most: Int) -> String {
            var seen = 0
            var campaign = Campaign(.random) { CrashScript.random(seed: $0) }
            campaign.mostStates = most
            // Whoever traps has said how far it was.
            let report = campaign.run { progress in
                if progress.report.broken == nil, let seed = progress.seeds[0] {
                    try? say("at \(progress.report.coverage.states) random seed \(seed)")
                }
            }
            seen += report.coverage.states
            if let broken = report.broken { return "caught \(seen) random seed \(broken.script.seed)" }
            var depth = ChannelHarness.Depth()
            depth.mostStates = most / Workload.all.count
            for workload in Workload.all where workload.seeds == 1 {
                try? say("at \(seen) workload \(workload.name)")
                let report = ChannelHarness.run(workload.script(1), depth)
                seen += report.coverage.states
                if report.broken != nil { return "caught \(seen) workload \(workload.name)" }
            }
            return "survived \(seen)"
        }
    }

    extension Mutant {
        /// The control (row 40): no bug in the engine, and a disk that lies about its sync.
        fileprivate static func lyingDisk(states most: Int) -> Finding {
            var campaign = Campaign(.random) { seed in
                var script = CrashScript.random(seed: seed)
                script.disk.liesAboutSync = true
                return script
            }
            campaign.mostStates = most
            let report = campaign.run()
            var finding = Finding()
            finding.states = UInt64(report.coverage.states)
            finding.isCaught = report.broken != nil
            finding.how = "random seed \(report.broken?.script.seed ?? 0)"
            return finding
        }
    }

    /// What became of one.
    private struct Finding: Sendable {
        var isCaught = false
        var states: UInt64 = 0
        var how = ""

        var words: String {
            isCaught
                ? "caught after \(grouped(states)) states by \(how)"
                : "NOT CAUGHT in \(grouped(states)) states\(how.isEmpty ? "" : ", the last by \(how)")"
        }

        func json(_ name: String, _ summary: String) -> JSON {
            .object([
                ("name", .text(name)), ("summary", .text(summary)), ("caught", .flag(isCaught)),
                ("states", .whole(states)), ("by", .text(how)),
            ])
        }

        init() {}

        init(of bug: PlantedBug, states most: UInt64, seconds: UInt64) {
            let child = Child(["mutant", bug.rawValue, "--states", "\(most)"], seconds: seconds)
            let words = (child.lines.last ?? "").split(separator: " ", maxSplits: 2).map { String($0) }
            states = words.count > 1 ? UInt64(words[1]) ?? 0 : 0
            how = words.count > 2 ? words[2] : words.first == "survived" ? "" : "its first script"
            switch child.end {
            case .code(0): isCaught = words.first == "caught"
            case .code(let code): how = "exit code \(code)"
            // Its last word was where it began. (Who was killed for want of memory has found nothing.)
            case .signal(let number) where [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS].contains(number):
                isCaught = true
                how += ", which trapped"
            case .signal(let number): how += ", which signal \(number) ended"
            // Whether it hangs, or the machine is busy, nobody can tell.
            case .tooLong: how += ", when its time was over"
            }
        }
    }

    /// This program once more, until it ends by itself or its time is over.
    private struct Child {
        enum End { case code(Int32), signal(Int32), tooLong }

        var lines: [String] = []
        var end = End.code(0)

        init(_ arguments: [String], seconds: UInt64) {
            var ends: [Int32] = [0, 0]
            end = .code(-1)
            guard unsafe pipe(&ends) == 0 else { return }
            // Neither of the two for the processes of other threads.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            var actions = unsafe posix_spawn_file_actions_t()
            unsafe posix_spawn_file_actions_init(&actions)
            defer { unsafe posix_spawn_file_actions_destroy(&actions) }
            unsafe posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
            unsafe posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
            let all = ["walcrash"] + arguments
            let words = unsafe all.map { unsafe strdup($0) } + [nil]
            // A trap is what is looked for: nobody wants its backtrace.
            let environment = ["SWIFT_BACKTRACE=enable=no"]
            let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
            defer { unsafe (words + variables).forEach { word in unsafe free(word) } }
            var process: pid_t = 0
            let failure = unsafe posix_spawn(&process, "/proc/self/exe", &actions, nil, words, variables)
            close(ends[1])
            defer { close(ends[0]) }
            guard failure == 0 else { return }
            let output = Self.read(ends[0], until: ContinuousClock.now + .seconds(Int64(seconds)))
            if output.isOver { end = .tooLong }
            if output.isOver { kill(process, SIGKILL) }
            var status: Int32 = 0
            while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
            if !output.isOver { end = status & 0x7F == 0 ? .code((status >> 8) & 0xFF) : .signal(status & 0x7F) }
            lines = String(decoding: output.bytes, as: UTF8.self).split(separator: "\n").map { String($0) }
        }

        private static func read(_ file: Int32, until deadline: ContinuousClock.Instant) -> (
            bytes: [UInt8], isOver: Bool
        ) {
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let left = (deadline - ContinuousClock.now) / .milliseconds(1)
                guard left > 0 else { return (bytes, true) }
                var polled = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
                guard unsafe poll(&polled, 1, Int32(min(left, 60_000))) == 1 else { continue }
                let count = unsafe Glibc.read(file, &piece, piece.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return (bytes, false) }
                bytes += piece[..<count]
            }
        }
    }
#else
    func runMutants(_ arguments: Arguments, _ verb: VerbTable) throws {
        throw UsageError(
            "this walcrash has no planted bugs; build one that has: swift build -c release --traits PlantedBugs", verb)
    }

    func runMutant(_ arguments: Arguments, _ verb: VerbTable) throws { try runMutants(arguments, verb) }
#endif
