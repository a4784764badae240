import LogFormat

/// The figures of `walbench curve` as text, as JSON, and as a page.
struct CurveReport {
    typealias Point = CurveBenchmark.Point

    let options: Options
    let machine: Machine
    let points: [Point]
    let skipped: [CurveBenchmark.Skipped]

    var title: String {
        "walbench curve: puts by body, batch and producers, \(count(options.rounds, "round")) of \(options.seconds) s after one "
            + "to warm up"
    }

    var report: Report {
        Report(
            text: [title, machine.line] + lines + ["", Self.legend]
                + skipped.map { "  skipped: \($0.what): \($0.why)" },
            json: .object([
                ("benchmark", .text("curve")), ("machine", machine.json), ("seconds", .number(options.seconds)),
                ("rounds", .number(Double(options.rounds))), ("points", .list(points.map(json))),
                ("skipped", .list(skipped.map { .object([("what", .text($0.what)), ("why", .text($0.why))]) })),
            ]), page: CurvePage(report: self).html)
    }

    /// The bodies, in the order in which they were measured.
    var kinds: [String] { points.reduce(into: []) { if $0.last != $1.kind { $0.append($1.kind) } } }

    static let headings = [
        "batch", "producers", "events/s", "min - max", "MB/s", "/ bare", "/ raw", "p50 us", "p99", "p99.9", "group",
        "commits",
        "in flight", "written", "cpu s", "memory",
    ]
    private static let widths = [6, 9, 10, 22, 7, 6, 6, 8, 8, 8, 10, 7, 9, 7, 6, 8]

    static let legend =
        "  / bare, / raw: events/s by those of a bare log and of raw writes; p50 to p99.9: of commits; group, commits: bytes and "
        + "commits in a group; in flight: most groups at once; written: bytes to the disk for each of event bodies; cpu s: of all "
        + "threads for a million events, those that make them included; memory: what the process holds more than before the "
        + "channel was opened"

    private var lines: [String] {
        kinds.flatMap { kind in
            ["", "events of \(kind)", row(Self.headings, widths: Self.widths, names: 0)]
                + points.filter { $0.kind == kind }.map { row(Self.cells($0), widths: Self.widths, names: 0) }
        }
    }

    static func cells(_ point: Point) -> [String] {
        let rate = point.series.rate(.channel)
        let latency = point.series.latency(.channel)
        let writes = point.series.writes
        return [
            String(point.batch), String(point.producers), whole(rate.median),
            "\(whole(rate.minimum)) - \(whole(rate.maximum))", whole(point.megabytesPerSecond),
            decimal(point.ratio(to: .bare), 2), decimal(point.ratio(to: .raw), 2),
        ] + [0.5, 0.99, 0.999].map { fraction in latency.map { whole($0.quantile(fraction)) } ?? "-" } + [
            kibibytes(writes.groupBytes), decimal(writes.transactionsInGroup, 1),
            String(point.entry.mostGroupsInFlight), decimal(writes.amplification, 2),
            decimal(point.processorSecondsPerMillion, 2),
            mebibytes(Double(point.entry.residentBytes), 0),
        ]
    }

    private func json(_ point: Point) -> JSON {
        let latency = point.series.latency(.channel)
        return .object([
            ("bodies", .text(point.kind)), ("bodyBytes", .number(point.series.bodyBytes)),
            ("eventsInTransaction", .number(Double(point.batch))), ("producers", .number(Double(point.producers))),
            ("eventsPerSecond", point.series.rate(.channel).json),
            ("rounds", .list(point.series.samples[.channel]!.map { .number($0.eventsPerSecond) })),
            ("bareEventsPerSecond", point.series.rate(.bare).json),
            ("rawEventsPerSecond", point.series.rate(.raw).json),
            ("toBare", .number(point.ratio(to: .bare))), ("toRaw", .number(point.ratio(to: .raw))),
            ("p50Microseconds", .number(latency?.median ?? 0)),
            ("p99Microseconds", .number(latency?.quantile(0.99) ?? 0)),
            ("p999Microseconds", .number(latency?.quantile(0.999) ?? 0)),
            ("writes", point.series.writes.json),
            ("mostGroupsInFlight", .number(Double(point.entry.mostGroupsInFlight))),
            ("processorSecondsPerMillionEvents", .number(point.processorSecondsPerMillion)),
            ("residentBytes", .number(Double(point.entry.residentBytes))),
        ])
    }
}
