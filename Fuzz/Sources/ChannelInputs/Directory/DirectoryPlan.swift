import DurableChannel
import LogFormat

/// What an input of `FuzzDirectory` stands for: a log to begin with, how it is opened, and what is done to its files before.
///
/// Any bytes are a plan. The first byte picks the log, the second how it is opened; then come edits: a byte that says what
/// is done (and, in its highest bit, that the structure that was touched gets its checksums put right), a byte for the file,
/// three for the place in it, and what that edit wants. With the third byte odd, the edits begin in a directory of files whose
/// bytes are those of the input.
package struct DirectoryPlan: Sendable {
    package struct Edit: Sendable, Equatable {
        package var isRepaired: Bool
        package var file: UInt8
        package var place: EditPlace
        package var edit: DirectoryEdit
    }

    package var base: BaseLog
    package var opening: Opening
    /// Files of the input's own bytes, instead of the log's.
    package var raw: LogDirectory?
    package var edits: [Edit] = []

    /// How the channel is opened.
    package struct Opening: Sendable {
        package var saysItsSize = true
        package var hasCache = true
        package var drops = false
        package var maxEvents = 7

        package func configuration(_ policy: DamagePolicy) -> ChannelConfiguration {
            var configuration = BaseLog.configuration
            if !saysItsSize { (configuration.capacityBytes, configuration.segmentBytes) = (nil, nil) }
            if !saysItsSize { configuration.snapshotLimitBytes = nil }
            if !hasCache { configuration.tailCacheBytes = 0 }
            if drops { configuration.whenFull = .dropOldest }
            configuration.damagePolicy = policy
            return configuration
        }
    }

    private static let mostEdits = 24

    package init(_ input: [UInt8]) {
        var reader = InputReader(input)
        base = BaseLog.all[Int(reader.byte()) % BaseLog.all.count]
        let flags = reader.byte()
        opening = Opening(
            saysItsSize: flags & 7 != 7, hasCache: flags & 8 == 0, drops: flags & 0x30 == 0x30,
            maxEvents: flags & 0x40 == 0 ? 7 : 1000)
        if reader.flag() { raw = Self.files(&reader) }
        while !reader.isAtEnd, edits.count < Self.mostEdits {
            let verb = reader.byte()
            let file = reader.byte()
            let place = EditPlace(&reader)
            edits.append(
                Edit(isRepaired: verb & 0x80 != 0, file: file, place: place, edit: DirectoryEdit(verb & 0x7F, &reader)))
        }
    }

    /// A byte: how many files. Each: its name (a byte), its size in units of 4 KiB (a byte), how many pieces (a byte), and
    /// the pieces: where (2), how long (2), the bytes.
    private static func files(_ reader: inout InputReader) -> LogDirectory {
        var directory = LogDirectory()
        for _ in 0..<reader.byte() % 8 where !reader.isAtEnd {
            let name = FileName.of(reader.byte())
            var bytes = [UInt8](repeating: 0, count: Int(reader.byte() % 16) * 4096)
            for _ in 0..<reader.byte() % 64 where !reader.isAtEnd {
                let place = Int(reader.number(bytes: 2))
                let piece = reader.bytes(upTo: Int(reader.number(bytes: 2)))
                if place + piece.count > bytes.count {
                    bytes += [UInt8](repeating: 0, count: place + piece.count - bytes.count)
                }
                bytes.replaceSubrange(place..<place + piece.count, with: piece)
            }
            directory.files[name] = .bytes(bytes)
        }
        return directory
    }

    /// The directory as the edits leave it, and the pages that the disk does not give.
    package func carriedOut() -> (directory: LogDirectory, unreadable: [(name: String, bytes: Range<UInt64>)]) {
        var editor = DirectoryEditor(raw ?? base.directory)
        for edit in edits { editor.perform(edit) }
        return (editor.directory, editor.unreadable)
    }
}

/// The names that a channel's files have, by a byte.
package enum FileName {
    package static func of(_ byte: UInt8) -> String {
        let fixed = [
            "checkpoint", "settings", "pid", "reserve-0", "reserve-1", "spare-0000000000000001.tmp",
            "aside-0000000000000001-2000", "report-0000000000000001", "stranger",
        ]
        let number = Int(byte)
        return number < fixed.count ? fixed[number] : segment(UInt64(1 + (number - fixed.count) % 24))
    }

    package static func segment(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + ".seg"
    }

    /// The byte of a name; nil when there is none.
    package static func byte(of name: String) -> UInt8? { (0..<33 as Range<UInt8>).first { of($0) == name } }
}
