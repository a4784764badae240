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
        for _ in 0..<random.number(2...3) {
            var life = Life([Phase((0..<random.number(2...7)).map { _ in client(&random) })])
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
        return channel
    }
}

extension CrashScript.Failure {
    /// Rows 21-23, 25, 26, 28: an operation that changes something fails, once or a few times, or takes seconds.
    static func random(_ random: inout SeededRandom) -> CrashScript.Failure {
        let operations: [SimulatedOperation] = [
            .complete, .submit, .synchronize, .write, .synchronizeDirectory, .create, .prewrite, .rename, .unlink,
            .close,
        ]
        let isLate = random.chance(10)
        let errno: Int32 = isLate ? 0 : [5, 5, 5, 28, 122, 23, 24, 12, 27].randomElement(using: &random)!
        var failure = CrashScript.Failure(
            operations.randomElement(using: &random)!, errno: errno, skipping: random.number(0...40),
            count: random.chance(80) ? 1 : random.number(2...20))
        failure.leaves = Leaves.allCases.randomElement(using: &random)!
        failure.delayMilliseconds = isLate ? random.number(1...5000) : 0
        return failure
    }
}

extension SeededRandom {
    package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    package mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}
