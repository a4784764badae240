import FileIO

/// `walbench ready`: opening a channel after SIGKILL, by the number of queued events.
///
/// For each depth a process (``Life``) fills a channel and is killed while it puts; then another one opens it, says what that
/// took, and is killed likewise, and so on. How far into a segment a crash comes decides how much there is to read: so a round
/// has three openings of each channel, in turn with those of the other depths, after crashes a third of a segment apart, at the
/// same places for each depth and at others in the next round, and counts the one in the middle. With the checkpoint file,
/// without it, and, on a channel of its own, while a taker holds event 1 and later ones were taken. The page cache is as the
/// killed process left it.
struct ReadyBenchmark {
    enum Variant: String, CaseIterable {
        case checkpoint
        case noCheckpoint = "no checkpoint file"
        case held = "event 1 held"
    }

    /// What one process said.
    struct Opening {
        var queued = 0.0
        var milliseconds = 0.0
        /// The first take included.
        var tookMilliseconds = 0.0
        var calls = 0.0
        var readBytes = 0.0
        var peakBytes = 0.0
        /// What each step of the opening took, in order.
        var steps: [(name: String, milliseconds: Double)] = []
    }

    let options: Options
    let workplace: Workplace

    private static let openingsInRound = 3

    private var depths: [Int] { (options.events ?? [10_000, 1_000_000]) + (options.isFull ? [10_000_000] : []) }

    func run() throws -> Report {
        var lines = depths.flatMap { depth in Variant.allCases.map { ReadyReport.Line(depth: depth, variant: $0) } }
        // What is opened is what the life before has left; the first one fills the channel.
        for line in lines where line.variant != .noCheckpoint { _ = try live(line, Self.place(0, 0)) }
        for round in 0..<options.rounds {
            for variant in Variant.allCases {
                let ofVariant = lines.indices.filter { lines[$0].variant == variant }
                for opening in 0..<Self.openingsInRound {
                    // With and without checkpoint it is the same channel.
                    let next =
                        if opening + 1 < Self.openingsInRound { Self.place(round, opening + 1) } else {
                            Self.place(variant == .checkpoint ? round : round + 1, 0)
                        }
                    for index in ofVariant { lines[index].all.append(try live(lines[index], next)) }
                }
                for index in ofVariant { lines[index].endRound(of: Self.openingsInRound) }
            }
        }
        return ReadyReport(options: options, machine: Machine(workplace), lines: lines).report
    }

    /// Of 1,000 parts of a segment, how many are full when a process is killed, about: of a round three, a third apart, and in each
    /// round others. (Those of nine rounds are 7 to 49 parts from each other.)
    private static func place(_ round: Int, _ opening: Int) -> Int {
        (round * 618 + opening * 1000 / openingsInRound) % 1000
    }

    /// A process opens the channel, says so, and is killed while it puts, at that place of a segment.
    private func live(_ line: ReadyReport.Line, _ place: Int) throws -> Opening {
        guard !Interruption.isRequested else { throw Interruption() }
        let path = workplace.path("depth-\(line.depth)" + (line.variant == .held ? "-held" : ""))
        if line.variant == .noCheckpoint {
            let directory = try workplace.fileSystem.openDirectory(at: path)
            defer { directory.close() }
            try directory.unlink("checkpoint")
        }
        let process = try ChildProcess(
            [
                "life", "--dir", path, "--events", "\(line.depth)", "--body", "\(options.bodyBytes)", "--place",
                "\(place)",
            ]
                + (line.variant == .held ? ["--hold"] : []))
        defer { process.kill() }
        let opening = Opening(try process.line())
        // It is at full work.
        _ = try process.line()
        return opening
    }
}

extension ReadyBenchmark.Opening {
    fileprivate init(_ line: String) {
        for (name, value) in figures(in: line) {
            switch name {
            case "queued": queued = value
            case "opened": milliseconds = value / 1e6
            case "took": tookMilliseconds = value / 1e6
            case "calls": calls = value
            case "read": readBytes = value
            case "peak": peakBytes = value
            default:
                if name.hasPrefix("step.") { steps.append((String(name.dropFirst(5)), value / 1e6)) }
            }
        }
    }
}
