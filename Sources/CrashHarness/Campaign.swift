internal import FileIO
internal import SimulatedFileIO
internal import Synchronization

/// One script after the other, each from a seed of its own, until enough states were looked at, the time is over, or a promise
/// is broken.
public struct Campaign: Sendable {
    /// Seeds are counted up from here.
    public var firstSeed: UInt64 = 1
    public var mostScripts = UInt64.max
    /// Distinct states. A script that has begun is finished.
    public var mostStates = Int.max
    public var mostNanoseconds = UInt64.max
    /// Threads that run scripts side by side.
    public var jobs = 1
    public var depth: ChannelHarness.Depth
    public var script: @Sendable (_ seed: UInt64) -> CrashScript

    public init(_ depth: ChannelHarness.Depth, script: @escaping @Sendable (_ seed: UInt64) -> CrashScript) {
        self.depth = depth
        self.script = script
    }

    /// How far a campaign is.
    public struct Progress: Sendable {
        public var report: HarnessReport
        public var nanoseconds: UInt64
        /// The seeds that scripts are made from at present, by job; nil for one that has ended.
        public var seeds: [UInt64?]
    }

    /// Blocks until it is over. `tell` is called from any of its threads, one at a time, whenever a script begins or ends.
    public func run(_ tell: @escaping @Sendable (Progress) -> Void = { _ in }) -> HarnessReport {
        let runtime = SystemRuntime()
        let started = runtime.monotonicClock()
        let state = Mutex(State(nextSeed: firstSeed, seeds: Array(repeating: nil, count: jobs)))
        onThreads(jobs) { job in
            while true {
                let seed = state.withLock { state -> UInt64? in
                    let elapsed = runtime.monotonicClock() - started
                    let isOver =
                        state.report.broken != nil || state.report.coverage.states >= mostStates
                        || elapsed >= mostNanoseconds || state.nextSeed &- firstSeed >= mostScripts
                    state.seeds[job] = isOver ? nil : state.nextSeed
                    if !isOver { state.nextSeed &+= 1 }
                    tell(Progress(report: state.report, nanoseconds: elapsed, seeds: state.seeds))
                    return state.seeds[job]
                }
                guard let seed else { return }
                let report = ChannelHarness.run(script(seed), depth)
                state.withLock { state in
                    state.report.add(report)
                    state.seeds[job] = nil
                    tell(
                        Progress(
                            report: state.report, nanoseconds: runtime.monotonicClock() - started, seeds: state.seeds))
                }
            }
        }
        return state.withLock { $0.report }
    }

    private struct State {
        var nextSeed: UInt64
        var seeds: [UInt64?]
        var report = HarnessReport()
    }
}
