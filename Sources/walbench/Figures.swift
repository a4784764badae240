import Glibc

// Numbers and rows as people read them.

/// A number with so many digits behind the point.
func decimal(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((value.magnitude * scale).rounded())
    let sign = value < 0 && scaled != 0 ? "-" : ""
    guard digits > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % Int64(scale))
    return sign + "\(scaled / Int64(scale))." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// A whole number with commas.
func whole(_ value: Double) -> String {
    var text = ""
    for (index, digit) in decimal(value, 0).reversed().enumerated() {
        if index > 0, index % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}

func kibibytes(_ bytes: Double) -> String {
    bytes < 1024 ? "\(decimal(bytes, 0)) B" : "\(decimal(bytes / 1024, 1)) KiB"
}

func mebibytes(_ bytes: Double, _ digits: Int = 1) -> String { "\(decimal(bytes / 1_048_576, digits)) MiB" }

/// Cells in columns: the first `names` flush left, the others flush right.
func row(_ cells: [String], widths: [Int], names: Int = 1) -> String {
    zip(cells, widths).enumerated().map { index, cell in
        let space = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
        return index < names ? cell.0 + space : space + cell.0
    }.joined(separator: "  ")
}

/// `1 round`, `2 rounds`.
func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

/// Of a line `name=number ...`, as processes of a benchmark say it.
func figures(in line: String) -> [(name: Substring, value: Double)] {
    line.split(separator: " ").compactMap { part in
        let pair = part.split(separator: "=")
        return pair.count == 2 ? Double(pair[1]).map { (pair[0], $0) } : nil
    }
}

extension Double {
    /// To what power ten is taken for it.
    var powerOfTen: Double { log10(self) }
    var lowerPowerOfTen: Int { Int(powerOfTen.rounded(.down)) }
}

extension Int {
    /// How often one is doubled for it.
    var doublings: Double { log2(Double(self)) }
}
