/// The operations of a simulated disk, as counted, traced and made to fail.
public enum SimulatedOperation: String, Sendable, CaseIterable {
    case open, create, read, write, submit, complete, synchronize, truncate, prewrite, close
    case rename, unlink, list, status, lock, makeDirectory, openDirectory, synchronizeDirectory, volume

    /// These change nothing, and are counted only when ``SimulatedDisk/Options/countsReads`` is set.
    public var isReadOnly: Bool {
        switch self {
        case .open, .read, .list, .status, .lock, .openDirectory, .volume: true
        default: false
        }
    }
}

/// A scripted failure, or delay, of one kind of operation.
public struct Fault: Sendable {
    /// The files it is for, by name without the directory. A directory operation goes by the name that it is about,
    /// one without a name by the directory's own.
    public enum Target: Sendable {
        case anything
        case name(String)
        case prefix(String)
        case suffix(String)
        case matching(@Sendable (String) -> Bool)

        func matches(_ name: String) -> Bool {
            switch self {
            case .anything: true
            case .name(let expected): name == expected
            case .prefix(let prefix): name.hasPrefix(prefix)
            case .suffix(let suffix): name.hasSuffix(suffix)
            case .matching(let predicate): predicate(name)
            }
        }
    }

    /// What a failed write or sync leaves behind.
    public enum Outcome: Sendable, Equatable {
        /// Nothing of it. For `synchronize`: the page cache goes on showing the new bytes, the disk has the old ones,
        /// and the next sync has nothing left to do and succeeds, as on ext4, xfs and btrfs.
        case absent
        /// All of it, in spite of the error.
        case whole
        /// Of a submitted or buffered write, this part. Of a sync, the first half of what was pending.
        case torn(KeptPart)
    }

    /// For ``count``: never ends.
    public static let forever = Int.max

    public var operation: SimulatedOperation
    public var target: Target
    /// Only operations that touch these bytes of the file.
    public var range: Range<UInt64>?
    /// So many matching operations succeed first.
    public var skipping: Int
    /// So many fail then.
    public var count: Int
    /// The number that the kernel would give; 0 for no failure (a delay only).
    public var errno: Int32
    public var outcome: Outcome
    /// Virtual time that the operation takes.
    public var delay: UInt64

    public init(
        _ operation: SimulatedOperation, errno: Int32, on target: Target = .anything, range: Range<UInt64>? = nil,
        skipping: Int = 0, count: Int = 1, outcome: Outcome = .absent, delay: UInt64 = 0
    ) {
        self.operation = operation
        self.errno = errno
        self.target = target
        self.range = range
        self.skipping = skipping
        self.count = count
        self.outcome = outcome
        self.delay = delay
    }
}

/// The faults of a disk, in the order in which they were added; the first one that matches strikes.
public struct FaultScript: Sendable {
    private var faults: [Fault] = []
    /// How many operations were struck so far.
    public private(set) var strikes = 0

    public init() {}

    public mutating func add(_ fault: Fault) {
        faults.append(fault)
    }

    public mutating func removeAll() {
        faults = []
    }

    /// The fault for this operation, counted as used; nil when it is to succeed.
    mutating func strike(
        _ operation: SimulatedOperation, _ path: @autoclosure () -> String, _ range: Range<UInt64>?
    ) -> Fault? {
        for index in faults.indices where faults[index].operation == operation {
            let fault = faults[index]
            guard fault.count > 0 else { continue }
            if let wanted = fault.range, !wanted.overlaps(range ?? 0..<UInt64.max) { continue }
            guard fault.target.matches(Self.name(path())) else { continue }
            if fault.skipping > 0 {
                faults[index].skipping -= 1
                continue
            }
            if fault.count != Fault.forever { faults[index].count -= 1 }
            strikes += 1
            return fault
        }
        return nil
    }

    private static func name(_ path: String) -> String {
        let slash = UInt8(ascii: "/")
        guard path.utf8.last != slash, let last = path.utf8.lastIndex(of: slash) else {
            return DiskImage.components(of: path).last ?? path
        }
        return String(path[path.utf8.index(after: last)...])
    }
}
