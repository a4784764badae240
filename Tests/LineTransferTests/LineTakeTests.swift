import CrashHarness
import DurableChannel
import SimulatedFileIO
import Testing

@testable import LineTransfer

@Suite struct LineTakeTests {
    private func fill(_ channel: FileChannel, _ bodies: [[UInt8]]) throws {
        var put = try channel.beginPut()
        for body in bodies { try put.append(headers: [EventHeader(key: "k", value: [0x80])], body: body) }
        try put.commit()
    }

    @Test func eventsComeInOrderInTakesOfTheBatchUpToTheLimit() throws {
        let world = World()
        let channel = try world.open()
        try fill(channel, (1...10).map { bytes("\($0)") })
        let output = MemoryOutput()
        var batches: [LineTake.Batch] = []
        let count = try LineTake(batchEvents: 3, limit: 7).run(
            from: channel, to: output, committed: { (batch) throws(LineTransferError) in batches.append(batch) })
        #expect(count == 7 && output.text == "1\n2\n3\n4\n5\n6\n7\n")
        #expect(batches.map(\.first) == [1, 4, 7] && batches.map(\.last) == [3, 6, 7])
        #expect(batches.map(\.byteCount) == [3, 3, 1])
        #expect(try LineTake().run(from: channel, to: output) == 3)
        #expect(try LineTake().run(from: channel, to: output) == 0)
        try channel.close()
    }

    @Test func whatTheOutputDidNotTakeComesAgainMarked() throws {
        let world = World()
        let channel = try world.open()
        try fill(channel, (1...6).map { bytes("\($0)") })
        let output = MemoryOutput()
        output.failsAt = 1
        let error = #expect(throws: LineTransferError.self) {
            try LineTake(batchEvents: 2).run(from: channel, to: output)
        }
        #expect(error?.code == .outputClosed && output.text == "1\n2\n")
        let again = MemoryOutput()
        var marked: [Int] = []
        try LineTake(format: .jsonl, batchEvents: 2).run(
            from: channel, to: again,
            committed: { (batch) throws(LineTransferError) in marked.append(batch.redeliveredCount) })
        #expect(marked == [2, 0])
        #expect(
            again.text.split(separator: "\n").first
                == #"{"sequence":3,"redelivered":true,"headers":{},"headers_base64":{"k":"gA=="},"body":"3"}"#)
        try channel.close()
    }

    @Test func aTakeThatFollowsWaitsUntilItIsStopped() throws {
        let world = World()
        let channel = try world.open()
        try fill(channel, [bytes("1")])
        let output = MemoryOutput()
        var asked = 0
        let count = try LineTake(follows: true).run(
            from: channel, to: output,
            shouldStop: {
                asked += 1
                if asked == 4 { try? fill(channel, [bytes("2")]) }
                return asked == 8
            })
        #expect(count == 2 && output.text == "1\n2\n")
        try channel.close()
    }

    @Test func anEventLongerThanTheBufferIsWrittenWhole() throws {
        let world = World()
        let channel = try world.open(
            World.small {
                $0.capacityBytes = 64 << 20
                $0.segmentBytes = nil
                $0.snapshotLimitBytes = nil
            })
        let bodies = [
            bytes("small"), [UInt8](repeating: 7, count: 3 << 20), [UInt8](repeating: 0xC3, count: (1 << 20) - 1), [],
        ]
        try fill(channel, bodies)
        let output = MemoryOutput()
        try LineTake().run(from: channel, to: output)
        let same = output.bytes == bodies.flatMap { $0 + [10] }
        #expect(same)
        try channel.close()
    }
}
