import CommandOptions
import ProcessHarness

/// Everything that `walcrash` understands.
let table = CommandTable(
    name: "walcrash",
    summary: "crashes a channel, on a simulated disk or by killing real processes, and looks at what is left",
    verbs: [
        runVerb, sweepVerb, killVerb, callsVerb, bitsVerb, mutantsVerb, replayVerb, showVerb, listVerb, lifeVerb,
        intruderVerb, bitsLifeVerb, mutantVerb,
    ],
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

private let directory = Option("--dir", .text, "D", help: "works in new folders of this directory, which must be there")

private let killVerb = VerbTable(
    name: "kill", operands: [],
    summary: "real processes that put and take, killed with SIGKILL at random times and at random storage operations",
    options: [
        directory,
        Option("--kills", .number(1...1_000_000), "N", help: "end when so many were killed (default: 1000)"),
        Option("--seed", .number(0...UInt64.max), "S", help: "the first one; they are counted up (default: 1)"),
        Option(
            "--on", .choice(["directory"] + Volume.Kind.allCases.map(\.rawValue)), "KIND",
            help:
                "only in the directory itself, or only on small volumes of this kind (default: half of the kills in the "
                + "directory, the rest on ext4, xfs and btrfs images and tmpfs with few blocks or inodes, which takes root)"
        ),
        jobs, format,
    ])

private let callsVerb = VerbTable(
    name: "calls", operands: [],
    summary: "a standard workload in which each system call on the channel's files fails, with strace",
    options: [
        directory,
        Option("--every", .number(1...1_000_000), "K", help: "only every so many of the variants (default: 1)"),
        Option("--only", .text, "VARIANT", help: "only this one, as a report names it"),
        jobs, format,
    ])

private let lifeVerb = VerbTable(
    name: "life", operands: ["SCRIPT", "DIRECTORY"], summary: "the process that kill kills",
    options: [
        Option("--life", .number(0...1_000_000), "N", help: "which of the script's lives"),
        Option("--first-put", .number(0...1_000_000_000), "N", help: "so many puts had the lives before"),
        Option("--wait-for-tracer", .none, help: "stops itself at the start"),
        Option("--end-by-kill", .none, help: "ends itself where it would close the channel"),
        Option("--blind", .none, help: "does not say what it finds"),
        Option("--kill-at", .number(0...1_000_000_000), "N", help: "ends itself at this storage operation"),
        Option(
            "--kill-place", .choice(KillingFileSystem.Place.allCases.map(\.rawValue)), "WHERE", help: "of the operation"
        ),
        Option("--open-files", .number(0...1_000_000), "N", help: "RLIMIT_NOFILE"),
        Option("--file-bytes", .number(0...1_000_000_000), "N", help: "RLIMIT_FSIZE"),
        Option("--limit-opening", .none, help: "the limits hold from the start"),
    ])

private let intruderVerb = VerbTable(
    name: "intruder", operands: ["SCRIPT", "DIRECTORY"], summary: "a process that opens a channel beside another",
    options: [])

private let bitsVerb = VerbTable(
    name: "bits", operands: [],
    summary:
        "small logs of real processes: each bit flipped, each file cut at each length, removed, doubled, swapped, replaced",
    options: [
        Option(
            "--dir", .text, "D",
            help: "where the logs are made; what is left there after a failure is needed for --only"),
        Option(
            "--every", .number(1...1_000_000_001), "K",
            help: "of the bits and of the lengths only every so many, an odd number (default: 1)"),
        Option("--log", .choice(["closed", "idle", "killed"]), "closed|idle|killed", help: "only this one"),
        Option(
            "--real", .number(0...1_000_000), "N",
            help: "so many bits, and as many lengths, of each log also on the file system of D (default: 60)"),
        Option(
            "--only", .text, "V",
            help: "this variant of logs that are there: LOG:FILE:KIND[:OPERAND], or the number that a trap has said"),
        jobs, format,
    ])

private let bitsLifeVerb = VerbTable(
    name: "bits-life", operands: ["LOG", "LIFE", "DIR"], summary: "the process that makes a log for bits", options: [])

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
