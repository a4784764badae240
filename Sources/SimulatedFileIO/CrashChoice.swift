/// What survives a power cut: a part of each pending operation.
///
/// A choice that no file system could bring about is completed when it is applied
/// (``SimulatedDisk/crashed(keeping:)``), by keeping what the kept operations stand on.
public struct CrashChoice: Sendable, Hashable, CustomStringConvertible {
    /// Every operation that ``exceptions`` does not name.
    public var others: KeptPart
    /// By ``PendingOperation/id``.
    public var exceptions: [Int: KeptPart]

    public init(others: KeptPart, exceptions: [Int: KeptPart] = [:]) {
        self.others = others
        self.exceptions = exceptions.filter { $0.value != others }
    }

    public static let everything = CrashChoice(others: .whole)
    public static let nothing = CrashChoice(others: .nothing)

    /// Only these operations.
    public static func only(_ ids: some Sequence<Int>) -> CrashChoice {
        CrashChoice(others: .nothing, exceptions: Dictionary(ids.map { ($0, .whole) }) { first, _ in first })
    }

    /// All operations but these.
    public static func allBut(_ ids: some Sequence<Int>) -> CrashChoice {
        CrashChoice(others: .whole, exceptions: Dictionary(ids.map { ($0, .nothing) }) { first, _ in first })
    }

    public subscript(id: Int) -> KeptPart {
        get { exceptions[id] ?? others }
        set { exceptions[id] = newValue == others ? nil : newValue }
    }

    public var description: String {
        let named = exceptions.sorted { $0.key < $1.key }.map { "#\($0.key) \($0.value)" }
        return named.isEmpty ? "all \(others)" : "all \(others), but " + named.joined(separator: ", ")
    }
}

extension SimulatedDisk {
    /// The ways in which a power cut can leave the disk at this moment, without repeats, the most telling first:
    /// everything kept; everything lost; of 8 pending operations or fewer every subset, of more each one alone lost,
    /// each one alone kept, and each prefix; then each write of several sectors cut behind its first, its middle and
    /// before its last sector, and the same with the beginning missing instead of the end, each time with everything
    /// else kept and with everything later lost; and by option each write torn inside its first and its last sector, and
    /// each rename with both names left.
    ///
    /// Different choices can lead to the same state: compare ``stateHash`` of ``crashed(keeping:)``.
    public func legalCrashChoices(limit: Int = .max) -> [CrashChoice] {
        let pending = pendingOperations
        let ids = pending.map(\.id)
        var choices: [CrashChoice] = [.everything, .nothing]
        if ids.count <= 8 {
            for subset in 0..<1 << ids.count {
                choices.append(.only(ids.indices.filter { subset & 1 << $0 != 0 }.map { ids[$0] }))
            }
        } else {
            for id in ids {
                choices.append(.allBut([id]))
                choices.append(.only([id]))
            }
            for count in 1..<ids.count { choices.append(.only(ids[..<count])) }
        }
        for (position, operation) in pending.enumerated() {
            for part in partialOutcomes(of: operation) {
                var cut = CrashChoice.everything
                cut[operation.id] = part
                choices.append(cut)
                cut = .only(ids[..<position])
                cut[operation.id] = part
                choices.append(cut)
            }
        }
        // One choice can be spelled in several ways; what it says of each operation counts.
        var seen: Set<[KeptPart]> = []
        var distinct: [CrashChoice] = []
        for choice in choices where distinct.count < limit {
            if seen.insert(ids.map { choice[$0] }).inserted { distinct.append(choice) }
        }
        return distinct
    }

    /// One of them at random, with parts of several writes at once, which ``legalCrashChoices(limit:)`` leaves out.
    public func randomCrashChoice(using generator: inout some RandomNumberGenerator) -> CrashChoice {
        var choice = CrashChoice.nothing
        let odds = UInt64.random(in: 0...4, using: &generator)
        for operation in pendingOperations where UInt64.random(in: 0..<4, using: &generator) < odds {
            let parts = partialOutcomes(of: operation)
            let isPartial = UInt64.random(in: 0..<3, using: &generator) == 0
            choice[operation.id] = isPartial ? parts.randomElement(using: &generator) ?? .whole : .whole
        }
        return choice
    }

    private func partialOutcomes(of operation: PendingOperation) -> [KeptPart] {
        if case .rename = operation.kind { return options.renamesCanLeaveBothNames ? [.bothNames] : [] }
        let count = operation.sectorCount(sectorBytes: options.sectorBytes)
        var parts: [KeptPart] = []
        if count > 1 {
            for cut in Set([1, count / 2, count - 1]).sorted() {
                parts.append(.sectors([0..<cut]))
                parts.append(.sectors([cut..<count]))
            }
        }
        if options.tearsInsideSectors && count > 0 {
            for sector in Set([0, count - 1]).sorted() { parts.append(.tornInside(sector: sector)) }
        }
        return parts
    }
}
