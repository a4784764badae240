import DurableChannel
import SimulatedFileIO
import Testing

@testable import LineTransfer

@Suite struct LineSourceTests {
    /// A directory on a simulated disk, and the bookmark that a channel would hold.
    private final class Place {
        let disk = SimulatedDisk()
        let directory: any StorageDirectory
        var bookmark: FileBookmark?
        var findings: [String] = []

        init() throws {
            let system = SimulatedFileSystem(disk: disk, runtime: SimulatedRuntime(seed: 1))
            try system.makeDirectory(at: "/logs")
            directory = try system.openDirectory(at: "/logs")
        }

        func write(_ text: String, to name: String = "app.log") {
            disk.setContents(of: "/logs/\(name)", to: bytes(text))
        }

        func text(of name: String = "app.log") -> String {
            String(decoding: disk.contents(of: "/logs/\(name)") ?? [], as: UTF8.self)
        }

        func append(_ text: String) { write(self.text() + text) }

        /// Puts at most so many batches, as a process that is killed then; the lines that it put.
        func run(batch: Int = 2, batches: Int = .max) throws -> [String] {
            var source = try LineSource("app.log", in: directory, bookmark: bookmark, readBytes: 4096)
            findings = source.findings
            var lines: [String] = []
            for _ in 0..<batches {
                guard let next = try source.nextBatch(LineBatch.Limits(lines: batch)) else { break }
                lines += next.lines.map { String(decoding: $0, as: UTF8.self) }
                let encoded = source.bookmark(at: next.boundaries.last!).encoded()
                bookmark = try FileBookmark(decoding: encoded, of: .source, named: "x")
            }
            return lines
        }
    }

    @Test func eachLineComesOnceHoweverOftenItIsStartedAnew() throws {
        let expected = (0..<700).map { "line \($0) " + String(repeating: "x", count: $0 % 97) }
        for batch in [1, 3, 50, 1000] {
            let place = try Place()
            place.write(expected.joined(separator: "\n") + "\n")
            var lines: [String] = []
            while true {
                let more = try place.run(batch: batch, batches: 3)
                #expect(place.findings == [])
                if more.isEmpty { break }
                lines += more
            }
            #expect(lines == expected)
            #expect(place.bookmark?.lines == 700)
        }
    }

    @Test func whatIsAppendedLaterIsPutLater() throws {
        let place = try Place()
        place.write("one\ntwo\n")
        #expect(try place.run() == ["one", "two"])
        #expect(try place.run() == [])
        place.append("three\n")
        #expect(try place.run() == ["three"])
        for index in 0..<500 {
            place.append("line \(index)\n")
            #expect(try place.run() == ["line \(index)"])
            #expect(place.findings == [])
        }
    }

    @Test func aLastLineWithoutANewlineIsPutAndItsNewlineBelongsToIt() throws {
        let place = try Place()
        place.write("one\ntwo")
        #expect(try place.run() == ["one", "two"])
        #expect(place.bookmark?.endsWithoutNewline == true)
        #expect(try place.run() == [])
        place.append("\n")
        #expect(try place.run() == [])
        place.append("three\n")
        #expect(try place.run() == ["three"])
        place.append("four")
        #expect(try place.run() == ["four"])
        place.append(" and a half\n")
        #expect(try place.run() == [" and a half"])
        #expect(place.findings == [])
    }

    @Test func anEmptyFileHasNoLines() throws {
        let place = try Place()
        place.write("")
        #expect(try place.run() == [])
        place.append("\n")
        #expect(try place.run() == [""])
    }

    @Test func aTruncatedFileIsSaidAndReadFromItsBeginning() throws {
        let place = try Place()
        place.write("one\ntwo\nthree\n")
        #expect(try place.run() == ["one", "two", "three"])
        // As logrotate's copytruncate does it.
        place.write("")
        #expect(try place.run() == [])
        #expect(place.findings.count == 1 && place.findings[0].contains("/logs/app.log was truncated"))
        place.write("four\n")
        #expect(try place.run() == ["four"])
        #expect(place.findings.count == 1 && place.findings[0].contains("it has 5 bytes, and 14 of it were put"))
        #expect(try place.run() == [])
        #expect(place.findings == [])
    }

    @Test func aFileThatGrewAgainBehindTheBookmarkIsKnownByItsBeginning() throws {
        let place = try Place()
        place.write("one\ntwo\n")
        #expect(try place.run() == ["one", "two"])
        place.write("three\nfour\nfive\n")
        #expect(try place.run() == ["three", "four", "five"])
        #expect(place.findings.count == 1 && place.findings[0].contains("was written anew"))
    }

