import CrashHarness
import DurableChannel
import SimulatedFileIO

/// Any bytes are a script: options, then words of four bytes, each a step of the present client or a change of who that is.
///
/// Words have one length, so that an input stays the script that it was behind a place where a word was changed. What a
/// script may ask for is what the harness says it can judge (one failure in a life at most, more bytes than events can take).
extension CrashScript {
    package init(_ input: [UInt8]) {
        var reader = InputReader(input)
        self.init(name: "fuzzed", seed: reader.number(bytes: 2), lives: [])
        channel = Channel(&reader)
        disk = Disk(&reader, channel)
        var interpreter = ScriptInterpreter(fills: channel.whenFull == .reject)
        while !reader.isAtEnd, !interpreter.isFull { interpreter.take(Word(&reader)) }
        lives = interpreter.ended()
    }
}

/// Four bytes: what, and three numbers for it.
private struct Word {
    var verb: UInt8
    var a: Int
    var b: Int
    var c: Int

    init(_ reader: inout InputReader) {
        verb = reader.byte()
        (a, b, c) = (Int(reader.byte()), Int(reader.byte()), Int(reader.byte()))
    }
}

private struct ScriptInterpreter {
    private static let mostLives = 3
    private static let mostClients = 3
    private static let mostSteps = 20

    /// Filling ends only where a full channel refuses at once.
    let fills: Bool
    private var lives = [CrashScript.Life([CrashScript.Phase([[]])])]
    private var steps = 0

    init(fills: Bool) { self.fills = fills }

    var isFull: Bool { steps >= Self.mostSteps }

    func ended() -> [CrashScript.Life] { lives }

    mutating func take(_ word: Word) {
        switch word.verb % 32 {
        case 0: newClient()
        case 1: newPhase(settles: word.a & 1 == 1)
        case 2, 3: newLife(after: ending(word))
        case 4: fail(word)
        default: add(step(word))
        }
    }

    private mutating func add(_ step: CrashScript.Step) {
        steps += 1
        let life = lives.count - 1
        let phase = lives[life].phases.count - 1
        lives[life].phases[phase].clients[lives[life].phases[phase].clients.count - 1].append(step)
    }

    private mutating func newClient() {
        let life = lives.count - 1
        let phase = lives[life].phases.count - 1
        guard lives[life].phases[phase].clients.count < Self.mostClients else { return }
        lives[life].phases[phase].clients.append([])
    }

    private mutating func newPhase(settles: Bool) {
        let life = lives.count - 1
        let phase = lives[life].phases.count - 1
        lives[life].phases[phase].settles = settles
        guard lives[life].phases.count < 3 else { return }
        lives[life].phases.append(CrashScript.Phase([[]]))
    }

    private mutating func newLife(after ending: CrashScript.Ending) {
        lives[lives.count - 1].ending = ending
        guard lives.count < Self.mostLives else { return }
        lives.append(CrashScript.Life([CrashScript.Phase([[]])]))
    }

    private func ending(_ word: Word) -> CrashScript.Ending {
        guard word.a & 3 != 0 else { return .close }
        let keeping: CrashScript.Keeping =
            switch word.a >> 2 & 3 {
            case 0: .everything
            case 1: .nothing
            case 2: .legal(word.c)
            default: .random(seed: UInt64(word.c))
            }
        return .cut(CrashScript.Cut(operation: word.b, isKill: word.a & 3 == 1, keeping: keeping))
    }

