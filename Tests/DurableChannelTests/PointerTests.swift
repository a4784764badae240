import CrashHarness
import LogFormat
import SimulatedFileIO
import TestSupport
import Testing

@testable import DurableChannel
@testable import SegmentedLog

/// The values without I/O: sets of sequences, the pointers of a group, the loss report; each beside a model with one entry
/// per sequence.
@Suite struct PointerTests {
    private static func range(_ range: Range<UInt64>) -> SequenceRange {
        SequenceRange(first: EventSequence(range.lowerBound), end: EventSequence(range.upperBound))
    }

    private static func numbers(_ range: SequenceRange) -> Range<UInt64> {
        range.first.rawValue..<max(range.first, range.end).rawValue
    }

    private static func randomRange(_ random: inout SeededRandom, below limit: UInt64, longest: UInt64) -> Range<UInt64>
    {
        let first = 1 + random.next() % (limit - 1)
        return first..<min(limit, first + random.next() % (longest + 1))
    }

    // MARK: SequenceSet

    @Test(arguments: 1...20) func aSetOfSequencesIsWhatASetOfNumbersIs(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var set = SequenceSet()
        var model: Set<UInt64> = []
        let limit: UInt64 = seed % 2 == 0 ? 60 : 400
        for _ in 0..<1000 {
            let some = Self.randomRange(&random, below: limit, longest: limit / 6)
            let range = Self.range(some)
            switch random.next() % 8 {
            case 0...2:
                #expect(set.insert(range) == UInt64(Set(some).subtracting(model).count))
                model.formUnion(some)
            case 3...4:
                #expect(set.remove(range) == UInt64(Set(some).intersection(model).count))
                model.subtract(some)
            case 5: #expect(set.contains(range) == (!some.isEmpty && model.isSuperset(of: some)) || some.isEmpty)
            case 6:
                #expect(set.missing(from: range).flatMap(Self.numbers) == some.filter { !model.contains($0) })
                #expect(set.contains(range.first) == model.contains(some.lowerBound))
            default:
                let run = set.run(atOrAfter: range.first)
                if let first = model.filter({ $0 >= some.lowerBound }).min() {
                    #expect(run.map { max($0.first.rawValue, some.lowerBound) } == first)
                } else {
                    #expect(run == nil)
                }
            }
            #expect(set.count == UInt64(model.count) && set.isEmpty == model.isEmpty)
        }
        #expect(set.ranges.flatMap(Self.numbers) == model.sorted())
        // As few runs as there can be, and the same ones whatever the order in which they came.
        #expect(zip(set.ranges, set.ranges.dropFirst()).allSatisfy { $0.end < $1.first })
        #expect(set == SequenceSet(set.ranges.shuffled(using: &random)))
        while let first = set.removeFirstRun() {
            #expect(model.min() == first.first.rawValue)
            model.subtract(Self.numbers(first))
        }
        #expect(model.isEmpty && set.count == 0)
    }

    // MARK: GroupPointers

    /// One entry for each sequence.
    private struct Model {
        enum State: Equatable { case free, inFlight, unreadable, taken, dropped, lost }
        var states: [UInt64: State] = [:]

        func all(_ state: State) -> [UInt64] { states.filter { $0.value == state }.keys.sorted() }
        func count(_ state: State) -> UInt64 { UInt64(states.values.count { $0 == state }) }
        var decided: UInt64 { count(.taken) + count(.dropped) + count(.lost) }

        mutating func set(_ range: Range<UInt64>, _ state: State, where isMeant: (State) -> Bool = { _ in true }) {
            for sequence in range where isMeant(states[sequence]!) { states[sequence] = state }
        }

        static func isOpen(_ state: State) -> Bool { [.free, .inFlight, .unreadable].contains(state) }
    }

    /// What is not as the model has it.
    private func differences(_ group: GroupPointers, _ model: Model, _ visible: UInt64) -> [String] {
        var found: [String] = []
        func compare<T: Equatable>(_ what: String, _ value: T, _ expected: T) {
            if value != expected { found.append("\(what): \(value), expected \(expected)") }
        }
        compare("in flight", group.inFlight.ranges.flatMap(Self.numbers), model.all(.inFlight))
        compare("unreadable", group.unreadable.ranges.flatMap(Self.numbers), model.all(.unreadable))
        compare("decided", group.accounted, model.decided)
        compare("taken", group.taken, model.count(.taken))
        compare("dropped", group.droppedTotal, model.count(.dropped))
        compare("lost", group.lost, model.count(.lost))
        compare("balanced", group.isBalanced, true)
        compare(
            "prefix", group.acknowledgedBelow.rawValue,
            (1..<visible).first { Model.isOpen(model.states[$0]!) } ?? visible)
        var copy = group
        compare("has a next one", copy.hasNext(below: EventSequence(visible)), !model.all(.free).isEmpty)
        return found
    }

