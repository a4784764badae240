package import DurableChannel
internal import LogFormat
internal import SegmentedLog
package import SimulatedFileIO

/// Looks at what a crash has left: reopens the channel, compares it with the model, cuts the power again, crashes inside
/// recovery, and goes on using it.
package final class ChannelSweep {
    package let configuration: ChannelConfiguration
    package var depth: ChannelHarness.Depth
    package private(set) var failures: [String] = []
    /// Of the first failure: where the life was cut off.
    private(set) var failedCut: CrashScript.Cut?
    /// Of the first failure: where recovery was cut off, too.
    private(set) var failedInside: CrashScript.Cut?
    private(set) var failedDamage: CrashScript.Damage?
    package internal(set) var coverage = Coverage()
    package private(set) var moments = 0
    /// Distinct pairs of disk and model.
    private var states: Set<UInt64> = []

    package var count: Int { coverage.states }
    package var partial: Int { coverage.traits[.partlyLost] ?? 0 }
    package var openings: Int { coverage.openings }

    /// Channels of processes that are over, and that are in memory all the same: a sweep must not grow with its
    /// openings.
    package var leftInMemory: Int { opened.count { $0.channel != nil } }
    private var opened: [Opened] = []

    private struct Opened { weak var channel: FileChannel? }

    package init(_ configuration: ChannelConfiguration, _ depth: ChannelHarness.Depth = .close) {
        self.configuration = configuration
        self.depth = depth
    }

    package func sweep(_ recorder: ChannelRecorder) {
        failures += recorder.objections
        sweep(recorder.moments, of: 0)
    }

    /// Crashes each moment of a life in every legal way, or in every so many of them.
    func sweep(_ all: [ChannelRecorder.Moment], of life: Int) {
        let isSkipped = depth.skipsCreation && life == 0
        let ways = all.map {
            isSkipped && $0.traits.isOpening ? [] : $0.disk.legalCrashChoices(limit: depth.choiceLimit)
        }
        moments += ways.count { !$0.isEmpty }
        let stride = max(depth.choiceStride, ways.reduce(0) { $0 + $1.count } / depth.mostStates)
        for (index, (moment, choices)) in zip(all, ways).enumerated() where failures.isEmpty && !choices.isEmpty {
            for number in Swift.stride(from: index % stride, to: choices.count, by: stride) {
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
        let isNew = check(survivor, moment.model(after: cut), "\(cut.words(moment)), \(choice)", traits)
        noteFailure(cut)
        return isNew
    }

    /// Where the first failure was, if there is one.
    func noteFailure(_ cut: CrashScript.Cut, _ damage: CrashScript.Damage? = nil) {
        guard !failures.isEmpty, failedCut == nil else { return }
        failedCut = cut
        failedDamage = damage
    }

    /// False when the state was seen before.
    @discardableResult
    package func check(
        _ disk: SimulatedDisk, _ model: ChannelModel, _ story: @autoclosure () -> String,
        _ traits: Set<Coverage.Trait> = []
    ) -> Bool {
        guard failures.isEmpty, isNew(disk, model, 31) else { return false }
        coverage.note(traits)
        let ordinal = states.count
        if ordinal % depth.bareEvery == 0 {
            // A checkpoint only saves time.
            let bare = disk.clone()
            bare.remove(ChannelRecorder.path + "/checkpoint")
            guard reopen(bare, model, story() + ", checkpoint deleted") != nil else { return true }
        }
        var inside: [SimulatedDisk] = []
        if ordinal % depth.insideEvery == 0 {
            disk.beforeOperation = { [unowned disk] _ in inside.append(disk.clone()) }
        }
        guard let first = reopen(disk, model, story()) else { return true }
        disk.beforeOperation = nil
        if ordinal % depth.cutAgainEvery == 0 { cutAgain(first, story()) }
        for (index, clone) in inside.enumerated() where failures.isEmpty {
            checkInside(clone, index, ordinal / depth.insideEvery, model, first, story(), traits)
        }
        if ordinal % depth.usedEvery == 0, failures.isEmpty { use(first, story()) }
        return true
    }

    /// Row 1: what was delivered after a crash is there after a power cut; row 44: with the mark.
    private func cutAgain(_ first: Reopened, _ story: @autoclosure () -> String) {
        let dark = first.world.disk.crashed(keeping: .nothing)
        guard let second = reopen(dark, delivered(first), story() + ", read, power cut") else { return }
        if second.found.map(\.sequence) != first.found.map(\.sequence) {
            fail("\(story()): \(first.found) before a power cut, \(second.found) after it")
        }
    }

    private func delivered(_ reopened: Reopened) -> ChannelModel {
        var model = reopened.model
        model.deliver(reopened.found, leaseStep: configuration.leaseStep)
        return model
    }

    /// Crashes a recovery before one of its operations: in some of the legal ways, and by a kill.
    private func checkInside(
        _ disk: SimulatedDisk, _ index: Int, _ ordinal: Int, _ model: ChannelModel, _ first: Reopened,
        _ story: String, _ traits: Set<Coverage.Trait>
    ) {
        let traits = traits.subtracting([.kill, .partlyLost]).union([.recovery])
        // What was never acknowledged may have been lost in between, so the model of before decides. The take that looked is
        // under way in some of these.
        var interrupted = model.afterPowerCut()
        interrupted.leaseBound = delivered(first).leaseBound
        // Besides those in which a part is lost, all and nothing by turns: they are the same at many operations.
        for (number, choice) in disk.legalCrashChoices(limit: depth.insideLimit + 2).enumerated()
        where !choice.exceptions.isEmpty || number % 2 == index % 2 {
            let crashed = disk.crashed(keeping: choice)
            guard isNew(crashed, interrupted, 37) else { continue }
            coverage.note(choice.exceptions.isEmpty ? traits : traits.union([.partlyLost]))
            guard reopen(crashed, interrupted, "\(story), then in recovery before op \(index), \(choice)") != nil else {
                failedInside = CrashScript.Cut(operation: index, keeping: .legal(number))
                return
            }
        }
        // Nothing was lost by a kill; what the next process finds, and no sync has reached, a power cut may still take.
        guard index % depth.killInsideEvery == ordinal % depth.killInsideEvery else { return }
        let killed = disk.killed(keeping: .everything)
        var left = model
        left.leaseBound = interrupted.leaseBound
        guard isNew(killed, left, 43) else { return }
        coverage.note(traits.union([.kill]))
        let story = "\(story), then a kill in recovery before op \(index)"
        if let second = reopen(killed, left, story) { cutAgain(second, story) }
        if !failures.isEmpty {
            failedInside = CrashScript.Cut(operation: index, isKill: true, keeping: .everything)
        }
    }

    /// Counts a state. What is asked of it depends on where it was cut off, so states of different kinds are different.
    func isNew(_ disk: SimulatedDisk, _ model: ChannelModel, _ kind: UInt64) -> Bool {
        states.insert(disk.stateHash &* kind &+ UInt64(model.version)).inserted
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

    struct Reopened {
        var world: SimulatedProcess
        var channel: FileChannel
        var found: [ChannelModel.Found]
        /// Settled on what was found.
        var model: ChannelModel
    }

    /// Of the process that looks at what is left.
    static let lookingSeed: UInt64 = 77
    static let everything = 100_000

    func fail(_ story: String) {
        failures.append(story)
    }

    func reopen(_ disk: SimulatedDisk, _ model: ChannelModel, _ story: @autoclosure () -> String) -> Reopened? {
        let world = SimulatedProcess(disk, seed: Self.lookingSeed)
        world.isLastOnItsDisk = true
        do {
            let channel = try open(world)
            let take = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
            let found = try model.identify(take.events)
            take.rollback()
            var settled = model
            let objection = settled.settle(on: found, bookmarks: channel.bookmark, .init(channel.metrics))
            let report = channel.recoveryReport
            coverage.note(report)
            if let objection {
                fail("\(story()): \(objection); found \(found); clients know of \(model.words); \(report)")
            } else if !report.losses.isEmpty || !report.unreadable.isEmpty {
                fail("\(story()): a crash is not damage: \(report)")
            } else if disk.allocatedBytes() > configuration.capacityBytes! {
                fail("\(story()): \(disk.allocatedBytes()) bytes on disk after recovery")
            } else {
                return Reopened(world: world, channel: channel, found: found, model: settled)
            }
        } catch {
            fail("\(story()): \(error); files: \(files(on: disk))")
        }
        return nil
    }

    private func files(on disk: SimulatedDisk) -> String {
        (disk.names(in: ChannelRecorder.path) ?? []).map {
            "\($0) \(disk.contents(of: ChannelRecorder.path + "/" + $0)?.count ?? 0)"
        }.joined(separator: ", ")
    }

    func open(_ world: SimulatedProcess) throws(ChannelError) -> FileChannel {
        let channel = try FileChannel.open(
            at: ChannelRecorder.path, configuration: configuration, fileSystem: world.fileSystem,
            runtime: ClientRuntime(seed: Self.lookingSeed, world.runtime))
        opened.append(Opened(channel: channel))
        return channel
    }
}
