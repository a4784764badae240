import Testing

@testable import LogFormat

@Suite struct TextTests {
    /// Bytes that the rules of UTF-8 turn on.
    private let edges: [UInt8] = [
        0, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
        0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]

    private func compare(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        let text = String(validating: bytes, as: UTF8.self)
        if bytes.rawBytes.isUTF8(0..<bytes.count) != (text != nil) {
            Issue.record("\(bytes)", sourceLocation: sourceLocation)
        }
        if let text, bytes.rawBytes.text(0..<bytes.count) != text {
            Issue.record("\(bytes) is not \(text)", sourceLocation: sourceLocation)
        }
    }

    @Test func utf8IsToldFromOtherBytes() {
        compare([])
        for first in edges {
            compare([first])
            for second in edges {
                compare([first, second])
                for third in edges {
                    compare([first, second, third])
                    for fourth in [0x7F, 0x80, 0xBF, 0xC0] as [UInt8] { compare([first, second, third, fourth]) }
                }
            }
        }
    }

    @Test func utf8IsToldWhereverItStands() {
        let ascii = [UInt8](repeating: 0x61, count: 20)
        let parts: [[UInt8]] = [
            [0xC3, 0xA9], [0xE2, 0x82, 0xAC], [0xF0, 0x9F, 0x94, 0x91], [0xC3], [0x80], [0xED, 0xA0, 0x80],
        ]
        for place in 0...20 {
            for part in parts {
                compare(Array(ascii[..<place]) + part + Array(ascii[place...]))
                compare(Array(ascii[..<place]) + part)
            }
        }
    }

    @Test func rangesAreEqualWhenAllTheirBytesAre() {
        func areEqual(_ bytes: [UInt8], _ text: String) -> [Bool] {
            let half = bytes.count / 2
            let span = bytes.rawBytes
            return [span.isEqual(0..<half, half..<bytes.count), span.isEqual(half..<bytes.count, text)]
        }
        let text = "0123456789abcdefghi"
        for count in 0..<text.utf8.count {
            let part = String(text.prefix(count))
            var twice = Array((part + part).utf8)
            #expect(areEqual(twice, part) == [true, true])
            #expect(areEqual(twice, text) == [true, false])
            for place in count..<2 * count {
                twice[place] ^= 1
                #expect(areEqual(twice, part) == [false, false])
                twice[place] ^= 1
            }
        }
    }

    @Test func eventsAreMadeFromText() {
        let event = Event(headers: ["host": "a.example", "ort": "Köln"], body: "a line")
        #expect(event.headers.map(\.key) == ["host", "ort"])
        #expect(event.headers.map(\.text) == ["a.example", "Köln"])
        #expect(event.body == Array("a line".utf8))
        #expect(event.extensions.isEmpty)
        #expect(Event(headers: ["host": "a.example", "ort": "Köln"], body: Array("a line".utf8)) == event)
        #expect(Event(body: "a line") == Event(body: Array("a line".utf8)))
        #expect(EventHeader(key: "k", value: "v") == EventHeader(key: "k", value: [0x76]))
        #expect(EventHeader(key: "k", value: [0xFF]).text == nil)
        #expect(EventHeader(key: "k", value: []).text == "")
    }
}
