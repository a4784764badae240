import LogFormat
import Testing

/// The rules that are listed for people are those of the decoder.
@Suite struct FrameDiagnosisTests {
    private static let life = Samples.life
    private static let position = Samples.position

    /// Without and with a gap of a word.
    private static func frames() throws -> [[UInt8]] {
        let payloads = [
            try FramePayload(type: .seal, raw: SealRecord(nextSegment: SegmentNumber(4), nextSalt: 9).encode()),
            try FramePayload(type: .mark, raw: []),
        ]
        return payloads.flatMap { payload in [0, 8].map { Samples.frame(payload, gap: $0, at: position) } }
    }

    /// Whether the decoder takes it, in a segment that ends right behind it.
    private static func isAccepted(_ bytes: [UInt8]) -> Bool {
        let span = unsafe bytes.span.bytes
        guard let header = try? FrameHeader.decode(span, at: 0, life: life, position: position),
            Int(header.frameBytes) <= bytes.count
        else { return false }
        return (try? Frame.verify(span, at: 0, header: header, life: life, position: position)) != nil
    }

    private static func isDiagnosedValid(_ bytes: [UInt8]) -> Bool {
        FrameDiagnosis(bytes, life: life, position: position, room: UInt64(bytes.count)).isValid
    }

    /// As a writer that has lost its mind would: its checksum is right.
    private static func signed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var place: [UInt8] = []
        for word in [life.logUUID.high, life.logUUID.low, life.salt, life.segment.rawValue, position] {
            for index in 0..<8 { place.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * index))) }
        }
        let covered = place + bytes[0..<92]
        let checksum = unsafe Checksum.crc32c(covered.span.bytes)
        for index in 0..<4 {
            let byte = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index))
            bytes[92 + index] = byte
            bytes[bytes.count - 4 + index] = byte
        }
        return bytes
    }

    @Test func everyRuleHoldsExactlyForWhatTheDecoderAccepts() throws {
        var accepted = 0
        for frame in try Self.frames() {
            #expect(Self.isDiagnosedValid(frame) && Self.isAccepted(frame))
            for bit in 0..<frame.count * 8 {
                var changed = frame
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(Self.isDiagnosedValid(changed) == Self.isAccepted(changed), "bit \(bit)")
                #expect(!Self.isAccepted(changed), "bit \(bit)")
                let forged = Self.signed(changed)
                #expect(Self.isDiagnosedValid(forged) == Self.isAccepted(forged), "bit \(bit), signed")
                accepted += Self.isAccepted(forged) ? 1 : 0
            }
            for length in 0..<frame.count {
                #expect(!Self.isDiagnosedValid(Array(frame[..<length])), "\(length) bytes")
            }
        }
        // A time, or an epoch, may be any.
        #expect(accepted > 100)
    }

    @Test func theRuleThatDoesNotHoldIsNamedWithWhatStandsThere() throws {
        var frame = try Self.frames()[0]
        frame[100] ^= 1
        let failed = FrameDiagnosis(frame, life: Self.life, position: Self.position, room: 4096).rules.filter {
            $0.outcome == .fails
        }
        #expect(failed.map(\.words) == ["the payload's checksum is right"])
        #expect(failed.first?.detail.contains("stands in the header, the bytes have") == true)
    }
}
