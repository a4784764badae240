internal import CrashHarness
internal import FileIO
internal import Glibc

/// What became of processes that were killed.
package struct KillCounts: Sendable, Equatable {
    package var trials = 0
    package var lives = 0
    /// By another process, at a time.
    package var killsAtTimes = 0
    /// By itself, at a storage operation.
    package var killsAtOperations = 0
    /// Of them all: before the channel was open, and while it was being closed.
    package var killsInOpening = 0
    package var killsInClosing = 0
    package var closes = 0
    package var powerCuts = 0
    /// Openings that were refused with an error, where operations could fail.
    package var refusedOpenings = 0
    /// Second openers that were told who has the channel.
    package var intruders = 0
    package var puts = 0
    package var acknowledgedPuts = 0
    package var acknowledgedEvents = 0
    package var takes = 0
    package var acknowledgedTakes = 0
    /// What clients were told instead, by its code.
    package var errors: [String: Int] = [:]

    package init() {}

    package var kills: Int { killsAtTimes + killsAtOperations }

    mutating func note(_ life: KillPlan.Life, _ end: ChildProcess.End, at stage: Witness.Stage) {
        guard case .signal(SIGKILL) = end else {
            if stage == .closed { closes += 1 }
            return
        }
        if case .killAt = life.ending { killsAtOperations += 1 } else { killsAtTimes += 1 }
        if stage < .opened { killsInOpening += 1 }
        if stage == .closing { killsInClosing += 1 }
    }

    mutating func add(_ witness: Witness) {
        trials += 1
        puts += witness.model.puts.count
        acknowledgedPuts += witness.model.puts.count { $0.answer == .done }
        acknowledgedEvents += witness.model.puts.reduce(0) { $0 + ($1.answer == .done ? $1.count : 0) }
        takes += witness.model.takes.count { !$0.events.isEmpty }
        acknowledgedTakes += witness.model.takes.count { !$0.events.isEmpty && $0.answer == .done }
        errors.merge(witness.errors, uniquingKeysWith: +)
    }

    package mutating func add(_ other: KillCounts) {
        trials += other.trials
        lives += other.lives
        killsAtTimes += other.killsAtTimes
        killsAtOperations += other.killsAtOperations
        killsInOpening += other.killsInOpening
        killsInClosing += other.killsInClosing
        closes += other.closes
        powerCuts += other.powerCuts
        refusedOpenings += other.refusedOpenings
        intruders += other.intruders
        puts += other.puts
        acknowledgedPuts += other.acknowledgedPuts
        acknowledgedEvents += other.acknowledgedEvents
        takes += other.takes
        acknowledgedTakes += other.acknowledgedTakes
        errors.merge(other.errors, uniquingKeysWith: +)
    }
}

/// Many ``KillPlan``s, on several threads.
package struct KillCampaign: Sendable {
    package struct Failure: Sendable {
        package var seed: UInt64
        package var objection: String
        /// Where what was left of it is.
        package var directory: String
    }

    package struct Report: Sendable {
        package var counts = KillCounts()
        package var failures: [Failure] = []

        package init() {}
    }

    package var directory: String
    package var firstSeed: UInt64 = 1
    /// Ends when so many processes were killed.
    package var mostKills = 1000
    package var jobs = 1
    /// nil: the directory itself.
    package var volume: Volume.Kind?
    /// After so many failures it ends.
    package var mostFailures = 3

    package init(directory: String) { self.directory = directory }

    /// - Parameter progress: is called after each trial, by one thread at a time.
    package func run(_ progress: @escaping @Sendable (Report) -> Void = { _ in }) -> Report {
        let state = State(firstSeed)
        onThreads(jobs) { _ in
            while let seed = state.next(mostKills, mostFailures) {
                let plan = KillPlan.random(seed: seed, volume: volume)
                let place = "\(directory)/trial-\(volume.map { "\($0.rawValue)-" } ?? "")\(seed)"
                let trial = KillTrial(plan, in: place)
                let objection = trial.run()
                state.add(
                    trial.counts, objection.map { Failure(seed: seed, objection: $0, directory: place) }, progress)
            }
        }
        return state.report
    }

    private final class State: @unchecked Sendable {
        private let lock = Lock()
        private var seed: UInt64
        private var all = Report()

        init(_ seed: UInt64) { self.seed = seed }

        var report: Report { lock.withLock { all } }

        func next(_ mostKills: Int, _ mostFailures: Int) -> UInt64? {
            lock.withLock {
                guard all.counts.kills < mostKills, all.failures.count < mostFailures else { return nil }
                seed += 1
                return seed - 1
            }
        }

        func add(_ counts: KillCounts, _ failure: Failure?, _ progress: (Report) -> Void) {
            lock.withLock {
                all.counts.add(counts)
                if let failure { all.failures.append(failure) }
                progress(all)
            }
        }
    }
}
