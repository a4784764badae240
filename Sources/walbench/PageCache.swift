import Glibc

/// The kernel's copies of a directory's files.
enum PageCache {
    /// Reads the files, then asks the kernel to let go of what it holds of them. Returns how many bytes it still holds:
    /// it need not do as it is asked.
    ///
    /// Read first, because memory that a virtual machine has not used yet must be found by its host, at a fraction of
    /// the speed of a disk: whoever reads next gets pages that were just in use, whether it is the first or the second
    /// to do so.
    static func drop(_ directory: String, _ names: [String]) throws(BenchmarkError) -> Int {
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        for name in names {
            let descriptor = unsafe open("\(directory)/\(name)", O_RDONLY | O_CLOEXEC)
            // A file that was just renamed is none that holds events.
            if descriptor < 0, errno == ENOENT { continue }
            guard descriptor >= 0 else {
                throw BenchmarkError("\(directory)/\(name) cannot be opened, errno \(errno)")
            }
            descriptors.append(descriptor)
            while unsafe read(descriptor, &piece, piece.count) > 0 {}
        }
        for descriptor in descriptors {
            // Only what is on the disk can be let go.
            fdatasync(descriptor)
            posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        }
        return descriptors.reduce(0) { $0 + heldBytes($1) }
    }

    private static func heldBytes(_ descriptor: Int32) -> Int {
        let bytes = Int(lseek(descriptor, 0, SEEK_END))
        guard bytes > 0, let map = unsafe mmap(nil, bytes, PROT_READ, MAP_SHARED, descriptor, 0),
            unsafe map != MAP_FAILED
        else { return 0 }
        defer { unsafe munmap(map, bytes) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        var pages = [UInt8](repeating: 0, count: (bytes + page - 1) / page)
        guard unsafe mincore(map, bytes, &pages) == 0 else { return 0 }
        return pages.count { $0 & 1 == 1 } * page
    }
}
