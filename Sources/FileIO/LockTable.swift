/// The directories that this process holds locked, by (device, inode).
///
/// `flock` belongs to the open file description: two descriptors that came from one `open` share it, and a child that
/// inherited one keeps it. This table keeps a second opener in the same process out in every case.
final class LockTable: @unchecked Sendable {
    static let shared = LockTable()

    struct Key: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private let lock = Lock()
    private var held: Set<Key> = []

    /// False when it is there already.
    func insert(_ key: Key) -> Bool {
        lock.withLock { held.insert(key).inserted }
    }

    func remove(_ key: Key) {
        lock.withLock { _ = held.remove(key) }
    }
}
