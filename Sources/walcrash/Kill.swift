import CommandOptions
import CrashHarness
import Glibc
import LogFormat
import ProcessHarness

/// `walcrash kill`.
func killProcesses(_ arguments: Arguments, _ verb: VerbTable) throws {
    let directory = try directory(arguments, verb)
    Volume.removeRemains(in: directory)
    var campaign = KillCampaign(directory: directory)
    campaign.firstSeed = arguments.number("--seed") ?? 1
    campaign.jobs = jobs(arguments)
    let mostKills = arguments.number("--kills").map { Int($0) } ?? 1000
    let isText = arguments.text("--format") != "json"
    var rows: [(name: String, report: KillCampaign.Report)] = []
    var skipped: [(name: String, reason: String)] = []
    var volumes: [Volume.Kind?] = [nil]
    switch arguments.text("--on") {
    case nil: volumes += Volume.Kind.allCases.map { $0 }
    case "directory": break
    case .some(let name): volumes = [Volume.Kind(rawValue: name)]
    }
    for kind in volumes {
        let name = kind?.rawValue ?? "directory"
        if let kind, let obstacle = Volume.obstacle(to: kind, in: directory) {
            if volumes.count == 1 { throw FileFailure(description: "\(name) cannot be used here: \(obstacle)") }
            skipped.append((name, obstacle))
            if isText { try say("\(padded(name, 12))not here: \(obstacle)") }
            continue
        }
        campaign.volume = kind
        // Half of them where the directory is, the rest shared by the volumes.
        campaign.mostKills =
            kind == nil || volumes.count == 1
            ? (volumes.count == 1 ? mostKills : (mostKills + 1) / 2)
            : max(1, mostKills / 2 / Volume.Kind.allCases.count)
        let report = campaign.run()
        rows.append((name, report))
        if isText { try say(report.line(name)) }
    }
    let all = rows.reduce(into: KillCampaign.Report()) { all, row in
        all.counts.add(row.report.counts)
        all.failures += row.report.failures
    }
    try say(isText ? all.text : json(rows, skipped, all).rendered)
    if !all.failures.isEmpty { throw PromiseBroken() }
}

func directory(_ arguments: Arguments, _ verb: VerbTable) throws -> String {
    guard let directory = arguments.text("--dir") else { throw UsageError("--dir is missing", verb) }
    guard unsafe access(directory, W_OK) == 0 else {
        throw FileFailure(description: "\(directory) cannot be written: \(unsafe String(cString: strerror(errno)))")
    }
    // A child has it as its argument, wherever it works.
    guard let whole = unsafe realpath(directory, nil) else { return directory }
    defer { unsafe free(whole) }
    return unsafe String(cString: whole)
}

private func json(
    _ rows: [(name: String, report: KillCampaign.Report)], _ skipped: [(name: String, reason: String)],
    _ all: KillCampaign.Report
) -> JSON {
    .object([
        ("kept", .flag(all.failures.isEmpty)), ("kills", .whole(UInt64(all.counts.kills))),
        ("places", .list(rows.map { $0.report.json($0.name) })),
        ("skipped", .list(skipped.map { .object([("name", .text($0.name)), ("reason", .text($0.reason))]) })),
        (
            "failures",
            .list(
                all.failures.map {
                    .object([
                        ("seed", .whole($0.seed)), ("objection", .text($0.objection)),
                        ("directory", .text($0.directory)),
                    ])
                })
        ),
    ])
}

extension KillCampaign.Report {
    /// One line.
    fileprivate func line(_ name: String) -> String {
        "\(padded(name, 12))\(grouped(counts.kills)) kills (\(grouped(counts.killsInOpening)) in openings, "
            + "\(grouped(counts.killsInClosing)) in closing), \(grouped(counts.powerCuts)) stopped file systems, "
            + "\(grouped(counts.trials)) channels, \(grouped(counts.lives)) lives"
            + (failures.isEmpty ? "" : ", BROKEN")
    }

