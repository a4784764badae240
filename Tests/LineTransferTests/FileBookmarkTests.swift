import DurableChannel
import Testing

@testable import LineTransfer

@Suite struct FileBookmarkTests {
    private static let content = (0..<600).map { UInt8(truncatingIfNeeded: $0 * 7) }

    private static func bookmark(_ kind: FileBookmark.Kind, offset: Int, isOpen: Bool = false) -> FileBookmark {
        FileBookmark(
            kind, device: 0x0102_0304, inode: 0x1122_3344_5566_7788, offset: UInt64(offset),
            lines: kind == .source ? UInt64(offset / 10) : 0, endsWithoutNewline: isOpen,
            head: Fingerprint(of: content.prefix(min(offset, 256))),
            tail: Fingerprint(of: content.prefix(offset).suffix(256)))
    }

    private static let samples = [
        bookmark(.source, offset: 0), bookmark(.source, offset: 1, isOpen: true), bookmark(.source, offset: 255),
        bookmark(.source, offset: 256), bookmark(.source, offset: 600), bookmark(.sink, offset: 0),
        bookmark(.sink, offset: 513),
    ]

    @Test func whatIsEncodedIsDecoded() throws {
        for sample in Self.samples {
            let encoded = sample.encoded()
            #expect(encoded.count == FileBookmark.byteCount)
            #expect(try FileBookmark(decoding: encoded, of: sample.kind, named: "x") == sample)
        }
    }

    @Test func theLayoutIsWhatTheTableSays() {
        let encoded = Self.bookmark(.source, offset: 600, isOpen: true).encoded()
        let text = encoded.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        let rows = stride(from: 0, to: 72, by: 16).map { text[$0..<min($0 + 16, 72)].joined(separator: " ") }
        #expect(
            rows == [
                "53 4c 42 4d 01 01 01 00 04 03 02 01 00 00 00 00",
                "88 77 66 55 44 33 22 11 58 02 00 00 00 00 00 00",
                "3c 00 00 00 00 00 00 00 00 01 00 01 00 00 00 00",
                "b4 f7 e6 b3 7a 33 0f cd 3a c3 a3 66 0a 2b bb 7a",
                "00 00 00 00 72 cf 69 70",
            ])
    }

    @Test func anyOtherBytesAreAnErrorAndNeverATrap() {
        func expectError(_ bytes: [UInt8], _ kind: FileBookmark.Kind) {
            let error = #expect(throws: LineTransferError.self) {
                try FileBookmark(decoding: bytes, of: kind, named: "lines-from:/x")
            }
            #expect(error?.code == .invalidBookmark)
            #expect(error?.message.contains("lines-from:/x") == true)
        }
        for sample in Self.samples {
            let encoded = sample.encoded()
            for count in 0..<encoded.count { expectError(Array(encoded[..<count]), sample.kind) }
            expectError(encoded + [0], sample.kind)
            for bit in 0..<encoded.count * 8 {
                var flipped = encoded
                flipped[bit / 8] ^= 1 << (bit % 8)
                expectError(flipped, sample.kind)
            }
            expectError(encoded, sample.kind == .source ? .sink : .source)
        }
        var numbers = Numbers(3)
        for count in 0..<200 {
            expectError((0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }, .source)
        }
    }

    @Test func aWrongFieldUnderARightChecksumIsAnError() {
        func expectError(_ name: String, _ change: (inout [UInt8]) -> Void) {
            for sample in Self.samples {
                var bytes = sample.encoded()
                change(&bytes)
                let checksum = Checksum.crc32c(unsafe bytes.span.bytes.extracting(0..<68))
                for index in 0..<4 { bytes[68 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
                #expect(throws: LineTransferError.self, "\(name)") {
                    try FileBookmark(decoding: bytes, of: sample.kind, named: "x")
                }
            }
        }
        expectError("kind") { $0[5] = 3 }
        expectError("flags") { $0[6] = 2 }
        expectError("reserved") { $0[7] = 1 }
        expectError("lines") { $0[32 + 7] = 1 }
        expectError("head length") { $0[40] &+= 1 }
        expectError("tail length") { $0[42] &+= 1 }
        expectError("reserved") { $0[44] = 1 }
        expectError("reserved") { $0[67] = 1 }
        expectError("version") { $0[4] = 2 }
    }
}

@Suite struct BookmarkNameTests {
    @Test func aPathIsItsOwnNameWhenItFits() {
        #expect(BookmarkName.source(bytes("/var/log/a b.log")) == "lines-from:/var/log/a b.log")
        #expect(BookmarkName.sink(bytes("/var/log/é")) == "lines-into:/var/log/é")
        let longest = bytes("/" + String(repeating: "x", count: 243))
        #expect(BookmarkName.source(longest).utf8.count == 255)
        #expect(BookmarkName.source(longest).hasSuffix("xxx"))
    }

    @Test func anyOtherPathIsNamedByItsHash() {
        let tooLong = bytes("/" + String(repeating: "x", count: 244))
        #expect(BookmarkName.source(tooLong).hasPrefix("lines-from:sha256:"))
        #expect(BookmarkName.source(tooLong).utf8.count == 11 + 7 + 64)
        #expect(BookmarkName.source(tooLong + [120]) != BookmarkName.source(tooLong))
        let foreign: [UInt8] = bytes("/caf") + [0xE9]
        #expect(BookmarkName.sink(foreign).hasPrefix("lines-into:sha256:"))
        #expect(BookmarkName.sink(foreign) != BookmarkName.sink(bytes("/caf") + [0xE8]))
    }

    @Test func theHashIsSHA256() {
        func hash(_ text: [UInt8]) -> String { SHA256.hexadecimal(of: unsafe text.span.bytes) }
        // The examples of FIPS 180-4 and of NIST's test vectors.
        #expect(hash([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hash(bytes("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hash(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            hash([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
