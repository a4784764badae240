import CrashHarness
import DurableChannel
import FileIO
import SimulatedFileIO

/// Opens the directory that an input stands for (``DirectoryPlan``), uses the channel, and traps when a promise is broken.
///
/// What is promised whatever the files hold: opening gives a channel or a typed error; a refusal that says that nothing was
/// touched has touched nothing; events come with ascending numbers, none twice; put = held + taken + dropped + lost; a put
/// afterwards gets the next number; a channel that was closed opens again as it was.
///
/// Where bytes were forged (``ValidStructures``: something has the right checksums that was not in the log), a log can lie,
/// about numbers too, and nothing is said of what it serves. Where they were not, all that was done is damage: then no event is
/// served that was not put, or with another body; what is put afterwards is taken; and with all segments as they were, nothing
/// is missing.
package enum DirectoryInput {
    package static func run(_ input: [UInt8]) {
        let plan = DirectoryPlan(input)
        let (directory, unreadable) = plan.carriedOut()
        let isForged = plan.raw != nil || plan.base.structures.lacksAnyOf(directory)
        var trial = DirectoryTrial(
            directory: directory, unreadable: unreadable, opening: plan.opening, base: isForged ? nil : plan.base)
        trial.openStrictly()
        trial.openAndUse()
    }

    /// The log, how it is opened, the edits, and what they leave.
    package static func text(_ input: [UInt8]) -> String {
        let plan = DirectoryPlan(input)
        let (directory, unreadable) = plan.carriedOut()
        var lines = [plan.raw == nil ? "log \(plan.base.name)" : "files of the input's bytes", "\(plan.opening)"]
        lines += plan.edits.map { "  \($0)" }
        lines += directory.names.map { name in
            let original = plan.raw ?? plan.base.directory
            let isSame = original.files[name] == directory.files[name]
            let size = directory.bytes(name).map { "\($0.count) bytes" } ?? "\(directory.files[name]!)"
            return "\(name): \(size)\(isSame ? "" : ", changed")"
        }
        lines += unreadable.map { "not given: \($0.name) \($0.bytes)" }
        return lines.joined(separator: "\n") + "\n"
    }
}
