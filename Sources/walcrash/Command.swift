import CommandOptions
import CrashHarness
import Glibc

/// The version of the package.
private let version = "0.1.0"

/// The whole program: parses, works, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    do {
        switch try Arguments.parse(arguments, by: table) {
        case .help(let verb): try say(verb.map { table.help($0) } ?? table.help)
        case .version: try say("walcrash \(version)")
        case .run(let verb, let arguments):
            switch verb.name {
            case "run": try runCampaign(arguments, verb)
            case "sweep": try sweepWorkloads(arguments, verb)
            case "mutants": try runMutants(arguments, verb)
            case "mutant": try runMutant(arguments, verb)
            case "replay": try replay(arguments, verb)
            case "kill": try killProcesses(arguments, verb)
            case "calls": try failCalls(arguments, verb)
            case "life": try live(arguments, verb)
            case "intruder": try intrude(arguments, verb)
            case "bits": try runBits(arguments, verb)
            case "bits-life": try runBitsLife(arguments, verb)
            case "show": try show(arguments, verb)
            default: try list(arguments)
            }
        }
        exit(0)
    } catch let error as UsageError {
        let usages = (error.verb.map { [$0] } ?? table.verbs).map { "usage: \(table.usage($0))\n" }
        complain("\(error.message)\n\(usages.joined())walcrash --help says more")
        exit(64)
    } catch is PromiseBroken {
        exit(1)
    } catch is OutputFailure {
        complain("standard output cannot be written, so the answer is lost; look at what it goes to")
        exit(74)
    } catch {
        complain("\(error)")
        exit(74)
    }
}

/// The report has been written, and says which.
struct PromiseBroken: Error {}

struct OutputFailure: Error {}

struct FileFailure: Error, CustomStringConvertible {
    var description: String
}

/// Lines on standard output, which is the answer that was asked for.
func say(_ text: String) throws(OutputFailure) {
    var rest = Array("\(text)\n".utf8)[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw OutputFailure() }
        rest = rest.dropFirst(count)
    }
}

/// A line on standard error.
func complain(_ text: String) {
    ProgressLine.clear()
    let line = Array("walcrash: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}
