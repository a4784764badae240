import CrashHarness
import DurableChannel
import SimulatedFileIO
import Testing

/// A script is a value: what is written down is read again, and does the same.
@Suite struct ScriptTests {
    @Test func everyRandomScriptAndEveryWorkloadIsReadAgainAsItWasWritten() throws {
        for seed in 0..<500 as Range<UInt64> {
            let script = CrashScript.random(seed: seed)
            #expect(try CrashScript(parsing: script.text) == script, "seed \(seed)")
        }
        for workload in Workload.all {
            let script = workload.script(7)
            #expect(try CrashScript(parsing: script.text) == script, "\(workload.name)")
        }
    }

    @Test func everyStepKeepingFailureAndDamageIsReadAgainAsItWasWritten() throws {
        var life = CrashScript.Life([
            CrashScript.Phase(
                [
                    [
                        .put(count: 1, bytes: 0, bookmark: false, shared: true, stamped: false),
                        .fill(count: 2, bytes: 3),
                        .retry, .repeatLast, .take(count: 4, waitMilliseconds: 5),
                        .commit(take: 6, deadLetters: 7, bookmark: true), .rollback(take: 8), .drain(count: 9),
                    ],
                    [
                        .bookmark, .checkpoint, .resizeBytes(10), .resizeEvents(11), .resizeEvents(nil),
                        .jump(milliseconds: -12), .intrude, .yield, .sleep(milliseconds: 13),
                    ], [],
                ], settles: true), CrashScript.Phase([]),
        ])
        var script = CrashScript(name: "all", seed: .max, lives: [])
        let endings: [CrashScript.Ending] = [
            .close, .cut(.init(operation: 1, keeping: .everything)),
            .cut(.init(operation: 2, isKill: true, keeping: .nothing)), .cut(.init(operation: 3, keeping: .legal(4))),
            .cut(.init(operation: 5, keeping: .random(seed: .max))),
        ]
        for ending in endings {
            life.ending = ending
            life.faults = CrashScript.Failure.Leaves.allCases.map { leaves in
                var failure = CrashScript.Failure(.synchronize, errno: 28, skipping: 3, count: .max)
                failure.leaves = leaves
                failure.delayMilliseconds = 17
                return failure
            }
            life.damage = CrashScript.Damage.Kind.allCases.map { CrashScript.Damage($0, seed: 99) }
            script.lives.append(life)
        }
        script.channel.whenFull = .block(.milliseconds(1500))
        #expect(try CrashScript(parsing: script.text) == script)
    }

    @Test func whatIsNoScriptIsRefusedWithItsLineAndTheReason() {
        func refusal(_ text: String) -> String? {
            do throws(ScriptError) {
                _ = try CrashScript(parsing: text)
                return nil
            } catch { return "\(error)" }
        }
        let first = "sluice crash script 1\n"
        #expect(refusal("") == "line 1: a script begins with 'sluice crash script 1'")
        #expect(refusal("sluice crash script 2\n")?.hasPrefix("line 1:") == true)
        #expect(refusal(first + "seed x")?.hasPrefix("line 2: the seed is 'x'") == true)
        #expect(
            refusal(first + "phase")
                == "line 2: 'phase' stands before the first 'life', or is nothing that a script knows")
        #expect(refusal(first + "life\nclient") == "line 3: 'client' stands before the first 'phase' of its life")
        #expect(
            refusal(first + "life\nphase\nput 1 1") == "line 4: 'put' stands before the first 'client' of its phase")
        #expect(refusal(first + "life\nphase\nclient\nput 1000 1")?.contains("a number from 1 to 999") == true)
        #expect(refusal(first + "life\nphase\nclient\nput 1 1 more") == "line 5: 'more' is one word too many")
        #expect(refusal(first + "life\nend power") == "line 3: the operation is missing")
        #expect(refusal(first + "life\nend power 3 some") == "line 3: 'some' is nothing that can be kept")
        #expect(refusal(first + "\n# a comment\n   \nlife\n") == nil)
    }

    /// Any words in any order: an error, never a trap.
    @Test func noTextTrapsTheParser() {
        let script = CrashScript.random(seed: 3).text.split { $0 == " " || $0 == "\n" }.map { String($0) }
        let words: [String] = script + ["-1", "99999999999999999999", "\u{0}"]
        var random = Numbers(5)
        for _ in 0..<2000 {
            var text = "sluice crash script 1\n"
            for _ in 0..<random.next(40) {
                text += words[random.next(words.count)]
                text += random.next(3) == 0 ? "\n" : " "
            }
            _ = try? CrashScript(parsing: text)
        }
    }
}

struct Numbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next(_ end: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % end
    }
}
