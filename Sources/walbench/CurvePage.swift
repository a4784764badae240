/// The curves as a page that needs nothing beside itself: a drawing for each kind of body, and all figures in a table.
struct CurvePage {
    let report: CurveReport

    private typealias Point = CurveBenchmark.Point

    private static let width = 460.0
    private static let height = 300.0
    private static let margin = (left: 56.0, right: 12.0, top: 28.0, bottom: 34.0)
    private static let colors = ["#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94", "#8a6d1d", "#444444"]

    var html: String {
        let drawings = report.kinds.map(drawing).joined(separator: "\n")
        let tables = report.kinds.map(table).joined(separator: "\n")
        let skipped = report.skipped.map { "<li>\(Self.escaped("\($0.what): \($0.why)"))</li>" }.joined()
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>walbench curve</title>
            <style>
            body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 1000px; color: #222; background: #fff }
            svg { margin: 0 12px 12px 0 } table { border-collapse: collapse; font-size: 12px; margin-bottom: 1.5em }
            td, th { padding: 1px 7px; text-align: right; white-space: nowrap } tr:nth-child(even) { background: #f4f4f4 }
            </style></head><body>
            <h1>Puts by producers, batch and body</h1>
            <p>\(Self.escaped(report.title))<br>\(Self.escaped(report.machine.line))</p>
            <p>Events a second over producers, both logarithmic. Lines: the channel; dashes: a bare log with group commit.</p>
            \(drawings)
            <h2>All figures</h2>
            \(tables)
            <p>\(Self.escaped(CurveReport.legend))</p>
            \(skipped.isEmpty ? "" : "<p>Skipped:</p><ul>\(skipped)</ul>")
            </body></html>

            """
    }

    // MARK: Drawing

    private func drawing(_ kind: String) -> String {
        let points = report.points.filter { $0.kind == kind }
        let rates = points.flatMap { [$0.eventsPerSecond, $0.bareEventsPerSecond] }
        let producers = Set(points.map(\.producers)).sorted()
        let scale = Scale(
            lowestPowerOfTen: (rates.min() ?? 1).lowerPowerOfTen,
            highestPowerOfTen: (rates.max() ?? 1).lowerPowerOfTen + 1,
            mostDoublings: max(1, (producers.last ?? 1).doublings))
        var parts = [
            "<svg width=\"\(Self.text(Self.width))\" height=\"\(Self.text(Self.height))\" font-size=\"11\" "
                + "font-family=\"system-ui, sans-serif\">",
            "<text x=\"\(Self.text(Self.margin.left))\" y=\"16\" font-size=\"13\">events of \(Self.escaped(kind))</text>",
        ]
        for power in scale.lowestPowerOfTen...scale.highestPowerOfTen {
            let y = scale.y(power: Double(power))
            parts.append(Self.line(Self.margin.left, y, Self.width - Self.margin.right, y, "#ddd"))
            parts.append(
                "<text x=\"\(Self.text(Self.margin.left - 6))\" y=\"\(Self.text(y + 4))\" text-anchor=\"end\">"
                    + "\(Self.powerName(power))</text>")
        }
        for number in producers {
            let x = scale.x(number)
            parts.append(Self.line(x, Self.margin.top, x, Self.height - Self.margin.bottom, "#eee"))
            parts.append(
                "<text x=\"\(Self.text(x))\" y=\"\(Self.text(Self.height - 16))\" text-anchor=\"middle\">\(number)</text>"
            )
        }
        for (index, batch) in Set(points.map(\.batch)).sorted().enumerated() {
            let color = Self.colors[index % Self.colors.count]
            let line = points.filter { $0.batch == batch }.sorted { $0.producers < $1.producers }
            parts.append(scale.path(line, \.eventsPerSecond, color, dashed: false))
            parts.append(scale.path(line, \.bareEventsPerSecond, color, dashed: true))
            let y = Self.height - 3
            let x = Self.margin.left + Double(index) * 95
            parts.append(
                "<text x=\"\(Self.text(x))\" y=\"\(Self.text(y))\" fill=\"\(color)\">batches of \(batch)</text>")
        }
        return (parts + ["</svg>"]).joined(separator: "\n")
    }

    private struct Scale {
        let lowestPowerOfTen: Int
        let highestPowerOfTen: Int
        let mostDoublings: Double

        func x(_ producers: Int) -> Double {
            margin.left + producers.doublings / mostDoublings * (width - margin.left - margin.right - 10)
        }

        func y(power: Double) -> Double {
            let share = (power - Double(lowestPowerOfTen)) / Double(highestPowerOfTen - lowestPowerOfTen)
            return height - margin.bottom - share * (height - margin.top - margin.bottom)
        }

        func path(_ points: [Point], _ rate: (Point) -> Double, _ color: String, dashed: Bool) -> String {
            let places = points.map { "\(text(x($0.producers))),\(text(y(power: rate($0).powerOfTen)))" }
            return "<polyline points=\"\(places.joined(separator: " "))\" fill=\"none\" stroke=\"\(color)\" "
                + "stroke-width=\"\(dashed ? "1" : "2")\"\(dashed ? " stroke-dasharray=\"4 3\"" : "")/>"
        }
    }

    private static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String) -> String {
        "<line x1=\"\(text(x1))\" y1=\"\(text(y1))\" x2=\"\(text(x2))\" y2=\"\(text(y2))\" stroke=\"\(color)\"/>"
    }

    /// `100`, `1k`, `10M`.
    private static func powerName(_ power: Int) -> String {
        let unit = ["", "k", "M", "G"][min(3, max(0, power / 3))]
        return "1" + String(repeating: "0", count: max(0, power - 3 * min(3, power / 3))) + unit
    }

    // MARK: Table

    private func table(_ kind: String) -> String {
        let rows = report.points.filter { $0.kind == kind }.map { point in
            "<tr>" + CurveReport.cells(point).map { "<td>\(Self.escaped($0))</td>" }.joined() + "</tr>"
        }
        let head = CurveReport.headings.map { "<th>\(Self.escaped($0))</th>" }.joined()
        return
            "<h3>events of \(Self.escaped(kind))</h3>\n<table><tr>\(head)</tr>\n\(rows.joined(separator: "\n"))</table>"
    }

    private static func text(_ value: Double) -> String { decimal(value, 1) }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
    }
}
