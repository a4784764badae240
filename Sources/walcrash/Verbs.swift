import CommandOptions

/// Everything that `walcrash` understands.
let table = CommandTable(
    name: "walcrash", summary: "crashes a channel on a simulated disk, and looks at what is left",
    verbs: [runVerb, sweepVerb, mutantsVerb, mutantVerb, replayVerb, showVerb, listVerb],
    notes: """
        A state is what a crash leaves on the disk, together with what clients had been told; each is counted once in
        a script. After a broken promise a script that breaks it again is written down; replay runs it.
        Exit codes: 0 every promise was kept, 1 one was broken, 64 wrong arguments, 74 an operation on a file failed.
        """)

private let format = Option(
    "--format", .choice(["text", "json"]), "text|json", help: "of the report on standard output (default: text)")
private let keep = Option(
    "--script", .text, "F", help: "where to write the script of a broken promise (default: walcrash-SEED.script)")
private let jobs = Option(
    "--jobs", .number(1...256), "J", help: "threads that run scripts side by side (default: as many as there are CPUs)")

private let runVerb = VerbTable(
    name: "run", operands: [],
    summary: "scripts drawn from seeds: any clients, options, faults and crashes, against a model of the channel",
    options: [
        Option("--seed", .number(0...UInt64.max), "S", help: "the first one; they are counted up (default: 1)"),
        Option(
            "--states", .number(1...1_000_000_000_000), "N",
            help: "end when so many states were looked at (default: 100000, or no end with --minutes)"),
        Option("--minutes", .number(1...1_000_000), "M", help: "end after so many minutes"),
        Option(
            "--workload", .text, "W", help: "not scripts of all kinds, but this workload (walcrash list), at random"),
        jobs, keep, format,
    ])

private let sweepVerb = VerbTable(
    name: "sweep", operands: [],
    summary: "small workloads, cut off at every operation in every legal way, and again inside recovery",
    options: [
        Option("--workload", .text, "W", help: "only this one (default: all that walcrash list shows)"),
        Option("--seed", .number(0...UInt64.max), "S", help: "the first one (default: 1)"),
        Option(
            "--seeds", .number(1...1_000_000), "K",
            help: "so many times as many as make a workload complete (default: 1)"),
        Option(
            "--states", .number(1...1_000_000_000_000), "N",
            help: "about, for each life of each workload: of more ways every so many are tried (default: all)"),
        Option(
            "--inside", .number(1...1_000_000), "E",
            help: "every so many states are also crashed inside recovery (default: 8)"),
        jobs, keep, format,
    ])

private let mutantsVerb = VerbTable(
    name: "mutants", operands: [],
    summary: "bugs that were planted in the engine, each to be found (needs a build with --traits PlantedBugs)",
    options: [
        Option("--only", .text, "BUG", help: "only this one (walcrash list shows them)"),
        Option(
            "--states", .number(1...1_000_000_000), "N",
            help: "to find it in, with random scripts, and as many in sweeps (default: 60000)"),
        Option(
            "--seconds", .number(1...100_000), "T", help: "after which one is given up, as not found (default: 600)"),
        jobs, format,
    ])

private let mutantVerb = VerbTable(
    name: "mutant", operands: ["BUG"], summary: "the process in which mutants looks for one of them",
    options: [Option("--states", .number(1...1_000_000_000), "N", help: "as with mutants")])

private let replayVerb = VerbTable(
    name: "replay", operands: ["FILE"], summary: "a script, as it was written down", options: [format])

private let showVerb = VerbTable(
    name: "show", operands: ["SEED"],
    summary: "the script that run draws from a seed, for replay: what trapped says its seed",
    options: [Option("--workload", .text, "W", help: "not one of all kinds, but this workload")])

private let listVerb = VerbTable(
    name: "list", operands: [], summary: "the workloads, and the rows of the recovery table", options: [format])
