import LogFormat

/// A place in a file of a directory.
package struct EditPlace: Sendable, Equatable {
    package enum Base: Sendable, Equatable {
        /// From the beginning.
        case start
        /// From the frame with this number.
        case frame(Int)
        /// From the second identity block, or the second slot of a checkpoint.
        case second
        /// Back from the end.
        case end
    }

    package var base: Base
    package var offset: Int

    init(_ reader: inout InputReader) {
        let kind = reader.byte()
        switch kind % 4 {
        case 0: base = .start
        case 1: base = .frame(Int(kind >> 2))
        case 2: base = .second
        default: base = .end
        }
        offset = Int(reader.number(bytes: 2))
    }

    /// Where that is in these bytes, 0 to their count.
    func position(in bytes: [UInt8], _ name: String, _ frames: [Range<Int>]) -> Int {
        let position =
            switch base {
            case .start: offset
            case .frame(let number):
                frames.isEmpty ? 8192 + offset : frames[number % frames.count].lowerBound + offset % 512
            case .second: (name == "checkpoint" ? bytes.count / 2 : 4096) + offset % 4096
            case .end: bytes.count - offset % 4096
            }
        return min(max(0, position), bytes.count)
    }
}

/// One thing that is done to the files of a directory while nobody has them open.
package enum DirectoryEdit: Sendable, Equatable {
    case write([UInt8])
    case number(UInt64, bytes: Int)
    case flip(bit: UInt8)
    case zero(Int)
    case insert([UInt8])
    case erase(Int)
    case truncate
    case extend(Int)
    case copy(from: UInt8, EditPlace, Int)
    case swap(with: UInt8)
    case duplicate(as: UInt8)
    case replace(with: LogDirectory.Content)
    case remove
    case create(name: UInt8, [UInt8])
    /// A frame of this type, with a payload that nobody may have written, behind the last one.
    case forge(type: UInt8, events: UInt8, transactions: UInt8, [UInt8])
    /// The disk does not give the page.
    case unreadable

    static let mostBytes = 512

    init(_ verb: UInt8, _ reader: inout InputReader) {
        switch verb % 18 {
        case 0, 1: self = .write(reader.literal())
        case 2, 3:
            let bytes = [1, 2, 4, 8][Int(reader.byte()) % 4]
            self = .number(Self.number(&reader), bytes: bytes)
        case 4: self = .flip(bit: reader.byte() % 8)
        case 5: self = .zero(Int(reader.number(bytes: 2)))
        case 6: self = .insert(reader.literal())
        case 7: self = .erase(Int(reader.number(bytes: 2)))
        case 8: self = .truncate
        case 9: self = .extend(Int(reader.number(bytes: 2)))
        case 10:
            let file = reader.byte()
            let place = EditPlace(&reader)
            self = .copy(from: file, place, Int(reader.number(bytes: 2)))
        case 11: self = .swap(with: reader.byte())
        case 12: self = .duplicate(as: reader.byte())
        case 13: self = .replace(with: reader.pick([.directory, .link, .other, .bytes([])]))
        case 14: self = .remove
        case 15:
            let name = reader.byte()
            self = .create(name: name, reader.literal())
        case 16:
            let (type, events, transactions) = (reader.byte(), reader.byte(), reader.byte())
            self = .forge(type: type, events: events, transactions: transactions, reader.literal())
        default: self = .unreadable
        }
    }

    /// Those at which something ends, or any.
    private static func number(_ reader: inout InputReader) -> UInt64 {
        let limits: [UInt64] = [0, 1, 2, 1 << 31, 1 << 32 - 1, 1 << 62, 1 << 62 - 1, 1 << 62 + 1, 1 << 63, .max]
        let kind = Int(reader.byte())
        return kind < limits.count ? limits[kind] : reader.number(bytes: 8)
    }
}

extension InputReader {
    /// A byte of length, and so many bytes; half of the lengths are short ones.
    fileprivate mutating func literal() -> [UInt8] {
        let length = Int(byte())
        return bytes(upTo: length < 192 ? length : min((length - 191) * 8, DirectoryEdit.mostBytes))
    }
}
