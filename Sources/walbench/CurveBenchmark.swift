import LogFormat

/// `walbench curve`: puts by producers, batch and body, one shape after the other: the channel, a bare log and raw writes, in
/// turn, as ``PutBenchmark`` measures them.
struct CurveBenchmark {
    /// One shape with what it came to.
    struct Point {
        let kind: String
        let producers: Int
        let batch: Int
        let entry: SeriesReport.Entry

        var series: Series { entry.series }
        var eventsPerSecond: Double { series.rate(.channel).median }
        var megabytesPerSecond: Double { eventsPerSecond * series.bodyBytes / 1e6 }
        var bareEventsPerSecond: Double { series.rate(.bare).median }
        func ratio(to other: Subject) -> Double {
            Statistics(series.ratios(.channel, to: other) { $0.eventsPerSecond }).median
        }
        var processorSecondsPerMillion: Double {
            Statistics(series.samples[.channel]!.compactMap(\.processorSecondsPerMillion)).median
        }
    }

    /// A shape that was left out, and why.
    struct Skipped {
        let what: String
        let why: String
    }

    let options: Options
    let workplace: Workplace

    /// What puts of one measurement may hold in memory: bodies, and the same encoded.
    private static let workloadBytes = 1 << 30
    private static let documents = 10_000

    private var producers: [Int] { options.producers ?? [1, 2, 4, 8, 16, 64] }
    private var batches: [Int] { options.batches ?? [1, 10, 100, 1000] }

    func run() throws -> Report {
        var kinds = [64, 512, 4096, 65_536].map { Bodies.random($0) }
        var skipped: [Skipped] = []
        if let path = options.linesPath {
            kinds.append(try Bodies(linesOf: path))
        } else {
            skipped.append(Skipped(what: "real log lines", why: "no file was named with --lines"))
        }
        kinds.append(.documents(Documents.make(Self.documents)))
        var points: [Point] = []
        for bodies in kinds {
            tell("events of \(bodies.name)")
            for batch in batches {
                for producers in producers {
                    let what = "\(bodies.name), \(producers) x \(batch)"
                    if let why = reasonToSkip(bodies, producers, batch) {
                        skipped.append(Skipped(what: what, why: why))
                        continue
                    }
                    points.append(try measure(bodies, producers, batch))
                }
            }
        }
        return CurveReport(options: options, machine: Machine(workplace), points: points, skipped: skipped).report
    }

    private func reasonToSkip(_ bodies: Bodies, _ producers: Int, _ batch: Int) -> String? {
        // With headers and the lengths of everything.
        let transactionBytes = batch * (bodies.bytes + 128)
        if transactionBytes > FormatConstants.maximumTransactionBytes { return "a transaction holds 64 MiB at most" }
        if 2 * producers * transactionBytes > Self.workloadBytes {
            return "the events themselves would take more than \(Self.workloadBytes >> 30) GiB of memory"
        }
        return nil
    }

    private func measure(_ bodies: Bodies, _ producers: Int, _ batch: Int) throws -> Point {
        var options = options
        options.producers = [producers]
        options.batches = [batch]
        let entry = try PutBenchmark(options: options, workplace: workplace, bodies: bodies).entries()[0]
        try workplace.empty()
        return Point(kind: bodies.name, producers: producers, batch: batch, entry: entry)
    }
}
