import LogFormat

/// What in a directory has the right checksums for its place: identity blocks, frames, checkpoint slots.
///
/// An input that makes one more has forged it: from then on the log can say anything, and what it serves cannot be compared
/// with what was put. (A checksum is not a signature.)
package struct ValidStructures: Sendable {
    private var found: Set<[UInt8]> = []
    private var lives: [SegmentLife] = []

    package init(_ directory: LogDirectory, knowing others: [SegmentLife] = []) {
        lives = others
        for name in directory.names { directory.bytes(name).map { findIdentities($0) } }
        for name in directory.names { directory.bytes(name).map { findFrames($0) } }
        for name in directory.names where name == "checkpoint" { directory.bytes(name).map { findSlots($0) } }
    }

    /// Whether there is anything in a directory that is not here.
    package func lacksAnyOf(_ directory: LogDirectory) -> Bool {
        !ValidStructures(directory, knowing: lives).found.isSubset(of: found)
    }

    private mutating func findIdentities(_ bytes: [UInt8]) {
        for start in [0, 4096] where bytes.count >= start + 4096 {
            guard let block = try? IdentityBlock(decoding: unsafe bytes.span.bytes, at: start) else { continue }
            found.insert(Array(bytes[start..<start + 4096]))
            if !lives.contains(block.life) { lives.append(block.life) }
        }
    }

    private mutating func findFrames(_ bytes: [UInt8]) {
        let span = unsafe bytes.span.bytes
        var offset = 0
        while offset + FrameHeader.byteCount <= bytes.count {
            defer { offset += 8 }
            guard FrameHeader.hasMagic(span, at: offset) else { continue }
            for life in lives {
                let position = UInt64(offset)
                guard let header = try? FrameHeader.decode(span, at: offset, life: life, position: position),
                    (try? Frame.verify(span, at: offset, header: header, life: life, position: position)) != nil
                else { continue }
                found.insert(Repair.place(life, offset) + bytes[offset..<offset + FrameHeader.byteCount])
            }
        }
    }

    private mutating func findSlots(_ bytes: [UInt8]) {
        let half = bytes.count / 2
        for range in [0..<half, half..<2 * half] where range.count >= 96 {
            guard (try? CheckpointSlot(decoding: unsafe bytes.span.bytes.extracting(range))) != nil else { continue }
            found.insert(Array(bytes[range.lowerBound..<range.lowerBound + 96]))
        }
    }
}
