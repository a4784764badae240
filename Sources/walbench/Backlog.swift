import DurableChannel
import FileIO

/// A closed channel full of events.
struct Backlog {
    let path: String
    let events: Int
    private let compression: Compression
    private let workplace: Workplace

    /// Made in the workplace, under that name.
    init(
        _ name: String, in workplace: Workplace, _ workload: Workload, events: Int, _ compression: Compression
    ) throws {
        path = workplace.path(name)
        self.events = events
        self.compression = compression
        self.workplace = workplace
        let measured = try MeasuredChannel(at: path, compression)
        try measured.fill(workload, events: events)
        try measured.close()
    }

    /// In the order of the log.
    func segments() throws(FileError) -> [String] {
        let directory = try workplace.fileSystem.openDirectory(at: path)
        defer { directory.close() }
        return try directory.list().filter { $0.hasSuffix(".seg") }
    }

    func open() throws -> MeasuredChannel { try MeasuredChannel(at: path, compression) }

    /// Right before it is drained: its events are put out of memory. Returns how many bytes the kernel kept.
    func cool() throws -> Int { try PageCache.drop(path, segments()) }

    /// One taker, so many events in each durable take.
    func drain(_ measured: MeasuredChannel, takes batch: Int) throws -> Sample {
        let clock = SystemRuntime()
        var microseconds: [Double] = []
        var count = 0
        var bodyBytes = 0
        let started = clock.monotonicClock()
        var began = started
        while true {
            guard !Interruption.isRequested else { throw Interruption() }
            let take = try measured.channel.beginTake(maxEvents: batch, maxBytes: 1 << 30)
            if take.isEmpty { break }
            for event in take.events { bodyBytes += event.bodyBytes }
            count += take.events.count
            try take.commit()
            let now = clock.monotonicClock()
            microseconds.append(Double(now - began) / 1000)
            began = now
        }
        let elapsed = clock.monotonicClock() - started
        guard count == events else { throw BenchmarkError("\(path) gave \(count) of \(events) events") }
        precondition(bodyBytes >= 0)
        return Sample(events: Double(count), nanoseconds: elapsed, microseconds: microseconds)
    }
}
