import DurableChannel
import LogFormat
import Synchronization

/// `walbench written`: how much is written to the disk for what is put, with puts and takes together.
///
/// The channel is small, so that its segments are used again and again. A round goes on until three times the capacity is
/// written, and until all is taken; so nine rounds write the capacity 27 times. **Written** is every byte that is handed to the
/// file system: groups of puts and takes, checkpoints, identities, zeros of pre-writing. **Accepted** is what the events consist
/// of: keys and values of headers, and bodies. The round that warms up writes all segments for the first time.
struct WrittenBenchmark {
    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    static let capacityBytes = 128 << 20
    private static let capacitiesInRound = 3

    /// One channel, and each of its rounds but the first.
    struct Line {
        let blockBytes: Int
        var rounds: [Round] = []

        func statistics(_ figure: (Round) -> Double) -> Statistics { Statistics(rounds.map(figure)) }
    }

    struct Round {
        var written: Traffic.Reading
        var acceptedBytes: Double
        var seconds: Double

        var writtenBytes: Double { Double(written.writtenBytes) }
        var amplification: Double { writtenBytes / acceptedBytes }
    }

    private var producers: Int { options.producers?.first ?? 4 }
    private var batch: Int { options.batches?.first ?? 100 }

    func run() throws -> Report {
        let workload = try Workload(bodies, threads: producers, eventsInBatch: batch)
        let blocks = [512, 4096].filter { $0 >= workplace.volume.logicalBlockBytes }
        var lines = blocks.map { Line(blockBytes: $0) }
        let channels = try blocks.map { block in
            try MeasuredChannel(at: workplace.path("blocks-\(block)"), bodies.compression) {
                $0.capacityBytes = UInt64(Self.capacityBytes)
                $0.blockBytes = block
            }
        }
        for round in 0...options.rounds {
            for index in lines.indices {
                let measured = try measure(channels[index], workload)
                if round > 0 { lines[index].rounds.append(measured) }
            }
        }
        for channel in channels { try channel.close() }
        return report(lines)
    }

    private func measure(_ measured: MeasuredChannel, _ workload: Workload) throws -> Round {
        let producers = self.producers
        let batch = self.batch
        let clock = SystemRuntime()
        let started = clock.monotonicClock()
        let before = measured.traffic.reading
        let accepted = Atomic<Int>(0)
        let putting = Atomic<Int>(producers)
        let outcomes = onThreads(2 * producers) { thread -> Result<Void, any Error> in
            Result {
                guard thread < producers else {
                    while true {
                        let isLast = putting.load(ordering: .acquiring) == 0
                        let take = try measured.channel.beginTake(maxEvents: batch, waitingUpTo: .milliseconds(1))
                        if take.isEmpty, isLast { return }
                        try take.commit()
                        if Interruption.isRequested { throw Interruption() }
                    }
                }
                // Whoever fails must not leave the takers waiting.
                defer { putting.subtract(1, ordering: .releasing) }
                var turn = 0
                var stopwatch = Measurement.Stopwatch(clock)
                while (measured.traffic.reading - before).writtenBytes < Self.capacitiesInRound * Self.capacityBytes {
                    guard !Interruption.isRequested else { throw Interruption() }
                    let batch = workload.batch(thread: thread, turn: turn)
                    try measured.put(batch, &stopwatch)
                    accepted.add(batch.acceptedBytes, ordering: .relaxed)
                    turn += 1
                }
            }
        }
        for outcome in outcomes { try outcome.get() }
        let seconds = Double(clock.monotonicClock() - started) / 1e9
        measured.traffic.waitUntilQuiet()
        return Round(
            written: measured.traffic.reading - before,
            acceptedBytes: Double(accepted.load(ordering: .relaxed)), seconds: seconds)
    }

    // MARK: Report

    /// The bars of ENGINE.md, section 8, are for blocks of 512 B, and for four threads each with batches of 100.
    private func comparison(_ line: Line) -> Comparison {
        let isOfBars = line.blockBytes == 512 && producers == 4 && batch == 100
        var bar: Comparison.Bar?
        if isOfBars, bodies.isLines { bar = .atMost(0.30) }
        if isOfBars, bodies.isRandomOfBars { bar = .atMost(1.10) }
        return Comparison(
            name: bar == nil ? "" : "B8",
            series: "\(count(producers, "put")) and \(count(producers, "take")), batches of \(batch), \(bodies.name)",
            what: "written / accepted, blocks of \(line.blockBytes) B", bar: bar,
            pairs: line.rounds.map(\.amplification))
    }

    private static let widths = [17, 18, 15, 10, 13, 11, 14]

    private func report(_ lines: [Line]) -> Report {
        let machine = Machine(workplace)
        var text = [
            "walbench written: \(count(producers, "put")) and \(count(producers, "take")) together, batches of \(batch), "
                + "\(bodies.title);",
            "capacity \(Self.capacityBytes >> 20) MiB, written \(Self.capacitiesInRound) times in each of "
                + "\(count(options.rounds, "round")) after one to warm up",
            machine.line, "",
            row(
                ["", "written / accepted", "min - max", "written", "not in groups", "group", "accepted MB/s"],
                widths: Self.widths),
        ]
        for line in lines {
            let amplification = line.statistics(\.amplification)
            text.append(
                row(
                    [
                        "blocks of \(line.blockBytes) B", decimal(amplification.median, 3),
                        "\(decimal(amplification.minimum, 3)) - \(decimal(amplification.maximum, 3))",
                        "\(decimal(line.rounds.reduce(0) { $0 + $1.writtenBytes } / Double(Self.capacityBytes), 1)) x",
                        "\(decimal(100 * line.statistics { Double($0.written.otherBytes) / $0.writtenBytes }.median, 1)) %",
                        kibibytes(line.statistics { Double($0.written.groupBytes) / Double($0.written.groups) }.median),
                        whole(line.statistics { $0.acceptedBytes / $0.seconds / 1e6 }.median),
                    ], widths: Self.widths))
        }
        text.append(
            "  written: times the capacity, in all rounds; not in groups: pre-written zeros, identities, checkpoints")
        if workplace.volume.logicalBlockBytes > 512 {
            text.append(
                "  not measured: blocks of 512 B, which a device with blocks of \(workplace.volume.logicalBlockBytes) B does not have"
            )
        }
        return Report(
            text: text + lines.map { comparison($0).line },
            json: .object([
                ("benchmark", .text("written")), ("machine", machine.json), ("bodies", .text(bodies.name)),
                ("producers", .number(Double(producers))), ("eventsInTransaction", .number(Double(batch))),
                ("capacityBytes", .number(Double(Self.capacityBytes))),
                ("rounds", .number(Double(options.rounds))), ("results", .list(lines.map(json))),
                ("comparisons", .list(lines.map { comparison($0).json })),
            ]), comparisons: lines.map(comparison))
    }

    private func json(_ line: Line) -> JSON {
        .object([
            ("blockBytes", .number(Double(line.blockBytes))),
            ("amplification", line.statistics(\.amplification).json),
            (
                "rounds",
                .list(
                    line.rounds.map {
                        .object([
                            ("acceptedBytes", .number($0.acceptedBytes)), ("seconds", .number($0.seconds)),
                            ("groups", .number(Double($0.written.groups))),
                            ("groupBytes", .number(Double($0.written.groupBytes))),
                            ("otherBytes", .number(Double($0.written.otherBytes))),
                        ])
                    })
            ),
        ])
    }
}
