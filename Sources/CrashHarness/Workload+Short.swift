internal import DurableChannel
internal import SimulatedFileIO

extension Workload {
    /// One client that does a few things, one after the other: with the seeds 1 to ``seeds`` each two of them, in both orders,
    /// behind a put; with others 2 to 6, drawn from the seed.
    static let short = Workload(
        name: "short", summary: "one client; each two of 13 operations in both orders, and up to 6 of them",
        seeds: UInt64(Operation.allCases.count * Operation.allCases.count)
    ) { seed in
        script(seed, operations(seed))
    }

    private enum Operation: CaseIterable {
        case put, take, rollback, roll, checkpoint, retire, recycle, close, reopen, drop, deadLetter, bookmark, resize

        var steps: [CrashScript.Step] {
            switch self {
            case .put: [Self.put(2, bytes: 300)]
            case .take:
                [
                    .take(count: 2, waitMilliseconds: 0),
                    .commit(take: 0, deadLetters: 0, bookmark: true),
                ]
            case .rollback: [.take(count: 2, waitMilliseconds: 0), .rollback(take: 0)]
            case .roll: [Self.put(6, bytes: 1500), Self.put(6, bytes: 1500)]
            case .checkpoint: [.checkpoint]
            case .retire: [.drain(count: 4), .checkpoint, .sleep(milliseconds: 1)]
            case .recycle: Self.roll.steps + Self.retire.steps + Self.roll.steps
            case .close, .reopen: []
            case .drop: [Self.put(8, bytes: 100), Self.put(8, bytes: 100), Self.put(8, bytes: 100)]
            case .deadLetter:
                [
                    .take(count: 2, waitMilliseconds: 0),
                    .commit(take: 0, deadLetters: 1, bookmark: false),
                ]
            case .bookmark: [.bookmark]
            case .resize: [.resizeBytes(360 << 10), .resizeEvents(20), .resizeEvents(nil), .resizeBytes(400 << 10)]
            }
        }

        private static func put(_ count: Int, bytes: Int) -> CrashScript.Step {
            .put(count: count, bytes: bytes, bookmark: true, shared: false, stamped: true)
        }
    }

    private static func operations(_ seed: UInt64) -> [Operation] {
        let all = Operation.allCases
        let count = UInt64(all.count)
        if seed >= 1, seed <= count * count {
            return [.put, all[Int((seed - 1) / count)], all[Int((seed - 1) % count)]]
        }
        var random = SeededRandom(seed: seed)
        return (0..<random.number(2...6)).map { _ in all.randomElement(using: &random)! }
    }

    private static func script(_ seed: UInt64, _ operations: [Operation]) -> CrashScript {
        var script = CrashScript(name: "short", seed: seed, lives: [])
        if operations.contains(.drop) {
            script.channel.whenFull = .dropOldest
            script.channel.capacityEvents = 18
        }
        var steps: [CrashScript.Step] = []
        for operation in operations {
            steps += operation.steps
            switch operation {
            case .close: script.lives.append(CrashScript.Life([CrashScript.Phase([steps])]))
            case .reopen:
                // Killed when nothing is left to do.
                let end = CrashScript.Cut(operation: .max, isKill: true, keeping: .everything)
                script.lives.append(CrashScript.Life([CrashScript.Phase([steps])], ending: .cut(end)))
            default: continue
            }
            steps = []
        }
        script.lives.append(CrashScript.Life([CrashScript.Phase([steps])]))
        return script
    }
}
