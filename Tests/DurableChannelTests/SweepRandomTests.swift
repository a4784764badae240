import DurableChannel
import SimulatedFileIO
import Testing

/// Row 39: clients that do anything, side by side, with faults and crashes anywhere; one life after the other.
@Suite struct SweepRandomTests {
    #if DEBUG
        static let seeds = 120
    #else
        static let seeds = 400
    #endif

    @Test func anythingSideBySideWithACrashAnywhereKeepsEveryPromise() {
        let first = UInt64(setting("SLUICE_SWEEP_SEED") ?? 1)
        let count = UInt64(setting("SLUICE_SWEEP_COUNT") ?? Self.seeds)
        let isVerbose = setting("SLUICE_MODEL_VERBOSE") != nil
        var total = SweepRandom.Counts()
        for seed in first..<first + count {
            if isVerbose { print("seed \(seed)") }
            var run = SweepRandom(seed: seed)
            do {
                if let objection = try run.run() {
                    Issue.record("seed \(seed), life \(run.life): \(objection)\n\(run.configuration)")
                    break
                }
            } catch {
                Issue.record("seed \(seed), life \(run.life): \(error)")
                break
            }
            total.add(run.counts)
        }
        print("random clients: \(count) seeds, \(total)")
    }
}

/// A few lives of one channel, each with a few clients and cut off at one of its storage operations.
struct SweepRandom {
    struct Counts: CustomStringConvertible {
        var lives = 0
        var crashes = 0
        var puts = 0
        var takes = 0
        var unknown = 0
        var groups = 0

        mutating func add(_ other: Counts) {
            lives += other.lives
            crashes += other.crashes
            puts += other.puts
            takes += other.takes
            unknown += other.unknown
            groups = max(groups, other.groups)
        }

        var description: String {
            "\(lives) lives, \(crashes) crashes, \(puts) puts, \(takes) takes, \(unknown) unknown outcomes, "
                + "up to \(groups) groups in flight"
        }
    }

