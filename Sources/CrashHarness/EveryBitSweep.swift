internal import FileIO
internal import Synchronization

/// Goes through the variants of a log (``EveryBitVariant``) on simulated disks, with several threads.
package struct EveryBitSweep: Sendable {
    package let log: EveryBitLog
    /// Of the flipped bits and of the lengths every so many. Odd, so that all places in a byte and in a field are met.
    package var every = 1
    /// Of what is done to whole files every so many.
    package var everyFile = 1
    package var jobs = 1
    /// No more failures than that are looked for.
    package var mostFailures = 40

    private let whole: [EveryBitVariant]
    /// The files in order, with the number of their first bit, and of their first length.
    private let starts: [(name: String, bit: Int, length: Int)]
    private let isRead: [String: [Bool]]
    private let bits: Int
    private let lengths: Int

    package init(_ log: EveryBitLog) {
        self.log = log
        var starts: [(name: String, bit: Int, length: Int)] = []
        var (bits, lengths) = (0, 0)
        for name in log.files.keys.sorted() {
            starts.append((name, bits, lengths))
            bits += log.files[name]!.count * 8
            lengths += log.files[name]!.count
        }
        (self.starts, self.bits, self.lengths) = (starts, bits, lengths)
        whole = Self.wholeFiles(log)
        isRead = EveryBitTrial.read(of: log)
    }

    /// Everything that is done to whole files.
    package static func wholeFiles(_ log: EveryBitLog) -> [EveryBitVariant] {
        let names = log.files.keys.sorted()
        let segments = names.filter { $0.hasSuffix(".seg") }
        let next = segments.last.flatMap { UInt64($0.prefix(16), radix: 16) }.map { number in
            let digits = String(number + 1, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits + ".seg"
        }
        var variants: [EveryBitVariant] = []
        for name in names {
            if name == names[0] { variants.append(EveryBitVariant(name, .untouched)) }
            for damage in [.removed, .symbolicLink, .directory, .fifo] as [EveryBitVariant.Damage] {
                variants.append(EveryBitVariant(name, damage))
            }
            for other in [next, "spare-00000000000000ff.tmp"].compactMap({ $0 }) + names where other != name {
                variants.append(EveryBitVariant(name, .doubled(as: other)))
            }
            // Two exchanged are the same two exchanged.
            for other in names where other > name { variants.append(EveryBitVariant(name, .swapped(with: other))) }
        }
        return variants
    }

    // MARK: Numbers

    /// How many variants there are, without a stride.
    package var count: Int { whole.count + lengths + bits }

    /// The variant of a number below ``count``: first whole files, then lengths, then bits.
    package subscript(number: Int) -> EveryBitVariant {
        if number < whole.count { return whole[number] }
        let length = number - whole.count
        if length < lengths {
            let start = starts.last { $0.length <= length }!
            return EveryBitVariant(start.name, .cut(to: length - start.length))
        }
        let bit = length - lengths
        let start = starts.last { $0.bit <= bit }!
        return EveryBitVariant(start.name, .flipped(bit: bit - start.bit))
    }

    /// Those that are looked at.
    package var numbers: [Range<Int>] {
        [0..<whole.count, whole.count..<whole.count + lengths, whole.count + lengths..<count]
    }

    // MARK: Running

    package struct Row: Sendable, Equatable {
        package var variants = 0
        /// Of them, bits of bytes that no step of a trial reads (``isUnread(_:)``), and that were not opened therefore.
        package var unread = 0
        package var opened = 0
        package var refused = 0
        package var refusedStrictly = 0
        package var lost = 0
        package var unknown = 0
        package var failures = 0

        mutating func add(_ outcome: EveryBitTrial.Outcome) {
            variants += 1
            if outcome.isOpened { opened += 1 } else { refused += 1 }
            if outcome.isRefusedStrictly { refusedStrictly += 1 }
            lost += outcome.lost
            unknown += outcome.unknown
            if outcome.objection != nil { failures += 1 }
        }
    }

    /// One flipped bit in a byte that nobody reads is as good as another. Each 61st is looked at all the same, as a control.
    private func isUnread(_ variant: EveryBitVariant) -> Bool {
        guard case .flipped(let bit) = variant.damage, bit % 61 != 0 else { return false }
        return !isRead[variant.file]![bit / 8]
    }

    package struct Failure: Sendable {
        package var variant: EveryBitVariant
        package var objection: String
    }

    package struct Result: Sendable {
        package var rows: [EveryBitVariant.Kind: Row] = [:]
        package var failures: [Failure] = []

        package var total: Int { rows.values.reduce(0) { $0 + $1.variants } }
        package var failureCount: Int { rows.values.reduce(0) { $0 + $1.failures } }

        package init() {}

        mutating func addUnread(_ variant: EveryBitVariant) {
            rows[variant.kind, default: Row()].variants += 1
            rows[variant.kind]!.unread += 1
        }

        package mutating func add(_ outcome: EveryBitTrial.Outcome, of variant: EveryBitVariant, most: Int) {
            rows[variant.kind, default: Row()].add(outcome)
            guard let objection = outcome.objection, failures.count < most else { return }
            failures.append(Failure(variant: variant, objection: objection))
        }
    }

    /// Blocks until all are looked at. `tell` is called by each thread before each variant, with the thread's number, the
    /// variant's, and how many were looked at before it.
    package func run(_ tell: @escaping @Sendable (_ job: Int, _ number: Int, _ done: Int) -> Void = { _, _, _ in })
        -> Result
    {
        let all = fileCount + (lengths + every - 1) / every + (bits + every - 1) / every
        let next = Atomic<Int>(0)
        let result = Mutex(Result())
        onThreads(jobs) { job in
            var mine = Result()
            while case let index = next.add(1, ordering: .relaxed).oldValue, index < all {
                let number = number(index)
                tell(job, number, index)
                let variant = self[number]
                if isUnread(variant) {
                    mine.addUnread(variant)
                    continue
                }
                mine.add(EveryBitTrial.run(log, variant), of: variant, most: mostFailures)
            }
            result.withLock { $0.add(mine, most: mostFailures) }
        }
        return result.withLock { $0 }
    }

    private var fileCount: Int { (whole.count + everyFile - 1) / everyFile }

    private func number(_ index: Int) -> Int {
        if index < fileCount { return index * everyFile }
        let lengthCount = (lengths + every - 1) / every
        let length = index - fileCount
        if length < lengthCount { return whole.count + length * every }
        return whole.count + lengths + (length - lengthCount) * every
    }
}

extension EveryBitSweep.Result {
    package mutating func add(_ other: EveryBitSweep.Result, most: Int) {
        for (kind, row) in other.rows {
            rows[kind, default: EveryBitSweep.Row()].add(row)
        }
        failures = Array((failures + other.failures).prefix(most))
    }
}

extension EveryBitSweep.Row {
    package mutating func add(_ other: EveryBitSweep.Row) {
        variants += other.variants
        unread += other.unread
        opened += other.opened
        refused += other.refused
        refusedStrictly += other.refusedStrictly
        lost += other.lost
        unknown += other.unknown
        failures += other.failures
    }
}
