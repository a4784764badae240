import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// What a reader asks the disk for before it needs it.
@Suite struct PrefetchTests {
    private static let mebibyte = 1 << 20

    /// A log of two segments of 4 MiB and the beginning of a third one; how many events.
    private func log(on system: any FileSystem, in world: World, bytes: Int) throws -> (Log, Int) {
        var configuration = LogConfiguration(capacityBytes: 64 << 20)
        configuration.segmentBytes = 4 << 20
        configuration.idleMarkDelay = 0
        let log = try Log.open(
            at: World.path, fileSystem: system, runtime: world.runtime, configuration: configuration)
        return (log, try world.append(to: log, until: 3, bytes: bytes))
    }

    private func pieces(
        _ counts: CountingFileSystem.Counts, of segment: SegmentSummary
    ) throws -> [CountingFileSystem.Prefetch] {
        try #require(counts.prefetched.first { $0.key.hasSuffix("\(segment.number.rawValue).seg") }?.value)
    }

    /// A disk that is busy with a MiB lets a commit wait.
    @Test(arguments: [2_000, 40_000, 300_000])
    func aReaderAsksOnceForAllThatComesNextAndNotForMuchAtOnce(bytes: Int) throws {
        let world = World()
        let counting = CountingFileSystem(world.system)
        let (log, written) = try log(on: counting, in: world, bytes: bytes)
        let before = counting.counts.bytesRead
        let reader = log.makeReader()
        var read = 0
        while let item = try reader.next() {
            if case .frame(let frame) = item, frame.header.type == .put { read += 1 }
        }
        #expect(read == written)
        let length = log.segments.dropLast().reduce(0) { $0 + Int($1.endOffset!) }
        #expect(counting.counts.bytesRead - before < length + Self.mebibyte)

        // All of them but the first window.
        #expect(counting.counts.prefetched.count == 2)
        var base = before
        for segment in log.segments.dropLast() {
            let pieces = try pieces(counting.counts, of: segment)
            let ranges = pieces.map(\.range)
            #expect(ranges.allSatisfy { $0.count <= 128 << 10 && !$0.isEmpty })
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect((Self.mebibyte..<Self.mebibyte + bytes + (64 << 10)).contains(Int(ranges.first!.lowerBound)))
            #expect(ranges.last!.upperBound == segment.endOffset)
            // Not the whole segment when it begins.
            for piece in pieces {
                let ahead = Int(piece.range.upperBound) - (piece.bytesReadBefore - base)
                #expect(ahead <= Self.mebibyte + bytes + (144 << 10))
            }
            base += Int(segment.endOffset!) - 8192
        }
        try log.close()
    }

    @Test func aReaderOfOneFrameAsksForNothing() throws {
        let world = World()
        let counting = CountingFileSystem(world.system)
        let (log, _) = try log(on: counting, in: world, bytes: 40_000)
        _ = try log.makeReader().next()
        #expect(counting.counts.prefetched.isEmpty)
        try log.close()
    }

    @Test func aSearchForASequenceAsksForWhatItGoesThrough() throws {
        let world = World()
        let counting = CountingFileSystem(world.system)
        let (log, _) = try log(on: counting, in: world, bytes: 40_000)
        let segment = log.segments[1]
        let reader = log.makeReader(at: EventSequence(segment.endSequence.rawValue - 1))
        guard case .frame(let frame) = try #require(try reader.next()) else {
            Issue.record("no frame")
            return
        }
        #expect(frame.header.baseSequence.rawValue == segment.endSequence.rawValue - 1)
        let pieces = try pieces(counting.counts, of: segment)
        #expect(pieces.first!.range.lowerBound < 2 << 20 && pieces.last!.range.upperBound == segment.endOffset)
        try log.close()
    }
}
