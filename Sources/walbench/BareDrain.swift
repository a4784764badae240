import FileIO
import LogFormat

/// The least that drains a log: reads its segments in large pieces, checks each payload's checksum, decompresses it,
/// and makes one synced write of 512 B for so many events. No queue, no views of events, no pointers, nothing is let
/// go.
struct BareDrain {
    private let directory: any StorageDirectory
    private let backlog: Backlog
    /// Where takes are noted, block by block.
    private let notes: any StorageFile
    private let noteBytes: Int
    private let eventsInTake: Int

    private var taken = 0
    private var notedTakes = 0
    private let note = AlignedBuffer(byteCount: 4096)

    private static let pieceBytes = 1 << 20
    static let notesBytes: UInt64 = 1 << 20

    init(_ backlog: Backlog, notes: any StorageFile, takes batch: Int, in workplace: Workplace) throws(FileError) {
        directory = try workplace.fileSystem.openDirectory(at: backlog.path)
        self.backlog = backlog
        self.notes = notes
        noteBytes = workplace.roundedToBlock(512)
        eventsInTake = batch
    }

    mutating func run() throws -> Sample {
        defer { directory.close() }
        let clock = SystemRuntime()
        let started = clock.monotonicClock()
        for segment in try backlog.segments() { try drain(segment) }
        let elapsed = clock.monotonicClock() - started
        guard taken == backlog.events else {
            throw BenchmarkError("\(backlog.path) gave \(taken) of \(backlog.events) events")
        }
        return Sample(events: Double(taken), nanoseconds: elapsed, microseconds: [])
    }

    private mutating func drain(_ name: String) throws {
        let file = try directory.open(name, for: .reading)
        var piece = AlignedBuffer(byteCount: Self.pieceBytes)
        let identityBytes = 2 * IdentityBlock.byteCount
        guard try file.read(into: piece, at: 0, count: identityBytes, from: 0, source: .cache) == identityBytes else {
            throw BenchmarkError("\(name) is shorter than the beginning of a segment")
        }
        let life = try IdentityBlock(decoding: piece.bytes.extracting(0..<IdentityBlock.byteCount)).life
        /// What stands in the piece, and where its beginning stands in the file.
        var held = 0
        var position = UInt64(identityBytes)
        while true {
            guard !Interruption.isRequested else { throw Interruption() }
            let got = try file.read(
                into: piece, at: held, count: piece.byteCount - held, from: position + UInt64(held), source: .cache)
            held += got
            let used = try take(piece.bytes.extracting(0..<held), life, position)
            position += UInt64(used.bytes)
            if used.isLast || got == 0 { break }
            held -= used.bytes
            // The beginning of a frame: to the front, or into a larger piece if it filled this one.
            let next = used.bytes == 0 ? AlignedBuffer(byteCount: 2 * piece.byteCount) : piece
            next.copy(from: piece.bytes.extracting(used.bytes..<used.bytes + held), at: 0)
            piece = next
        }
        try file.close()
    }

    /// Takes the whole frames at the beginning of `bytes`; says how far they reach, and whether the segment's last is
    /// there.
    private mutating func take(
        _ bytes: RawSpan, _ life: SegmentLife, _ position: UInt64
    ) throws -> (bytes: Int, isLast: Bool) {
        var offset = 0
        while bytes.byteCount - offset >= FrameHeader.byteCount {
            guard FrameHeader.hasMagic(bytes, at: offset),
                let header = try? FrameHeader.decode(bytes, at: offset, life: life, position: position + UInt64(offset))
            else { return (offset, true) }
            guard bytes.byteCount - offset >= Int(header.frameBytes) else { break }
            let payloadOffset = offset + FrameHeader.byteCount
            let payload = bytes.extracting(payloadOffset..<payloadOffset + Int(header.storedBytes))
            guard Checksum.crc32c(payload) == header.payloadChecksum else {
                throw BenchmarkError("a checksum is wrong in segment \(life.segment) at \(position + UInt64(offset))")
            }
            if header.type == .put { try take(try FramePayload.decompress(payload, header: header), header.eventCount) }
            offset += Int(header.frameBytes)
        }
        return (offset, false)
    }

    private mutating func take(_ raw: [UInt8], _ events: UInt32) throws(FileError) {
        taken += Int(events)
        while taken / eventsInTake > notedTakes {
            let outcome = WriteOutcome()
            let offset = UInt64(notedTakes * noteBytes) % Self.notesBytes
            notes.submitWrite(note, count: noteBytes, at: offset) { outcome.error = $0 }
            if let error = outcome.error { throw error }
            notedTakes += 1
        }
    }
}
