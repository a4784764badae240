import Testing
import TestSupport

@testable import LogFormat

/// Chapter 3 of DESIGN.md is the normative text; these tests hold the constants of the code against it.
@Suite struct DesignTests {
    private let chapter = DesignChapter()

    @Test func tablesOfTheLayoutsAreThoseOfTheCode() throws {
        #expect(chapter.layouts("3.4") == [IdentityLayout.rows.map(Row.init), OpeningLayout.rows.map(Row.init)])
        #expect(
            chapter.layouts("3.5") == [FrameHeaderLayout.rows.map(Row.init), FrameTrailerLayout.rows.map(Row.init)])
        #expect(chapter.layouts("3.7") == [TransactionLayout.rows.map(Row.init)])
        #expect(
            chapter.layouts("3.9") == [SnapshotLayout.rows.map(Row.init), SegmentEntryLayout.rows.map(Row.init)])
        #expect(chapter.layouts("3.10") == [CheckpointLayout.rows.map(Row.init)])
    }

    @Test func tableOfTheRecordsIsThatOfTheCode() {
        let records: [(String, [FieldPlace])] = [
            ("open", OpenLayout.rows), ("seal", SealLayout.rows), ("lease", LeaseLayout.rows),
            ("drop", DropLayout.rows), ("loss", LossLayout.rows), ("deliveryCount", DeliveryCountLayout.rows),
        ]
        let table = (chapter.tables("3.8").first ?? []).dropFirst()
        #expect(table.count == records.reduce(0) { $0 + $1.1.count })
        for (name, rows) in records {
            let stated = table.filter { $0[0] == name }.compactMap { Row($0[1...].map(\.self)) }
            #expect(stated == rows.map(Row.init), "\(name)")
        }
    }

    @Test func layoutsHaveNoHolesAndNoOverlaps() {
        let layouts: [([FieldPlace], Int)] = [
            (IdentityLayout.rows, IdentityBlock.byteCount), (FrameHeaderLayout.rows, FormatConstants.headerBytes),
            (TransactionLayout.rows, TransactionLayout.byteCount), (OpenLayout.rows, OpenLayout.byteCount),
            (SealLayout.rows, SealLayout.byteCount), (LeaseLayout.rows, LeaseLayout.byteCount),
            (DropLayout.rows, DropLayout.byteCount), (LossLayout.rows, LossLayout.byteCount),
            (DeliveryCountLayout.rows, DeliveryCountLayout.byteCount), (SnapshotLayout.rows, SnapshotLayout.byteCount),
            (SegmentEntryLayout.rows, SegmentEntryLayout.byteCount), (OpeningLayout.rows, OpeningLayout.byteCount),
            (CheckpointLayout.rows, CheckpointLayout.byteCount),
        ]
        for (rows, byteCount) in layouts {
            var end = 0
            for row in rows {
                #expect(row.offset == end, "\(row.name)")
                end += row.size
            }
            #expect(end == byteCount)
        }
    }

    @Test func frameTypesAreThoseOfTheCode() {
        let stated = (chapter.tables("3.6").first ?? []).dropFirst().map { [$0[0], $0[1]] }
        #expect(stated == FrameType.allCases.map { ["\($0.rawValue)", "\($0)"] })
    }

    @Test func enumeratedValuesAreThoseOfTheCode() {
        func stated(_ section: String, _ words: [String]) -> [UInt8] {
            let row = chapter.tables(section).joined().first { row in words.allSatisfy { row.contains($0) } }
            let meaning = row?.last?.split(separator: ";").first?.split(separator: ",") ?? []
            return meaning.compactMap { $0.split(separator: " ").first.flatMap { UInt8($0) } }
        }
        #expect(stated("3.8", ["open", "durability"]) == DurabilityMode.allCases.map(\.rawValue))
        #expect(stated("3.8", ["open", "reason"]) == OpenReason.allCases.map(\.rawValue))
        #expect(stated("3.8", ["drop", "reason"]) == DropReason.allCases.map(\.rawValue))
        #expect(stated("3.8", ["loss", "reason"]) == LossReason.allCases.map(\.rawValue))
        #expect(stated("3.4", ["kind"]) == SegmentKind.allCases.map(\.rawValue))
        #expect(stated("3.9", ["kind"]) == SegmentKind.allCases.map(\.rawValue))
        #expect(chapter.cell("3.5", "compression") == "what was done to those bytes: 0 nothing, 1 LZ4 block")
        #expect(Compression.allCases.map(\.rawValue) == [0, 1])
    }

    @Test func magicsAreThoseOfTheCode() {
        func bytes(_ magic: some FixedWidthInteger) -> String {
            (0..<magic.bitWidth / 8).map { HexDump.hex(UInt64(truncatingIfNeeded: magic >> ($0 * 8)) & 0xFF, 2) }
                .joined(separator: " ")
        }
        #expect(chapter.cell("3.4", "magic") == "`\(bytes(FormatConstants.identityMagic))` (\"SLUICESG\")")
        #expect(chapter.cell("3.5", "magic") == "`\(bytes(FormatConstants.frameMagic))` (\"SLF1\")")
        #expect(chapter.cell("3.10", "magic") == "`\(bytes(FormatConstants.checkpointMagic))` (\"SLUICECP\")")
        #expect(chapter.cell("3.4", "version") == "\(FormatConstants.version)")
        #expect(chapter.cell("3.10", "version") == "\(FormatConstants.version)")
    }

    @Test func limitsAreThoseOfTheCode() {
        typealias Constants = FormatConstants
        let stated: [(section: String, text: String)] = [
            ("3.4", "blockBytes is \(Constants.identityBytes)"),
            ("3.4", "openingCount is 1 to \(OpeningLayout.maximumCount)"),
            ("3.4", "a multiple of \(Constants.segmentBytesMultiple), at least \(Constants.minimumSegmentBytes) and"),
            ("3.4", "and at most \(Constants.maximumSegmentBytes)"),
            ("3.5", "encoding \(Constants.encoding); compression"),
            ("3.5", "a multiple of \(Constants.alignment) and at most \(Constants.maximumFrameBytes)"),
            ("3.5", "`frameBytes - \(Constants.minimumFrameBytes) - storedBytes`, is 0-\(Constants.maximumGapBytes)"),
            ("3.5", "rawBytes at most \(Constants.maximumRawBytes)"),
            ("3.5", "at most \(Constants.maximumCompressionRatio) x storedBytes"),
            ("3.5", "header \(Constants.headerBytes) B"), ("3.5", "trailer \(Constants.trailerBytes)"),
            ("3.6", "when the rest is \(Constants.minimumFrameBytes) bytes or more"),
            ("3.7", "a multiple of 8, up to \(Constants.maximumTransactionBytes)"),
            ("3.7", "bookmarkCount | up to \(Constants.maximumBookmarks);"),
            ("3.7", "groupNameBytes | 1-\(Constants.maximumNameBytes) for takeCommit"),
            ("3.7", "rangeCount | 1-\(Constants.maximumRangesInTransaction) for takeCommit"),
            ("3.7", "header count up to \(Constants.maximumHeaders) (2)"),
            ("3.7", "body length up to \(Constants.maximumBodyBytes) (4)"),
            (
                "3.7",
                "key length 1-\(Constants.maximumNameBytes) (1), value length up to \(Constants.maximumValueBytes) (4)"
            ),
            ("3.7", "name length 1-\(Constants.maximumNameBytes) (1)"),
            ("3.7", "length of what follows, 1-\(Constants.maximumExtensionBytes) (4)"),
            ("3.8", "a power of two, \(Constants.blockBytes.lowerBound)-\(Constants.blockBytes.upperBound) |"),
            ("3.8", "rangeCount | 1-\(Constants.maximumRangesInDrop);"),
            ("3.8", "entryCount | 1-\(Constants.maximumDeliveryCounts);"),
            ("3.9", "segmentCount | entries in the segment table, 1-\(Constants.maximumSegments) |"),
            ("3.9", "at a cut), \(Constants.firstFrameOffset) to segmentBytes"),
            ("3.9", "groups | count 0-\(Constants.maximumGroups) (4)"),
            ("3.9", "range count up to \(Constants.maximumRangesInGroup) (4)"),
            ("3.9", "bookmarks | count up to \(Constants.maximumBookmarks) (4)"),
            ("3.9", "names and values \(Constants.maximumBookmarkBytes) bytes in all"),
            ("3.9", "producers | count up to \(Constants.maximumProducers) (4)"),
            ("3.9", "deliveryCounts | count up to \(Constants.maximumDeliveryCounts) (4)"),
        ]
        for (section, text) in stated {
            #expect(chapter.section(section).contains(text), "\(section) does not say: \(text)")
        }
    }

    @Test func partsInOrderHaveTheSizesOfTheCode() {
        func fixed(_ section: String, _ name: String, from start: String? = nil, to end: String? = nil) -> Int {
            let row = chapter.tables(section).joined().first { $0.first == name }
            var text = Substring(row?.last ?? "")
            if let start, let range = text.firstRange(of: start) { text = text[range.upperBound...] }
            if let end, let range = text.firstRange(of: end) { text = text[..<range.lowerBound] }
            return text.split(separator: "(").compactMap { Int($0.prefix { $0 != ")" }) }.reduce(0, +)
        }
        #expect(fixed("3.7", "range") == RangeLayout.byteCount)
        #expect(fixed("3.7", "bookmark") == BookmarkLayout.byteCount)
        #expect(fixed("3.7", "event") == EventLayout.byteCount)
        #expect(fixed("3.7", "header") == EventHeaderLayout.byteCount)
        #expect(fixed("3.7", "extension block", to: "entries") == EventExtensionLayout.lengthBytes)
        #expect(fixed("3.7", "extension block", from: "entries", to: "bytes") == EventExtensionLayout.byteCount)
        for (part, size) in [
            ("groups", ClientStateLayout.groupBytes), ("producers", ClientStateLayout.producerBytes),
            ("deliveryCounts", ClientStateLayout.deliveryCountBytes),
        ] {
            #expect(fixed("3.9", part, to: "each") == ClientStateLayout.countBytes, "\(part)")
            #expect(fixed("3.9", part, from: "each") == size, "\(part)")
        }
        let tags = [EventExtension.eventTime(0), .expiry(0), .priority(0), .traceID(high: 0, low: 0)]
        let stated = zip(tags, ["event time", "expiry", "priority", "trace id"]).map { entry, name in
            "\(entry.tag) \(name) (\(EventExtension.encodedBytes([entry]) - EventExtensionLayout.byteCount))"
        }
        #expect(chapter.section("3.7").contains(stated.joined(separator: ", ")))
    }

    @Test func workedExamplesAreWhatTheCodeWrites() throws {
        var expected: [String: [UInt8]] = [:]
        for structure in try Samples.structures() { expected[structure.name] = structure.bytes }
        for (name, payload) in try Samples.payloads() { expected["frame-\(name)"] = Samples.frame(payload) }
        expected["checkpoint"] = expected["checkpoint"].map { Array($0.prefix(CheckpointSlot.headerBytes)) }

        let examples = chapter.examples()
        #expect(examples.map(\.name) == ["identity", "frame-put", "frame-open", "frame-seal", "checkpoint"])
        for (name, dump) in examples {
            #expect(HexDump.parse(dump) == expected[name], "example \(name)")
        }
    }
}

