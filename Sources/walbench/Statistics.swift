import LogFormat

/// Samples in order.
struct Statistics {
    private let sorted: [Double]

    /// Of at least one sample.
    init(_ samples: [Double]) {
        precondition(!samples.isEmpty, "there are no statistics of nothing")
        sorted = samples.sorted()
    }

    var minimum: Double { sorted[0] }
    var maximum: Double { sorted[sorted.count - 1] }

    var median: Double {
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The smallest sample that `fraction` of all do not exceed.
    func quantile(_ fraction: Double) -> Double {
        let rank = Int((fraction * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }

    var json: JSON { .object([("median", .number(median)), ("min", .number(minimum)), ("max", .number(maximum))]) }
}
