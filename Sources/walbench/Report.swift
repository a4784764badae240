import LogFormat

/// One result in both forms.
struct Report {
    var text: [String]
    var json: JSON
    /// What is held against something, with bars and without.
    var comparisons: [Comparison] = []
    /// What they come from, where it is a series.
    var series: [Series] = []
    /// With drawings, where there are some.
    var page: String?
    /// Of raw writes: the best method's, by size.
    var writesPerSecond: [Int: Double] = [:]

    func rendered(as format: Options.Format) -> String {
        switch format {
        case .text: text.joined(separator: "\n")
        case .json: json.rendered
        }
    }
}
