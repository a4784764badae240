import LogFormat

/// Makes lengths and checksums agree with the bytes that they stand for, so that an input gets behind the checks of them.
///
/// The offsets are those of DESIGN.md, chapter 3, on purpose written down a second time: what the format's own encoder
/// would not write must be reached too.
package enum Repair {
    /// Of a frame these bytes are always set: magic, checksums, trailer. Its other fields stay as they are.
    ///
    /// - Parameters:
    ///   - frameBytes: from `start` on so many bytes are the frame; at least 104, a multiple of 8.
    ///   - place: the 40 bytes that say where it stands: log, salt, segment, offset.
    package static func frame(_ bytes: inout [UInt8], at start: Int, frameBytes: Int, place: [UInt8]) {
        let room = frameBytes - 104
        Bytes.store(0x3146_4C53, count: 4, at: start, in: &bytes)
        Bytes.store(UInt64(frameBytes), count: 4, at: start + 8, in: &bytes)
        let stored = min(Int(Bytes.number(bytes, at: start + 12, count: 4)), room)
        Bytes.store(UInt64(stored), count: 4, at: start + 12, in: &bytes)
        if bytes[start + 6] == 0 { Bytes.store(UInt64(stored), count: 4, at: start + 16, in: &bytes) }
        let payload = Bytes.checksum(bytes, start + 96..<start + 96 + stored)
        Bytes.store(UInt64(payload), count: 4, at: start + 28, in: &bytes)
        let header = Bytes.checksum(bytes, start..<start + 92, continuing: Bytes.checksum(place, 0..<40))
        Bytes.store(UInt64(header), count: 4, at: start + 92, in: &bytes)
        Bytes.store(UInt64(frameBytes), count: 4, at: start + frameBytes - 8, in: &bytes)
        Bytes.store(UInt64(header), count: 4, at: start + frameBytes - 4, in: &bytes)
    }

    /// The place of a frame, as it is under its checksum.
    package static func place(_ life: SegmentLife, _ position: Int) -> [UInt8] {
        [life.logUUID.high, life.logUUID.low, life.salt, life.segment.rawValue, UInt64(position)].flatMap {
            Bytes.encoded($0, count: 8)
        }
    }

    /// The checksum of the identity block that begins at `start`, if all of it is there.
    package static func identity(_ bytes: inout [UInt8], at start: Int) {
        guard bytes.count - start >= 4096 else { return }
        Bytes.store(UInt64(Bytes.checksum(bytes, start..<start + 4092)), count: 4, at: start + 4092, in: &bytes)
    }

    /// The lengths and checksums of the checkpoint slot in these bytes, if they have room for one.
    ///
    /// - Parameter payloadBytes: nil for what stands there, if that fits, or else all that is there.
    package static func checkpointSlot(_ bytes: inout [UInt8], in range: Range<Int>, payloadBytes: Int? = nil) {
        guard range.count >= 96 else { return }
        let start = range.lowerBound
        let stated = Int(Bytes.number(bytes, at: start + 72, count: 4))
        let length = payloadBytes ?? (stated <= range.count - 96 ? stated : range.count - 96)
        Bytes.store(UInt64(length), count: 4, at: start + 72, in: &bytes)
        let payload = Bytes.checksum(bytes, start + 96..<start + 96 + length)
        Bytes.store(UInt64(payload), count: 4, at: start + 76, in: &bytes)
        Bytes.store(UInt64(Bytes.checksum(bytes, start..<start + 92)), count: 4, at: start + 92, in: &bytes)
    }

    /// The counts of a snapshot: its table takes what the table's count says, or all that is there, and the channel's part
    /// the rest; oldest and newest are those of the table.
    package static func snapshot(_ bytes: inout [UInt8], at start: Int, count: Int) {
        guard count >= 64 + 40 else { return }
        let room = (count - 64) / 40
        let stated = Int(Bytes.number(bytes, at: start + 56, count: 4))
        let segments = stated > 0 && stated <= room ? stated : room
        Bytes.store(UInt64(segments), count: 4, at: start + 56, in: &bytes)
        Bytes.store(UInt64(count - 64 - 40 * segments), count: 4, at: start + 60, in: &bytes)
        for (field, entry) in [(40, 0), (48, segments - 1)] {
            let number = Bytes.number(bytes, at: start + 64 + 40 * entry, count: 8)
            Bytes.store(number, count: 8, at: start + field, in: &bytes)
        }
    }

    /// The last line of the file `settings`, a checksum of those before it.
    package static func settings(_ bytes: inout [UInt8]) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count >= 3 else { return }
        var text: [UInt8] = []
        for line in lines.prefix(2) { text += line + [UInt8(ascii: "\n")] }
        let checksum = Bytes.checksum(text, 0..<text.count)
        bytes = text + Array("checksum \(String(checksum, radix: 16))\n".utf8)
    }
}
