import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Readers that begin at a sequence.
@Suite struct SeekingTests {
    private func first(_ log: Log, at sequence: UInt64) throws -> String {
        switch try log.makeReader(at: EventSequence(sequence)).next() {
        case .frame(let frame): return "\(frame.header.baseSequence)+\(frame.header.eventCount)"
        case .damage(let range): return "damage \(range.firstSequence)..<\(range.endSequence)"
        case .unreadable(let range): return "unreadable \(range.firstSequence)..<\(range.endSequence)"
        case nil: return "nothing"
        }
    }

    @Test func theNextPutFrameIsTheOneThatHoldsTheSequence() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<40 { _ = try log.append([put(index, events: 3, bytes: 400), note(index)]) }
        for sequence in UInt64(1)...120 {
            #expect(try first(log, at: sequence) == "\((sequence - 1) / 3 * 3 + 1)+3")
        }
        #expect(try first(log, at: 121) == "nothing")
        let reader = log.makeReader(at: EventSequence(60))
        var tags: [Int] = []
        while case .frame(let frame) = try reader.next() {
            if frame.header.type == .put { tags.append(tag(frame.payload)) }
        }
        #expect(tags == Array(19..<40))
        try log.retire(log.segments.prefix(1).map(\.number))
        let base = try #require(log.segments.first).baseSequence.rawValue
        #expect(try first(log, at: 1) == "\(base)+3", "the first behind it")
    }

    @Test func aReaderThatWaitsAtTheEndGoesOnWhenThereIsMore() throws {
        let world = World()
        let log = try world.open()
        _ = try log.append([put(0)])
        let reader = log.makeReader(at: EventSequence(3))
        #expect(try reader.next() == nil)
        for index in 1..<30 {
            _ = try log.append([put(index, bytes: 400)])
            if index < 2 { #expect(try reader.next() == nil) }
        }
        guard case .frame(let frame) = try reader.next() else {
            Issue.record("there is more")
            return
        }
        #expect(tag(frame.payload) == 2)
    }

    @Test func damageBeforeTheSequenceIsPassedByAndDamageThatMayHoldItIsReported() throws {
        let world = try World.killed()
        let ten = try world.frame(tag: 10)
        let twelve = try world.frame(tag: 12)
        for (offset, isHeader) in [(10, true), (200, false)] {
            let damaged = world.copy()
            damaged.flip(World.segment(ten.segment), at: ten.offset + offset)
            let log = try damaged.open()
            #expect(try first(log, at: 13) == "13+1", "header \(isHeader)")
            #expect(try first(log, at: 12) == "12+1")
            #expect(try first(log, at: 11) == "damage 11..<12")
            #expect(try first(log, at: 10) == "10+1")
        }
        let both = world.copy()
        both.zero(World.segment(ten.segment), ten.offset..<twelve.end)
        let log = try both.open()
        #expect(try first(log, at: 12) == "damage 11..<14")
        #expect(try first(log, at: 14) == "14+1")
    }

    /// What an earlier opening left torn behind its cut, with a whole header that reaches over the `open` frame, hides nothing.
    @Test func seekingThroughSeveralEpochsFindsWhatAReaderFinds() throws {
        var random = SeededRandom(seed: 4)
        var disk = SimulatedDisk()
        var tagNow = 0
        for life in 0..<12 {
            let world = World(disk, seed: UInt64(life))
            let log = try world.open()
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                log.submit([try put(tagNow, bytes: 700), try put(tagNow + 1, bytes: 900)]) { _ in }
                tagNow += 2
            }
            for _ in 0..<Int.random(in: 1...8, using: &random) { world.runtime.step() }
            disk = disk.crashed(keeping: disk.randomCrashChoice(using: &random))
        }
        let log = try World(disk, seed: 99).open()
        let reader = log.makeReader()
        var found = 0
        while let item = try reader.next() {
            guard case .frame(let frame) = item, frame.header.type == .put else { continue }
            let base = frame.header.baseSequence
            #expect(try first(log, at: base.rawValue) == "\(base)+1")
            found += 1
        }
        #expect(found > 4)
    }

    @Test func whateverAReaderReportsCanBeRecordedAndIsReportedAgain() throws {
        let world = try World.killed()
        let range = DamagedRange(
            .damaged, SegmentNumber(1), 9000, 9000, EventSequence(5), EventSequence(7))
        let log = try world.open()
        try log.record(range)
        let rest = DamagedRange(.damaged, SegmentNumber(2), 12_000, 0, EventSequence(5), EventSequence(5))
        try log.record(rest)
        let five = try world.frame(tag: 4)
        world.flip(World.segment(five.segment), at: five.offset + 20)
        for _ in 0..<3 { #expect(try first(log, at: 5) == "damage 5..<6") }
        try log.record(
            DamagedRange(
                .damaged, SegmentNumber(five.segment), UInt64(five.offset), UInt64(five.end), EventSequence(5),
                EventSequence(6)))
        #expect(try first(log, at: 5) == "damage 5..<6")
    }
}
