extension DiskImage {
    /// Makes the change, or a part of it.
    ///
    /// Bytes may come to stand behind the size of their file; a later change of the size can still show them.
    mutating func apply(
        _ effect: PendingOperation.Effect, keeping part: KeptPart = .whole, sectorBytes: Int = 512
    ) {
        if part == .nothing { return }
        switch effect {
        case .write(let inode, let bytes, let offset):
            for range in part.byteRanges(of: bytes.count, at: offset, sectorBytes: sectorBytes) {
                write(bytes, range, at: offset, to: inode)
            }
        case .size(let inode, _, let to, let isGrowth):
            if !isGrowth {
                files[inode, default: FileImage()].resize(to: to)
            } else if to > files[inode]?.size ?? 0 {
                files[inode, default: FileImage()].size = to
            }
        case .add(let directory, let name, let entry):
            add(name, entry, to: directory)
        case .remove(let directory, let name):
            remove(name, from: directory)
        case .rename(let directory, let oldName, let newName, let entry):
            if part != .bothNames { remove(oldName, from: directory) }
            add(newName, entry, to: directory)
        }
    }

    private mutating func write(_ bytes: WrittenBytes, _ range: Range<Int>, at offset: UInt64, to inode: UInt64) {
        let start = offset + UInt64(range.lowerBound)
        switch bytes {
        case .data(let data):
            unsafe files[inode, default: FileImage()].write(data.span.bytes.extracting(range), at: start)
        case .zeros:
            files[inode, default: FileImage()].writeZeros(start..<start + UInt64(range.count))
        }
    }
}

extension KeptPart {
    /// The surviving bytes of a write of `count` bytes at `offset`, counted from its first byte.
    func byteRanges(of count: Int, at offset: UInt64, sectorBytes: Int) -> [Range<Int>] {
        // The first sector may begin before the write does.
        let lead = Int(offset % UInt64(sectorBytes))
        func bytes(ofSectors sectors: Range<Int>) -> Range<Int> {
            (sectors.lowerBound * sectorBytes - lead..<sectors.upperBound * sectorBytes - lead).clamped(to: 0..<count)
        }
        let ranges: [Range<Int>]
        switch self {
        case .nothing: ranges = []
        case .whole, .bothNames: ranges = [0..<count]
        case .sectors(let sectors): ranges = sectors.map(bytes(ofSectors:))
        case .tornInside(let sector):
            let torn = bytes(ofSectors: sector..<sector + 1)
            ranges = [0..<torn.lowerBound + torn.count / 2]
        }
        return ranges.filter { !$0.isEmpty }
    }
}
