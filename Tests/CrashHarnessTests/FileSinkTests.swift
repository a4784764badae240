import CrashHarness
import DurableChannel
import SimulatedFileIO
import Testing

/// How somebody tests a sink of their own: "my file sink is exactly-once", power cuts included.
@Suite struct FileSinkTests {
    /// Writes the body of each event and a newline to a file. Its length stands in a bookmark that is committed with the take;
    /// what is behind that is cut off at the next start.
    private struct FileSink {
        let channel: FileChannel
        let directory: any StorageDirectory
        let file: any StorageFile
        var length: UInt64

        static let bookmark = "sink"

        init(_ channel: FileChannel, _ directory: any StorageDirectory) throws {
            self.channel = channel
            self.directory = directory
            length = channel.bookmark(Self.bookmark).flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0
            if try directory.status(of: "out") == nil {
                file = try directory.create("out", method: .writeThenSync)
                try directory.synchronize()
            } else {
                file = try directory.open("out", for: .writing(.writeThenSync))
                try file.truncate(to: length)
            }
        }

        /// False when there was nothing. `isSynced` and `isCut` are what makes it right; see below.
        mutating func deliver(_ most: Int, isSynced: Bool = true) throws -> Bool {
            var take = try channel.beginTake(maxEvents: most)
            if take.isEmpty { return false }
            var bytes: [UInt8] = []
            for event in take.events { bytes += Array(event.body) + [10] }
            let buffer = AlignedBuffer(byteCount: bytes.count)
            buffer.copy(from: bytes, at: 0)
            try file.write(buffer, count: bytes.count, at: length)
            if isSynced { try file.synchronize() }
            try take.setBookmark(Self.bookmark, Array("\(length + UInt64(bytes.count))".utf8))
            try take.commit()
            length += UInt64(bytes.count)
            return true
        }
    }

    private static let lines = (0..<9).map { "line \($0)" }

    private func trial(isSynced: Bool = true) -> CrashTrial<Void> {
        var configuration = ChannelConfiguration(capacityBytes: 320 << 10)
        configuration.segmentBytes = 16 << 10
        configuration.snapshotLimitBytes = 2048
        let expected = Array(Self.lines.map { $0 + "\n" }.joined().utf8)
        var trial = CrashTrial(
            known: (), prepare: { try $0.fileSystem.makeDirectory(at: "/files") },
            program: { process, _ in
                let channel = try FileChannel.open(
                    at: "/channel", configuration: configuration, fileSystem: process.fileSystem,
                    runtime: process.runtime)
                // How many lines were put is a bookmark, too.
                var next = channel.bookmark("source").flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
                while next < Self.lines.count {
                    var put = try channel.beginPut()
                    try put.append(body: Self.lines[next])
                    try put.setBookmark("source", Array("\(next + 1)".utf8))
                    try put.commit()
                    next += 1
                }
                var sink = try FileSink(channel, process.fileSystem.openDirectory(at: "/files"))
                while try sink.deliver(2, isSynced: isSynced) {}
                try sink.file.close()
                try channel.close()
            },
            check: { process, _ in
                let found = process.disk.contents(of: "/files/out") ?? []
                return found == expected ? nil : "the output is \(String(decoding: found, as: UTF8.self))"
            })
        trial.choicesPerOperation = 10
        return trial
    }

    @Test func myFileSinkIsExactlyOnce() {
        let report = trial().run()
        #expect(report.failures == [])
        #expect(report.operations > 30 && report.states > 200 && report.secondCrashes > 50, "\(report)")
    }

    /// A trial that cannot fail proves nothing.
    @Test func aSinkThatForgetsToSyncIsFound() {
        #expect(trial(isSynced: false).run().failures.first?.contains("the output is") == true)
    }

    @Test func whatAProgramThrowsIsAFailureWithItsPlace() {
        struct Stop: Error {}
        let trial = CrashTrial(
            known: 0,
            program: { process, outside in
                outside.known += 1
                try process.fileSystem.makeDirectory(at: "/a/b")
                if outside.known > 1 { throw Stop() }
            }, check: { _, _ in nil })
        let report = trial.run()
        #expect(report.failures.first?.contains("before") == true && report.failures[0].contains("Stop"), "\(report)")
    }
}
