import CommandOptions
import Glibc
import LogFormat
import ProcessHarness

/// `walcrash calls`.
func failCalls(_ arguments: Arguments, _ verb: VerbTable) throws {
    var sweep = SystemCallSweep(directory: try directory(arguments, verb))
    sweep.jobs = jobs(arguments)
    sweep.every = Int(arguments.number("--every") ?? 1)
    sweep.only = arguments.text("--only")
    let report: SystemCallSweep.Report
    do throws(SystemCallSweep.Obstacle) { report = try sweep.run() } catch {
        throw FileFailure(description: "\(error)")
    }
    try say(arguments.text("--format") == "json" ? report.json.rendered : report.text)
    if !report.failures.isEmpty { throw PromiseBroken() }
    // Threads come to a call in another order at times; a sweep that mostly looked at undisturbed processes shows nothing.
    if report.missed > max(2, report.count / 10) {
        throw FileFailure(
            description:
                "\(report.missed) of \(report.count) calls were not made when their turn came, so they were not looked at; run it "
                + "again on a quieter machine, or with fewer --jobs")
    }
}

extension SystemCallSweep.Report {
    private typealias Mode = SystemCallSweep.Mode

    fileprivate var text: String {
        let width = 14
        var lines = [padded("call", width) + Mode.allCases.map { padded($0.rawValue, width) }.joined()]
        for (call, modes) in variants.sorted(by: { $0.key < $1.key }) {
            lines.append(padded(call, width) + Mode.allCases.map { padded("\(modes[$0] ?? 0)", width) }.joined())
        }
        lines.append(
            "\(grouped(count)) processes in which one call failed or was the last; in \(grouped(missed)) of them it was not "
                + "made this time; \(grouped(refusedOpenings)) openings were refused")
        lines.append(
            "  what clients were told: "
                + errors.sorted { $0.key < $1.key }.map { "\($0.key) \(grouped($0.value))" }.joined(separator: ", "))
        for failure in failures {
            lines += ["BROKEN PROMISE, --only \(failure.variant), see \(failure.directory)", "  \(failure.objection)"]
        }
        if failures.isEmpty { lines.append("every promise was kept") }
        return lines.joined(separator: "\n")
    }

    fileprivate var json: JSON {
        .object([
            ("kept", .flag(failures.isEmpty)), ("processes", .whole(UInt64(count))),
            ("missed", .whole(UInt64(missed))), ("refusedOpenings", .whole(UInt64(refusedOpenings))),
            (
                "calls",
                .object(
                    variants.sorted { $0.key < $1.key }.map { call, modes in
                        (call, .object(Mode.allCases.map { ($0.rawValue, .whole(UInt64(modes[$0] ?? 0))) }))
                    })
            ), ("errors", .object(errors.sorted { $0.key < $1.key }.map { ($0.key, .whole(UInt64($0.value))) })),
            (
                "failures",
                .list(
                    failures.map {
                        .object([
                            ("variant", .text("\($0.variant)")), ("objection", .text($0.objection)),
                            ("directory", .text($0.directory)),
                        ])
                    })
            ),
        ])
    }
}
