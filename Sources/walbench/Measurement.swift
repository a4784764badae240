import FileIO
import Synchronization

/// What was done in one stretch of time, each operation with how long it took (nanoseconds).
struct Measurement: Sendable {
    /// Of each thread.
    var latenciesByThread: [[UInt64]]
    var elapsed: UInt64
    /// Operations of each thread, those of the warm-up included.
    var turnsByThread: [Int]
    /// What all threads of the process took of the processors meanwhile.
    var processorNanoseconds: UInt64

    var turns: Int { turnsByThread.reduce(0, +) }
    var latencies: [UInt64] { latenciesByThread.flatMap { $0 } }
    var count: Int { latenciesByThread.reduce(0) { $0 + $1.count } }
    var operationsPerSecond: Double { Double(count) * 1e9 / Double(elapsed) }

    /// Says when the part of an operation began whose time is to be taken; else all of it is.
    struct Stopwatch {
        fileprivate let clock: SystemRuntime
        fileprivate var began: UInt64
        /// Not in the warm-up.
        fileprivate(set) var counts = false

        init(_ clock: SystemRuntime) {
            self.clock = clock
            began = clock.monotonicClock()
        }

        mutating func restart() { began = clock.monotonicClock() }
    }

    /// What comes first does not count: after a pause processor and disk take a while to come to speed, and whoever is measured
    /// next after another would have that done for it.
    private static let warmUpNanoseconds: UInt64 = 10_000_000

    /// Repeats an operation on `threads` threads for at least `nanoseconds`, and at least once on each. The operation
    /// is told its thread and its turn.
    init(
        threads: Int, for nanoseconds: UInt64,
        _ operation: @escaping @Sendable (_ thread: Int, _ turn: Int, _ stopwatch: inout Stopwatch) throws -> Void
    ) throws {
        let clock = SystemRuntime()
        let start = clock.monotonicClock() + Self.warmUpNanoseconds
        let usedBefore = Mutex<UInt64?>(nil)
        let outcomes = onThreads(threads) { thread in
            Result {
                var latencies: [UInt64] = []
                latencies.reserveCapacity(65_536)
                var turn = 0
                var stopwatch = Stopwatch(clock)
                repeat {
                    guard !Interruption.isRequested else { throw Interruption() }
                    stopwatch.counts = stopwatch.began >= start
                    if stopwatch.counts, latencies.isEmpty {
                        usedBefore.withLock { $0 = $0 ?? Machine.processorNanoseconds }
                    }
                    try operation(thread, turn, &stopwatch)
                    turn += 1
                    let now = clock.monotonicClock()
                    if stopwatch.counts { latencies.append(now - stopwatch.began) }
                    stopwatch.began = now
                } while latencies.isEmpty || stopwatch.began - start < nanoseconds
                return (latencies, turn)
            }
        }
        let ended = clock.monotonicClock()
        let usedInAll = Machine.processorNanoseconds
        latenciesByThread = []
        turnsByThread = []
        for outcome in outcomes {
            let (latencies, turns) = try outcome.get()
            latenciesByThread.append(latencies)
            turnsByThread.append(turns)
        }
        // Each thread has come to something that counts: one that was interrupted before has thrown.
        elapsed = ended - start
        processorNanoseconds = usedInAll - (usedBefore.withLock { $0 } ?? usedInAll)
    }
}
