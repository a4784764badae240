internal import FileIO
internal import SimulatedFileIO

/// One way in which one file of a log is not as it was.
package struct EveryBitVariant: Sendable, Hashable, CustomStringConvertible {
    package enum Damage: Sendable, Hashable {
        /// It is as it was: for comparison.
        case untouched
        /// Counted from the lowest bit of the first byte.
        case flipped(bit: Int)
        case cut(to: Int)
        case removed
        /// Its bytes stand under that name, too.
        case doubled(as: String)
        case swapped(with: String)
        /// It is a link to a file with its bytes outside of the directory.
        case symbolicLink
        case directory
        /// Nobody writes to it, nobody reads.
        case fifo
    }

    package enum Kind: String, Sendable, CaseIterable {
        case untouched, flipped, cut, removed, doubled, swapped, symbolicLink, directory, fifo
    }

    package var file: String
    package var damage: Damage

    package var kind: Kind {
        switch damage {
        case .untouched: .untouched
        case .flipped: .flipped
        case .cut: .cut
        case .removed: .removed
        case .doubled: .doubled
        case .swapped: .swapped
        case .symbolicLink: .symbolicLink
        case .directory: .directory
        case .fifo: .fifo
        }
    }

    private var operand: String? {
        switch damage {
        case .flipped(let bit): "\(bit)"
        case .cut(let bytes): "\(bytes)"
        case .doubled(let name), .swapped(let name): name
        case .untouched, .removed, .symbolicLink, .directory, .fifo: nil
        }
    }

    /// `FILE:KIND` or `FILE:KIND:OPERAND`, as ``init(_:)`` reads it.
    package var description: String { "\(file):\(kind.rawValue)" + (operand.map { ":\($0)" } ?? "") }

    package init(_ file: String, _ damage: Damage) {
        self.file = file
        self.damage = damage
    }

    /// nil when it is none.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":").map { String($0) }
        guard parts.count >= 2, parts.count <= 3, let kind = Kind(rawValue: parts[1]) else { return nil }
        let operand = parts.count == 3 ? parts[2] : nil
        switch (kind, operand) {
        case (.flipped, let operand?):
            guard let bit = Int(operand), bit >= 0 else { return nil }
            damage = .flipped(bit: bit)
        case (.cut, let operand?):
            guard let bytes = Int(operand), bytes >= 0 else { return nil }
            damage = .cut(to: bytes)
        case (.doubled, let operand?): damage = .doubled(as: operand)
        case (.swapped, let operand?): damage = .swapped(with: operand)
        case (.untouched, nil): damage = .untouched
        case (.removed, nil): damage = .removed
        case (.symbolicLink, nil): damage = .symbolicLink
        case (.directory, nil): damage = .directory
        case (.fifo, nil): damage = .fifo
        default: return nil
        }
        file = parts[0]
    }

    /// Whether it can be done to these files.
    package func fits(_ files: [String: [UInt8]]) -> Bool {
        guard let bytes = files[file] else { return false }
        switch damage {
        case .flipped(let bit): return bit < bytes.count * 8
        case .cut(let length): return length < bytes.count
        case .swapped(let other): return other != file && files[other] != nil
        case .doubled(let other): return other != file
        case .untouched, .removed, .symbolicLink, .directory, .fifo: return true
        }
    }

    /// Bytes of the log's files that are not what they were, by file.
    package func touched(_ files: [String: [UInt8]]) -> [String: Range<Int>] {
        let all = { (name: String) in 0..<(files[name]?.count ?? 0) }
        switch damage {
        case .untouched: return [:]
        case .flipped(let bit): return [file: bit / 8..<bit / 8 + 1]
        case .cut(let length): return [file: length..<all(file).upperBound]
        case .removed, .symbolicLink, .directory, .fifo: return [file: all(file)]
        case .doubled(let other): return files[other] == nil ? [:] : [other: all(other)]
        case .swapped(let other): return [file: all(file), other: all(other)]
        }
    }

    /// What stands under each name that is affected; nil for nothing, or for what is no file.
    package func changed(_ files: [String: [UInt8]]) -> [String: [UInt8]?] {
        let bytes = files[file]!
        switch damage {
        case .untouched: return [:]
        case .flipped(let bit):
            var flipped = bytes
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            return [file: flipped]
        case .cut(let length): return [file: Array(bytes.prefix(length))]
        case .removed, .symbolicLink, .directory, .fifo: return [file: nil]
        case .doubled(let other): return [other: bytes]
        case .swapped(let other): return [file: files[other]!, other: bytes]
        }
    }

    /// Does it to a disk that holds these files in a directory.
    func apply(to disk: SimulatedDisk, in directory: String, _ files: [String: [UInt8]]) {
        for (name, bytes) in changed(files) {
            let path = directory + "/" + name
            if let bytes { disk.setContents(of: path, to: bytes) } else { disk.remove(path) }
        }
        let path = directory + "/" + file
        switch damage {
        case .symbolicLink: disk.plant(.symbolicLink, at: path)
        case .directory: disk.plant(.directory, at: path)
        case .fifo: disk.plant(.other, at: path)
        default: break
        }
    }
}
