import DurableChannel
import LogFormat

/// `walbench put` and `walbench commit`: the channel, a bare log and raw writes, in turn, by producers and batch.
///
/// - **channel**: each producer begins a put, appends the events one by one, commits. Events/s count all of it,
///   latencies are those of the commit. The channel is emptied between measurements, by takes that are not timed.
/// - **bare**: the same threads and bytes, encoded beforehand and not compressed, through ``BareLog``.
/// - **raw**: one thread, blocks of the size that the channel's groups had in the measurement before. With lines, of
///   the size that they would have had without LZ4.
/// - **lz4**, with lines: the same batches through LZ4 (and a checksum of what comes out) on all cores, and no disk.
struct PutBenchmark {
    private struct Shape {
        var producers: Int
        var batch: Int

        var name: String { "\(count(producers, "producer")) x \(count(batch, "event"))" }
    }

    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    private var shapes: [Shape] {
        if options.command == .commit { return [Shape(producers: 1, batch: 1)] }
        let all = (options.batches ?? [1, 100]).flatMap { batch in
            (options.producers ?? [1, 8, 64]).map { Shape(producers: $0, batch: batch) }
        }
        guard options.producers == nil, options.batches == nil else { return all }
        return all.filter { $0.producers < 64 || $0.batch == 1 }
    }

    func run() throws -> Report {
        SeriesReport(
            options: options,
            title:
                bodies.title,
            machine: Machine(workplace), entries: try entries()
        ).report
    }

    func entries() throws -> [SeriesReport.Entry] {
        let shapes = shapes
        let workloads = try shapes.map { try Workload(bodies, threads: $0.producers, eventsInBatch: $0.batch) }
        let baselines = try Baselines(workplace, workloads)
        let residentBefore = Machine.residentBytes
        var resident: [UInt64] = Array(repeating: 0, count: shapes.count)
        // One for each, so that what a channel says of itself is of one shape.
        let channels = try shapes.map {
            try MeasuredChannel(at: workplace.path("channel-\($0.producers)x\($0.batch)"), bodies.compression)
        }
        var series = zip(shapes, workloads).map { shape, workload in
            Series(
                shape.name, [.channel, .bare, .raw] + (bodies.compression == .lz4 ? [.lz4] : []),
                bodyBytes: workload.bodyBytes)
        }
        let measure = { (index: Int) throws in
            try channels[index].measurePuts(workloads[index], for: options.sliceNanoseconds) {
                resident[index] = max(resident[index], Machine.residentBytes)
            }
        }
        var latest = try shapes.indices.map { try measure($0).writes! }
        try interleave(&series, rounds: options.rounds, slices: options.slices) { series, index, subject in
            switch subject {
            case .bare:
                return [(subject, try baselines.measureBare(workloads[index], for: options.sliceNanoseconds))]
            case .raw:
                return try measureRaw(
                    baselines, WriteFigures([latest[index]], bodyBytes: series.bodyBytes), workloads[index])
            case .lz4: return [(subject, try measureLZ4(workloads[index]))]
            default:
                let sample = try measure(index)
                latest[index] = sample.writes!
                return [(subject, sample)]
            }
        }
        let most = channels.map { $0.channel.metrics.mostGroupsInFlight }
        for channel in channels { try channel.close() }
        return series.indices.map { index in
            var entry = entry(series[index], shapes[index], mostGroupsInFlight: most[index])
            entry.residentBytes = resident[index] - min(resident[index], residentBefore)
            return entry
        }
    }

    private func measureRaw(
        _ baselines: Baselines, _ writes: WriteFigures, _ workload: Workload
    ) throws -> [(Subject, Sample)] {
        try baselines.measureRaw(
            bytes: bodies.compression == .lz4 ? writes.eventsInGroup * workload.encodedBytes : writes.groupBytes,
            eventsEach: writes.eventsInGroup, for: options.sliceNanoseconds)
    }

    private func measureLZ4(_ workload: Workload) throws -> Sample {
        let measured = try Measurement(threads: Machine.cpus, for: options.sliceNanoseconds) { thread, turn, _ in
            let raw = workload.payload(
                thread: (thread + turn) % workload.threads, turn: turn / workload.threads)
            _ = try FramePayload(
                type: .put, eventCount: UInt32(workload.eventsInBatch), transactionCount: 1, raw: raw,
                compression: .lz4)
        }
        return Sample(measured, eventsEach: Double(workload.eventsInBatch))
    }

    private func entry(_ series: Series, _ shape: Shape, mostGroupsInFlight: Int) -> SeriesReport.Entry {
        let writes = series.writes
        return SeriesReport.Entry(
            series: series,
            remarks: [
                "groups of \(decimal(writes.transactionsInGroup, 1)) transactions and \(kibibytes(writes.groupBytes)), "
                    + "at most \(mostGroupsInFlight) in flight; \(decimal(writes.amplification, 2)) B written for each "
                    + "B of event bodies"
            ],
            comparisons: comparisons(series, shape),
            json: [
                ("producers", .number(Double(shape.producers))), ("eventsInTransaction", .number(Double(shape.batch))),
                ("writes", writes.json), ("mostGroupsInFlight", .number(Double(mostGroupsInFlight))),
            ], mostGroupsInFlight: mostGroupsInFlight)
    }

    /// With the bars of ENGINE.md, section 8, where they are for this shape.
    private func comparisons(_ series: Series, _ shape: Shape) -> [Comparison] {
        let isB1 = bodies.isRandomOfBars && options.command == .commit
        let isB2 = bodies.isRandomOfBars && shape.batch == 1 && [8, 64].contains(shape.producers)
        let isB3 = bodies.isRandomOfBars && shape.batch == 100 && [1, 8].contains(shape.producers)
        var all = [
            series.compare("events/s", to: .bare, name: isB2 ? "B2" : "B3", isB2 || isB3 ? .atLeast(0.9) : nil),
            series.compare(
                "events/s", to: .raw, name: "B3", isB3 && shape.producers == 1 ? .atLeast(0.6) : nil),
            series.compare("p50", to: .bare) { $0.latency(0.5) },
            series.compare("p99", to: .bare, name: "B2", isB2 ? .atMost(1.5) : nil) { $0.latency(0.99) },
            series.compare("p50", to: .raw, name: "B1", isB1 ? .atMost(1.15) : nil) { $0.latency(0.5) },
        ]
        guard bodies.compression == .lz4 else { return all }
        all.append(series.compare("events/s", to: .lz4))
        let limits = zip(series.samples[.raw]!, series.samples[.lz4]!).map { raw, lz4 in
            min(1.3 * raw.eventsPerSecond, 0.6 * lz4.eventsPerSecond)
        }
        let isB4 = bodies.isLines && shape.producers == 8 && shape.batch == 100
        all.append(
            Comparison(
                name: isB4 ? "B4" : "", series: series.name, what: "events/s / min(1.3 raw, 0.6 lz4)",
                bar: isB4 ? .atLeast(1) : nil,
                pairs: zip(series.samples[.channel]!, limits).map { $0.eventsPerSecond / $1 }))
        return all
    }
}
