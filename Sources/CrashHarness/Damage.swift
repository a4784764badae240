internal import DurableChannel
internal import LogFormat
internal import SegmentedLog
internal import SimulatedFileIO

extension CrashScript.Damage {
    static func random(_ random: inout SeededRandom) -> CrashScript.Damage {
        // Flips, and what the disk does not give, are what a check can be exact about.
        let exact: Kind = random.chance(60) ? .flip : .unreadable
        let kind =
            random.chance(60) ? exact : Kind.allCases.filter { $0 != .unreadableStart }.randomElement(using: &random)!
        let seed = random.next()
        // Where a bad sector hides most is tried as often as anywhere.
        return CrashScript.Damage(kind == .unreadable && seed % 2 == 0 ? .unreadableStart : kind, seed: seed)
    }

    /// What was done.
    struct Struck {
        var words: String
        /// Bytes that are not what they were, by file.
        var bytes: [String: [Range<Int>]] = [:]
        /// The segment that was removed, if one was.
        var removed: String?
        /// What the disk does not give.
        var fault: Fault?
        /// Nothing that is left says that it existed.
        var isUnknown = false

        fileprivate mutating func withhold(_ bytes: Range<Int>, of name: String, on disk: SimulatedDisk) {
            let fault = Fault(
                .read, errno: 5, on: .name(name), range: UInt64(bytes.lowerBound)..<UInt64(bytes.upperBound),
                count: Fault.forever)
            disk.faults.add(fault)
            self.fault = fault
        }

        /// The events of all frames that have one of those bytes in them, in the log as it was without the damage.
        func events(in log: Log) throws(LogError) -> Set<UInt64> {
            var events: Set<UInt64> = []
            // Verified: headers alone lead over the open frame that cut off a torn one.
            let reader = log.makeReader()
            while let item = try reader.next() {
                // Between frames of two epochs there may be what was never finished.
                guard case .frame(let frame) = item else { continue }
                let start = Int(frame.lsn.offset)
                let frameBytes = start..<start + Int(frame.header.frameBytes)
                let changed = bytes[FileNames.segment(frame.lsn.segment)] ?? []
                guard changed.contains(where: frameBytes.overlaps) else { continue }
                let base = frame.header.baseSequence.rawValue
                events.formUnion(base..<base + UInt64(frame.header.eventCount))
            }
            return events
        }

        /// Whether anything says that the removed segment existed: a later one, the seal of the one before, in the log as it
        /// was without the damage, or a checkpoint.
        func isNamed(on disk: SimulatedDisk, _ log: Log) throws(LogError) -> Bool {
            guard let removed else { return true }
            let names = disk.names(in: ChannelRecorder.path) ?? []
            if names.contains(where: { $0.hasSuffix(".seg") && $0 > removed }) { return true }
            let checkpoint = disk.contents(of: ChannelRecorder.path + "/checkpoint") ?? []
            for slot in [checkpoint.prefix(checkpoint.count / 2), checkpoint.suffix(checkpoint.count / 2)] {
                let slot = try? CheckpointSlot(decoding: unsafe Array(slot).span.bytes)
                if slot?.snapshot.segments.contains(where: { FileNames.segment($0.number) == removed }) == true {
                    return true
                }
            }
            let reader = log.makeReader()
            while let item = try reader.next() {
                guard case .frame(let frame) = item, frame.header.type == .seal,
                    let seal = try? SealRecord(decoding: unsafe frame.payload.span.bytes)
                else { continue }
                if FileNames.segment(seal.nextSegment) == removed { return true }
            }
            return false
        }
    }

