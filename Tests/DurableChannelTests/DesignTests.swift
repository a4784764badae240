import TestSupport
import Testing

/// Chapter 13 of DESIGN.md has every fault of the fault model with the tests for it.
@Suite struct DesignTests {
    private static let design = TestFiles.text("\(TestFiles.package)/DESIGN.md") ?? ""

    /// Where the tests of a row are, by what stands before their names.
    private static let folders = [
        "": "DurableChannelTests", "log: ": "SegmentedLogTests", "fileio: ": "FileIOTests",
    ]

    @Test func eachFaultHasTestsThatExist() throws {
        let start = try #require(Self.design.range(of: "## 13. "))
        let rows = Self.design[start.upperBound...].split(separator: "\n").prefix { !$0.hasPrefix("## ") }
            .filter { $0.hasPrefix("| ") }
        let faults = rows.dropFirst(2).map { $0.split(separator: "|", omittingEmptySubsequences: false) }
        #expect(faults.map { $0.count > 1 ? Int($0[1].trimmed) : nil } == Array(1...44))
        let known = Self.folders.mapValues(Self.tests)
        for fault in faults {
            let cell = String(fault[4])
            // Every other piece between back-quotes is a name; what stands before it says where it is.
            let pieces = cell.split(separator: "`", omittingEmptySubsequences: false)
            var named = 0
            for index in stride(from: 1, to: pieces.count, by: 2) {
                let name = String(pieces[index])
                guard let prefix = Self.folders.keys.sorted(by: >).first(where: { name.hasPrefix($0) }) else {
                    continue
                }
                let test = String(name.dropFirst(prefix.count))
                #expect(known[prefix]?.contains(test) == true, "row \(fault[1]): there is no \(test)")
                named += 1
            }
            #expect(named > 0, "row \(fault[1]) names no test")
        }
    }

    /// `Suite.test` for each test function of a folder.
    private static func tests(of folder: String) -> Set<String> {
        var found: Set<String> = []
        for name in TestFiles.names(in: "\(TestFiles.package)/Tests/\(folder)") where name.hasSuffix(".swift") {
            var suite = ""
            for line in (TestFiles.text("\(TestFiles.package)/Tests/\(folder)/\(name)") ?? "").split(separator: "\n") {
                if let type = line.word(behind: "struct ") ?? line.word(behind: "class "), !line.hasPrefix("  ") {
                    suite = type
                }
                if let function = line.word(behind: "func ") { found.insert("\(suite).\(function)") }
            }
        }
        return found
    }
}

extension Substring {
    fileprivate var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }

    /// The name that follows a keyword.
    fileprivate func word(behind keyword: String) -> String? {
        guard let range = range(of: keyword) else { return nil }
        let name = self[range.upperBound...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        return name.isEmpty ? nil : String(name)
    }

    fileprivate func range(of text: String) -> Range<Index>? {
        firstRange(of: text)
    }
}

extension String {
    fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
