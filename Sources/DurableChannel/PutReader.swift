internal import LogFormat
internal import SegmentedLog

/// The put frames of a log in order, decompressed and looked into, with what is missing between them. When it is told to,
/// it reads on before it is asked: what a taker is given next is made ready while the last take is committed.
///
/// One thread at a time.
final class PutReader {
    enum Item {
        case frame(StoredFrame)
        /// These sequences are gone.
        case damage(DamagedRange)
        /// The disk does not give them at present.
        case unreadable(DamagedRange)
    }

    private let reader: LogReader
    /// Read ahead: first those of `front`, its last one first, then those of `back`.
    private var front: [Item] = []
    private var back: [Item] = []
    /// What the frames among them take in memory, roughly.
    private(set) var aheadBytes = 0

    init(_ reader: LogReader) { self.reader = reader }

    /// The next item but frames that end at `sequence` or before; nil when there is nothing durable at present.
    func next(reaching sequence: EventSequence) throws(LogError) -> Item? {
        while let item = takeAhead() {
            guard case .frame(let frame) = item else { return item }
            aheadBytes -= frame.bytes
            if frame.end > sequence { return item }
        }
        return try read(reaching: sequence)
    }

    /// Reads one item ahead. False when there is none, or what is not whole was met: the client decides about that first. An
    /// error is left to whoever asks for the item.
    func readAhead() -> Bool {
        if let last = back.last ?? front.first {
            guard case .frame = last else { return false }
        }
        guard let item = try? read(reaching: EventSequence(0)) else { return false }
        back.append(item)
        if case .frame(let frame) = item { aheadBytes += frame.bytes }
        return true
    }

    private func takeAhead() -> Item? {
        if front.isEmpty {
            front = back.reversed()
            back = []
        }
        return front.popLast()
    }

    private func read(reaching sequence: EventSequence) throws(LogError) -> Item? {
        while let item = try reader.next() {
            switch item {
            case .frame(let frame):
                guard frame.header.type == .put, frame.sequences.end > sequence else { continue }
                return StoredFrame(frame).map { .frame($0) } ?? .damage(frame.whole)
            case .damage(let range): return .damage(range)
            case .unreadable(let range): return .unreadable(range)
            }
        }
        return nil
    }
}
