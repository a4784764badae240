import LogFormat

/// Series as text and as JSON.
struct SeriesReport {
    /// A series with what is said of it.
    struct Entry {
        var series: Series
        var remarks: [String] = []
        var comparisons: [Comparison] = []
        var json: [(String, JSON)] = []
        /// Of a channel's puts.
        var mostGroupsInFlight = 0
        /// What the process held of memory, at the most, beyond what it held before the channel was opened.
        var residentBytes: UInt64 = 0
    }

    let options: Options
    /// What was measured, in a line.
    let title: String
    let machine: Machine
    let entries: [Entry]
    /// Whether a measurement goes on for the time that was asked for; else until its work is done.
    var isTimed = true

    private static let widths = [9, 11, 25, 9, 9, 9, 9]

    var report: Report {
        let head =
            "walbench \(options.command.rawValue): \(title), \(count(options.rounds, "round"))"
            + (isTimed ? " of \(options.seconds) s" : "") + " after one to warm up"
        return Report(
            text: [head, machine.line] + entries.flatMap(lines),
            json: .object([
                ("benchmark", .text(options.command.rawValue)), ("machine", machine.json),
                ("seconds", .number(options.seconds)), ("rounds", .number(Double(options.rounds))),
                ("series", .list(entries.map(json))),
            ]),
            comparisons: entries.flatMap(\.comparisons), series: entries.map(\.series))
    }

    private func lines(_ entry: Entry) -> [String] {
        let series = entry.series
        var lines = ["", series.name]
        lines += entry.remarks.map { "  \($0)" }
        lines.append(
            row(["", "events/s", "min - max", "MB/s", "p50 us", "p99 us", "p99.9 us"], widths: Self.widths))
        for subject in series.subjects {
            let rate = series.rate(subject)
            lines.append(
                row(
                    [
                        "  \(subject.rawValue)", whole(rate.median), "\(whole(rate.minimum)) - \(whole(rate.maximum))",
                        whole(rate.median * series.bodyBytes / 1e6),
                    ] + latencies(series.latency(subject)), widths: Self.widths))
            guard options.isVerbose else { continue }
            for (round, sample) in series.samples[subject]!.enumerated() {
                lines.append(
                    row(
                        [
                            "", whole(sample.eventsPerSecond), "round \(round + 1)",
                            whole(sample.eventsPerSecond * series.bodyBytes / 1e6),
                        ] + latencies(sample.microseconds.isEmpty ? nil : Statistics(sample.microseconds)),
                        widths: Self.widths))
            }
        }
        if let methods = series.rawMethods { lines.append("  best raw method, in so many rounds: \(methods)") }
        return lines + entry.comparisons.map(\.line)
    }

    private func latencies(_ statistics: Statistics?) -> [String] {
        [0.5, 0.99, 0.999].map { fraction in statistics.map { whole($0.quantile(fraction)) } ?? "-" }
    }

    private func json(_ entry: Entry) -> JSON {
        let series = entry.series
        let subjects = series.subjects.map { subject -> (String, JSON) in
            var members: [(String, JSON)] = [
                ("eventsPerSecond", series.rate(subject).json),
                ("rounds", .list(series.samples[subject]!.map { .number($0.eventsPerSecond) })),
            ]
            if let latency = series.latency(subject) {
                members += [
                    ("p50Microseconds", .number(latency.median)), ("p99Microseconds", .number(latency.quantile(0.99))),
                    ("p999Microseconds", .number(latency.quantile(0.999))),
                ]
            }
            return (subject.rawValue, .object(members))
        }
        return .object(
            [("name", .text(series.name)), ("bodyBytes", .number(series.bodyBytes))] + entry.json + subjects
                + [("comparisons", .list(entry.comparisons.map(\.json)))])
    }
}
