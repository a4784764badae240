/// As much of JSON (RFC 8259) as reports need, in the order in which it was put together. For this package's own targets.
package enum JSON: Sendable {
    case text(String)
    case flag(Bool)
    /// Exact, however large: readers that keep numbers as doubles lose the last digits beyond 2^53.
    case whole(UInt64)
    /// Finite; rendered with four decimals, without them when it is a whole number.
    case number(Double)
    case list([JSON])
    case object([(String, JSON)])

    /// On one line.
    package var rendered: String {
        var text = ""
        write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .text(let value): Self.write(value, to: &text)
        case .flag(let flag): text += flag ? "true" : "false"
        case .whole(let number): text += String(number)
        case .number(let number): text += Self.decimal(number)
        case .list(let items):
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += ", " }
                item.write(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, (name, value)) in members.enumerated() {
                if index > 0 { text += ", " }
                Self.write(name, to: &text)
                text += ": "
                value.write(to: &text)
            }
            text += "}"
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

    private static func write(_ value: String, to text: inout String) {
        text += "\""
        if value.utf8.contains(where: mustBeEscaped) {
            for scalar in value.unicodeScalars { write(scalar, to: &text) }
        } else {
            text += value
        }
        text += "\""
    }

    private static func write(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar {
        case "\"", "\\": text += "\\\(scalar)"
        case "\0"..<" ":
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: text.unicodeScalars.append(scalar)
        }
    }

    private static func mustBeEscaped(_ byte: UInt8) -> Bool {
        byte < UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }
}
