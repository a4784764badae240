internal import DurableChannel
internal import SimulatedFileIO

/// A script with a name, small enough that every operation of it can be cut off in every legal way.
public struct Workload: Sendable {
    public var name: String
    /// What it is for.
    public var summary: String
    /// So many seeds, from 1 on, make it complete: others do the same in another order.
    public var seeds: UInt64
    /// The seed decides in which order threads go on.
    public var script: @Sendable (_ seed: UInt64) -> CrashScript

    init(
        name: String, summary: String, seeds: UInt64, script: @escaping @Sendable (_ seed: UInt64) -> CrashScript
    ) {
        self.name = name
        self.summary = summary
        self.seeds = seeds
        self.script = script
    }

    private init(
        _ name: String, _ summary: String, _ change: @escaping @Sendable (inout CrashScript) -> Void = { _ in },
        lives: @escaping @Sendable () -> [CrashScript.Life]
    ) {
        self.init(name: name, summary: summary, seeds: 1) { seed in
            var script = CrashScript(name: name, seed: seed, lives: lives())
            change(&script)
            return script
        }
    }

    public static func named(_ name: String) -> Workload? { all.first { $0.name == name } }

    public static let all: [Workload] = [
        short,
        Workload("creation", "a new channel, a few puts, one take, a close") {
            [
                life([
                    [put(3), put(1), .bookmark],
                    [.take(count: 2, waitMilliseconds: 1000), .commit(take: 0, deadLetters: 0, bookmark: true)],
                ])
            ]
        },
        Workload("take-back", "a take that is rolled back, and one that is committed with a dead letter") {
            [
                life([
                    [put(4)],
                    [
                        .take(count: 3, waitMilliseconds: 1000), .rollback(take: 0),
                        .take(count: 4, waitMilliseconds: 1000), .commit(take: 0, deadLetters: 1, bookmark: true),
                    ],
                ])
            ]
        },
        Workload("roll", "groups in flight on both sides of rolls", { $0.channel.groupsInFlight = 8 }) {
            [
                life(
                    (0..<6).map { client in
                        [put(2 + client % 3, bytes: 1500), put(2, bytes: 1500), put(2, bytes: 1500)]
                    })
            ]
        },
        Workload("recycle", "segments are taken empty, retired and used again") {
            [
                life([
                    [put(6, bytes: 1500), put(6, bytes: 1500), put(6, bytes: 1500), put(6, bytes: 1500)],
                    Array(repeating: [.take(count: 6, waitMilliseconds: 1000), commit], count: 5).flatMap { $0 },
                    [.checkpoint, .yield, .checkpoint],
                ])
            ]
        },
        Workload("reopen", "closed and opened again, three times") {
            (0..<3).map { _ in
                life([[put(2), put(1, bytes: 1000)], [.take(count: 2, waitMilliseconds: 100), commit]])
            }
        },
        Workload("side-by-side", "three clients put, two take, one sets bookmarks and writes checkpoints") {
            [
                CrashScript.Life([CrashScript.Phase(sideBySide(rounds: 4), settles: true)]),
                CrashScript.Life([CrashScript.Phase(sideBySide(rounds: 1))]),
            ]
        },
        Workload(
            "write-then-sync", "the same, with two calls for each group, and sectors that tear inside",
            { script in
                script.disk.tearsInsideSectors = true
                script.disk.supportsDirectWrites = false
                script.disk.renamesCanLeaveBothNames = true
            }, lives: { [CrashScript.Life([CrashScript.Phase(sideBySide(rounds: 2))])] }),
        Workload(
            "coarse", "the same, with blocks and sectors of 4096 bytes, compressed, without a cache",
            { script in
                script.disk.sectorBytes = 4096
                script.disk.blockBytes = 4096
                script.channel.capacityBytes = 2 << 20
                script.channel.segmentBytes = 96 << 10
                script.channel.compresses = true
                script.channel.tailCacheBytes = 0
            }, lives: { [CrashScript.Life([CrashScript.Phase(sideBySide(rounds: 2, bytes: 3000))])] }),
        Workload(
            "drop-oldest", "the oldest events make room for new ones",
            { script in
                script.channel.whenFull = .dropOldest
                script.channel.capacityEvents = 16
            },
            lives: {
                [
                    CrashScript.Life([
                        CrashScript.Phase(sideBySide(rounds: 3, bytes: 200)),
                        CrashScript.Phase([[put(4), put(4), put(4)]]),
                    ])
                ]
            }),
        Workload(
            "full", "filled, drained through the reserve, and used again", { $0.channel.capacityBytes = 240 << 10 },
            lives: {
                [
                    CrashScript.Life([
                        CrashScript.Phase([[.fill(count: 3, bytes: 700)], [.fill(count: 3, bytes: 700)]]),
                        CrashScript.Phase([[.drain(count: 2)]], settles: true), CrashScript.Phase([[put(3)]]),
                    ])
                ]
            }),
        Workload(
            "waiting", "puts wait for the room that takes make",
            { script in
                script.channel.capacityBytes = 240 << 10
                script.channel.whenFull = .block(.seconds(60))
            },
            lives: {
                let puts = Array(repeating: put(2, bytes: 900), count: 8)
                let takes = Array(repeating: [.take(count: 5, waitMilliseconds: 60_000), commit], count: 7)
                return [life([puts, puts, takes.flatMap { $0 }])]
            }),
        Workload("resize", "the capacity changes while clients work") {
            [
                life([
                    [put(3), .resizeBytes(360 << 10), put(3), .resizeBytes(400 << 10), put(2)],
                    [.take(count: 4, waitMilliseconds: 100), commit, .resizeEvents(20), .resizeEvents(nil)],
                ])
            ]
        },
        Workload(
            "deferred", "acknowledged before it is durable, and synced at times",
            { script in
                script.channel.durability = .none
                script.disk.tearsInsideSectors = true
            },
            lives: {
                [
                    life([
                        [put(2), put(1, bytes: 900), .synchronize, put(3), .bookmark],
                        [.take(count: 2, waitMilliseconds: 1000), commit, .take(count: 1, waitMilliseconds: 1000)],
                    ])
                ]
            }),
        Workload("failed-write", "a write fails among those of several clients") {
            [CrashScript.Failure.Leaves.absent, .whole, .torn].map { leaves in
                var life = CrashScript.Life([CrashScript.Phase(sideBySide(rounds: 2, bytes: 300))])
                life.faults = [CrashScript.Failure(.complete, errno: 5, skipping: 5)]
                life.faults[0].leaves = leaves
                return life
            }
        },
    ]

