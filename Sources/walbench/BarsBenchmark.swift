import LogFormat

/// `walbench bars`: every bar, and the field, in one run: the other benchmarks with their defaults, one after the other,
/// and a table of what they came to.
///
/// Each part has a workplace of its own, which is gone before the next begins, so that nobody measures on a fuller disk.
struct BarsBenchmark {
    let options: Options

    /// One benchmark, and what is changed of its defaults.
    private struct Part {
        var command: Options.Command
        var isOfLines = false
        var change: (inout Options) -> Void = { _ in }
    }

    func run() throws -> Report {
        var comparisons: [Comparison] = []
        var machine: Machine?
        var field = Field()
        for part in parts {
            var options = Options(part.command)
            options.directory = self.options.directory
            options.rounds = self.options.rounds
            if part.isOfLines {
                guard let lines = self.options.linesPath else { continue }
                options.linesPath = lines
            }
            part.change(&options)
            tell("\(options.command.rawValue)\(part.isOfLines ? " --lines" : "")")
            let workplace = try Workplace(under: options.directory)
            defer { workplace.remove() }
            let report = try measure(options, workplace)
            machine = Machine(workplace)
            comparisons += report.comparisons.filter { $0.bar != nil }.map { comparison in
                var named = comparison
                if part.isOfLines { named.series += ", real lines" }
                return named
            }
            if !part.isOfLines { field.note(report) }
        }
        return report(comparisons + field.comparisons, machine!)
    }

    private var parts: [Part] {
        [
            // What scales the figures of the field: three sizes.
            Part(command: .raw) { $0.seconds = 0.2 },
            Part(command: .commit),
            Part(command: .put) { $0.seconds = 0.4 },
            Part(command: .put, isOfLines: true) { options in
                options.producers = [8]
                options.batches = [100]
            },
            Part(command: .take),
            Part(command: .take, isOfLines: true),
            Part(command: .ready) { $0.isFull = true },
            Part(command: .written),
            Part(command: .written, isOfLines: true),
            Part(command: .verify) { $0.batches = [100] },
        ]
    }

    /// How many times as fast as the best rival of each column, drawn.
    private func field(_ comparisons: [Comparison]) -> [String] {
        comparisons.filter { $0.name == Field.name && $0.isAtLeast }.map { comparison in
            let median = comparison.statistics.median
            return row(
                [comparison.series, comparison.rival, decimal(median, 2)], widths: [Self.widths[1], 12, 5], names: 2)
                + "  " + String(repeating: "#", count: min(60, Int((median * Self.charactersForOne).rounded())))
        }
    }

    private static let charactersForOne = 8.0

    // MARK: Report

    private static let widths = [5, 67, 39, 7, 15, 8, 4]

    private func report(_ comparisons: [Comparison], _ machine: Machine) -> Report {
        let sorted = comparisons.sorted { $0.name < $1.name }
        var text = [
            "walbench bars: medians of \(count(options.rounds, "pair")), and all pairs", machine.line, "",
            row(["bar", "of", "what", "median", "min - max", "bar", ""], widths: Self.widths, names: 3),
        ]
        for comparison in sorted {
            let statistics = comparison.statistics
            text.append(
                row(
                    [
                        comparison.name, comparison.series, comparison.what, decimal(statistics.median, 2),
                        "\(decimal(statistics.minimum, 2)) - \(decimal(statistics.maximum, 2))", comparison.bar!.text,
                        comparison.isMet.map { $0 ? "pass" : "FAIL" } ?? "few",
                    ], widths: Self.widths, names: 3))
            text.append("        pairs " + comparison.allPairs)
        }
        let met = sorted.count { $0.isMet == true }
        text.append("")
        text.append("\(met) of \(sorted.count) pass")
        if options.linesPath == nil {
            text.append("skipped, for want of --lines: B4, B5 and B8 with real lines and LZ4")
        }
        text += ["", Field.explanation] + field(sorted)
        return Report(
            text: text,
            json: .object([
                ("benchmark", .text("bars")), ("machine", machine.json),
                ("rounds", .number(Double(options.rounds))), ("met", .number(Double(met))),
                ("bars", .list(sorted.map(\.json))),
                ("skipped", .list(options.linesPath == nil ? [.text("lines")] : [])),
            ]), comparisons: sorted)
    }
}
