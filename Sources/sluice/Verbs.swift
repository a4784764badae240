import CommandOptions

/// Everything that `sluice` understands.
let table = CommandTable(
    name: "sluice", summary: "lines in and out of a durable channel", verbs: [putVerb, takeVerb],
    notes: """
        DIR is the channel's directory; put makes it when it is not there. One process at a time uses a channel.
        A size is in bytes, or with KiB, MiB, GiB or TiB behind it. Options may also be written --name=value.
        A channel remembers its capacity and segment size. Compression and durability hold for one run of put, and for
        the lines that it puts.
        SIGTERM and SIGINT end cleanly, with what was done so far committed; a second one kills.
        Exit codes: 0 done, 1 the channel refused, 64 wrong arguments, 74 an operation on a file failed, 75 in use.
        """)

private let putVerb = VerbTable(
    name: "put", operands: ["DIR"], summary: "each line of standard input, or of a file, becomes an event",
    options: [
        Option(
            "--file", .text, "F",
            help: "read F, not standard input, and remember in the channel how far it was put: run again, also after a "
                + "crash, it goes on exactly there; it ends at the end of F"),
        Option("--batch", .number(1...10_000_000), "N", help: "lines in a transaction, at most (default: 1000)"),
        Option(
            "--producers", .number(1...256), "P",
            help:
                "threads that put side by side (default: 1); with more than one the order between batches is not kept, "
                + "and --file is not possible"),
        Option("--header", .pair, "K=V", isRepeatable: true, help: "a header for each event; may be given again"),
        Option("--compression", .choice(["lz4", "none"]), "lz4|none", help: "of the events on disk (default: lz4)"),
        Option(
            "--durability", .choice(["commit", "interval", "none"]), "commit|interval|none",
            help:
                "when a batch counts as put: when it is synced (commit, the default), or before; then a power cut "
                + "loses what was acknowledged within the last second (interval) or more (none)"),
        Option(
            "--capacity-bytes", .size, "B",
            help:
                "what the channel may take on disk, everything counted (default: what it had last, 8GiB for a new "
                + "one)"),
        Option(
            "--segment-bytes", .size, "S",
            help:
                "size of new segments, a multiple of 4096 (default: as before; for a new channel an eighth of the "
                + "capacity, 64MiB at most)"),
        Option("--acks", help: "print 'ack FIRST LAST', the sequences of a batch, when it is durable"),
    ])

private let takeVerb = VerbTable(
    name: "take", operands: ["DIR"], summary: "write the channel's events, oldest first, and remove what was written",
    options: [
        Option("--limit", .number(1...UInt64.max), "N", help: "take no more than so many events"),
        Option(
            "--batch", .number(1...10_000_000), "N",
            help: "events in a take, at most; each is committed when all of it was written (default: 1000)"),
        Option(
            "--output", .text, "F",
            help: "write to F, not to standard output: each event exactly once, also after crashes; F is cut back to "
                + "what was committed, and written on"),
        Option(
            "--format", .choice(["text", "jsonl"]), "text|jsonl",
            help:
                "the body and a newline (the default), or a JSON object on a line: sequence, redelivered, headers, "
                + "body, or body_base64 where it is not UTF-8"),
        Option("--follow", help: "when the channel is empty, wait for more"),
        Option(
            "--acks",
            help:
                "print 'ack FIRST LAST' on standard output when a take is committed; with --output nothing else is "
                + "there"
        ),
    ])
