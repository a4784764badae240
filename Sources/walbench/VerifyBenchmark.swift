import FileIO
import LogFormat
import SegmentedLog

/// `walbench verify`: every checksum of a closed log, beside a bare loop of read and CRC-32C over the same files, in turn.
///
/// Both read what is in memory already, one thread each: a slow disk would hide what checking costs. With batches of one
/// event, too, where headers, and the padding behind each, are many.
struct VerifyBenchmark {
    let options: Options
    let workplace: Workplace
    let bodies: Bodies

    private static let fillers = 8
    private static let pieceBytes = 1 << 20

    private var events: Int { options.events?.first ?? 1_000_000 }
    private var batches: [Int] { options.batches ?? [100, 1] }

    /// A backlog with the bytes of its files.
    private struct Subject {
        let batch: Int
        let backlog: Backlog
        let directory: any StorageDirectory
        let segments: [String]
        let bytes: Int
        let events: Int
    }

    func run() throws -> Report {
        let subjects = try batches.map(make)
        defer { for subject in subjects { subject.directory.close() } }
        var series = subjects.map { subject in
            Series(
                "\(whole(Double(subject.events))) events put \(subject.batch) at a time, "
                    + "\(decimal(Double(subject.bytes) / 1e6, 0)) MB of segments",
                [.log, .bare], bodyBytes: Double(subject.bytes) / Double(subject.events))
        }
        try interleave(&series, rounds: options.rounds) { _, index, subject in
            let measured = subjects[index]
            return [(subject, try subject == .log ? verify(measured) : readBare(measured))]
        }
        return SeriesReport(
            options: options,
            title:
                "\(bodies.title), in memory",
            machine: Machine(workplace), entries: zip(series, subjects).map(entry), isTimed: false
        ).report
    }

    /// Events one at a time need a sync each, or a share of one: fewer of them.
    private func make(_ batch: Int) throws -> Subject {
        let events = batch == 1 ? self.events / 10 : self.events
        let workload = try Workload(bodies, threads: Self.fillers, eventsInBatch: batch)
        let backlog = try Backlog(
            "backlog-\(batch)", in: workplace, workload, events: max(1, events), bodies.compression)
        let directory = try workplace.fileSystem.openDirectory(at: backlog.path)
        let segments = try backlog.segments()
        let bytes = try segments.reduce(0) { $0 + Int(try directory.status(of: $1)?.size ?? 0) }
        return Subject(
            batch: batch, backlog: backlog, directory: directory, segments: segments, bytes: bytes,
            events: backlog.events)
    }

    private func verify(_ subject: Subject) throws -> Sample {
        try timed(subject) {
            var found: UInt64 = 0
            for name in subject.segments {
                guard let number = UInt64(name.dropLast(4), radix: 16) else { continue }
                let check = try SegmentCheck(SegmentNumber(number), in: subject.directory)
                guard check.damagedRanges == 0 else { throw BenchmarkError("\(subject.backlog.path) is damaged") }
                found += check.events
            }
            guard found == subject.events else {
                throw BenchmarkError("\(subject.backlog.path) has \(found) of \(subject.events) events")
            }
        }
    }

    private func readBare(_ subject: Subject) throws -> Sample {
        try timed(subject) {
            let piece = AlignedBuffer(byteCount: Self.pieceBytes)
            for name in subject.segments {
                let file = try subject.directory.open(name, for: .reading)
                var checksum: UInt32 = 0
                var offset: UInt64 = 0
                while true {
                    let count = try file.read(into: piece, at: 0, count: piece.byteCount, from: offset, source: .cache)
                    guard count > 0 else { break }
                    checksum = Checksum.crc32c(piece.bytes.extracting(0..<count), continuing: checksum)
                    offset += UInt64(count)
                }
                try file.close()
            }
        }
    }

    private func timed(_ subject: Subject, _ work: () throws -> Void) throws -> Sample {
        guard !Interruption.isRequested else { throw Interruption() }
        let clock = SystemRuntime()
        let started = clock.monotonicClock()
        try work()
        return Sample(
            events: Double(subject.events), nanoseconds: clock.monotonicClock() - started, microseconds: [])
    }

    private func entry(_ series: Series, _ subject: Subject) -> SeriesReport.Entry {
        let isOfBars = subject.batch == 100 && options.events == nil
        let gigabytes = series.samples[.log]!.map { $0.eventsPerSecond * series.bodyBytes / 1e9 }
        return SeriesReport.Entry(
            series: series,
            remarks: ["MB/s are of whole files; crc-32c \(Checksum.isHardware ? "by instruction" : "by table")"],
            comparisons: [
                series.compare("MB/s", to: .bare, name: "B9", isOfBars ? .atLeast(0.9) : nil),
                Comparison(
                    name: isOfBars && Checksum.isHardware ? "B9" : "", series: series.name, what: "GB/s a core",
                    bar: isOfBars && Checksum.isHardware ? .atLeast(2) : nil, pairs: gigabytes),
            ],
            json: [("eventsInTransaction", .number(Double(subject.batch))), ("bytes", .number(Double(subject.bytes)))])
    }
}
