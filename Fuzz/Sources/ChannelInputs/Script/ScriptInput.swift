import CrashHarness

/// Runs the script that an input stands for, looks at what its crashes leave, and traps when a promise is broken, with the
/// script on standard output: `walcrash replay` runs it again.
package enum ScriptInput {
    package static func run(_ input: [UInt8]) {
        let script = CrashScript(input)
        let report = ChannelHarness.run(script, depth(of: script))
        guard let broken = report.broken else { return }
        print("\(broken.objection)\n\n\(broken.script.text)")
        fatalError("a promise was broken: \(broken.objection)")
    }

    /// The script, as `walcrash` reads it.
    package static func text(_ input: [UInt8]) -> String { CrashScript(input).text }

    /// One moment of each life, or two, and what is done with what it leaves by the script's seed: an input must not take long.
    /// What others of its moments would show, others of the inputs show.
    private static func depth(of script: CrashScript) -> ChannelHarness.Depth {
        var depth = ChannelHarness.Depth()
        depth.moments = script.seed & 1 == 0 ? 1 : 2
        depth.choices = 1
        depth.insideEvery = script.seed & 0xF == 5 ? 2 : .max
        depth.insideLimit = 1
        depth.usedEvery = 2
        depth.cutAgainEvery = 3
        depth.bareEvery = 3
        depth.damageEvery = script.seed & 0xF == 9 ? 1 : 0
        return depth
    }
}
