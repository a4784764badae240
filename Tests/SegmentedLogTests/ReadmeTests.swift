import FileIO
import Glibc
import LogFormat
import SegmentedLog
import Testing
import TestSupport

/// The log by itself, as a client without a channel would use it. (The README's example is that of the channel.)
@Suite struct ReadmeTests {
    @Test func theLogCanBeUsedWithoutAChannel() throws {
        try TestFiles.withDirectory { path in
            let log = try Log.open(
                at: path + "/log", fileSystem: LinuxFileSystem(), runtime: SystemRuntime(),
                configuration: LogConfiguration(capacityBytes: 64 << 20))
            let event = Event(
                headers: [EventHeader(key: "host", value: Array("web-1".utf8))], body: Array("hello".utf8))
            let batch = TransactionBatch(type: .put, transactions: [Transaction(id: 1, events: [event])])
            let frame = try FramePayload(type: .put, eventCount: 1, transactionCount: 1, raw: try batch.encode())
            let receipt = try log.append([frame])
            let reader = log.makeReader(from: receipt.lsn)
            var types: [FrameType] = []
            while case .frame(let read) = try reader.next() { types.append(read.header.type) }
            #expect(types.first == .put)
            try log.close()
            #expect(receipt.sequences == 1..<2)
        }
    }
}
