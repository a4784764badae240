internal import LogFormat
internal import SegmentedLog
internal import SimulatedFileIO

/// What a harness has gone through: a proof says no more than the states that it looked at.
public struct Coverage: Sendable, Equatable {
    /// What was going on when a state was cut off.
    public enum Trait: String, Sendable, CaseIterable {
        /// Some, but not all, of what was not durable yet was lost.
        case partlyLost
        /// Groups in flight on both sides of a roll.
        case rollInFlight
        /// A retired segment's file on its way to its next use.
        case recycling
        /// A write or sync had failed in this life.
        case latch
        /// The cut came while a channel was being opened.
        case recovery
        /// A retirement, from the checkpoint that lets segments go to the sync after their names went.
        case checkpointWithRetirement
        /// The process was killed; the power stayed.
        case kill
        /// Files were damaged afterwards.
        case damage
    }

    /// Distinct states: what was on the disk, and what clients had been told.
    public private(set) var states = 0
    /// Openings, those that only look at a state again included.
    public internal(set) var openings = 0
    public private(set) var traits: [Trait: Int] = [:]
    /// Rows of the recovery table, and how often each was used.
    public private(set) var rows = Dictionary(uniqueKeysWithValues: rowNames.map { ($0, 0) })

    /// All of them, in the order of the table.
    public static let rowNames = TailTable.names

    public init() {}

    /// Rows that were never used.
    public var unusedRows: [String] { Self.rowNames.filter { rows[$0] == 0 } }

    /// The share of all states that have a trait; 0 without states.
    public func share(of trait: Trait) -> Double {
        states == 0 ? 0 : Double(traits[trait] ?? 0) / Double(states)
    }

    mutating func note(_ traits: Set<Trait>) {
        states += 1
        for trait in traits { self.traits[trait, default: 0] += 1 }
    }

    mutating func note(_ report: RecoveryReport) {
        openings += 1
        rows.merge(report.rows, uniquingKeysWith: +)
    }

    public mutating func add(_ other: Coverage) {
        states += other.states
        openings += other.openings
        traits.merge(other.traits, uniquingKeysWith: +)
        rows.merge(other.rows, uniquingKeysWith: +)
    }
}

/// What was going on in a channel at one moment of a life, as far as its disk shows.
struct MomentTraits: Sendable {
    /// Names under which files of retired segments wait.
    private var spares: Set<String> = []
    /// Those of them that are being renamed to their next use.
    private var leaving: Set<String> = []
    private(set) var isOpening = false
    private(set) var hasFailed = false

    /// Looks at the disk before an operation.
    mutating func look(at disk: SimulatedDisk, isOpening: Bool) {
        self.isOpening = isOpening
        hasFailed = disk.faults.strikes > 0
        var renamed: Set<String> = []
        for operation in disk.pendingOperations {
            guard case .rename(let from, let to) = operation.kind else { continue }
            if from.hasSuffix(".seg"), !to.hasSuffix(".seg") { spares.insert(to) }
            if spares.contains(from) { renamed.insert(from) }
        }
        // A file keeps the name that it was opened under: once its new name is durable, it is a segment like any other.
        spares.subtract(leaving.subtracting(renamed))
        leaving = renamed
    }

    func traits(_ disk: SimulatedDisk, isRetiring: Bool) -> Set<Coverage.Trait> {
        var traits: Set<Coverage.Trait> = []
        if isOpening { traits.insert(.recovery) }
        if hasFailed { traits.insert(.latch) }
        if isRetiring { traits.insert(.checkpointWithRetirement) }
        var inFlight: Set<String> = []
        for operation in disk.pendingOperations {
            if operation.isInFlight, !operation.path.hasSuffix("/checkpoint") { inFlight.insert(operation.path) }
            if spares.contains(where: { touches(operation, $0) }) { traits.insert(.recycling) }
        }
        if inFlight.count > 1 { traits.insert(.rollInFlight) }
        return traits
    }

    private func touches(_ operation: PendingOperation, _ name: String) -> Bool {
        switch operation.kind {
        case .rename(let from, let to): from == name || to == name
        case .create(let created), .remove(let created): created == name
        case .write, .size: operation.path.hasSuffix("/" + name)
        }
    }
}

/// Picks moments of a life at random, those that are rare and telling more often than chance would.
struct MomentPicker {
    private let count: Int
    /// Moments at which a part of what is pending can be lost, and then those of each rare trait.
    private var groups: [[Int]]

    /// Those that few lives have stand twice.
    private static let rare: [Coverage.Trait] = [
        .rollInFlight, .recycling, .recycling, .checkpointWithRetirement, .latch, .latch,
    ]

    init(_ moments: [ChannelRecorder.Moment]) {
        count = moments.count
        groups = Array(repeating: [], count: 1 + Self.rare.count)
        for (index, moment) in moments.enumerated() {
            if moment.disk.pendingOperations.count > 1 { groups[0].append(index) }
            let traits = moment.traits.traits(moment.disk, isRetiring: moment.isRetiring)
            for (group, trait) in Self.rare.enumerated() where traits.contains(trait) {
                groups[group + 1].append(index)
            }
        }
    }

    func pick(_ random: inout SeededRandom) -> Int {
        // One in four is any; one in four can be lost in part; the others share the rest.
        let group = random.chance(25) ? nil : groups[random.chance(33) ? 0 : random.number(1...groups.count - 1)]
        if group != nil, let picked = group?.randomElement(using: &random) ?? groups[0].randomElement(using: &random) {
            return picked
        }
        return Int.random(in: 0..<count, using: &random)
    }
}
