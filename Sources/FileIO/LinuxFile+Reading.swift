internal import CLinux
internal import Glibc

extension LinuxFile {
    /// Reads through the page cache until `count` bytes are there or the file ends.
    func read(
        _ target: UnsafeMutableRawPointer, _ count: Int, from offset: UInt64
    ) throws(FileError) -> Int {
        let limit = limit(count, from: offset)
        var done = 0
        while done < limit {
            let got = unsafe linux_read(cached, target + done, limit - done, offset + UInt64(done))
            if got == Int64(-EINTR) { continue }
            guard got >= 0 else { throw error(.read, Int32(truncatingIfNeeded: -got)) }
            if got == 0 { break }
            done += Int(got)
        }
        return done
    }

    /// Reads what the device has.
    ///
    /// With O_DIRECT where the file system offers it: the kernel writes dirty pages of the range back first and then
    /// passes the cache by. Cached pages are dropped before, for file systems that may answer a direct read from them.
    /// Elsewhere all dirty pages are synced, cached ones dropped, and the bytes read into the cache anew; that depends on
    /// the kernel really dropping them, which it does unless a page is mapped or locked.
    func readFromDevice(
        _ target: UnsafeMutableRawPointer, _ count: Int, from offset: UInt64
    ) throws(FileError) -> Int {
        guard count > 0 else { return 0 }
        if let direct = directDescriptor() {
            _ = linux_drop_cache(cached, offset, UInt64(count))
            if let got = unsafe try readAligned(target, count, from: offset, by: direct) { return got }
        }
        let failure = linux_sync_data(cached)
        guard failure == 0 else { throw error(.synchronize, -failure) }
        _ = linux_drop_cache(cached, offset, UInt64(count))
        return unsafe try read(target, count, from: offset)
    }

    /// Reads whole blocks around the range by way of an aligned buffer, or straight into `target` when everything is
    /// aligned already. Nil when the kernel wants more than 4096 bytes of alignment.
    private func readAligned(
        _ target: UnsafeMutableRawPointer, _ count: Int, from offset: UInt64, by direct: Int32
    ) throws(FileError) -> Int? {
        let block = AlignedBuffer.alignment
        let count = limit(count, from: offset)
        let isAligned =
            count % block == 0 && offset % UInt64(block) == 0 && UInt(bitPattern: target) % UInt(block) == 0
        let bounce = isAligned ? nil : AlignedBuffer(byteCount: min(count + 2 * block, 1 << 20))
        var done = 0
        while done < count {
            let position = offset + UInt64(done)
            let lead = Int(position % UInt64(block))
            let memory = unsafe bounce?.base ?? target + done
            let room = bounce?.byteCount ?? count - done
            let wanted = min(room, (lead + count - done + block - 1) / block * block)
            let got = unsafe linux_read(direct, memory, wanted, position - UInt64(lead))
            if got == Int64(-EINTR) { continue }
            if got == Int64(-EINVAL) && done == 0 { return nil }
            guard got >= 0 else { throw error(.read, Int32(truncatingIfNeeded: -got)) }
            let useful = min(Int(got) - lead, count - done)
            if useful <= 0 { break }
            if bounce != nil { unsafe (target + done).copyMemory(from: memory + lead, byteCount: useful) }
            done += useful
            // Only the end of the file ends a direct read inside a block.
            if Int(got) % 512 != 0 { break }
        }
        return done
    }

    /// `count`, cut where the kernel's signed offsets end: no file has bytes there.
    private func limit(_ count: Int, from offset: UInt64) -> Int {
        offset >= UInt64(Int64.max) ? 0 : min(count, Int(UInt64(Int64.max) - offset))
    }
}
