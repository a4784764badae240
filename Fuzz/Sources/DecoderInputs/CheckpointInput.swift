import LogFormat

/// Gives one input to the decoder of checkpoint slots, and traps when it breaks a promise (``FrameInput``).
package enum CheckpointInput {
    package enum Mode: UInt8, CaseIterable, Sendable {
        /// A slot as it is.
        case raw
        /// With its length and checksums put right.
        case repaired
        /// The same, with magic and version, and the lengths of the snapshot in it.
        case known
        /// A file of two slots, one in each half, both put right; read as an opening does, for a log and a place.
        case file
    }

    package static func run(_ input: [UInt8]) {
        guard let first = input.first, let mode = Mode(rawValue: first % UInt8(Mode.allCases.count)) else { return }
        var bytes = Array(input.dropFirst())
        let whole = 0..<bytes.count
        switch mode {
        case .raw: slot(bytes)
        case .repaired:
            Repair.checkpointSlot(&bytes, in: whole)
            slot(bytes)
        case .known:
            makeKnown(&bytes, in: whole)
            slot(bytes)
        case .file: file(&bytes)
        }
    }

    private static func slot(_ bytes: [UInt8]) {
        let decoded = Result { () throws(FormatError) in try CheckpointSlot(decoding: unsafe bytes.span.bytes) }
        guard case .success(let slot) = decoded else { return }
        canonical(slot, bytes)
        for place in [0, 1] as [UInt32] {
            for uuid in [slot.logUUID, LogUUID(high: ~slot.logUUID.high, low: slot.logUUID.low)] {
                let placed = try? CheckpointSlot(decoding: unsafe bytes.span.bytes, slot: place, logUUID: uuid)
                let isOwn = slot.slot == place && slot.logUUID == uuid
                Promise.require(placed == (isOwn ? slot : nil), "place \(place) and \(uuid) give \(placed as Any)")
            }
        }
    }

    private static func canonical(_ slot: CheckpointSlot, _ bytes: [UInt8]) {
        let encoded = try? slot.encode()
        Promise.require(encoded != nil && encoded == encoded.map { Array(bytes.prefix($0.count)) }, "not canonical")
        Promise.require(slot.generation > 0, "a slot of generation 0")
        Promise.require(slot.snapshot.covered.lsn <= slot.durableThrough.lsn, "it covers more than was durable")
    }

    /// Magic and version, and in it a snapshot that takes all of the room.
    private static func makeKnown(_ bytes: inout [UInt8], in range: Range<Int>) {
        guard range.count >= 96 else { return }
        let start = range.lowerBound
        bytes.replaceSubrange(start..<start + 12, with: Array("SLUICECP".utf8) + [1, 0, 0, 0])
        Repair.snapshot(&bytes, at: start + 96, count: range.count - 96)
        Repair.checkpointSlot(&bytes, in: range, payloadBytes: range.count - 96)
    }

    private static func file(_ bytes: inout [UInt8]) {
        let half = bytes.count / 2
        guard half >= 96 else { return }
        let uuid = LogUUID(high: Bytes.number(bytes, at: 16, count: 8), low: Bytes.number(bytes, at: 24, count: 8))
        for (place, range) in [0..<half, half..<2 * half].enumerated() {
            makeKnown(&bytes, in: range)
            let slot = try? CheckpointSlot(
                decoding: unsafe bytes.span.bytes.extracting(range), slot: UInt32(place), logUUID: uuid)
            guard let slot else { continue }
            canonical(slot, Array(bytes[range]))
            Promise.require(slot.slot == UInt32(place) && slot.logUUID == uuid, "another place or log")
        }
    }
}
