import DurableChannel
import TestSupport
import Testing

@testable import LineTransfer

@Suite struct LineSplitterTests {
    private func split(
        _ input: [UInt8], maximum: Int = LineSplitter.maximumLineBytes, readBytes: Int = 4096, reads: [Int] = [.max],
        lines: Int = .max, bytes: Int = .max
    ) throws -> [[[UInt8]]] {
        var splitter = LineSplitter(maximumLineBytes: maximum, readBytes: readBytes)
        return try batches(
            of: input, by: &splitter, reads: reads, limits: LineBatch.Limits(lines: lines, bytes: bytes)
        ).map(\.lines)
    }

    @Test(arguments: [1, 2, 3, .max])
    func aLineIsWhatStandsBeforeANewline(read: Int) throws {
        func check(_ text: String, _ expected: [String]) throws {
            let found = try split(bytes(text), reads: [read]).flatMap { $0 }
            #expect(found == expected.map { bytes($0) }, "\(text.debugDescription) in reads of \(read)")
        }
        try check("", [])
        try check("\n", [""])
        try check("\n\n", ["", ""])
        try check("one", ["one"])
        try check("one\n", ["one"])
        try check("one\ntwo", ["one", "two"])
        try check("one\n\ntwo\n", ["one", "", "two"])
        try check("\r\n\r\n", ["\r", "\r"])
        try check("one\r\ntwo\r", ["one\r", "two\r"])
        try check("a\u{0}b\nc\u{0}", ["a\u{0}b", "c\u{0}"])
    }

    @Test func bytesThatAreNoTextAreContent() throws {
        let all = (0...255).map { UInt8($0) }.filter { $0 != UInt8(ascii: "\n") }
        #expect(try split(all + [10] + all.reversed()) == [[all, all.reversed()]])
    }

    @Test func anyInputInAnyReadsGivesThePlainLinesAndHeldOnesStayAsTheyWere() throws {
        var numbers = Numbers(7)
        for round in 0..<TestDepth.pick(sample: 12, part: 60, whole: 60) {
            let alphabet: [UInt8] = round % 2 == 0 ? [10, 65, 13] : [10] + (0..<40).map { 60 + $0 }
            let input = (0..<Int.random(in: 0...20_000, using: &numbers)).map { _ in
                alphabet.randomElement(using: &numbers)!
            }
            let reads = (0..<9).map { _ in Int.random(in: 1...6000, using: &numbers) } + [3000]
            var splitter = LineSplitter(readBytes: 4096)
            let limits = LineBatch.Limits(
                lines: Int.random(in: 1...500, using: &numbers), bytes: Int.random(in: 1...9000, using: &numbers),
                bytesPerLine: round % 20)
            // All batches are held until the end, so a buffer that were used again would show.
            let found = try batches(of: input, by: &splitter, reads: reads, limits: limits)
            #expect(found.flatMap(\.lines) == plainLines(input), "round \(round)")
            for batch in found {
                #expect(batch.lineCount <= limits.lines)
                #expect(batch.byteCount <= limits.bytes || batch.lineCount == 1)
                #expect(batch.byteCount == batch.lines.reduce(0) { $0 + $1.count + limits.bytesPerLine })
            }
            var offset = 0
            var count: UInt64 = 0
            for (line, boundary) in zip(found.flatMap(\.lines), found.flatMap(\.boundaries)) {
                offset += line.count + 1
                count += 1
                let isOpen = offset > input.count
                let end = min(offset, input.count)
                let isRight = boundary.offset == UInt64(end) && boundary.lines == count
                #expect(isRight && boundary.endsWithoutNewline == isOpen)
                if count % 40 != 0 { continue }
                #expect(boundary.tail == Fingerprint(of: input[max(0, end - 256)..<end]))
            }
        }
    }

