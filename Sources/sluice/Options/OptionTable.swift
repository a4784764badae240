/// What a command understands: its verbs, and for each its options. Parsing and help both read this table, so the two
/// cannot disagree.
struct CommandTable: Sendable {
    var name: String
    /// One sentence.
    var summary: String
    var verbs: [VerbTable]
    /// What else the help says.
    var notes: String
}

struct VerbTable: Sendable {
    var name: String
    /// What must stand behind the verb, by the words that help shows for it.
    var operands: [String]
    var summary: String
    var options: [Option]
}

/// An option, with or without a value.
struct Option: Sendable {
    enum Value: Sendable, Equatable {
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
    var name: String
    var value: Value
    /// What help calls the value.
    var placeholder: String
    var help: String
    var isRepeatable: Bool

    init(
        _ name: String, _ value: Value = .none, _ placeholder: String = "", isRepeatable: Bool = false, help: String
    ) {
        self.name = name
        self.value = value
        self.placeholder = placeholder
        self.isRepeatable = isRepeatable
        self.help = help
    }
}
