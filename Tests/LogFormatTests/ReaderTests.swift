import Testing
import TestSupport

@testable import LogFormat

/// Holds tools/read-log.py, which shares no line with the library, against what the library writes.
@Suite struct ReaderTests {
    private static let segmentBytes = 65_536

    /// A segment with frames of every type; some are damaged.
    private struct Written {
        var bytes: [UInt8]
        /// Position, length, payload, raw payload and whether its payload was damaged.
        var frames: [(position: Int, length: Int, payload: FramePayload, raw: [UInt8], damaged: Bool)] = []
        var gap: Range<Int> = 0..<0
        var end = Int(FormatConstants.firstFrameOffset)

        init() {
            var identity = Samples.identity
            identity.segmentBytes = UInt64(ReaderTests.segmentBytes)
            bytes = identity.encode() + identity.encode()
            bytes += [UInt8](repeating: 0, count: ReaderTests.segmentBytes - bytes.count)
        }

        static let durable = DurableThrough(
            lsn: LSN(segment: SegmentNumber(2), offset: 0x2000), nextSequence: EventSequence(41))

        mutating func append(_ payload: FramePayload, gap: Int = 0, raw: [UInt8]) {
            let length = payload.minimumFrameBytes + gap
            let frame = [UInt8].filled(length) { bytes in
                Frame.write(
                    payload, baseSequence: EventSequence(42), commitTime: Samples.time, durableThrough: Self.durable,
                    epoch: Epoch(7), nonce: 0x0707_0707_0707_0707, frameBytes: length, life: Samples.life,
                    position: UInt64(end), into: &bytes, at: 0)
            }
            bytes.replaceSubrange(end..<end + length, with: frame)
            frames.append((end, length, payload, raw, false))
            end += length
        }
    }

    private func written() throws -> Written {
        var written = Written()
        for (_, payload) in try Samples.payloads() where payload.type != .seal {
            let header = FrameHeader(
                type: payload.type, compression: payload.compression, frameBytes: 0,
                storedBytes: UInt32(payload.bytes.count), rawBytes: payload.rawBytes, eventCount: 0,
                transactionCount: 0, payloadChecksum: 0, baseSequence: EventSequence(0), commitTime: 0,
                durableThrough: .nothing, epoch: Epoch(0), nonce: 0)
            let raw = try FramePayload.decompress(payload.bytes.rawBytes, header: header)
            written.append(payload, gap: payload.type == .mark ? 96 : 0, raw: raw)
        }
        let raw = try TransactionBatch(
            type: .put,
            transactions: [
                Transaction(id: 9, events: [Event(body: Array(String(repeating: "one of many ", count: 300).utf8))])
            ]
        ).encode()
        let compressed = try FramePayload(
            type: .put, eventCount: 1, transactionCount: 1, raw: raw, compression: .lz4)
        #expect(compressed.compression == .lz4)
        written.append(compressed, raw: raw)

        written.append(try FramePayload(type: .lease, raw: try Samples.lease.encode()), raw: [])
        written.frames[written.frames.count - 1].damaged = true
        written.bytes[written.frames[written.frames.count - 1].position + 100] ^= 1

        written.append(try FramePayload(type: .lease, raw: try Samples.lease.encode()), raw: [])
        if let lost = written.frames.popLast() {
            written.bytes[lost.position + 40] ^= 1
            written.gap = lost.position..<lost.position + lost.length
        }
        let seal = try Samples.seal.encode()
        written.append(try FramePayload(type: .seal, raw: seal), raw: seal)
        return written
    }

    @Test func readerPrintsWhatWasWrittenFrameByFrame() throws {
        let written = try written()
        try TestFiles.withDirectory { directory in
            #expect(TestFiles.write(written.bytes, to: "\(directory)/0000000000000003.seg"))
            let slot = try Samples.checkpoint().encode()
            let half = [UInt8](repeating: 0, count: 4096)
            #expect(TestFiles.write(half + slot + half.dropFirst(slot.count), to: "\(directory)/checkpoint"))

            let lines = try #require(read(directory, ["--format", "jsonl"]))
            var expected: [String] = []
            for frame in written.frames {
                if expected.count == written.frames.count - 1 { expected.append(line(gap: written.gap, zero: false)) }
                expected.append(line(frame, checksum: try sha256(frame.raw, in: directory)))
            }
            expected.append(line(gap: written.end..<Self.segmentBytes, zero: true))
            let found = lines.filter { $0.hasPrefix("{\"line\": \"frame\"") || $0.hasPrefix("{\"line\": \"gap\"") }
            #expect(found.count == expected.count)
            for (found, expected) in zip(found, expected) { #expect(found.hasPrefix(expected)) }

            #expect(lines.count == expected.count + 3)
            #expect(lines[0].contains("\"segment\": \"3\", \"log\": \"112233445566778899aabbccddeeff01\""))
            #expect(lines[0].hasSuffix("\"copies\": [\"valid\", \"valid\"]}"))
            #expect(lines[lines.count - 2].contains("\"slot\": 0, \"valid\": false"))
            #expect(lines[lines.count - 1].contains("\"covered\": \"3/2800\", \"covered_sequence\": 41"))
            #expect(lines[lines.count - 1].contains("\"generation\": 12"))
        }
    }

    @Test func readerDecodesTheEventsOfPutFrames() throws {
        let written = try written()
        try TestFiles.withDirectory { directory in
            #expect(TestFiles.write(written.bytes, to: "\(directory)/0000000000000003.seg"))
            let lines = try #require(read(directory, ["--format=jsonl", "--events"]))
            let puts = written.frames.filter { $0.payload.type == .put }
            #expect(lines.filter { $0.contains("\"line\": \"event\"") }.count == 1 + 3 + 1 + 1)
            let first = "\"line\": \"event\", \"segment\": \"3\", \"offset\": \(puts[0].position)}"
            let events = lines.filter { $0.hasSuffix(first) }
            #expect(events.count == 1)
            #expect(
                events.first?.hasPrefix("{\"headers\": [[\"host\", \"a.example\"], [\"k\", \"\"]], \"extensions\": []")
                    == true)
            #expect(events.first?.contains("\"body\": \"hello, log\", \"sequence\": 42, \"transaction\": 77") == true)
        }
    }

