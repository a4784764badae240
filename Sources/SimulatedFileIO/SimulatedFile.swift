internal import FileIO
internal import Glibc

/// An open file of a ``SimulatedDisk``.
///
/// A submitted write is in flight until the ``SimulatedRuntime`` picks it, or not at all if completions are inline. Its
/// bytes show in the live image, and are durable, from its completion on.
final class SimulatedFile: StorageFile, @unchecked Sendable {
    let name: String
    let writeMethod: WriteMethod
    private let path: String
    private let fileSystem: SimulatedFileSystem
    private let inode: UInt64
    private let isWritable: Bool
    private var isClosed = false
    private var disk: SimulatedDisk { fileSystem.disk }

    init(_ fileSystem: SimulatedFileSystem, name: String, path: String, inode: UInt64, access: FileAccess) {
        self.fileSystem = fileSystem
        self.name = name
        self.path = path
        self.inode = inode
        switch access {
        case .reading: (isWritable, writeMethod) = (false, .writeThenSync)
        case .writing(let method): (isWritable, writeMethod) = (true, method)
        }
        fileSystem.disk.retain(inode)
    }

    deinit {
        if !isClosed { disk.release(inode) }
    }

    func read(
        into buffer: AlignedBuffer, at bufferOffset: Int, count: Int, from offset: UInt64, source: ReadSource
    ) throws(FileError) -> Int {
        precondition(
            bufferOffset >= 0 && count >= 0 && count <= buffer.byteCount - bufferOffset,
            "the read is outside of the buffer")
        try checkOpen(.read)
        let size = disk.live.files[inode]?.size ?? 0
        let end = min(size, offset.addingReportingOverflow(UInt64(count)).overflow ? size : offset + UInt64(count))
        let range = min(offset, end)..<end
        let fault = try disk.begin(.read, path, range: range, errorAs: .read)
        try fileSystem.carryOut(fault, .read, path)
        let image = source == .cache ? disk.live.files[inode] ?? FileImage() : disk.deviceImage(of: inode)
        image.read(range, into: buffer, at: bufferOffset)
        return range.count
    }

    /// Nothing is faster or slower here.
    func prefetch(_ range: Range<UInt64>) {}

    func submitWrite(
        _ buffer: AlignedBuffer, count: Int, at offset: UInt64, completion: @escaping @Sendable (FileError?) -> Void
    ) {
        let bytes = checkedBytes(of: buffer, count, at: offset)
        var fault: Fault?
        var submission: PendingOperation.Submission?
        var refusal: FileError?
        do throws(FileError) {
            try checkOpen(.write)
            let range = try writtenRange(count, at: offset, .write)
            fault = try disk.begin(.submit, path, range: range, written: hash(bytes), errorAs: .write)
            submission = disk.submit(bytes, at: offset, to: inode, path, owner: ObjectIdentifier(fileSystem))
            if submission == nil { refusal = FileError(.write, path: path, errno: ENOSPC) }
        } catch {
            // Nobody is left to be told when the power is gone.
            if disk.isHalted || fileSystem.isKilled { return }
            refusal = error
        }
        disk.retain(inode)
        fileSystem.runtime.complete(after: fault?.delay ?? 0) { [self, fault, submission, refusal] in
            defer { disk.release(inode) }
            guard !disk.isHalted, !fileSystem.isKilled else { return }
            precondition(
                bytes == Self.bytes(of: buffer, count),
                "the buffer of a write to \(path) at \(offset) was changed while the write was in flight")
            guard let submission else {
                completion(refusal)
                return
            }
            finish(submission, fault, offset..<offset + UInt64(count), completion)
        }
    }

    func write(_ buffer: AlignedBuffer, count: Int, at offset: UInt64) throws(FileError) {
        let bytes = checkedBytes(of: buffer, count, at: offset)
        try checkOpen(.write)
        let range = try writtenRange(count, at: offset, .write)
        let fault = try disk.begin(.write, path, range: range, written: hash(bytes), errorAs: .write)
        if let fault, fault.errno != 0 {
            let kept: KeptPart
            switch fault.outcome {
            case .absent: kept = .nothing
            case .whole: kept = .whole
            case .torn(let part): kept = part
            }
            for piece in kept.byteRanges(of: count, at: offset, sectorBytes: disk.options.sectorBytes) {
                _ = disk.write(.data(Array(bytes[piece])), at: offset + UInt64(piece.lowerBound), to: inode, path)
            }
        }
        try fileSystem.carryOut(fault, .write, path)
        guard disk.write(.data(bytes), at: offset, to: inode, path) else { throw error(.write, ENOSPC) }
    }

