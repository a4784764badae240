import ChannelInputs
import DecoderInputs
import DurableChannel
import FileIO
import Glibc
import LogFormat

/// Seeds out of logs that the engine writes on a real file system, cut into what each target wants.
enum RealLogs {
    static func all() throws -> [Seed] {
        var seeds: [Seed] = []
        for (shape, directory) in try directories() {
            seeds += directorySeed(shape, directory)
            for name in directory.names {
                guard let bytes = directory.bytes(name) else { continue }
                if name == "checkpoint" { seeds += checkpointSeeds(shape, bytes) }
                if name.hasSuffix(".seg") { seeds += segmentSeeds("\(shape)-\(name.suffix(6).prefix(2))", bytes) }
            }
        }
        return seeds
    }

    // MARK: Writing them

    /// Closed, and as a kill would leave it; small, compressed, and of several segments.
    private static func directories() throws -> [(String, LogDirectory)] {
        var found: [(String, LogDirectory)] = []
        for (shape, compression, rounds) in [("few", Compression.none, 3), ("lz4", .lz4, 3), ("rolled", .none, 16)] {
            try withTemporaryDirectory { path in
                var configuration = BaseLog.configuration
                configuration.compression = compression
                let channel = try FileChannel.open(at: path, configuration: configuration)
                var writer = LogWriter(channel)
                for round in 0..<rounds {
                    try writer.put(3, bytes: rounds > 3 ? 1000 : 60, bookmark: "file", stamped: true)
                    if round > 0 { try writer.take(2, bookmark: "sink", deadLetters: round == 2 ? 1 : 0) }
                }
                try writer.rollBack(2)
                found.append(("\(shape)-killed", try contents(of: path)))
                try channel.close()
                found.append(("\(shape)-closed", try contents(of: path)))
            }
        }
        return found
    }

    private static func contents(of path: String) throws -> LogDirectory {
        var directory = LogDirectory()
        let opened = try LinuxFileSystem().openDirectory(at: path)
        defer { opened.close() }
        for name in try opened.list() {
            guard let bytes = Files.read("\(path)/\(name)") else {
                throw Failure(description: "\(name) cannot be read")
            }
            directory.files[name] = .bytes(bytes)
        }
        return directory
    }

    private static func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/sluice-seeds-XXXXXX".utf8CString)
        guard let path = unsafe mkdtemp(&template).map({ unsafe String(cString: $0) }) else {
            throw Failure(description: "no directory can be made in /tmp")
        }
        defer { Files.remove(path) }
        try body(path)
    }

    struct Failure: Error, CustomStringConvertible { let description: String }

    // MARK: Cutting them up

    private static func segmentSeeds(_ name: String, _ bytes: [UInt8]) -> [Seed] {
        var seeds: [Seed] = []
        let block = Array(bytes.prefix(4096))
        let used = (block.prefix(4092).lastIndex { $0 != 0 } ?? 0) + 1
        seeds.append(Seed("FuzzIdentity", "raw-\(name)", [IdentityInput.Mode.raw.rawValue] + block))
        for mode in [IdentityInput.Mode.repaired, .known] {
            seeds.append(Seed("FuzzIdentity", "\(mode)-\(name)", [mode.rawValue] + block.prefix(used)))
        }
        let file = FramedFile(bytes)
        guard let life = file.life else { return seeds }
        for frame in file.frames where frame.count < 4096 {
            let place = DecoderInputs.Repair.place(life, frame.lowerBound)
            for kind in [FrameInput.Kind.frame, .repairedFrame] {
                seeds.append(
                    Seed("FuzzFrame", "\(kind)-\(name)-\(frame.lowerBound)", [kind.rawValue] + place + bytes[frame]))
            }
            if bytes[frame.lowerBound + 4] == FrameType.snapshot.rawValue {
                seeds += snapshotSeeds("\(name)-\(frame.lowerBound)", Array(bytes[frame]))
            }
        }
        return seeds
    }

    private static func snapshotSeeds(_ name: String, _ frame: [UInt8]) -> [Seed] {
        let stored = Int(DecoderInputs.Bytes.number(frame, at: 12, count: 4))
        let payload = Array(frame[96..<96 + stored])
        guard let snapshot = try? Snapshot(decoding: unsafe payload.span.bytes) else { return [] }
        return [
            Seed("FuzzSnapshot", "raw-\(name)", [SnapshotInput.Mode.raw.rawValue] + payload),
            Seed("FuzzSnapshot", "repaired-\(name)", [SnapshotInput.Mode.repaired.rawValue] + payload),
            Seed("FuzzSnapshot", "client-\(name)", [SnapshotInput.Mode.client.rawValue] + snapshot.client),
        ]
    }

    private static func checkpointSeeds(_ name: String, _ bytes: [UInt8]) -> [Seed] {
        let half = bytes.count / 2
        let slots = [0, half].map { start in
            let slot = Array(bytes[start..<start + half])
            return Array(slot.prefix(min(half, 96 + Int(DecoderInputs.Bytes.number(slot, at: 72, count: 4)))))
        }
        var seeds: [Seed] = []
        for (number, slot) in slots.enumerated() {
            for mode in [CheckpointInput.Mode.raw, .repaired, .known] {
                seeds.append(Seed("FuzzCheckpoint", "\(mode)-\(name)-\(number)", [mode.rawValue] + slot))
            }
        }
        let length = min(slots[0].count, slots[1].count)
        let file = slots[0].prefix(length) + slots[1].prefix(length)
        seeds.append(Seed("FuzzCheckpoint", "file-\(name)", [CheckpointInput.Mode.file.rawValue] + file))
        return seeds
    }

    /// All of it, as the files of an input's own bytes, where that is not too long.
    private static func directorySeed(_ shape: String, _ directory: LogDirectory) -> [Seed] {
        let names = directory.names.filter { $0.hasSuffix(".seg") || $0 == "checkpoint" || $0 == "settings" }
        guard names.count < 8 else { return [] }
        var input: [UInt8] = [0, 0, 1, UInt8(names.count)]
        for name in names {
            guard let number = FileName.byte(of: name), let bytes = directory.bytes(name) else { return [] }
            let pieces = pieces(of: bytes)
            guard pieces.count < 64, bytes.count / 4096 < 16 else { return [] }
            input += [number, UInt8(bytes.count / 4096), UInt8(pieces.count)]
            for piece in pieces {
                input += DecoderInputs.Bytes.encoded(UInt64(piece.lowerBound), count: 2)
                input += DecoderInputs.Bytes.encoded(UInt64(piece.count), count: 2) + bytes[piece]
            }
        }
        return input.count < 8192 ? [Seed("FuzzDirectory", "real-\(shape)", input)] : []
    }

    /// What is not zero, with gaps of up to 16 zeros.
    private static func pieces(of bytes: [UInt8]) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        for (place, byte) in bytes.enumerated() where byte != 0 {
            if let last = pieces.last, place - last.upperBound <= 16 {
                pieces[pieces.count - 1] = last.lowerBound..<place + 1
            } else {
                pieces.append(place..<place + 1)
            }
        }
        return pieces
    }
}
