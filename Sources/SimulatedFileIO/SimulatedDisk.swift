internal import FileIO
internal import Glibc

/// A disk in memory that can lose power: what a reader sees now (the live image), what would survive a power cut for
/// sure (the durable image), and every change between the two (``pendingOperations``).
///
/// Each submitted write, buffered write, size and directory entry is durable by itself, or not. ``crashed(keeping:)``
/// gives the disk after a power cut that kept any legal subset of the pending changes; ``killed(keeping:)`` the one after
/// the end of the process, where the page cache lives on.
///
/// Contents are kept in pages that all copies share, so a clone costs a few dictionaries, and ``stateHash`` is kept up
/// page by page: a sweep can look at tens of thousands of states a second.
///
/// Not thread-safe: a disk, its file systems and its ``SimulatedRuntime`` belong to one thread. Other disks may be used
/// by other threads at the same time, also clones of this one.
public final class SimulatedDisk: @unchecked Sendable {
    /// What kind of disk it is. May be changed while it is used.
    public struct Options: Sendable {
        /// What a torn write is torn into: 512 or 4096.
        public var sectorBytes = 512
        /// A sector can be half new and half old.
        public var tearsInsideSectors = false
        /// A rename can leave the old name beside the new one.
        public var renamesCanLeaveBothNames = false
        /// Syncs and durable writes succeed and make nothing durable. A harness that stays green on such a disk is broken.
        public var liesAboutSync = false
        /// ENOSPC beyond so many allocated bytes (``SimulatedDisk/allocatedBytes()``); nil for no limit.
        public var capacityBytes: UInt64?
        /// Without it, opening a file with ``WriteMethod/directSynced`` fails with EINVAL.
        public var supportsDirectWrites = true
        public var logicalBlockBytes = 512
        public var fileSystemName = "simulated"
        public var isNetwork = false
        /// Operations that change nothing are counted, traced and shown to ``SimulatedDisk/beforeOperation`` too.
        public var countsReads = false

        public init() {}
    }

    /// One operation, as ``beforeOperation`` sees it.
    public struct OperationRecord: Sendable, Equatable, CustomStringConvertible {
        /// Counted from 0, without gaps.
        public var ordinal: Int
        public var operation: SimulatedOperation
        public var path: String
        /// Bytes of the file that it reads or writes, or the new size as `0..<size`.
        public var range: Range<UInt64>?

        public var description: String {
            "\(ordinal) \(operation.rawValue) \(path)" + (range.map { " \($0)" } ?? "")
        }
    }

    public var options: Options
    /// The scripted failures. A crashed, killed or cloned disk has none.
    public var faults = FaultScript()

    /// Called before each counted operation changes anything, so that one run shows every crash point: clone or crash
    /// the disk in it, or ``halt()`` it. It must not use the file system.
    public var beforeOperation: ((OperationRecord) -> Void)?

    /// Counted operations so far.
    public internal(set) var operationCount = 0
    /// Over all counted operations: kind, path, range and bytes written. Equal in two runs that did the same.
    public internal(set) var traceHash: UInt64 = 0
    /// See ``halt()``.
    public private(set) var isHalted = false

    /// Changes that are not durable yet, in the order in which they were made.
    public internal(set) var pendingOperations: [PendingOperation] = []

    var live = DiskImage()
    var durable = DiskImage()
    /// Files whose live image shows bytes that are neither durable nor pending, since a sync failed.
    var diverged: Set<UInt64> = []
    /// When each file was last written, cut or made, by inode, whether or not that change is durable: no fsync is
    /// promised to keep a time, and no crash to undo it. Left out of the hashes, so that equal contents stay equal.
    var modificationTimes: [UInt64: UInt64] = [:]
    /// The wall clock of the runtime that came last; nil before there is one.
    var wallClock: (() -> UInt64)?
    var nextInode: UInt64 = DiskImage.root + 1
    var nextOperationID = 1
    var handleCounts: [UInt64: Int] = [:]
    /// Holder of each locked directory: the file system, which stands for a process, and the open directory.
    var locks: [UInt64: (process: ObjectIdentifier, directory: ObjectIdentifier)] = [:]
    private var haltOrdinal = Int.max

    /// An empty disk: a root directory, `/`.
    public init(_ options: Options = Options()) {
        self.options = options
    }

    // MARK: Crashing

    /// The same disk again, pending changes included. Open files, locks, faults and hooks do not come along.
    public func clone() -> SimulatedDisk {
        let copy = SimulatedDisk(options)
        copy.pendingOperations = pendingOperations
        copy.live = live
        copy.durable = durable
        copy.diverged = diverged
        copy.modificationTimes = modificationTimes
        copy.nextInode = nextInode
        copy.nextOperationID = nextOperationID
        return copy
    }

