internal import DurableChannel
internal import SimulatedFileIO

/// Runs scripts and looks at what a crash leaves of them.
public enum ChannelHarness {
    /// Runs one script, and looks at what is left of it when it is cut off.
    ///
    /// Everything comes from the script; the same script at the same depth gives the same report. Blocks; starts threads of
    /// its own for the clients, of which one runs at a time. Scripts may be run on several threads at once.
    public static func run(_ script: CrashScript, _ depth: Depth = Depth()) -> HarnessReport {
        let run = ScriptRun(script, depth)
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
            sweep.sweep(moments, of: life)
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
        let run = ScriptRun(script, .search)
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
        let run = ScriptRun(script, .close)
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
