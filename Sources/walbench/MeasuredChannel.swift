import DurableChannel
import FileIO
import Synchronization

/// The channel under measurement, as a user has it, with what it really wrote.
final class MeasuredChannel: Sendable {
    let channel: FileChannel
    let traffic: Traffic

    /// Room for what is put faster than it is taken.
    private static let capacityBytes: UInt64 = 16 << 30

    init(
        at path: String, _ compression: Compression, change: (inout ChannelConfiguration) -> Void = { _ in }
    ) throws {
        let fileSystem = CountingFileSystem(LinuxFileSystem())
        traffic = fileSystem.traffic
        var configuration = ChannelConfiguration(capacityBytes: Self.capacityBytes)
        configuration.compression = compression
        change(&configuration)
        channel = try FileChannel.open(at: path, configuration: configuration, fileSystem: fileSystem)
    }

    init(_ channel: FileChannel, _ traffic: Traffic) {
        self.channel = channel
        self.traffic = traffic
    }

    /// As a producer does it, event by event; the stopwatch is for the commit.
    func put(_ batch: Batch, first count: Int? = nil, _ stopwatch: inout Measurement.Stopwatch) throws {
        var put = try channel.beginPut()
        try batch.append(first: count ?? batch.count, to: &put)
        stopwatch.restart()
        try put.commit()
    }

    /// Puts for a while, on the workload's threads; then empties the channel again, which is not measured.
    /// - Parameter beforeEmptying: looks at what puts alone have done.
    func measurePuts(
        _ workload: Workload, for nanoseconds: UInt64, beforeEmptying: () -> Void = {}
    ) throws -> Sample {
        let before = traffic.reading
        let measured = try Measurement(threads: workload.threads, for: nanoseconds) { [self] thread, turn, stopwatch in
            try put(workload.batch(thread: thread, turn: turn), &stopwatch)
        }
        var sample = Sample(measured, eventsEach: Double(workload.eventsInBatch))
        sample.writes = Sample.Writes(
            traffic: traffic.reading - before, events: Double(measured.turns * workload.eventsInBatch),
            transactions: Double(measured.turns))
        beforeEmptying()
        try empty()
        return sample
    }

    /// Puts so many events, as fast as it can.
    func fill(_ workload: Workload, events: Int) throws {
        let left = Atomic<Int>(events)
        let outcomes = onThreads(workload.threads) { [self] thread in
            Result {
                var turn = 0
                while true {
                    guard !Interruption.isRequested else { throw Interruption() }
                    let batch = workload.batch(thread: thread, turn: turn)
                    let mine = min(batch.count, left.subtract(batch.count, ordering: .relaxed).oldValue)
                    guard mine > 0 else { return }
                    var put = try channel.beginPut()
                    try batch.append(first: mine, to: &put)
                    try put.commit()
                    turn += 1
                }
            }
        }
        for outcome in outcomes { try outcome.get() }
    }

    /// Takes all there is. Returns when the channel has stopped writing: what it still does in the background must not
    /// fall into the measurement of something else.
    func empty() throws {
        while true {
            guard !Interruption.isRequested else { throw Interruption() }
            let take = try channel.beginTake(maxEvents: 10_000, maxBytes: 16 << 20)
            if take.isEmpty { break }
            try take.commit()
        }
        traffic.waitUntilQuiet()
    }

    func close() throws { try channel.close() }
}
