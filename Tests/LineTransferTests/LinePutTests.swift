import CrashHarness
import DurableChannel
import SimulatedFileIO
import Testing

@testable import LineTransfer

@Suite struct LinePutTests {
    private func batch(_ lines: [String], _ limits: LineBatch.Limits = LineBatch.Limits(lines: .max)) throws
        -> LineBatch
    {
        var splitter = LineSplitter(readBytes: 4096)
        let input = lines.flatMap { bytes($0 + "\n") }
        return try batches(of: input, by: &splitter, reads: [1000], limits: limits)[0]
    }

    private func texts(_ channel: FileChannel, _ count: Int = 100_000) throws -> [String] {
        let output = MemoryOutput()
        try LineTake(batchEvents: 50, limit: UInt64(count)).run(from: channel, to: output)
        return output.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { String($0) }
    }

    @Test func aBatchIsOneTransactionWithItsHeadersAndItsBookmark() throws {
        let world = World()
        let channel = try world.open()
        let put = LinePut(into: channel, headers: [EventHeader(key: "host", value: bytes("web-1"))])
        var commits: [Range<UInt64>] = []
        var places: [UInt64] = []
        try put.put(
            batch(["one", "", "three"]),
            bookmark: {
                places.append($0.offset)
                return Bookmark(name: "place", value: bytes("\($0.offset)"))
            }, committed: { (sequences) throws(LineTransferError) in commits.append(sequences) },
            isWaiting: { _ in false })
        #expect(commits == [1..<4] && places == [11])
        #expect(channel.bookmark("place") == bytes("11"))
        let take = try channel.beginTake()
        #expect(
            take.events.map(\.headers)
                == [[EventHeader]](repeating: [EventHeader(key: "host", value: bytes("web-1"))], count: 3))
        #expect(take.events.map { Array($0.body) } == [bytes("one"), [], bytes("three")])
        take.rollback()
        try channel.close()
    }

    @Test func aBatchThatIsTooLargeForATransactionIsCutAndEachPartHasItsBookmark() throws {
        let world = World()
        // A quarter of it, less the overhead, is 79 KiB.
        let channel = try world.open()
        let lines = (0..<130).map { "\($0) " + String(repeating: "x", count: 1000) }
        var commits: [Range<UInt64>] = []
        var offset: UInt64 = 0
        try LinePut(into: channel).put(
            batch(lines),
            bookmark: { boundary in
                offset = boundary.offset
                return Bookmark(name: "place", value: bytes("\(boundary.lines)"))
            },
            committed: { (sequences) throws(LineTransferError) in
                commits.append(sequences)
                #expect(channel.bookmark("place") == bytes("\(sequences.upperBound - 1)"))
            }, isWaiting: { _ in false })
        #expect(commits.count == 2 && commits.first?.lowerBound == 1 && commits.last?.upperBound == 131)
        #expect(Int(offset) == lines.reduce(0) { $0 + $1.utf8.count + 1 })
        #expect(try texts(channel) == lines)
        try channel.close()
    }

    @Test func aFullChannelKeepsWhatFitsAndTheRestIsPutWhenThereIsRoom() throws {
        let world = World()
        let channel = try world.open()
        let lines = (0..<1500).map { "\($0) " + String(repeating: "y", count: 400) }
        var out: [String] = []
        var waits = 0
        var failure: (any Error)?
        try LinePut(into: channel).put(
            batch(lines),
            bookmark: { Bookmark(name: "place", value: bytes("\($0.lines)")) },
            committed: { (sequences) throws(LineTransferError) in
                #expect(channel.bookmark("place") == bytes("\(sequences.upperBound - 1)"))
            },
            isWaiting: { error in
                #expect(error.code == .full)
                waits += 1
                do { out += try texts(channel, 100) } catch { failure = error }
                return failure == nil
            })
        #expect(failure == nil && waits > 3)
        out += try texts(channel)
        #expect(out == lines)
        try channel.close()
    }

    @Test func whoGivesUpWaitingIsToldThatTheChannelStayedFull() throws {
        let world = World()
        let channel = try world.open()
        let lines = (0..<1500).map { "\($0) " + String(repeating: "y", count: 400) }
        var put = 0
        let error = #expect(throws: LineTransferError.self) {
            try LinePut(into: channel).put(
                batch(lines), committed: { (sequences) throws(LineTransferError) in put += sequences.count },
                isWaiting: { _ in false })
        }
        #expect(error?.code == .stopped && error?.channelError?.code == .full)
        #expect(put > 100 && error?.message.contains("the channel stayed full") == true)
        #expect(try texts(channel) == Array(lines[..<put]))
        try channel.close()
    }

    @Test func aLineThatNoTransactionHoldsIsAnErrorThatNamesIt() throws {
        let world = World()
        let channel = try world.open()
        let long = String(repeating: "z", count: 100_000)
        var commits: [Range<UInt64>] = []
        let error = #expect(throws: LineTransferError.self) {
            try LinePut(into: channel).put(
                batch(["one", long, "three"]),
                committed: { (sequences) throws(LineTransferError) in commits.append(sequences) },
                isWaiting: { _ in true })
        }
        #expect(error?.channelError?.code == .transactionTooLarge)
        #expect(error?.message.contains("line 2 of 100000 bytes") == true)
        #expect(commits == [1..<2])
        try channel.close()
    }

    @Test func aFailedWriteIsAnErrorAndWhatWasAcknowledgedIsThere() throws {
        for skipping in 0..<6 {
            let world = World()
            let channel = try world.open()
            world.disk.faults.add(Fault(.submit, errno: 5, skipping: skipping, count: Fault.forever))
            var put = 0
            let error = #expect(throws: LineTransferError.self) {
                for _ in 0..<20 {
                    try LinePut(into: channel).put(
                        batch(["a", "b"]),
                        committed: { (sequences) throws(LineTransferError) in put += sequences.count },
                        isWaiting: { _ in true })
                }
            }
            #expect(error?.code == .channel)
            try? channel.close()
            world.disk.faults.removeAll()
            let again = World(world.disk.crashed(keeping: .nothing), seed: 5)
            let reopened = try again.open()
            #expect(try texts(reopened).count >= put)
            try reopened.close()
        }
    }
}
