import CommandOptions
import CrashHarness
import FileIO
import Glibc
import LogFormat
import ProcessHarness
import Synchronization

/// `walcrash bits`: small real logs, changed in every way in one place.
func runBits(_ arguments: Arguments, _ verb: VerbTable) throws {
    guard let directory = arguments.text("--dir") else { throw UsageError("--dir is missing", verb) }
    let every = arguments.number("--every").map { Int($0) } ?? 1
    guard every % 2 == 1 else {
        throw UsageError("--every is \(every); it must be odd, or some bits of a byte are never met", verb)
    }
    if let only = arguments.text("--only") { return try runOne(only, directory, arguments, verb) }
    let ends = arguments.text("--log").map { [EveryBitLog.End(rawValue: $0)!] } ?? EveryBitLog.End.allCases
    let isText = arguments.text("--format") != "json"
    let started = ContinuousClock.now
    var found: [BitsResult] = []
    for end in ends {
        let made = RealLog(end, in: directory)
        let log = try make(made, directory)
        if isText { try say(BitsResult.words(log)) }
        var result = BitsResult(log)
        let watch = Watch(end, jobs: jobs(arguments))
        result.real = try runReal(log, directory, Int(arguments.number("--real") ?? 60), watch)
        var sweep = EveryBitSweep(log)
        sweep.every = every
        sweep.jobs = jobs(arguments)
        let begun = ContinuousClock.now
        result.simulated = sweep.run { watch.note(job: $0, number: $1, done: $2) }
        result.seconds = (ContinuousClock.now - begun) / .seconds(1)
        watch.end()
        ProgressLine.clear()
        if isText { try say(result.text) }
        if !result.isBroken { try made.remove() }
        found.append(result)
    }
    let failures = found.reduce(0) { $0 + $1.failureCount }
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    if isText {
        let total = found.reduce(0) { $0 + $1.simulated.total + $1.real.total }
        try say(
            "\(grouped(total)) variants in \(Int(seconds)) s, \(failures == 0 ? "no failures" : "\(failures) FAILURES")"
        )
    } else {
        try say(
            JSON.object([
                ("kept", .flag(failures == 0)), ("every", .whole(UInt64(every))), ("seconds", .number(seconds)),
                ("failures", .whole(UInt64(failures))), ("logs", .list(found.map(\.json))),
            ]).rendered)
    }
    if failures > 0 {
        complain(
            "again with: walcrash bits --dir \(directory) --only LOG:FILE:KIND[:OPERAND] (the logs are still there)")
        throw PromiseBroken()
    }
}

/// `walcrash bits-life`: the process that makes a log.
func runBitsLife(_ arguments: Arguments, _ verb: VerbTable) throws {
    guard let end = EveryBitLog.End(rawValue: arguments.operands[0]), let life = Int(arguments.operands[1]) else {
        throw UsageError("'\(arguments.operands[0])' '\(arguments.operands[1])' is no life of a log", verb)
    }
    guard RealLog(end, in: arguments.operands[2]).live(life) else { throw PromiseBroken() }
}

/// A log that was idle for too short a time, on a machine that is busy, is made again, and so is one that was killed when
/// everything acknowledged was vouched for. (If it is always so, that is said in the report.) One that does not hold what was
/// promised is not made again: that is what is looked for.
private func make(_ log: RealLog, _ directory: String) throws -> EveryBitLog {
    func attempt(idleFor pause: Int) throws -> EveryBitLog {
        do throws(RealLog.Failure) {
            return try log.make(idleFor: pause) { ["bits-life", log.end.rawValue, "\($0)", directory] }
        } catch {
            guard error.isBrokenPromise else { throw error }
            complain("\(error)")
            throw PromiseBroken()
        }
    }
    // Each one is killed at another moment.
    for pause in [400] + Array(repeating: 2000, count: 9) {
        let made = try attempt(idleFor: pause)
        if made.isTelling { return made }
    }
    let last = try attempt(idleFor: 10_000)
    guard last.endsAsMeant else {
        throw FileFailure(
            description:
                "the \(log.end.rawValue) log in \(log.directory) does not end so, however long it is waited for")
    }
    return last
}

/// One variant, everywhere.
private func runOne(_ text: String, _ directory: String, _ arguments: Arguments, _ verb: VerbTable) throws {
    let parts = text.split(separator: ":", maxSplits: 1)
    let number = Int(text)
    let end =
        number.map { EveryBitLog.End.allCases[min($0 / Watch.stride, 2)] }
        ?? EveryBitLog.End(rawValue: String(parts[0]))
    guard let end else { throw UsageError("'\(text)' names no log: closed, idle or killed", verb) }
    let log = try RealLog(end, in: directory).read()
    let sweep = EveryBitSweep(log)
    let found: EveryBitVariant? =
        if let number, number % Watch.stride < sweep.count { sweep[number % Watch.stride] } else if parts.count == 2 {
            EveryBitVariant(parts[1])
        } else { nil }
    guard let variant = found, variant.fits(log.files) else {
        throw UsageError("'\(text)' is nothing that can be done to the \(end.rawValue) log in \(directory)", verb)
    }
    try say("\(end.rawValue):\(variant) in \(BitsResult.words(log))")
    let simulated = EveryBitTrial.run(log, variant)
    try say("on a simulated disk: \(simulated)")
    let real = runReal(log, variant, directory)
    try say("on this one: \(real)")
    if simulated.objection != nil || real.objection != nil { throw PromiseBroken() }
}

