import CommandOptions
import CrashHarness
import LogFormat

/// What a command has found, for eyes and for programs.
struct Result {
    var name: String
    var report = HarnessReport()
    var nanoseconds: UInt64 = 0
    /// Of a broken promise: where its script is, and how many scripts were tried for it.
    var scriptPath: String?
    var attempts = 0

    init(name: String, report: HarnessReport = HarnessReport()) {
        self.name = name
        self.report = report
    }

    /// Runs a campaign, with a line on the terminal that says how far it is.
    init(_ name: String, _ campaign: Campaign, _ line: ProgressLine) {
        self.name = name
        Trap.arm()
        let clock = ContinuousClock()
        let started = clock.now
        report = campaign.run { progress in
            Trap.note(progress.seeds.compactMap { $0 })
            line.show(progress)
        }
        nanoseconds = UInt64((clock.now - started) / .nanoseconds(1))
    }

    mutating func add(_ other: Result) {
        report.add(other.report)
        nanoseconds += other.nanoseconds
    }

    private var statesPerSecond: UInt64 {
        nanoseconds == 0 ? 0 : UInt64(Double(report.coverage.states) * 1e9 / Double(nanoseconds))
    }

    /// One line.
    var line: String {
        "\(padded(name, 18))\(grouped(report.coverage.states)) states, \(grouped(report.counts.operations)) operations, "
            + "\(percent(.partlyLost)) partly lost, \(grouped(statesPerSecond)) states/s"
            + (report.broken == nil ? "" : ", BROKEN")
    }

    var text: String {
        let (coverage, counts) = (report.coverage, report.counts)
        var lines = [
            "\(name): \(grouped(coverage.states)) distinct states of \(grouped(counts.operations)) operations in "
                + "\(grouped(counts.lives)) lives of \(grouped(counts.scripts)) scripts",
            "  \(grouped(coverage.openings)) openings, \(grouped(counts.puts)) puts, \(grouped(counts.takes)) takes, "
                + "\(grouped(counts.unknownOutcomes)) unknown outcomes, up to \(counts.mostGroupsInFlight) groups in flight",
        ]
        if nanoseconds > 0 {
            lines.append("  \(nanoseconds / 1_000_000_000) s, \(grouped(statesPerSecond)) states a second")
        }
        lines.append("states with")
        for trait in Coverage.Trait.allCases {
            lines.append("  \(padded(trait.words, 44))\(grouped(coverage.traits[trait] ?? 0)) (\(percent(trait)))")
        }
        lines.append("rows of the recovery table")
        for row in Coverage.rowNames {
            lines.append("  \(padded(row, 44))\(grouped(coverage.rows[row] ?? 0))")
        }
        if let broken = report.broken {
            lines += ["BROKEN PROMISE, seed \(broken.script.seed)", "  \(broken.objection)"]
            lines.append("made smaller in \(attempts) attempts" + (scriptPath.map { ", and written to \($0):" } ?? ":"))
            lines.append(broken.script.text)
            if let scriptPath { lines.append("again with: walcrash replay \(scriptPath)") }
        } else {
            lines.append("every promise was kept")
        }
        return lines.joined(separator: "\n")
    }

    private func percent(_ trait: Coverage.Trait) -> String {
        let tenths = Int((report.coverage.share(of: trait) * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    var json: JSON {
        let (coverage, counts) = (report.coverage, report.counts)
        var members: [(String, JSON)] = [
            ("name", .text(name)), ("kept", .flag(report.broken == nil)), ("states", .whole(UInt64(coverage.states))),
            ("seconds", .number(Double(nanoseconds) / 1e9)), ("statesPerSecond", .whole(statesPerSecond)),
            ("scripts", .whole(UInt64(counts.scripts))), ("lives", .whole(UInt64(counts.lives))),
            ("operations", .whole(UInt64(counts.operations))), ("openings", .whole(UInt64(coverage.openings))),
            ("puts", .whole(UInt64(counts.puts))), ("takes", .whole(UInt64(counts.takes))),
            ("unknownOutcomes", .whole(UInt64(counts.unknownOutcomes))),
            (
                "traits",
                .object(Coverage.Trait.allCases.map { ($0.rawValue, .whole(UInt64(coverage.traits[$0] ?? 0))) })
            ),
            ("rows", .object(Coverage.rowNames.map { ($0, .whole(UInt64(coverage.rows[$0] ?? 0))) })),
        ]
        if let broken = report.broken {
            members.append(
                (
                    "broken",
                    .object(
                        [("seed", .whole(broken.script.seed)), ("objection", .text(broken.objection))]
                            + (scriptPath.map { [("script", .text($0))] } ?? []))
                ))
        }
        return .object(members)
    }

    static var list: JSON {
        .object([
            (
                "workloads",
                .list(Workload.all.map { .object([("name", .text($0.name)), ("summary", .text($0.summary))]) })
            ), ("rows", .list(Coverage.rowNames.map { .text($0) })),
        ])
    }
}

extension Coverage.Trait {
    var words: String {
        switch self {
        case .partlyLost: "some pending operations lost, some kept"
        case .rollInFlight: "groups in flight on both sides of a roll"
        case .recycling: "a retired segment's file on its way"
        case .latch: "a write or sync that failed before"
        case .recovery: "a cut inside an opening"
        case .checkpointWithRetirement: "a checkpoint and a retirement under way"
        case .kill: "a kill, and no power cut"
        case .damage: "damaged files"
        }
    }
}

func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
}
