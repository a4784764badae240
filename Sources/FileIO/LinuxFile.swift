internal import CLinux
internal import Glibc

/// ``StorageFile`` over one or two descriptors.
///
/// A direct file has two: one with O_DIRECT | O_DSYNC, through which events are written, and one through the page cache,
/// for reads from the cache (any alignment, and read-ahead) and for pre-writing. The two agree: the kernel drops the
/// cached pages of a range that is written directly. For every other file `cached` is the same descriptor.
///
/// A third one, O_DIRECT and read-only, is opened by the first read from the device.
final class LinuxFile: StorageFile, @unchecked Sendable {
    let name: String
    let writeMethod: WriteMethod
    let path: String
    private let descriptor: Int32
    let cached: Int32
    private let gate = DescriptorGate()
    private let state = Lock()
    /// Under `state`. -1: not asked yet, `Int32.min`: this file system has none.
    private var direct: Int32 = -1
    /// Under `state`: pages of pre-written zeros lie in the cache of a file that is written around it.
    private var hasPrewrittenPages = false

    init(name: String, path: String, method: WriteMethod, descriptor: Int32, cached: Int32) {
        self.name = name
        self.path = path
        self.writeMethod = method
        self.descriptor = descriptor
        self.cached = cached
    }

    deinit {
        // An error of close belongs to whoever asks for it by calling close().
        try? close()
    }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        precondition(
            bufferOffset >= 0 && count >= 0 && count <= buffer.byteCount - bufferOffset,
            "the read is outside of the buffer")
        return try call(.read) { () throws(FileError) in
            let target = unsafe buffer.base + bufferOffset
            switch source {
            case .cache: return unsafe try read(target, count, from: offset)
            case .device: return unsafe try readFromDevice(target, count, from: offset)
            }
        }
    }

    func prefetch(_ range: Range<UInt64>) {
        // A length of 0 would be all of the file.
        guard !range.isEmpty, range.upperBound <= UInt64(Int64.max) else { return }
        try? call(.read) { () throws(FileError) in
            _ = linux_prefetch(cached, range.lowerBound, range.upperBound - range.lowerBound)
        }
    }

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) {
        do throws(FileError) {
            try call(.write) { () throws(FileError) in
                try writeAll(buffer, count, at: offset)
                guard writeMethod == .writeThenSync else { return }
                let failure = linux_sync_data(descriptor)
                guard failure == 0 else { throw error(.synchronize, -failure) }
            }
        } catch {
            completion(error)
            return
        }
        completion(nil)
    }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
        try call(.write) { () throws(FileError) in try writeAll(buffer, count, at: offset) }
    }

    func synchronize() throws(FileError) {
        try call(.synchronize) { () throws(FileError) in
            let failure = linux_sync_data(descriptor)
            guard failure == 0 else { throw error(.synchronize, -failure) }
            let mayDrop = state.withLock { () -> Bool in
                defer { hasPrewrittenPages = false }
                return hasPrewrittenPages
            }
            // So that the direct writes to come find no pages to invalidate. Only a hint: its answer is of no interest.
            if mayDrop { _ = linux_drop_cache(cached, 0, 0) }
        }
    }

    func truncate(to size: UInt64) throws(FileError) {
        try call(.truncate) { () throws(FileError) in
            guard size <= Int64.max else { throw error(.truncate, EFBIG) }
            var failure: Int32
            repeat { failure = linux_truncate(descriptor, size) } while failure == -EINTR
            guard failure == 0 else { throw error(.truncate, -failure) }
        }
    }

    /// As documented in ``StorageFile``. Zeros are really written: `fallocate` alone leaves extents marked as unwritten, and
    /// turning them into written ones later is the change of metadata that pre-writing is there to avoid. For a direct file
    /// they go around the page cache: a sync of many dirty pages at once would keep the device from everything else.
    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        try call(.prewrite) { () throws(FileError) in
            let sizeBefore = try currentStatus(.prewrite).size
            do throws(FileError) {
                try writeZeros(range)
            } catch {
                // What it grew by is given back, so that a full disk leaves the file as it was.
                if error.reason == .noSpace && range.upperBound > sizeBefore {
                    _ = linux_truncate(cached, sizeBefore)
                }
                throw error
            }
        }
    }

    func status() throws(FileError) -> FileStatus {
        try call(.status) { () throws(FileError) in try currentStatus(.status) }
    }

    func close() throws(FileError) {
        try gate.close { () throws(FileError) in
            let direct = state.withLock { self.direct }
            if direct >= 0 { _ = linux_close(direct) }
            // Both are closed, and the first error counts: pre-writing went through one, events through the other.
            var failure = linux_close(descriptor)
            if cached != descriptor {
                let second = linux_close(cached)
                if failure == 0 { failure = second }
            }
            guard failure == 0 else { throw error(.close, -failure) }
        }
    }

    private func writeAll(_ buffer: AlignedBuffer, _ count: Int, at offset: UInt64) throws(FileError) {
        precondition(count >= 0 && count <= buffer.byteCount, "the write is longer than its buffer")
        if writeMethod == .directSynced {
            precondition(count % 512 == 0 && offset % 512 == 0, "a direct write of \(count) bytes at \(offset)")
        }
        try unsafe write(.write, buffer.base, count, at: offset, to: descriptor, isDirect: writeMethod == .directSynced)
    }

    /// Writes all of it, going on after interrupted and short writes.
    private func write(
        _ operation: FileError.Operation, _ bytes: UnsafeMutableRawPointer, _ count: Int, at offset: UInt64,
        to descriptor: Int32, isDirect: Bool
    ) throws(FileError) {
        guard offset <= UInt64(Int64.max) - UInt64(count) else { throw error(operation, EFBIG) }
        var done = 0
        while done < count {
            let put = unsafe linux_write(descriptor, bytes + done, count - done, offset + UInt64(done))
            if put == Int64(-EINTR) { continue }
            guard put >= 0 else { throw error(operation, Int32(truncatingIfNeeded: -put)) }
            done += Int(put)
            // The rest of a block cannot be written directly, and the whole block must not be written again.
            guard put > 0, done == count || !isDirect || done % 512 == 0 else {
                throw FileError(operation, path: path, errno: 0, reason: .noProgress)
            }
        }
    }

    private func writeZeros(_ range: Range<UInt64>) throws(FileError) {
        let block = UInt64(AlignedBuffer.alignment)
        let isAligned = range.lowerBound % block == 0 && range.upperBound % block == 0
        if writeMethod == .directSynced, isAligned, !range.isEmpty {
            // Without O_DSYNC: one sync behind all of it is enough.
            let direct = linux_reopen(cached, LINUX_OPEN_WRITE | LINUX_OPEN_DIRECT)
            if direct >= 0 {
                defer { _ = linux_close(direct) }
                return try writeZeros(range, to: direct, isDirect: true)
            }
        }
        if writeMethod == .directSynced { state.withLock { hasPrewrittenPages = true } }
        try writeZeros(range, to: cached, isDirect: false)
    }

    private func writeZeros(_ range: Range<UInt64>, to descriptor: Int32, isDirect: Bool) throws(FileError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(Zeros.byteCount, Int(clamping: range.upperBound - offset))
            try unsafe write(.prewrite, Zeros.shared.base, count, at: offset, to: descriptor, isDirect: isDirect)
            offset += UInt64(count)
        }
    }

    func currentStatus(_ operation: FileError.Operation) throws(FileError) -> FileStatus {
        var found = linux_status_t()
        let failure = unsafe linux_status(descriptor, &found)
        guard failure == 0 else { throw error(operation, -failure) }
        return FileStatus(found)
    }

    /// The descriptor for reads around the cache; nil where the file system has no O_DIRECT.
    func directDescriptor() -> Int32? {
        state.withLock {
            if direct == -1 {
                let opened = linux_reopen(descriptor, LINUX_OPEN_DIRECT)
                // Out of descriptors is not an answer about the file system: ask again next time.
                direct = opened >= 0 ? opened : opened == -EMFILE || opened == -ENFILE ? -1 : Int32.min
            }
            return direct >= 0 ? direct : nil
        }
    }

    private func call<R>(
        _ operation: FileError.Operation, _ body: () throws(FileError) -> R
    ) throws(FileError) -> R {
        guard let done = try gate.pass(body) else { throw error(operation, EBADF) }
        return done
    }

    func error(_ operation: FileError.Operation, _ errno: Int32) -> FileError {
        FileError(operation, path: path, errno: errno)
    }
}

/// One MiB of zeros, only ever read.
private enum Zeros {
    static let byteCount = 1 << 20
    static let shared = AlignedBuffer(byteCount: byteCount)
}
