import DurableChannel
import FileIO
import Glibc

/// One life of a process with a channel, from opening to SIGKILL: what ``ReadyBenchmark`` starts again and again.
///
/// It opens the channel, takes an event, and prints what that took. Then it goes on to a place in a segment, brings the queue to
/// its depth, writes a checkpoint and some more behind it, and puts, with several producers, until it is killed: so the next
/// opening finds what a crash under load leaves at that place.
struct Life {
    let options: Options

    /// Half of what is logged between two checkpoints: what an opening has to replay on the average.
    private static let replayBytes = 2 << 20
    private static let producers = 4
    /// Of the puts that go on to a place.
    private static let mostBytesAtOnce = 64 << 10
    /// Nobody kills it: it ends by itself.
    private static let longest: UInt64 = 10_000_000_000

    /// A capacity with ample room for so many events.
    private func capacityBytes(_ events: Int) -> UInt64 {
        max(8 << 30, UInt64(events) * UInt64(options.bodyBytes + 128) * 3)
    }

    func run() throws -> Never {
        let depth = options.events?.first ?? 10_000
        let fileSystem = CountingFileSystem(LinuxFileSystem())
        let clock = SystemRuntime()
        var configuration = ChannelConfiguration(capacityBytes: capacityBytes(depth))
        configuration.compression = .none

        let started = clock.monotonicClock()
        let channel = try FileChannel.open(
            at: options.directory, configuration: configuration, fileSystem: fileSystem)
        let opened = clock.monotonicClock()
        let traffic = fileSystem.traffic.reading
        var held: TakeTransaction? = try channel.beginTake(maxEvents: 1)
        let took = clock.monotonicClock()
        let metrics = channel.metrics
        Self.say(
            [
                ("queued", metrics.heldEvents), ("opened", opened - started), ("took", took - started),
                ("calls", UInt64(traffic.calls)), ("read", UInt64(traffic.readBytes)), ("peak", Self.peakBytes),
            ] + channel.recoveryReport.steps.map { ("step." + $0.name, $0.nanoseconds) })

        let workload = try Workload(.random(options.bodyBytes), threads: Self.producers, eventsInBatch: 100)
        let measured = MeasuredChannel(channel, fileSystem.traffic)
        if metrics.putEvents == 0 {
            try measured.fill(workload, events: options.holdsFirst ? depth + depth / 4 : depth)
        }
        if !options.holdsFirst {
            try held.take()?.commit()
        } else if metrics.heldEvents == 0 {
            held = try channel.beginTake(maxEvents: 1)
        }
        let tail = min(depth, Self.replayBytes / Int(workload.encodedBytes))
        try trim(channel, to: depth)
        try goOn(to: options.place, before: UInt64(Double(tail) * workload.encodedBytes), measured, workload)
        try trim(channel, to: depth - tail)
        try channel.checkpoint()
        try measured.fill(workload, events: tail)
        try putUntilKilled(measured, workload)
        // What is held is held to the end.
        held.take()?.rollback()
        throw BenchmarkError("nobody killed this process")
    }

    /// Puts until the log stands about so many bytes before the place where so many of 1,000 parts of a segment are full.
    private func goOn(to place: Int, before tail: UInt64, _ measured: MeasuredChannel, _ workload: Workload) throws {
        let directory = try LinuxFileSystem().openDirectory(at: options.directory)
        defer { directory.close() }
        guard let newest = try directory.list().last(where: { $0.hasSuffix(".seg") }),
            let size = try directory.status(of: newest)?.size
        else { throw BenchmarkError("\(options.directory) has no segment") }
        let end = size / 1000 * UInt64(place)
        // Where the end comes early in a segment, the tail begins in the one before.
        let begin = end >= tail ? end - tail : end + size - tail
        let events = max(1, min(workload.eventsInBatch, Self.mostBytesAtOnce / options.bodyBytes))
        // Two puts go on by less than that, and so does the snapshot with which a segment begins.
        let step = 3 * UInt64(events * (options.bodyBytes + 64) + 1024)
        // Two segments hold the place.
        for turn in 0...2 * Int(size) / (events * options.bodyBytes) {
            var put = try measured.channel.beginPut()
            let batch = workload.batch(thread: 0, turn: turn)
            try batch.append(first: events, to: &put)
            guard let offset = try put.commit().lsn?.offset else { throw BenchmarkError("a put of nothing") }
            if offset + step >= begin, offset <= begin + step { return }
        }
        throw BenchmarkError("the log in \(options.directory) never came to byte \(begin) of a segment")
    }

    /// Takes what is too much, from the front of the queue.
    private func trim(_ channel: FileChannel, to depth: Int) throws {
        while true {
            let held = Int(channel.metrics.heldEvents)
            guard held > depth else { return }
            let take = try channel.beginTake(maxEvents: min(1000, held - depth), maxBytes: 1 << 30)
            if take.isEmpty { return }
            try take.commit()
        }
    }

    private func putUntilKilled(_ measured: MeasuredChannel, _ workload: Workload) throws {
        _ = try Measurement(threads: Self.producers, for: Self.longest) { thread, turn, stopwatch in
            try measured.put(workload.batch(thread: thread, turn: turn), first: 1, &stopwatch)
            // All of them are at it by then.
            if thread == 0, turn == 50 { Self.say([]) }
        }
    }

    /// One line, at once.
    static func say(_ figures: [(String, UInt64)]) {
        let line = Array((figures.map { "\($0)=\($1)" }.joined(separator: " ") + "\n").utf8)
        _ = unsafe write(STDOUT_FILENO, line, line.count)
    }

    /// The most memory that was resident so far.
    static var peakBytes: UInt64 {
        let line = text(ofFile: "/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(whereSeparator: { " \t".contains($0) }).dropFirst().first).flatMap { UInt64($0) }
            .map { $0 << 10 } ?? 0
    }
}
