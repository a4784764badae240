/// Where one event stands in the raw payload of a put frame: 16 bytes, made by ``PutFrameIndex``.
///
/// All offsets are in bytes from the beginning of the raw payload. A place says nothing about which payload it belongs to;
/// whoever keeps it keeps the bytes with it, as ``EventView`` does.
public struct EventPlace: Sendable, Equatable {
    /// The first byte of the event.
    public let offset: UInt32
    /// How many headers it has, up to 1024.
    public let headerCount: UInt32
    /// The first byte of its body. The event ends with its body.
    public let bodyOffset: UInt32
    /// How long its body is, up to 16 MiB.
    public let bodyBytes: UInt32

    /// How long the event's encoding is.
    public var encodedBytes: Int { Int(bodyOffset) - Int(offset) + Int(bodyBytes) }

    /// The range of the body.
    var body: Range<Int> { Int(bodyOffset)..<Int(bodyOffset) + Int(bodyBytes) }

    private var firstHeader: Int { Int(offset) + EventLayout.byteCount }
}

// What stands at a place. `bytes` are those that the place was made from, so that all of it was validated: nothing here
// can fail.
extension EventPlace {
    /// Decodes the headers, in their order.
    func headers(in bytes: RawSpan) -> [EventHeader] {
        var headers: [EventHeader] = []
        headers.reserveCapacity(Int(headerCount))
        var next = firstHeader
        for _ in 0..<headerCount {
            let header = EventHeaderPlace(bytes, at: next)
            headers.append(EventHeader(key: bytes.text(header.key), value: bytes.copy(header.value)))
            next = header.value.upperBound
        }
        return headers
    }

    /// The range of the value of the header with that key.
    func header(_ key: String, in bytes: RawSpan) -> Range<Int>? {
        let keyBytes = key.utf8.count
        var next = firstHeader
        for _ in 0..<headerCount {
            let header = EventHeaderPlace(bytes, at: next)
            if header.key.count == keyBytes, bytes.isEqual(header.key, key) { return header.value }
            next = header.value.upperBound
        }
        return nil
    }

    /// Decodes the extensions, ascending by tag.
    func extensions(in bytes: RawSpan) -> [EventExtension] {
        guard bytes.load(EventLayout.flags, at: Int(offset)) & EventLayout.extensionFlag != 0 else { return [] }
        var block = firstHeader
        for _ in 0..<headerCount { block = EventHeaderPlace(bytes, at: block).value.upperBound }
        return EventExtension.decoded(bytes, block + EventExtensionLayout.lengthBytes..<Int(bodyOffset))
    }
}

/// Where one header of a validated event stands.
struct EventHeaderPlace {
    let key: Range<Int>
    let value: Range<Int>

    init(_ bytes: RawSpan, at base: Int) {
        let keyOffset = base + EventHeaderLayout.byteCount
        let valueOffset = keyOffset + Int(bytes.load(EventHeaderLayout.keyBytes, at: base))
        key = keyOffset..<valueOffset
        value = valueOffset..<valueOffset + Int(bytes.load(EventHeaderLayout.valueBytes, at: base))
    }
}
