internal import DurableChannel
internal import FileIO
internal import Glibc
internal import LogFormat
internal import SegmentedLog
internal import SimulatedFileIO

extension ChannelSweep {
    /// Cuts a life off, damages what is left, and looks at that.
    func check(_ moment: ChannelRecorder.Moment, _ cut: CrashScript.Cut, _ damage: CrashScript.Damage) {
        let survivor = cut.survivor(of: moment.disk)
        let damaged = survivor.clone()
        let model = moment.model(after: cut)
        guard var struck = damage.strike(damaged) else { return }
        let story = "\(cut.words(moment)), then \(struck.words)"
        guard failures.isEmpty, isNew(damaged, model, 41), let first = reopen(survivor, model, story) else { return }
        coverage.note(moment.traits.traits(moment.disk, isRetiring: moment.isRetiring).union([.damage]))
        do {
            struck.isUnknown = try !struck.isNamed(on: damaged, first.channel.log)
            let check = DamageCheck(before: first, atCrash: model, kind: damage.kind, struck: struck)
            if let objection = try look(at: damaged, check) { fail("\(story): \(objection)") }
        } catch {
            let code = (error as? ChannelError)?.code
            let mayStayShut = damage.kind != .flip && [.damaged, .notAChannel].contains(code)
            // What is no file is an error that says what to move away (row 33), and so is what the disk does not give, if without
            // it nobody knows what is held.
            let mayBeRefused = (damage.kind == .replace || damage.kind.isUnreadable) && code == .fileOperation
            if !mayStayShut, !mayBeRefused { fail("\(story): \(error)") }
            if damage.kind.isUnreadable { checkGiven(damaged, model, first, story) }
        }
        noteFailure(cut, damage)
    }

    /// A channel that stayed shut is whole when the disk gives everything again.
    private func checkGiven(
        _ disk: SimulatedDisk, _ model: ChannelModel, _ first: Reopened,
        _ story: String
    ) {
        guard failures.isEmpty else { return }
        // Nothing was synced: what a kill has left in the page cache must not be taken away.
        let given = disk.killed(keeping: .everything)
        guard let second = reopen(given, model, story + ", then given again") else { return }
        if second.found != first.found { fail("\(story), then given again: \(second.found), not \(first.found)") }
    }

    /// Opens a damaged channel, and goes on with it.
    private func look(at disk: SimulatedDisk, _ check: DamageCheck) throws -> String? {
        let world = SimulatedProcess(disk, seed: Self.lookingSeed)
        world.isLastOnItsDisk = true
        let hadCheckpoint = disk.names(in: ChannelRecorder.path)?.contains("checkpoint") == true
        let channel = try open(world)
        coverage.note(channel.recoveryReport)
        if channel.recoveryReport.created, hadCheckpoint { return "a new channel was made over the damaged one" }
        var found: [ChannelModel.Found] = []
        var others: [UInt64] = []
        do { try lookAtAll(channel, check.before.model, &found, &others) } catch let error as ChannelError {
            throw ChannelError(error.code, "\(error.message); \(channel.recoveryReport)")
        }
        if let objection = try check.objection(to: found, channel) {
            return "\(objection); found \(found); \(channel.recoveryReport)"
        }
        if let objection = try lookAgain(at: disk, check) { return objection }
        let next: UInt64
        do throws(ChannelError) {
            var put = try channel.beginPut()
            guard try put.append(body: "after the damage") == .accepted else { return nil }
            next = try put.commit().sequences.lowerBound
        } catch {
            return error.code == .full ? nil : "a put afterwards: \(error)"
        }
        let least = check.leastNext(found)
        if next < least { return "a new event is \(next), and numbers before \(least) were given" }
        var taken: [UInt64] = []
        while case let more = try channel.take(Self.everything).numbers, !more.isEmpty { taken += more }
        // With `dropOldest` the new one may have cost the oldest.
        let expected = found.map(\.sequence) + [next]
        let isRight =
            configuration.whenFull == .dropOldest ? expected.suffix(taken.count) == taken[...] : taken == expected
        guard isRight else { return "\(found) were there, and \(taken) were taken" }
        try channel.close()
        return channel.metrics.isBalanced ? nil : "not balanced: \(channel.metrics)"
    }

