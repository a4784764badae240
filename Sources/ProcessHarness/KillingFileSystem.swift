public import FileIO
internal import Glibc
internal import Synchronization

/// A ``FileSystem`` whose process ends itself with SIGKILL at one of its storage operations.
///
/// Counted is what changes something or makes it durable, from 0 on: directories made, files created, written, synced, cut and
/// closed, names changed, removed and synced. To try a program of one's own: run it with ever higher numbers until it comes to
/// its end, and look each time at what it left.
public final class KillingFileSystem: FileSystem {
    /// Where in the operation.
    public enum Place: String, Sendable, CaseIterable {
        case before
        /// When half of what is written is written; as `before` where nothing is.
        case halfway
        case after
    }

    private let inner: any FileSystem
    private let trigger: Trigger

    /// - Parameter operation: nil to count only.
    public init(_ inner: any FileSystem, at operation: UInt64?, _ place: Place = .before) {
        self.inner = inner
        trigger = Trigger(operation, place)
    }

    /// As somebody else's `kill -9`, in the middle of whatever the other threads do.
    static func endProcess() -> Never {
        kill(getpid(), SIGKILL)
        while true { pause() }
    }

    /// How many there were so far.
    public var operations: UInt64 { trigger.count.load(ordering: .relaxed) }

    public func makeDirectory(at path: String) throws(FileError) {
        try trigger.around { () throws(FileError) in try inner.makeDirectory(at: path) }
    }

    public func openDirectory(at path: String) throws(FileError) -> any StorageDirectory {
        KillingDirectory(try inner.openDirectory(at: path), trigger)
    }
}

/// Counts, and ends the process when it is time.
private final class Trigger: Sendable {
    let count = Atomic<UInt64>(0)
    private let operation: UInt64?
    private let place: KillingFileSystem.Place

    init(_ operation: UInt64?, _ place: KillingFileSystem.Place) {
        self.operation = operation
        self.place = place
    }

    /// The place, when this is the operation.
    func next() -> KillingFileSystem.Place? {
        count.add(1, ordering: .relaxed).oldValue == operation ? place : nil
    }

    func around<R>(half: () -> Void = {}, _ body: () throws(FileError) -> R) throws(FileError) -> R {
        switch next() {
        case nil: return try body()
        case .before: break
        case .halfway: half()
        case .after: _ = try? body()
        }
        KillingFileSystem.endProcess()
    }
}

private final class KillingDirectory: StorageDirectory {
    private let inner: any StorageDirectory
    private let trigger: Trigger

    init(_ inner: any StorageDirectory, _ trigger: Trigger) {
        self.inner = inner
        self.trigger = trigger
    }

    var path: String { inner.path }
    var failedSynchronizations: Int { inner.failedSynchronizations }
    func tryLock() throws(FileError) -> Bool { try inner.tryLock() }
    func list() throws(FileError) -> [String] { try inner.list() }
    func status(of name: String) throws(FileError) -> FileStatus? { try inner.status(of: name) }
    func volume() throws(FileError) -> VolumeStatus { try inner.volume() }
    func close() { inner.close() }

    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile {
        KillingFile(try inner.open(name, for: access), trigger)
    }

    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile {
        KillingFile(
            try trigger.around { () throws(FileError) in try inner.create(name, method: method) }, trigger)
    }

    func rename(_ oldName: String, to newName: String) throws(FileError) {
        try trigger.around { () throws(FileError) in try inner.rename(oldName, to: newName) }
    }

    func unlink(_ name: String) throws(FileError) {
        try trigger.around { () throws(FileError) in try inner.unlink(name) }
    }

    func synchronize() throws(FileError) { try trigger.around { () throws(FileError) in try inner.synchronize() } }
}

private final class KillingFile: StorageFile {
    private let inner: any StorageFile
    private let trigger: Trigger

    init(_ inner: any StorageFile, _ trigger: Trigger) {
        self.inner = inner
        self.trigger = trigger
    }

    var name: String { inner.name }
    var writeMethod: WriteMethod { inner.writeMethod }
    func prefetch(_ range: Range<UInt64>) { inner.prefetch(range) }
    func status() throws(FileError) -> FileStatus { try inner.status() }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        try inner.read(into: buffer, at: bufferOffset, count: count, from: offset, source: source)
    }

    /// Direct writes need whole blocks.
    private static func half(of count: Int) -> Int { count / 2 / 512 * 512 }

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) {
        guard let place = trigger.next() else {
            return inner.submitWrite(buffer, count: count, at: offset, completion: completion)
        }
        let part = place == .before ? 0 : place == .halfway ? Self.half(of: count) : count
        guard part > 0 else { KillingFileSystem.endProcess() }
        inner.submitWrite(buffer, count: part, at: offset) { _ in KillingFileSystem.endProcess() }
    }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
        let half = {
            let part = Self.half(of: count)
            if part > 0 { try? self.inner.write(buffer, count: part, at: offset) }
        }
        try trigger.around(half: half) { () throws(FileError) in
            try inner.write(buffer, count: count, at: offset)
        }
    }

    func synchronize() throws(FileError) { try trigger.around { () throws(FileError) in try inner.synchronize() } }

    func truncate(to size: UInt64) throws(FileError) {
        try trigger.around { () throws(FileError) in try inner.truncate(to: size) }
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        let half = {
            let end = range.lowerBound + UInt64(Self.half(of: range.count))
            if end > range.lowerBound { try? self.inner.prewrite(range.lowerBound..<end) }
        }
        try trigger.around(half: half) { () throws(FileError) in try inner.prewrite(range) }
    }

    func close() throws(FileError) { try trigger.around { () throws(FileError) in try inner.close() } }
}
