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
    /// What is divided by what.
    var what: String
    var bar: Bar?
    var pairs: [Double]

    /// A bar is decided by the median of so many pairs.
    private static let pairsOfBar = 9

    private var verdict: String {
        guard let bar else { return "" }
        guard pairs.count >= Self.pairsOfBar else { return "bar \(bar.text) of \(Self.pairsOfBar) pairs" }
        return "bar \(bar.text): \(bar.isMet(by: Statistics(pairs).median) ? "met" : "NOT MET")"
    }

    static let widths = [2, 34, 6, 27]

    var line: String {
        "  "
            + row([name, what, decimal(Statistics(pairs).median, 2), verdict], widths: Self.widths, names: 2)
            + "   pairs " + pairs.map { decimal($0, 2) }.joined(separator: " ")
    }

    var json: JSON {
        var members: [(String, JSON)] = [
            ("bar", .text(name)), ("what", .text(what)), ("median", .number(Statistics(pairs).median)),
            ("pairs", .list(pairs.map(JSON.number))),
        ]
        if let bar {
            members.append(("limit", .text(bar.text)))
            if pairs.count >= Self.pairsOfBar {
                members.append(("met", .text(bar.isMet(by: Statistics(pairs).median) ? "yes" : "no")))
            }
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
            name: bar == nil ? "" : name, what: "\(what) / \(other.rawValue)", bar: bar,
            pairs: ratios(subject ?? engine, to: other, figure))
    }
}