    /// What the disk did not give is there when it does, also when the channel was opened twice more before that, and put into:
    /// beside the same place, and then beside the beginning of the segment in which it went on.
    private func lookAgain(at disk: SimulatedDisk, _ check: DamageCheck) throws -> String? {
        guard var fault = check.struck.fault else { return nil }
        var disk = disk
        var added: Set<UInt64> = []
        var dropped: UInt64 = 0
        for round in 0..<3 {
            let isGiven = round == 2
            disk = disk.crashed(keeping: .nothing)
            if !isGiven { disk.faults.add(fault) }
            // Numbers that are drawn again, nonces among them, would hide what the first opening was taken for.
            let world = SimulatedProcess(disk, seed: Self.lookingSeed + 1 + UInt64(round))
            world.isLastOnItsDisk = true
            let channel: FileChannel
            do throws(ChannelError) { channel = try open(world) } catch {
                // Then it touched nothing. (Beside each new bad sector a segment is begun, and a full channel has room for one.)
                guard !isGiven, error.code == .fileOperation || error.code == .full else {
                    throw ChannelError(error.code, "opened again, \(isGiven ? "given" : "\(fault)"): \(error.message)")
                }
                continue
            }
            coverage.note(channel.recoveryReport)
            var found: [ChannelModel.Found] = []
            var others: [UInt64] = []
            try lookAtAll(channel, check.before.model, &found, &others)
            if isGiven {
                let objection = check.objection(
                    toHeld: found, added: added.subtracting(others), dropped: dropped, channel.metrics)
                return objection.map { "\($0); found \(found) and \(others); \(channel.recoveryReport)" }
            }
            let overflow = channel.metrics.overflow
            added.formUnion(try addOne(channel))
            dropped += channel.metrics.overflow - overflow
            let newest = channel.log.durableThrough.lsn.segment
            fault = Fault(
                .read, errno: EIO, on: .name(FileNames.segment(newest)), range: 8192..<12288, count: Fault.forever)
        }
        return nil
    }

    /// Puts an event that no script knows; nothing when there is no room for it, or when nothing has to stay.
    private func addOne(_ channel: FileChannel) throws -> [UInt64] {
        // Nobody takes meanwhile: to wait for room without an end would be that.
        guard configuration.durability == .commit, configuration.whenFull != .block(nil) else { return [] }
        do throws(ChannelError) {
            var put = try channel.beginPut()
            guard try put.append(body: Self.added) == .accepted else { return [] }
            return [try put.commit().sequences.lowerBound]
        } catch {
            guard error.code == .full else { throw error }
            return []
        }
    }

    private static let added = "beside the damage"

    /// A take ends at a hole, and the next one goes on behind it: until there is nothing, and then all are rolled back.
    /// - Parameter others: gets the sequences of events that no script knows.
    private func lookAtAll(
        _ channel: FileChannel, _ model: ChannelModel, _ found: inout [ChannelModel.Found], _ others: inout [UInt64]
    ) throws {
        let take = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
        guard !take.isEmpty else { return }
        let isAdded = { (event: TakenEvent) in event.body == Array(Self.added.utf8)[...] }
        found += try model.identify(take.events.filter { !isAdded($0) })
        others += take.events.filter(isAdded).map(\.sequence.rawValue)
        try lookAtAll(channel, model, &found, &others)
        take.rollback()
    }
}

/// What a channel promises when files were damaged while nobody had them open: everything outside of the damage is served, what
/// is not served is counted as lost or unreadable, and nothing is invented.
private struct DamageCheck {
    /// The same crash without the damage.
    var before: ChannelSweep.Reopened
    /// As clients knew it at the crash.
    var atCrash: ChannelModel
    var kind: CrashScript.Damage.Kind
    var struck: CrashScript.Damage.Struck

    /// The next sequence behind all that any statement in the log proved.
    private var provenEnd: UInt64 { before.channel.recoveryReport.provenThrough.nextSequence.rawValue }

    /// At the end of the log nobody can tell what was damaged from what was never finished: of one flipped bit, what no
    /// statement covers; of more, everything behind what is left. What the disk does not give is never taken for that end,
    /// and a segment without an identity is known by its salt.
    private func isExcused(_ sequence: UInt64, lastThere: UInt64) -> Bool {
        switch kind {
        case .flip: sequence >= provenEnd
        case .unreadable, .unreadableStart, .garbleIdentity: false
        default: sequence > lastThere
        }
    }

    /// The least number that a new event may get. Those of what is gone for good, and known to have been there, are not
    /// given again.
    func leastNext(_ found: [ChannelModel.Found]) -> UInt64 {
        let behindFound = (found.last?.sequence ?? 0) + 1
        return switch kind {
        case .flip, .unreadable, .unreadableStart, .garbleIdentity: max(behindFound, provenEnd)
        // Of a segment that nothing else names nobody can know.
        case .remove: struck.isUnknown ? behindFound : max(behindFound, atCrash.acknowledgedEnd)
        case .removeSegments, .replace: max(behindFound, atCrash.acknowledgedEnd)
        default: behindFound
        }
    }

