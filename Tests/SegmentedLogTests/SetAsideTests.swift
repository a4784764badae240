import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Copies of what is damaged share a bounded part of the capacity.
@Suite struct SetAsideTests {
    @Test func whenTheShareIsFullTheOldestCopyGoesFirst() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        // Each takes a page; the share of this log is 64 KiB, a quarter of it for reports.
        for index in 0..<20 {
            let from = UInt64(8192 + 512 * (index % 10))
            let segment = SegmentNumber(UInt64(1 + index / 10))
            try log.record(
                DamagedRange(.damaged, segment, from, from + 512, EventSequence(1), EventSequence(1)))
        }
        let copies = world.names().filter { $0.hasPrefix("aside-") }
        #expect(copies.count == 12)
        #expect(copies.first == "aside-0000000000000001-3000", "the first eight are gone")
        #expect(copies.contains("aside-0000000000000002-3200"))
        // The disk counts the two directories above the log's own, too.
        #expect(log.room.diskBytes >= world.disk.allocatedBytes() - 2 * 4096)
        #expect(world.disk.allocatedBytes() <= World.small().capacityBytes)
        // One that is larger than the whole share stays where it is, and costs the others nothing.
        let again = try world.afterPowerCut().open()
        #expect(again.room.diskBytes >= 64 << 10)
    }
}
