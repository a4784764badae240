import Testing

@testable import LogFormat

@Suite struct DamageTests {
    private func isValidFrame(_ bytes: [UInt8]) -> Bool {
        do {
            let header = try FrameHeader.decode(bytes.rawBytes, at: 0, life: Samples.life, position: Samples.position)
            try Frame.verify(bytes.rawBytes, at: 0, header: header, life: Samples.life, position: Samples.position)
            return true
        } catch {
            return false
        }
    }

    @Test func anyFlippedBitOfAnyFrameMakesItInvalid() throws {
        for (name, payload) in try Samples.payloads() {
            var frame = Samples.frame(payload, gap: 8)
            #expect(isValidFrame(frame))
            for bit in 0..<frame.count * 8 {
                frame[bit / 8] ^= 1 << UInt8(bit % 8)
                if isValidFrame(frame) { Issue.record("\(name): bit \(bit) may flip") }
                frame[bit / 8] ^= 1 << UInt8(bit % 8)
            }
        }
    }

    @Test func aFrameThatIsCutAnywhereIsInvalid() throws {
        for (name, payload) in try Samples.payloads() {
            let frame = Samples.frame(payload)
            for length in 0..<frame.count where isValidFrame(Array(frame[..<length])) {
                Issue.record("\(name): may be cut to \(length) bytes")
            }
        }
    }

    @Test func anyFlippedBitIsRefusedOrGivesAnotherCanonicalValue() throws {
        for structure in try Samples.structures() {
            var bytes = structure.bytes
            for bit in 0..<bytes.count * 8 {
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                if let encoded = try? structure.reencoded(bytes.rawBytes) {
                    if structure.hasChecksum { Issue.record("\(structure.name): bit \(bit) may flip") }
                    if encoded != bytes { Issue.record("\(structure.name): bit \(bit) is not seen") }
                }
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
        }
    }

    @Test func aStructureThatIsCutAnywhereIsRefused() throws {
        for structure in try Samples.structures() {
            for length in 0..<structure.bytes.count {
                if let encoded = try? structure.reencoded(Array(structure.bytes[..<length]).rawBytes) {
                    Issue.record("\(structure.name): cut to \(length) bytes it encodes to \(encoded.count)")
                }
            }
        }
    }

    @Test func bytesBehindARecordAreRefused() throws {
        for structure in try Samples.structures() where !structure.hasChecksum {
            for extra in [[0], [1], [UInt8](repeating: 0, count: 8)] {
                let longer = structure.bytes + extra
                #expect(throws: FormatError.self, "\(structure.name)") { try structure.reencoded(longer.rawBytes) }
            }
        }
    }

    @Test func headerOfABrokenRuleIsRefusedThoughItsChecksumHolds() throws {
        let frame = Samples.frame(try Samples.payloads()[2].payload)
        func decode(_ offset: Int, _ values: [UInt8]) throws -> FrameHeader {
            var bytes = frame
            for (index, value) in values.enumerated() { bytes[offset + index] = value }
            let checksum = Checksum.crc32c(
                bytes.rawBytes.extracting(0..<92),
                continuing: Samples.life.placeChecksum(position: Samples.position))
            for index in 0..<4 { bytes[92 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
            return try FrameHeader.decode(bytes.rawBytes, at: 0, life: Samples.life, position: Samples.position)
        }
        let ones = [UInt8](repeating: 0xFF, count: 8)
        let zeros = [UInt8](repeating: 0, count: 8)
        #expect(try decode(0, []).type == .put)
        for (offset, values) in [
            (4, [0]), (4, [14]), (4, [2]), (5, [0]), (5, [2]), (6, [2]), (6, [1]), (7, [1]), (8, [1]),
            (8, Array(ones[..<4])), (12, [0, 0]), (12, Array(ones[..<4])), (16, [0]), (24, [0]), (32, zeros),
            (32, ones), (48, zeros), (48, [4]), (56, [0, 0x30]), (64, [43]), (64, zeros), (72, zeros), (80, zeros),
            (88, [1]),
        ] {
            #expect(throws: FormatError.self, "offset \(offset) := \(values)") { try decode(offset, values) }
        }
    }

    @Test func framesDoNotLieBehindTheEndOfTheBytes() throws {
        let frame = Samples.frame(try Samples.payloads()[2].payload)
        for offset in [-1, Int.min, 1, frame.count - 95, frame.count, frame.count + 1, Int.max] {
            #expect(throws: FormatError.self) {
                try FrameHeader.decode(frame.rawBytes, at: offset, life: Samples.life, position: Samples.position)
            }
            #expect(FrameHeader.hasMagic(frame.rawBytes, at: offset) == false)
        }
        for end in [Int.min, -1, 0, 7, frame.count + 1, Int.max] {
            #expect(Frame.trailerLength(frame.rawBytes, endingAt: end) == nil)
        }
    }
}
