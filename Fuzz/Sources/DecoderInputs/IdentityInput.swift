import LogFormat

/// Gives one input to the decoder of identity blocks, and traps when it breaks a promise (``FrameInput``).
///
/// A block is 4096 bytes, most of them zeros, so an input is what stands at its beginning.
package enum IdentityInput {
    package enum Mode: UInt8, CaseIterable, Sendable {
        /// The bytes as they are.
        case raw
        /// The beginning of a block whose other bytes are zeros, with its checksum put right.
        case repaired
        /// The same, with magic, version and size put right too, and no unknown feature that nobody may ignore.
        case known
    }

    package static func run(_ input: [UInt8]) {
        guard let first = input.first, let mode = Mode(rawValue: first % UInt8(Mode.allCases.count)) else { return }
        let bytes = block(Array(input.dropFirst()), mode)
        let decoded = Result { () throws(FormatError) in try IdentityBlock(decoding: unsafe bytes.span.bytes) }
        behind(bytes, decoded)
        guard case .success(let block) = decoded else { return }
        Promise.require(block.encode() == Array(bytes.prefix(IdentityBlock.byteCount)), "not canonical")
        Promise.require(block.segment.rawValue > 0 && block.salt > 0, "a segment without number or salt")
        Promise.require(block.segmentBytes % 4096 == 0 && block.segmentBytes >= 16_384, "an impossible size")
        Promise.require(
            !block.openings.isEmpty && block.openings.count <= IdentityBlock.maximumOpenings, "\(block.openings.count)")
        Promise.require(block.allowsWriting == (block.readOnlyCompatibleFeatures == 0), "writing is allowed wrongly")
        for (opening, next) in zip(block.openings, block.openings.dropFirst()) {
            Promise.require(opening.epoch < next.epoch, "epochs do not ascend")
        }
    }

    private static func block(_ input: [UInt8], _ mode: Mode) -> [UInt8] {
        guard mode != .raw else { return input }
        var bytes = Array(input.prefix(4092))
        bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
        if mode == .known {
            bytes.replaceSubrange(0..<16, with: Array("SLUICESG".utf8) + [1, 0, 0, 0, 0, 0x10, 0, 0])
            bytes.replaceSubrange(32..<40, with: repeatElement(0, count: 8))
        }
        Repair.identity(&bytes, at: 0)
        return bytes
    }

    /// Where it stands in what was read makes no difference.
    private static func behind(_ bytes: [UInt8], _ decoded: Result<IdentityBlock, FormatError>) {
        let moved = [0xFF, 0xFF, 0xFF] + bytes
        let again = Result { () throws(FormatError) in try IdentityBlock(decoding: unsafe moved.span.bytes, at: 3) }
        switch (decoded, again) {
        case (.success(let one), .success(let other)): Promise.require(one == other, "another block behind 3 bytes")
        case (.failure(let one), .failure(let other)): Promise.require(one.code == other.code, "\(one), \(other)")
        default: Promise.require(false, "\(decoded), and behind 3 bytes \(again)")
        }
    }
}
