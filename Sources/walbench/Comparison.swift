import LogFormat

/// A figure of the engine by the same of a baseline, round by round, and what it should be.
struct Comparison {
    enum Bar {
        case atLeast(Double)
        case atMost(Double)

        func isMet(by value: Double) -> Bool {
            switch self {
            case .atLeast(let limit): value >= limit
            case .atMost(let limit): value <= limit
            }
        }

        var text: String {
            switch self {
            case .atLeast(let limit): ">= \(decimal(limit, 2))"
            case .atMost(let limit): "<= \(decimal(limit, 2))"
            }
        }
    }

    /// `B2` of ENGINE.md; empty for what has no bar.
    var name = ""
    /// What was measured: `8 producers x 1 event`.
    var series = ""
    /// What is divided by what.
    var what: String
    /// Whose figure it is divided by, where that is of the field.
    var rival = ""
    var bar: Bar?
    var pairs: [Double]

    /// A bar is decided by the median of so many pairs.
    private static let pairsOfBar = 9

    var statistics: Statistics { Statistics(pairs) }

    /// nil when there is no bar, or when there are too few pairs to decide.
    var isMet: Bool? {
        guard let bar, pairs.count >= Self.pairsOfBar else { return nil }
        return bar.isMet(by: statistics.median)
    }

    private var verdict: String {
        guard let bar else { return "" }
        guard let isMet else { return "bar \(bar.text) of \(Self.pairsOfBar) pairs" }
        return "bar \(bar.text): \(isMet ? "met" : "NOT MET")"
    }

    static let widths = [2, 34, 6, 27]

    var line: String {
        "  "
            + row([name, what, decimal(statistics.median, 2), verdict], widths: Self.widths, names: 2)
            + "   pairs " + allPairs
    }

    /// More is better.
    var isAtLeast: Bool { if case .atLeast? = bar { true } else { false } }

    var allPairs: String { pairs.map { decimal($0, 2) }.joined(separator: " ") }

    var json: JSON {
        var members: [(String, JSON)] = [
            ("bar", .text(name)), ("series", .text(series)), ("what", .text(what)),
            ("median", .number(statistics.median)),
            ("pairs", .list(pairs.map(JSON.number))),
        ]
        if let bar {
            members.append(("limit", .text(bar.text)))
            if let isMet { members.append(("met", .text(isMet ? "yes" : "no"))) }
        }
        return .object(members)
    }
}

extension Series {
    func compare(
        _ what: String, _ subject: Subject? = nil, to other: Subject, name: String = "", _ bar: Comparison.Bar? = nil,
        _ figure: (Sample) -> Double = { $0.eventsPerSecond }
    ) -> Comparison {
        Comparison(
            name: bar == nil ? "" : name, series: self.name, what: "\(what) / \(other.rawValue)", bar: bar,
            pairs: ratios(subject ?? engine, to: other, figure))
    }
}
