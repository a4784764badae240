internal import FileIO

/// What one file holds, on one side (live or durable): its size, and apart from it pages, nil for a hole.
///
/// Copies share their pages. Bytes behind `size` can exist while a crash is put together (the data survived, the size did
/// not yet); ``discardBehindSize()`` ends that.
struct FileImage: Sendable {
    /// No file can be larger; the page table stays small.
    static let maximumBytes: UInt64 = 1 << 34

    var size: UInt64 = 0
    private var pages: [Page?] = []
    private(set) var allocatedPages = 0
    /// Exclusive or over all pages, so that changing one page costs the hash of one page.
    private var contentHash: UInt64 = 0

    var allocatedBytes: UInt64 { UInt64(allocatedPages * Page.byteCount) }

    var hash: UInt64 { Mixing.mix(contentHash, size) }

    /// Pages of `range` that are holes.
    func holes(in range: Range<UInt64>) -> Int {
        Self.pageIndices(of: range).count { $0 >= pages.count || pages[$0] == nil }
    }

    /// Replaces bytes, allocating what is a hole. The size stays.
    mutating func write(_ bytes: RawSpan, at offset: UInt64) {
        var done = 0
        while done < bytes.byteCount {
            let position = offset + UInt64(done)
            let inPage = Int(position % UInt64(Page.byteCount))
            let count = min(Page.byteCount - inPage, bytes.byteCount - done)
            let index = Int(position / UInt64(Page.byteCount))
            let old = page(index) ?? Page.zero
            set(index, old.replacing(at: inPage, with: bytes.extracting(done..<done + count)))
            done += count
        }
    }

    /// Writes zeros, allocating what is a hole. The size stays.
    mutating func writeZeros(_ range: Range<UInt64>) {
        for index in Self.pageIndices(of: range) {
            let start = UInt64(index * Page.byteCount)
            let cut = range.clamped(to: start..<start + UInt64(Page.byteCount))
            guard let old = page(index), old.hash != 0, cut.count < Page.byteCount else {
                set(index, Page.zero)
                continue
            }
            let inPage = Int(cut.lowerBound - start)
            set(index, old.clearing(inPage..<inPage + cut.count))
        }
    }

    /// Gives every hole of `range` a page of zeros.
    mutating func allocate(_ range: Range<UInt64>) {
        for index in Self.pageIndices(of: range) where page(index) == nil { set(index, Page.zero) }
    }

    /// Sets the size as `ftruncate` does: what is cut off is gone, also when the file grows again.
    mutating func resize(to newSize: UInt64) {
        size = newSize
        discardBehindSize()
    }

    mutating func discardBehindSize() {
        let keptPages = Int((size + UInt64(Page.byteCount) - 1) / UInt64(Page.byteCount))
        for index in stride(from: pages.count - 1, through: keptPages, by: -1) { set(index, nil) }
        if pages.count > keptPages { pages.removeLast(pages.count - keptPages) }
        let rest = Int(size % UInt64(Page.byteCount))
        if rest > 0, let last = page(keptPages - 1), last.hash != 0 {
            set(keptPages - 1, last.clearing(rest..<Page.byteCount))
        }
    }

    /// Copies bytes into `buffer`, zeros for holes, without regard to the size.
    func read(_ range: Range<UInt64>, into buffer: AlignedBuffer, at bufferOffset: Int) {
        var position = range.lowerBound
        while position < range.upperBound {
            let inPage = Int(position % UInt64(Page.byteCount))
            let count = min(Page.byteCount - inPage, Int(range.upperBound - position))
            let target = bufferOffset + Int(position - range.lowerBound)
            if let page = page(Int(position / UInt64(Page.byteCount))) {
                let bytes = page.bytes
                unsafe buffer.copy(from: bytes.span.bytes.extracting(inPage..<inPage + count), at: target)
            } else {
                buffer.zero(target..<target + count)
            }
            position += UInt64(count)
        }
    }

    /// All bytes up to the size.
    var contents: [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(Int(size))
        while all.count < Int(size) {
            let page = page(all.count / Page.byteCount) ?? Page.zero
            all.append(contentsOf: page.bytes.prefix(Int(size) - all.count))
        }
        return all
    }

    private func page(_ index: Int) -> Page? {
        index < pages.count ? pages[index] : nil
    }

    private mutating func set(_ index: Int, _ new: Page?) {
        if index >= pages.count {
            guard new != nil else { return }
            pages.append(contentsOf: repeatElement(nil, count: index + 1 - pages.count))
        }
        if let old = pages[index] {
            allocatedPages -= 1
            contentHash ^= Self.hash(old, at: index)
        }
        if let new {
            allocatedPages += 1
            contentHash ^= Self.hash(new, at: index)
        }
        pages[index] = new
    }

    private static func hash(_ page: Page, at index: Int) -> UInt64 {
        page.hash == 0 ? 0 : Mixing.mix(page.hash, UInt64(index))
    }

    private static func pageIndices(of range: Range<UInt64>) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        return Int(range.lowerBound / UInt64(Page.byteCount))..<Int((range.upperBound - 1) / UInt64(Page.byteCount)) + 1
    }
}
