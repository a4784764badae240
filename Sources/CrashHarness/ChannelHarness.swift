internal import DurableChannel
internal import SimulatedFileIO

/// Runs scripts and looks at what a crash leaves of them.
public enum ChannelHarness {
    /// How closely one script is looked at.
    public struct Depth: Sendable {
        /// Moments of each life that are cut off, at random; nil for all of them.
        public var moments: Int?
        /// Of the legal ways to be cut off there so many, at random; nil for all of them, in order.
        public var choices: Int?
        /// Every so many states: crashed inside recovery, used afterwards, cut off again, opened without checkpoint.
        public var insideEvery = 16
        public var usedEvery = 4
        public var cutAgainEvery = 2
        public var bareEvery = 8
        public var insideLimit = 3
        /// At every so many of the moments that are cut off at random, what is left is also damaged. 0: never.
        public var damageEvery = 0
        /// Of all legal choices every so many, beginning with another one at each moment.
        public var choiceStride = 1
        public var mostStates = Int.max

        public init() {}

        /// For long runs over many seeds.
        public static var random: Depth {
            var depth = Depth()
            depth.moments = 24
            depth.choices = 2
            depth.insideEvery = 32
            depth.damageEvery = 4
            return depth
        }
    }

    /// Runs one script, and looks at what is left of it when it is cut off.
    ///
    /// Everything comes from the script; the same script at the same depth gives the same report. Blocks; starts threads of
    /// its own for the clients, of which one runs at a time. Scripts may be run on several threads at once.
    public static func run(_ script: CrashScript, _ depth: Depth = Depth()) -> HarnessReport {
        let run = ScriptRun(script)
        run.sweep.insideEvery = depth.insideEvery
        run.sweep.usedEvery = depth.usedEvery
        run.sweep.cutAgainEvery = depth.cutAgainEvery
        run.sweep.bareEvery = depth.bareEvery
        run.sweep.insideLimit = depth.insideLimit
        run.sweep.choiceStride = depth.choiceStride
        let failure = run.run { number, moments in
            look(at: moments, of: number, in: run, depth)
        }
        return report(of: run, failure)
    }

    private static func look(
        at moments: [ChannelRecorder.Moment], of life: Int, in run: ScriptRun, _ depth: Depth
    ) -> CrashScript.Cut? {
        let sweep = run.sweep
        guard let most = depth.moments, let choices = depth.choices else {
            sweep.sweep(moments) { _ in sweep.count < depth.mostStates }
            return sweep.failedCut
        }
        guard !moments.isEmpty else { return nil }
        var random = SeededRandom(seed: run.script.seed ^ UInt64(life + 1) &* 0xD1B5_4A32)
        let picker = MomentPicker(moments)
        for number in 0..<most where sweep.failures.isEmpty {
            let index = picker.pick(&random)
            for _ in 0..<choices where sweep.failures.isEmpty {
                // What a failed sync has left in the page cache is there for the next process of the same boot.
                let isKill = random.chance(moments[index].traits.hasFailed ? 40 : 8)
                sweep.check(
                    moments[index],
                    CrashScript.Cut(operation: index, isKill: isKill, keeping: .random(seed: random.next())))
            }
            if depth.damageEvery > 0, number % depth.damageEvery == 0, sweep.failures.isEmpty {
                sweep.check(
                    moments[index], CrashScript.Cut(operation: index, keeping: .random(seed: random.next())),
                    .random(&random))
            }
        }
        return sweep.failedCut
    }

    /// Whether a script breaks a promise anywhere in its last life, cut off with what it keeps itself or in a plain way.
    static func search(_ script: CrashScript) -> HarnessReport.BrokenPromise? {
        let run = ScriptRun(script)
        run.sweep.insideEvery = .max
        run.sweep.usedEvery = 1
        run.sweep.bareEvery = 1
        let last = script.lastLife
        let failure = run.run(upTo: last) { number, moments in
            guard number == last, case .cut(let wanted) = script.lives[last].ending else { return nil }
            for index in moments.indices where run.sweep.failures.isEmpty {
                var cut = wanted
                cut.operation = index
                if let damage = script.lastDamage { run.sweep.check(moments[index], cut, damage) }
                for keeping in [cut.keeping, .nothing, .everything] where run.sweep.failures.isEmpty {
                    cut.keeping = keeping
                    run.sweep.check(moments[index], cut)
                }
            }
            return run.sweep.failedCut
        }
        return failure.map { broken($0, script) }
    }

    /// A script that ends where it failed.
    private static func broken(_ failure: ScriptRun.Failure, _ script: CrashScript) -> HarnessReport.BrokenPromise {
        var short = script
        short.lives = Array(script.lives[...failure.life])
        if let cut = failure.cut { short.lives[failure.life].ending = .cut(cut) }
        if let inside = failure.inside { short.lives.append(CrashScript.Life(ending: .cut(inside))) }
        if let damage = failure.damage {
            short.lives.append(CrashScript.Life())
            short.lives[short.lives.count - 1].damage = [damage]
        }
        return HarnessReport.BrokenPromise(objection: failure.objection, script: short)
    }

    /// Runs a script as it is, and looks at nothing but what it leaves at its end, closely: what `replay` does.
    public static func replay(_ script: CrashScript) -> HarnessReport {
        let run = ScriptRun(script)
        run.sweep.insideEvery = 1
        run.sweep.usedEvery = 1
        run.sweep.bareEvery = 1
        let last = script.lastLife
        let failure = run.run(upTo: last) { number, moments in
            guard number == last, case .cut(let cut) = script.lives[number].ending, !moments.isEmpty else { return nil }
            let moment = moments[min(cut.operation, moments.count - 1)]
            if let damage = script.lastDamage {
                run.sweep.check(moment, cut, damage)
            } else {
                run.sweep.check(moment, cut)
            }
            return run.sweep.failedCut
        }
        return report(of: run, failure)
    }

    private static func report(of run: ScriptRun, _ failure: ScriptRun.Failure?) -> HarnessReport {
        var report = HarnessReport()
        report.coverage = run.sweep.coverage
        report.counts = run.counts
        report.counts.scripts = 1
        report.traceHash = run.traceHash
        report.broken = failure.map { broken($0, run.script) }
        return report
    }
}
