import Testing

@testable import LogFormat

@Suite struct ChecksumTests {
    @Test func checkValueIsThatOfTheDesign() {
        #expect(Checksum.crc32c(Array("123456789".utf8).rawBytes) == 0xE306_9283)
        #expect(Checksum.crc32cByTable(Array("123456789".utf8).rawBytes) == 0xE306_9283)
        #expect(Checksum.crc32c([UInt8]().rawBytes) == 0)
    }

    @Test func instructionAndTableAgreeOnRandomLengthsAndAlignments() {
        var random = Random(seed: 20)
        let bytes = random.bytes(40_000)
        let lengths =
            Array(0...300) + (0..<400).map { _ in random.index(below: 30_000) } + [767, 768, 769, 6143, 6144, 6145]
        for length in lengths {
            let start = random.index(below: 64)
            let seed = UInt32(truncatingIfNeeded: random.next())
            let span = bytes.rawBytes.extracting(start..<start + length)
            #expect(Checksum.crc32c(span, continuing: seed) == Checksum.crc32cByTable(span, continuing: seed))
        }
    }

    @Test func checksumOfTwoPartsIsThatOfTheWhole() {
        var random = Random(seed: 21)
        let bytes = random.bytes(10_000)
        let whole = Checksum.crc32c(bytes.rawBytes)
        for _ in 0..<200 {
            let cut = random.index(below: bytes.count + 1)
            let first = Checksum.crc32c(bytes.rawBytes.extracting(0..<cut))
            #expect(Checksum.crc32c(bytes.rawBytes.extracting(cut..<bytes.count), continuing: first) == whole)
        }
    }
}