    @Test func aFileWithTheSameBeginningThatGrewAgainIsKnownByTheBytesBeforeTheBookmark() throws {
        let place = try Place()
        let banner = String(repeating: "#", count: 300) + "\n"
        place.write(banner + "one\ntwo\n")
        #expect(try place.run().count == 3)
        place.write(banner + "six\nten\nseven\n")
        #expect(try place.run().count == 4)
        #expect(place.findings.count == 1 && place.findings[0].contains("was written anew"))
    }

    @Test func theSameContentWrittenAgainIsNotPutAgain() throws {
        let place = try Place()
        place.write("one\ntwo\n")
        #expect(try place.run() == ["one", "two"])
        place.write("")
        place.write("one\ntwo\nthree\n")
        #expect(try place.run() == ["three"])
        #expect(place.findings == [])
    }

    @Test func afterARotationTheRestOfTheFormerFileComesFirst() throws {
        let place = try Place()
        place.write("one\ntwo\nthree\nfour\nfive")
        #expect(try place.run(batches: 1) == ["one", "two"])
        try place.directory.rename("app.log", to: "app.log.1")
        place.write("six\nseven\n")
        #expect(try place.run(batches: 1) == ["three", "four"])
        #expect(place.findings.count == 1 && place.findings[0].contains("was rotated"))
        #expect(place.findings[0].contains("now app.log.1"))
        #expect(try place.run(batches: 1) == ["five"])
        #expect(place.findings.count == 1 && place.findings[0].contains("was rotated"))
        #expect(try place.run() == ["six", "seven"])
        #expect(try place.run() == [])
        #expect(place.findings == [])
    }

    @Test func afterSeveralRotationsTheFilesInBetweenArePutInTheirOrder() throws {
        let place = try Place()
        place.write("one\ntwo\nthree\n")
        #expect(try place.run(batches: 1) == ["one", "two"])
        try place.directory.rename("app.log", to: "app.log.10")
        place.write("four\n", to: "app.log.9")
        place.write("five\nfive\nfive\n", to: "app.log.2")
        place.write("old\n", to: "app.log.11")
        place.write("compressed\n", to: "app.log.3.gz")
        place.disk.plant(.directory, at: "/logs/app.log.4")
        place.write("six\n")
        #expect(try place.run(batches: 3) == ["three", "four", "five", "five"])
        #expect(place.findings.count == 1 && place.findings[0].contains("now app.log.10, app.log.9, app.log.2"))
        #expect(try place.run() == ["five", "six"])
        #expect(place.findings.count == 1 && place.findings[0].contains("now app.log.2, is put"))
        #expect(try place.run() == [])
        #expect(place.findings == [])
    }

    @Test func theNamesOfRotationTellTheOrderOfTheirFiles() {
        func later(_ former: String, _ names: [String]) -> [String] {
            FormerFiles.later(than: former, of: "a.log", among: names)
        }
        #expect(later("a.log.3", ["a.log", "a.log.1", "a.log.2", "a.log.3", "a.log.4"]) == ["a.log.2", "a.log.1"])
        #expect(later("a.log.1", ["a.log", "a.log.1", "a.log.2", "b.log.0"]) == [])
        #expect(later("a.log.1", ["a.log.0", "a.log.1"]) == ["a.log.0"])
        let dated = ["a.log", "a.log-20260101", "a.log-20260102", "a.log-20260103", "a.log-20260104.gz", "a.log.1"]
        #expect(later("a.log-20260101", dated) == ["a.log-20260102", "a.log-20260103"])
        #expect(later("a.log.20260101", ["a.log.1", "a.log.20260102"]) == ["a.log.20260102"])
        #expect(later("elsewhere", ["a.log", "a.log.1", "elsewhere", "f"]) == [])
        #expect(later("a.log.old", ["a.log", "a.log.old", "a.log.older", "a.log.zzz"]) == [])
    }

    @Test func afterACopyThatPrecededTheTruncationItsRestComesFirst() throws {
        for rewritten in ["four\n", "four four four four\n"] {
            let place = try Place()
            place.write("one\ntwo\nthree\n")
            #expect(try place.run(batches: 1) == ["one", "two"])
            // As logrotate's copytruncate does it, in both states that the next run may meet.
            place.write(place.text(), to: "app.log.1")
            place.write(rewritten)
            #expect(try place.run() == ["three", String(rewritten.dropLast())])
            #expect(place.findings.count == 1 && place.findings[0].contains("is put first, from app.log.1"))
            #expect(try place.run() == [])
            #expect(place.findings == [])
        }
    }

    @Test func aLineThatTheTruncationCutsWhileItIsReadIsNotPutInHalves() throws {
        let place = try Place()
        let lines = ["a", "b", "c", "d"].map { String(repeating: $0, count: 3000) }
        place.write(lines.joined(separator: "\n") + "\n")
        var source = try LineSource("app.log", in: place.directory, bookmark: nil, readBytes: 4096)
        var put: [[UInt8]] = []
        while let batch = try source.nextBatch(LineBatch.Limits(lines: 1)) {
            put += batch.lines
            place.bookmark = source.bookmark(at: batch.boundaries[0])
            // By now a part of another line has been read.
            if put.count == 1 {
                place.write(place.text(), to: "app.log.1")
                place.write("new\n")
            }
        }
        #expect(put.count < lines.count && put == lines[..<put.count].map { bytes($0) })
        #expect(try place.run() == lines[put.count...] + ["new"])
    }