    @Test func aBatchIsAsLargeAsItsLimitsAndItsFirstLineAlwaysFits() throws {
        let found = try split(bytes("aa\nbb\ncc\ndd\neeeeeee\nf\n"), lines: 3, bytes: 5)
        #expect(
            found.map { $0.map { String(decoding: $0, as: UTF8.self) } } == [
                ["aa", "bb"], ["cc", "dd"], ["eeeeeee"], ["f"],
            ])
        #expect(try split(bytes("1\n2\n3\n4\n"), lines: 3).map(\.count) == [3, 1])
    }

    @Test func aBatchIsFilledAcrossReadsAndBuffers() throws {
        let input = (0..<5000).flatMap { bytes("line \($0)\n") }
        let found = try split(input, readBytes: 4096, reads: [100])
        #expect(found.count == 1 && found[0].count == 5000)
        #expect(found[0] == plainLines(input))
    }

    @Test func aLineOfTheMaximumIsALine() throws {
        let maximum = LineSplitter.maximumLineBytes
        let line = [UInt8](repeating: 120, count: maximum)
        #expect(
            try split(bytes("a\n") + line + bytes("\nb\n"), readBytes: 1 << 16) == [[bytes("a"), line, bytes("b")]])
        #expect(try split(line, readBytes: 1 << 16, reads: [1 << 18]) == [[line]])
    }

    @Test(arguments: [true, false])
    func aLineOverTheMaximumIsAnErrorThatNamesItBehindTheLinesBeforeIt(isEnded: Bool) throws {
        let input = bytes("one\ntwo\n") + [UInt8](repeating: 120, count: 101) + (isEnded ? [10] : [])
        var splitter = LineSplitter(maximumLineBytes: 100, readBytes: 4096)
        _ = try splitter.fill { (buffer, place, _, _) throws(LineTransferError) in
            buffer.copy(from: input, at: place)
            return input.count
        }
        var first = LineBatch(LineBatch.Limits(lines: 10))
        let isFull = try splitter.take(into: &first)
        #expect(isFull && first.lines == [bytes("one"), bytes("two")])
        for _ in 0..<2 {
            var second = LineBatch(LineBatch.Limits(lines: 10))
            let error = #expect(throws: LineTransferError.self) { try splitter.take(into: &second, atEnd: true) }
            #expect(error?.code == .lineTooLong)
            #expect(error?.message.contains("line 3, which begins at byte 8, is longer than 100 bytes") == true)
            #expect(second.isEmpty)
        }
        #expect(try split([UInt8](repeating: 120, count: 100) + [10], maximum: 100).count == 1)
    }

    @Test func aLineOverTheMaximumIsRefusedBeforeItsEndIsRead() throws {
        var splitter = LineSplitter(maximumLineBytes: 10_000, readBytes: 4096)
        var read = 0
        let error = #expect(throws: LineTransferError.self) {
            while true {
                var batch = LineBatch(LineBatch.Limits(lines: 10))
                _ = try splitter.take(into: &batch)
                _ = try splitter.fill { (buffer, place, count, _) throws(LineTransferError) in
                    buffer.copy(from: [UInt8](repeating: 120, count: count), at: place)
                    read += count
                    return count
                }
            }
        }
        #expect(error?.code == .lineTooLong)
        #expect(read < 60_000)
    }

    @Test func splittingGoesOnInTheMiddleOfAnInput() throws {
        let input = bytes("one\ntwo\nthree\n")
        var splitter = LineSplitter(offset: 4, lines: 1, history: bytes("one\n"))
        let found = try batches(of: Array(input[4...]), by: &splitter, limits: LineBatch.Limits(lines: 1))
        #expect(found.flatMap(\.lines) == [bytes("two"), bytes("three")])
        #expect(found.flatMap(\.boundaries).map(\.offset) == [8, 14])
        #expect(found.flatMap(\.boundaries).map(\.lines) == [2, 3])
        #expect(found[0].boundaries[0].tail == Fingerprint(of: input[..<8]))
        #expect(found[1].runs[0].lineNumber(of: 0) == 3)
    }

    @Test func aNewlineThatComesLaterEndsTheLineThatWasPutWithoutOne() throws {
        func rest(_ text: String) throws -> [LineBatch] {
            var splitter = LineSplitter(offset: 3, lines: 1, history: bytes("one"), skipsNewline: true)
            return try batches(of: bytes(text), by: &splitter, reads: [1], limits: LineBatch.Limits(lines: 9))
        }
        #expect(try rest("").isEmpty)
        #expect(try rest("\n").isEmpty)
        #expect(try rest("\n\n").flatMap(\.lines) == [[]])
        #expect(try rest("\ntwo\n").flatMap(\.lines) == [bytes("two")])
        #expect(try rest("\ntwo\n").flatMap(\.boundaries).map(\.offset) == [8])
        #expect(try rest(" and a half\ntwo\n").flatMap(\.lines) == [bytes(" and a half"), bytes("two")])
    }
}
