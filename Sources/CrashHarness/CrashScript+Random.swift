internal import DurableChannel
package import SimulatedFileIO

extension CrashScript {
    /// Anything: options, a few lives with a few clients each, faults, and how each life ends, all drawn from the seed.
    public static func random(seed: UInt64) -> CrashScript {
        var random = SeededRandom(seed: seed)
        var script = CrashScript(name: "random", seed: seed, lives: [])
        script.channel = .random(&random)
        script.disk.tearsInsideSectors = random.chance(50)
        script.disk.renamesCanLeaveBothNames = random.chance(50)
        script.disk.supportsDirectWrites = random.chance(80)
        if random.chance(20) {
            script.disk.sectorBytes = 4096
            script.disk.blockBytes = script.channel.blockBytes == 4096 ? 4096 : 512
        }
        let hasFaults = random.chance(50)
        // Small segments that fill, are taken empty, and are used again.
        let churns = script.channel.blockBytes == nil && random.chance(45)
        if churns {
            script.channel.segmentBytes = 20 << 10
            script.channel.snapshotLimitBytes = 3 << 10
            script.channel.capacityBytes = UInt64(random.number(13...16) * 20 << 10)
            script.channel.capacityEvents = nil
        }
        for _ in 0..<random.number(2...3) {
            // The channel remembers the last transaction of so many producers at the least.
            let others = random.number(2...(churns ? mostClients - 2 : mostClients))
            let clients = (0..<others).map { _ in client(&random) } + (churns ? churn(&random) : [])
            var life = Life([Phase(clients)])
            if hasFaults { life.faults = [.random(&random)] }
            if random.chance(70) {
                life.ending = .cut(
                    Cut(
                        operation: random.number(0...300), isKill: random.chance(25),
                        keeping: .random(seed: random.next())))
            }
            script.lives.append(life)
        }
        return script
    }

    private static let mostClients = 7

    /// One who fills segments, and one who empties them.
    private static func churn(_ random: inout SeededRandom) -> [[Step]] {
        let rounds = random.number(4...12)
        let bytes = random.number(800...2000)
        let putter = (0..<rounds).map { _ in
            Step.put(count: 6, bytes: bytes, bookmark: false, shared: false, stamped: true)
        }
        let taker = (0..<rounds).flatMap { round -> [Step] in
            [.take(count: 6, waitMilliseconds: 100), .commit(take: 0, deadLetters: 0, bookmark: false)]
                + (round % 3 == 2 ? [.checkpoint] : [])
        }
        return [putter, taker]
    }

    private static func client(_ random: inout SeededRandom) -> [Step] {
        (0..<random.number(2...8)).flatMap { _ in step(&random) }
    }

    private static func step(_ random: inout SeededRandom) -> [Step] {
        switch random.number(0...99) {
        case 0..<38:
            let bytes = random.chance(50) ? random.number(500...2500) : random.number(0...300)
            return [
                .put(
                    count: random.number(1...6), bytes: bytes, bookmark: random.chance(33), shared: random.chance(25),
                    stamped: random.chance(50)),
                .retry,
            ]
        case 38..<63: return [.take(count: random.number(1...12), waitMilliseconds: random.number(0...2))]
        case 63..<78:
            return [
                .commit(
                    take: random.number(0...2), deadLetters: random.chance(17) ? 2 : 0, bookmark: random.chance(33))
            ]
        case 78..<83: return [.rollback(take: random.number(0...2))]
        case 83..<87: return [.bookmark]
        case 87..<90: return [.checkpoint]
        case 90..<93: return [.repeatLast]
        case 93: return [.jump(milliseconds: random.number(-100_000...100_000))]
        case 94: return [.intrude]
        case 95: return [.sleep(milliseconds: random.number(1...3000))]
        case 96: return [.drain(count: random.number(1...8))]
        case 97: return [.synchronize]
        case 98: return [.resizeEvents(random.chance(50) ? nil : UInt64(random.number(5...200)))]
        default: return [.yield]
        }
    }
}

extension CrashScript.Channel {
    /// Small, so that segments roll and room runs out.
    package static func random(_ random: inout SeededRandom) -> CrashScript.Channel {
        var channel = CrashScript.Channel()
        let segment = [20, 20, 20, 24, 24, 32, 64, 128].randomElement(using: &random)! << 10
        let limit = [3, 4, 8].randomElement(using: &random)! << 10
        let isCoarse = random.chance(15)
        channel.segmentBytes = UInt32(isCoarse ? max(segment, 128 << 10) : segment)
        channel.snapshotLimitBytes = limit
        channel.blockBytes = isCoarse ? 4096 : nil
        let fixed = (isCoarse ? 400 : 160) << 10
        channel.capacityBytes = UInt64(fixed + 4 * limit + Int(channel.segmentBytes) * random.number(3...10))
        channel.capacityEvents = random.chance(50) ? nil : UInt64(random.number(10...200))
        channel.whenFull = [.block(.milliseconds(300)), .reject, .dropOldest, .dropNewest]
            .randomElement(using: &random)!
        channel.compresses = random.chance(50)
        channel.groupsInFlight = [1, 2, 4, 8].randomElement(using: &random)!
        channel.leaseStep = [1, 3, 8, 64, 1000].randomElement(using: &random)!
        channel.tailCacheBytes = [0, 3000, 1 << 20].randomElement(using: &random)!
        channel.checkpointIntervalBytes = [8 << 10, 64 << 10, 1 << 20].randomElement(using: &random)!
        channel.writesThenSyncs = random.chance(25)
        if random.chance(25) { channel.durability = random.chance(50) ? .interval : .none }
        return channel
    }
}

extension CrashScript.Failure {
    /// Rows 21-23, 25, 26, 28, 32: an operation that changes something fails, once or a few times, or takes
    /// seconds. Two of three are writes and syncs.
    static func random(_ random: inout SeededRandom) -> CrashScript.Failure {
        let writes: [SimulatedOperation] = [.complete, .submit, .synchronize, .write]
        let others: [SimulatedOperation] = [.synchronizeDirectory, .create, .prewrite, .rename, .unlink, .close]
        let isLate = random.chance(10)
        let operation = (random.chance(67) ? writes : others).randomElement(using: &random)!
        let errno: Int32 = isLate ? 0 : [5, 5, 5, 28, 122, 23, 24, 12, 27, 30].randomElement(using: &random)!
        let count = random.chance(80) ? 1 : random.chance(75) ? random.number(2...20) : 20
        var failure = CrashScript.Failure(operation, errno: errno, skipping: random.number(0...40), count: count)
        failure.leaves = Leaves.allCases.randomElement(using: &random)!
        failure.delayMilliseconds = isLate ? random.number(1...5000) : 0
        return failure
    }
}

extension SeededRandom {
    package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    package mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
