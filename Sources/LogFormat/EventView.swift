/// An event inside a raw payload that it shares and keeps alive: nothing is copied until it is asked for.
public struct EventView: Sendable {
    private let raw: [UInt8]
    private let place: EventPlace

    /// The event at a place of a ``PutFrameIndex`` of the very bytes in `raw`. With bytes that the place does not belong
    /// to it traps, here or when it is read; it never reads beyond them.
    public init(raw: [UInt8], place: EventPlace) {
        precondition(place.body.upperBound <= raw.count, "the place is not one of these bytes")
        self.raw = raw
        self.place = place
    }

    /// The body, in the storage of the raw payload.
    public var body: ArraySlice<UInt8> { raw[place.body] }

    /// How long the body is, up to 16 MiB.
    public var bodyBytes: Int { Int(place.bodyBytes) }

    /// Calls `body` with the bytes of the event's body, without a copy.
    public func withBody<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(raw.rawBytes.extracting(place.body))
    }

    /// The headers in their order, each a copy.
    public var headers: [EventHeader] { place.headers(in: raw.rawBytes) }

    /// The value of the header with that key (compared byte by byte), in the storage of the raw payload. The other headers
    /// are stepped over.
    public func header(_ key: String) -> ArraySlice<UInt8>? {
        place.header(key, in: raw.rawBytes).map { raw[$0] }
    }

    /// The extensions, ascending by tag.
    public var extensions: [EventExtension] { place.extensions(in: raw.rawBytes) }

    /// A copy of all of it.
    public var event: Event { Event(at: place, in: raw.rawBytes) }

    /// How long its encoding is: what ``Event/encodedBytes`` of ``event`` says, without decoding it.
    public var encodedBytes: Int { place.encodedBytes }
}
