import LogFormat

/// The figures of `walbench ready` as text and as JSON.
struct ReadyReport {
    typealias Opening = ReadyBenchmark.Opening

    /// One depth in one variant.
    struct Line {
        let depth: Int
        let variant: ReadyBenchmark.Variant
        /// One for each round: the one in the middle.
        var openings: [Opening] = []
        /// All of them.
        var all: [Opening] = []

        /// The last so many were a round.
        mutating func endRound(of count: Int) {
            let sorted = all.suffix(count).sorted { $0.milliseconds < $1.milliseconds }
            openings.append(sorted[sorted.count / 2])
        }

        func statistics(_ figure: (Opening) -> Double) -> Statistics { Statistics(openings.map(figure)) }
    }

    let options: Options
    let machine: Machine
    let lines: [Line]

    private static let widths = [11, 18, 8, 15, 13, 7, 10, 9]

    var report: Report {
        var text = [
            "walbench ready: opening after SIGKILL, bodies of \(options.bodyBytes) B, "
                + count(options.rounds, "round"),
            machine.line, "",
            row(
                ["queued", "with", "open ms", "min - max", "+ first take", "calls", "read", "peak"],
                widths: Self.widths, names: 2),
        ]
        for line in lines {
            let open = line.statistics(\.milliseconds)
            let all = Statistics(line.all.map(\.milliseconds))
            text.append(
                row(
                    [
                        whole(line.statistics(\.queued).median), line.variant.rawValue, decimal(open.median, 1),
                        "\(decimal(all.minimum, 1)) - \(decimal(all.maximum, 1))",
                        decimal(line.statistics(\.tookMilliseconds).median, 1),
                        whole(line.statistics(\.calls).median), mebibytes(line.statistics(\.readBytes).median),
                        mebibytes(line.statistics(\.peakBytes).maximum),
                    ], widths: Self.widths, names: 2))
            if options.isVerbose { text += line.all.enumerated().map(verbose) }
        }
        text += [
            "  calls: of files and directories, by the opening alone; read: bytes, by it; peak: most resident memory",
            "  of the process until its first take. Without checkpoint file a segment at the most is replayed.",
        ]
        return Report(
            text: text + comparisons.map(\.line),
            json: .object([
                ("benchmark", .text("ready")), ("machine", machine.json),
                ("bodyBytes", .number(Double(options.bodyBytes))),
                ("rounds", .number(Double(options.rounds))), ("results", .list(lines.map(json))),
                ("comparisons", .list(comparisons.map(\.json))),
            ]), comparisons: comparisons)
    }

    private func verbose(_ index: Int, _ opening: Opening) -> String {
        row(
            [
                "", "opening \(index + 1)", decimal(opening.milliseconds, 1), "", decimal(opening.tookMilliseconds, 1),
                whole(opening.calls), mebibytes(opening.readBytes), mebibytes(opening.peakBytes),
            ], widths: Self.widths, names: 2)
            + opening.steps.map { "  \($0.name) \(decimal($0.milliseconds, 1))" }.joined()
    }

    /// The bars of ENGINE.md, section 8, are for the deepest queue that was measured.
    private var comparisons: [Comparison] {
        guard let deepest = lines.map(\.depth).max(), let shallowest = lines.map(\.depth).min() else { return [] }
        return lines.filter { $0.depth != shallowest || deepest == shallowest }.flatMap { line -> [Comparison] in
            let pairs = line.openings.map(\.milliseconds)
            let name = "\(whole(Double(line.depth))) queued"
            guard line.depth == deepest else {
                return [Comparison(series: name, what: "ms, \(line.variant.rawValue)", pairs: pairs)]
            }
            let small = lines.first { $0.depth == shallowest && $0.variant == line.variant }?.openings ?? []
            // Without it the replay reaches to the beginning of a segment, wherever that is.
            let hasBar = line.variant != .noCheckpoint
            var all = [
                Comparison(
                    name: hasBar ? "B7" : "", series: name, what: "ms, \(line.variant.rawValue)",
                    bar: hasBar ? .atMost(50) : nil,
                    pairs: pairs)
            ]
            if deepest != shallowest {
                all.append(
                    Comparison(
                        name: hasBar ? "B7" : "", series: "\(name), \(line.variant.rawValue)",
                        what: "/ ms with \(whole(Double(shallowest)))",
                        bar: hasBar ? .atMost(1.3) : nil,
                        pairs: zip(pairs, small.map(\.milliseconds)).map { $0 / $1 }))
            }
            all.append(
                Comparison(
                    name: "B7", series: "\(name), \(line.variant.rawValue)", what: "resident MiB", bar: .atMost(64),
                    pairs: line.openings.map { $0.peakBytes / 1_048_576 }))
            return all
        }
    }

    private func json(_ line: Line) -> JSON {
        .object([
            ("queued", .number(line.statistics(\.queued).median)), ("with", .text(line.variant.rawValue)),
            ("openMilliseconds", line.statistics(\.milliseconds).json),
            ("rounds", .list(line.openings.map { .number($0.milliseconds) })),
            ("openings", .list(line.all.map { .number($0.milliseconds) })),
            ("firstTakeMilliseconds", line.statistics(\.tookMilliseconds).json),
            ("calls", line.statistics(\.calls).json), ("readBytes", line.statistics(\.readBytes).json),
            ("peakBytes", line.statistics(\.peakBytes).json),
            (
                "stepMilliseconds",
                .list(
                    line.openings.map { opening in
                        .object(opening.steps.map { ($0.name, .number($0.milliseconds)) })
                    })
            ),
        ])
    }
}
