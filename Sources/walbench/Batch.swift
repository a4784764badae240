import DurableChannel
import LogFormat

/// The events of one transaction, as a source has them that reads a file (the agent's does): the bodies stand next to each
/// other, and the headers are the same. Nothing is made and no reference counted for an event that is put, which would be
/// no cost of the channel.
struct Batch: Sendable {
    private let headers: [EventHeader]
    private let bytes: [UInt8]
    /// Where each body ends.
    private let ends: [Int]

    init(_ bodies: [[UInt8]]) {
        headers = Workload.headers
        bytes = Array(bodies.joined())
        var end = 0
        ends = bodies.map { body in
            end += body.count
            return end
        }
    }

    var count: Int { ends.count }
    var bodyBytes: Int { bytes.count }

    /// What its user gave: bodies, keys and values.
    var acceptedBytes: Int { bytes.count + count * headers.reduce(0) { $0 + $1.key.utf8.count + $1.value.count } }

    /// Appends the first ones, one by one.
    func append(first count: Int, to put: inout PutTransaction) throws {
        let bodies = unsafe bytes.span.bytes
        for index in 0..<count { try put.append(headers: headers, body: bodies.extracting(place(index))) }
    }

    private func place(_ index: Int) -> Range<Int> { (index == 0 ? 0 : ends[index - 1])..<ends[index] }

    /// As a put's payload.
    func encode(id: UInt64) throws(FormatError) -> [UInt8] {
        var encoder = PutEncoder()
        let bodies = unsafe bytes.span.bytes
        for index in 0..<count {
            try encoder.append(headers: headers, extensions: [], body: bodies.extracting(place(index)))
        }
        return try encoder.finish(id: id)
    }
}
