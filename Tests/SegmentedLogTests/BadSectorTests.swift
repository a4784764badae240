import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// Row 24: a bad sector at each place of a segment in which several epochs began, each behind a group of which a part was not
/// written.
@Suite struct BadSectorTests {
    private struct Known {
        var world: World
        var log: Log
        /// What was acknowledged, and under which sequence.
        var tags: [UInt64: Int] = [:]

        mutating func append(_ tag: Int, _ others: [FramePayload] = []) throws {
            let receipt = try log.append([put(tag, bytes: 300)] + others)
            tags[receipt.sequences.lowerBound] = tag
        }
    }

    private static func configuration(_ blockBytes: Int) -> LogConfiguration {
        World.small {
            $0.blockBytes = blockBytes
            $0.segmentBytes = 128 << 10
            $0.capacityBytes = 2 << 20
            $0.snapshotLimitBytes = 4096
            $0.maximumGroupBytes = 16384
        }
    }

    private static func severalEpochs(_ blockBytes: Int) throws -> Known {
        let world = World()
        var known = Known(world: world, log: try world.open(configuration(blockBytes)))
        for life in 0..<5 {
            for turn in 0..<2 { try known.append(10 * life + turn) }
            // Of the last group only its first frame was whole when the power went, and two behind the torn one.
            let torn = 1000 + 10 * life
            let others = try [
                put(torn, bytes: life % 2 == 0 ? 500 : 1500), put(torn + 1, bytes: 300), put(torn + 2, bytes: 300),
            ]
            try known.append(10 * life + 2, others)
            let frame = try known.world.frame(tag: torn)
            let middle = (frame.offset + 100 + 511) / 512 * 512
            let from = middle + 512 <= frame.end ? middle : frame.offset + 100
            known.world = known.world.afterPowerCut(seed: UInt64(10 + life))
            try known.world.overwrite(World.segment(frame.segment), from..<min(from + 512, frame.end - 8))
            known.log = try known.world.open(configuration(blockBytes))
        }
        for turn in 0..<3 { try known.append(100 + turn) }
        return known
    }

    private static func sectors(_ log: Log) -> StrideTo<UInt64> {
        stride(from: 8192, to: log.durableThrough.lsn.offset, by: TestDepth.pick(sample: 4096, part: 1024, whole: 512))
    }

    private static func fault(_ sector: UInt64) -> Fault { World.unreadable(1, sector..<sector + 512) }

    /// What is wrong with what a reader comes to from a sequence on.
    private static func objections(_ log: Log, _ tags: [UInt64: Int], from first: UInt64 = 1) throws -> [String] {
        let reader = log.makeReader(at: EventSequence(first))
        var objections: [String] = []
        var seen = Set<UInt64>()
        while let item = try reader.next() {
            switch item {
            case .frame(let frame) where frame.header.type == .put:
                let sequence = frame.header.baseSequence.rawValue
                if tags[sequence] != tag(frame.payload) { objections.append("\(sequence) is \(tag(frame.payload))") }
                seen.insert(sequence)
            case .frame: break
            case .damage(let range): if range.firstSequence < range.endSequence { objections.append("\(range)") }
            case .unreadable(let range):
                seen.formUnion(
                    tags.keys.filter { range.firstSequence.rawValue <= $0 && $0 < range.endSequence.rawValue })
            }
        }
        let missing = tags.keys.filter { $0 >= first && !seen.contains($0) }.sorted()
        return missing.isEmpty ? objections : objections + ["\(missing) are neither there nor held"]
    }

    @Test(arguments: [512, 4096]) func aReaderLosesNothingAndInventsNothing(_ blockBytes: Int) throws {
        let known = try Self.severalEpochs(blockBytes)
        for sector in Self.sectors(known.log) {
            known.world.disk.faults.add(Self.fault(sector))
            for sequence in known.tags.keys {
                let objections = try Self.objections(known.log, known.tags, from: sequence)
                #expect(objections.isEmpty, "bad sector at \(sector), from \(sequence): \(objections)")
            }
            known.world.disk.faults.removeAll()
            #expect(try Self.objections(known.log, known.tags).isEmpty, "\(sector) was given again")
        }
    }

    @Test(arguments: [512, 4096], [false, true])
    func openingsLoseNothingAndInventNothing(_ blockBytes: Int, _ hasCheckpoint: Bool) throws {
        let known = try Self.severalEpochs(blockBytes)
        for sector in Self.sectors(known.log) {
            var world = known.world.afterPowerCut(seed: 99)
            if !hasCheckpoint { world.disk.remove(World.path + "/checkpoint") }
            var tags = known.tags
            for round in 0..<3 {
                if round < 2 { world.disk.faults.add(Self.fault(sector)) }
                let log = try world.open(Self.configuration(blockBytes))
                if round < 2 {
                    #expect(log.recoveryReport.losses.allSatisfy { $0.firstSequence == $0.endSequence })
                    let sequence = try log.append([put(200 + round)]).sequences.lowerBound
                    #expect(tags.updateValue(200 + round, forKey: sequence) == nil, "\(sequence) was given before")
                }
                // In the end what was skipped for what might have been there is reported as lost; nothing that was put is.
                let objections = try Self.objections(log, tags).filter { round < 2 || !$0.hasPrefix("damaged") }
                #expect(objections.isEmpty, "bad sector at \(sector), opening \(round): \(objections)")
                world = world.afterPowerCut(seed: UInt64(100 + round))
            }
        }
    }
}
