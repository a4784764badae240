/// The figures of `walbench log` as text and as JSON.
struct LogReport {
    let options: Options
    let machine: Machine
    let series: [LogSeries]

    private static let widths = [8, 11, 25, 9, 9, 7, 7]

    var report: Report {
        var text = [
            "walbench log: batches of \(Workload.eventsInBatch) events of \(Workload.bodyBytes) B, "
                + "\(count(options.rounds, "round")) of \(options.seconds) s after one to warm up",
            machine.line,
        ]
        for each in series { text += lines(each) }
        return Report(
            text: text,
            json: .object([
                ("benchmark", .text("log")), ("machine", machine.json), ("seconds", .number(options.seconds)),
                ("rounds", .number(Double(options.rounds))), ("eventsInBatch", .number(Double(Workload.eventsInBatch))),
                ("bodyBytes", .number(Double(Workload.bodyBytes))), ("series", .list(series.map(json))),
            ]))
    }

    private func lines(_ series: LogSeries) -> [String] {
        var lines = [
            "",
            "\(count(series.appenders, "appender")): the log's groups \(kibibytes(series.meanGroupBytes)), "
                + "\(decimal(series.writeAmplification, 2)) B written for each B of event bodies; "
                + "encoding alone \(decimal(series.encodingMicroseconds, 1)) us a batch",
            row(["", "events/s", "min - max", "p50 us", "p99 us", "/ bare", "/ raw"], widths: Self.widths),
        ]
        for subject in LogBenchmark.Subject.allCases {
            let rate = series.rate(subject)
            let latency = series.latency(subject)
            lines.append(
                row(
                    [
                        "  \(subject.rawValue)", whole(rate.median), "\(whole(rate.minimum)) - \(whole(rate.maximum))",
                        whole(latency.median), whole(latency.quantile(0.99)),
                        ratio(series.ratios(subject, to: .bare)), ratio(series.ratios(subject, to: .raw)),
                    ], widths: Self.widths))
        }
        for other in [LogBenchmark.Subject.bare, .raw] {
            let pairs = series.ratios(.log, to: other).map { decimal($0, 2) }.joined(separator: " ")
            lines.append("  log / \(other.rawValue), round by round: \(pairs)")
        }
        let methods = Set(series.rawMethods).sorted().map { method in
            "\(method) (\(series.rawMethods.count { $0 == method }))"
        }
        lines.append("  best raw method, in so many rounds: \(methods.joined(separator: ", "))")
        return lines
    }

    private func ratio(_ pairs: [Double]) -> String { decimal(Statistics(pairs).median, 2) }

    private func json(_ series: LogSeries) -> JSON {
        let subjects = LogBenchmark.Subject.allCases.map { subject -> (String, JSON) in
            let latency = series.latency(subject)
            return (
                subject.rawValue,
                .object([
                    ("eventsPerSecond", series.rate(subject).json),
                    ("rounds", .list(series.samples[subject]!.map { .number($0.eventsPerSecond) })),
                    ("p50Microseconds", .number(latency.median)),
                    ("p99Microseconds", .number(latency.quantile(0.99))),
                    ("toBare", .number(Statistics(series.ratios(subject, to: .bare)).median)),
                    ("toRaw", .number(Statistics(series.ratios(subject, to: .raw)).median)),
                ])
            )
        }
        return .object(
            [
                ("appenders", .number(Double(series.appenders))), ("meanGroupBytes", .number(series.meanGroupBytes)),
                ("writeAmplification", .number(series.writeAmplification)),
                ("encodingMicroseconds", .number(series.encodingMicroseconds)),
                ("rawMethods", .list(series.rawMethods.map(JSON.text))),
            ] + subjects)
    }
}
