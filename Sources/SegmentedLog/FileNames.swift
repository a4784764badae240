package import LogFormat

/// The names that a log gives to its files, and back.
package enum FileNames {
    package static let checkpoint = "checkpoint"
    static let pid = "pid"
    static let settings = "settings"
    static let temporarySuffix = ".tmp"

    package enum Kind: Equatable, Sendable {
        case segment(SegmentNumber)
        case temporary
        case reserve(Int)
        case checkpoint
        case pid
        case settings
        case setAside
        case report
        case foreign
    }

    package static func segment(_ number: SegmentNumber) -> String { hex16(number.rawValue) + ".seg" }
    static func reserve(_ index: Int) -> String { "reserve-\(index)" }
    static func temporary(_ tag: UInt64) -> String { "spare-" + hex16(tag) + temporarySuffix }
    static func setAside(_ lsn: LSN) -> String {
        "aside-" + hex16(lsn.segment.rawValue) + "-" + String(lsn.offset, radix: 16)
    }

    static func report(_ epoch: Epoch) -> String { "report-" + hex16(epoch.rawValue) }

    /// The epoch of the opening that a report is of; nil for a name that does not say.
    package static func reportEpoch(_ name: String) -> Epoch? {
        guard name.hasPrefix("report-"), name.utf8.count == 23, let value = UInt64(name.dropFirst(7), radix: 16)
        else { return nil }
        return Epoch(value)
    }

    /// Where a set-aside copy was taken from; the beginning of everything for a name that does not say.
    package static func setAsidePlace(_ name: String) -> LSN {
        let parts = name.split(separator: "-")
        guard parts.count == 3, let segment = UInt64(parts[1], radix: 16), let offset = UInt64(parts[2], radix: 16)
        else { return LSN(segment: SegmentNumber(0), offset: 0) }
        return LSN(segment: SegmentNumber(segment), offset: offset)
    }

    package static func kind(of name: String) -> Kind {
        switch name {
        case checkpoint: return .checkpoint
        case pid: return .pid
        case settings: return .settings
        case "reserve-0": return .reserve(0)
        case "reserve-1": return .reserve(1)
        default: break
        }
        if name.hasSuffix(temporarySuffix) { return .temporary }
        if name.hasPrefix("aside-") { return .setAside }
        if reportEpoch(name) != nil { return .report }
        if name.utf8.count == 20, name.hasSuffix(".seg"), let value = UInt64(name.prefix(16), radix: 16),
            value != 0, value <= FormatConstants.maximumNumber, segment(SegmentNumber(value)) == name
        {
            return .segment(SegmentNumber(value))
        }
        return .foreign
    }

    private static func hex16(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
