/// Why some bytes are no JSON.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// In the bytes that were given.
    package var offset: Int
    package var what: String

    package var description: String { "byte \(offset): \(what)" }
}

extension JSON {
    /// From the bytes of one value, with nothing but white space around it (RFC 8259). Strict: no comments, no trailing commas, no bare
    /// control characters, no lone surrogates, valid UTF-8 only. A whole number from 0 to 2^64 - 1 stays exact; others become the
    /// nearest double. Names that stand twice are an error.
    ///
    /// Total on any bytes. Time and memory are linear in them; 64 levels of nesting at most.
    package init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }

    /// Of an object; nil when it is none, or has no such member.
    package subscript(_ name: String) -> JSON? {
        if case .object(let members) = self { members.first { $0.0 == name }?.1 } else { nil }
    }

    package var text: String? { if case .text(let text) = self { text } else { nil } }
    package var whole: UInt64? { if case .whole(let number) = self { number } else { nil } }
    package var flag: Bool? { if case .flag(let flag) = self { flag } else { nil } }
    package var list: [JSON]? { if case .list(let items) = self { items } else { nil } }
    package var isNull: Bool { if case .null = self { true } else { false } }
}

private struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private static let mostDepth = 64

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSON {
        let value = try value()
        skipSpace()
        guard position == bytes.count else { throw fail("something stands behind the value") }
        return value
    }

    private func fail(_ what: String) -> JSONError { JSONError(offset: position, what: what) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(JSONError) -> JSON {
        skipSpace()
        guard let next else { throw fail("a value is missing") }
        switch next {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONError) in try parser.array() }
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .flag(true))
        case UInt8(ascii: "f"): return try word("false", .flag(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("no value begins here")
        }
    }

    private mutating func nested(_ body: (inout Self) throws(JSONError) -> JSON) throws(JSONError) -> JSON {
        guard depth < Self.mostDepth else { throw fail("more than \(Self.mostDepth) levels are nested") }
        depth += 1
        defer { depth -= 1 }
        position += 1
        return try body(&self)
    }

    private mutating func word(_ word: String, _ value: JSON) throws(JSONError) -> JSON {
        guard bytes[position...].starts(with: word.utf8) else { throw fail("'\(word)' is not whole") }
        position += word.utf8.count
        return value
    }

    private mutating func array() throws(JSONError) -> JSON {
        var items: [JSON] = []
        skipSpace()
        if take("]") { return .list([]) }
        while true {
            items.append(try value())
            skipSpace()
            if take("]") { return .list(items) }
            guard take(",") else { throw fail("a comma or the end of the list is missing") }
        }
    }

    private mutating func object() throws(JSONError) -> JSON {
        var members: [(String, JSON)] = []
        var names: Set<String> = []
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw fail("a name in quotation marks is missing") }
            let start = position
            let name = try string()
            guard names.insert(name).inserted else {
                throw JSONError(offset: start, what: "a name stands twice in an object")
            }
            skipSpace()
            guard take(":") else { throw fail("a colon is missing") }
            members.append((name, try value()))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw fail("a comma or the end of the object is missing") }
        }
    }

    // MARK: Numbers

    private mutating func digits() -> Int {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func number() throws(JSONError) -> JSON {
        let start = position
        let isNegative = take("-")
        let first = next
        let count = digits()
        guard count > 0, count == 1 || first != UInt8(ascii: "0") else {
            throw fail("a number is not written as JSON has it")
        }
        var isWhole = !isNegative
        if take(".") {
            isWhole = false
            guard digits() > 0 else { throw fail("digits are missing behind the point") }
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            guard digits() > 0 else { throw fail("digits are missing in the exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let number = UInt64(text) { return .whole(number) }
        guard let number = Double(text), number.isFinite else {
            throw JSONError(offset: start, what: "the number is too large")
        }
        return .number(number)
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var text: [UInt8] = []
        var start = position
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""):
                let end = position
                position += 1
                // Most have no escapes, and are copied once.
                let whole = text.isEmpty ? bytes[start..<end] : (text + bytes[start..<end])[...]
                guard (try? UTF8Span(validating: whole.span)) != nil else {
                    throw JSONError(offset: start, what: "a string is not UTF-8")
                }
                return String(decoding: whole, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += bytes[start..<position]
                position += 1
                text += String(try escape()).utf8
                start = position
            case 0..<0x20: throw fail("a control character stands in a string")
            default: position += 1
            }
        }
        throw fail("a string does not end")
    }

    private mutating func escape() throws(JSONError) -> Character {
        guard let byte = next else { throw fail("an escape is cut off") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try codeUnit()
            if let scalar = Unicode.Scalar(unit) { return Character(scalar) }
            guard (0xD800..<0xDC00).contains(unit), take("\\"), take("u") else {
                throw fail("a surrogate stands alone")
            }
            let low = try codeUnit()
            guard (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + UInt32(low) - 0xDC00)
            else { throw fail("a surrogate stands alone") }
            return Character(scalar)
        default: throw fail("there is no such escape")
        }
    }

    private mutating func codeUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next else { throw fail("an escape is cut off") }
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 0x30
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - 0x57
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - 0x37
            default: throw fail("four hexadecimal digits are wanted")
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }
}