    @Test(arguments: 1...TestDepth.pick(sample: 12, part: 60, whole: 60))
    func theOldestFreeEventIsAlwaysTheNextAndEachHasOneFate(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var group = GroupPointers(name: "g")
        var model = Model()
        var visible: UInt64 = 1
        var held: [Range<UInt64>] = []
        var dropping: [[SequenceRange]] = []
        for step in 0..<300 {
            switch random.next() % 12 {
            case 0, 1:
                let count = random.next() % 12
                for sequence in visible..<visible + count { model.states[sequence] = .free }
                visible += count
            case 2...4:
                // One search, of several claims; in between something may be dropped; in the end all may be put back.
                var claims: [(range: SequenceRange, isReturned: Bool)] = []
                for _ in 0..<Int(random.next() % 4) + 1 {
                    let free = model.all(.free)
                    guard let claim = group.claim(1 + random.next() % 6, below: EventSequence(visible)) else {
                        #expect(free.isEmpty)
                        break
                    }
                    let range = Self.numbers(claim.range)
                    #expect(range.lowerBound == free.first, "the oldest first")
                    #expect(range.allSatisfy { model.states[$0] == .free })
                    model.set(range, .inFlight)
                    claims.append(claim)
                    if random.next() % 4 == 0 { drop(&group, &model, visible, &dropping, &random) }
                    if random.next() % 4 == 0 { endDrop(&group, &model, &dropping, &random) }
                }
                if random.next() % 3 == 0 {
                    for claim in claims.reversed() {
                        group.unclaim(claim.range, isReturned: claim.isReturned)
                        model.set(Self.numbers(claim.range), .free) { $0 == .inFlight }
                    }
                } else {
                    held += claims.map { Self.numbers($0.range) }
                }
            case 5, 6:
                guard let index = held.indices.randomElement(using: &random) else { continue }
                let range = held.remove(at: index)
                let fate = [GroupPointers.Fate.taken, .lost].randomElement(using: &random)!
                let open = model.states.filter { range.contains($0.key) && Model.isOpen($0.value) }.count
                #expect(group.acknowledge(Self.range(range), fate) == UInt64(open))
                model.set(range, fate == .taken ? .taken : .lost, where: Model.isOpen)
            case 7:
                guard let index = held.indices.randomElement(using: &random) else { continue }
                let range = held.remove(at: index)
                group.giveBack([Self.range(range)])
                model.set(range, .free) { $0 == .inFlight }
            case 8:
                // Damage takes whatever it hits, handed out or not.
                guard visible > 2 else { continue }
                let range = Self.randomRange(&random, below: visible, longest: 8)
                group.acknowledge(Self.range(range), .lost)
                model.set(range, .lost, where: Model.isOpen)
            case 9:
                guard let claim = group.claim(3, below: EventSequence(visible)) else { continue }
                // With what nobody has of what stands behind it.
                let end = min(visible, claim.range.end.rawValue + random.next() % 6)
                group.hold(claim.range, andBelow: EventSequence(end))
                model.set(Self.numbers(claim.range), .unreadable)
                if end > claim.range.end.rawValue {
                    model.set(claim.range.end.rawValue..<end, .unreadable) { $0 == .free }
                }
            case 10:
                group.retryUnreadable()
                model.set(1..<visible, .free) { $0 == .unreadable }
            default:
                drop(&group, &model, visible, &dropping, &random)
                endDrop(&group, &model, &dropping, &random)
            }
            let differences = differences(group, model, visible)
            #expect(differences.isEmpty, "step \(step)")
            guard differences.isEmpty else { return }
        }
        expectSnapshot(group, model, visible)
    }

    /// The oldest that nobody holds, and nothing else.
    private func drop(
        _ group: inout GroupPointers, _ model: inout Model, _ visible: UInt64, _ dropping: inout [[SequenceRange]],
        _ random: inout SeededRandom
    ) {
        let count = random.next() % 5
        let all = CapacityTests.range(1, visible)
        guard count > 0, visible > 1 else { return }
        let chosen = group.claimOldest(count == 4 ? .max : count, in: all, mostRanges: 1000)
        let candidates = (1..<visible).filter { [.free, .unreadable].contains(model.states[$0]) }
        #expect(chosen.flatMap(Self.numbers) == Array(candidates.prefix(count == 4 ? .max : Int(count))))
        for range in chosen { model.set(Self.numbers(range), .inFlight) }
        if !chosen.isEmpty { dropping.append(chosen) }
    }

