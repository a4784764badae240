/// The name of a file beside a source, if rotation may have given it to a former file of the source.
///
/// Such a name begins with the source's (`app.log.1`, `app.log-20260131`), has digits before its extension
/// (`app-20260131.log`), or differs in digits only from that of a source to which a link leads (`app-1`, `app-2`). That
/// of a compressed file has one thing more at its end.
struct RotatedName {
    let name: String
    let isCompressed: Bool
    /// Equal in names that one way of rotating gives out: their digits are zeros in it.
    let form: [UInt8]
    /// In names such as `app.log.2` and `app.2.log`.
    private let number: Int?

    init?(_ name: String, of source: String, behindLink: Bool) {
        self.name = name
        var bytes = Array(name.utf8)
        let ending = Self.compressions.first { bytes.ends(with: $0) }
        isCompressed = ending != nil
        bytes.removeLast(ending?.count ?? 0)
        let (source, (stem, suffix)) = (Array(source.utf8), Self.parts(of: Array(source.utf8)))
        if behindLink && Self.form(of: bytes[...]) == Self.form(of: source[...]) {
            form = Self.form(of: bytes[...])
            number = nil
        } else if bytes.starts(with: source) {
            let added = bytes.dropFirst(source.count)
            form = source + Self.form(of: added)
            number = Self.number(added)
        } else if !suffix.isEmpty, bytes.count > stem.count + suffix.count, bytes.starts(with: stem),
            bytes.ends(with: suffix), Self.isInserted(bytes[stem.count..<bytes.count - suffix.count])
        {
            let added = bytes[stem.count..<bytes.count - suffix.count]
            form = stem + Self.form(of: added) + suffix
            number = Self.number(added)
        } else {
            return nil
        }
    }

    /// The usual order of files that were last written at one time: numbers count up with age, dates the other way.
    func precedes(_ other: RotatedName) -> Bool {
        switch (number, other.number) {
        case (let mine?, let others?) where mine != others: mine > others
        case (_?, nil): true
        case (nil, _?): false
        default: name < other.name
        }
    }

    private static let compressions = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip"].map { Array($0.utf8) }

    /// Before and from its last dot on.
    private static func parts(of source: [UInt8]) -> (stem: [UInt8], suffix: [UInt8]) {
        guard let dot = source.lastIndex(of: UInt8(ascii: ".")), dot > 0 else { return (source, []) }
        return (Array(source[..<dot]), Array(source[dot...]))
    }

    /// Whether it may stand between stem and extension: letters would make it another log's (`app-error.log`).
    private static func isInserted(_ added: ArraySlice<UInt8>) -> Bool {
        guard let first = added.first, !isDigit(first), added.contains(where: isDigit) else { return false }
        return added.allSatisfy { isDigit($0) || ".-_:T".utf8.contains($0) }
    }

    /// A counter of up to three digits has one zero in it, so that 9 and 10 are alike; of a time each digit counts.
    private static func form(of bytes: ArraySlice<UInt8>) -> [UInt8] {
        var form: [UInt8] = []
        var rest = bytes
        while let first = rest.first {
            let digits = rest.prefix(while: isDigit).count
            form += digits == 0 ? [first] : Array(repeating: UInt8(ascii: "0"), count: digits <= 3 ? 1 : digits)
            rest = rest.dropFirst(max(1, digits))
        }
        return form
    }

    private static func number(_ added: ArraySlice<UInt8>) -> Int? {
        guard added.first == UInt8(ascii: "."), (2...4).contains(added.count) else { return nil }
        return Int(String(decoding: added.dropFirst(), as: UTF8.self))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}

extension [UInt8] {
    fileprivate func ends(with other: [UInt8]) -> Bool { suffix(other.count).elementsEqual(other) }
}
