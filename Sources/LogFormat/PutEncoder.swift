/// Builds the raw payload of a put frame with one transaction, event by event, in the place where it will stay.
///
/// An event costs little more than copying its bytes. Copies of an encoder are independent, and cost a copy of the bytes
/// as soon as one of them is changed.
public struct PutEncoder: Sendable {
    /// Room for the transaction's head, filled in at the end, and the events. Empty before the first append.
    private var bytes: [UInt8] = []
    private let reservedBytes: Int
    /// How many events were appended.
    public private(set) var eventCount = 0
    /// How long their bodies are together.
    public private(set) var bodyBytes = 0
    private var predecessor = Predecessor()

    /// The headers of the event before. Who puts many events mostly gives the very same array with each: that is not walked
    /// again, and its encoding is copied from where it stands already.
    private struct Predecessor {
        /// While it is held, a change makes a copy, and its memory goes to no other array: so the same address and count are the
        /// same headers.
        var headers: [EventHeader] = []
        /// Where they stand, encoded.
        var place = 0..<0

        @inline(__always)
        func has(_ others: [EventHeader]) -> Bool {
            headers.isEmpty ? others.isEmpty : headers.span.isIdentical(to: others.span)
        }
    }

    /// Without events. The first append makes room for `reservingBytes` bytes of the whole transaction; beyond that the
    /// room grows geometrically.
    public init(reservingBytes: Int = 0) {
        reservedBytes = min(max(0, reservingBytes), FormatConstants.maximumTransactionBytes)
    }

    /// How long the transaction would be now, without bookmarks: a multiple of 8 from 48 (no events) to 64 MiB.
    public var encodedBytes: Int { FormatConstants.aligned(unalignedBytes) }

    private var unalignedBytes: Int { max(bytes.count, TransactionLayout.byteCount) }

    /// Appends a copy of the event. Throws, and changes nothing, when the event is beyond a limit of DESIGN.md 3.7 or the
    /// transaction would become longer than 64 MiB.
    public mutating func append(_ event: Event) throws(FormatError) {
        try append(headers: event.headers, extensions: event.extensions, body: event.body.rawBytes)
    }

    /// Appends a copy of an event that is given in its parts. Throws, and changes nothing, when the event is beyond a limit
    /// of DESIGN.md 3.7 or the transaction would become longer than 64 MiB.
    public mutating func append(
        headers: [EventHeader], extensions: [EventExtension], body: RawSpan
    ) throws(FormatError) {
        if extensions.isEmpty, appendRepeat(headers, body) { return }
        try append(Event.Measure(headers, extensions, bodyBytes: body.byteCount), headers, extensions, body)
    }

    /// Appends a copy of an event that has the very headers of the one before, and no extensions. False, and nothing is changed, when
    /// it has others, when it is too long, or when the events would end beyond `limit`.
    package mutating func appendRepeat(
        _ headers: [EventHeader], _ body: RawSpan, upTo limit: Int = FormatConstants.maximumTransactionBytes
    ) -> Bool {
        let place = predecessor.place
        let start = bytes.count
        let end = start + EventLayout.byteCount + place.count + body.byteCount
        guard eventCount > 0, predecessor.has(headers), body.byteCount <= FormatConstants.maximumBodyBytes,
            end <= min(limit, FormatConstants.maximumTransactionBytes)
        else { return false }
        // With the room for the zeros behind it, and no more: what was reserved is just that.
        bytes.append(end - start, spare: FormatConstants.aligned(end) - end) { bytes in
            var cursor = WriteCursor(at: start)
            cursor.event(copying: place, count: headers.count, body, &bytes)
        }
        eventCount += 1
        bodyBytes += body.byteCount
        return true
    }

