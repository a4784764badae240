/// What the command line asks for.
struct Options: Sendable {
    enum Command: String, CaseIterable {
        case raw, log, commit, put, take, ready, written, verify, curve, scale, soak, bars
        /// One process of `ready`, started by it and killed by it; one of `scale`.
        case life, stage
        /// One process of `tools/count`.
        case work
    }

    enum Format: String { case text, json }

    let command: Command
    /// Of `work`.
    var operation: CountedWork.Operation?
    var directory = "."
    var seconds: Double
    var rounds: Int
    var format = Format.text
    var isVerbose = false
    var bodyBytes = 512
    var linesPath: String?
    /// Where a page with drawings is to be.
    var pagePath: String?
    var isFull = false
    /// In a life: event 1 is taken and stays so.
    var holdsFirst = false
    /// In a life: how much of a segment is full when it ends, of 1,000.
    var place = 0
    /// In a stage: the channel is brought to its depth, and nothing is measured.
    var isFilling = false
    // Where nil the command has its own.
    var producers: [Int]?
    var batches: [Int]?
    var events: [Int]?

    var nanoseconds: UInt64 { UInt64(seconds * 1e9) }

    /// A measurement that goes on for a while consists of so many slices (``interleave(_:rounds:slices:_:)``), each so long.
    var slices: Int { max(1, Int(seconds / 0.05)) }
    var sliceNanoseconds: UInt64 { nanoseconds / UInt64(slices) }

    /// As without any option.
    init(_ command: Command) {
        self.command = command
        seconds = command.seconds
        rounds = command.rounds
    }

    /// nil when help is wanted: without arguments, or with `--help` anywhere.
    init?(parsing arguments: ArraySlice<String>) throws(UsageError) {
        var rest = arguments
        guard let name = rest.popFirst(), !arguments.contains("--help"), !arguments.contains("-h") else { return nil }
        guard let command = Command(rawValue: name) else { throw UsageError("there is no command '\(name)'") }
        self.init(command)
        if command == .work { operation = try Self.operation(rest.popFirst()) }
        while let option = rest.popFirst() {
            guard command.options.contains(option) else {
                throw UsageError(
                    "'\(name)' has no option '\(option)'; it has \(command.options.joined(separator: " "))")
            }
            if setFlag(option) { continue }
            guard let value = rest.popFirst() else { throw UsageError("'\(option)' lacks its value") }
            try set(option, value)
        }
    }

    private static func operation(_ name: String?) throws(UsageError) -> CountedWork.Operation {
        guard let operation = name.flatMap(CountedWork.Operation.init) else {
            let all = CountedWork.Operation.allCases.map(\.rawValue).joined(separator: " ")
            throw UsageError("'work' takes one of \(all)\(name.map { ", not '\($0)'" } ?? "")")
        }
        return operation
    }

    private mutating func setFlag(_ option: String) -> Bool {
        switch option {
        case "--verbose": isVerbose = true
        case "--full": isFull = true
        case "--hold": holdsFirst = true
        case "--fill": isFilling = true
        default: return false
        }
        return true
    }

    private mutating func set(_ option: String, _ value: String) throws(UsageError) {
        switch option {
        case "--dir": directory = value
        case "--seconds": seconds = try Self.number(value, option, in: 0.001...3600)
        case "--rounds": rounds = try Self.number(value, option, in: 1...1000)
        case "--producers": producers = try numbers(value, option, in: 1...1024)
        case "--batch": batches = try numbers(value, option, in: 1...10_000)
        case "--events": events = try numbers(value, option, in: 0...1_000_000_000)
        case "--body": bodyBytes = try Self.number(value, option, in: 1...65_536)
        case "--place": place = try Self.number(value, option, in: 0...999)
        case "--lines": linesPath = value
        case "--html": pagePath = value
        default:
            guard let format = Format(rawValue: value) else {
                throw UsageError("\(option) takes text or json, not '\(value)'")
            }
            self.format = format
        }
    }

    private func numbers(
        _ text: String, _ option: String, in range: ClosedRange<Int>
    ) throws(UsageError) -> [Int] {
        var numbers: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            numbers.append(try Self.number(String(part), option, in: range))
        }
        guard numbers.count == 1 || [.put, .curve, .ready, .scale, .verify].contains(command) else {
            throw UsageError("'\(command.rawValue)' takes one number for \(option), not '\(text)'")
        }
        return numbers
    }

    private static func number<N: LosslessStringConvertible & Comparable>(
        _ text: String, _ option: String, in range: ClosedRange<N>
    ) throws(UsageError) -> N {
        guard let number = N(text), range.contains(number) else {
            throw UsageError("\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return number
    }
}

extension Options.Command {
    fileprivate var options: [String] {
        let all = ["--dir", "--rounds", "--format", "--verbose"]
        return switch self {
        case .raw, .log: all + ["--seconds"]
        case .commit: all + ["--seconds", "--body", "--lines"]
        case .put: all + ["--seconds", "--producers", "--batch", "--body", "--lines"]
        case .take: all + ["--seconds", "--producers", "--batch", "--body", "--lines", "--events"]
        case .verify: all + ["--batch", "--body", "--lines", "--events"]
        case .curve: all + ["--seconds", "--producers", "--batch", "--lines", "--html"]
        case .bars: all + ["--lines"]
        case .ready: all + ["--events", "--body", "--full"]
        case .written: all + ["--producers", "--batch", "--body", "--lines"]
        case .scale: all + ["--seconds", "--events", "--body", "--lines", "--full"]
        case .soak: ["--dir", "--format", "--seconds", "--events", "--body", "--lines"]
        case .life: ["--dir", "--events", "--body", "--place", "--hold"]
        case .stage: all + ["--seconds", "--events", "--body", "--lines", "--fill"]
        case .work: ["--dir", "--events"]
        }
    }

    /// A bar is a median of at least nine pairs.
    fileprivate var rounds: Int {
        switch self {
        case .raw, .log: 5
        case .curve: 3
        case .scale, .stage: 5
        case .commit, .put, .take, .ready, .written, .verify, .soak, .bars, .life, .work: 9
        }
    }

    /// So that a run with defaults ends within a few minutes (but for curve, soak and bars).
    fileprivate var seconds: Double {
        switch self {
        case .raw, .log, .commit, .ready, .written, .verify, .scale, .bars, .life, .stage, .work: 1
        case .put, .take: 0.2
        case .soak: 3600
        case .curve: 0.1
        }
    }
}

struct UsageError: Error {
    var message: String

    init(_ message: String) { self.message = message }
}
