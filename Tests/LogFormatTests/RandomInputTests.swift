import Testing
import TestSupport

@testable import LogFormat

@Suite struct RandomInputTests {
    /// Each decoder's fuzz target, by its name.
    private static let targets: [(name: String, run: @Sendable ([UInt8]) -> Void)] = [
        ("FuzzFrame", FrameInput.run), ("FuzzIdentity", IdentityInput.run), ("FuzzSnapshot", SnapshotInput.run),
        ("FuzzCheckpoint", CheckpointInput.run),
    ]

    /// The samples as the fuzzers take them: a kind, for frames a place, and the bytes.
    private func inputs(of target: String) throws -> [[UInt8]] {
        let structures = try Samples.structures()
        switch target {
        case "FuzzFrame": return try frameInputs(structures)
        case "FuzzIdentity":
            return IdentityInput.Mode.allCases.map { mode in
                [mode.rawValue] + (mode == .raw ? structures[0].bytes : Array(structures[0].bytes.prefix(240)))
            }
        case "FuzzSnapshot":
            return SnapshotInput.Mode.allCases.flatMap { mode in
                structures.dropFirst().map { [mode.rawValue] + $0.bytes }
            }
        default:
            return CheckpointInput.Mode.allCases.flatMap { mode in
                structures.dropFirst().map { [mode.rawValue] + $0.bytes + (mode == .file ? $0.bytes : []) }
            }
        }
    }

    private func frameInputs(_ structures: [Samples.Structure]) throws -> [[UInt8]] {
        let place = [UInt8].filled(40) { bytes in
            bytes.store(Samples.life.logUUID, Field<LogUUID>(.logUUID, 0), at: 0)
            bytes.storeInteger(Samples.life.salt, at: 16)
            bytes.storeInteger(Samples.life.segment.rawValue, at: 24)
            bytes.storeInteger(Samples.position, at: 32)
        }
        var inputs: [[UInt8]] = []
        for (_, payload) in try Samples.payloads() {
            for kind in [FrameInput.Kind.frame, .repairedFrame] {
                inputs.append([kind.rawValue] + place + Samples.frame(payload))
            }
        }
        for kind in FrameInput.Kind.allCases.dropFirst(2) {
            for structure in structures where structure.bytes.count < 4096 {
                inputs.append([kind.rawValue] + structure.bytes)
            }
        }
        for (kind, batch) in [
            (FrameInput.Kind.putBatch, Samples.twoPuts), (.takeCommitBatch, Samples.takeCommit),
            (.bookmarkBatch, Samples.bookmarks),
        ] {
            let counts = [UInt8(batch.eventCount), UInt8(batch.transactions.count)]
            inputs.append([kind.rawValue] + counts + (try batch.encode()))
        }
        return inputs
    }

    @Test func decodersAreTotalOnRandomBytes() {
        var random = Random(seed: 30)
        for number in 0..<100_000 {
            Self.targets[number % Self.targets.count].run(random.bytes(random.index(below: 160)))
        }
    }

    @Test func decodersAreTotalOnMutatedSamples() throws {
        var random = Random(seed: 31)
        for (target, run) in Self.targets {
            let inputs = try inputs(of: target)
            for _ in 0..<(target == "FuzzFrame" ? 80_000 : 10_000) {
                var input = inputs[random.index(below: inputs.count)]
                for _ in 0...random.index(below: 4) { mutate(&input, &random) }
                run(input)
            }
        }
    }

    private func mutate(_ input: inout [UInt8], _ random: inout Random) {
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

    /// A broken promise ends the process, here as in the fuzzer.
    @Test func inputsThatOnceFailedNoLongerDo() throws {
        for (target, run) in Self.targets {
            for input in try #require(FailCases.inputs(of: target), "nothing to read for \(target)") { run(input) }
        }
    }
}
