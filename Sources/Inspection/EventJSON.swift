package import LogFormat

/// An event as JSON, with nothing lost: the order of headers, bytes that are no UTF-8, extensions of later versions.
package enum EventJSON {
    /// `headers` is a list of pairs, because their order is part of the event. A value, or a body, that is not UTF-8 stands as
    /// `{"base64": ...}`.
    package static func members(_ event: Event) -> [(String, JSON)] {
        var members: [(String, JSON)] = [
            ("headers", .list(event.headers.map { .list([.text($0.key), .bytes($0.value)]) }))
        ]
        if !event.extensions.isEmpty { members.append(("extensions", .list(event.extensions.map(\.json)))) }
        members.append(("body", .bytes(event.body)))
        return members
    }
}

extension EventExtension {
    package var json: JSON {
        switch self {
        case .eventTime(let time): .object([("tag", .whole(UInt64(tag))), ("event_time", .whole(time))])
        case .expiry(let time): .object([("tag", .whole(UInt64(tag))), ("expiry", .whole(time))])
        case .priority(let priority): .object([("tag", .whole(UInt64(tag))), ("priority", .whole(UInt64(priority)))])
        case .traceID(let high, let low):
            .object([("tag", .whole(UInt64(tag))), ("trace_id", .text(ProducerID(high: high, low: low).digits))])
        case .unknown(let tag, let bytes):
            .object([("tag", .whole(UInt64(tag))), ("bytes", .object([("base64", .text(Base64.encode(bytes)))]))])
        }
    }
}

extension JSON {
    /// Text where the bytes are UTF-8, else `{"base64": "..."}`.
    package static func bytes(_ bytes: [UInt8]) -> JSON {
        if (try? UTF8Span(validating: bytes.span)) != nil { return .text(String(decoding: bytes, as: UTF8.self)) }
        return .object([("base64", .text(Base64.encode(bytes)))])
    }
}

extension ProducerID {
    /// 32 hexadecimal digits.
    package var digits: String { description.split(separator: "-").joined() }
}

extension [UInt8] {
    /// Two digits a byte.
    package var hexadecimal: String {
        var text: ContiguousArray<UInt8> = []
        text.reserveCapacity(2 * count)
        for byte in self {
            for digit in [byte >> 4, byte & 15] { text.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// On one line, and harmless on a terminal: control characters and what is no UTF-8 as `\xNN`, `\n`, `\t`; a backslash doubled.
    /// The first `most` bytes; how many there are stands behind them when there are more.
    package func escaped(most: Int) -> String {
        var text = ""
        var rest = self[..<Swift.min(count, most)]
        // Not in the middle of a character.
        if count > most {
            while let last = rest.last, last & 0xC0 == 0x80, rest.count > most - 3 { rest.removeLast() }
            if let last = rest.last, last >= 0xC0 { rest.removeLast() }
        }
        var decoder = UTF8()
        var iterator = rest.makeIterator()
        var position = rest.startIndex
        loop: while true {
            switch decoder.decode(&iterator) {
            case .emptyInput: break loop
            case .error:
                text += "\\x" + [rest[position]].hexadecimal
                // Goes on behind the byte that is wrong.
                position += 1
                iterator = rest[position...].makeIterator()
                decoder = UTF8()
            case .scalarValue(let scalar):
                text += scalar.escaped
                position += UTF8.width(scalar)
            }
        }
        return count > rest.count ? text + "... (\(count) bytes)" : text
    }
}

extension Unicode.Scalar {
    fileprivate var escaped: String {
        switch value {
        case 0x0A: "\\n"
        case 0x0D: "\\r"
        case 0x09: "\\t"
        case 0x5C: "\\\\"
        case ..<0x20, 0x7F: "\\x" + [UInt8(value)].hexadecimal
        // Control characters of the second set, and what turns the direction of a line.
        case 0x80..<0xA0, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x2028, 0x2029:
            "\\u{\(String(value, radix: 16))}"
        default: String(self)
        }
    }
}
