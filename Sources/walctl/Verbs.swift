import CommandOptions
import Inspection
import LogFormat

/// A verb, and what it does.
struct Verb: Sendable {
    var table: VerbTable
    /// Returns how the command ends.
    var run: @Sendable (Call) throws -> Int32
}

private let verbs: [Verb] = [
    Verb(table: statusVerb) { try $0.status() },
    Verb(table: inspectVerb) { try $0.inspect() },
    Verb(table: verifyVerb) { try $0.verify() },
    Verb(table: eventsVerb) { try $0.events() },
    Verb(table: checkpointVerb) { try $0.checkpoint() },
    Verb(table: explainVerb) { try $0.explain() },
]

/// What a verb does.
func action(of table: VerbTable) -> (Call) throws -> Int32 {
    guard let verb = verbs.first(where: { $0.table.name == table.name }) else {
        preconditionFailure("the verb '\(table.name)' is in the table and does nothing")
    }
    return verb.run
}

/// Everything that `walctl` understands. Parsing, help, the man page and completions all read it.
let table = CommandTable(
    name: "walctl",
    summary: "looks into the log of a channel: live, closed, damaged, or a single segment of one",
    verbs: verbs.map(\.table),
    notes: """
        A DIR is the directory of a channel; it may be in use, a copy, or on a read-only mount. Nothing is written but by repair
        --apply, import, skip and drain. Times are UTC: 2026-12-01, 2026-12-01T12:30:05Z, nanoseconds since 1970, or how long
        ago (90s, 15m, 2h, 3d).
        Exit codes: 0 done, 64 wrong arguments, 74 something cannot be read or written, 75 another process uses the directory, 78 a
        configuration that cannot work. What was found, from status, verify, explain and repair: 2 a torn tail only, 3 damage,
        4 events are lost.
        """)

// MARK: Options of all verbs

let formatOption = Option(
    "--format", .choice(Output.Format.allCases.map(\.rawValue)), "text|json|jsonl",
    help: "of what is said on standard output (default: text)")

/// What part of a log is wanted; the same words on every verb.
let filterOptions = [
    Option("--segment", .text, "N", isRepeatable: true, help: "only this segment, by its number in hexadecimal"),
    Option("--from", .number(1...FormatConstants.maximumNumber), "SEQ", help: "only events from this sequence on"),
    Option("--to", .number(1...FormatConstants.maximumNumber), "SEQ", help: "only events up to this sequence"),
    Option("--since", .text, "TIME", help: "only what was committed at this time or later"),
    Option("--until", .text, "TIME", help: "only what was committed before this time"),
    Option(
        "--type", .text, "TYPE[,TYPE]",
        help: "only frames of these types: \(FrameType.allCases.map(\.word).joined(separator: ", "))"),
    Option("--txn", .number(0...UInt64.max), "ID", help: "only frames that hold a transaction of this id"),
    Option("--limit", .number(1...UInt64.max), "N", help: "no more than so many"),
]

let deviceOption = Option(
    "--device", .none, help: "reads what the disk has, and not what the kernel remembers of it (slower)")

// MARK: Verbs

private let statusVerb = VerbTable(
    name: "status", operands: ["DIR..."],
    summary:
        "one screen: state, pointers, depth, age, space, what pins the oldest segment; of a directory of channels one line each",
    options: [formatOption, deviceOption],
    examples: [
        ("walctl status /var/lib/sluice/web", "how is it, how full is it, how old is what waits in it"),
        ("walctl status /var/lib/sluice", "every channel below that directory, one line each"),
        ("walctl status --format json /var/lib/sluice/web | jq .held_events", "one figure of it, for a program"),
    ])