    @Test func aCopyThatMayBeAnyOfSeveralIsNotGuessed() throws {
        let place = try Place()
        place.write("banner\n")
        #expect(try place.run() == ["banner"])
        place.write("banner\nold\n", to: "app.log.2")
        place.write("banner\nnew\n", to: "app.log.1")
        place.write("banner\nalien\n", to: "other.log")
        place.write("")
        #expect(try place.run() == [])
        #expect(place.findings.count == 1 && place.findings[0].contains("behind byte 7 before that, if anything"))
    }

    @Test func afterARotationWithoutTheFormerFileTheNewOneIsReadAndItIsSaid() throws {
        let place = try Place()
        place.write("one\ntwo\nthree\n")
        #expect(try place.run(batches: 1) == ["one", "two"])
        // The former file keeps its inode from the new one.
        try place.directory.rename("app.log", to: "elsewhere")
        place.write("four\n")
        try place.directory.unlink("elsewhere")
        #expect(try place.run() == ["four"])
        #expect(place.findings.count == 1)
        #expect(place.findings[0].contains("what that one held behind byte 8 was not put"))
    }

    @Test func aFileThatIsNotThereOrNoFileIsAnError() throws {
        let place = try Place()
        let missing = #expect(throws: LineTransferError.self) { try place.run() }
        #expect(missing?.code == .fileOperation && missing?.fileError?.reason == .notFound)
        place.disk.plant(.directory, at: "/logs/app.log")
        let wrong = #expect(throws: LineTransferError.self) { try place.run() }
        #expect(wrong?.fileError?.reason == .wrongKind)
    }

    @Test func aReadThatFailsIsAnError() throws {
        let place = try Place()
        place.write("one\ntwo\n")
        place.disk.faults.add(Fault(.read, errno: 5, on: .name("app.log"), skipping: 2))
        let error = #expect(throws: LineTransferError.self) { try place.run() }
        #expect(error?.code == .fileOperation && error?.fileError?.errno == 5)
        #expect(try place.run() == ["one", "two"])
    }

    @Test func aFileThatNobodyWritesToIsSyncedOnce() throws {
        let place = try Place()
        place.write((0..<3000).map { "line \($0)\n" }.joined())
        var syncs: [String] = []
        place.disk.beforeOperation = { operation in
            let text = operation.description
            if text.contains("synchronize") { syncs.append(text) }
        }
        defer { place.disk.beforeOperation = nil }
        #expect(try place.run(batch: 10).count == 3000)
        #expect(syncs.count == 2, "the file and its directory: \(syncs)")
    }

    @Test func aFileSystemWithoutSyncsIsReadAllTheSame() throws {
        for (operation, name) in [(SimulatedOperation.synchronize, "app.log"), (.synchronizeDirectory, "logs")] {
            for errno in [Int32(22), 30] {
                let place = try Place()
                place.write("one\ntwo\n")
                place.disk.faults.add(Fault(operation, errno: errno, on: .name(name)))
                #expect(try place.run() == ["one", "two"])
            }
        }
    }

    @Test func aSourceThatCannotBeMadeDurableIsAnErrorAndNothingOfItIsPut() throws {
        for (operation, name) in [(SimulatedOperation.synchronize, "app.log"), (.synchronizeDirectory, "logs")] {
            let place = try Place()
            place.write("one\ntwo\n")
            place.disk.faults.add(Fault(operation, errno: 5, on: .name(name)))
            let error = #expect(throws: LineTransferError.self) { try place.run() }
            #expect(error?.code == .fileOperation && error?.fileError?.errno == 5)
            #expect(error?.message.hasPrefix("making the lines durable where they stand") == true)
            #expect(place.bookmark == nil)
            #expect(try place.run() == ["one", "two"])
        }
    }

    @Test func aTooLongLineIsAnErrorBehindTheLinesBeforeIt() throws {
        let place = try Place()
        place.write("one\n" + String(repeating: "x", count: 101) + "\n")
        var source = try LineSource("app.log", in: place.directory, bookmark: nil, maximumLineBytes: 100)
        #expect(try source.nextBatch(LineBatch.Limits(lines: 9))?.lines == [bytes("one")])
        let error = #expect(throws: LineTransferError.self) { try source.nextBatch(LineBatch.Limits(lines: 9)) }
        #expect(error?.code == .lineTooLong)
        #expect(error?.message.contains("line 2, which begins at byte 4") == true)
    }
}
