import DurableChannel
import LogFormat
import SegmentedLog
import SimulatedFileIO

/// Crashes each moment of a recorded run in every legal way, reopens, checks, and crashes again inside recovery.
final class CrashSweep {
    let configuration: ChannelConfiguration
    private(set) var failures: [String] = []
    /// Distinct pairs of disk and model.
    private var states: Set<UInt64> = []
    /// Of them, those in which some but not all pending operations were lost.
    private(set) var partial = 0
    private(set) var openings = 0
    private(set) var moments = 0
    var choiceLimit = Int.max
    var insideLimit = 4
    /// Every so many distinct states are also crashed inside recovery.
    var insideEvery = 1
    /// Every so many are used afterwards: what was found is taken, producers repeat their commits, more is put.
    var usedEvery = 2
    /// Of the legal ways to crash at one moment every so many are tried, beginning with another one at each moment.
    var choiceStride = 1
    /// What was found is taken by so many at a time afterwards.
    var drainsBy = 100_000

    var count: Int { states.count }

    /// Channels of processes that are over, and that are in memory all the same: a sweep must not grow with its
    /// openings.
    var leftInMemory: Int { opened.count { $0.channel != nil } }
    private var opened: [Opened] = []

    private struct Opened { weak var channel: FileChannel? }

    init(_ configuration: ChannelConfiguration) { self.configuration = configuration }

    func sweep(_ recorder: CrashRecorder) {
        failures += recorder.objections
        moments += recorder.moments.count
        for (index, moment) in recorder.moments.enumerated() where failures.isEmpty {
            let choices = moment.disk.legalCrashChoices(limit: choiceLimit)
            for choice in stride(from: index % choiceStride, to: choices.count, by: choiceStride).map({ choices[$0] }) {
                let crashed = moment.disk.crashed(keeping: choice)
                let story = "power cut before op \(index) \(moment.operation), \(choice)"
                if check(crashed, moment.model, story), !choice.exceptions.isEmpty { partial += 1 }
            }
            for choice in [CrashChoice.everything, .nothing] {
                _ = check(
                    moment.disk.killed(keeping: choice), moment.model,
                    "kill before op \(index) \(moment.operation), \(choice)")
            }
        }
    }

    /// False when the state was seen before.
    @discardableResult
    func check(_ disk: SimulatedDisk, _ model: CrashModel, _ story: String) -> Bool {
        guard failures.isEmpty, states.insert(disk.stateHash &* 31 &+ UInt64(model.version)).inserted else {
            return false
        }
        let ordinal = states.count
        if ordinal % 4 == 0 {
            // A checkpoint only saves time.
            let bare = disk.clone()
            bare.remove(World.path + "/checkpoint")
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
        guard let second = reopen(first.world.disk.crashed(keeping: .nothing), delivered, story + ", read, power cut")
        else { return true }
        if second.found.map(\.sequence) != first.found.map(\.sequence) {
            fail("\(story): \(first.found) before a power cut, \(second.found) after it")
        }
        // The take that looked is under way in some of these.
        var interrupted = model
        interrupted.leaseBound = delivered.leaseBound
        for (index, clone) in inside.enumerated() {
            for choice in clone.legalCrashChoices(limit: insideLimit) {
                let crashed = clone.crashed(keeping: choice)
                guard states.insert(crashed.stateHash &* 37 &+ UInt64(model.version)).inserted else { continue }
                // What was never acknowledged may have been lost in between, so the model of before decides.
                guard
                    reopen(crashed, interrupted, "\(story), then in recovery before op \(index), \(choice)") != nil
                else { return true }
            }
        }
        if ordinal % usedEvery == 0 { use(first, story) }
        return true
    }

    /// The model of the life that begins on a crashed disk, which is not touched.
    func settled(_ disk: SimulatedDisk, _ model: CrashModel) -> CrashModel? {
        reopen(disk.clone(), model, "the next life")?.model
    }

    /// As ``settled(_:_:)``, with what is there.
    func look(
        _ disk: SimulatedDisk, _ model: CrashModel, _ story: String
    ) -> (model: CrashModel, found: [UInt64], ChannelMetrics)? {
        guard let reopened = reopen(disk.clone(), model, story) else { return nil }
        return (reopened.model, reopened.found.map(\.sequence), reopened.channel.metrics)
    }

    private struct Reopened {
        var world: World
        var channel: FileChannel
        var found: [CrashModel.Found]
        /// Settled on what was found.
        var model: CrashModel
    }

    private func fail(_ story: String) {
        failures.append(story)
    }

    private func reopen(_ disk: SimulatedDisk, _ model: CrashModel, _ story: String) -> Reopened? {
        openings += 1
        let world = World(disk, seed: 77)
        world.isLastOnItsDisk = true
        do {
            let channel = try open(world)
            let take = try channel.beginTake(maxEvents: 100_000, maxBytes: .max)
            let found = try find(take.events, model, story)
            take.rollback()
            var settled = model
            let objection = settled.settle(on: found, bookmarks: channel.bookmark, channel.metrics)
            let report = channel.recoveryReport
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
            fail("\(story): \(error)")
        }
        return nil
    }

    private func open(_ world: World) throws(ChannelError) -> FileChannel {
        let channel = try FileChannel.open(
            at: World.path, configuration: configuration, fileSystem: world.system,
            runtime: SweepRuntime(seed: 77, world.runtime))
        opened.append(Opened(channel: channel))
        return channel
    }

    private func find(_ events: TakenEvents, _ model: CrashModel, _ story: String) throws(ChannelError) -> [CrashModel
        .Found]
    {
        var found: [CrashModel.Found] = []
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
        let held = try channel.beginTake(maxEvents: 100_000, maxBytes: .max)
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
                var transaction = try reopened.channel.beginPut(producer: put.stamp)
                for place in 0..<put.count {
                    try transaction.append(event(index * CrashModel.tagStride + place, bytes: put.bytes))
                }
                let receipt = try transaction.commit()
                let isNew = put.answer != .done && attempt == 0
                guard receipt.isRepeat != isNew, receipt.sequences.count == put.count else {
                    return "put \(index) (\(put.answer)), again: \(receipt)"
                }
                if let base = put.base, put.answer == .done, receipt.sequences.lowerBound != base {
                    return "put \(index) was at \(base), its repetition is answered with \(receipt)"
                }
            }
            if put.answer != .done {
                expected += (0..<put.count).map { index * CrashModel.tagStride + $0 }
            }
        }
        return nil
    }
}