private func runReal(_ log: EveryBitLog, _ variant: EveryBitVariant, _ directory: String) -> EveryBitTrial.Outcome {
    EveryBitTrial.run(log, variant) { () throws(EveryBitObjection) in
        do throws(RealLog.Failure) { return try RealGround("\(directory)/bits-trial", log, variant) } catch {
            throw EveryBitObjection(error.description)
        }
    }
}

/// Whole files, and so many flipped bits and lengths, spread over all of them, on the file system of `directory`.
private func runReal(
    _ log: EveryBitLog, _ directory: String, _ most: Int, _ watch: Watch
) throws -> EveryBitSweep.Result {
    let sweep = EveryBitSweep(log)
    let numbers = sweep.numbers
    var chosen = Array(numbers[0])
    for range in numbers.dropFirst() where most > 0 {
        let step = max(1, range.count / most)
        // Odd, or it would be the same bit of each byte.
        chosen += stride(from: range.lowerBound + step / 2, to: range.upperBound, by: step | 1)
    }
    var result = EveryBitSweep.Result()
    for (done, number) in chosen.enumerated() {
        watch.note(job: 0, number: number, done: done)
        result.add(runReal(log, sweep[number], directory), of: sweep[number], most: sweep.mostFailures)
    }
    return result
}

/// What hangs, and what traps, says its number (`--only` takes it).
private final class Watch: Sendable {
    /// Between the numbers of two logs.
    static let stride = 1_000_000_000
    /// Opened three times, and used: milliseconds, even on a busy machine.
    private static let mostSeconds = 60

    private struct Running {
        var number: Int
        var since: ContinuousClock.Instant
    }

    private let base: Int
    private let running: Mutex<[Running?]>
    private let runtime = SystemRuntime()

    init(_ end: EveryBitLog.End, jobs: Int) {
        base = EveryBitLog.End.allCases.firstIndex(of: end)! * Self.stride
        running = Mutex(Array(repeating: nil, count: jobs))
        Trap.arm(variants: true)
        look()
    }

    func note(job: Int, number: Int, done: Int) {
        running.withLock { running in
            running[job] = Running(number: base + number, since: .now)
            Trap.note(running.compactMap { $0.map { UInt64($0.number) } })
        }
    }

    func end() {
        running.withLock { running in running = running.map { _ in nil } }
        runtime.shutdown()
    }

    private func look() {
        runtime.schedule(after: 1_000_000_000) { [self] in
            let late = running.withLock { running in
                running.compactMap { $0 }.first { ContinuousClock.now - $0.since > .seconds(Self.mostSeconds) }
            }
            if let late {
                complain("the engine hangs: variant \(late.number) takes more than \(Self.mostSeconds) s")
                exit(1)
            }
            look()
        }
    }
}

/// What was found of one log.
private struct BitsResult {
    let log: EveryBitLog
    var simulated = EveryBitSweep.Result()
    var real = EveryBitSweep.Result()
    var seconds = 0.0

    init(_ log: EveryBitLog) { self.log = log }

    var failureCount: Int { simulated.failureCount + real.failureCount }
    var isBroken: Bool { failureCount > 0 }

    static func words(_ log: EveryBitLog) -> String {
        let types = log.frameTypes.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key)" }
        return
            "\(log.end.rawValue): \(log.files.count) files, \(log.segments) of them segments, \(grouped(log.bytes)) bytes; frames: "
            + "\(types.joined(separator: ", ")); \(log.eventsInWindow) events that nothing vouches for"
    }

    private static let columns = ["variants", "unread", "opened", "refused", "strict", "lost", "unknown", "failures"]

    var text: String {
        var lines = [Self.line(log.end.rawValue, Self.columns)]
        for (place, result) in [("", simulated), (", real", real)] {
            for kind in EveryBitVariant.Kind.allCases {
                guard let row = result.rows[kind] else { continue }
                lines.append(Self.line("  " + kind.rawValue + place, row.numbers.map { grouped($0) }))
            }
        }
        let rate = seconds > 0 ? Double(simulated.total) / seconds : 0
        lines.append("  \(Int(seconds)) s, \(grouped(Int(rate))) variants a second")
        for failure in simulated.failures + real.failures {
            lines.append("FAILURE \(log.end.rawValue):\(failure.variant)\n    \(failure.objection)")
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ name: String, _ columns: [String]) -> String {
        padded(name, 22) + columns.map { String(repeating: " ", count: max(1, 11 - $0.count)) + $0 }.joined()
    }

    var json: JSON {
        .object([
            ("log", .text(log.end.rawValue)), ("files", .whole(UInt64(log.files.count))),
            ("bytes", .whole(UInt64(log.bytes))), ("unvouched", .whole(UInt64(log.eventsInWindow))),
            ("seconds", .number(seconds)), ("simulated", Self.json(simulated)), ("real", Self.json(real)),
            (
                "broken",
                .list(
                    (simulated.failures + real.failures).map {
                        .object([
                            ("variant", .text("\(log.end.rawValue):\($0.variant)")), ("objection", .text($0.objection)),
                        ])
                    })
            ),
        ])
    }

    private static func json(_ result: EveryBitSweep.Result) -> JSON {
        .object(
            EveryBitVariant.Kind.allCases.compactMap { kind in
                result.rows[kind].map { row in
                    (kind.rawValue, .object(zip(columns, row.numbers).map { ($0, .whole(UInt64($1))) }))
                }
            })
    }
}

extension EveryBitSweep.Row {
    fileprivate var numbers: [Int] { [variants, unread, opened, refused, refusedStrictly, lost, unknown, failures] }
}
