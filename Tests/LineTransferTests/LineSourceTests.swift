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

        func write(_ text: String, to name: String = "app.log", at time: UInt64? = nil) {
            disk.setContents(of: "/logs/\(name)", to: bytes(text))
            if let time { disk.setModificationTime(of: "/logs/\(name)", to: time) }
        }

        func text(of name: String = "app.log") -> String {
            String(decoding: disk.contents(of: "/logs/\(name)") ?? [], as: UTF8.self)
        }

        func append(_ text: String) { write(self.text() + text) }

        /// Puts at most so many batches, as a process that is killed then; the lines that it put.
        func run(
            _ name: String = "app.log", as path: String? = nil, batch: Int = 2, batches: Int = .max
        ) throws -> [String] {
            var source = try LineSource(name, in: directory, knownAs: path, bookmark: bookmark, readBytes: 4096)
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

    /// Puts the first line of `app.log`, has it rotated under the first of these names, and written two files more, of
    /// which the first is rotated under the second name; what the next put says and puts.
    private func afterTwoRotations(_ former: String, _ between: String) throws -> (lines: [String], finding: String) {
        let place = try Place()
        place.write("one\ntwo\n", at: 10)
        #expect(try place.run(batch: 1, batches: 1) == ["one"])
        try place.directory.rename("app.log", to: former)
        place.write("three\nfour\n", to: between, at: 20)
        place.write("five\n", at: 30)
        let lines = try place.run()
        #expect(place.findings.count == 1)
        let finding = place.findings[0]
        #expect(try place.run() == [])
        #expect(place.findings == [])
        return (lines, finding)
    }

    @Test(arguments: [
        ("app.log.2", "app.log.1"), ("app.log.1", "app.log.2"), ("app.log.9", "app.log.10"),
        ("app.log-20260131", "app.log-20260201"), ("app.log-31012026", "app.log-01022026"),
        ("app-20260131.log", "app-20260201.log"), ("app.1.log", "app.2.log"), ("app.2.log", "app.1.log"),
        ("app-2026-01-31-9.log", "app-2026-01-31-10.log"),
    ])
    func theFileInBetweenIsPutWhereverItsNameSorts(_ former: String, _ between: String) throws {
        let (lines, finding) = try afterTwoRotations(former, between)
        #expect(lines == ["two", "three", "four", "five"])
        #expect(finding.contains("now \(former), \(between), is put") && !finding.contains("not put"), "\(finding)")
    }

    @Test(arguments: [
        ("app.log.2", "app.log.1.gz"), ("app.log.1", "app.log.2.zst"), ("app.log.1", "app.log-20260201"),
        ("app-20260131.log", "app-20260201.log.xz"), ("app.log.old", "app.log.older"),
    ])
    func aFileInBetweenThatIsNotReadIsNamed(_ former: String, _ between: String) throws {
        let (lines, finding) = try afterTwoRotations(former, between)
        #expect(lines == ["two", "five"])
        #expect(
            finding.contains("now \(former), is put") && finding.contains("not put: \(between) (last"), "\(finding)")
    }

    @Test func aFormerFileWhoseNameTellsNothingOfTheOthersIsSaid() throws {
        let (lines, finding) = try afterTwoRotations("elsewhere", "neither")
        #expect(lines == ["two", "five"])
        #expect(finding.contains("by the name elsewhere it cannot be told"), "\(finding)")
    }

    @Test func aGapAmongTheFilesInBetweenIsNamedAndOlderFilesAreNotPutAgain() throws {
        let place = try Place()
        place.write("old\n", to: "app.log.4", at: 5)
        place.write("old\n", to: "app.log.0", at: 5)
        place.write("old\n", to: "app.log.5.gz", at: 5)
        place.write("another\n", to: "app-error.log", at: 25)
        place.write("one\ntwo\n", at: 10)
        #expect(try place.run(batch: 1, batches: 1) == ["one"])
        try place.directory.rename("app.log", to: "app.log.3")
        place.write("compressed", to: "app.log.2.gz", at: 20)
        place.write("three\n", to: "app.log.1", at: 30)
        place.write("four\n", at: 40)
        #expect(try place.run() == ["two", "three", "four"])
        #expect(place.findings.count == 1 && place.findings[0].contains("now app.log.3, app.log.1, is put"))
        #expect(place.findings[0].contains("not put: app.log.2.gz (last"))
    }

    @Test func behindALinkTheFilesInBetweenAreThoseWhoseNamesDifferInDigits() throws {
        let place = try Place()
        place.write("one\ntwo\n", to: "app-9", at: 10)
        #expect(try place.run("app-9", as: "/logs/current", batch: 1, batches: 1) == ["one"])
        place.write("three\n", to: "app-10", at: 20)
        place.write("compressed", to: "app-11.gz", at: 30)
        place.write("alien\n", to: "web-10", at: 30)
        place.write("old\n", to: "app-8", at: 5)
        place.write("four\n", to: "app-12", at: 40)
        #expect(try place.run("app-12", as: "/logs/current") == ["two", "three", "four"])
        #expect(place.findings.count == 1)
        #expect(
            place.findings[0].hasPrefix("/logs/current was rotated: the rest of the former file, now app-9, app-10,"))
        #expect(place.findings[0].contains("not put: app-11.gz (last"))
    }

    @Test func amongManyFilesOnlyThoseOfTheFamilyAreOpened() throws {
        let place = try Place()
        place.write("one\n", at: 10)
        #expect(try place.run() == ["one"])
        try place.directory.rename("app.log", to: "app.log.1")
        for index in 0..<200 { place.write("alien\n", to: "other.log.\(index)", at: 20) }
        for index in 2..<50 { place.write("old\n", to: "app.log.\(index)", at: 5) }
        place.write("two\n", at: 30)
        place.disk.options.countsReads = true
        var calls: [String: Int] = [:]
        place.disk.beforeOperation = { calls["\($0.operation) \($0.path)", default: 0] += 1 }
        defer { place.disk.beforeOperation = nil }
        #expect(try place.run() == ["two"])
        #expect(calls.filter { $0.key.hasPrefix("open ") }.count == 2)
        // Once while the bookmark's file is looked for, once for the time.
        #expect((2..<50).allSatisfy { (1...2).contains(calls["status /logs/app.log.\($0)"] ?? 0) })
        #expect(calls.filter { $0.key.contains("other.log") }.values.allSatisfy { $0 == 1 })
    }

    @Test func eachFileInBetweenIsOpenedWhenItsTurnComesWhereverItHasGoneByThen() throws {
        let place = try Place()
        place.write("one\n", at: 10)
        #expect(try place.run() == ["one"])
        try place.directory.rename("app.log", to: "app.log.4")
        for age in 1...3 { place.write("line \(age)\n", to: "app.log.\(age)", at: UInt64(50 - age)) }
        place.write("two\n", at: 60)
        place.disk.options.countsReads = true
        var opened: [String] = []
        place.disk.beforeOperation = { if $0.operation == .open { opened.append($0.path) } }
        defer { place.disk.beforeOperation = nil }
        var source = try LineSource("app.log", in: place.directory, bookmark: place.bookmark, readBytes: 4096)
        #expect(opened == ["/logs/app.log", "/logs/app.log.4"])
        #expect(try source.nextBatch(LineBatch.Limits(lines: 9))?.lines == [bytes("line 3")])
        #expect(opened.last == "/logs/app.log.3" && opened.count == 3)
        for age in [3, 2, 1] { try place.directory.rename("app.log.\(age)", to: "app.log.\(age + 1)") }
        try place.directory.rename("app.log", to: "app.log.1")
        #expect(try source.nextBatch(LineBatch.Limits(lines: 9))?.lines == [bytes("line 2")])
        try place.directory.unlink("app.log.2")
        for _ in 0..<2 {
            let error = #expect(throws: LineTransferError.self) { try source.nextBatch(LineBatch.Limits(lines: 9)) }
            #expect(error?.message.hasPrefix("app.log.1, a former app.log, was removed") == true)
        }
    }

    @Test func aSourceThatIsRotatedWhileTheFormerFilesAreLookedForIsPutOnce() throws {
        let place = try Place()
        place.write("one\n", at: 10)
        #expect(try place.run() == ["one"])
        try place.directory.rename("app.log", to: "app.log.2")
        place.write("two\n", at: 20)
        place.disk.options.countsReads = true
        place.disk.beforeOperation = { [disk = place.disk] operation in
            guard operation.operation == .list else { return }
            disk.beforeOperation = nil
            try? place.directory.rename("app.log", to: "app.log.1")
            disk.setContents(of: "/logs/app.log", to: bytes("three\n"))
        }
        #expect(try place.run() == ["two"])
        #expect(try place.run() == ["three"])
    }

    @Test func theFilesAfterAFormerOneAreToldByTimeAndThenByName() {
        typealias Since = (read: [String], unread: [String])
        func since(_ former: String, _ time: UInt64, _ others: [(String, UInt64)], link: String? = nil) -> Since {
            let source = link ?? "a.log"
            let candidates = others.compactMap { name, time in
                RotatedName(name, of: source, behindLink: link != nil).map {
                    FormerFiles.Candidate(name: $0, time: time)
                }
            }
            let former = RotatedName(former, of: source, behindLink: link != nil)
            let found = FormerFiles.since(former, time, among: candidates)
            return (found.read.map(\.name.name), found.unread.map(\.name.name))
        }
        let table: [(former: String, others: [(String, UInt64)], read: [String], unread: [String])] = [
            ("a.log.3", [("a.log.1", 9), ("a.log.2", 8), ("a.log.4", 6)], ["a.log.2", "a.log.1"], []),
            ("a.log.1", [("a.log.3", 9), ("a.log.2", 8), ("a.log.0", 6)], ["a.log.2", "a.log.3"], []),
            ("a.log.1", [("a.log.2", 6), ("b.log.0", 9), ("a.logic", 6)], [], []),
            ("a.log.3", [("a.log.2.gz", 8), ("a.log.1", 9), ("a.log.4.gz", 6)], ["a.log.1"], ["a.log.2.gz"]),
            ("a.log-31012026", [("a.log-01022026", 8), ("a.log-31122025", 6)], ["a.log-01022026"], []),
            ("a-1.log", [("a-2.log", 8), ("a-b-2.log", 8), ("a2.log", 8)], ["a-2.log"], []),
            ("a.log.20260101", [("a.log.1", 8), ("a.log.20260102", 8)], ["a.log.20260102"], ["a.log.1"]),
            ("a.log.old", [("a.log.older", 8), ("a.log.1", 8)], [], ["a.log.1", "a.log.older"]),
            ("elsewhere", [("a.log.1", 8), ("f", 8)], [], ["a.log.1"]),
            // All of the former's very time: read if the usual order says later, else named.
            ("a.log.9", [("a.log.10", 7), ("a.log.8", 7), ("a.log.2", 7)], ["a.log.8", "a.log.2"], ["a.log.10"]),
            ("a.log-2026", [("a.log-2027", 7), ("a.log-2025", 7)], ["a.log-2027"], ["a.log-2025"]),
        ]
        for row in table {
            let (read, unread) = since(row.former, 7, row.others)
            #expect(read == row.read && unread == row.unread, "\(row): \(read) \(unread)")
        }
        let linked = since("app-1", 7, [("app-2", 8), ("app-20", 9), ("web-2", 8), ("app-2.gz", 8)], link: "app-30")
        #expect(linked.read == ["app-2", "app-20"] && linked.unread == ["app-2.gz"])
        #expect(RotatedName("server2.log", of: "server1.log", behindLink: false) == nil)
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
