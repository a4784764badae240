internal import FileIO

/// A change that was made and is not durable yet: after a power cut it may be there, be absent or, if it is a write of
/// bytes, be there in part.
///
/// Data, size and name of a file are separate changes: writing past the end of a new file gives three of them.
public struct PendingOperation: Sendable, Identifiable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Bytes of a file, whatever its size is.
        case write(Range<UInt64>)
        case size(from: UInt64, to: UInt64)
        case create(name: String)
        case remove(name: String)
        case rename(from: String, to: String)
    }

    /// Increasing in the order in which the changes were made; the same in every run from one seed.
    public let id: Int
    /// Path of the file, or of the directory whose entry changes, when the change was made.
    public let path: String
    /// True for a submitted write whose completion has not been called (and for the growth that comes with it). The
    /// live image does not show it yet.
    public var isInFlight: Bool { submission != nil }

    public var kind: Kind {
        switch effect {
        case .write(_, let bytes, let offset): .write(offset..<offset + UInt64(bytes.count))
        case .size(_, let from, let to, _): .size(from: from, to: to)
        case .add(_, let name, _): .create(name: name)
        case .remove(_, let name): .remove(name: name)
        case .rename(_, let oldName, let newName, _): .rename(from: oldName, to: newName)
        }
    }

    public var description: String {
        let flight = isInFlight ? " (in flight)" : ""
        return switch kind {
        case .write(let range): "#\(id) write \(path) \(range)\(flight)"
        case .size(let from, let to): "#\(id) size \(path) \(from) -> \(to)\(flight)"
        case .create(let name): "#\(id) create \(name) in \(path)"
        case .remove(let name): "#\(id) remove \(name) in \(path)"
        case .rename(let from, let to): "#\(id) rename \(from) -> \(to) in \(path)"
        }
    }

    /// The change itself, complete, so that it can be applied to any earlier image.
    enum Effect: Sendable {
        case write(inode: UInt64, WrittenBytes, offset: UInt64)
        /// Growth never makes a file smaller: of two in-flight writes the one nearer to the end may complete first.
        case size(inode: UInt64, from: UInt64, to: UInt64, isGrowth: Bool)
        case add(directory: UInt64, name: String, DirectoryEntry)
        case remove(directory: UInt64, name: String)
        case rename(directory: UInt64, from: String, to: String, DirectoryEntry)
    }

    /// Which submitted write a change belongs to.
    struct Submission: Sendable, Equatable {
        var id: Int
        var owner: ObjectIdentifier
    }

    var effect: Effect
    var submission: Submission?

    init(id: Int, path: String, effect: Effect, submission: Submission? = nil) {
        self.id = id
        self.path = path
        self.effect = effect
        self.submission = submission
    }

    /// The file whose bytes or size change; nil for a change of a directory.
    var inode: UInt64? {
        switch effect {
        case .write(let inode, _, _), .size(let inode, _, _, _): inode
        case .add, .remove, .rename: nil
        }
    }

    var isSize: Bool {
        if case .size = effect { true } else { false }
    }

    /// The directory that changes; nil for a change of a file.
    var directory: UInt64? {
        switch effect {
        case .write, .size: nil
        case .add(let directory, _, _), .remove(let directory, _), .rename(let directory, _, _, _): directory
        }
    }

    /// The names in a directory that the change is about.
    var names: [String] {
        switch effect {
        case .write, .size: []
        case .add(_, let name, _), .remove(_, let name): [name]
        case .rename(_, let oldName, let newName, _): [oldName, newName]
        }
    }

    /// The file or directory that a name would lead to if the change survives.
    var namedInode: UInt64? {
        switch effect {
        case .add(_, _, let entry), .rename(_, _, _, let entry): entry.inode
        case .write, .size, .remove: nil
        }
    }

    /// How many sectors a write touches; 0 for everything else.
    public func sectorCount(sectorBytes: Int) -> Int {
        guard case .write(let range) = kind, !range.isEmpty else { return 0 }
        return Int((range.upperBound - 1) / UInt64(sectorBytes) - range.lowerBound / UInt64(sectorBytes)) + 1
    }
}

/// The bytes of a write; zeros are not stored.
enum WrittenBytes: Sendable {
    case data([UInt8])
    case zeros(Int)

    var count: Int {
        switch self {
        case .data(let bytes): bytes.count
        case .zeros(let count): count
        }
    }

    /// The part of them that lies at `range`, counted from the first byte.
    func extracting(_ range: Range<Int>) -> WrittenBytes {
        switch self {
        case .data(let bytes): .data(Array(bytes[range]))
        case .zeros: .zeros(range.count)
        }
    }
}

/// How much of one pending operation survives.
public enum KeptPart: Sendable, Hashable, CustomStringConvertible {
    case nothing
    case whole
    /// Of a write, these sectors, counted from the first one that it touches. Other operations: whole.
    case sectors([Range<Int>])
    /// Of a write, all sectors before this one, and the first half of what it writes in this one. Other operations: whole.
    case tornInside(sector: Int)
    /// Of a rename, the new name, without the loss of the old one. Other operations: whole.
    case bothNames

    public var description: String {
        switch self {
        case .nothing: "lost"
        case .whole: "kept"
        case .sectors(let ranges):
            "sectors " + ranges.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: ",")
        case .tornInside(let sector): "torn inside sector \(sector)"
        case .bothNames: "both names"
        }
    }
}
