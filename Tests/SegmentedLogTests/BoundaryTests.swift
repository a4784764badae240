import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Row 38: sizes at the edges. A segment of 16 KiB has 16 blocks of 512 bytes for frames; the first of them goes to
/// snapshot and open frame, and one is kept for the seal.
@Suite struct BoundaryTests {
    /// Payload bytes of a put frame that takes exactly `blocks` blocks.
    private static func bytes(blocks: Int) -> Int { blocks * 512 - 104 }

    /// What a log holds after one put of that size, and again after a power cut.
    private func appendOne(
        _ bytes: Int, after earlier: Int = 0, _ configuration: LogConfiguration = World.small()
    ) throws -> (world: World, receipt: AppendReceipt) {
        let first = World()
        let log = try first.open(configuration)
        for index in 0..<earlier { _ = try log.append([put(index, bytes: 400)]) }
        let receipt = try log.append([put(earlier, bytes: bytes)])
        #expect(try log.readings() == texts(0...earlier))
        let next = first.afterPowerCut()
        let (report, readings) = try expectConvergence(next, configuration)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...earlier))
        let log2 = try next.open(configuration)
        #expect(try log2.append([put(earlier + 1)]).sequences == UInt64(earlier + 2)..<UInt64(earlier + 3))
        #expect(try log2.readings() == texts(0...earlier + 1))
        return (next, receipt)
    }

    /// Row 38.
    @Test func anAppendThatFillsTheSegmentExactlyStaysInIt() throws {
        let (_, receipt) = try appendOne(Self.bytes(blocks: 14))
        #expect("\(receipt.lsn)" == "1/2200")
        #expect(receipt.durableThrough.lsn.offset == 16384 - 512, "the seal's block is left")
        let world = World()
        let log = try world.open()
        _ = try log.append([put(0, bytes: Self.bytes(blocks: 14))])
        _ = try log.append([put(1)])
        let frames = try world.frames(1)
        #expect(frames.last?.header.type == .seal)
        #expect(frames.last?.end == 16384)
    }

    /// Row 38.
    @Test(arguments: [1, 7, 8, 9, 103, 104, 105, 111, 112, 113])
    func anAppendOfAFewBytesLessStaysInIt(_ less: Int) throws {
        let (_, receipt) = try appendOne(Self.bytes(blocks: 14) - less)
        #expect("\(receipt.lsn)" == "1/2200")
        #expect(receipt.durableThrough.lsn.offset == 16384 - 512)
    }

    /// Row 38.
    @Test func anAppendOfOneByteMoreGoesToALargerSegment() throws {
        let (world, receipt) = try appendOne(Self.bytes(blocks: 14) + 1)
        #expect(receipt.lsn.segment > SegmentNumber(1))
        #expect(world.contents(World.segment(receipt.lsn.segment.rawValue)).count > 16384)
    }

    /// Row 38.
    @Test(arguments: 10...16) func theLastAppendOfASegmentMayEndAnywhere(_ earlier: Int) throws {
        for size in [8, 400, 408, 409, 912, 920, 921, 1432] {
            _ = try appendOne(size, after: earlier)
        }
    }

    /// Row 38.
    @Test func anOversizedAppendGetsALargerSegmentThatSurvives() throws {
        let (world, receipt) = try appendOne(40_000, after: 5)
        #expect(receipt.lsn.segment > SegmentNumber(1))
        let name = World.segment(receipt.lsn.segment.rawValue)
        #expect(world.contents(name).count >= 40_000 + 8192)
        #expect(world.contents(name).count % 4096 == 0)
        #expect(world.disk.allocatedBytes() <= 320 << 10)
    }

    /// Row 38.
    @Test func anOversizedAppendIsServedAcrossARollAndRetired() throws {
        let world = World()
        let log = try world.open()
        for round in 0..<6 {
            _ = try log.append([put(2 * round, bytes: 30_000)])
            _ = try log.append([put(2 * round + 1, bytes: 400)])
            try log.retire(log.segments.dropLast().map(\.number))
            world.runtime.advance(by: 1_000_000_000)
            #expect(world.disk.allocatedBytes() <= 320 << 10)
        }
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty)
        #expect(readings.last == "11")
    }

    /// Row 38.
    @Test func anAppendOverTheLimitIsRefusedAndNothingIsWritten() throws {
        let world = World()
        let log = try world.open()
        world.runtime.runUntilIdle()
        let (hash, operations) = (world.disk.liveHash, world.disk.operationCount)
        for bytes in [80 << 10, 100 << 10, 1 << 20] {
            let frame = try put(0, bytes: bytes)
            do throws(LogError) {
                _ = try log.append([frame])
                Issue.record("an append of \(bytes) bytes was taken")
            } catch {
                #expect(error.code == .tooLarge)
            }
        }
        #expect(world.disk.liveHash == hash)
        #expect(world.disk.operationCount == operations)
        #expect(try log.append([put(0)]).sequences == 1..<2)
    }

    /// Row 38.
    @Test func aPutWithoutABodyAndARecordWithoutBytesAreTaken() throws {
        let world = World()
        let log = try world.open()
        let mark = try FramePayload(type: .mark, raw: [])
        for index in 0..<40 { _ = try log.append([put(index, bytes: 0), mark]) }
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty)
        #expect(readings == texts(0..<40))
    }

    /// Row 38: a header alone at the end of the segment, where the rest of its frame has no room.
    @Test func aHeaderAloneAtTheEndOfASegmentIsNoFrame() throws {
        let world = try World.killed(puts: 69)
        let last = try world.frame(tag: 68)
        #expect(last.end == 16384 - 1024)
        let header = Array(world.contents(World.segment(5))[last.offset..<last.offset + 96])
        world.change(World.segment(5)) { $0.replaceSubrange(16384 - 96..<16384, with: header) }
        let (report, readings) = try expectConvergence(world)
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts(0...68))
    }
}
