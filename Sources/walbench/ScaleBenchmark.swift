import DurableChannel
import FileIO
import LogFormat

/// `walbench scale`: whether anything depends on how much is queued. One channel, filled further and further; at each depth it is
/// closed, opened by another process (``Stage``), and measured there: opening, puts, takes, memory.
struct ScaleBenchmark {
    /// What a stage said.
    struct Line {
        var queued = 0.0
        var milliseconds = 0.0
        var openedBytes = 0.0
        var peakBytes = 0.0
        var diskBytes = 0.0
        var puts: [Double] = []
        var takes: [Double] = []
    }

    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    private var depths: [Int] {
        (options.events ?? [0, 1_000_000, 10_000_000]) + (options.isFull ? [100_000_000] : [])
    }

    func run() throws -> Report {
        var lines: [Line] = []
        for depth in depths.sorted() {
            tell("\(whole(Double(depth))) queued events")
            lines.append(try measure(depth))
        }
        return report(lines)
    }

    private func measure(_ depth: Int) throws -> Line {
        var line = Line()
        var arguments = [
            "stage", "--dir", workplace.path("channel"), "--events", "\(depth)", "--body", "\(options.bodyBytes)",
            "--seconds", "\(options.seconds)", "--rounds", "\(options.rounds)",
        ]
        if let path = options.linesPath { arguments += ["--lines", path] }
        // The first brings it to its depth, the second finds it there.
        for isMeasured in [false, true] {
            let process = try ChildProcess(arguments + (isMeasured ? [] : ["--fill"]))
            while true {
                let said = try process.line()
                if said == "end" { break }
                if isMeasured { line.note(said) }
            }
        }
        return line
    }

    // MARK: Report

    private static let widths = [12, 9, 12, 22, 12, 22, 11, 11, 9]

    private func report(_ lines: [Line]) -> Report {
        let machine = Machine(workplace)
        var text = [
            "walbench scale: \(bodies.title); "
                + "\(Stage.producers) producers x \(Stage.batch), 1 taker x \(Stage.eventsInTake), "
                + "\(count(options.rounds, "round")) of \(options.seconds) s each",
            machine.line, "",
            row(
                [
                    "queued", "open ms", "puts/s", "min - max", "takes/s", "min - max", "opened", "peak", "on disk",
                ], widths: Self.widths),
        ]
        for line in lines {
            let puts = Statistics(line.puts)
            let takes = Statistics(line.takes)
            text.append(
                row(
                    [
                        whole(line.queued), decimal(line.milliseconds, 1), whole(puts.median),
                        "\(whole(puts.minimum)) - \(whole(puts.maximum))", whole(takes.median),
                        "\(whole(takes.minimum)) - \(whole(takes.maximum))", mebibytes(line.openedBytes),
                        mebibytes(line.peakBytes), "\(decimal(line.diskBytes / 1e9, 2)) GB",
                    ], widths: Self.widths))
        }
        text.append(
            "  opened, peak: resident memory of the process when the channel was open, and at the most, with the events that it puts"
        )
        return Report(
            text: text,
            json: .object([
                ("benchmark", .text("scale")), ("machine", machine.json), ("bodies", .text(bodies.name)),
                ("rounds", .number(Double(options.rounds))), ("seconds", .number(options.seconds)),
                ("results", .list(lines.map(json))),
            ]))
    }

    private func json(_ line: Line) -> JSON {
        .object([
            ("queued", .number(line.queued)), ("openMilliseconds", .number(line.milliseconds)),
            ("openedBytes", .number(line.openedBytes)), ("peakBytes", .number(line.peakBytes)),
            ("diskBytes", .number(line.diskBytes)), ("putsPerSecond", .list(line.puts.map(JSON.number))),
            ("takesPerSecond", .list(line.takes.map(JSON.number))),
        ])
    }
}

extension ScaleBenchmark.Line {
    /// From `name=number ...`.
    fileprivate mutating func note(_ text: String) {
        for (name, value) in figures(in: text) {
            switch name {
            case "queued": queued = value
            case "opened": milliseconds = value / 1e6
            case "resident": openedBytes = value
            case "peak": peakBytes = value
            case "disk": diskBytes = value
            case "put": puts.append(value)
            case "take": takes.append(value)
            default: break
            }
        }
    }
}

/// One process of ``ScaleBenchmark``: opens the channel, says what that took, brings it to its depth, or puts and takes in turn.
struct Stage {
    let options: Options

    static let producers = 4
    static let batch = 100
    static let eventsInTake = 1000

    func run() throws {
        let depth = options.events?.first ?? 0
        let bodies = try Bodies(options)
        let fileSystem = CountingFileSystem(LinuxFileSystem())
        let clock = SystemRuntime()
        // Ample, whatever the depth, so that all stages open the same channel.
        var configuration = ChannelConfiguration(capacityBytes: 64 << 30)
        configuration.compression = bodies.compression
        let started = clock.monotonicClock()
        let channel = try FileChannel.open(
            at: options.directory, configuration: configuration, fileSystem: fileSystem)
        let opened = clock.monotonicClock() - started
        Life.say([
            ("queued", channel.metrics.heldEvents), ("opened", opened), ("resident", Machine.residentBytes),
        ])
        let measured = MeasuredChannel(channel, fileSystem.traffic)
        let workload = try Workload(bodies, threads: Self.producers, eventsInBatch: Self.batch)
        if options.isFilling {
            let held = Int(channel.metrics.heldEvents)
            if held < depth { try measured.fill(workload, events: depth - held) }
        } else {
            // A round that warms up first.
            for round in 0...options.rounds {
                let put = try putForAWhile(measured, workload)
                let take = try takeForAWhile(channel, clock)
                if round > 0 { Life.say([("put", UInt64(put)), ("take", UInt64(take))]) }
            }
        }
        Life.say([("peak", Life.peakBytes), ("disk", channel.metrics.diskBytes)])
        try channel.close()
        print("end")
    }

    private func putForAWhile(_ measured: MeasuredChannel, _ workload: Workload) throws -> Double {
        let puts = try Measurement(threads: Self.producers, for: options.nanoseconds) { thread, turn, stopwatch in
            try measured.put(workload.batch(thread: thread, turn: turn), &stopwatch)
        }
        return puts.operationsPerSecond * Double(Self.batch)
    }

    /// From the front of the queue: at a depth above 0 what was put long ago.
    private func takeForAWhile(_ channel: FileChannel, _ clock: SystemRuntime) throws -> Double {
        let started = clock.monotonicClock()
        var taken = 0
        while clock.monotonicClock() - started < options.nanoseconds {
            let take = try channel.beginTake(maxEvents: Self.eventsInTake, maxBytes: 1 << 30)
            if take.isEmpty { break }
            taken += take.events.count
            try take.commit()
        }
        return Double(taken) * 1e9 / Double(clock.monotonicClock() - started)
    }
}
