/// What the command line asks for.
struct Options: Sendable {
    enum Command: String { case raw, log }
    enum Format: String { case text, json }

    var command: Command
    var directory = "."
    var seconds = 1.0
    var rounds = 5
    var format = Format.text

    var nanoseconds: UInt64 { UInt64(seconds * 1e9) }

    /// nil when help is wanted: without arguments, or with `--help` anywhere.
    init?(parsing arguments: ArraySlice<String>) throws(UsageError) {
        var rest = arguments
        guard let name = rest.popFirst(), !arguments.contains("--help"), !arguments.contains("-h") else { return nil }
        guard let command = Command(rawValue: name) else { throw UsageError("there is no command '\(name)'") }
        self.command = command
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else { throw UsageError("'\(option)' is unknown or lacks its value") }
            switch option {
            case "--dir": directory = value
            case "--seconds": seconds = try Self.number(value, option, in: 0.001...3600)
            case "--rounds": rounds = try Self.number(value, option, in: 1...1000)
            case "--format":
                guard let format = Format(rawValue: value) else { throw UsageError("there is no format '\(value)'") }
                self.format = format
            default: throw UsageError("there is no option '\(option)'")
            }
        }
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

struct UsageError: Error {
    var message: String

    init(_ message: String) { self.message = message }
}
