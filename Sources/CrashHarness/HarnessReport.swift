internal import DurableChannel

/// What a harness did, and what it found.
public struct HarnessReport: Sendable {
    /// What the clients did.
    public struct Counts: Sendable, Equatable {
        public var scripts = 0
        public var lives = 0
        public var operations = 0
        public var puts = 0
        public var takes = 0
        public var unknownOutcomes = 0
        public var mostGroupsInFlight = 0

        public init() {}

        mutating func add(_ recorder: ChannelRecorder, since model: ChannelModel) {
            lives += 1
            operations += recorder.moments.count
            puts += recorder.model.puts.count - model.puts.count
            takes += recorder.model.takes.count - model.takes.count
            unknownOutcomes += recorder.errors[.outcomeUnknown] ?? 0
            mostGroupsInFlight = max(mostGroupsInFlight, recorder.mostGroupsInFlight)
        }

        mutating func add(_ other: Counts) {
            scripts += other.scripts
            lives += other.lives
            operations += other.operations
            puts += other.puts
            takes += other.takes
            unknownOutcomes += other.unknownOutcomes
            mostGroupsInFlight = max(mostGroupsInFlight, other.mostGroupsInFlight)
        }
    }

    /// A promise that was not kept.
    public struct BrokenPromise: Sendable {
        /// What is wrong, and after what.
        public var objection: String
        /// Does it again.
        public var script: CrashScript

        public init(objection: String, script: CrashScript) {
            self.objection = objection
            self.script = script
        }
    }

    public var coverage = Coverage()
    public var counts = Counts()
    public var broken: BrokenPromise?
    /// Over every storage operation, piece of work and random number of all lives: equal in two runs that did the same, in
    /// whatever order their scripts were run.
    public var traceHash: UInt64 = 0

    public init() {}

    public mutating func add(_ other: HarnessReport) {
        coverage.add(other.coverage)
        counts.add(other.counts)
        traceHash &+= other.traceHash
        if broken == nil { broken = other.broken }
    }
}
