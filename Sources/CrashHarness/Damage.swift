internal import DurableChannel
internal import LogFormat
internal import SimulatedFileIO

extension CrashScript.Damage {
    static func random(_ random: inout SeededRandom) -> CrashScript.Damage {
        // Flips, and what the disk does not give, are what a check can be exact about.
        let exact: Kind = random.chance(70) ? .flip : .unreadable
        let kind = random.chance(60) ? exact : Kind.allCases.randomElement(using: &random)!
        return CrashScript.Damage(kind, seed: random.next())
    }

    /// Changes one file of a channel's. What was done, in words; nil when there is nothing that it could be done to.
    func strike(_ disk: SimulatedDisk) -> String? {
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
        var story = "\(kind.rawValue) in \(name) at \(place)"
        switch kind {
        case .flip: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case .zeroSector: bytes.replaceSubrange(sector, with: repeatElement(0, count: sector.count))
        case .garbleSector: for index in sector { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        case .garblePage: for index in page { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        case .swapPages:
            let other = Int.random(in: 0..<(bytes.count + 4095) / 4096, using: &random) * 4096
            guard other + 4096 <= bytes.count, page.count == 4096 else { return nil }
            let kept = Array(bytes[page])
            bytes.replaceSubrange(page, with: bytes[other..<other + 4096])
            bytes.replaceSubrange(other..<other + 4096, with: kept)
            story += " with \(other)"
        case .garbleIdentity:
            guard name.hasSuffix(".seg") else { return nil }
            for index in 0..<min(8192, bytes.count) { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
            story = "both identities of \(name) garbled"
        case .removeSegments:
            for other in names where other.hasSuffix(".seg") { disk.remove(ChannelRecorder.path + "/" + other) }
            return "all segments removed"
        case .cut: bytes.removeLast(bytes.count - place)
        case .remove:
            disk.remove(path)
            return "\(name) removed"
        case .exchange:
            guard
                let other = names.filter({ $0 != name && $0.hasSuffix(".seg") == name.hasSuffix(".seg") })
                    .randomElement(using: &random), let others = disk.contents(of: ChannelRecorder.path + "/" + other)
            else { return nil }
            disk.setContents(of: ChannelRecorder.path + "/" + other, to: bytes)
            disk.setContents(of: path, to: others)
            return "\(name) and \(other) exchanged"
        case .unreadable:
            disk.faults.add(
                Fault(
                    .read, errno: 5, on: .name(name), range: UInt64(page.lowerBound)..<UInt64(page.upperBound),
                    count: Fault.forever))
            return story
        case .replace:
            disk.remove(path)
            disk.plant([.directory, .symbolicLink, .other].randomElement(using: &random)!, at: path)
            return "\(name) replaced by something that is no file"
        }
        disk.setContents(of: path, to: bytes)
        return story
    }
}

/// What a channel promises when files were damaged while nobody had them open: everything outside of the damage is served, what
/// is not served is counted as lost or unreadable, and nothing is invented.
struct DamageCheck {
    /// What was there before, in the model's and in the channel's own words.
    var before: [ChannelModel.Found]
    var model: ChannelModel
    /// As clients knew it at the crash.
    var atCrash: ChannelModel
    var lostBefore: UInt64
    /// The next sequence behind all that any statement in the log proved.
    var provenEnd: UInt64
    /// One more than the last event that was acknowledged.
    var acknowledgedEnd: UInt64
    /// Where the log ended.
    var tail: LSN
    /// A checkpoint is left, which says that there was a channel (row 18).
    var hadCheckpoint: Bool
    var kind: CrashScript.Damage.Kind

    /// At the end of the log nobody can tell what was damaged from what was never finished: of one flipped bit, what no
    /// statement covers; of more, everything behind what is left. What the disk does not give is never taken for that end,
    /// and a segment without an identity is known by its salt.
    private func isExcused(_ sequence: UInt64, lastThere: UInt64) -> Bool {
        switch kind {
        case .flip: sequence >= provenEnd
        case .unreadable, .garbleIdentity: false
        default: sequence > lastThere
        }
    }

    /// The least number that a new event may get. Those of what is gone for good, and known to have been there, are not
    /// given again.
    func leastNext(_ found: [ChannelModel.Found]) -> UInt64 {
        let behindFound = (found.last?.sequence ?? 0) + 1
        return switch kind {
        case .flip, .unreadable, .garbleIdentity: max(behindFound, provenEnd)
        case .remove, .removeSegments: max(behindFound, acknowledgedEnd)
        default: behindFound
        }
    }

    /// - Parameter tailIsShorter: the log ends before the place where it ended: the records behind that, the last lease and the
    ///   last takes among them, cannot be told from what was never finished.
    func objection(
        to found: [ChannelModel.Found], _ metrics: ChannelMetrics, tailIsShorter: Bool
    ) -> String? {
        for (one, next) in zip(found, found.dropFirst()) where next.sequence <= one.sequence {
            return "\(next) comes after \(one)"
        }
        let known = Dictionary(before.map { ($0.sequence, $0.tag) }, uniquingKeysWith: { first, _ in first })
        for event in found {
            if let tag = known[event.sequence] ?? model.tags[event.sequence], tag != event.tag {
                return "\(event) was event \(tag)"
            }
            let put = model.puts[event.tag / ChannelModel.tagStride]
            // What was under way at the crash may be there after all: damage in front of a torn group makes a hole of both, and
            // what is whole behind a hole is served.
            if put.answer == .refused, atCrash.puts[event.tag / ChannelModel.tagStride].answer == .refused {
                return "\(event) was cut off or refused before"
            }
            if tailIsShorter { continue }
            if model.handedOut.contains(event.sequence), !event.isMarked { return "\(event) comes again without mark" }
            if known[event.sequence] == nil, put.answer != .refused, !event.isMarked {
                return "\(event) was gone, and comes without mark"
            }
        }
        let there = Set(found.map(\.sequence))
        let missing = before.map(\.sequence).filter { !there.contains($0) }
        let lastThere = there.max() ?? 0
        // The commit of a take that was under way may count after all, as a put may.
        let underWay = Set(atCrash.takes.filter { $0.isCommitting && $0.answer != .refused }.flatMap(\.events))
        let unexplained = missing.filter { !isExcused($0, lastThere: lastThere) && !underWay.contains($0) }
        let accounted = metrics.lostEvents - lostBefore + metrics.unreadableEvents
        if UInt64(unexplained.count) > accounted {
            return "\(unexplained) are missing, and \(accounted) counted as lost; put \(metrics.putEvents), held "
                + "\(metrics.heldEvents), taken \(metrics.takenEvents), dropped \(metrics.droppedEvents), lost "
                + "\(metrics.lostEvents), in flight \(metrics.inFlightEvents)"
        }
        if !metrics.isBalanced { return "not balanced: \(metrics)" }
        return nil
    }
}
