import Testing
import TestSupport

@testable import LogFormat

@Suite struct RandomInputTests {
    /// The samples as the fuzzer takes them: a kind, for frames a place, and the bytes.
    private func inputs() throws -> [[UInt8]] {
        let place = [UInt8].filled(40) { bytes in
            bytes.store(Samples.life.logUUID, Field<LogUUID>(.logUUID, 0), at: 0)
            bytes.storeInteger(Samples.life.salt, at: 16)
            bytes.storeInteger(Samples.life.segment.rawValue, at: 24)
            bytes.storeInteger(Samples.position, at: 32)
        }
        var inputs: [[UInt8]] = []
        for (_, payload) in try Samples.payloads() {
            for kind in [DecodeInput.Kind.frame, .repairedFrame] {
                inputs.append([kind.rawValue] + place + Samples.frame(payload))
            }
        }
        let structures = try Samples.structures()
        for kind in DecodeInput.Kind.allCases.dropFirst(2) {
            for structure in structures where structure.bytes.count < 4096 {
                inputs.append([kind.rawValue] + structure.bytes)
            }
        }
        for (kind, batch) in [
            (DecodeInput.Kind.putBatch, Samples.twoPuts), (.takeCommitBatch, Samples.takeCommit),
            (.bookmarkBatch, Samples.bookmarks),
        ] {
            let counts = [UInt8(batch.eventCount), UInt8(batch.transactions.count)]
            inputs.append([kind.rawValue] + counts + (try batch.encode()))
        }
        inputs.append([DecodeInput.Kind.repairedIdentityBlock.rawValue] + structures[0].bytes)
        return inputs
    }

    @Test func decodersAreTotalOnRandomBytes() {
        var random = Random(seed: 30)
        for _ in 0..<100_000 { DecodeInput.run(random.bytes(random.index(below: 160))) }
    }

    @Test func decodersAreTotalOnMutatedSamples() throws {
        var random = Random(seed: 31)
        let inputs = try inputs()
        for _ in 0..<100_000 {
            var input = inputs[random.index(below: inputs.count)]
            for _ in 0...random.index(below: 4) {
                let place = random.index(below: input.count)
                switch random.index(below: 6) {
                case 0: input[place] ^= 1 << UInt8(random.index(below: 8))
                case 1: input[place] = [0, 1, 0x7F, 0x80, 0xFF][random.index(below: 5)]
                case 2: input.removeLast(min(input.count - 1, random.index(below: 16)))
                case 3: input.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
                case 4: input.replaceSubrange(place..<min(place + 4, input.count), with: [0xFF, 0xFF, 0xFF, 0xFF])
                default: input += random.bytes(8)
                }
            }
            DecodeInput.run(input)
        }
    }

    @Test func inputsThatOnceFailedNoLongerDo() {
        let folder = "\(TestFiles.package)/Fuzz/FailCases"
        for name in TestFiles.names(in: folder) where name != "README" {
            guard let input = TestFiles.read("\(folder)/\(name)") else {
                Issue.record("cannot read \(name)")
                continue
            }
            DecodeInput.run(input)
        }
    }
}
