/// The arguments of one call, checked against the table.
package struct Arguments: Sendable {
    /// What the table cannot be asked for, or what was asked for instead of work.
    package enum Request: Sendable {
        case help(VerbTable?)
        case version
        case run(VerbTable, Arguments)
    }

    package private(set) var operands: [String] = []
    private var values: [String: [OptionValue]] = [:]

    package func has(_ name: String) -> Bool { values[name] != nil }

    package func text(_ name: String) -> String? {
        if case .text(let text)? = values[name]?.first { text } else { nil }
    }

    package func number(_ name: String) -> UInt64? {
        if case .number(let number)? = values[name]?.first { number } else { nil }
    }

    /// All values of an option that may be given several times.
    package func texts(_ name: String) -> [String] {
        (values[name] ?? []).compactMap { if case .text(let text) = $0 { text } else { nil } }
    }

    package func pairs(_ name: String) -> [(key: String, value: String)] {
        (values[name] ?? []).compactMap { if case .pair(let key, let value) = $0 { (key, value) } else { nil } }
    }

    /// - Throws: ``UsageError``, which says what is wrong with which word.
    package static func parse(_ words: ArraySlice<String>, by table: CommandTable) throws(UsageError) -> Request {
        guard let first = words.first else { throw UsageError("a verb is missing") }
        if first == "--help" || first == "-h" || first == "help" {
            return .help(table.verbs.first { $0.name == words.dropFirst().first })
        }
        if first == "--version" { return .version }
        guard let verb = table.verbs.first(where: { $0.name == first }) else {
            throw UsageError("there is no verb '\(first)'")
        }
        var arguments = Arguments()
        var rest = words.dropFirst()
        var optionsAreOver = false
        while let word = rest.popFirst() {
            if optionsAreOver || word == "-" || !word.hasPrefix("-") {
                arguments.operands.append(word)
            } else if word == "--" {
                optionsAreOver = true
            } else if word == "--help" || word == "-h" {
                return .help(verb)
            } else {
                try arguments.add(word, &rest, verb)
            }
        }
        try arguments.checkOperands(verb)
        return .run(verb, arguments)
    }

    private mutating func add(_ word: String, _ rest: inout ArraySlice<String>, _ verb: VerbTable) throws(UsageError) {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard let option = verb.options.first(where: { $0.name == parts[0] }) else {
            throw UsageError("'\(verb.name)' has no option '\(parts[0])'", verb)
        }
        guard option.isRepeatable || values[option.name] == nil else {
            throw UsageError("\(option.name) is given twice", verb)
        }
        if option.value == .none {
            guard parts.count == 1 else { throw UsageError("\(option.name) takes no value", verb) }
            values[option.name] = [.present]
            return
        }
        guard let text = parts.count == 2 ? parts[1] : rest.popFirst() else {
            throw UsageError("\(option.name) needs a value: \(option.name) \(option.placeholder)", verb)
        }
        values[option.name, default: []].append(try OptionValue(text, of: option, verb))
    }

    private func checkOperands(_ verb: VerbTable) throws(UsageError) {
        let counts = verb.operandCounts
        if operands.count < counts.lowerBound {
            throw UsageError("'\(verb.name)' needs \(verb.operand(operands.count))", verb)
        }
        if operands.count > counts.upperBound {
            throw UsageError("'\(operands[counts.upperBound])' is one word too many", verb)
        }
        if let empty = operands.firstIndex(of: "") { throw UsageError("\(verb.operand(empty)) is empty", verb) }
    }
}

/// Wrong arguments. Nothing was done.
package struct UsageError: Error {
    package var message: String
    /// Whose help shows what is right.
    package var verb: VerbTable?

    package init(_ message: String, _ verb: VerbTable? = nil) {
        self.message = message
        self.verb = verb
    }
}

private enum OptionValue: Sendable {
    case present
    case text(String)
    case number(UInt64)
    case pair(String, String)

    init(_ text: String, of option: Option, _ verb: VerbTable) throws(UsageError) {
        func wrong(_ expected: String) -> UsageError {
            UsageError("\(option.name) \(text.isEmpty ? "''" : text): \(expected)", verb)
        }
        switch option.value {
        case .none: self = .present
        case .text:
            guard !text.isEmpty else { throw wrong("it must not be empty") }
            self = .text(text)
        case .number(let range):
            guard let number = decimal(text), range.contains(number) else {
                throw wrong("a whole number from \(range.lowerBound) to \(range.upperBound) is wanted")
            }
            self = .number(number)
        case .size:
            guard let bytes = byteSize(text) else {
                throw wrong("a size is wanted: bytes, or with KiB, MiB, GiB or TiB behind them (64MiB)")
            }
            self = .number(bytes)
        case .choice(let choices):
            guard choices.contains(text) else { throw wrong("one of \(choices.joined(separator: ", ")) is wanted") }
            self = .text(text)
        case .pair:
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw wrong("key=value is wanted") }
            self = .pair(String(parts[0]), String(parts[1]))
        }
    }
}

/// Digits and nothing else; nil as well when it is more than 64 bits hold.
private func decimal(_ text: String) -> UInt64? {
    !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(text) : nil
}

/// Bytes, with or without a unit; nil as well when it is more than 64 bits hold.
package func byteSize(_ text: String) -> UInt64? {
    let units: [(String, UInt64)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)]
    for (unit, factor) in units where text.hasSuffix(unit) {
        guard let number = decimal(String(text.dropLast(unit.count))) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }
    return nil
}
