import Glibc
import Testing
import TestSupport

@testable import LogFormat

/// The files in Golden pin version 1: whoever makes one of these tests fail has changed the format. Run with the
/// environment variable `SLUICE_WRITE_GOLDEN` set to write files for structures that are new.
@Suite struct GoldenTests {
    private func compare(_ name: String, _ bytes: [UInt8]) {
        let path = "\(TestFiles.package)/Tests/LogFormatTests/Golden/\(name).hex"
        if unsafe getenv("SLUICE_WRITE_GOLDEN") != nil, TestFiles.read(path) == nil {
            #expect(TestFiles.write(Array(HexDump.dump(bytes).utf8), to: path))
        }
        let golden = TestFiles.text(path).flatMap { HexDump.parse($0) }
        #expect(golden == bytes, "\(name) differs from its golden bytes")
    }

    @Test func everyStructureEncodesToItsGoldenBytes() throws {
        for structure in try Samples.structures() { compare(structure.name, structure.bytes) }
    }

    @Test func everyFrameTypeIsWrittenAsItsGoldenBytes() throws {
        let payloads = try Samples.payloads()
        #expect(Set(payloads.map(\.payload.type)) == Set(FrameType.allCases))
        for (name, payload) in payloads { compare("frame-\(name)", Samples.frame(payload)) }
        compare("frame-put-gap", Samples.frame(payloads[2].payload, gap: 96))
    }

    @Test func everyGoldenFileIsCompared() throws {
        let names = TestFiles.names(in: "\(TestFiles.package)/Tests/LogFormatTests/Golden")
        let expected =
            try Samples.structures().map { "\($0.name).hex" } + Samples.payloads().map { "frame-\($0.name).hex" }
            + ["frame-put-gap.hex"]
        #expect(names == expected.sorted())
    }

    @Test func paddingFrameWrittenInPlaceEqualsOneMadeOfZeros() throws {
        let written = [UInt8].filled(152) { bytes in
            for index in 0..<152 { bytes.storeInteger(UInt8(0xEE), at: index) }
            Frame.writePadding(
                baseSequence: EventSequence(42), commitTime: Samples.time, durableThrough: Samples.durable,
                epoch: Epoch(7), nonce: 0x0707_0707_0707_0707, frameBytes: 152, life: Samples.life,
                position: Samples.position, into: &bytes, at: 0)
        }
        let payload = try FramePayload(type: .padding, raw: .init(repeating: 0, count: 48))
        #expect(written == Samples.frame(payload))
    }
}