    /// As ``append(headers:extensions:body:)``, for an event that was measured with exactly these parts.
    package mutating func append(
        _ measure: Event.Measure, _ headers: [EventHeader], _ extensions: [EventExtension], _ body: RawSpan
    ) throws(FormatError) {
        if !measure.isWithinLimits {
            try Event.check(headers: headers, extensions: extensions, bodyBytes: body.byteCount)
        }
        let added = measure.bytes
        let start = unalignedBytes
        let end = start + added
        guard end <= FormatConstants.maximumTransactionBytes else { throw Self.tooLong }
        // With the room for the zeros behind it, so that finishing need not make any.
        let alignedEnd = FormatConstants.aligned(end)
        if bytes.isEmpty {
            bytes.reserveCapacity(max(reservedBytes, alignedEnd))
            bytes.append(contentsOf: repeatElement(0, count: TransactionLayout.byteCount))
        }
        bytes.append(added, spare: alignedEnd - end) { bytes in
            var cursor = WriteCursor(at: start)
            cursor.event(headers, extensions, body, &bytes)
        }
        if measure.mayRepeatKey, hasRepeatedKey(at: start, headers.count) {
            bytes.removeLast(added)
            throw Event.repeatedKey
        }
        let first = start + EventLayout.byteCount
        predecessor = Predecessor(headers: headers, place: first..<first + measure.headerBytes)
        eventCount += 1
        bodyBytes += body.byteCount
    }

    /// Whether an event is within the limits of DESIGN.md 3.7; throws what ``append(headers:extensions:body:)`` would.
    public static func check(
        headers: [EventHeader], extensions: [EventExtension], bodyBytes: Int
    ) throws(FormatError) {
        try Event.check(headers: headers, extensions: extensions, bodyBytes: bodyBytes)
    }

    /// The raw payload: exactly the bytes of ``Transaction/encode(for:)`` for a put. The encoder is empty afterwards.
    ///
    /// Throws, and changes nothing, when there is no event, there is a producer's sequence without a producer, a bookmark
    /// is beyond a limit, or the whole is longer than 64 MiB. Costs no copy without bookmarks, and one with.
    public mutating func finish(
        id: UInt64, producer: ProducerID = .none, producerSequence: UInt64 = 0, bookmarks: [Bookmark] = []
    ) throws(FormatError) -> [UInt8] {
        let head = TransactionHead(
            id: id, producer: producer, producerSequence: producerSequence, bookmarks: bookmarks,
            eventCount: eventCount)
        try head.check(for: .put)
        let total = FormatConstants.aligned(head.encodedBytes + bytes.count - TransactionLayout.byteCount)
        guard total <= FormatConstants.maximumTransactionBytes else { throw Self.tooLong }
        var raw: [UInt8] = []
        if bookmarks.isEmpty {
            swap(&raw, &bytes)
        } else {
            raw.reserveCapacity(total)
            raw.append(contentsOf: repeatElement(0, count: head.encodedBytes))
            raw.append(contentsOf: bytes[TransactionLayout.byteCount...])
        }
        raw.append(contentsOf: repeatElement(0, count: total - raw.count))
        raw.withMutableBytes { bytes in
            var cursor = WriteCursor()
            head.encode(transactionBytes: total, into: &bytes, &cursor)
        }
        removeAll()
        return raw
    }

    /// Forgets all events. The room is kept for the next ones.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        predecessor = Predecessor()
        eventCount = 0
        bodyBytes = 0
    }

    /// Whether a key stands twice in the event that was just written at `offset`. Its keys are compared there: as bytes,
    /// and without making anything.
    private func hasRepeatedKey(at offset: Int, _ headerCount: Int) -> Bool {
        var next = offset + EventLayout.byteCount
        var keys = HeaderKeys(from: next)
        for _ in 0..<headerCount {
            let header = EventHeaderPlace(bytes.rawBytes, at: next)
            guard keys.insert(header.key, bytes.rawBytes) else { return true }
            next = header.value.upperBound
        }
        return false
    }

    private static var tooLong: FormatError {
        .outOfRange(.transaction, TransactionLayout.transactionBytes, at: 0)
    }
}