    func objection(to found: [ChannelModel.Found], _ channel: FileChannel) throws(LogError) -> String? {
        for (one, next) in zip(found, found.dropFirst()) where next.sequence <= one.sequence {
            return "\(next) comes after \(one)"
        }
        // The log ends before the place where it ended: the records behind that, the last lease and the last takes among them,
        // cannot be told from what was never finished.
        let isShorter = channel.recoveryReport.tail.lsn < before.channel.recoveryReport.tail.lsn
        let known = Dictionary(before.found.map { ($0.sequence, $0.tag) }, uniquingKeysWith: { first, _ in first })
        for event in found {
            let index = event.tag / ChannelModel.tagStride
            let wasCutOff = before.model.puts[index].wasUnknown || before.model.puts[index].wasCutOff
            // Without the identity of the segment that cut it off, what was cut off has its numbers again.
            let mayBeBack = wasCutOff && !kind.leavesIdentities
            if let tag = known[event.sequence] ?? before.model.tags[event.sequence], tag != event.tag, !mayBeBack {
                return "\(event) was event \(tag)"
            }
            // What was under way at the crash may be there after all: damage in front of a torn group makes a hole of both, and
            // what is whole behind a hole is served.
            let put = before.model.puts[index]
            let wasDecided = atCrash.puts[index].answer == .refused && !atCrash.beingCutOff.contains(index)
            if put.answer == .refused, wasDecided, !mayBeBack {
                return "\(event) was cut off or refused before"
            }
            if isShorter { continue }
            if before.model.handedOut.contains(event.sequence), !event.isMarked {
                return "\(event) comes again without mark"
            }
            if known[event.sequence] == nil, put.answer != .refused, !event.isMarked {
                return "\(event) was gone, and comes without mark"
            }
        }
        return try objection(toMissing: found, channel.metrics)
    }

    private func objection(
        toMissing found: [ChannelModel.Found], _ metrics: ChannelMetrics
    ) throws(LogError) -> String? {
        let lastThere = found.last?.sequence ?? 0
        let missing = missing(found).filter { !isExcused($0, lastThere: lastThere) }
        guard metrics.isBalanced else { return "not balanced: \(metrics)" }
        guard !missing.isEmpty else { return nil }
        let dropped = dropped(metrics, found)
        let accounted = metrics.lostEvents - before.channel.metrics.lostEvents + metrics.unreadableEvents + dropped
        if UInt64(missing.count) > accounted {
            return "\(missing) are missing, and \(accounted) counted as lost; \(metrics)"
        }
        let touched = try struck.events(in: before.channel.log)
        // What stands behind bytes that cannot be read, and was vouched for by nothing, is held with them: where the log ends
        // is decided when they can be read again.
        let others = missing.filter { !touched.contains($0) && (!kind.isUnreadable || $0 < provenEnd) }
        return others.count <= Int(dropped)
            ? nil : "\(others) are missing, and \(struck.bytes) hold only \(touched.sorted()); \(metrics)"
    }

    /// When the disk gives again what it did not give.
    /// - Parameters:
    ///   - added: what was put beside the damage, and is not there.
    ///   - since: so many were dropped for that. (What was dropped before may have been counted by what is damaged alone.)
    func objection(
        toHeld found: [ChannelModel.Found], added: Set<UInt64>, dropped since: UInt64, _ metrics: ChannelMetrics
    ) -> String? {
        let missing = missing(found) + added.sorted()
        guard missing.count > since + dropped(metrics, since: since, found) else { return nil }
        return "\(missing) are missing, though the disk gives everything again; \(metrics)"
    }

    private func missing(_ found: [ChannelModel.Found]) -> [UInt64] {
        let there = Set(found.map(\.sequence))
        // The commit of a take that was under way may count after all, as a put may.
        let underWay = Set(
            atCrash.takes.filter { $0.isCommitting && ($0.answer != .refused || $0.wasCutOff) }.flatMap(\.events))
        return before.found.map(\.sequence).filter { !there.contains($0) && !underWay.contains($0) }
    }

    /// What was dropped since, or by a drop that was under way. One that the disk does not give has not dropped anything, and what it
    /// would have dropped is there.
    private func dropped(_ metrics: ChannelMetrics, since: UInt64 = 0, _ found: [ChannelModel.Found]) -> UInt64 {
        let known = Set(before.found.map(\.sequence))
        let now = metrics.overflow + UInt64(found.count { !known.contains($0.sequence) })
        let was = before.channel.metrics.overflow + since
        return now > was ? now - was : 0
    }
}
