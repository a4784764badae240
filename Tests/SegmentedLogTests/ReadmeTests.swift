import FileIO
import Glibc
import LogFormat
import SegmentedLog
import Testing

@Suite struct ReadmeTests {
    @Test func theExampleOfTheReadmeCompilesRunsAndIsThere() throws {
        let path = "/tmp/sluice-readme-\(getpid())"
        defer { remove(path) }

        // README begins
        let fileSystem = LinuxFileSystem()
        let log = try Log.open(
            at: path, fileSystem: fileSystem, runtime: SystemRuntime(),
            configuration: LogConfiguration(capacityBytes: 64 << 20))
        let event = Event(headers: [EventHeader(key: "host", value: Array("web-1".utf8))], body: Array("hello".utf8))
        let batch = TransactionBatch(type: .put, transactions: [Transaction(id: 1, events: [event])])
        let frame = try FramePayload(type: .put, eventCount: 1, transactionCount: 1, raw: try batch.encode())
        let receipt = try log.append([frame])  // returns when it is durable
        let reader = log.makeReader(from: receipt.lsn)
        while case .frame(let read) = try reader.next() { print(read.lsn, read.header.type, read.payload.count) }
        try log.close()
        // README ends

        #expect(receipt.sequences == 1..<2)
        let readme = try Self.text(of: "README.md", in: Self.package)
        let example = try Self.example()
        #expect(example.split(separator: "\n").count >= 10)
        #expect(readme.contains(example), "README.md must hold the lines above")
        for module in ["FileIO", "LogFormat", "SegmentedLog"] { #expect(readme.contains("import \(module)\n")) }
    }

    private static let package = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    /// The lines between the two marks of this file, as they stand in the left margin of README.md.
    private static func example() throws -> String {
        let source = try text(of: "ReadmeTests.swift", in: package + "/Tests/SegmentedLogTests")
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        let margin = "        "
        let first = try #require(lines.firstIndex { $0 == margin + "// README begins" })
        let last = try #require(lines.firstIndex { $0 == margin + "// README ends" })
        return lines[(first + 1)..<last].map { $0.dropFirst(margin.count) }.joined(separator: "\n")
    }

    private static func text(of name: String, in directory: String) throws -> String {
        let file = try LinuxFileSystem().openDirectory(at: directory).open(name, for: .reading)
        let buffer = AlignedBuffer(byteCount: Int(try file.status().size))
        let count = try file.read(into: buffer, at: 0, count: buffer.byteCount, from: 0, source: .cache)
        return unsafe buffer.bytes.withUnsafeBytes { unsafe String(decoding: $0.prefix(count), as: UTF8.self) }
    }

    private func remove(_ path: String) {
        guard let directory = try? LinuxFileSystem().openDirectory(at: path) else { return }
        for name in (try? directory.list()) ?? [] { try? directory.unlink(name) }
        directory.close()
        _ = unsafe rmdir(path)
    }
}
