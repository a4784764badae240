import FileIO

/// What was done in one stretch of time, each operation with how long it took (nanoseconds).
struct Measurement: Sendable {
    /// Of each thread.
    var latenciesByThread: [[UInt64]]
    var elapsed: UInt64
    /// What all threads of the process took of the processors meanwhile.
    var processorNanoseconds: UInt64

    var latencies: [UInt64] { latenciesByThread.flatMap { $0 } }
    var count: Int { latenciesByThread.reduce(0) { $0 + $1.count } }
    var operationsPerSecond: Double { Double(count) * 1e9 / Double(elapsed) }

    /// Says when the part of an operation began whose time is to be taken; else all of it is.
    struct Stopwatch {
        fileprivate let clock: SystemRuntime
        fileprivate var began: UInt64

        init(_ clock: SystemRuntime) {
            self.clock = clock
            began = clock.monotonicClock()
        }

        mutating func restart() { began = clock.monotonicClock() }
    }

    /// Repeats an operation on `threads` threads for at least `nanoseconds`, and at least once on each. The operation
    /// is told its thread and its turn.
    init(
        threads: Int, for nanoseconds: UInt64,
        _ operation: @escaping @Sendable (_ thread: Int, _ turn: Int, _ stopwatch: inout Stopwatch) throws -> Void
    ) throws {
        let clock = SystemRuntime()
        let start = clock.monotonicClock()
        let usedBefore = Machine.processorNanoseconds
        let outcomes = onThreads(threads) { thread in
            Result {
                var latencies: [UInt64] = []
                latencies.reserveCapacity(65_536)
                var stopwatch = Stopwatch(clock)
                repeat {
                    guard !Interruption.isRequested else { throw Interruption() }
                    try operation(thread, latencies.count, &stopwatch)
                    let now = clock.monotonicClock()
                    latencies.append(now - stopwatch.began)
                    stopwatch.began = now
                } while stopwatch.began - start < nanoseconds
                return latencies
            }
        }
        elapsed = clock.monotonicClock() - start
        processorNanoseconds = Machine.processorNanoseconds - usedBefore
        latenciesByThread = []
        for outcome in outcomes { latenciesByThread.append(try outcome.get()) }
    }
}
