import CommandOptions
import CrashHarness
import Glibc
import LogFormat

/// `walcrash run`.
func runCampaign(_ arguments: Arguments, _ verb: VerbTable) throws {
    var campaign = Campaign(.random) { CrashScript.random(seed: $0) }
    if let name = arguments.text("--workload") {
        let workload = try workload(name, verb)
        campaign.script = { workload.script($0) }
    }
    campaign.firstSeed = arguments.number("--seed") ?? 1
    campaign.jobs = jobs(arguments)
    if let minutes = arguments.number("--minutes") { campaign.mostNanoseconds = minutes * 60_000_000_000 }
    let states = arguments.number("--states").map { Int($0) }
    campaign.mostStates = states ?? (arguments.has("--minutes") ? .max : 100_000)
    let line = ProgressLine(states: campaign.mostStates, nanoseconds: campaign.mostNanoseconds)
    try checkScriptPath(arguments)
    try finish(Result(arguments.text("--workload") ?? "random scripts", campaign, line), arguments)
}

/// `walcrash sweep`.
func sweepWorkloads(_ arguments: Arguments, _ verb: VerbTable) throws {
    try checkScriptPath(arguments)
    let workloads = try arguments.text("--workload").map { [try workload($0, verb)] } ?? Workload.all
    var depth = ChannelHarness.Depth()
    depth.insideEvery = arguments.number("--inside").map { Int($0) } ?? depth.insideEvery
    let states = arguments.number("--states")
    let times = arguments.number("--seeds") ?? 1
    let line = ProgressLine(states: .max, nanoseconds: .max)
    var total = Result(name: "all workloads")
    for workload in workloads where total.report.broken == nil {
        let seeds = workload.seeds * times
        if let states { depth.mostStates = max(1, Int(states / seeds)) }
        // One of them makes its channel as the others do.
        depth.skipsCreation = workload.seeds > 1
        var campaign = Campaign(depth) { workload.script($0) }
        campaign.firstSeed = arguments.number("--seed") ?? 1
        campaign.mostScripts = seeds
        campaign.jobs = min(jobs(arguments), Int(seeds))
        let result = Result(workload.name, campaign, line)
        if arguments.text("--format") != "json" { try say(result.line) }
        total.add(result)
    }
    try finish(total, arguments)
}

/// `walcrash replay`.
func replay(_ arguments: Arguments, _ verb: VerbTable) throws {
    let path = arguments.operands[0]
    let script = try script(at: path, verb)
    Trap.note([script.seed])
    let report = ChannelHarness.replay(script)
    if report.coverage.states == 0 {
        complain(
            "\(path): no life is cut off (the last one ends with close), so no crash was looked at; sweep looks at all of a "
                + "workload's")
    }
    let result = Result(name: path, report: report)
    try say(arguments.text("--format") == "json" ? result.json.rendered : result.text)
    if report.broken != nil { throw PromiseBroken() }
}

/// A script as it was written down, with one life at the least.
func script(at path: String, _ verb: VerbTable) throws -> CrashScript {
    guard let text = contents(of: path) else {
        throw FileFailure(description: "\(path) cannot be read: \(unsafe String(cString: strerror(errno)))")
    }
    let script: CrashScript
    do throws(ScriptError) { script = try CrashScript(parsing: text) } catch {
        throw UsageError("\(path), \(error)", verb)
    }
    guard !script.lives.isEmpty else {
        throw UsageError("\(path) has no life in it: there is nothing to look at", verb)
    }
    return script
}

/// `walcrash show`.
func show(_ arguments: Arguments, _ verb: VerbTable) throws {
    guard let seed = UInt64(arguments.operands[0]) else {
        throw UsageError("'\(arguments.operands[0])' is no seed", verb)
    }
    let script =
        try arguments.text("--workload").map { try workload($0, verb).script(seed) } ?? CrashScript.random(seed: seed)
    try say(script.text.hasSuffix("\n") ? String(script.text.dropLast()) : script.text)
}

/// `walcrash list`.
func list(_ arguments: Arguments) throws {
    if arguments.text("--format") == "json" {
        return try say(Result.list.rendered)
    }
    let width = Workload.all.map(\.name.count).max()! + 2
    try say(
        (["workloads:"] + Workload.all.map { "  \(padded($0.name, width))\($0.summary)" } + plantedBugs()
            + ["rows of the recovery table:"] + Coverage.rowNames.map { "  \($0)" })
            .joined(separator: "\n"))
}

private func plantedBugs() -> [String] {
    #if PlantedBugs
        let width = PlantedBug.allCases.map(\.rawValue.count).max()! + 2
        return ["planted bugs:"] + PlantedBug.allCases.map { "  \(padded($0.rawValue, width))\($0.summary)" }
    #else
        return []
    #endif
}

private func workload(_ name: String, _ verb: VerbTable) throws(UsageError) -> Workload {
    guard let workload = Workload.named(name) else {
        throw UsageError("there is no workload '\(name)'; walcrash list shows them", verb)
    }
    return workload
}

func jobs(_ arguments: Arguments) -> Int {
    arguments.number("--jobs").map { Int($0) } ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Prints the report; of a broken promise, makes the script smaller and writes it down.
private func finish(_ result: Result, _ arguments: Arguments) throws {
    ProgressLine.clear()
    var result = result
    if let broken = result.report.broken {
        complain("seed \(broken.script.seed): \(broken.objection)")
        let path = arguments.text("--script") ?? "walcrash-\(broken.script.seed).script"
        var shrinker = Shrinker(broken)
        // What is smaller may break another promise.
        if keep(broken.script, at: path + ".full") { complain("the script is in \(path).full") }
        complain("looking for a smaller one, for up to \(shrinker.mostSeconds) s")
        result.report.broken = shrinker.shrink()
        result.attempts = shrinker.attempts
        if keep(result.report.broken!.script, at: path) { result.scriptPath = path }
    }
    try say(arguments.text("--format") == "json" ? result.json.rendered : result.text)
    if result.report.broken != nil { throw PromiseBroken() }
}

/// False, with a word about it, when it cannot be written: the report, which has the script, goes on.
@discardableResult
private func keep(_ script: CrashScript, at path: String) -> Bool {
    do throws(FileFailure) {
        try write(script.text, to: path)
        return true
    } catch {
        complain("\(error)")
        return false
    }
}

/// Before hours are spent: the file that `--script` names can be written.
private func checkScriptPath(_ arguments: Arguments) throws(FileFailure) {
    guard let path = arguments.text("--script") else { return }
    let isNew = unsafe access(path, F_OK) != 0
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else {
        throw FileFailure(description: "\(path) cannot be written: \(unsafe String(cString: strerror(errno)))")
    }
    close(file)
    if isNew { _ = unsafe unlink(path) }
}

private func write(_ text: String, to path: String) throws(FileFailure) {
    let bytes = Array(text.utf8)
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    defer { if file >= 0 { close(file) } }
    guard file >= 0, unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else {
        throw FileFailure(description: "\(path) cannot be written: \(unsafe String(cString: strerror(errno)))")
    }
}

/// At most 64 MiB of it.
private func contents(of path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < 64 << 20 {
        let count = unsafe read(file, &piece, piece.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { break }
        bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}
