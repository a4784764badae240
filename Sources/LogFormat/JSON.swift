/// As much of JSON (RFC 8259) as reports need, in the order in which it was put together. For this package's own targets.
package enum JSON: Sendable {
    case null
    case text(String)
    case flag(Bool)
    /// Exact, however large: readers that keep numbers as doubles lose the last digits beyond 2^53.
    case whole(UInt64)
    /// Finite; rendered with four decimals, without them when it is a whole number.
    case number(Double)
    case list([JSON])
    case object([(String, JSON)])

    /// `null` for what is not known, or not there.
    package static func optional(_ value: JSON?) -> JSON { value ?? .null }

    /// On one line.
    package var rendered: String { String(decoding: bytes, as: UTF8.self) }

    /// The same in UTF-8.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .text(let text): Self.quote(text, to: &bytes)
        case .flag(let flag): bytes += (flag ? "true" : "false").utf8
        case .whole(let number): bytes += String(number).utf8
        case .number(let number): bytes += Self.decimal(number).utf8
        case .list(let items):
            bytes.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { bytes += ", ".utf8 }
                item.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, (name, value)) in members.enumerated() {
                if index > 0 { bytes += ", ".utf8 }
                Self.quote(name, to: &bytes)
                bytes += ": ".utf8
                value.write(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func decimal(_ number: Double) -> String {
        if number == number.rounded(), number.magnitude < 1e18 { return String(Int64(number)) }
        let scaled = (number.magnitude * 10_000).rounded()
        guard scaled < 1e18 else { return String(number) }
        let (whole, fraction) = Int64(scaled).quotientAndRemainder(dividingBy: 10_000)
        let digits = String(fraction)
        return (number < 0 && scaled != 0 ? "-" : "") + "\(whole)."
            + String(repeating: "0", count: 4 - digits.count) + digits
    }

    private static func quote(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<UInt8(ascii: " "):
                let digits = String(byte, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
