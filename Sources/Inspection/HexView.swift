internal import LogFormat

/// The bytes of a frame, or of a hole, with what each is: fields of the header by their names, sixteen bytes a line.
package struct HexView: Sendable {
    package struct Line: Sendable {
        /// In the segment.
        package var offset: UInt64
        package var bytes: [UInt8]
        package var meaning: String

        package var text: String {
            var digits = ""
            for (index, byte) in bytes.enumerated() {
                if index > 0 { digits += index == 8 ? "  " : " " }
                digits += [byte].hexadecimal
            }
            let place = String(offset, radix: 16)
            return String(repeating: "0", count: max(0, 8 - place.count)) + place + "  " + digits
                + String(repeating: " ", count: max(2, 51 - digits.count)) + meaning
        }
    }

    package let lines: [Line]
    /// Of a long payload, or a long hole, so many bytes are shown at most.
    private static let mostBytes = 64 << 10

    package init(_ frame: WalkedFrame) {
        let bytes = frame.bytes()
        let (start, stored) = (frame.lsn.offset, Int(frame.header.storedBytes))
        var lines: [Line] = []
        guard bytes.count == Int(frame.header.frameBytes) else {
            self.lines = []
            return
        }
        for field in FrameFields.of(bytes) {
            lines.append(
                Line(
                    offset: start + UInt64(field.range.lowerBound), bytes: Array(bytes[field.range]),
                    meaning: field.meaning))
        }
        let payload = FrameHeader.byteCount..<FrameHeader.byteCount + stored
        lines += Self.plain(bytes, payload, at: start, "payload")
        lines += Self.plain(bytes, payload.upperBound..<bytes.count - 8, at: start, "gap")
        lines.append(
            Line(
                offset: start + UInt64(bytes.count - 8), bytes: Array(bytes[(bytes.count - 8)..<(bytes.count - 4)]),
                meaning: "frameBytes again"))
        lines.append(
            Line(
                offset: start + UInt64(bytes.count - 4), bytes: Array(bytes[(bytes.count - 4)...]),
                meaning: "headerChecksum again"))
        self.lines = lines
    }

    package init(_ hole: WalkedHole) {
        let bytes = hole.bytes(atMost: Self.mostBytes)
        lines = Self.plain(bytes, 0..<bytes.count, at: hole.range.lowerBound, "")
    }

    private static func plain(_ bytes: [UInt8], _ range: Range<Int>, at start: UInt64, _ name: String) -> [Line] {
        let end = min(range.upperBound, range.lowerBound + mostBytes)
        return stride(from: range.lowerBound, to: end, by: 16).map { place in
            let row = Array(bytes[place..<min(place + 16, end)])
            let text = String(decoding: row.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
            return Line(
                offset: start + UInt64(place), bytes: row,
                meaning: place == range.lowerBound && !name.isEmpty ? "\(text)  \(name)" : text)
        }
    }
}
