package import FileIO
package import LogFormat

/// What lies in a log's directory, by name and, where it was looked at, by identity.
package struct LogInventory: Sendable {
    package var segments: [SegmentNumber] = []
    package var temporaries: [String] = []
    package var reserves: Set<Int> = []
    package var setAside: [String] = []
    package var reports: [String] = []
    package var foreign: [String] = []
    package var hasCheckpoint = false

    package init(_ directory: any StorageDirectory) throws(FileError) {
        for name in try directory.list() {
            switch FileNames.kind(of: name) {
            case .segment(let number): segments.append(number)
            case .temporary: temporaries.append(name)
            case .reserve(let index): reserves.insert(index)
            case .checkpoint: hasCheckpoint = true
            case .setAside: setAside.append(name)
            case .report: reports.append(name)
            case .pid: break
            case .settings: break
            case .foreign: foreign.append(name)
            }
        }
        segments.sort()
    }

    /// Of one file that is looked at alone: itself, where its name is a segment's.
    package init(only name: String) {
        if case .segment(let number) = FileNames.kind(of: name) { segments = [number] } else { foreign = [name] }
    }

    /// Nothing here was ever a log: at most settings and files under spare names, from a creation that a crash cut short.
    package var isVirgin: Bool {
        segments.isEmpty && !hasCheckpoint && setAside.isEmpty && reports.isEmpty
            && reserves.isEmpty
    }
}

/// A segment file that was opened and looked at.
final class ScannedSegment {
    let number: SegmentNumber
    let file: any StorageFile
    let status: FileStatus
    /// The valid copies of its identity.
    let copies: [IdentityBlock]
    /// The disk did not give one of the copies.
    let isIdentityUnread: Bool
    var life: SegmentLife?
    /// The sync at recovery failed: what lies beyond the proven position is not known to be durable.
    var syncFailed = false
    /// No valid header begins at or behind this place, as the survey found. nil: not surveyed, or not to the end.
    var headersEnd: UInt64?

    /// Set where replay begins.
    var surveyed: SegmentWindow?

    /// It is of this log, or may be, and what it holds was not all seen: frames, or a copy of its identity, which may be the newer one.
    var hidesFrames: Bool { (headersEnd == nil || isIdentityUnread) && (life != nil || identity == nil) }

    init(
        number: SegmentNumber, file: any StorageFile, status: FileStatus, copies: [IdentityBlock],
        isIdentityUnread: Bool
    ) {
        self.number = number
        self.file = file
        self.status = status
        self.copies = copies
        self.isIdentityUnread = isIdentityUnread
        identity = copies.max { $0.opening.epoch < $1.opening.epoch }
        life = copies.first?.life
    }

    /// nil when neither copy is valid; the life may be known all the same. Copies differ where the power went while an unused segment
    /// was made one that begins an epoch: nothing of that is written yet, but what it cuts off was never acknowledged.
    let identity: IdentityBlock?

    /// Both are valid, and equal.
    var hasBothCopies: Bool { copies.count == 2 && copies[0] == copies[1] }

    /// As its identity says; else a size that a segment can have, whatever somebody has made of the file.
    var segmentBytes: UInt64 {
        let multiple = Int(FormatConstants.segmentBytesMultiple)
        let size = identity?.segmentBytes ?? SpaceBudget.roundUp(min(status.size, 1 << 40), to: multiple)
        return min(max(size, FormatConstants.minimumSegmentBytes), UInt64(SpaceBudget.largestSegmentBytes))
    }

    /// Frames can be looked for up to here.
    var readableEnd: UInt64 { min(segmentBytes, status.size) }

    /// Its frames can be served though its own identity is gone: this one, which follows it, knows its salt.
    func lifeOfPredecessor(_ number: SegmentNumber, _ logUUID: LogUUID) -> SegmentLife? {
        guard let identity, identity.logUUID == logUUID, identity.predecessor == number else { return nil }
        return SegmentLife(logUUID: logUUID, salt: identity.predecessorSalt, segment: number)
    }

    func window(remembering bytes: Int = 0) -> SegmentWindow? {
        life.map { SegmentWindow(file: file, life: $0, end: readableEnd, source: .device, remembering: bytes) }
    }

    /// The survey's window, with what replay goes over next, if all was well with it; it is given away.
    func takeSurveyed() -> SegmentWindow? {
        defer { surveyed = nil }
        return surveyed
    }

    /// Whether there is anything behind the identity, or may be: a segment that was prepared and never used holds zeros, if
    /// its file is a new one. One that is not longer than its identity was cut by somebody.
    var holdsAnything: Bool {
        guard readableEnd > UInt64(SpaceBudget.identityBytes) else { return true }
        let buffer = AlignedBuffer(byteCount: 1 << 20)
        var offset = UInt64(SpaceBudget.identityBytes)
        while offset < readableEnd {
            guard
                let count = try? file.read(
                    into: buffer, at: 0, count: Int(min(UInt64(buffer.byteCount), readableEnd - offset)), from: offset,
                    source: .device), count > 0, buffer.bytes.extracting(0..<count).isZero(0..<count)
            else { return true }
            offset += UInt64(count)
        }
        return false
    }

    /// Opens a segment and reads its identity.
    static func open(
        _ number: SegmentNumber, in directory: any StorageDirectory, source: ReadSource = .device
    ) throws(LogError) -> ScannedSegment {
        let name = FileNames.segment(number)
        do throws(FileError) {
            let file = try directory.open(name, for: .reading)
            let status = try file.status()
            let buffer = AlignedBuffer(byteCount: SpaceBudget.identityBytes)
            var copies: [IdentityBlock] = []
            var isUnread = false
            for copy in 0..<2 {
                // Each copy by itself: one unreadable sector must not take both.
                guard
                    let count = try? file.read(
                        into: buffer, at: 0, count: IdentityBlock.byteCount,
                        from: UInt64(copy * IdentityBlock.byteCount), source: source)
                else {
                    isUnread = true
                    continue
                }
                do throws(FormatError) {
                    copies.append(try IdentityBlock(decoding: buffer.bytes.extracting(0..<count)))
                } catch {
                    if error.isNewer {
                        throw FileError(.open, path: name, errno: 0, reason: .unsupported)
                    }
                }
            }
            return ScannedSegment(
                number: number, file: file, status: status, copies: copies, isIdentityUnread: isUnread)
        } catch {
            if error.reason == .unsupported && error.errno == 0 {
                throw LogError(
                    .newerVersion,
                    "\(name) in \(directory.path) was written by a newer version or with a feature that this version does "
                        + "not know; nothing was touched; use the version that wrote it")
            }
            throw .file(error, "segment \(name) in \(directory.path) cannot be opened")
        }
    }
}
