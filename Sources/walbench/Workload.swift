import LogFormat

/// What is appended: batches of random events with two headers, a few for each thread, used in turn.
struct Workload: Sendable {
    static let eventsInBatch = 100
    static let bodyBytes = 512
    private static let batchesOfThread = 8

    private let batches: [[[Event]]]
    /// The same encoded, for the bare log, which does not encode.
    private let payloads: [[[UInt8]]]

    init(threads: Int) throws(FormatError) {
        var random = SystemRandomNumberGenerator()
        let batches = (0..<threads).map { _ in
            (0..<Self.batchesOfThread).map { _ in (0..<Self.eventsInBatch).map { _ in Self.event(&random) } }
        }
        var payloads: [[[UInt8]]] = []
        for ofThread in batches {
            var encoded: [[UInt8]] = []
            for events in ofThread { encoded.append(try Self.encode(events, id: 0)) }
            payloads.append(encoded)
        }
        self.batches = batches
        self.payloads = payloads
    }

    func payload(thread: Int, turn: Int) -> [UInt8] { payloads[thread][turn % Self.batchesOfThread] }

    /// Encodes and checksums a batch: what a committing thread does on the way to the log.
    func frame(thread: Int, turn: Int) throws(FormatError) -> FramePayload {
        let events = batches[thread][turn % Self.batchesOfThread]
        return try FramePayload(
            type: .put, eventCount: UInt32(events.count), transactionCount: 1,
            raw: try Self.encode(events, id: UInt64(turn)))
    }

    private static func encode(_ events: [Event], id: UInt64) throws(FormatError) -> [UInt8] {
        try TransactionBatch(type: .put, transactions: [Transaction(id: id, events: events)]).encode()
    }

    private static func event(_ random: inout SystemRandomNumberGenerator) -> Event {
        Event(
            headers: [
                EventHeader(key: "host", value: Array("web-1.example".utf8)),
                EventHeader(key: "source", value: Array("access-log".utf8)),
            ],
            body: (0..<bodyBytes).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
}
