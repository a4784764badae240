import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

@Suite struct PrefetchTests {
    /// A disk that is busy with a MiB lets a commit wait.
    @Test func aReaderAsksForWhatComesNextInSmallPiecesAndOnce() throws {
        let world = World()
        var configuration = LogConfiguration(capacityBytes: 64 << 20)
        configuration.segmentBytes = 4 << 20
        configuration.idleMarkDelay = 0
        let counting = CountingFileSystem(world.system)
        let log = try Log.open(
            at: World.path, fileSystem: counting, runtime: world.runtime, configuration: configuration)
        var written = 0
        while log.segments.count < 3 {
            _ = try log.append([put(written, bytes: 40_000)])
            world.runtime.runUntilIdle()
            written += 1
        }
        let before = counting.counts.bytesRead
        let reader = log.makeReader()
        var read = 0
        while let item = try reader.next() {
            if case .frame(let frame) = item, frame.header.type == .put { read += 1 }
        }
        #expect(read == written)
        let length = log.segments.dropLast().reduce(0) { $0 + Int($1.endOffset!) }
        #expect(counting.counts.bytesRead - before < length + (1 << 20))

        // All but the first window of each, and the last one, which ends where the log does.
        #expect(counting.counts.prefetched.count == 2)
        for segment in log.segments.dropLast() {
            let pieces = try #require(
                counting.counts.prefetched.first { $0.key.hasSuffix("\(segment.number.rawValue).seg") }?.value)
            #expect(pieces.allSatisfy { $0.count <= 128 << 10 && !$0.isEmpty })
            #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect((1 << 20..<(1 << 20) + (64 << 10)).contains(pieces.first!.lowerBound))
            #expect(pieces.last!.upperBound == segment.endOffset)
        }
        try log.close()
    }
}
