import LogFormat

/// Whose figures these are.
enum Subject: String, Sendable {
    case log, channel, bare, raw
    /// LZ4 on all cores, nothing else.
    case lz4
    /// Puts with nothing beside them; and beside takes, and these.
    case alone
    case beside = "puts"
    case takes
}

/// One measurement of one subject.
struct Sample {
    private(set) var events: Double
    private(set) var seconds: Double
    /// Of each operation, or of the part of it that is timed.
    private(set) var microseconds: [Double]
    private(set) var operations: Int
    /// What an engine wrote meanwhile.
    var writes: Writes?
    /// What the process took of the processors.
    private var processorSeconds: Double?
    /// Of raw writes.
    var method: String?

    var eventsPerSecond: Double { events / seconds }
    var operationsPerSecond: Double { Double(operations) / seconds }
    var processorSecondsPerMillion: Double? { processorSeconds.map { $0 * 1e6 / events } }

    struct Writes {
        var traffic: Traffic.Reading
        var events: Double
        var transactions: Double

        static func + (left: Self, right: Self) -> Self {
            Writes(
                traffic: left.traffic + right.traffic, events: left.events + right.events,
                transactions: left.transactions + right.transactions)
        }
    }

    init(_ measured: Measurement, eventsEach: Double) {
        self.init(
            events: Double(measured.count) * eventsEach, nanoseconds: measured.elapsed,
            microseconds: measured.latencies.map { Double($0) / 1000 })
        processorSeconds = Double(measured.processorNanoseconds) / 1e9
    }

    init(events: Double, nanoseconds: UInt64, microseconds: [Double]) {
        self.events = events
        seconds = Double(nanoseconds) / 1e9
        self.microseconds = microseconds
        operations = microseconds.count
    }

    /// Another slice of the same measurement.
    mutating func add(_ slice: Sample) {
        events += slice.events
        seconds += slice.seconds
        microseconds += slice.microseconds
        operations += slice.operations
        if let more = slice.writes { writes = writes.map { $0 + more } ?? more }
        if let more = slice.processorSeconds { processorSeconds = (processorSeconds ?? 0) + more }
    }

    /// Of its operations; 0 when single ones were not timed.
    func latency(_ fraction: Double) -> Double {
        microseconds.isEmpty ? 0 : Statistics(microseconds).quantile(fraction)
    }
}

/// What was measured of several subjects in turn, under the same circumstances.
struct Series {
    let name: String
    /// The engine first.
    let subjects: [Subject]
    /// The mean body of an event.
    let bodyBytes: Double
    /// One sample for each round but the one that warms up.
    private(set) var samples: [Subject: [Sample]] = [:]

    init(_ name: String, _ subjects: [Subject], bodyBytes: Double) {
        self.name = name
        self.subjects = subjects
        self.bodyBytes = bodyBytes
    }

    var engine: Subject { subjects[0] }

    mutating func add(_ sample: Sample, of subject: Subject, isWarmUp: Bool) {
        if !isWarmUp { samples[subject, default: []].append(sample) }
    }

    func rate(_ subject: Subject) -> Statistics { Statistics(samples[subject]!.map(\.eventsPerSecond)) }

    /// Of all rounds together; nil when single operations were not timed.
    func latency(_ subject: Subject) -> Statistics? {
        let all = samples[subject]!.flatMap(\.microseconds)
        return all.isEmpty ? nil : Statistics(all)
    }

    /// A figure of one subject by one of another, of each round in order.
    func ratios(_ subject: Subject, to other: Subject, _ figure: (Sample) -> Double) -> [Double] {
        zip(samples[subject]!, samples[other]!).map { figure($0) / figure($1) }
    }

    /// What the engine wrote in all rounds.
    var writes: WriteFigures { WriteFigures(samples[engine]!.compactMap(\.writes), bodyBytes: bodyBytes) }

    /// The best raw methods, and in how many rounds each was.
    var rawMethods: String? {
        let methods = (samples[.raw] ?? []).compactMap(\.method)
        guard !methods.isEmpty else { return nil }
        return Set(methods).sorted().map { method in "\(method) (\(methods.count { $0 == method }))" }
            .joined(separator: ", ")
    }
}

/// What an engine wrote for what it was given.
struct WriteFigures {
    let groupBytes: Double
    let eventsInGroup: Double
    let transactionsInGroup: Double
    let bytesInEvent: Double
    /// Bytes written to the disk, pre-writing included, for each byte of event bodies.
    let amplification: Double

    init(_ writes: [Sample.Writes], bodyBytes: Double) {
        let groups = Double(writes.reduce(0) { $0 + $1.traffic.groups })
        let bytes = Double(writes.reduce(0) { $0 + $1.traffic.groupBytes })
        let others = Double(writes.reduce(0) { $0 + $1.traffic.otherBytes })
        let events = writes.reduce(0) { $0 + $1.events }
        groupBytes = bytes / groups
        eventsInGroup = events / groups
        transactionsInGroup = writes.reduce(0) { $0 + $1.transactions } / groups
        bytesInEvent = bytes / events
        amplification = (bytes + others) / (events * bodyBytes)
    }

    var json: JSON {
        .object([
            ("groupBytes", .number(groupBytes)), ("eventsInGroup", .number(eventsInGroup)),
            ("transactionsInGroup", .number(transactionsInGroup)), ("writeAmplification", .number(amplification)),
        ])
    }
}

/// Measures all subjects of all series in each round, in turn, so that whatever slows the machine for a while slows
/// them alike. Round 0 warms up: memory, the first segments, the size of groups.
///
/// - Parameters:
///   - slices: a round's measurement of a subject is the sum of so many, each time in another order. A disk may be half as fast
///     for a second, or in every other file that is made: with one stretch each, that would be what a ratio says.
///   - measure: one slice of one subject. Raw writes have a sample for each method, of which the best over all slices counts.
func interleave(
    _ series: inout [Series], rounds: Int, slices: Int = 1,
    _ measure: (_ series: Series, _ index: Int, _ subject: Subject) throws -> [(Subject, Sample)]
) throws {
    for round in 0...rounds {
        for index in series.indices {
            let subjects = series[index].subjects.filter { $0 != .takes }
            var sums: [(subject: Subject, sample: Sample)] = []
            for slice in 0..<slices {
                for turn in subjects.indices {
                    let subject = subjects[(round + slice + turn) % subjects.count]
                    for (subject, sample) in try measure(series[index], index, subject) {
                        if let known = sums.firstIndex(where: {
                            $0.subject == subject && $0.sample.method == sample.method
                        }) {
                            sums[known].sample.add(sample)
                        } else {
                            sums.append((subject, sample))
                        }
                    }
                }
            }
            for subject in series[index].subjects {
                let best = sums.filter { $0.subject == subject }
                    .max { $0.sample.eventsPerSecond < $1.sample.eventsPerSecond }!
                series[index].add(best.sample, of: subject, isWarmUp: round == 0)
            }
        }
    }
}
