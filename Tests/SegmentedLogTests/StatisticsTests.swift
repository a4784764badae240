import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// What a log says of its own work.
@Suite struct StatisticsTests {
    @Test func groupsAppendsFramesEventsAndBytesAreCounted() throws {
        let world = World()
        let log = try world.open()
        // The next segment is made meanwhile, and is not to be among what is counted.
        _ = try log.append([put(9)])
        world.runtime.runUntilIdle()
        let before = log.statistics
        for index in 0..<5 { _ = try log.append([put(index, events: 2, bytes: 100), note(index, bytes: 60)]) }
        let now = log.statistics
        #expect(now.groups - before.groups == 5 && now.appends - before.appends == 5)
        #expect(now.frames - before.frames == 10 && now.events - before.events == 10)
        #expect(now.payloadBytesStored - before.payloadBytesStored == 5 * 160)
        #expect(now.bytesWritten - before.bytesWritten == 5 * 512)
        #expect(now.writeLatency.count - before.writeLatency.count == 5)
        #expect(now.largestGroupAppends == 1 && now.meanAppendsPerGroup == 1)
        #expect(now.groupsInFlight == 0 && now.mostGroupsInFlight == 1)
        for index in 0..<20 { log.submit([try put(index)]) { _ in } }
        world.runtime.runUntilIdle()
        #expect(log.statistics.largestGroupAppends > 1 && log.statistics.mostGroupsInFlight >= 1)
        #expect(log.statistics.appends == 26)
    }

    @Test func everythingThatIsWrittenIsCounted() throws {
        let world = World()
        let counting = CountingFileSystem(world.system)
        let log = try Log.open(
            at: World.path, fileSystem: counting, runtime: world.runtime, configuration: World.small())
        let before = (log.statistics.bytesWritten, counting.counts.bytesWritten)
        for index in 0..<80 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        try log.retire(log.segments.dropLast(2).map(\.number))
        for index in 0..<40 { _ = try log.append([put(index, bytes: 400)]) }
        try log.checkpoint()
        world.runtime.runUntilIdle()
        #expect(log.statistics.bytesWritten - before.0 == UInt64(counting.counts.bytesWritten - before.1))
    }

    @Test func aHistogramGivesUpperBoundsForPercentiles() {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(50) == 0 && histogram.meanNanoseconds == 0)
        for _ in 0..<90 { histogram.add(nanoseconds: 3_000) }
        for _ in 0..<9 { histogram.add(nanoseconds: 100_000) }
        histogram.add(nanoseconds: 5_000_000)
        #expect(histogram.count == 100)
        #expect(histogram.percentile(50) == 4_000)
        #expect(histogram.percentile(90) == 4_000)
        #expect(histogram.percentile(99) == 128_000)
        #expect(histogram.percentile(100) == 5_000_000)
        #expect(histogram.percentile(-3) == 4_000 && histogram.percentile(300) == 5_000_000)
        histogram.add(nanoseconds: 0)
        histogram.add(nanoseconds: .max / 2)
        #expect(histogram.counts[0] == 1 && histogram.counts[LatencyHistogram.bucketCount - 1] == 1)
        #expect(LatencyHistogram.end(ofBucket: 3) == 8_000)
    }
}
