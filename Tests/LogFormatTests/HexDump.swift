/// Bytes as text, 16 to a row, rows of zeros left out, notes behind a semicolon. The golden files and the examples in
/// DESIGN.md are written so.
enum HexDump {
    static func dump(_ bytes: [UInt8], indent: String = "") -> String {
        var text = "\(indent)length \(bytes.count)\n"
        for start in stride(from: 0, to: bytes.count, by: 16) {
            let row = bytes[start..<min(start + 16, bytes.count)]
            guard row.contains(where: { $0 != 0 }) else { continue }
            text += "\(indent)\(hex(UInt64(start), 4))  \(row.map { hex(UInt64($0), 2) }.joined(separator: " "))\n"
        }
        return text
    }

    /// The bytes of a dump, or nil when it is not one.
    static func parse(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8]?
        for line in text.split(separator: "\n") {
            let words = line.prefix { $0 != ";" }.split(separator: " ")
            guard let first = words.first else { continue }
            if first == "length", words.count == 2, let count = Int(words[1]), count <= 1 << 20 {
                bytes = [UInt8](repeating: 0, count: count)
                continue
            }
            guard let start = Int(first, radix: 16), let count = bytes?.count, start + words.count - 1 <= count else {
                return nil
            }
            for (index, word) in words.dropFirst().enumerated() {
                guard let byte = UInt8(word, radix: 16) else { return nil }
                bytes?[start + index] = byte
            }
        }
        return bytes
    }

    static func hex(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
