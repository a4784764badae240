import CrashHarness
import TestSupport
import Testing

/// Row 39: clients that do anything, side by side, with faults and crashes anywhere; one life after the other.
@Suite struct SweepRandomTests {
    static let seeds = TestDepth.pick(sample: 2, part: 20, whole: 40)

    @Test func anythingSideBySideWithACrashAnywhereKeepsEveryPromise() {
        let first = UInt64(setting("SLUICE_SWEEP_SEED") ?? 1)
        let count = UInt64(setting("SLUICE_SWEEP_COUNT") ?? Self.seeds)
        var total = HarnessReport()
        for seed in first..<first + count where total.broken == nil {
            total.add(ChannelHarness.run(.random(seed: seed), .random))
        }
        if let broken = total.broken { Issue.record("\(broken.objection)\n\(broken.script.text)") }
        #expect(total.coverage.states > Int(count) * 20)
        print("random clients: \(count) seeds, \(total.coverage.states) states, \(total.counts)")
    }
}
