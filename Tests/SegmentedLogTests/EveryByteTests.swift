import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// Rows 11 to 20 once more, without choosing the place: each byte, each length, each file of a small log of 20 puts.
@Suite struct EveryByteTests {
    private static let count = 20
    /// Odd, so that all fields are met over the run of a file.
    private static let stride = TestDepth.pick(sample: 401, part: 53, whole: 13)
    private static let lengthStride = TestDepth.pick(sample: 2039, part: 509, whole: 509)

    private enum End: CaseIterable { case closed, idle, killed }

    private static func make(_ end: End) throws -> World {
        let configuration = World.small { if end == .idle { $0.idleMarkDelay = 1000 } }
        return try World.killed(puts: count, configuration) { world, log in
            switch end {
            case .closed: try log.close()
            case .idle: world.runtime.runUntilIdle(horizon: 1_000_000)
            case .killed: break
            }
        }
    }

    /// Opens what was damaged, and says what is wrong with it; nil when every promise held.
    ///
    /// - Parameter most: how many puts may be missing.
    private static func objection(_ world: World, most: Int, lastIsVouched: Bool) -> String? {
        let log: Log
        let readings: [String]
        let sequences: Range<UInt64>
        do {
            log = try world.open()
            readings = try log.readings()
            sequences = try log.append([put(count)]).sequences
        } catch {
            return "\(error)"
        }
        let tags = readings.compactMap { Int($0) }
        if tags != tags.sorted() || Set(tags).count != tags.count || tags.contains(where: { $0 >= count }) {
            return "served: \(tags)"
        }
        let missing = (0..<count).filter { !tags.contains($0) }
        if missing.count > most { return "\(missing) are missing" }
        let report = log.recoveryReport
        for tag in missing where lastIsVouched || tag < count - 1 {
            let sequence = EventSequence(UInt64(tag + 1))
            let isSaid = (report.losses + report.unreadable).contains {
                $0.firstSequence <= sequence && sequence < $0.endSequence
            }
            let isRead = readings.contains { reading in
                // "..., sequences 15..<16"
                let ends = reading.split(separator: " ").last?.split(separator: "..<").compactMap { Int($0) } ?? []
                return ends.count == 2 && ends[0] <= tag + 1 && tag + 1 < ends[1]
            }
            if !isSaid && !isRead { return "\(tag) is missing and nobody says so: \(report)" }
        }
        if sequences.lowerBound <= UInt64(count), lastIsVouched || missing != [count - 1] {
            return "sequence \(sequences.lowerBound) is used again: \(report)"
        }
        return nil
    }

    private static let files = [
        World.segment(1), World.segment(2), "checkpoint", "pid", "reserve-0", "reserve-1",
    ]

    @Test(arguments: End.allCases.indices, files)
    func aFlippedBitAnywhereCostsAtMostTheFrameThatItTouches(_ end: Int, _ name: String) throws {
        let end = End.allCases[end]
        let whole = try Self.make(end)
        let size = whole.contents(name).count
        let step = name.hasSuffix(".seg") ? Self.stride : 251
        for (index, offset) in Swift.stride(from: 0, to: size, by: step).enumerated() {
            let world = whole.copy()
            world.flip(name, at: offset, bit: UInt8(index % 8))
            if let objection = Self.objection(world, most: 1, lastIsVouched: end != .killed) {
                Issue.record("\(end), \(name), bit \(index % 8) of byte \(offset): \(objection)")
                return
            }
        }
    }

    @Test(arguments: End.allCases.indices, files)
    func aFileOfAnyLengthIsOpenedAndNothingIsMissedSilently(_ end: Int, _ name: String) throws {
        let end = End.allCases[end]
        let whole = try Self.make(end)
        let size = whole.contents(name).count
        for length in Swift.stride(from: 0, to: size, by: Self.lengthStride) {
            let world = whole.copy()
            world.truncate(name, to: length)
            if let objection = Self.objection(world, most: Self.count, lastIsVouched: true) {
                Issue.record("\(end), \(name), \(length) of \(size) bytes: \(objection)")
                return
            }
        }
    }

    @Test(arguments: End.allCases.indices, files)
    func aLogWithoutAnyOneOfItsFilesIsOpenedAndNothingIsMissedSilently(_ end: Int, _ name: String) throws {
        let end = End.allCases[end]
        let world = try Self.make(end)
        world.remove(name)
        if let objection = Self.objection(world, most: Self.count, lastIsVouched: true) {
            Issue.record("\(end), without \(name): \(objection)")
        }
    }

    @Test(arguments: End.allCases.indices, files)
    func aFileWithTheContentsOfAnotherIsOpenedAndNothingIsMissedSilently(_ end: Int, _ name: String) throws {
        let end = End.allCases[end]
        for other in Self.files where other != name {
            for swaps in [false, true] {
                let world = try Self.make(end)
                let (mine, its) = (world.contents(name), world.contents(other))
                world.setContents(name, its)
                if swaps { world.setContents(other, mine) }
                if let objection = Self.objection(world, most: Self.count, lastIsVouched: true) {
                    Issue.record("\(end), \(name) from \(other), swapped \(swaps): \(objection)")
                    return
                }
            }
        }
    }
}
