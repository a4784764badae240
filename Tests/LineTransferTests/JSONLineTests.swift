import DurableChannel
import Testing

@testable import LineTransfer

@Suite struct JSONLineTests {
    private func line(
        _ body: [UInt8], headers: [(String, [UInt8])] = [], sequence: UInt64 = 7, isRedelivered: Bool = false
    ) -> String {
        var line: [UInt8] = []
        JSONLine.append(
            sequence: sequence, isRedelivered: isRedelivered,
            headers: headers.map { EventHeader(key: $0.0, value: $0.1) }, body: body[...], to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    private func string(_ text: String) -> String {
        var line: [UInt8] = []
        JSONLine.appendString(bytes(text)[...], to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    private func base64(_ text: [UInt8]) -> String {
        var line: [UInt8] = []
        JSONLine.appendBase64(text[...], to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    @Test func anEventIsOneObjectOnOneLine() {
        #expect(line(bytes("hello")) == #"{"sequence":7,"redelivered":false,"headers":{},"body":"hello"}"# + "\n")
        #expect(
            line(bytes(""), headers: [("b", bytes("2")), ("a", bytes("1"))], sequence: .max, isRedelivered: true)
                == #"{"sequence":18446744073709551615,"redelivered":true,"headers":{"b":"2","a":"1"},"body":""}"# + "\n"
        )
    }

    @Test func whatIsNotUTF8IsInBase64() {
        #expect(
            line([0xFF, 0x00], headers: [("x", [0x80]), ("y", bytes("ok"))])
                == #"{"sequence":7,"redelivered":false,"headers":{"y":"ok"},"headers_base64":{"x":"gA=="},"body_base64":"/wA="}"#
                + "\n")
    }

    @Test func charactersAreEscapedAsRFC8259WantsItAndNoOthers() {
        #expect(string(#"say "no" \ /"#) == #""say \"no\" \\ /""#)
        #expect(string("\u{8}\t\n\u{c}\r") == #""\b\t\n\f\r""#)
        #expect(string("\u{0}\u{1}\u{b}\u{1f}") == #""\u0000\u0001\u000b\u001f""#)
        #expect(string("\u{7f}é€😀\u{2028}") == "\"\u{7f}é€😀\u{2028}\"")
        #expect(string("") == "\"\"")
    }

    @Test func base64IsThatOfRFC4648() {
        for (text, expected) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] { #expect(base64(bytes(text)) == "\"\(expected)\"") }
        #expect(base64([0xFB, 0xEF, 0xFF]) == "\"++//\"")
    }

    @Test func everythingThatIsNotUTF8IsRecognised() {
        let bad: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xE2, 0x82], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xFE], [0xFF], [0xF0, 0x9F, 0x98],
        ]
        for sequence in bad {
            #expect(!JSONLine.isUTF8(sequence[...]), "\(sequence)")
            #expect(!JSONLine.isUTF8(([UInt8](repeating: 65, count: 100) + sequence)[...]))
            #expect(!JSONLine.isUTF8((sequence + [UInt8](repeating: 65, count: 100))[...]))
        }
        let good: [[UInt8]] = [
            [], [0], [0xC2, 0x80], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80],
            [0xF4, 0x8F, 0xBF, 0xBF],
        ]
        for sequence in good { #expect(JSONLine.isUTF8(sequence[...]), "\(sequence)") }
    }
}
