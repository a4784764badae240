import DurableChannel
import FileIO
import LogFormat
import Synchronization

/// `walbench soak`: puts and takes on one channel that is never empty, for as long as is wanted, and whether memory, files or
/// the room that they take grow.
struct SoakBenchmark {
    /// What was seen in one stretch, and at its end.
    struct Line {
        var seconds = 0.0
        var put = 0.0
        var taken = 0.0
        var queued = 0.0
        var residentBytes = 0.0
        var files = 0.0
        var diskBytes = 0.0
    }

    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    private static let stretches = 12
    private static let producers = 2
    private static let takers = 2
    private static let batch = 100

    /// Takers leave as many; producers wait when there are twice as many.
    private var depth: Int { options.events?.first ?? 200_000 }

    func run() throws -> Report {
        let path = workplace.path("soak")
        let measured = try MeasuredChannel(at: path, bodies.compression)
        let workload = try Workload(bodies, threads: Self.producers, eventsInBatch: Self.batch)
        try measured.fill(workload, events: depth)
        let counts = Counts()
        let outcomes = onThreads(Self.producers + Self.takers + 1) { thread -> Result<[Line], any Error> in
            Result {
                defer { counts.isOver.store(true, ordering: .relaxed) }
                switch thread {
                case 0: return try look(measured, path, counts)
                case ...Self.producers: try put(measured, workload, thread - 1, counts)
                default: try take(measured.channel, counts)
                }
                return []
            }
        }
        let lines = try outcomes.flatMap { try $0.get() }
        try measured.close()
        return report(lines)
    }

    /// Of all threads.
    private final class Counts: Sendable {
        let put = Atomic<Int>(0)
        let taken = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)

        /// More than there were at first.
        var excess: Int { put.load(ordering: .relaxed) - taken.load(ordering: .relaxed) }
        var goesOn: Bool { !isOver.load(ordering: .relaxed) && !Interruption.isRequested }
    }

    private func put(_ measured: MeasuredChannel, _ workload: Workload, _ thread: Int, _ counts: Counts) throws {
        let clock = SystemRuntime()
        var stopwatch = Measurement.Stopwatch(clock)
        var turn = 0
        while counts.goesOn {
            guard counts.excess < depth else {
                _ = clock.wait(for: WaitCell(), timeout: 1_000_000)
                continue
            }
            try measured.put(workload.batch(thread: thread, turn: turn), &stopwatch)
            counts.put.add(Self.batch, ordering: .relaxed)
            turn += 1
        }
    }

    private func take(_ channel: FileChannel, _ counts: Counts) throws {
        let clock = SystemRuntime()
        while counts.goesOn {
            guard counts.excess > 0 else {
                _ = clock.wait(for: WaitCell(), timeout: 1_000_000)
                continue
            }
            let take = try channel.beginTake(maxEvents: Self.batch, maxBytes: 1 << 30)
            let count = take.events.count
            try take.commit()
            counts.taken.add(count, ordering: .relaxed)
        }
    }

    private func look(_ measured: MeasuredChannel, _ path: String, _ counts: Counts) throws -> [Line] {
        let clock = SystemRuntime()
        let began = clock.monotonicClock()
        var lines: [Line] = []
        var before = (time: began, put: 0, taken: 0)
        while lines.count < Self.stretches {
            let next = began + options.nanoseconds / UInt64(Self.stretches) * UInt64(lines.count + 1)
            while clock.monotonicClock() < next {
                guard counts.goesOn else { throw Interruption() }
                _ = clock.wait(for: WaitCell(), timeout: min(100_000_000, next - min(next, clock.monotonicClock())))
            }
            let now = clock.monotonicClock()
            let put = counts.put.load(ordering: .relaxed)
            let taken = counts.taken.load(ordering: .relaxed)
            let elapsed = Double(now - before.time) / 1e9
            let metrics = measured.channel.metrics
            guard metrics.heldEvents > 0 else { throw BenchmarkError("\(path) is empty") }
            let directory = try workplace.fileSystem.openDirectory(at: path)
            defer { directory.close() }
            lines.append(
                Line(
                    seconds: Double(now - began) / 1e9, put: Double(put - before.put) / elapsed,
                    taken: Double(taken - before.taken) / elapsed, queued: Double(metrics.heldEvents),
                    residentBytes: Double(Machine.residentBytes), files: Double(try directory.list().count),
                    diskBytes: Double(metrics.diskBytes)))
            before = (now, put, taken)
            tell("\(whole(lines.last!.seconds)) s, \(whole(Double(put))) events put")
        }
        return lines
    }

    // MARK: Report

    private static let widths = [9, 11, 11, 11, 12, 7, 11]

    private func report(_ lines: [Line]) -> Report {
        let machine = Machine(workplace)
        var text = [
            "walbench soak: \(bodies.title), \(Self.producers) producers and \(Self.takers) takers, batches of \(Self.batch), "
                + "never fewer than about \(whole(Double(depth))) events queued", machine.line, "",
            row(["after s", "puts/s", "takes/s", "queued", "resident", "files", "on disk"], widths: Self.widths),
        ]
        for line in lines {
            text.append(
                row(
                    [
                        whole(line.seconds), whole(line.put), whole(line.taken), whole(line.queued),
                        mebibytes(line.residentBytes), whole(line.files), mebibytes(line.diskBytes),
                    ], widths: Self.widths))
        }
        let growth = [
            ("resident", Self.growth(lines.map(\.residentBytes))), ("files", Self.growth(lines.map(\.files))),
            ("onDisk", Self.growth(lines.map(\.diskBytes))),
        ]
        text.append(
            "  last quarter by first quarter: resident \(decimal(growth[0].1, 2)), files \(decimal(growth[1].1, 2)), on disk "
                + decimal(growth[2].1, 2))
        return Report(
            text: text,
            json: .object([
                ("benchmark", .text("soak")), ("machine", machine.json), ("seconds", .number(options.seconds)),
                ("growth", .object(growth.map { ($0.0, .number($0.1)) })), ("results", .list(lines.map(json))),
            ]))
    }

    /// The median of the last quarter by that of the first.
    private static func growth(_ values: [Double]) -> Double {
        let quarter = values.count / 4
        return Statistics(Array(values.suffix(quarter))).median / Statistics(Array(values.prefix(quarter))).median
    }

    private func json(_ line: Line) -> JSON {
        .object([
            ("afterSeconds", .number(line.seconds)), ("putsPerSecond", .number(line.put)),
            ("takesPerSecond", .number(line.taken)), ("queued", .number(line.queued)),
            ("residentBytes", .number(line.residentBytes)), ("files", .number(line.files)),
            ("diskBytes", .number(line.diskBytes)),
        ])
    }
}