    private func endDrop(
        _ group: inout GroupPointers, _ model: inout Model, _ dropping: inout [[SequenceRange]],
        _ random: inout SeededRandom
    ) {
        guard let index = dropping.indices.randomElement(using: &random) else { return }
        let ranges = dropping.remove(at: index)
        if random.next() % 2 == 0 {
            for range in ranges {
                group.acknowledge(range, .dropped(.overflow))
                model.set(Self.numbers(range), .dropped, where: Model.isOpen)
            }
        } else {
            group.unclaimOldest(ranges)
            for range in ranges { model.set(Self.numbers(range), .free) { $0 == .inFlight } }
        }
    }

    /// What a snapshot keeps is enough to go on: everything undecided is free again.
    private func expectSnapshot(_ group: GroupPointers, _ model: Model, _ visible: UInt64) {
        var next = GroupPointers(group.state)
        #expect(!next.hasForgedCounts)
        next.beginLife(tail: EventSequence(visible))
        var free: [UInt64] = []
        while let claim = next.claim(.max - visible, below: EventSequence(visible)) {
            #expect(!claim.isReturned)
            free += Self.numbers(claim.range)
        }
        #expect(free == (1..<visible).filter { Model.isOpen(model.states[$0]!) })
        #expect(next.taken == model.count(.taken) && next.lost == model.count(.lost))
    }

    @Test func theLeaseOfACleanEndIsWhatWasHandedOutInThisLifeOrOneBefore() {
        var group = GroupPointers(name: "g")
        group.leaseLimit = EventSequence(50)
        group.beginLife(tail: EventSequence(30))
        #expect(group.markedBelow == EventSequence(30), "beyond the tail nothing was handed out")
        #expect(group.closingLease == EventSequence(30))
        _ = group.claim(10, below: EventSequence(60))
        #expect(group.closingLease == EventSequence(30))
        _ = group.claim(25, below: EventSequence(60))
        #expect(group.closingLease == EventSequence(36))
        group.giveBack([CapacityTests.range(1, 36)])
        #expect(group.closingLease == EventSequence(36), "rolled back is handed out")
    }

    // MARK: LossReport

    @Test(arguments: 1...30) func theLossReportNamesEachSequenceOnceWithItsFate(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let tail: UInt64 = 1 + random.next() % 200
        var group = GroupPointers(name: "g")
        var report = RecoveryReport()
        var decided: Set<UInt64> = []
        var lost: Set<UInt64> = []
        var unreadable: Set<UInt64> = []
        for _ in 0..<6 where tail > 2 {
            let taken = Self.randomRange(&random, below: tail, longest: 30)
            group.acknowledge(Self.range(taken), .taken)
            decided.formUnion(taken)
        }
        for index in 0..<4 where tail > 2 {
            let range = Self.randomRange(&random, below: tail, longest: 20)
            let damaged = DamagedRange(
                index < 2 ? .damaged : .unreadable, SegmentNumber(1), 8192, 8200, EventSequence(range.lowerBound),
                EventSequence(range.upperBound))
            if index < 2 {
                report.losses.append(damaged)
                lost.formUnion(range)
            } else {
                report.unreadable.append(damaged)
                unreadable.formUnion(range)
            }
        }
        lost.subtract(decided)
        for range in report.losses {
            group.acknowledge(SequenceRange(first: range.firstSequence, end: range.endSequence), .lost)
        }
        group.leaseLimit = EventSequence(1 + random.next() % 220)
        group.beginLife(tail: EventSequence(tail))
        let losses = LossReport(
            report, lost: SequenceSet(lost.map { Self.range($0..<$0 + 1) }), group, tail: EventSequence(tail))
        var fates: [UInt64: LossReport.Fate] = [:]
        for part in losses.parts {
            for sequence in Self.numbers(part.sequences) {
                #expect(fates.updateValue(part.fate, forKey: sequence) == nil)
            }
        }
        #expect(fates.keys.sorted() == Array(1..<tail))
        for sequence in 1..<tail {
            let expected: LossReport.Fate =
                lost.contains(sequence)
                ? .lost
                : decided.contains(sequence)
                    ? .decided
                    : unreadable.contains(sequence)
                        ? .unreadable
                        : sequence < group.markedBelow.rawValue ? .mayRepeat : .intact
            #expect(fates[sequence] == expected, "\(sequence)")
        }
        #expect(LossReport.Fate.allCases.reduce(0) { $0 + losses.count($1) } == tail - 1)
        #expect(losses.count(.lost) == group.lost)
    }
}
