import CrashHarness
import SimulatedFileIO
import TestSupport
import Testing

/// The harness itself: it repeats what it did, finds what is wrong, and makes it small.
@Suite struct HarnessTests {
    @Test func oneSeedDoesTheSameTwiceAndOnAnyThread() {
        var depth = ChannelHarness.Depth.random
        depth.moments = TestDepth.pick(sample: 6, part: 24, whole: 24)
        for seed in [1, 2] as [UInt64] {
            let script = CrashScript.random(seed: seed)
            let one = ChannelHarness.run(script, depth)
            let two = ChannelHarness.run(script, depth)
            #expect(one.broken == nil, "\(one.broken?.objection ?? "")")
            #expect(one.traceHash == two.traceHash && one.coverage == two.coverage && one.counts == two.counts)
            #expect(one.coverage.states > 20)
        }
        var campaign = Campaign(depth) { CrashScript.random(seed: $0) }
        campaign.mostScripts = 4
        campaign.firstSeed = 100
        let alone = campaign.run()
        campaign.jobs = 3
        let together = campaign.run()
        #expect(alone.traceHash == together.traceHash && alone.coverage == together.coverage)
        #expect(alone.counts.scripts == 4)
    }

    @Test func twoSeedsDoNotDoTheSame() {
        let hashes = (0..<20 as Range<UInt64>).map {
            ChannelHarness.run(Workload.named("creation")!.script($0), Self.shallow).traceHash
        }
        #expect(Set(hashes).count == 20)
    }

    private static var shallow: ChannelHarness.Depth {
        var depth = ChannelHarness.Depth.random
        depth.moments = 1
        return depth
    }

    /// Row 40, the control: a harness that stays green on a disk that lies about its sync is broken itself.
    @Test func aDiskThatLiesAboutItsSyncIsFoundMadeSmallAndFoundAgain() throws {
        var campaign = Campaign(.random) { seed in
            var script = CrashScript.random(seed: seed)
            script.disk.liesAboutSync = true
            return script
        }
        campaign.mostScripts = 10
        let report = campaign.run()
        let broken = try #require(report.broken)
        #expect(report.coverage.states < 200)
        #expect(ChannelHarness.replay(broken.script).broken != nil)
        var shrinker = Shrinker(broken)
        let small = shrinker.shrink()
        #expect(small.script.text.split(separator: "\n").count <= 14, "\(small.script.text)")
        let again = try CrashScript(parsing: small.script.text)
        let replayed = try #require(ChannelHarness.replay(again).broken)
        #expect(!replayed.objection.isEmpty)
        print(
            "a lying disk: after \(report.coverage.states) states, \(shrinker.attempts) attempts:\n\(small.script.text)"
        )
    }

    @Test func everyWorkloadKeepsEveryPromiseAtSomeOfItsMoments() {
        var depth = ChannelHarness.Depth.random
        depth.moments = 5
        for workload in Workload.all {
            let report = ChannelHarness.run(workload.script(1), depth)
            #expect(report.broken == nil, "\(workload.name): \(report.broken?.objection ?? "")")
            #expect(report.coverage.states > 5, "\(workload.name)")
        }
    }
}
