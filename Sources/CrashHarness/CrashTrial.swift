public import SimulatedFileIO

/// Somebody's own program on a simulated disk, crashed at each of its storage operations: for sources, sinks, and whatever else
/// stands around a channel.
///
/// `program` is what a process does from its start to its end; after a crash it is run again, as its supervisor would. Then
/// `check` says whether what it has brought about is right. `Known` is what somebody outside was told (acknowledgements, what
/// a server received): it outlives the process, and is as it was at the crash.
///
///     var trial = CrashTrial(known: 0, program: { process, outside in
///         let channel = try FileChannel.open(at: "/channel", fileSystem: process.fileSystem, runtime: process.runtime)
///         ...
///     }, check: { process, known in process.disk.contents(of: "/out") == expected ? nil : "the output is wrong" })
///     let report = trial.run()
///     #expect(report.failures.isEmpty)
///
/// Everything comes from the seed: a failure comes again.
public struct CrashTrial<Known: Sendable> {
    /// What is known outside of the process.
    public final class Outside {
        public var known: Known

        init(_ known: Known) { self.known = known }
    }

    public struct Report: Sendable {
        /// Storage operations of the undisturbed run.
        public var operations = 0
        /// Distinct states that a crash left, and from which the program was run again.
        public var states = 0
        /// Of them, those that were crashed a second time while it ran again.
        public var secondCrashes = 0
        /// What went wrong, and after which crash. It ends after a few.
        public var failures: [String] = []
    }

    public var disk = SimulatedDisk.Options()
    public var seed: UInt64 = 1
    /// Of the ways in which a power cut can leave the disk before one operation so many are tried.
    public var choicesPerOperation = 16
    /// Every so many states are crashed again while the program works on them.
    public var secondCrashEvery = 50

    private static var mostFailures: Int { 5 }

    private let known: Known
    private let prepare: (SimulatedProcess) throws -> Void
    private let program: (SimulatedProcess, Outside) throws -> Void
    private let check: (SimulatedProcess, Known) -> String?

    /// - Parameters:
    ///   - known: what is known before it begins.
    ///   - prepare: puts what the program finds on the disk, durably: ``SimulatedDisk/setContents(of:to:)``.
    ///   - program: throws only what must not happen.
    ///   - check: what is wrong with the result; nil when it is right.
    public init(
        known: Known, prepare: @escaping (SimulatedProcess) throws -> Void = { _ in },
        program: @escaping (SimulatedProcess, Outside) throws -> Void,
        check: @escaping (SimulatedProcess, Known) -> String?
    ) {
        self.known = known
        self.prepare = prepare
        self.program = program
        self.check = check
    }

    private struct Moment {
        var disk: SimulatedDisk
        var known: Known
        var story: String
    }

    /// Runs the program undisturbed, and again from each state that a crash can leave. Blocks; uses no other thread than the
    /// program does.
    public func run() -> Report {
        var report = Report()
        let first = SimulatedProcess(SimulatedDisk(disk), seed: seed)
        let moments: [Moment]
        do {
            try prepare(first)
            moments = try run(on: first, known, "undisturbed", &report)
        } catch {
            report.failures.append("undisturbed: \(error)")
            return report
        }
        report.operations = moments.count - 1
        var seen: Set<UInt64> = []
        for (step, moment) in moments.enumerated() where report.failures.count < Self.mostFailures {
            var survivors = moment.disk.legalCrashChoices(limit: choicesPerOperation).map {
                (moment.disk.crashed(keeping: $0), "power cut before \(moment.story), \($0)")
            }
            survivors.append((moment.disk.killed(keeping: .everything), "kill before \(moment.story)"))
            survivors.append(
                (moment.disk.killed(keeping: .nothing), "kill before \(moment.story), nothing in flight written"))
            for (survivor, story) in survivors where seen.insert(survivor.stateHash &* 31 &+ UInt64(step)).inserted {
                report.states += 1
                crash(Moment(disk: survivor, known: moment.known, story: story), &report)
            }
        }
        return report
    }

    private func crash(_ moment: Moment, _ report: inout Report) {
        do {
            let again = SimulatedProcess(moment.disk, seed: seed &+ 1)
            let moments = try run(on: again, moment.known, moment.story, &report)
            guard report.states % secondCrashEvery == 0 else { return }
            for second in moments.enumerated() where second.offset % 3 == report.states % 3 {
                report.secondCrashes += 1
                let last = SimulatedProcess(second.element.disk.crashed(keeping: .nothing), seed: seed &+ 2)
                _ = try run(
                    on: last, second.element.known, "\(moment.story), then power cut before \(second.element.story)",
                    &report)
            }
        } catch {
            report.failures.append("\(moment.story): \(error)")
        }
    }

    /// Runs the program to its end and checks what it brought about; the moments before each operation, and behind the last.
    private func run(
        on process: SimulatedProcess, _ known: Known, _ story: String, _ report: inout Report
    ) throws -> [Moment] {
        let outside = Outside(known)
        var moments: [Moment] = []
        process.disk.beforeOperation = { [unowned disk = process.disk] operation in
            moments.append(Moment(disk: disk.clone(), known: outside.known, story: operation.description))
        }
        defer { process.disk.beforeOperation = nil }
        try program(process, outside)
        if let objection = check(process, outside.known) { report.failures.append("\(story): \(objection)") }
        moments.append(Moment(disk: process.disk.clone(), known: outside.known, story: "the end"))
        return moments
    }
}
