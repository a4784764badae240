package import DurableChannel
internal import LogFormat
internal import SegmentedLog
package import SimulatedFileIO

/// Looks at what a crash has left: reopens the channel, compares it with the model, cuts the power again, crashes inside
/// recovery, and goes on using it.
package final class ChannelSweep {
    package let configuration: ChannelConfiguration
    package private(set) var failures: [String] = []
    /// Of the first failure: where recovery was cut off, too.
    private(set) var failedInside: CrashScript.Cut?
    /// Of the first failure: where the life was cut off.
    private(set) var failedCut: CrashScript.Cut?
    private(set) var failedDamage: CrashScript.Damage?
    package private(set) var coverage = Coverage()
    /// Distinct pairs of disk and model.
    private var states: Set<UInt64> = []
    package private(set) var moments = 0
    package var choiceLimit = Int.max
    package var insideLimit = 4
    /// Every so many distinct states are also crashed inside recovery.
    package var insideEvery = 1
    /// Every so many are used afterwards: what was found is taken, producers repeat their commits, more is put.
    package var usedEvery = 2
    /// Every so many are looked at a second time, after a power cut.
    package var cutAgainEvery = 1
    /// Every so many are opened without their checkpoint, too.
    package var bareEvery = 4
    /// Of the legal ways to crash at one moment every so many are tried, beginning with another one at each moment.
    package var choiceStride = 1
    /// What was found is taken by so many at a time afterwards.
    package var drainsBy = everything

    package var count: Int { coverage.states }
    package var partial: Int { coverage.traits[.partlyLost] ?? 0 }
    package var openings: Int { coverage.openings }

    /// Channels of processes that are over, and that are in memory all the same: a sweep must not grow with its
    /// openings.
    package var leftInMemory: Int { opened.count { $0.channel != nil } }
    private var opened: [Opened] = []

    private struct Opened { weak var channel: FileChannel? }

    package init(_ configuration: ChannelConfiguration) { self.configuration = configuration }

    package func sweep(_ recorder: ChannelRecorder) {
        failures += recorder.objections
        sweep(recorder.moments) { _ in true }
    }

    /// Crashes each moment in every legal way. `goesOn` is asked before each moment.
    func sweep(_ all: [ChannelRecorder.Moment], while goesOn: (Int) -> Bool) {
        moments += all.count
        for (index, moment) in all.enumerated() where failures.isEmpty {
            guard goesOn(index) else { return }
            let choices = moment.disk.legalCrashChoices(limit: choiceLimit)
            for number in stride(from: index % choiceStride, to: choices.count, by: choiceStride) {
                check(moment, CrashScript.Cut(operation: index, keeping: .legal(number)), choices[number])
            }
            check(moment, CrashScript.Cut(operation: index, isKill: true, keeping: .everything))
            if moment.disk.pendingOperations.contains(where: \.isInFlight) {
                check(moment, CrashScript.Cut(operation: index, isKill: true, keeping: .nothing))
            }
        }
    }

    /// Cuts a life off at a moment, and looks at what is left. False when that state was seen before.
    @discardableResult
    func check(_ moment: ChannelRecorder.Moment, _ cut: CrashScript.Cut) -> Bool {
        check(moment, cut, cut.keeping.choice(for: moment.disk))
    }

    @discardableResult
    private func check(_ moment: ChannelRecorder.Moment, _ cut: CrashScript.Cut, _ choice: CrashChoice) -> Bool {
        let survivor = cut.isKill ? moment.disk.killed(keeping: choice) : moment.disk.crashed(keeping: choice)
        var traits = moment.traits.traits(moment.disk, isRetiring: moment.isRetiring)
        if cut.isKill { traits.insert(.kill) } else if !choice.exceptions.isEmpty { traits.insert(.partlyLost) }
        let story = "\(cut.isKill ? "kill" : "power cut") before op \(cut.operation) \(moment.operation), \(choice)"
        let isNew = check(survivor, moment.model, story, traits)
        if !failures.isEmpty, failedCut == nil { failedCut = cut }
        return isNew
    }

    /// Cuts a life off, damages what is left, and looks at that.
    func check(_ moment: ChannelRecorder.Moment, _ cut: CrashScript.Cut, _ damage: CrashScript.Damage) {
        let survivor = cut.survivor(of: moment.disk)
        let damaged = survivor.clone()
        guard let done = damage.strike(damaged) else { return }
        let story = "\(cut.isKill ? "kill" : "power cut") before op \(cut.operation) \(moment.operation), then \(done)"
        guard failures.isEmpty, states.insert(damaged.stateHash &* 41 &+ UInt64(moment.model.version)).inserted,
            let first = reopen(survivor, moment.model, story)
        else { return }
        coverage.note(moment.traits.traits(moment.disk, isRetiring: moment.isRetiring).union([.damage]))
        let before = DamageCheck(
            before: first.found, model: first.model, atCrash: moment.model,
            lostBefore: first.channel.metrics.lostEvents,
            provenEnd: first.channel.recoveryReport.provenThrough.nextSequence.rawValue,
            acknowledgedEnd: moment.model.acknowledgedEnd, tail: first.channel.recoveryReport.tail.lsn,
            hadCheckpoint: damaged.names(in: ChannelRecorder.path)?.contains("checkpoint") == true, kind: damage.kind)
        do {
            if let objection = try look(at: damaged, before) { fail("\(story): \(objection)") }
        } catch {
            let code = (error as? ChannelError)?.code
            let mayStayShut = damage.kind != .flip && [.damaged, .notAChannel].contains(code)
            // What is no file is an error that says what to move away (row 33).
            if !mayStayShut, damage.kind != .replace || code != .fileOperation {
                fail("\(story): \(error)\(reportOfDamage.map { "; \($0)" } ?? "")")
            }
        }
        if !failures.isEmpty {
            failedCut = failedCut ?? cut
            failedDamage = damage
        }
    }

    private var reportOfDamage: RecoveryReport?

    /// A take ends at a hole, and the next one goes on behind it: until there is nothing, and then all are rolled back.
    private func lookAtAll(
        _ channel: FileChannel, _ model: ChannelModel, _ found: inout [ChannelModel.Found]
    ) throws {
        let take = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
        guard !take.isEmpty else { return }
        found += try find(take.events, model, "")
        try lookAtAll(channel, model, &found)
        take.rollback()
    }

    /// Opens a damaged channel, and goes on with it.
    private func look(at disk: SimulatedDisk, _ before: DamageCheck) throws -> String? {
        let world = SimulatedProcess(disk, seed: Self.lookingSeed)
        world.isLastOnItsDisk = true
        reportOfDamage = nil
        let channel = try open(world)
        reportOfDamage = channel.recoveryReport
        coverage.note(channel.recoveryReport)
        if channel.recoveryReport.created, before.hadCheckpoint { return "a new channel was made over the damaged one" }
        var found: [ChannelModel.Found] = []
        try lookAtAll(channel, before.model, &found)
        if let objection = before.objection(
            to: found, channel.metrics, tailIsShorter: channel.recoveryReport.tail.lsn < before.tail)
        {
            return "\(objection); found \(found); \(channel.recoveryReport)"
        }
        let next: UInt64
        do throws(ChannelError) {
            var put = try channel.beginPut()
            guard try put.append(body: "after the damage") == .accepted else { return nil }
            next = try put.commit().sequences.lowerBound
        } catch {
            return error.code == .full ? nil : "a put afterwards: \(error)"
        }
        let least = before.leastNext(found)
        if next < least { return "a new event is \(next), and numbers before \(least) were given" }
        // A take ends at a hole; the next one goes on behind it.
        var taken: [UInt64] = []
        while case let more = try channel.take(Self.everything).numbers, !more.isEmpty { taken += more }
        // With `dropOldest` the new one may have cost the oldest.
        let expected = found.map(\.sequence) + [next]
        let isRight = configuration.whenFull == .dropOldest ? expected.ends(with: taken) : taken == expected
        guard isRight else { return "\(found) were there, and \(taken) were taken" }
        try channel.close()
        return channel.metrics.isBalanced ? nil : "not balanced: \(channel.metrics)"
    }

    /// False when the state was seen before.
    @discardableResult
    package func check(
        _ disk: SimulatedDisk, _ model: ChannelModel, _ story: String, _ traits: Set<Coverage.Trait> = []
    ) -> Bool {
        guard failures.isEmpty, states.insert(disk.stateHash &* 31 &+ UInt64(model.version)).inserted else {
            return false
        }
        coverage.note(traits)
        let ordinal = states.count
        if ordinal % bareEvery == 0 {
            // A checkpoint only saves time.
            let bare = disk.clone()
            bare.remove(ChannelRecorder.path + "/checkpoint")
            guard reopen(bare, model, story + ", checkpoint deleted") != nil else { return true }
        }
        var inside: [SimulatedDisk] = []
        if ordinal % insideEvery == 0 {
            disk.beforeOperation = { [unowned disk] _ in inside.append(disk.clone()) }
        }
        guard let first = reopen(disk, model, story) else { return true }
        disk.beforeOperation = nil
        // Row 1: what was delivered after the crash is there after a power cut; row 44: with the mark.
        var delivered = first.model
        delivered.deliver(first.found, leaseStep: configuration.leaseStep)
        if ordinal % cutAgainEvery == 0 {
            let dark = first.world.disk.crashed(keeping: .nothing)
            guard let second = reopen(dark, delivered, story + ", read, power cut") else { return true }
            if second.found.map(\.sequence) != first.found.map(\.sequence) {
                fail("\(story): \(first.found) before a power cut, \(second.found) after it")
            }
        }
        // The take that looked is under way in some of these.
        var interrupted = model
        interrupted.leaseBound = delivered.leaseBound
        for (index, clone) in inside.enumerated() {
            let choices = clone.legalCrashChoices(limit: insideLimit)
            for (number, choice) in choices.enumerated() {
                let crashed = clone.crashed(keeping: choice)
                guard states.insert(crashed.stateHash &* 37 &+ UInt64(model.version)).inserted else { continue }
                coverage.note(
                    traits.subtracting([.kill, .partlyLost])
                        .union(choice.exceptions.isEmpty ? [.recovery] : [.recovery, .partlyLost]))
                // What was never acknowledged may have been lost in between, so the model of before decides.
                let place = "\(story), then in recovery before op \(index), \(choice)"
                guard reopen(crashed, interrupted, place) != nil else {
                    failedInside = CrashScript.Cut(operation: index, keeping: .legal(number))
                    return true
                }
            }
        }
        if ordinal % usedEvery == 0 { use(first, story) }
        return true
    }

    /// The model of the life that begins on a crashed disk, which is not touched.
    package func settled(_ disk: SimulatedDisk, _ model: ChannelModel) -> ChannelModel? {
        reopen(disk.clone(), model, "the next life")?.model
    }

    /// As ``settled(_:_:)``, with what is there.
    package func look(
        _ disk: SimulatedDisk, _ model: ChannelModel, _ story: String
    ) -> (model: ChannelModel, found: [UInt64], ChannelMetrics)? {
        guard let reopened = reopen(disk.clone(), model, story) else { return nil }
        return (reopened.model, reopened.found.map(\.sequence), reopened.channel.metrics)
    }

    private struct Reopened {
        var world: SimulatedProcess
        var channel: FileChannel
        var found: [ChannelModel.Found]
        /// Settled on what was found.
        var model: ChannelModel
    }

    /// Of the process that looks at what is left.
    static let lookingSeed: UInt64 = 77
    static let everything = 100_000

    private func fail(_ story: String) {
        failures.append(story)
    }

    private func reopen(_ disk: SimulatedDisk, _ model: ChannelModel, _ story: String) -> Reopened? {
        let world = SimulatedProcess(disk, seed: Self.lookingSeed)
        world.isLastOnItsDisk = true
        do {
            let channel = try open(world)
            let take = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
            let found = try find(take.events, model, story)
            take.rollback()
            var settled = model
            let objection = settled.settle(on: found, bookmarks: channel.bookmark, channel.metrics)
            let report = channel.recoveryReport
            coverage.note(report)
            if let objection {
                fail("\(story): \(objection); found \(found); \(report)")
            } else if !report.losses.isEmpty || !report.unreadable.isEmpty {
                fail("\(story): a crash is not damage: \(report)")
            } else if disk.allocatedBytes() > configuration.capacityBytes! {
                fail("\(story): \(disk.allocatedBytes()) bytes on disk after recovery")
            } else {
                return Reopened(world: world, channel: channel, found: found, model: settled)
            }
        } catch {
            fail("\(story): \(error); files: \(files(on: disk))")
        }
        return nil
    }

    private func files(on disk: SimulatedDisk) -> String {
        (disk.names(in: ChannelRecorder.path) ?? []).map {
            "\($0) \(disk.contents(of: ChannelRecorder.path + "/" + $0)?.count ?? 0)"
        }.joined(separator: ", ")
    }

    private func open(_ world: SimulatedProcess) throws(ChannelError) -> FileChannel {
        let channel = try FileChannel.open(
            at: ChannelRecorder.path, configuration: configuration, fileSystem: world.fileSystem,
            runtime: ClientRuntime(seed: Self.lookingSeed, world.runtime))
        opened.append(Opened(channel: channel))
        return channel
    }

    private func find(_ events: TakenEvents, _ model: ChannelModel, _ story: String) throws(ChannelError)
        -> [ChannelModel
        .Found]
    {
        var found: [ChannelModel.Found] = []
        for event in events {
            let (tag, objection) = tagOf(event, model)
            if let objection { throw ChannelError(.damaged, objection) }
            found.append(.init(sequence: event.sequence.rawValue, tag: tag!, isMarked: event.isRedelivered))
        }
        return found
    }

    // MARK: Afterwards

    /// The channel goes on: what was found comes again with the mark, producers repeat what they do not know the end of, all
    /// of it can be taken, and more put.
    private func use(_ reopened: Reopened, _ story: String) {
        do {
            if let objection = try used(reopened) { fail("\(story), then used: \(objection)") }
            let taken = reopened.world.disk.allocatedBytes()
            if taken > configuration.capacityBytes! { fail("\(story), then used: \(taken) bytes on disk") }
        } catch {
            fail("\(story), then used: \(error)")
        }
    }

    private func used(_ reopened: Reopened) throws -> String? {
        let channel = reopened.channel
        let next = channel.metrics.putEvents + 1
        let held = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
        guard held.events.map(\.sequence.rawValue) == reopened.found.map(\.sequence),
            held.events.allSatisfy({ $0.isRedelivered })
        else { return "after a rollback \(held.events.map { ($0.sequence, $0.isRedelivered) }) came" }
        var left = held.events.count
        held.rollback()
        while left > 0 {
            let count = try channel.take(drainsBy).count
            guard count > 0 else { return "\(left) events are held and not handed out" }
            left -= count
        }
        reopened.world.runtime.runUntilIdle()
        var expected: [Int] = []
        if let objection = try repeatPuts(reopened, &expected) { return objection }
        var sequence = next
        var last = next + UInt64(expected.count)
        while sequence < last || !expected.isEmpty {
            let take = try channel.beginTake(maxEvents: 5)
            let tags = take.events.compactMap { tagOf($0, reopened.model).0 }
            guard !tags.isEmpty, tags == Array(expected.prefix(tags.count)),
                take.events[0].sequence.rawValue == sequence
            else { return "of \(expected) from \(sequence) on came \(tags)" }
            expected.removeFirst(tags.count)
            sequence += UInt64(tags.count)
            try take.commit()
        }
        guard try channel.take().isEmpty else { return "more came than was put" }
        for number in 0..<3 {
            let receipt = try channel.put(["new \(number)", "another"])
            guard receipt.sequences == last..<last + 2 else {
                return "new events are \(receipt.sequences), not from \(last)"
            }
            last += 2
            let events = try channel.take(2)
            guard events.texts == ["new \(number)", "another"] else { return "\(events.texts) came" }
        }
        guard channel.isBalanced, channel.metrics.heldEvents == 0 else { return "\(channel.metrics)" }
        try channel.close()
        let lastWorld = reopened.world.afterPowerCut(seed: 78)
        lastWorld.isLastOnItsDisk = true
        let after = try open(lastWorld)
        guard try after.take().isEmpty, after.metrics.putEvents == last - 1, after.isBalanced else {
            return "after a clean end \(after.metrics)"
        }
        return nil
    }

    /// nil when there is no room for it beside those that were repeated before it, and are not taken yet.
    private func repeatPut(
        _ index: Int, _ put: ChannelModel.Put, _ channel: FileChannel
    ) throws(ChannelError) -> PutReceipt? {
        do throws(ChannelError) {
            var transaction = try channel.beginPut(producer: put.stamp)
            for place in 0..<put.count {
                let tag = index * ChannelModel.tagStride + place
                guard try transaction.append(event(tag, bytes: put.bytes)) == .accepted else { return nil }
            }
            return try transaction.commit()
        } catch {
            guard error.code == .full, channel.metrics.heldEvents > 0 else { throw error }
            return nil
        }
    }

    /// Each producer commits its last transaction again: what was there is recognised, what was not is there now. `expected`
    /// gets the tags that are new.
    private func repeatPuts(_ reopened: Reopened, _ expected: inout [Int]) throws -> String? {
        var lastOf: [ProducerID: Int] = [:]
        for (index, put) in reopened.model.puts.enumerated() {
            guard let stamp = put.stamp else { continue }
            if let known = lastOf[stamp.id], reopened.model.puts[known].stamp!.sequence > stamp.sequence { continue }
            lastOf[stamp.id] = index
        }
        for index in lastOf.values.sorted() {
            let put = reopened.model.puts[index]
            for attempt in 0..<2 {
                guard let receipt = try repeatPut(index, put, reopened.channel) else {
                    if attempt == 0 { return nil }
                    break
                }
                let isNew = put.answer != .done && attempt == 0
                guard receipt.isRepeat != isNew, receipt.sequences.count == put.count else {
                    return "put \(index) (\(put.answer)), again: \(receipt)"
                }
                if let base = put.base, put.answer == .done, receipt.sequences.lowerBound != base {
                    return "put \(index) was at \(base), its repetition is answered with \(receipt)"
                }
            }
            if put.answer != .done {
                expected += (0..<put.count).map { index * ChannelModel.tagStride + $0 }
            }
        }
        return nil
    }
}

extension [UInt64] {
    fileprivate func ends(with end: [UInt64]) -> Bool { suffix(end.count) == end[...] }
}
