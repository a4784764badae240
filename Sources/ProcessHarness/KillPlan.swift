package import CrashHarness
internal import DurableChannel
internal import SimulatedFileIO

/// What is done to the processes of one channel, life after life, drawn from a seed: a value, of which `walcrash kill` draws the
/// same again. What of it a process gets to do before it is killed is up to the kernel.
package struct KillPlan: Sendable {
    package enum Ending: Sendable, Equatable {
        /// The clients come to their end, and the channel is closed.
        case close
        /// So long after the process has begun.
        case killAfter(microseconds: Int)
        /// By itself.
        case killAt(operation: UInt64, KillingFileSystem.Place)
        /// The file system takes no more writes then, and the process is killed later.
        case readOnlyAfter(microseconds: Int)
        /// The file system is stopped then.
        case cutAfter(microseconds: Int)
    }

    package struct Life: Sendable, Equatable {
        package var ending: Ending
        package var limits = ChildProcess.Limits()
        package var limitsOpening = false
        /// Another process tries to open the channel beside it.
        package var isIntrudedOn = false

        /// Operations may fail while it is opened: what cannot be read then is there later.
        package var isBlind: Bool { limitsOpening && limits != ChildProcess.Limits() }

        package var isDisturbed: Bool {
            switch ending {
            case .readOnlyAfter, .cutAfter: true
            default: limits != ChildProcess.Limits()
            }
        }
    }

    package var seed: UInt64
    package var script: CrashScript
    /// Where; nil for the directory itself.
    package var volume: Volume.Kind?
    /// What is free of the volume when the channel is made.
    package var room: UInt64 = 0
    package var inodes = 0
    package var lives: [Life]

    /// The life behind the drawn ones: nobody disturbs it, and it takes what is there.
    package var lastLife: Int { script.lives.count - 2 }
    /// Sees that nothing is left of it.
    package var emptyLife: Int { script.lives.count - 1 }

    package static func random(seed: UInt64, volume: Volume.Kind?) -> KillPlan {
        var random = SeededRandom(seed: seed ^ 0xB111)
        var script = CrashScript.random(seed: seed)
        script.name = "kill"
        if volume == .btrfs {
            // Its blocks are of 4096 bytes, and what is written is longer.
            script.channel.blockBytes = 4096
            script.channel.segmentBytes = max(script.channel.segmentBytes, 128 << 10)
            script.channel.capacityBytes = 1 << 20 + UInt64(script.channel.segmentBytes) * UInt64(random.number(3...8))
        }
        // Clients of several scripts set more bookmarks than those of one, and longer ones.
        let more = max(0, 4 << 10 - script.channel.snapshotLimitBytes)
        script.channel.snapshotLimitBytes += more
        script.channel.capacityBytes += UInt64(4 * more)
        // Where there is no room each of hundreds of puts waits.
        if case .block = script.channel.whenFull { script.channel.whenFull = .block(.milliseconds(10)) }
        // Clients of several scripts, one phase after the other.
        let phases = (0..<6).flatMap { CrashScript.random(seed: seed &+ 1_000_003 &* $0).lives.flatMap(\.phases) }
        let count = random.number(6...12)
        script.lives = (0..<count).map { _ in
            CrashScript.Life((0..<random.number(2...10)).map { _ in phases.randomElement(using: &random)! })
        }
        let lives = (0..<count).map { _ in Life.random(&random, volume) }
        script.lives.append(CrashScript.Life([CrashScript.Phase([[.drain(count: 50)]])]))
        script.lives.append(CrashScript.Life())
        var plan = KillPlan(seed: seed, script: script, volume: volume, lives: lives)
        let capacity = script.channel.capacityBytes
        plan.room = capacity / 100 * UInt64(random.number(40...160))
        // Without room for its trees it does not even make a directory.
        if volume == .btrfs { plan.room += 4 << 20 }
        plan.inodes = random.number(8...20)
        return plan
    }
}

extension KillPlan.Life {
    fileprivate static func random(_ random: inout SeededRandom, _ volume: Volume.Kind?) -> KillPlan.Life {
        let delay = random.number(0...[5_000, 20_000, 60_000, 150_000].randomElement(using: &random)!)
        var ending: KillPlan.Ending
        switch random.number(0...99) {
        case 0..<8: ending = .close
        case 8..<55:
            ending = .killAt(
                operation: UInt64(random.number(0...[30, 120, 400].randomElement(using: &random)!)),
                KillingFileSystem.Place.allCases.randomElement(using: &random)!)
        default: ending = .killAfter(microseconds: delay)
        }
        if let volume {
            if volume.canBeCut, random.chance(30) { ending = .cutAfter(microseconds: delay) }
            if volume.canTurnReadOnly, random.chance(15) { ending = .readOnlyAfter(microseconds: delay) }
        }
        var life = KillPlan.Life(ending: ending)
        if random.chance(10) { life.limits.openFiles = UInt64(random.number(4...24)) }
        if random.chance(10) { life.limits.fileBytes = UInt64(random.number(1...80) * 4096) }
        life.limitsOpening = random.chance(50)
        life.isIntrudedOn = random.chance(8)
        return life
    }
}