    /// Changes one file of a channel's. nil when there is nothing that it could be done to.
    func strike(_ disk: SimulatedDisk) -> Struck? {
        var random = SeededRandom(seed: seed)
        let names = (disk.names(in: ChannelRecorder.path) ?? []).filter { $0.hasSuffix(".seg") || $0 == "checkpoint" }
        guard let name = names.randomElement(using: &random) else { return nil }
        let path = ChannelRecorder.path + "/" + name
        guard var bytes = disk.contents(of: path), !bytes.isEmpty else { return nil }
        // Most of a file are zeros that nothing was written to.
        let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        let place = Int.random(in: 0..<used, using: &random)
        let sector = place / 512 * 512..<min(place / 512 * 512 + 512, bytes.count)
        let page = place / 4096 * 4096..<min(place / 4096 * 4096 + 4096, bytes.count)
        let whole = 0..<bytes.count
        var struck = Struck(words: "\(kind.rawValue) in \(name) at \(place)", bytes: [name: [page]])
        switch kind {
        case .flip:
            bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            struck.bytes[name] = [place..<place + 1]
        case .zeroSector:
            bytes.replaceSubrange(sector, with: repeatElement(0, count: sector.count))
            struck.bytes[name] = [sector]
        case .garbleSector:
            for index in sector { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
            struck.bytes[name] = [sector]
        case .garblePage: for index in page { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        case .swapPages:
            let start = Int.random(in: 0..<(bytes.count + 4095) / 4096, using: &random) * 4096
            guard start + 4096 <= bytes.count, page.count == 4096 else { return nil }
            let other = start..<start + 4096
            let kept = Array(bytes[page])
            bytes.replaceSubrange(page, with: bytes[other])
            bytes.replaceSubrange(other, with: kept)
            struck = Struck(words: struck.words + " with \(start)", bytes: [name: [page, other]])
        case .garbleIdentity:
            guard name.hasSuffix(".seg") else { return nil }
            for index in 0..<min(8192, bytes.count) { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
            // Nothing else need say what the newest one's salt is.
            let isNewest = name == names.filter { $0.hasSuffix(".seg") }.max()
            struck = Struck(words: "both identities of \(name) garbled", bytes: isNewest ? [name: [whole]] : [:])
        case .removeSegments:
            let segments = names.filter { $0.hasSuffix(".seg") }
            for other in segments { disk.remove(ChannelRecorder.path + "/" + other) }
            let everything = Dictionary(uniqueKeysWithValues: segments.map { ($0, [0..<Int.max]) })
            return Struck(words: "all segments removed", bytes: everything)
        case .cut:
            bytes.removeLast(bytes.count - place)
            struck.bytes[name] = [place..<whole.upperBound]
        case .remove:
            disk.remove(path)
            struck = Struck(words: "\(name) removed", bytes: [name: [whole]])
            if name.hasSuffix(".seg") { struck.removed = name }
            return struck
        case .exchange, .duplicate:
            guard
                let other = names.filter({ $0 != name && $0.hasSuffix(".seg") == name.hasSuffix(".seg") })
                    .randomElement(using: &random), let others = disk.contents(of: ChannelRecorder.path + "/" + other)
            else { return nil }
            if kind == .duplicate {
                disk.setContents(of: path, to: others)
                return Struck(words: "\(other) copied over \(name)", bytes: [name: [whole]])
            }
            disk.setContents(of: ChannelRecorder.path + "/" + other, to: bytes)
            disk.setContents(of: path, to: others)
            return Struck(
                words: "\(name) and \(other) exchanged", bytes: [name: [whole], other: [0..<others.count]])
        case .unreadable:
            struck.withhold(page, of: name, on: disk)
            return struck
        case .unreadableStart:
            guard let segment = names.filter({ $0.hasSuffix(".seg") }).suffix(2).randomElement(using: &random) else {
                return nil
            }
            let start = [0, 4096, 8192, 8704].randomElement(using: &random)!
            let pages = start..<start + [512, 4096, 8192].randomElement(using: &random)!
            let isWithoutCheckpoint = random.chance(50)
            if isWithoutCheckpoint { disk.remove(ChannelRecorder.path + "/checkpoint") }
            struck = Struck(
                words: "\(pages) of \(segment) unreadable" + (isWithoutCheckpoint ? ", checkpoint deleted" : ""),
                bytes: [segment: [pages]])
            struck.withhold(pages, of: segment, on: disk)
            return struck
        case .replace:
            disk.remove(path)
            disk.plant([.directory, .symbolicLink, .other].randomElement(using: &random)!, at: path)
            return Struck(words: "\(name) replaced by something that is no file", bytes: [name: [whole]])
        }
        disk.setContents(of: path, to: bytes)
        return struck
    }
}
