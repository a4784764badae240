internal import DurableChannel

/// An event as a line of JSON (RFC 8259).
enum JSONLine {
    static func append(
        sequence: UInt64, isRedelivered: Bool, headers: [EventHeader], body: ArraySlice<UInt8>, to line: inout [UInt8]
    ) {
        line += "{\"sequence\":\(sequence),\"redelivered\":\(isRedelivered),\"headers\":".utf8
        appendObject(headers.filter { isUTF8($0.value[...]) }, to: &line) { appendString($0[...], to: &$1) }
        let other = headers.filter { !isUTF8($0.value[...]) }
        if !other.isEmpty {
            line += ",\"headers_base64\":".utf8
            appendObject(other, to: &line) { appendBase64($0[...], to: &$1) }
        }
        if isUTF8(body) {
            line += ",\"body\":".utf8
            appendString(body, to: &line)
        } else {
            line += ",\"body_base64\":".utf8
            appendBase64(body, to: &line)
        }
        line += "}\n".utf8
    }

    /// A JSON string of bytes that are UTF-8. Escaped is what must be: the quotation mark, the backslash and the
    /// control characters below U+0020, with the short escapes where there are any. Everything else stands as it is.
    static func appendString(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        var written = bytes.startIndex
        for index in bytes.indices {
            let byte = bytes[index]
            if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") { continue }
            line += bytes[written..<index]
            appendEscape(byte, to: &line)
            written = index + 1
        }
        line += bytes[written...]
        line.append(UInt8(ascii: "\""))
    }

    /// A JSON string in base 64 (RFC 4648, section 4, with padding).
    static func appendBase64(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.endIndex)]
            var bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            bits <<= UInt32(8 * (3 - group.count))
            for digit in 0..<4 {
                let isPadding = digit > group.count
                line.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(bits >> UInt32(18 - 6 * digit)) & 63])
            }
        }
        line.append(UInt8(ascii: "\""))
    }

    static func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }

    private static func appendObject(
        _ headers: [EventHeader], to line: inout [UInt8], value: ([UInt8], inout [UInt8]) -> Void
    ) {
        line.append(UInt8(ascii: "{"))
        for (index, header) in headers.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            appendString(Array(header.key.utf8)[...], to: &line)
            line.append(UInt8(ascii: ":"))
            value(header.value, &line)
        }
        line.append(UInt8(ascii: "}"))
    }

    private static func appendEscape(_ byte: UInt8, to line: inout [UInt8]) {
        switch byte {
        case 0x08: line += "\\b".utf8
        case 0x09: line += "\\t".utf8
        case 0x0A: line += "\\n".utf8
        case 0x0C: line += "\\f".utf8
        case 0x0D: line += "\\r".utf8
        case 0x00..<0x20:
            line += "\\u00".utf8
            for digit in [byte >> 4, byte & 15] { line.append(hexadecimal[Int(digit)]) }
        default: line += [UInt8(ascii: "\\"), byte]
        }
    }

    private static let hexadecimal = Array("0123456789abcdef".utf8)
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