    /// At most one of a life: of two at once nobody can say in general what they may cost.
    private mutating func fail(_ word: Word) {
        guard lives[lives.count - 1].faults.isEmpty else { return }
        let operations: [SimulatedOperation] = [
            .complete, .submit, .synchronize, .write, .synchronizeDirectory, .create, .prewrite, .rename, .unlink,
            .close,
        ]
        let errors: [Int32] = [5, 28, 122, 23, 24, 12, 27, 30]
        let isLate = word.b & 7 == 7
        var failure = CrashScript.Failure(
            operations[word.a % operations.count], errno: isLate ? 0 : errors[word.b & 7], skipping: word.c % 41,
            count: [1, 1, 1, 2, 5, 20, 1, 1][word.b >> 3 & 7])
        failure.leaves = CrashScript.Failure.Leaves.allCases[(word.b >> 6) % 3]
        failure.delayMilliseconds = isLate ? 1 + 20 * word.c : 0
        lives[lives.count - 1].faults = [failure]
    }

    private func step(_ word: Word) -> CrashScript.Step {
        let count = 1 + word.a % 6
        let bytes = word.b < 128 ? word.b * 2 : (word.b - 107) * 18
        switch word.verb % 32 {
        case 5..<12:
            return .put(
                count: count, bytes: bytes, bookmark: word.c & 1 == 1, shared: word.c & 2 == 2, stamped: word.c & 4 == 4
            )
        case 12: return fills ? .fill(count: count, bytes: max(500, bytes)) : .drain(count: count)
        case 13: return .retry
        case 14: return .repeatLast
        case 15..<20: return .take(count: 1 + word.a % 12, waitMilliseconds: word.b % 3)
        case 20..<23: return .commit(take: word.a % 3, deadLetters: word.b % 3, bookmark: word.c & 1 == 1)
        case 23: return .rollback(take: word.a % 3)
        case 24: return .drain(count: 1 + word.a % 8)
        case 25: return .bookmark
        case 26: return .checkpoint
        case 27: return .synchronize
        case 28: return .resizeEvents(word.a < 128 ? nil : UInt64(word.b % 196 + 5))
        case 29: return word.a < 128 ? .jump(milliseconds: (word.b - 128) * 1000) : .intrude
        case 30: return .sleep(milliseconds: 1 + word.b * 12)
        default: return .yield
        }
    }
}

extension CrashScript.Channel {
    /// Small, so that segments roll and room runs out.
    fileprivate init(_ reader: inout InputReader) {
        self.init()
        let kind = reader.byte()
        snapshotLimitBytes = [3, 4, 8][Int(kind) % 3] << 10
        let isCoarse = kind & 0x38 == 0x38
        segmentBytes = UInt32(reader.pick([20, 24, 32, 64])) << 10
        if isCoarse { (segmentBytes, blockBytes) = (128 << 10, 4096) }
        let segments = UInt64(3 + Int(reader.byte()) % 8)
        capacityBytes = UInt64((isCoarse ? 400 : 160) << 10 + 4 * snapshotLimitBytes) + UInt64(segmentBytes) * segments
        capacityEvents = reader.pick([nil, nil, 10, 20, 50, 200])
        whenFull = reader.pick([.reject, .block(.milliseconds(300)), .dropOldest, .dropNewest])
        let flags = reader.byte()
        compresses = flags & 1 == 1
        writesThenSyncs = flags & 6 == 6
        durability = flags & 0x18 == 0x18 ? (flags & 0x20 == 0 ? .interval : .none) : .commit
        groupsInFlight = reader.pick([4, 1, 2, 8])
        leaseStep = reader.pick([6, 1, 3, 64, 1000])
        tailCacheBytes = reader.pick([1 << 20, 0, 3000])
        checkpointIntervalBytes = reader.pick([1 << 20, 8 << 10, 64 << 10])
    }
}

extension CrashScript.Disk {
    fileprivate init(_ reader: inout InputReader, _ channel: CrashScript.Channel) {
        self.init()
        let flags = reader.byte()
        tearsInsideSectors = flags & 1 == 1
        renamesCanLeaveBothNames = flags & 2 == 2
        supportsDirectWrites = flags & 12 != 12
        guard flags & 0x30 == 0x30 else { return }
        sectorBytes = 4096
        blockBytes = channel.blockBytes == 4096 ? 4096 : 512
    }
}
