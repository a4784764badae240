import CommandOptions
import CrashHarness
import Glibc

/// The version of the package.
private let version = "0.1.0"

/// The whole program: parses, works, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    do {
        switch try Arguments.parse(arguments, by: table) {
        case .help(let verb): say(verb.map { table.help($0) } ?? table.help)
        case .version: say("walcrash \(version)")
        case .run(let verb, let arguments):
            switch verb.name {
            case "run": try runCampaign(arguments, verb)
            case "sweep": try sweepWorkloads(arguments, verb)
            case "mutants": try runMutants(arguments, verb)
            case "mutant": try runMutant(arguments, verb)
            case "replay": try replay(arguments)
            case "show": try show(arguments, verb)
            default: list(arguments)
            }
        }
        exit(0)
    } catch let error as UsageError {
        let usages = (error.verb.map { [$0] } ?? table.verbs).map { "usage: \(table.usage($0))\n" }
        complain("\(error.message)\n\(usages.joined())walcrash --help says more")
        exit(64)
    } catch is PromiseBroken {
        exit(1)
    } catch {
        complain("\(error)")
        exit(74)
    }
}

/// The report has been written, and says which.
struct PromiseBroken: Error {}

struct FileFailure: Error, CustomStringConvertible {
    var description: String
}

/// Lines on standard output, which is the answer that was asked for.
func say(_ text: String) {
    print(text)
    fflush(nil)
}

/// A line on standard error.
func complain(_ text: String) {
    ProgressLine.clear()
    let line = Array("walcrash: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}
