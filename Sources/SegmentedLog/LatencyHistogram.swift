/// How long something took, counted in buckets that double: cheap to add to, and exact enough for a percentile.
///
/// Bucket 0 counts what took less than a microsecond; bucket `n` what took from `2^(n-1)` to less than `2^n` microseconds;
/// the last one everything from about 36 minutes on.
public struct LatencyHistogram: Sendable, Equatable {
    public static let bucketCount = 32

    /// How often, by bucket.
    public private(set) var counts: [UInt64] = Array(repeating: 0, count: bucketCount)
    public private(set) var sumNanoseconds: UInt64 = 0
    public private(set) var greatestNanoseconds: UInt64 = 0

    public init() {}

    public mutating func add(nanoseconds: UInt64) {
        let bucket = min(64 - (nanoseconds / 1000).leadingZeroBitCount, Self.bucketCount - 1)
        counts[bucket] += 1
        sumNanoseconds &+= nanoseconds
        greatestNanoseconds = max(greatestNanoseconds, nanoseconds)
    }

    /// How many were added.
    public var count: UInt64 { counts.reduce(0, +) }

    /// In nanoseconds; 0 when nothing was added.
    public var meanNanoseconds: UInt64 { count == 0 ? 0 : sumNanoseconds / count }

    /// An upper bound, in nanoseconds, for that share of them: the end of the bucket that the percentile falls into, and
    /// never more than the greatest. 0 when nothing was added.
    ///
    /// - Parameter percent: 0...100; outside of it the nearer end is meant.
    public func percentile(_ percent: Double) -> UInt64 {
        let all = count
        guard all > 0 else { return 0 }
        let share = min(max(percent, 0), 100) / 100
        let wanted = max(1, UInt64((Double(all) * share).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            seen += count
            if seen >= wanted { return min(Self.end(ofBucket: bucket), greatestNanoseconds) }
        }
        return greatestNanoseconds
    }

    /// Where a bucket ends, in nanoseconds, exclusive.
    public static func end(ofBucket bucket: Int) -> UInt64 { 1000 << UInt64(bucket) }
}
