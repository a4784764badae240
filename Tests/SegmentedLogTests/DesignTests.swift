import Testing
import TestSupport

@testable import SegmentedLog

/// Chapter 6 of DESIGN.md has the recovery table in words, and chapter 10 the faults with their tests.
@Suite struct DesignTests {
    private static let design = TestFiles.text("\(TestFiles.package)/DESIGN.md") ?? ""
    private static let directory = "\(TestFiles.package)/Tests/SegmentedLogTests"

    /// The faults that concern the log alone.
    private static let required = [1...6, 8...13, 15...17, 19...27, 36...38, 42...43].flatMap { Array($0) }

    @Test func theRecoveryTableOfTheDesignIsThatOfTheCode() {
        let stated = Self.table(inChapter: 6)
        #expect(stated.first == ["row", "at the position", "before it", "vouched", "beyond it", "action"])
        #expect(stated.dropFirst().compactMap(StatedRow.init) == TailTable.rows.map(StatedRow.init))
        #expect(stated.count == TailTable.rows.count + 1)
    }

    @Test func eachFaultOfTheLogHasTestsThatExist() {
        let table = Self.table(inChapter: 10)
        #expect(table.first == ["row", "fault", "what protects", "tests"])
        #expect(table.dropFirst().map { Int($0[0]) } == Self.required.map { $0 })
        var sources: [String: String] = [:]
        for name in TestFiles.names(in: Self.directory) where name.hasSuffix(".swift") {
            let text = TestFiles.text("\(Self.directory)/\(name)") ?? ""
            for suite in Self.words(in: text, behind: " struct ") { sources[suite, default: ""] += text }
        }
        for row in table.dropFirst() {
            #expect(row.count == 4 && !row[2].isEmpty, "row \(row[0])")
            let tests = Self.tests(of: row)
            #expect(!tests.isEmpty && Set(tests).count == tests.count, "row \(row[0])")
            for test in tests {
                let parts = test.split(separator: ".").map(String.init)
                guard parts.count == 2, let source = sources[parts[0]] else {
                    Issue.record("row \(row[0]): there is no suite of \(test)")
                    continue
                }
                #expect(source.contains("@Suite"), "row \(row[0]): \(test)")
                #expect(Self.words(in: source, behind: " func ").contains(parts[1]), "row \(row[0]): \(test)")
            }
        }
    }

    /// What `tools/check-protections` takes out, and the tests that it expects to fail then.
    @Test func eachFaultOfTheLogHasAProtectionThatIsTakenOut() {
        let text = TestFiles.text("\(TestFiles.package)/tools/protections") ?? ""
        var named: [Int: Set<String>] = [:]
        var rows: [Int] = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "row" { rows = words.dropFirst().compactMap { Int($0) } }
            if words.first == "test" { for row in rows { named[row, default: []].insert(String(words[1])) } }
        }
        #expect(named.keys.sorted() == Self.required)
        for row in Self.table(inChapter: 10).dropFirst() {
            let missing = (Int(row[0]).flatMap { named[$0] } ?? []).subtracting(Self.tests(of: row))
            #expect(missing.isEmpty, "row \(row[0]) of the design does not name these")
        }
    }

    /// What is taken out stands where the table says, once: else a protection would be counted that nobody tries.
    @Test func whatIsTakenOutStandsOnceInItsFile() throws {
        let text = try #require(TestFiles.text("\(TestFiles.package)/tools/protections"))
        var file = ""
        var taken: [Substring] = []
        var edits = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("- ") {
                taken.append(line.dropFirst(2))
                continue
            }
            if !taken.isEmpty {
                let count = file.ranges(of: taken.joined(separator: "\n")).count
                #expect(count == 1, "\(taken) stands \(count) times")
                edits += 1
                taken = []
            }
            if line.hasPrefix("file ") {
                file = try #require(TestFiles.text("\(TestFiles.package)/\(line.dropFirst(5))"), "\(line)")
            }
        }
        #expect(edits > 100)
    }

    // MARK: Reading

    private static func tests(of row: [String]) -> [String] {
        row[3].split(separator: "`").map(String.init).filter { !$0.hasPrefix(",") }
    }

    /// The first table of a chapter: rows of cells, the head among them, the line under it not.
    private static func table(inChapter number: Int) -> [[String]] {
        let lines = design.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("## \(number). ") }) else { return [] }
        let chapter = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
        let table = chapter.drop { !$0.hasPrefix("| ") }.prefix { $0.hasPrefix("| ") }
        return table.map { line in line.split(separator: "|").map(trimmed) }.filter { $0[0] != "---" }
    }

    private static func trimmed(_ text: Substring) -> String {
        String(String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
    }

    /// The words right behind each occurrence of `mark`.
    private static func words(in text: String, behind mark: String) -> Set<String> {
        Set(text.ranges(of: mark).map { String(text[$0.upperBound...].prefix { $0.isLetter || $0.isNumber }) })
    }
}

/// A row of the recovery table, in the words of the design.
private struct StatedRow: Equatable {
    let name: String
    let found: Set<TailSituation.Found>
    let previous: Set<TailSituation.Previous>
    let vouched: Set<Bool>
    let beyond: Set<TailSituation.Beyond>
    let action: TailAction

    init(_ row: TailRow) {
        name = row.name
        found = row.found
        previous = row.previous
        vouched = row.vouched
        beyond = row.beyond
        action = row.action
    }

    /// nil when a cell has a word that the code has not.
    init?(_ cells: [String]) {
        guard cells.count == 6, let found = Self.set(of: TailSituation.Found.self, cells[1]),
            let previous = Self.set(of: TailSituation.Previous.self, cells[2]),
            let vouched = ["any": [true, false], "yes": [true], "no": [false]][cells[3]],
            let beyond = Self.set(of: TailSituation.Beyond.self, cells[4]),
            let action = TailAction.allCases.first(where: { "\($0)" == cells[5] })
        else { return nil }
        name = cells[0]
        self.found = found
        self.previous = previous
        self.vouched = Set(vouched)
        self.beyond = beyond
        self.action = action
    }

    private static func set<Value: CaseIterable & Hashable>(of type: Value.Type, _ cell: String) -> Set<Value>? {
        if cell == "anything" { return Set(type.allCases) }
        let values = cell.split(separator: ",").map { word in
            type.allCases.first { "\($0)" == word.drop { $0 == " " } }
        }
        return values.contains(nil) ? nil : Set(values.compactMap { $0 })
    }
}
