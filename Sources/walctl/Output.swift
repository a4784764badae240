import LogFormat

/// What a verb says, in the format that was asked for.
///
///     text    lines for eyes
///     json    one document: schema_version, command, path, then what the verb says; of verbs that list something, `records`
///     jsonl   one object a line, each with its kind under `record`; the first says schema_version, command and path
///
/// Names are in snake_case. Positions are text, as everywhere (`1f/2a00`); numbers are exact, up to 2^64.
final class Output {
    enum Format: String, CaseIterable { case text, json, jsonl }

    /// Changes when a field goes or means something else. Fields may be added.
    static let schemaVersion: UInt64 = 1

    let format: Format
    let style: Style
    private let output = StandardOutput()
    private var hasBegun = false
    private var recordCount = 0

    init(_ format: Format, _ style: Style) {
        self.format = format
        self.style = style
    }

    // MARK: Text

    /// A line of text; nothing in the other formats.
    func line(_ text: @autoclosure () -> String = "") throws {
        if format == .text { try output.write(text() + "\n") }
    }

    /// Bytes as they are, in text only.
    func raw(_ bytes: [UInt8]) throws { if format == .text { try output.write(bytes) } }

    // MARK: A verb with one answer

    /// The whole answer.
    func answer(_ verb: String, _ path: String, _ members: @autoclosure () -> [(String, JSON)]) throws {
        guard format != .text else { return }
        let start: [(String, JSON)] =
            (format == .jsonl ? [("record", .text(verb))] : []) + Self.start(verb, path)
        try output.write(JSON.object(start + members()).bytes + [UInt8(ascii: "\n")])
    }

    // MARK: A verb that lists something

    /// Before the first record.
    func begin(_ verb: String, _ path: String, _ members: @autoclosure () -> [(String, JSON)] = []) throws {
        switch format {
        case .text: break
        case .json:
            var start = JSON.object(Self.start(verb, path) + members()).bytes
            start.removeLast()
            try output.write(start)
            try output.write(", \"records\": [")
        case .jsonl:
            try output.write(
                JSON.object([("record", .text("log"))] + Self.start(verb, path) + members()).bytes + [
                    UInt8(ascii: "\n")
                ])
        }
    }

    /// One of them; in text the line, if it has one.
    func record(
        _ kind: String, _ members: @autoclosure () -> [(String, JSON)], text: @autoclosure () -> String? = nil
    ) throws {
        switch format {
        case .text: if let text = text() { try output.write(text + "\n") }
        case .json:
            try output.write(recordCount == 0 ? "\n" : ",\n")
            try output.write(JSON.object([("record", .text(kind))] + members()).bytes)
        case .jsonl: try output.write(JSON.object([("record", .text(kind))] + members()).bytes + [UInt8(ascii: "\n")])
        }
        recordCount += 1
    }

    /// Behind the last one.
    func end(_ members: @autoclosure () -> [(String, JSON)] = []) throws {
        switch format {
        case .text: break
        case .json:
            try output.write(recordCount == 0 ? "]" : "\n]")
            try output.write(", \"summary\": ")
            try output.write(JSON.object(members()).bytes)
            try output.write("}\n")
        case .jsonl:
            try output.write(JSON.object([("record", .text("summary"))] + members()).bytes + [UInt8(ascii: "\n")])
        }
    }

    func flush() throws { try output.flush() }

    private static func start(_ verb: String, _ path: String) -> [(String, JSON)] {
        [("schema_version", .whole(schemaVersion)), ("command", .text("walctl \(verb)")), ("path", .text(path))]
    }
}
