/// As much of JSON (RFC 8259) as reports need, in the order in which it was put together. For this package's own targets.
package indirect enum JSON: Sendable {
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
        switch self {
        case .text(let text): Self.quoted(text)
        case .flag(let flag): flag ? "true" : "false"
        case .whole(let number): String(number)
        case .number(let number): Self.decimal(number)
        case .list(let items): "[" + items.map(\.rendered).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0)): \($1.rendered)" }.joined(separator: ", ") + "}"
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

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