    private var random: SeededRandom
    private(set) var configuration: ChannelConfiguration
    private(set) var life = 0
    private(set) var counts = Counts()
    private let hasFaults: Bool

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        configuration = ModelRun.configuration(&random)
        hasFaults = Bool.random(using: &random)
    }

    mutating func run() throws -> String? {
        var disk = SimulatedDisk()
        disk.options.tearsInsideSectors = Bool.random(using: &random)
        disk.options.renamesCanLeaveBothNames = Bool.random(using: &random)
        var model = CrashModel()
        for number in 0..<3 {
            life = number
            let (moments, recorder) = try live(disk, model)
            counts.lives += 1
            counts.puts += recorder.model.puts.count - model.puts.count
            counts.takes += recorder.model.takes.count - model.takes.count
            counts.unknown += recorder.errors[.outcomeUnknown] ?? 0
            counts.groups = max(counts.groups, recorder.mostGroupsInFlight)
            if let objection = recorder.objections.first { return objection }
            let sweep = CrashSweep(configuration)
            sweep.usedEvery = 1
            sweep.insideEvery = .max
            for moment in moments {
                let choice = moment.disk.randomCrashChoice(using: &random)
                let isKill = Int.random(in: 0..<4, using: &random) == 0
                let next = isKill ? moment.disk.killed(keeping: choice) : moment.disk.crashed(keeping: choice)
                counts.crashes += 1
                sweep.check(
                    next.clone(), moment.model, "\(isKill ? "kill" : "power cut") before \(moment.operation), \(choice)"
                )
                if let failure = sweep.failures.first { return failure }
                guard moment.operation == moments.last?.operation else { continue }
                guard let settled = sweep.settled(next, moment.model) else { return sweep.failures.first }
                (disk, model) = (next, settled)
            }
            guard sweep.leftInMemory == 0 else {
                return "\(sweep.leftInMemory) channels of \(sweep.openings) openings are left in memory"
            }
        }
        return nil
    }

    /// One life, from opening to a clean end, with the moments at which it might have been cut off instead.
    private mutating func live(
        _ disk: SimulatedDisk, _ model: CrashModel
    ) throws -> ([CrashRecorder.Moment], CrashRecorder) {
        let recorder = CrashRecorder(
            disk, seed: random.next(), configuration: configuration, model: model, noting: false)
        recorder.expectedErrors = [
            .full, .outcomeUnknown, .readOnly, .transactionTooLarge, .tooManyTakes, .fileOperation, .closed,
        ]
        let wanted = Set((0..<3).map { _ in disk.operationCount + Int.random(in: 0..<300, using: &random) })
        let notes = Notes()
        disk.beforeOperation = { [unowned recorder, unowned disk] operation in
            guard wanted.contains(disk.operationCount) else { return }
            notes.moments.append(.init(disk: disk.clone(), model: recorder.model, operation: operation.description))
        }
        try recorder.open()
        if hasFaults {
            let operation: SimulatedOperation = [.complete, .submit, .synchronize, .write, .synchronizeDirectory]
                .randomElement(using: &random)!
            let outcome: Fault.Outcome = [.absent, .whole, .torn(.sectors([0..<1]))].randomElement(using: &random)!
            disk.faults.add(
                Fault(operation, errno: 5, skipping: Int.random(in: 0..<40, using: &random), outcome: outcome))
        }
        let clients = Int.random(in: 2...7, using: &random)
        let seeds = (0..<clients).map { _ in random.next() }
        let rounds = Int.random(in: 2...8, using: &random)
        recorder.run(
            seeds.map { seed in
                { recorder, client in
                    var client = Client(random: SeededRandom(seed: seed), recorder: recorder, number: client)
                    for _ in 0..<rounds { client.step() }
                    client.end()
                }
            })
        // A clean end, unless something failed.
        disk.faults.removeAll()
        do throws(ChannelError) {
            try recorder.closeChannel()
            if recorder.errors.keys.allSatisfy({ $0 == .full || $0 == .transactionTooLarge }) { recorder.endModel() }
        } catch  where error.code != .readOnly {
            recorder.object("close: \(error)")
        } catch {}
        recorder.settleDown()
        notes.moments.append(.init(disk: disk.clone(), model: recorder.model, operation: "the end"))
        disk.beforeOperation = nil
        return (notes.moments, recorder)
    }

    private final class Notes {
        var moments: [CrashRecorder.Moment] = []
    }

    private struct Client {
        var random: SeededRandom
        let recorder: CrashRecorder
        let number: Int
        private var open: [CrashRecorder.Open] = []

        init(random: SeededRandom, recorder: CrashRecorder, number: Int) {
            self.random = random
            self.recorder = recorder
            self.number = number
        }

        private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

        mutating func step() {
            switch number(0...99) {
            case 0..<40:
                recorder.put(
                    number, number(1...6), bytes: number(0...3) == 0 ? number(0...2000) : number(0...300),
                    bookmark: number(0...2) == 0, shared: number(0...3) == 0, stamped: number(0...1) == 0)
                recorder.retryUnknown(number)
            case 40..<65:
                if open.count < 3 {
                    let take = recorder.take(number(1...12), waitingUpTo: .milliseconds(number(0...2)))
                    if !take.isEmpty { open.append(take) }
                }
            case 65..<85: endOne()
            case 85..<89: recorder.bookmark(number)
            case 89..<92: recorder.checkpoint()
            case 92..<96: recorder.repeatLast(number)
            default: recorder.runtime.yield()
            }
        }

        private mutating func endOne() {
            guard !open.isEmpty else { return }
            let take = open.remove(at: number(0...open.count - 1))
            if number(0...3) == 0 { return recorder.rollback(take) }
            recorder.commit(
                take, deadLetters: number(0...5) == 0 ? min(2, take.events.count) : 0,
                bookmark: number(0...2) == 0 ? number : nil)
        }

        mutating func end() {
            while !open.isEmpty { endOne() }
        }
    }
}
