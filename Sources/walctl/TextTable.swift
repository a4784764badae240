/// Rows under headings, each column as wide as its widest cell.
struct TextTable {
    struct Column {
        var heading: String
        var isRight = false

        static func left(_ heading: String) -> Column { Column(heading: heading) }
        static func right(_ heading: String) -> Column { Column(heading: heading, isRight: true) }
    }

    var columns: [Column]
    private var rows: [[(text: String, colour: Style.Colour?)]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [String], colours: [Int: Style.Colour] = [:]) {
        rows.append(cells.enumerated().map { ($0.element, colours[$0.offset]) })
    }

    func lines(_ style: Style) -> [String] {
        let widths = columns.indices.map { column in
            max(columns[column].heading.count, rows.map { $0[column].text.count }.max() ?? 0)
        }
        func line(_ cells: [(text: String, colour: Style.Colour?)]) -> String {
            var line = ""
            for (column, cell) in cells.enumerated() {
                if column > 0 { line += "  " }
                let blank = String(repeating: " ", count: widths[column] - cell.text.count)
                let text = style.paint(cell.text, cell.colour)
                if columns[column].isRight {
                    line += blank + text
                } else {
                    line += column + 1 < cells.count ? text + blank : text
                }
            }
            return line.trimmedAtEnd
        }
        return [style.bold(line(columns.map { ($0.heading, nil) }))] + rows.map(line)
    }
}

extension String {
    fileprivate var trimmedAtEnd: String {
        var text = Substring(self)
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
