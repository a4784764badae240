public import FileIO

/// What a log was last opened with, kept as text in its directory for whoever opens it without saying: so that a tool that
/// only takes from a small channel does not let it grow to a default size. No promise of the log depends on it, and any bytes
/// in its place mean that nothing is known.
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

    static func read(in directory: any StorageDirectory) -> LogSettings? {
        let buffer = AlignedBuffer(byteCount: 4096)
        guard let file = try? directory.open(FileNames.settings, for: .reading) else { return nil }
        defer { try? file.close() }
        guard let count = try? file.read(into: buffer, at: 0, count: 4096, from: 0, source: .cache) else { return nil }
        return LogSettings(text: String(decoding: (0..<count).map { buffer.bytes.byte(at: $0) }, as: UTF8.self))
    }

    var text: String { "capacityBytes \(capacityBytes)\nsegmentBytes \(segmentBytes)\n" }

    init?(text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2 { values[words[0]] = words[1] }
        }
        guard let capacity = values["capacityBytes"].flatMap({ UInt64($0) }),
            let segment = values["segmentBytes"].flatMap({ UInt32($0) })
        else { return nil }
        (capacityBytes, segmentBytes) = (capacity, segment)
    }
}

extension Log {
    /// Notes what the log is open with: a new file under a spare name, synced, then its name. Does nothing when it says so
    /// already. Durable on return.
    public func recordSettings() throws(LogError) {
        let settings = lock.withLock {
            LogSettings(capacityBytes: state.room.capacityBytes, segmentBytes: state.budget.segmentBytes)
        }
        guard LogSettings.read(in: directory) != settings else { return }
        let name = FileNames.temporary(runtime.randomNonzero())
        do throws(FileError) {
            try directory.replace(FileNames.settings, under: name) { (file) throws(FileError) in
                try file.write(Array(settings.text.utf8))
            }
        } catch {
            throw .file(error, "the settings of \(path) cannot be noted; the log itself is not affected")
        }
    }
}
