/// The seam between the engine and the world: directories and files. The clock, randomness, waiting and background work
/// are the other half of it (``Runtime``).
///
/// Everything above this module reaches the kernel only through these protocols, so the same engine code runs on Linux
/// (``LinuxFileSystem``) and on a simulated disk that can lose power at any operation. Idea and size of the seam:
/// raft-wal's `types.VFS`, Pebble's `vfs.FS`.
///
/// All calls may be made from any thread. All of them block, and all of them throw ``FileError``.
public protocol FileSystem: AnyObject, Sendable {
    /// Makes a directory (0700) and its missing parents. On return each directory that was made, and its name in its
    /// parent, is durable. An existing directory is left as it is.
    func makeDirectory(at path: String) throws(FileError)

    /// Opens an existing directory; a file or a link under that name is an error. Changes nothing.
    func openDirectory(at path: String) throws(FileError) -> any StorageDirectory
}

/// An open directory. Names are single path components; every operation is relative to the directory's own descriptor,
/// so renaming the directory, or a link on the way to it, cannot redirect a later call.
public protocol StorageDirectory: AnyObject, Sendable {
    /// The path it was opened with, for messages.
    var path: String { get }

    /// Takes the exclusive lock of this directory for this object: `flock` on its descriptor and an entry in a table of
    /// this process keyed by (device, inode), since `flock` alone would let the same process in twice when a
    /// descriptor is inherited. Returns false when somebody else holds it, true when this object does (asking again
    /// changes nothing). Held until ``close()``, or until the process ends.
    func tryLock() throws(FileError) -> Bool

    /// The names in the directory, sorted, without `.` and `..`. They need not be UTF-8 on disk: a name that is not is
    /// returned with its bad bytes replaced, and no other call will find it.
    func list() throws(FileError) -> [String]

    /// What stands under a name, not following a link; nil when nothing does.
    func status(of name: String) throws(FileError) -> FileStatus?

    /// Opens an existing regular file. Anything else under that name is ``FileError/Reason/wrongKind``; never follows a
    /// link and never blocks on a fifo.
    func open(_ name: String, for access: FileAccess) throws(FileError) -> any StorageFile

    /// Creates a file (0600) that must not exist, open for reading and writing. Its name is durable only after
    /// ``synchronize()``. After an error there is no file.
    func create(_ name: String, method: WriteMethod) throws(FileError) -> any StorageFile

    /// Renames within the directory, replacing what `newName` named. Atomic in view of a crash; durable after
    /// ``synchronize()``.
    func rename(_ oldName: String, to newName: String) throws(FileError)

    /// Removes a name. Durable after ``synchronize()``.
    func unlink(_ name: String) throws(FileError)

    /// `fsync` of the directory: on return every create, rename and unlink so far is durable. After an error nothing
    /// may be assumed about any of them, and the call must not be repeated in the hope of an answer.
    func synchronize() throws(FileError)

    /// How many calls of ``synchronize()`` have failed. The calls are made one at a time, and a failure counts before the next
    /// one begins. Who reads this before it changes a name, and finds it the same when its own sync has succeeded, knows that no
    /// other thread's failure has taken that name with it: the kernel reports a failed write once, to whoever comes first.
    var failedSynchronizations: Int { get }

    /// The file system below: block size, room, and what kind it is.
    func volume() throws(FileError) -> VolumeStatus

    /// Gives up the lock and the descriptor. Later calls throw `EBADF`. Closing twice does nothing.
    func close()
}

/// How a file is to be opened.
public enum FileAccess: Sendable, Equatable {
    case reading
    case writing(WriteMethod)
}

/// How ``StorageFile/submitWrite(_:count:at:completion:)`` makes bytes durable, best first. Which of them a file system
/// offers is found by trying: where it does not, ``StorageDirectory/create(_:method:)`` throws
/// ``FileError/Reason/unsupported``.
public enum WriteMethod: UInt8, Sendable, CaseIterable {
    /// O_DIRECT | O_DSYNC: around the page cache, one device write per call. Needs block-aligned offset, count and
    /// memory.
    case directSynced = 1
    /// O_DSYNC through the page cache.
    case synced = 2
    /// `pwrite`, then `fdatasync`.
    case writeThenSync = 3
}

/// Where a read may be answered from.
public enum ReadSource: Sendable {
    /// The page cache, if it has the bytes.
    case cache
    /// The device. Dirty pages are written back first (which makes nothing durable), then cached pages are dropped or
    /// passed by. What recovery decides on must be read so: after a failed sync the cache shows bytes that the disk
    /// does not have.
    case device
}

