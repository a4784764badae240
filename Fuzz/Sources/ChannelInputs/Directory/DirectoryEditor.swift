import LogFormat

/// Carries out edits on a directory.
struct DirectoryEditor {
    private(set) var directory: LogDirectory
    private(set) var unreadable: [(name: String, bytes: Range<UInt64>)] = []
    /// A file does not grow beyond it: an input is there to try recovery, not memory.
    private static let longestFile = 256 << 10

    init(_ directory: LogDirectory) { self.directory = directory }

    mutating func perform(_ edit: DirectoryPlan.Edit) {
        if case .create(let name, let bytes) = edit.edit { return directory.files[FileName.of(name)] = .bytes(bytes) }
        guard let name = name(edit.file) else { return }
        switch edit.edit {
        case .remove: directory.files[name] = nil
        case .replace(let content): directory.files[name] = content
        case .duplicate(let other): directory.files[FileName.of(other)] = directory.files[name]
        case .swap(let other):
            guard let other = self.name(other) else { return }
            let content = directory.files[name]
            directory.files[name] = directory.files[other]
            directory.files[other] = content
        default: change(name, edit)
        }
    }

    private func name(_ file: UInt8) -> String? {
        let names = directory.names
        return names.isEmpty ? nil : names[Int(file) % names.count]
    }

    private mutating func change(_ name: String, _ edit: DirectoryPlan.Edit) {
        guard var bytes = directory.bytes(name) else { return }
        let file = FramedFile(bytes)
        let place = edit.place.position(in: bytes, name, file.frames)
        var touched = place
        switch edit.edit {
        case .write(let literal): overwrite(&bytes, place, literal)
        case .number(let value, let count): overwrite(&bytes, place, Bytes.encoded(value, count: count))
        case .flip(let bit): if place < bytes.count { bytes[place] ^= 1 << bit }
        case .zero(let count):
            let end = min(place + count, bytes.count)
            bytes.replaceSubrange(place..<end, with: repeatElement(0, count: end - place))
        case .insert(let literal): bytes.insert(contentsOf: literal, at: place)
        case .erase(let count): bytes.removeSubrange(place..<min(place + count, bytes.count))
        case .truncate: bytes.removeSubrange(place...)
        case .extend(let count): bytes += [UInt8](repeating: 0, count: count)
        case .copy(let other, let from, let count):
            guard let source = self.name(other), let found = directory.bytes(source) else { return }
            let start = from.position(in: found, source, source == name ? file.frames : FramedFile(found).frames)
            overwrite(&bytes, place, Array(found[start..<min(start + count, found.count)]))
        case .forge(let type, let events, let transactions, let payload):
            guard let frame = file.frames.last, let life = file.life else { return }
            touched = forge(&bytes, behind: frame, life, [type, events, transactions], payload)
        case .unreadable:
            let page = UInt64(place / 4096 * 4096)
            unreadable.append((name, page..<page + 4096))
        default: break
        }
        if bytes.count > Self.longestFile { bytes.removeSubrange(Self.longestFile...) }
        if edit.isRepaired { repair(&bytes, name, at: touched, file) }
        directory.files[name] = .bytes(bytes)
    }

    private func overwrite(_ bytes: inout [UInt8], _ place: Int, _ literal: [UInt8]) {
        let end = min(place + literal.count, bytes.count)
        bytes.replaceSubrange(place..<end, with: literal.prefix(end - place))
    }

    /// Puts a frame behind another: of its epoch, with the numbers that follow. Returns where.
    private func forge(
        _ bytes: inout [UInt8], behind frame: Range<Int>, _ life: SegmentLife, _ counts: [UInt8], _ payload: [UInt8]
    ) -> Int {
        let start = frame.upperBound
        let frameBytes = (104 + payload.count + 7) / 8 * 8
        guard start + frameBytes <= bytes.count else { return frame.lowerBound }
        bytes.replaceSubrange(start..<start + 96, with: bytes[frame.lowerBound..<frame.lowerBound + 96])
        let next = Bytes.number(bytes, at: start + 32, count: 8) &+ Bytes.number(bytes, at: start + 20, count: 4)
        bytes[start + 4] = counts[0] % 15
        bytes[start + 6] = 0
        Bytes.store(UInt64(frameBytes), count: 4, at: start + 8, in: &bytes)
        Bytes.store(UInt64(payload.count), count: 4, at: start + 12, in: &bytes)
        Bytes.store(UInt64(counts[1]), count: 4, at: start + 20, in: &bytes)
        Bytes.store(UInt64(counts[2]), count: 4, at: start + 24, in: &bytes)
        Bytes.store(next, count: 8, at: start + 32, in: &bytes)
        bytes.replaceSubrange(start + 96..<start + frameBytes, with: repeatElement(0, count: frameBytes - 96))
        bytes.replaceSubrange(start + 96..<start + 96 + payload.count, with: payload)
        Repair.frame(&bytes, at: start, frameBytes: frameBytes, place: Repair.place(life, start))
        return start
    }

    /// Puts right what stands at a place: an identity block, the frame that stood there, a checkpoint slot, the settings.
    private func repair(_ bytes: inout [UInt8], _ name: String, at place: Int, _ file: FramedFile) {
        if name == "settings" { return Repair.settings(&bytes) }
        if name == "checkpoint" {
            let half = bytes.count / 2
            return Repair.checkpointSlot(&bytes, in: place < half ? 0..<half : half..<2 * half)
        }
        guard place >= 8192 else { return Repair.identity(&bytes, at: place / 4096 * 4096) }
        guard let life = file.life, let frame = file.frames.last(where: { $0.lowerBound <= place }) else { return }
        let start = frame.lowerBound
        guard start + 104 <= bytes.count else { return }
        // Its length, if that was changed to one that a frame can have here; else the one that it had.
        let stated = Int(Bytes.number(bytes, at: start + 8, count: 4))
        let fits = stated >= 104 && stated % 8 == 0 && start + stated <= bytes.count
        let frameBytes = fits ? stated : min(frame.count, (bytes.count - start) / 8 * 8)
        Repair.frame(&bytes, at: start, frameBytes: frameBytes, place: Repair.place(life, start))
    }
}

/// A segment's file, by its first valid identity block.
package struct FramedFile {
    package private(set) var life: SegmentLife?
    package private(set) var frames: [Range<Int>] = []

    package init(_ bytes: [UInt8]) {
        let span = unsafe bytes.span.bytes
        for start in [0, 4096] where life == nil && bytes.count >= start + 4096 {
            life = (try? IdentityBlock(decoding: span, at: start))?.life
        }
        guard let life else { return }
        var offset = 8192
        while offset + 104 <= bytes.count {
            if FrameHeader.hasMagic(span, at: offset),
                let header = try? FrameHeader.decode(span, at: offset, life: life, position: UInt64(offset)),
                offset + Int(header.frameBytes) <= bytes.count
            {
                frames.append(offset..<offset + Int(header.frameBytes))
                offset += Int(header.frameBytes)
            } else {
                offset += 8
            }
        }
    }
}