    /// The disk after a power cut that kept `choice` of the pending changes: live and durable are the same.
    ///
    /// What a kept change stands on is kept with it: earlier sizes of the same file (the size is one field), and earlier
    /// changes of the same names of a directory. Data of any file survives in any order.
    public func crashed(keeping choice: CrashChoice) -> SimulatedDisk {
        let survivor = SimulatedDisk(options)
        survivor.nextInode = nextInode
        survivor.modificationTimes = modificationTimes
        survivor.nextOperationID = nextOperationID
        var image = durable
        var touched: Set<UInt64> = []
        for (operation, part) in zip(pendingOperations, keptParts(choice)) where part != .nothing {
            image.apply(operation.effect, keeping: part, sectorBytes: options.sectorBytes)
            if let inode = operation.inode { touched.insert(inode) }
        }
        for inode in touched { image.files[inode]?.discardBehindSize() }
        image.removeUnreachable()
        survivor.live = image
        survivor.durable = image
        return survivor
    }

    /// The disk after the end of the process: the live image is as it was, and what was pending is pending. Submitted
    /// writes that were in flight are whole, torn or absent as `choice` says, and not durable.
    public func killed(keeping choice: CrashChoice = .everything) -> SimulatedDisk {
        let survivor = clone()
        survivor.resolveInFlight(choice, of: nil)
        survivor.live.removeUnreachable()
        return survivor
    }

    /// Ends everything at this point: each operation from now on throws EIO and changes nothing, and no completion is
    /// called any more.
    public func halt() {
        isHalted = true
    }

    /// Halts before the operation with this ordinal.
    public func halt(beforeOperation ordinal: Int) {
        haltOrdinal = ordinal
    }

    // MARK: State

    /// Over names, sizes and contents of the durable image.
    public var durableHash: UInt64 { durable.hash }

    /// Over names, sizes and contents of the live image.
    public var liveHash: UInt64 { live.hash }

    /// Over both images. Two crashed disks with one hash hold the same.
    public var stateHash: UInt64 { Mixing.mix(durable.hash, live.hash) }

    /// What `du` says of the live image: 4096 for each directory, and each file's allocated bytes in units of 4096.
    /// Unlinked files count while they are open.
    public func allocatedBytes() -> UInt64 {
        live.allocatedBytes
    }

    /// The part of each pending operation that survives, with what the kept ones stand on.
    private func keptParts(_ choice: CrashChoice) -> [KeptPart] {
        var parts = pendingOperations.map { choice[$0.id] }
        var sizeKept: Set<UInt64> = []
        var namesKept: [UInt64: Set<String>] = [:]
        for index in parts.indices.reversed() {
            let operation = pendingOperations[index]
            if let directory = operation.directory {
                let names = operation.names
                let isNeeded = namesKept[directory].map { !$0.isDisjoint(with: names) } ?? false
                if isNeeded && parts[index] == .nothing { parts[index] = .whole }
                if parts[index] != .nothing { namesKept[directory, default: []].formUnion(names) }
            } else if operation.isSize, let inode = operation.inode {
                if parts[index] != .nothing { sizeKept.insert(inode) }
                if sizeKept.contains(inode) { parts[index] = .whole }
            }
        }
        return parts
    }

    // MARK: Operations

    /// Begins one operation: shows it, counts it, and lets a fault strike. Throws EIO on a halted disk. A fault that
    /// fails the operation is for the caller to carry out and throw.
    func begin(
        _ operation: SimulatedOperation, _ path: @autoclosure () -> String, range: Range<UInt64>? = nil,
        written: UInt64 = 0, errorAs reported: FileError.Operation
    ) throws(FileError) -> Fault? {
        guard !isHalted else { throw FileError(reported, path: path(), errno: EIO) }
        if !operation.isReadOnly || options.countsReads {
            let path = path()
            if operationCount >= haltOrdinal { halt() }
            if !isHalted {
                let record = OperationRecord(ordinal: operationCount, operation: operation, path: path, range: range)
                beforeOperation?(record)
            }
            guard !isHalted else { throw FileError(reported, path: path, errno: EIO) }
            operationCount += 1
            traceHash = Mixing.mix(traceHash, Mixing.hash(operation.rawValue))
            traceHash = Mixing.mix(traceHash, Mixing.hash(path))
            if let range { traceHash = Mixing.mix(traceHash, Mixing.mix(range.lowerBound, range.upperBound)) }
            traceHash = Mixing.mix(traceHash, written)
        }
        return faults.strike(operation, path(), range)
    }

    func addPending(
        _ path: String, _ effect: PendingOperation.Effect, submission: PendingOperation.Submission? = nil
    ) {
        pendingOperations.append(
            PendingOperation(id: nextOperationID, path: path, effect: effect, submission: submission))
        nextOperationID += 1
        switch effect {
        case .write(let inode, _, _), .size(let inode, _, _, _): noteModification(of: inode)
        case .add(_, _, let entry): noteModification(of: entry.inode)
        case .remove, .rename: break
        }
    }

    func noteModification(of inode: UInt64) {
        modificationTimes[inode] = wallClock?() ?? 0
    }
}