/// An open file. Offsets and counts are in bytes.
public protocol StorageFile: AnyObject, Sendable {
    /// The name it was opened under, for messages.
    var name: String { get }

    /// The method with which ``submitWrite(_:count:at:completion:)`` writes; `writeThenSync` for a file opened for
    /// reading.
    var writeMethod: WriteMethod { get }

    /// Reads up to `count` bytes at `offset` into `buffer` at `bufferOffset`. Returns fewer only at the end of the
    /// file. Interrupted and short reads are continued. With ``ReadSource/device`` any offset and count are allowed.
    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int

    /// Says that a range will soon be read with ``ReadSource/cache``, so that the disk may begin with it while the caller does
    /// something else. Only a hint: returns without waiting, and never fails.
    func prefetch(_ range: Range<UInt64>)

    /// Starts a **durable** write of the first `count` bytes of `buffer`. The bytes may reach the disk, whole or in
    /// part, at any time from this call on; they are durable when `completion` is called with nil. Several may be under
    /// way on one file, to disjoint ranges, and they may complete in any order.
    ///
    /// `completion` is called exactly once: before this call returns (Linux: the calling thread does the write) or
    /// later, from any thread (simulation; a ring). The caller holds no lock, and leaves `buffer` alone until then.
    /// Interrupted and short writes are continued; a write of 0 bytes is an error, not a loop.
    /// After an error the bytes on disk are unknown, and **the same bytes must not be written again** to find out.
    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void)

    /// Writes through the page cache (or directly, if so opened: then aligned as for ``WriteMethod/directSynced``). NOT
    /// durable until ``synchronize()`` has returned, and that is the only promise.
    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError)

    /// `fdatasync`: on return all bytes written so far, and the size, are durable. After an error, see
    /// ``submitWrite(_:count:at:completion:)``.
    func synchronize() throws(FileError)

    /// Sets the size. A grown part reads as zeros and has no blocks yet.
    func truncate(to size: UInt64) throws(FileError)

    /// Writes zeros over `range`, so that its blocks are allocated, initialised, and a later write changes no metadata.
    /// Grows the file as needed. Not durable until ``synchronize()``. ENOSPC, EDQUOT and EFBIG come out here.
    func prewrite(_ range: Range<UInt64>) throws(FileError)

    /// Size, links, identity as they are now.
    func status() throws(FileError) -> FileStatus

    /// Closes the descriptor, once the calls under way have returned; later calls throw `EBADF`. An error of `close` is
    /// thrown, the descriptor is gone all the same. Closing twice does nothing.
    func close() throws(FileError)
}

/// What `fstat` says, as far as the engine asks.
public struct FileStatus: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case regular, directory, symbolicLink, other }
    public var kind: Kind
    public var size: UInt64
    /// Bytes that the file takes on the disk.
    public var allocatedBytes: UInt64
    public var linkCount: UInt64
    public var device: UInt64
    public var inode: UInt64
    /// When its bytes or its size were changed last, in nanoseconds since 1970, as exact as the file system keeps it.
    /// Anybody may set it, and clocks are set back: no more than a hint at an order.
    public var modificationTime: UInt64

    public init(
        kind: Kind, size: UInt64, allocatedBytes: UInt64, linkCount: UInt64, device: UInt64, inode: UInt64,
        modificationTime: UInt64
    ) {
        self.kind = kind
        self.size = size
        self.allocatedBytes = allocatedBytes
        self.linkCount = linkCount
        self.device = device
        self.inode = inode
        self.modificationTime = modificationTime
    }
}

/// What `statfs` says, as far as the engine asks.
public struct VolumeStatus: Sendable, Equatable {
    /// The device's logical block: what O_DIRECT must align to, and what one interrupted write cannot spread beyond
    /// by assumption. A power of two, 512 at least.
    public var logicalBlockBytes: Int
    /// Room for an unprivileged writer.
    public var freeBytes: UInt64
    /// `ext4`, `xfs`, `btrfs`, `tmpfs`, `nfs`, ... or the magic number in hexadecimal.
    public var fileSystemName: String
    /// NFS, SMB, Ceph, FUSE network mounts: no lock and no sync there can be trusted.
    public var isNetwork: Bool

    public init(logicalBlockBytes: Int, freeBytes: UInt64, fileSystemName: String, isNetwork: Bool) {
        self.logicalBlockBytes = logicalBlockBytes
        self.freeBytes = freeBytes
        self.fileSystemName = fileSystemName
        self.isNetwork = isNetwork
    }
}
