internal import DurableChannel

/// What an event looks like outside of a channel.
public enum EventFormat: String, CaseIterable, Sendable {
    /// The body and a newline.
    case text
    /// A JSON object on a line of its own: `sequence`, `redelivered`, `headers` (an object, in the event's order), and
    /// the body: as the string `body` when it is UTF-8, else as `body_base64`. Values of headers that are not UTF-8
    /// stand in `headers_base64`, which is there only then.
    case jsonl
}

/// Renders events one after the other.
struct EventRenderer {
    private let format: EventFormat
    private var scratch: [UInt8] = []

    init(_ format: EventFormat) {
        self.format = format
    }

    mutating func render(_ event: TakenEvent, into buffer: inout OutputBuffer) throws(LineTransferError) {
        switch format {
        case .text:
            try event.withBody { (body) throws(LineTransferError) in try buffer.append(body) }
            try buffer.append(UInt8(ascii: "\n"))
        case .jsonl:
            scratch.removeAll(keepingCapacity: true)
            JSONLine.append(
                sequence: event.sequence.rawValue, isRedelivered: event.isRedelivered, headers: event.headers,
                body: event.body, to: &scratch)
            try buffer.append(unsafe scratch.span.bytes)
            // An event of 16 MiB must not be paid for until the end.
            if scratch.capacity > 1 << 20 { scratch = [] }
        }
    }
}
