/// What a command understands: its verbs, and for each its options. Parsing and help both read this table, so the two
/// cannot disagree.
package struct CommandTable: Sendable {
    package var name: String
    /// One sentence.
    package var summary: String
    package var verbs: [VerbTable]
    /// What else the help says.
    package var notes: String

    package init(name: String, summary: String, verbs: [VerbTable], notes: String) {
        self.name = name
        self.summary = summary
        self.verbs = verbs
        self.notes = notes
    }
}

package struct VerbTable: Sendable {
    package var name: String
    /// What must stand behind the verb, by the words that help shows for it. The last may end in `...`: one or more of it.
    package var operands: [String]
    package var summary: String
    package var options: [Option]
    /// Whole command lines, with what they do.
    package var examples: [(line: String, meaning: String)]
    /// What else help says about it.
    package var notes: String

    package init(
        name: String, operands: [String], summary: String, options: [Option],
        examples: [(line: String, meaning: String)] = [], notes: String = ""
    ) {
        self.name = name
        self.operands = operands
        self.summary = summary
        self.options = options
        self.examples = examples
        self.notes = notes
    }

    /// How many operands there may be.
    var operandCounts: ClosedRange<Int> {
        operands.last?.hasSuffix("...") == true ? operands.count...Int.max : operands.count...operands.count
    }

    /// The word for operand `index`.
    func operand(_ index: Int) -> String {
        let word = operands[min(index, operands.count - 1)]
        return word.hasSuffix("...") ? String(word.dropLast(3)) : word
    }
}

/// An option, with or without a value.
package struct Option: Sendable {
    package enum Value: Sendable, Equatable {
        case none
        case text
        /// A whole number of the range.
        case number(ClosedRange<UInt64>)
        /// Bytes, with or without KiB, MiB, GiB, TiB.
        case size
        case choice([String])
        /// `key=value`, the key not empty.
        case pair
    }

    /// With its two hyphens.
    package var name: String
    package var value: Value
    /// What help calls the value.
    package var placeholder: String
    package var help: String
    package var isRepeatable: Bool

    package init(
        _ name: String, _ value: Value = .none, _ placeholder: String = "", isRepeatable: Bool = false, help: String
    ) {
        self.name = name
        self.value = value
        self.placeholder = placeholder
        self.isRepeatable = isRepeatable
        self.help = help
    }
}
