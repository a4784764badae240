import ChannelInputs

/// Seeds of the targets that use a whole channel.
enum ChannelSeeds {
    static var all: [Seed] { directories + scripts }

    // MARK: Directories

    /// Each log as it is; and each kind of edit, with checksums put right and without, of a segment and of the checkpoint.
    private static var directories: [Seed] {
        var seeds: [Seed] = []
        for (number, base) in BaseLog.all.enumerated() {
            let log = UInt8(number)
            seeds.append(Seed("FuzzDirectory", "\(base.name)", [log, 0, 0]))
            guard !base.directory.files.isEmpty else { continue }
            for verb in 0..<18 as Range<UInt8> {
                for repair in [0, 0x80] as [UInt8] {
                    // The first file, the second frame of it, 32 bytes into that; then what the edits want.
                    let edit: [UInt8] = [verb | repair, 0, 1 | 1 << 2, 32, 0, 4, 1, 2, 3, 4, 0, 0]
                    seeds.append(Seed("FuzzDirectory", "\(base.name)-\(verb)-\(repair)", [log, 0, 0] + edit))
                }
            }
            let checkpoint = UInt8(base.directory.names.firstIndex(of: "checkpoint") ?? 0)
            for field in [32, 40, 56, 96, 120, 160] as [UInt8] {
                let edit: [UInt8] = [0x82, checkpoint, 0, field, 0, 3, 5]
                seeds.append(Seed("FuzzDirectory", "\(base.name)-checkpoint-\(field)", [log, 0, 0] + edit))
            }
            for type in 1...13 as ClosedRange<UInt8> {
                let edit: [UInt8] = [16, 0, 0, 0, 0, type, 1, 1, 24] + [UInt8](repeating: 1, count: 24)
                seeds.append(Seed("FuzzDirectory", "\(base.name)-forged-\(type)", [log, 0, 0] + edit))
            }
        }
        return seeds
    }

    // MARK: Scripts

    private static let put: [UInt8] = [5, 3, 60, 4]
    private static let large: [UInt8] = [6, 5, 200, 1]
    private static let take: [UInt8] = [15, 5, 1, 0]
    private static let commit: [UInt8] = [20, 0, 0, 1]
    private static let rollback: [UInt8] = [23, 0, 0, 0]
    private static let client: [UInt8] = [0, 0, 0, 0]
    private static let phase: [UInt8] = [1, 1, 0, 0]

    private static func life(_ ending: UInt8, _ operation: UInt8 = 40, _ choice: UInt8 = 3) -> [UInt8] {
        [2, ending, operation, choice]
    }

    private static var scripts: [Seed] {
        let works: [(String, [[UInt8]])] = [
            ("one", [put, take, commit, put]),
            ("side-by-side", [put, put, client, take, commit, take, rollback, client, large, [13, 0, 0, 0]]),
            ("roll", Array(repeating: large, count: 8) + [client] + Array(repeating: take + commit, count: 6)),
            ("fill", [[12, 3, 128, 0], [24, 4, 0, 0], put, [26, 0, 0, 0]]),
            ("steps", (13..<32 as Range<UInt8>).map { [$0, 1, 2, 3] }),
        ]
        let endings: [(String, [UInt8])] = [
            ("close", life(0)), ("kill", life(1)), ("power", life(2 | 1 << 2)), ("part", life(2 | 3 << 2, 60)),
        ]
        var seeds: [Seed] = []
        for (work, steps) in works {
            for (ending, life) in endings {
                for fault in [[], [4, 0, 0, 9], [4, 2, 0, 3], [4, 5, 1, 0]] as [[UInt8]] {
                    let number = UInt8(seeds.count)
                    // The seed, ten options of the channel, one of the disk.
                    let options: [UInt8] = [
                        number, 0, number % 3, number % 4, 2, 0, number % 4, number % 8, 0, 0, 0, number % 3,
                        number % 4,
                    ]
                    let words: [UInt8] = fault + steps.flatMap { $0 } + life + put + take + commit
                    let name = "\(work)-\(ending)-\(fault.isEmpty ? 0 : fault[1])"
                    seeds.append(Seed("FuzzScript", name, options + words + Self.life(2 | 3 << 2)))
                }
            }
        }
        return seeds
    }
}
