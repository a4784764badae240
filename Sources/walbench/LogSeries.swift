/// What was measured with one number of appenders.
struct LogSeries {
    /// One measurement of one subject.
    struct Sample {
        var eventsPerSecond: Double
        var microseconds: [Double]

        init(_ measured: Measurement, eventsEach: Double) {
            eventsPerSecond = measured.operationsPerSecond * eventsEach
            microseconds = measured.latencies.map { Double($0) / 1000 }
        }
    }

    let appenders: Int
    let workload: Workload
    /// One sample for each round.
    private(set) var samples: [LogBenchmark.Subject: [Sample]] = [:]
    /// The best raw method of each measurement.
    var rawMethods: [String] = []

    /// What one thread, with nothing beside it, needs to make a frame of a batch: in the log's figures, not in the bare
    /// log's.
    let encodingMicroseconds: Double

    /// Of the log's latest measurement.
    private(set) var latestGroupBytes = 0.0
    private(set) var latestBytesPerEvent = 0.0

    private var traffic = Traffic.Reading(groups: 0, groupBytes: 0, otherBytes: 0)
    private var events = 0

    init(appenders: Int) throws {
        self.appenders = appenders
        let workload = try Workload(threads: appenders)
        self.workload = workload
        let encoding = try Measurement(threads: 1, for: 50_000_000) { thread, turn in
            _ = try workload.frame(thread: thread, turn: turn)
        }
        encodingMicroseconds = Statistics(encoding.latencies.map { Double($0) / 1000 }).median
    }

    mutating func add(_ sample: Sample, of subject: LogBenchmark.Subject) {
        samples[subject, default: []].append(sample)
    }

    /// Takes down what the log wrote in one measurement.
    mutating func count(_ reading: Traffic.Reading, events: Int) {
        latestGroupBytes = Double(reading.groupBytes) / Double(reading.groups)
        latestBytesPerEvent = Double(reading.groupBytes) / Double(events)
        traffic.groups += reading.groups
        traffic.groupBytes += reading.groupBytes
        traffic.otherBytes += reading.otherBytes
        self.events += events
    }

    /// What was counted so far says nothing about the rounds.
    mutating func endWarmUp() {
        traffic = Traffic.Reading(groups: 0, groupBytes: 0, otherBytes: 0)
        events = 0
        rawMethods = []
    }

    var meanGroupBytes: Double { Double(traffic.groupBytes) / Double(traffic.groups) }

    /// Bytes written to the disk, pre-writing included, for each byte of event bodies.
    var writeAmplification: Double {
        Double(traffic.groupBytes + traffic.otherBytes) / Double(events * Workload.bodyBytes)
    }

    func rate(_ subject: LogBenchmark.Subject) -> Statistics { Statistics(samples[subject]!.map(\.eventsPerSecond)) }

    func latency(_ subject: LogBenchmark.Subject) -> Statistics {
        Statistics(samples[subject]!.flatMap(\.microseconds))
    }

    /// Of each round, in order.
    func ratios(_ subject: LogBenchmark.Subject, to other: LogBenchmark.Subject) -> [Double] {
        zip(samples[subject]!, samples[other]!).map { $0.eventsPerSecond / $1.eventsPerSecond }
    }
}
