import DurableChannel
import Testing
import TestSupport

@Suite struct ReadmeExampleTests {
    @Test func theExampleOfTheReadmeCompilesRunsAndIsThere() throws {
        let directory = RealDirectory()
        let path = directory.path + "/web"
        var delivered: [String] = []
        func deliver(_ number: EventSequence, _ body: ArraySlice<UInt8>) throws {
            delivered.append("\(number) " + String(decoding: body, as: UTF8.self))
        }

        // README begins
        let channel = try FileChannel.open(at: path)
        var put = try channel.beginPut()
        try put.append(Event(headers: ["host": "web-1"], body: "GET /index.html 200"))
        try put.append(Event(headers: ["host": "web-1"], body: "GET /missing.html 404"))
        try put.commit()  // when it returns, both survive a power cut; before, neither is there
        let take = try channel.beginTake(maxEvents: 100, waitingUpTo: .seconds(1))
        for event in take.events { try deliver(event.sequence, event.body) }
        try take.commit()  // now they are taken; dropped without it, they come again, marked
        try channel.close()
        // README ends

        #expect(delivered == ["1 GET /index.html 200", "2 GET /missing.html 404"])
        let readme = try #require(TestFiles.text(TestFiles.package + "/README.md"))
        let example = try Self.example()
        #expect(example.split(separator: "\n").count == 9)
        #expect(readme.contains("import DurableChannel\n\n" + example), "README.md must hold the lines above")
    }

    /// The lines between the two marks of this file, as they stand in the left margin of README.md.
    private static func example() throws -> String {
        let source = try #require(TestFiles.text(#filePath))
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        let margin = "        "
        let first = try #require(lines.firstIndex { $0 == margin + "// README begins" })
        let last = try #require(lines.firstIndex { $0 == margin + "// README ends" })
        return lines[(first + 1)..<last].map { $0.dropFirst(margin.count) }.joined(separator: "\n")
    }
}