    @Test func readerNeverFailsOnGarbage() throws {
        let written = try written()
        var random = Random(seed: 40)
        try TestFiles.withDirectory { directory in
            for number in 1...40 {
                var bytes = written.bytes
                switch number % 4 {
                case 0: bytes = random.bytes(random.index(below: 30_000))
                case 1: bytes.removeLast(random.index(below: bytes.count + 1))
                case 2: bytes = Array(bytes[..<8192]) + random.bytes(2000)
                default:
                    for _ in 0..<60 {
                        bytes[random.index(below: written.end)] = UInt8(truncatingIfNeeded: random.next())
                    }
                }
                let name = HexDump.hex(UInt64(number), 16)
                #expect(TestFiles.write(Array(bytes.prefix(20_000)), to: "\(directory)/\(name).seg"))
            }
            #expect(TestFiles.write(random.bytes(9001), to: "\(directory)/checkpoint"))
            let lines = try #require(read(directory, ["--events"]))
            #expect(lines.count >= 41)
        }
    }

    @Test func readerRefusesWrongArgumentsAndMissingDirectories() {
        #expect(run(["--format", "xml", "."]) == 64)
        #expect(run([]) == 64)
        #expect(run(["/nonexistent/log"]) == 74)
    }

    // MARK: running it

    private func run(_ arguments: [String], output: String = "/dev/null", errors: String = "/dev/null") -> Int32? {
        Child.run(
            ["python3", "\(TestFiles.package)/tools/read-log.py"] + arguments, output: output, errors: errors)
    }

    /// The lines that it prints, or nil when it fails or says anything on the error stream.
    private func read(_ directory: String, _ options: [String]) -> [String]? {
        let output = "\(directory)/output"
        guard run([directory] + options, output: output, errors: "\(directory)/errors") == 0,
            TestFiles.read("\(directory)/errors") == []
        else { return nil }
        return TestFiles.text(output)?.split(separator: "\n").map(String.init)
    }

    private func sha256(_ bytes: [UInt8], in directory: String) throws -> String {
        try #require(TestFiles.write(bytes, to: "\(directory)/raw"))
        try #require(
            Child.run(["sha256sum", "\(directory)/raw"], output: "\(directory)/sum", errors: "/dev/null") == 0)
        return String(try #require(TestFiles.text("\(directory)/sum")).prefix(64))
    }

    private func line(gap: Range<Int>, zero: Bool) -> String {
        "{\"line\": \"gap\", \"segment\": \"3\", \"from\": \(gap.lowerBound), \"to\": \(gap.upperBound), \"zero\": \(zero), "
    }

    private func line(
        _ frame: (position: Int, length: Int, payload: FramePayload, raw: [UInt8], damaged: Bool), checksum: String
    ) -> String {
        let payload = frame.payload
        return
            "{\"line\": \"frame\", \"segment\": \"3\", \"offset\": \(frame.position), \"type\": \"\(payload.type)\", "
            + "\"compression\": \(payload.compression.rawValue), \"frame_bytes\": \(frame.length), "
            + "\"stored_bytes\": \(payload.bytes.count), \"raw_bytes\": \(payload.rawBytes), "
            + "\"event_count\": \(payload.eventCount), \"transaction_count\": \(payload.transactionCount), "
            + "\"base_sequence\": 42, \"epoch\": 7, \"nonce\": \"0707070707070707\", "
            + "\"durable_through\": \"2/2000\", \"durable_sequence\": 41, \"commit_time\": \(Samples.time), "
            + "\"payload_ok\": \(!frame.damaged), \"valid\": \(!frame.damaged), "
            + "\"raw_sha256\": \(frame.damaged ? "null" : "\"\(checksum)\"")}"
    }
}
