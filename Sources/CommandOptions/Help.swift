extension CommandTable {
    /// All of it: each verb with its options.
    package var help: String {
        var lines = ["\(name): \(summary)", ""]
        for (index, verb) in verbs.enumerated() {
            lines.append((index == 0 ? "usage: " : "       ") + usage(verb))
        }
        lines.append("       \(name) --help | --version")
        for verb in verbs { lines += ["", "\(name) \(verb.name): \(verb.summary)"] + rows(verb) }
        return (lines + ["", notes]).joined(separator: "\n")
    }

    package func help(_ verb: VerbTable) -> String {
        var lines = ["\(name) \(verb.name): \(verb.summary)", "", "usage: \(usage(verb))", ""] + rows(verb)
        if !verb.notes.isEmpty { lines += [""] + wrapped(verb.notes, to: 100) }
        for (index, example) in verb.examples.enumerated() {
            lines += (index == 0 ? ["", "examples:"] : []) + ["  \(example.line)"]
            lines += wrapped(example.meaning, to: 94).map { "      \($0)" }
        }
        return (lines + ["", notes]).joined(separator: "\n")
    }

    package func usage(_ verb: VerbTable) -> String {
        ([name, verb.name] + verb.operands + ["[options]"]).joined(separator: " ")
    }

    /// Name and value on the left, what it does on the right, wrapped.
    private func rows(_ verb: VerbTable) -> [String] {
        let left = verb.options.map { $0.value == .none ? $0.name : "\($0.name) \($0.placeholder)" }
        let width = (left.map(\.count).max() ?? 0) + 4
        return zip(verb.options, left).flatMap { option, name in
            wrapped(option.help, to: 100 - width).enumerated().map { index, line in
                let start = index == 0 ? "  \(name)" : ""
                return start + String(repeating: " ", count: width - start.count) + line
            }
        }
    }

    private func wrapped(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