    func synchronize() throws(FileError) {
        try checkOpen(.synchronize)
        let fault = try disk.begin(.synchronize, path, errorAs: .synchronize)
        guard let fault, fault.errno != 0 else {
            try fileSystem.carryOut(fault, .synchronize, path)
            if !disk.options.liesAboutSync { disk.synchronizeFile(inode) }
            return
        }
        switch fault.outcome {
        case .whole: disk.synchronizeFile(inode)
        case .absent: disk.loseFileChanges(of: inode)
        case .torn:
            let count = disk.pendingOperations.count { $0.inode == inode && !$0.isInFlight }
            disk.loseFileChanges(of: inode, keepingFirst: count / 2)
        }
        try fileSystem.carryOut(fault, .synchronize, path)
    }

    func truncate(to size: UInt64) throws(FileError) {
        try checkOpen(.truncate)
        guard isWritable else { throw error(.truncate, EINVAL) }
        guard size <= FileImage.maximumBytes else { throw error(.truncate, EFBIG) }
        let fault = try disk.begin(.truncate, path, range: 0..<size, errorAs: .truncate)
        try fileSystem.carryOut(fault, .truncate, path)
        disk.truncate(inode, to: size, path)
    }

    func prewrite(_ range: Range<UInt64>) throws(FileError) {
        try checkOpen(.prewrite)
        _ = try writtenRange(range.count, at: range.lowerBound, .prewrite)
        let fault = try disk.begin(.prewrite, path, range: range, errorAs: .prewrite)
        try fileSystem.carryOut(fault, .prewrite, path)
        guard disk.prewrite(range, of: inode, path) else { throw error(.prewrite, ENOSPC) }
    }

    func status() throws(FileError) -> FileStatus {
        try checkOpen(.status)
        let fault = try disk.begin(.status, path, errorAs: .status)
        try fileSystem.carryOut(fault, .status, path)
        return FileStatus(of: inode, on: disk)
    }

    func close() throws(FileError) {
        guard !isClosed else { return }
        isClosed = true
        defer { disk.release(inode) }
        try fileSystem.checkAlive(.close, path)
        let fault = try disk.begin(.close, path, errorAs: .close)
        try fileSystem.carryOut(fault, .close, path)
    }

    private func finish(
        _ submission: PendingOperation.Submission, _ fault: Fault?, _ range: Range<UInt64>,
        _ completion: @Sendable (FileError?) -> Void
    ) {
        let failure = fault.flatMap { $0.errno == 0 ? nil : $0 }
        do throws(FileError) {
            let late = try disk.begin(.complete, path, range: range, errorAs: .write)
            let deciding = failure ?? late.flatMap { $0.errno == 0 ? nil : $0 }
            disk.finish(submission, method: writeMethod, fault: deciding)
            completion(deciding.map { error(.write, $0.errno) })
        } catch {
            // Halted at this very operation.
        }
    }

    private func checkOpen(_ operation: FileError.Operation) throws(FileError) {
        guard !isClosed else { throw error(operation, EBADF) }
        try fileSystem.checkAlive(operation, path)
    }

    private func writtenRange(
        _ count: Int, at offset: UInt64, _ operation: FileError.Operation
    ) throws(FileError) -> Range<UInt64> {
        guard isWritable else { throw error(operation, EBADF) }
        guard offset <= FileImage.maximumBytes, UInt64(count) <= FileImage.maximumBytes - offset else {
            throw error(operation, EFBIG)
        }
        return offset..<offset + UInt64(count)
    }

    private func checkedBytes(of buffer: AlignedBuffer, _ count: Int, at offset: UInt64) -> [UInt8] {
        precondition(count >= 0 && count <= buffer.byteCount, "the write is longer than its buffer")
        if writeMethod == .directSynced {
            let block = disk.options.logicalBlockBytes
            precondition(
                count % block == 0 && offset % UInt64(block) == 0, "a direct write of \(count) bytes at \(offset)")
        }
        return Self.bytes(of: buffer, count)
    }

    private static func bytes(of buffer: AlignedBuffer, _ count: Int) -> [UInt8] {
        unsafe buffer.bytes.extracting(first: count).withUnsafeBytes { unsafe [UInt8]($0) }
    }

    private func hash(_ bytes: [UInt8]) -> UInt64 {
        unsafe Mixing.hash(bytes.span.bytes)
    }

    private func error(_ operation: FileError.Operation, _ errno: Int32) -> FileError {
        FileError(operation, path: path, errno: errno)
    }
}
