import FileIO
import LogFormat

/// The least that may be called a log with group commit: the measure for the real one.
///
/// An append copies its payload, with length and checksum before it, into the buffer of the group that is being
/// filled, and waits until that group is on the disk. Whoever finds nobody writing writes: the whole group, by one
/// synced write, while the next group fills. At the end of the file it begins again at the front. There is no place to
/// read from, no recovery, no segment, no number.
final class BareLog: @unchecked Sendable {
    private let file: any StorageFile
    private let blockBytes: Int
    private let monitor = Monitor()
    // Guarded by `monitor`:
    private var filling: AlignedBuffer
    private var filled = 0
    private var spare: AlignedBuffer
    /// The group that is being filled, and the last one on the disk.
    private var group: UInt64 = 1
    private var durableGroup: UInt64 = 0
    private var isWriting = false
    private var offset: UInt64 = 0
    private var failure: FileError?

    /// As much as a group of the real log takes, or one payload if that is longer.
    private let groupBytes: Int
    private static let headerBytes = 8

    init(_ file: any StorageFile, blockBytes: Int, longestPayload: Int) {
        self.file = file
        self.blockBytes = blockBytes
        groupBytes = max(1 << 20, (Self.headerBytes + longestPayload + blockBytes - 1) / blockBytes * blockBytes)
        filling = AlignedBuffer(byteCount: groupBytes)
        spare = AlignedBuffer(byteCount: groupBytes)
    }

    /// Returns when the payload is durable.
    func append(_ payload: [UInt8]) throws(FileError) {
        let checksum = unsafe Checksum.crc32c(payload.span.bytes)
        let count = Self.headerBytes + payload.count
        monitor.lock()
        defer { monitor.unlock() }
        while filled + count > groupBytes { try writeOrWait() }
        filling.withMutableBytes { bytes in
            bytes.storeBytes(of: UInt32(payload.count), toByteOffset: filled, as: UInt32.self)
            bytes.storeBytes(of: checksum, toByteOffset: filled + 4, as: UInt32.self)
        }
        filling.copy(from: payload, at: filled + Self.headerBytes)
        filled += count
        let mine = group
        while durableGroup < mine { try writeOrWait() }
    }

    /// Under the monitor, which it gives up meanwhile.
    private func writeOrWait() throws(FileError) {
        if let failure { throw failure }
        guard !isWriting else { return monitor.wait() }
        let count = (filled + blockBytes - 1) / blockBytes * blockBytes
        filling.zero(filled..<count)
        if offset + UInt64(count) > Workplace.fileBytes { offset = 0 }
        let (buffer, place) = (filling, offset)
        swap(&filling, &spare)
        filled = 0
        offset += UInt64(count)
        group += 1
        isWriting = true
        monitor.unlock()
        file.submitWrite(buffer, count: count, at: place) { [self] error in completed(error) }
        monitor.lock()
    }

    private func completed(_ error: FileError?) {
        monitor.lock()
        isWriting = false
        if let error { failure = error } else { durableGroup += 1 }
        monitor.wakeAll()
        monitor.unlock()
    }
}
