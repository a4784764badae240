/// Other systems, measured once, each in its strictest mode (acknowledged after the sync), with 512 random bytes in an event, on
/// 2 virtual CPUs and ext4 on a virtio disk. Here they are scaled by what the disk does with raw writes: there and then, and here
/// and now, in the same round where raw writes of about that size were measured in turn with the channel.
struct Field {
    /// What the best of them did.
    private struct Rival {
        let series: String
        let name: String
        let eventsPerSecond: Double
        /// Raw writes of this size, there: so many a second.
        let rawBytes: Int
        let rawPerSecond: Double
        /// How far ahead Sluice is to be: 1.2 where the disk limits, 4 where it does not.
        let wanted: Double
    }

    private static let raw512 = (bytes: 512, perSecond: 10_950.0)
    private static let raw50K = (bytes: 50 << 10, perSecond: 10_000.0)
    private static let raw400K = (bytes: 400 << 10, perSecond: 5_400.0)

    private static let rivals = [
        rival("1 producer x 1 event", "SQLite 3.40", 8_500, raw512, 1.2),
        rival("8 producers x 1 event", "Redis 7", 18_800, raw512, 1.2),
        rival("64 producers x 1 event", "Redis 7", 60_100, raw512, 1.2),
        rival("1 producer x 100 events", "SQLite 3.40", 257_000, raw50K, 1.2),
        rival("8 producers x 100 events", "Redis 7", 377_000, raw400K, 4),
        rival("drain 300,000 events, 100 in each durable take, 1 taker", "LMDB 0.9", 355_000, raw512, 1.2),
    ]
    /// SQLite's and LMDB's, after kill -9 with a million queued events.
    private static let restartMilliseconds = 15.0
    private static let restart = "1,000,000 queued"

    static let name = "field"
    static let explanation =
        "field: the best rival of each column as it was measured once on a similar machine (DESIGN.md, chapter 15), "
        + "scaled by raw writes"

    private(set) var comparisons: [Comparison] = []
    /// Raw writes a second here, by size; the best method's.
    private var rawPerSecond: [Int: Double] = [:]

    private static func rival(
        _ series: String, _ name: String, _ rate: Double, _ raw: (bytes: Int, perSecond: Double), _ wanted: Double
    ) -> Rival {
        Rival(
            series: series, name: name, eventsPerSecond: rate, rawBytes: raw.bytes, rawPerSecond: raw.perSecond,
            wanted: wanted)
    }

    /// Takes from a report what there is a rival for. The one of the raw writes comes first.
    mutating func note(_ report: Report) {
        rawPerSecond.merge(report.writesPerSecond) { $1 }
        for series in report.series {
            let isKnown = comparisons.contains { $0.series == series.name }
            for rival in Self.rivals where rival.series == series.name && !isKnown {
                let samples = series.samples[series.engine]!
                let isOfThatSize = (0.4...2.5).contains(series.writes.groupBytes / Double(rival.rawBytes))
                let raw = isOfThatSize ? series.samples[.raw]?.map(\.operationsPerSecond) : nil
                // Blocks of the device may be larger.
                guard let here = raw ?? rawPerSecond[rival.rawBytes].map({ rate in samples.map { _ in rate } })
                else { continue }
                let expected = here.map { rival.eventsPerSecond * $0 / rival.rawPerSecond }
                comparisons.append(
                    Comparison(
                        name: Self.name, series: series.name,
                        what: "events/s / \(rival.name), \(whole(Statistics(expected).median))",
                        rival: rival.name, bar: .atLeast(rival.wanted),
                        pairs: zip(samples, expected).map { $0.eventsPerSecond / $1 }))
            }
        }
        for opening in report.comparisons where opening.series == Self.restart && opening.what == "ms, checkpoint" {
            guard let here = rawPerSecond[Self.raw512.bytes] else { continue }
            let expected = Self.restartMilliseconds * Self.raw512.perSecond / here
            comparisons.append(
                Comparison(
                    name: Self.name, series: Self.restart,
                    what: "ms / SQLite 3.40, \(whole(expected)) (\(whole(Self.restartMilliseconds)) there)",
                    bar: .atMost(1),
                    pairs: opening.pairs.map { $0 / expected }))
        }
    }
}
