internal import CLinux

/// What this process asks of its allocator.
public enum ProcessMemory {
    /// Lets the allocator keep some freed memory for the next blocks, instead of giving each back to the kernel at once.
    ///
    /// For a program to call once, before it opens channels; a library has no business with it. A transaction is
    /// encoded in a block of its own, which is freed when its events were taken. As glibc comes, the end of its heap goes back
    /// to the kernel with each 128 KiB, and a producer then pays for fresh pages: about a twentieth of the rate of one producer with
    /// batches of 50 KB. Costs up to 8 MiB at the end of each heap (glibc has one for each of a few threads), of what was in use
    /// there before. Blocks of 4 MiB and more are mapped and go back at once. Does nothing where the C library is another one.
    public static func keepFreed() { linux_keep_freed_memory(8 << 20, 4 << 20) }
}