    private static func life(_ clients: [[CrashScript.Step]]) -> CrashScript.Life {
        CrashScript.Life([CrashScript.Phase(clients)])
    }

    private static func put(_ count: Int, bytes: Int = 300) -> CrashScript.Step {
        .put(count: count, bytes: bytes, bookmark: true, shared: false, stamped: true)
    }

    private static let commit = CrashScript.Step.commit(take: 0, deadLetters: 0, bookmark: true)

    private static func sideBySide(rounds: Int, bytes: Int = 400) -> [[CrashScript.Step]] {
        let putters = (0..<3).map { client in
            (0..<rounds).flatMap { round -> [CrashScript.Step] in
                [
                    .put(
                        count: 1 + (round + client) % 4, bytes: bytes, bookmark: true, shared: round % 2 == 0,
                        stamped: true), .retry, .yield,
                ]
            }
        }
        // Two takes open at once, committed in the other order; every third rolled back.
        let takers = (0..<2).map { _ in
            (0..<rounds).flatMap { round -> [CrashScript.Step] in
                [
                    .take(count: 2 + round % 3, waitMilliseconds: 1000), .take(count: 3, waitMilliseconds: 0),
                    .commit(take: 1, deadLetters: round % 2, bookmark: true),
                    round % 3 == 1 ? .rollback(take: 0) : .commit(take: 0, deadLetters: 0, bookmark: false),
                ]
            }
        }
        let keeper = (0..<rounds).flatMap { round -> [CrashScript.Step] in
            [.bookmark] + (round % 2 == 1 ? [.checkpoint] : []) + [.yield]
        }
        return putters + takers + [keeper]
    }
}