/// A row of a layout table.
private struct Row: Equatable {
    let offset: Int
    let size: Int
    let field: String

    init(_ place: FieldPlace) {
        offset = place.offset
        size = place.size
        field = place.name.rawValue
    }

    /// From the first three cells, or nil when they are not offset, size and field.
    init?(_ cells: [String]) {
        guard cells.count >= 3, let offset = Int(cells[0]), let size = Int(cells[1]) else { return nil }
        self.offset = offset
        self.size = size
        field = cells[2]
    }
}

/// Chapter 3 of DESIGN.md, by its sections.
private struct DesignChapter {
    private var sections: [String: [String]] = [:]

    init() {
        let text = TestFiles.text("\(TestFiles.package)/DESIGN.md") ?? ""
        var name: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("## ") || line.hasPrefix("# ") { name = nil }
            if line.hasPrefix("### 3.") { name = line.split(separator: " ").dropFirst().first.map(String.init) }
            if let name { sections[name, default: []].append(line) }
        }
    }

    func section(_ name: String) -> String { (sections[name] ?? []).joined(separator: "\n") }

    /// The tables of a section: rows of cells, the head among them, the line under it not.
    func tables(_ name: String) -> [[[String]]] {
        var tables: [[[String]]] = []
        var inTable = false
        for line in sections[name] ?? [] {
            guard line.hasPrefix("| ") else {
                inTable = false
                continue
            }
            if !inTable { tables.append([]) }
            inTable = true
            let cells = line.split(separator: "|").map { trimmed($0) }
            if cells.allSatisfy({ $0 == "---" }) { continue }
            tables[tables.count - 1].append(cells)
        }
        return tables
    }

    /// The tables of a section that have offset, size and field.
    func layouts(_ name: String) -> [[Row]] {
        tables(name).filter { $0[0].dropFirst().first == "size" }.map { $0.dropFirst().compactMap { Row($0) } }
    }

    /// What the first layout table of a section says of a field.
    func cell(_ section: String, _ field: String) -> String? {
        tables(section).first?.first { $0.count == 4 && $0[2] == field }?[3]
    }

    func examples() -> [(name: String, dump: String)] {
        var examples: [(name: String, dump: String)] = []
        for line in sections["3.12"] ?? [] {
            if line.hasPrefix("Example `"), let name = line.split(separator: "`").dropFirst().first {
                examples.append((String(name), ""))
            } else if line.hasPrefix("      "), !examples.isEmpty {
                examples[examples.count - 1].dump += line + "\n"
            }
        }
        return examples
    }

    private func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
