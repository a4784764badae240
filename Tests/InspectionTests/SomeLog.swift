import DurableChannel
import LogFormat
import SimulatedFileIO

@testable import CrashHarness

/// A channel on a simulated disk with some history, drawn from a seed: puts of all sizes, takes that are committed, rolled back or
/// left open, bookmarks, producers, dead letters, openings after closes, kills and power cuts.
struct SomeLog {
    let disk: SimulatedDisk
    static let path = ChannelRecorder.path

    static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 512 << 10)
        configuration.segmentBytes = 24 << 10
        configuration.snapshotLimitBytes = 4096
        configuration.whenFull = .reject
        configuration.leaseStep = 8
        return configuration
    }

    init(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var process = SimulatedProcess(SimulatedDisk(), seed: seed)
        let lives = Int.random(in: 1...3, using: &random)
        for life in 0..<lives {
            let channel = try FileChannel.open(
                at: Self.path, configuration: Self.configuration, fileSystem: process.fileSystem,
                runtime: process.runtime)
            var open: [TakeHolder] = []
            for step in 0..<Int.random(in: 5...60, using: &random) {
                try Self.work(on: channel, &open, step, &random)
            }
            let isLast = life == lives - 1
            let ending = Int.random(in: 0..<3, using: &random)
            if ending == 0 {
                for take in open { take.end() }
                try channel.close()
            }
            if isLast, ending == 0 {
                disk = process.disk.clone()
                return
            }
            process =
                ending == 1
                ? process.afterKill(seed: seed &+ UInt64(life)) : process.afterPowerCut(seed: seed &+ UInt64(life))
        }
        disk = process.disk.clone()
    }

    private static func work(
        on channel: FileChannel, _ open: inout [TakeHolder], _ step: Int, _ random: inout SeededRandom
    ) throws {
        switch Int.random(in: 0..<10, using: &random) {
        case 0...5:
            let stamp =
                random.chance(20) ? ProducerStamp(id: ProducerID(high: 7, low: 9), sequence: UInt64(step + 1)) : nil
            do throws(ChannelError) {
                var put = try channel.beginPut(producer: stamp)
                for index in 0..<Int.random(in: 1...6, using: &random) {
                    let size = [0, 3, 40, 900, 4000].randomElement(using: &random)!
                    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index &+ step) }
                    try put.append(
                        Event(headers: [EventHeader(key: "step", value: Array("\(step)".utf8))], body: body))
                }
                if random.chance(20) { try put.setBookmark("source", Array("at \(step)".utf8)) }
                try put.commit()
            } catch { guard [.full, .staleProducer].contains(error.code) else { throw error } }
        case 6...8:
            let holder = TakeHolder(try channel.beginTake(maxEvents: Int.random(in: 1...9, using: &random)))
            if random.chance(60) {
                try holder.commit(deadLetters: random.chance(20) ? 1 : 0)
            } else if random.chance(50) {
                holder.end()
            } else if open.count < 4 {
                open.append(holder)
            }
        default: try channel.checkpoint()
        }
    }

    /// Damages a copy of it; nil where there was nothing to damage.
    func damaged(seed: UInt64) -> (disk: SimulatedDisk, words: String)? {
        var random = SeededRandom(seed: seed)
        let damaged = disk.clone()
        guard let struck = CrashScript.Damage.random(&random).strike(damaged) else { return nil }
        return (damaged, struck.words)
    }
}

/// A take that may be kept open.
final class TakeHolder {
    private var transaction: TakeTransaction?
    private let events: [EventSequence]

    init(_ take: consuming TakeTransaction) {
        events = take.events.map(\.sequence)
        transaction = consume take
    }

    func commit(deadLetters: Int) throws(ChannelError) {
        guard var take = transaction.take() else { return }
        for sequence in events.prefix(deadLetters) { try take.deadLetter(sequence) }
        try take.commit()
    }

    func end() { transaction.take()?.rollback() }
}
