import CommandOptions
import DurableChannel
import FileIO
import Glibc
import Inspection
import LogFormat
import SegmentedLog

/// The version of the package.
private let version = "0.1.0"

/// The whole program: parses, works, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    // Whoever reads the output may go away; that is seen where it is written.
    _ = signal(SIGPIPE, SIG_IGN)
    do {
        switch try Arguments.parse(arguments, by: table) {
        case .help(let verb): try say(verb.map { table.help($0) } ?? table.help)
        case .version: try say("walctl \(version), on-disk format \(FormatConstants.version)")
        case .run(let verb, let arguments): exit(try perform(verb, arguments))
        }
        exit(ExitStatus.done)
    } catch let error as UsageError {
        let usages = (error.verb.map { [$0] } ?? table.verbs).map { "usage: \(table.usage($0))\n" }
        complain("\(error.message)\n\(usages.joined())walctl \(error.verb.map { "\($0.name) " } ?? "")--help says more")
        exit(ExitStatus.usage)
    } catch is StandardOutput.Failure {
        complain("standard output cannot be written, so the answer is lost; look at what it goes to")
        exit(ExitStatus.inputOutput)
    } catch let error as ChannelError {
        complain("\(error)")
        exit(ExitStatus.of(error))
    } catch {
        complain("\(error)")
        exit(ExitStatus.inputOutput)
    }
}

private func perform(_ verb: VerbTable, _ arguments: Arguments) throws -> Int32 {
    let output = Output(
        arguments.text("--format").flatMap(Output.Format.init) ?? .text, Style.ofTerminal)
    let call = Call(verb, arguments, output)
    let status = try action(of: verb)(call)
    try output.flush()
    return status
}

/// One verb with its arguments. Each verb is an extension in a file of its own; it returns how the command ends.
struct Call {
    let verb: VerbTable
    let arguments: Arguments
    let output: Output
    /// When the command began, in nanoseconds since 1970.
    let now: UInt64

    init(_ verb: VerbTable, _ arguments: Arguments, _ output: Output) {
        self.verb = verb
        self.arguments = arguments
        self.output = output
        now = WallClock.now
    }

    /// Looks into what stands under a path.
    func look(_ path: String) throws(ChannelError) -> LogInspection {
        try LogInspection(path, source: arguments.has("--device") ? .device : .cache, clock: { WallClock.monotonic })
    }

    func complain(_ text: String) { walctl.complain(text) }

    /// What `--segment`, `--from`, ... ask for.
    func filter() throws(UsageError) -> Filter {
        var filter = Filter()
        let segments = arguments.texts("--segment")
        if !segments.isEmpty {
            var numbers: Set<SegmentNumber> = []
            for text in segments {
                guard let number = UInt64(text.hasSuffix(".seg") ? String(text.dropLast(4)) : text, radix: 16),
                    number > 0
                else {
                    throw UsageError("--segment \(text): a segment's number in hexadecimal is wanted (1f)", verb)
                }
                numbers.insert(SegmentNumber(number))
            }
            filter.segments = numbers
        }
        let (from, to) = (arguments.number("--from"), arguments.number("--to"))
        if from != nil || to != nil {
            guard from ?? 1 <= to ?? .max else { throw UsageError("--from is behind --to", verb) }
            filter.sequences = SequenceRange(
                first: EventSequence(from ?? 1), end: EventSequence(to.map { $0 + 1 } ?? FormatConstants.maximumNumber))
        }
        filter.since = try time("--since")
        filter.until = try time("--until")
        if let text = arguments.text("--type") {
            var types: Set<FrameType> = []
            for word in text.split(separator: ",") {
                guard let type = FrameType.allCases.first(where: { $0.word == word }) else {
                    throw UsageError(
                        "--type \(word): one of \(FrameType.allCases.map(\.word).joined(separator: ", ")) is wanted",
                        verb)
                }
                types.insert(type)
            }
            filter.types = types
        }
        filter.transaction = arguments.number("--txn")
        filter.limit = arguments.number("--limit")
        return filter
    }

    private func time(_ option: String) throws(UsageError) -> UInt64? {
        guard let text = arguments.text(option) else { return nil }
        guard let time = Units.parseTime(text, now: now) else {
            throw UsageError(
                "\(option) \(text): a time is wanted: 2026-12-01, 2026-12-01T12:30:05Z, nanoseconds since 1970, or how long ago (90s, "
                    + "15m, 2h, 3d)", verb)
        }
        return time
    }
}

enum WallClock {
    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Nanoseconds since 1970.
    static var now: UInt64 { read(CLOCK_REALTIME) }
    static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }
}

/// Text on standard output.
private func say(_ text: String) throws {
    let output = StandardOutput()
    try output.write(text + "\n")
    try output.flush()
}

/// A line on standard error.
func complain(_ text: String) {
    let line = Array("walctl: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}
