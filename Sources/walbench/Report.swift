import LogFormat

/// One result in both forms.
struct Report {
    var text: [String]
    var json: JSON

    func rendered(as format: Options.Format) -> String {
        switch format {
        case .text: text.joined(separator: "\n")
        case .json: json.rendered
        }
    }
}
