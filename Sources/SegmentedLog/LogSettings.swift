public import FileIO
internal import LogFormat

/// What a log was last opened with, kept as text in its directory for whoever opens it without saying: so that a tool that
/// only takes from a small channel does not let it grow to a default size. Its last line is a checksum of the others: bytes
/// that are not as they were written mean that nothing is known, and then ``estimated(at:fileSystem:)`` tells from the files.
public struct LogSettings: Equatable, Sendable {
    public var capacityBytes: UInt64
    public var segmentBytes: UInt32

    public init(capacityBytes: UInt64, segmentBytes: UInt32) {
        self.capacityBytes = capacityBytes
        self.segmentBytes = segmentBytes
    }

    /// What stands in a log's directory; nil when there is nothing that can be understood. Needs no lock.
    public static func read(at path: String, fileSystem: any FileSystem) -> LogSettings? {
        guard let directory = try? fileSystem.openDirectory(at: path) else { return nil }
        defer { directory.close() }
        return read(in: directory)
    }

    package static func read(in directory: any StorageDirectory) -> LogSettings? {
        directory.contents(of: FileNames.settings, atMost: SpaceBudget.pageBytes)
            .flatMap { LogSettings(text: String(decoding: $0, as: UTF8.self)) }
    }

    var text: String {
        let values = "capacityBytes \(capacityBytes)\nsegmentBytes \(segmentBytes)\n"
        return values + "checksum \(String(Self.checksum(of: values), radix: 16))\n"
    }

    init?(text: String) {
        // Of three lines of two words; whether they are the right ones tells the text that is written for their values.
        let words = text.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map { Substring($0) }
        guard words.count == 6, let capacity = UInt64(words[1]), let segment = UInt32(words[3]) else { return nil }
        (capacityBytes, segmentBytes) = (capacity, segment)
        guard text == self.text else { return nil }
    }

    private static func checksum(of text: String) -> UInt32 {
        let bytes = Array(text.utf8)
        return unsafe Checksum.crc32c(bytes.span.bytes)
    }

    /// For a log that is there and whose settings are not known: the size that most of its newest segments have, and the
    /// smallest capacity that goes with that, with the checkpoint's slots, and with what is there. nil where there is no
    /// segment. Needs no lock; costs one listing and up to 18 looks at files.
    public static func estimated(at path: String, fileSystem: any FileSystem) -> LogSettings? {
        guard let directory = try? fileSystem.openDirectory(at: path) else { return nil }
        defer { directory.close() }
        guard let names = try? directory.list() else { return nil }
        let segments = names.filter { if case .segment = FileNames.kind(of: $0) { true } else { false } }.sorted()
        guard !segments.isEmpty else { return nil }
        func size(_ name: String) -> UInt64 { (try? directory.status(of: name))?.size ?? 0 }
        let reserve = max(size(FileNames.reserve(0)), size(FileNames.reserve(1)))
        var votes: [UInt64: Int] = [:]
        for name in segments.suffix(16) { votes[size(name), default: 0] += 1 }
        let sizes = UInt64(SpaceBudget.smallestSegmentBytes)...UInt64(SpaceBudget.largestSegmentBytes)
        let regular = votes.filter { $0.key != reserve && $0.key % 4096 == 0 && sizes.contains($0.key) }
        let segment = regular.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 128 << 10
        // Where the capacity gave the snapshots their size, they give it back.
        let slot = min(size(FileNames.checkpoint) / 2, 2 << 20)
        var capacity = max(
            8 * segment, UInt64(segments.count + 2) * segment, slot > 12 << 10 ? (slot / 4096 - 1) * 4096 * 64 : 0)
        for _ in 0..<40 {
            var configuration = LogConfiguration(capacityBytes: capacity)
            configuration.segmentBytes = UInt32(segment)
            if (try? SpaceBudget(configuration, blockBytes: 512)) != nil { break }
            capacity += capacity / 4 / 4096 * 4096
        }
        return LogSettings(capacityBytes: capacity, segmentBytes: UInt32(segment))
    }
}

extension LogSettings {
    /// Durable on return. Does nothing when it stands there already.
    func write(in directory: any StorageDirectory, _ runtime: any Runtime) throws(LogError) {
        guard LogSettings.read(in: directory) != self else { return }
        let temporary = FileNames.temporary(runtime.randomNonzero())
        do throws(FileError) {
            try directory.replace(FileNames.settings, under: temporary) { (file) throws(FileError) in
                try file.write(Array(text.utf8))
            }
        } catch {
            throw .file(error, "the settings of \(directory.path) cannot be noted; the log itself is not affected")
        }
    }
}

extension Log {
    /// Notes what the log is open with: a new file under a spare name, synced, then its name. Does nothing when it says so
    /// already. Durable on return.
    public func recordSettings() throws(LogError) {
        let settings = lock.withLock {
            LogSettings(capacityBytes: state.room.capacityBytes, segmentBytes: state.budget.segmentBytes)
        }
        try settings.write(in: directory, runtime)
    }
}
