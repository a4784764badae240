import LogFormat

/// `walbench raw`: each method with three sizes.
struct RawBenchmark {
    let options: Options
    let workplace: Workplace

    private static let sizes = [512, 50 << 10, 400 << 10]

    private struct Line {
        var writer: RawWriter
        var blockBytes: Int
        var rates: [Double] = []
        var microseconds: [Double] = []
    }

    func run() throws -> Report {
        let writers = try RawWriter.all(in: workplace)
        var lines = Self.sizes.flatMap { size in
            writers.map { Line(writer: $0, blockBytes: workplace.roundedToBlock(size)) }
        }
        // All methods in each round, so that whatever slows the disk for a while slows them alike.
        for _ in 0..<options.rounds {
            for index in lines.indices {
                let measured = try lines[index].writer.measure(
                    blockBytes: lines[index].blockBytes, for: options.nanoseconds)
                lines[index].rates.append(measured.operationsPerSecond)
                lines[index].microseconds += measured.latencies.map { Double($0) / 1000 }
            }
        }
        return report(lines)
    }

    private func report(_ lines: [Line]) -> Report {
        let machine = Machine(workplace)
        let widths = [10, 30, 10, 21, 9, 9, 9]
        var text = [
            "walbench raw: one thread, \(count(options.rounds, "round")) of \(options.seconds) s", machine.line, "",
            row(["size", "method", "writes/s", "min - max", "MB/s", "p50 us", "p99 us"], widths: widths, names: 2),
        ]
        var results: [JSON] = []
        var best: [Int: Double] = [:]
        for line in lines {
            let rate = Statistics(line.rates)
            let latency = Statistics(line.microseconds)
            best[line.blockBytes] = max(best[line.blockBytes] ?? 0, rate.median)
            text.append(
                row(
                    [
                        kibibytes(Double(line.blockBytes)), line.writer.name, whole(rate.median),
                        "\(whole(rate.minimum)) - \(whole(rate.maximum))",
                        whole(rate.median * Double(line.blockBytes) / 1e6), whole(latency.median),
                        whole(latency.quantile(0.99)),
                    ], widths: widths, names: 2))
            if options.isVerbose {
                text.append("  round by round: " + line.rates.map(whole).joined(separator: " "))
            }
            results.append(
                .object([
                    ("blockBytes", .number(Double(line.blockBytes))), ("method", .text(line.writer.name)),
                    ("writesPerSecond", rate.json), ("rounds", .list(line.rates.map(JSON.number))),
                    ("p50Microseconds", .number(latency.median)),
                    ("p99Microseconds", .number(latency.quantile(0.99))),
                ]))
        }
        return Report(
            text: text,
            json: .object([
                ("benchmark", .text("raw")), ("machine", machine.json), ("seconds", .number(options.seconds)),
                ("rounds", .number(Double(options.rounds))), ("results", .list(results)),
            ]), writesPerSecond: best)
    }
}
