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
    var eventsPerSecond: Double
    /// Of each operation, or of the part of it that is timed.
    var microseconds: [Double]
    var operations: Int
    /// What an engine wrote meanwhile.
    var writes: Writes?
    /// What the process took of the processors, for a million events.
    var processorSecondsPerMillion: Double?
    /// The best raw method.
    var method: String?

    struct Writes {
        var traffic: Traffic.Reading
        var events: Double
        var transactions: Double
    }

    init(_ measured: Measurement, eventsEach: Double) {
        self.init(
            eventsPerSecond: measured.operationsPerSecond * eventsEach,
            microseconds: measured.latencies.map { Double($0) / 1000 })
        processorSecondsPerMillion =
            Double(measured.processorNanoseconds) / 1000 / (Double(measured.count) * eventsEach)
    }

    init(eventsPerSecond: Double, microseconds: [Double]) {
        self.eventsPerSecond = eventsPerSecond
        self.microseconds = microseconds
        operations = microseconds.count
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
    private(set) var latest: [Subject: Sample] = [:]

    init(_ name: String, _ subjects: [Subject], bodyBytes: Double) {
        self.name = name
        self.subjects = subjects
        self.bodyBytes = bodyBytes
    }

    var engine: Subject { subjects[0] }

    mutating func add(_ sample: Sample, of subject: Subject, isWarmUp: Bool) {
        latest[subject] = sample
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
func interleave(
    _ series: inout [Series], rounds: Int,
    _ measure: (_ series: Series, _ index: Int, _ subject: Subject) throws -> [(Subject, Sample)]
) throws {
    for round in 0...rounds {
        for index in series.indices {
            let measured = series[index].subjects.filter { $0 != .takes }
            for turn in measured.indices {
                let subject = measured[(round + turn) % measured.count]
                for (subject, sample) in try measure(series[index], index, subject) {
                    series[index].add(sample, of: subject, isWarmUp: round == 0)
                }
            }
        }
    }
}
