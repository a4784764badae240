import FileIO

/// What was done in one stretch of time, each operation with how long it took (nanoseconds).
struct Measurement: Sendable {
    var latencies: [UInt64]
    var elapsed: UInt64

    var operationsPerSecond: Double { Double(latencies.count) * 1e9 / Double(elapsed) }

    /// Repeats an operation on `threads` threads for at least `nanoseconds`, and at least once on each. The operation
    /// is told its thread and its turn.
    init(
        threads: Int, for nanoseconds: UInt64,
        _ operation: @escaping @Sendable (_ thread: Int, _ turn: Int) throws -> Void
    ) throws {
        let clock = SystemRuntime()
        let start = clock.monotonicClock()
        let outcomes = onThreads(threads) { thread in
            Result {
                var latencies: [UInt64] = []
                latencies.reserveCapacity(65_536)
                var now = clock.monotonicClock()
                repeat {
                    guard !Interruption.isRequested else { throw Interruption() }
                    let began = now
                    try operation(thread, latencies.count)
                    now = clock.monotonicClock()
                    latencies.append(now - began)
                } while now - start < nanoseconds
                return latencies
            }
        }
        elapsed = clock.monotonicClock() - start
        latencies = []
        for outcome in outcomes { latencies += try outcome.get() }
    }
}
