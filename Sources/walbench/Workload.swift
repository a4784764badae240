import LogFormat

/// What is put or appended: batches of events with two headers, a number of them for each thread, used in turn.
struct Workload: Sendable {
    let threads: Int
    let eventsInBatch: Int
    /// The mean.
    let bodyBytes: Double
    /// The mean of what an event takes in a payload that is not compressed.
    let encodedBytes: Double

    private let batches: [[Batch]]
    /// The same encoded, for the baselines, which do not encode.
    private let payloads: [[[UInt8]]]

    init(_ bodies: Bodies, threads: Int, eventsInBatch: Int) throws(FormatError) {
        self.threads = threads
        self.eventsInBatch = eventsInBatch
        let turns = bodies.batches(ofEach: threads, events: eventsInBatch)
        var random = SystemRandomNumberGenerator()
        var batches: [[Batch]] = []
        var payloads: [[[UInt8]]] = []
        for thread in 0..<threads {
            var ofThread: [Batch] = []
            var encoded: [[UInt8]] = []
            for turn in 0..<turns {
                let first = (turn * threads + thread) * eventsInBatch
                let batch = Batch((first..<first + eventsInBatch).map { bodies.body($0, &random) })
                ofThread.append(batch)
                encoded.append(try batch.encode(id: 0))
            }
            batches.append(ofThread)
            payloads.append(encoded)
        }
        self.batches = batches
        self.payloads = payloads
        let count = Double(batches.reduce(0) { $0 + $1.count } * eventsInBatch)
        bodyBytes = Double(batches.joined().reduce(0) { $0 + $1.bodyBytes }) / count
        encodedBytes = Double(payloads.joined().reduce(0) { $0 + $1.count }) / count
    }

    var longestPayload: Int { payloads.joined().map(\.count).max() ?? 0 }

    func batch(thread: Int, turn: Int) -> Batch { batches[thread][turn % batches[thread].count] }

    func payload(thread: Int, turn: Int) -> [UInt8] { payloads[thread][turn % payloads[thread].count] }

    /// Encodes and checksums a batch: what a committing thread does on the way to the log.
    func frame(thread: Int, turn: Int) throws(FormatError) -> FramePayload {
        try FramePayload(
            type: .put, eventCount: UInt32(eventsInBatch), transactionCount: 1,
            raw: try batch(thread: thread, turn: turn).encode(id: UInt64(turn)))
    }

    static func encode(_ events: [Event], id: UInt64) throws(FormatError) -> [UInt8] {
        try TransactionBatch(type: .put, transactions: [Transaction(id: id, events: events)]).encode()
    }

    static func event(_ body: [UInt8]) -> Event {
        Event(headers: headers, body: body)
    }

    static let headers = [
        EventHeader(key: "host", value: Array("web-1.example".utf8)),
        EventHeader(key: "source", value: Array("access-log".utf8)),
    ]
}