    fileprivate var text: String {
        var lines = [
            "\(grouped(counts.kills)) kills, \(grouped(counts.killsAtTimes)) at a time and "
                + "\(grouped(counts.killsAtOperations)) at a storage operation, in \(grouped(counts.lives)) lives of "
                + "\(grouped(counts.trials)) channels",
            "  \(grouped(counts.closes)) ended by themselves, \(grouped(counts.refusedOpenings)) openings were refused where "
                + "operations failed, \(grouped(counts.intruders)) second openers were told who has the channel",
            "  \(grouped(counts.acknowledgedPuts)) of \(grouped(counts.puts)) puts acknowledged, with "
                + "\(grouped(counts.acknowledgedEvents)) events; \(grouped(counts.acknowledgedTakes)) of "
                + "\(grouped(counts.takes)) takes",
            "  what clients were told: "
                + counts.errors.sorted { $0.key < $1.key }.map { "\($0.key) \(grouped($0.value))" }.joined(
                    separator: ", "),
        ]
        for failure in failures {
            lines += ["BROKEN PROMISE, seed \(failure.seed), see \(failure.directory)", "  \(failure.objection)"]
        }
        if failures.isEmpty { lines.append("every promise was kept") }
        return lines.joined(separator: "\n")
    }

    fileprivate func json(_ name: String) -> JSON {
        .object([
            ("name", .text(name)), ("kills", .whole(UInt64(counts.kills))),
            ("killsAtTimes", .whole(UInt64(counts.killsAtTimes))),
            ("killsAtOperations", .whole(UInt64(counts.killsAtOperations))),
            ("killsInOpening", .whole(UInt64(counts.killsInOpening))),
            ("killsInClosing", .whole(UInt64(counts.killsInClosing))),
            ("stoppedFileSystems", .whole(UInt64(counts.powerCuts))), ("channels", .whole(UInt64(counts.trials))),
            ("lives", .whole(UInt64(counts.lives))), ("closes", .whole(UInt64(counts.closes))),
            ("refusedOpenings", .whole(UInt64(counts.refusedOpenings))),
            ("secondOpeners", .whole(UInt64(counts.intruders))), ("puts", .whole(UInt64(counts.puts))),
            ("acknowledgedPuts", .whole(UInt64(counts.acknowledgedPuts))),
            ("acknowledgedEvents", .whole(UInt64(counts.acknowledgedEvents))),
            ("takes", .whole(UInt64(counts.takes))), ("acknowledgedTakes", .whole(UInt64(counts.acknowledgedTakes))),
            ("errors", .object(counts.errors.sorted { $0.key < $1.key }.map { ($0.key, .whole(UInt64($0.value))) })),
        ])
    }
}

/// The process that `kill` kills: `walcrash life`.
func live(_ arguments: Arguments, _ verb: VerbTable) throws {
    let script = try script(at: arguments.operands[0], verb)
    let number = Int(arguments.number("--life") ?? 0)
    guard script.lives.indices.contains(number) else {
        throw UsageError("\(arguments.operands[0]) has no life \(number)", verb)
    }
    var life = Life(
        directory: arguments.operands[1], script: script, number: number,
        firstPut: Int(arguments.number("--first-put") ?? 0))
    life.isBlind = arguments.has("--blind")
    life.waitsForTracer = arguments.has("--wait-for-tracer")
    life.endsByKill = arguments.has("--end-by-kill")
    life.killAt = arguments.number("--kill-at")
    if let place = arguments.text("--kill-place") { life.killPlace = KillingFileSystem.Place(rawValue: place)! }
    life.limits = ChildProcess.Limits(
        openFiles: arguments.number("--open-files"), fileBytes: arguments.number("--file-bytes"))
    life.limitsOpening = arguments.has("--limit-opening")
    if !life.run() { exit(3) }
}

/// A second opener: `walcrash intruder`.
func intrude(_ arguments: Arguments, _ verb: VerbTable) throws {
    let script = try script(at: arguments.operands[0], verb)
    if let refusal = Life.intrude(into: arguments.operands[1], script) {
        try say(refusal.words)
        exit(refusal.isInUse ? 75 : 74)
    }
    try say("it was opened")
}
