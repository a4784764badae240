internal import FileIO
internal import LogFormat

/// The checkpoint file: two slots, written in turn.
///
/// A slot saves time and proves durability; the log decides. Any of slot, slots, file may be missing or wrong.
struct CheckpointFile {
    struct Slots {
        var valid: [CheckpointSlot] = []
        var exists = false
        var slotBytes = 0
        /// The disk did not give all of it.
        var isUnread = false
        var remarks: [String] = []
        /// A slot of a newer version: nothing may be touched.
        var newer: FormatError?

        var newest: CheckpointSlot? { valid.max { $0.generation < $1.generation } }
    }

    private static let firstBytes = 64 << 10

    /// Reads what is there. Never fails: what cannot be read is a remark.
    static func read(in directory: any StorageDirectory) -> Slots {
        var slots = Slots()
        let file: any StorageFile
        do throws(FileError) {
            guard let status = try directory.status(of: FileNames.checkpoint) else {
                slots.remarks.append("no checkpoint file; the log is replayed from a segment's snapshot")
                return slots
            }
            slots.exists = true
            file = try directory.open(FileNames.checkpoint, for: .reading)
            slots.slotBytes = Int(min(status.size / 2, 64 << 20)) / 4096 * 4096
        } catch {
            slots.isUnread = error.operation == .open && error.reason == .inputOutput
            slots.remarks.append("checkpoint file not used: \(error)")
            return slots
        }
        if slots.slotBytes < 4096 { slots.remarks.append("the checkpoint file is too short for a slot; not used") }
        for index in 0..<2 where slots.slotBytes >= 4096 {
            let first = min(slots.slotBytes, Self.firstBytes)
            var buffer = AlignedBuffer(byteCount: first)
            do throws(FileError) {
                // From the device: a slot whose sync failed must not be believed because the page cache shows it. Its beginning
                // first, which is enough for a thousand segments and says whether there is more.
                let place = UInt64(index * slots.slotBytes)
                var count = try file.read(into: buffer, at: 0, count: first, from: place, source: .device)
                let wanted = min(CheckpointSlot.encodedBytes(statedBy: buffer.bytes), slots.slotBytes)
                if count == first, wanted > first {
                    // Not made before: to fill megabytes with zeros took half of an opening's processor time.
                    let beginning = buffer
                    let whole = SpaceBudget.roundUp(wanted, to: SpaceBudget.pageBytes)
                    buffer = AlignedBuffer(byteCount: whole)
                    buffer.copy(from: beginning.bytes, at: 0)
                    count += try file.read(
                        into: buffer, at: first, count: whole - first, from: place + UInt64(first), source: .device)
                }
                do throws(FormatError) {
                    slots.valid.append(try Self.decode(buffer.bytes.extracting(0..<count), slot: index))
                } catch {
                    #if PlantedBugs
                        if PlantedBug.signTornSlotAgain.isPlanted,
                            let slot = CheckpointSlot(signingAgain: buffer.bytes.extracting(0..<count))
                        {
                            slots.valid.append(slot)
                        }
                    #endif
                    if error.isNewer { slots.newer = error }
                    if !buffer.bytes.isZero(0..<count) {
                        slots.remarks.append("checkpoint slot \(index) not used: \(error)")
                    }
                }
            } catch {
                slots.isUnread = true
                slots.remarks.append("checkpoint slot \(index) not read: \(error)")
            }
        }
        try? file.close()
        return slots
    }

    private static func decode(_ bytes: RawSpan, slot: Int) throws(FormatError) -> CheckpointSlot {
        let value = try CheckpointSlot(decoding: bytes)
        guard value.slot == UInt32(slot) else { throw FormatError(.checkpointSlot, .mismatch(.slot), at: 0) }
        return value
    }

    /// The bytes of a slot, padded with zeros to a page.
    static func encode(_ slot: CheckpointSlot, slotBytes: Int) throws(LogError) -> AlignedBuffer {
        let bytes: [UInt8]
        do throws(FormatError) {
            bytes = try slot.encode()
        } catch {
            throw LogError(.tooLarge, "the snapshot cannot be encoded: \(error)")
        }
        guard bytes.count <= slotBytes else {
            throw LogError(
                .tooLarge,
                "the snapshot takes \(bytes.count) bytes, a checkpoint slot has \(slotBytes); "
                    + "raise snapshotLimitBytes or hold less state")
        }
        let buffer = AlignedBuffer(byteCount: SpaceBudget.roundUp(bytes.count, to: SpaceBudget.pageBytes))
        buffer.copy(from: bytes, at: 0)
        return buffer
    }
}

extension CheckpointSlot {
    /// How long a slot is, as its header says; not believed, only read for.
    static func encodedBytes(statedBy bytes: RawSpan) -> Int {
        var length = 0
        for index in 0..<4 { length |= Int(bytes.byte(at: 72 + index)) << (8 * index) }
        return headerBytes + length
    }
}
