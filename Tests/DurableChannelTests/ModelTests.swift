import Glibc
import TestSupport
import Testing

/// FAULTS harness 3: random puts, takes, closes, crashes, faults and resizes beside a list in memory.
@Suite struct ModelTests {
    static let seeds = TestDepth.pick(sample: 25, part: 200, whole: 600)

    @Test func whateverHappensAChannelDoesWhatAListWouldDo() {
        let first = UInt64(setting("SLUICE_MODEL_SEED") ?? 1)
        let count = UInt64(setting("SLUICE_MODEL_COUNT") ?? Self.seeds)
        let steps = setting("SLUICE_MODEL_STEPS") ?? 60
        // A trap says nothing of its seed.
        let isVerbose = setting("SLUICE_MODEL_VERBOSE") != nil
        var counts: [String: Int] = [:]
        for seed in first..<first + count {
            let run = ModelRun(seed: seed)
            if isVerbose { print("seed \(seed)") }
            if let objection = run.run(steps: steps) {
                Issue.record("seed \(seed), step \(run.step): \(objection)\n\(run.story.joined(separator: "\n"))")
                break
            }
            counts.merge(run.counts, uniquingKeysWith: +)
        }
        print(
            "model: \(count) seeds: "
                + counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    }
}

/// A number from the environment, for long runs.
func setting(_ name: String) -> Int? {
    unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) }
}