private let inspectVerb = VerbTable(
    name: "inspect", operands: ["DIR|SEGMENT..."],
    summary: "the log itself, frame by frame, with a verdict for each, and what stands between them",
    options: filterOptions + [
        Option("--events", help: "opens the batches: a line for each transaction and each event"),
        Option("--hex", help: "shows the bytes, with each field of the header named"),
        Option("--follow", help: "goes on with what is written to a log that is in use, until it is interrupted"),
        formatOption, deviceOption,
    ],
    examples: [
        (
            "walctl inspect /var/lib/sluice/web --type put,takeCommit --since 10m",
            "what was put and taken in the last ten minutes"
        ),
        (
            "walctl inspect 000000000000001f.seg --hex --limit 1",
            "one segment alone, without its directory: the first frame, byte by byte"
        ),
        (
            "walctl inspect /var/lib/sluice/web --follow --format jsonl",
            "each frame as an object on a line, as it is committed"
        ),
    ])

private let verifyVerb = VerbTable(
    name: "verify", operands: ["DIR|SEGMENT..."],
    summary: "every checksum, every length, every link, and the pointers against the data; a verdict for each segment",
    options: [
        Option("--segment", .text, "N", isRepeatable: true, help: "only this segment, by its number in hexadecimal"),
        Option(
            "--sample", .number(1...1_000_000), "K",
            help: "only every K-th segment, and the last two (for logs of many gigabytes)"),
        formatOption, deviceOption,
    ],
    examples: [
        ("walctl verify /var/lib/sluice/web", "is everything as it was written? exit 0: yes"),
        ("walctl verify --device /var/lib/sluice/web", "the same of what the disk gives, past the kernel's memory"),
        ("walctl verify --sample 20 --format json /var/lib/sluice/web", "a twentieth of a very large log"),
    ])

private let eventsVerb = VerbTable(
    name: "events", operands: ["DIR|SEGMENT..."], summary: "the events, with bodies and headers",
    options: filterOptions.filter { $0.name != "--type" } + [
        Option(
            "--state", .choice(["held", "taken", "all"]), "held|taken|all",
            help:
                "held: put and not decided; taken: decided (taken, dropped) and still there (default: held; of a segment alone: all)"
        ),
        Option("--header", .pair, "KEY=VALUE", isRepeatable: true, help: "only events with this header"),
        Option(
            "--grep", .text, "RE",
            help: "only events whose body matches this extended regular expression (POSIX), byte by byte"),
        Option(
            "--body", .choice(["text", "json", "base64", "raw", "none"]), "text|json|base64|raw|none",
            help:
                "how bodies are shown in text: escaped on one line; as JSON strings; base64; as they are, each with a newline and nothing "
                + "else; not at all (default: text)"),
        formatOption, deviceOption,
    ],
    examples: [
        ("walctl events /var/lib/sluice/web --limit 10", "the ten oldest that wait"),
        ("walctl events /var/lib/sluice/web --grep ' 50[0-9] ' --header host=web-1 --body raw", "the lines themselves"),
        (
            "walctl events /var/lib/sluice/web --state all --from 1200 --to 1210 --format jsonl",
            "events by number, taken or not"
        ),
    ])

private let checkpointVerb = VerbTable(
    name: "checkpoint", operands: ["DIR"],
    summary:
        "every checkpoint slot and every segment's snapshot, side by side; which one an opening would take, and why",
    options: [formatOption, deviceOption],
    examples: [
        ("walctl checkpoint /var/lib/sluice/web", "where an opening would begin, and what it would find known there")
    ])

private let explainVerb = VerbTable(
    name: "explain", operands: ["DIR|SEGMENT", "PLACE"],
    summary: "what lies at a place, and why it is judged valid, torn, damaged or stale: each rule with its outcome",
    options: [formatOption, deviceOption],
    examples: [
        (
            "walctl explain /var/lib/sluice/web 1f/2a00",
            "a place as logs and reports print it, segment and offset in hexadecimal"
        ),
        ("walctl explain /var/lib/sluice/web 4711", "an event: the frame that holds it, or what became of it"),
        ("walctl explain /var/lib/sluice/web checkpoint:0", "a byte of a file"),
    ])

extension FrameType {
    /// As text and JSON call it.
    var word: String { "\(self)" }
}
