import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO

/// What a workload has been told of its appends, outside of the log.
struct Model {
    /// In the order of submission.
    var submitted: [Int] = []
    var acknowledged: Set<Int> = []
    /// Ended with `outcomeUnknown`: there, whole, or not.
    var unknown: Set<Int> = []
    /// Refused: never there.
    var refused: Set<Int> = []
    /// Below this tag events were let go; they may be there or not.
    var retiredBelow = 0

    /// After an opening that showed `tags`: what was without an answer has one now, for good.
    func settled(on tags: [Int]) -> Model {
        var model = self
        let there = Set(tags)
        model.acknowledged.formUnion(there)
        model.refused.formUnion(submitted.filter { !there.contains($0) && $0 >= retiredBelow })
        model.unknown = []
        return model
    }

    /// Why `tags`, read after a crash, are not what was promised; nil when they are.
    func objection(to tags: [Int]) -> String? {
        if let damage = tags.first(where: { $0 < 0 }) { return "\(-damage) events reported lost" }
        for (one, next) in zip(tags, tags.dropFirst()) where next <= one { return "\(next) comes after \(one)" }
        let there = Set(tags)
        if let missing = submitted.first(where: {
            $0 >= retiredBelow && acknowledged.contains($0) && !there.contains($0)
        }) {
            return "\(missing) was acknowledged and is not there"
        }
        if let invented = tags.first(where: { refused.contains($0) || !submitted.contains($0) }) {
            return "\(invented) was never accepted and is there"
        }
        // Of those without an answer the log may keep a beginning, never one behind a missing one.
        var gap: Int?
        for tag in submitted where !acknowledged.contains(tag) && !unknown.contains(tag) && !refused.contains(tag) {
            if !there.contains(tag) {
                gap = gap ?? tag
            } else if let gap {
                return "\(tag) is there, and \(gap), submitted before it, is not"
            }
        }
        return nil
    }
}

/// Runs a workload and notes the disk and the model before each of its storage operations.
final class CrashRecorder: @unchecked Sendable {
    struct Moment {
        var disk: SimulatedDisk
        var model: Model
        var operation: String
    }

    let world: World
    var model = Model()
    private(set) var moments: [Moment] = []
    private(set) var log: Log?
    private var nextTag = 0
    let configuration: LogConfiguration
    var objections: [String] = []

    init(
        _ disk: SimulatedDisk, seed: UInt64, configuration: LogConfiguration, clientStateBytes: Int = 0,
        startingAt tag: Int = 0, model: Model = Model()
    ) {
        world = World(disk, seed: seed)
        world.clientStateBytes = clientStateBytes
        self.configuration = configuration
        self.model = model
        nextTag = tag
        disk.beforeOperation = { [unowned self, unowned disk] operation in
            moments.append(Moment(disk: disk.clone(), model: self.model, operation: operation.description))
            let taken = disk.allocatedBytes()
            if taken > configuration.capacityBytes {
                objections.append("\(taken) bytes on disk before \(operation), \(configuration.capacityBytes) allowed")
            }
        }
    }

    func open() throws { log = try world.open(configuration) }

    /// Submits appends without waiting for them.
    func submit(_ count: Int, bytes: Int = 300, framesEach: Int = 1) throws {
        for _ in 0..<count {
            var tags: [Int] = []
            var frames: [FramePayload] = []
            for _ in 0..<framesEach {
                tags.append(nextTag)
                frames.append(try put(nextTag, bytes: bytes))
                nextTag += 1
            }
            model.submitted += tags
            log!.submit(frames) { [unowned self, tags] result in
                switch result {
                case .success: model.acknowledged.formUnion(tags)
                case .failure(let error):
                    if error.code == .outcomeUnknown {
                        model.unknown.formUnion(tags)
                    } else {
                        model.refused.formUnion(tags)
                    }
                }
            }
        }
    }

    func notes(_ count: Int, bytes: Int = 300) throws {
        for index in 0..<count { log!.submit([try note(index, bytes: bytes)]) { _ in } }
    }

    func steps(_ count: Int) { for _ in 0..<count where !world.runtime.step() { return } }

    func drain() { world.runtime.runUntilIdle() }

    /// Lets all but the newest `keeping` segments go.
    func retire(keeping: Int) {
        let segments = log!.segments.dropLast(keeping)
        guard let last = segments.last, last.endSequence.rawValue > 0 else { return }
        model.retiredBelow = max(model.retiredBelow, tagBelow(last.endSequence))
        log!.retire(segments.map(\.number)) { _ in }
    }

    func close() throws { try log!.close() }

    /// Tags and sequences run side by side only while no append failed; else the acknowledged order tells.
    private func tagBelow(_ sequence: EventSequence) -> Int {
        let kept = model.submitted.filter { model.acknowledged.contains($0) }
        let count = Int(sequence.rawValue) - 1
        return count >= kept.count ? (kept.last.map { $0 + 1 } ?? 0) : kept[count]
    }
}

/// Crashes each moment in every legal way, reopens, checks, and crashes again inside recovery.
final class CrashSweep {
    var states: Set<UInt64> = []
    var reopened = 0
    var failures: [String] = []
    /// States in which some but not all pending operations were lost.
    var partial = 0
    let configuration: LogConfiguration
    var choiceLimit = Int.max
    var insideLimit = 4
    /// Every so many distinct states is also crashed inside recovery.
    var insideEvery = 1
    /// Of the operations every so many are looked at.
    var momentStride = 1

    var clientStateBytes = 0

    init(_ configuration: LogConfiguration) { self.configuration = configuration }

    func sweep(_ recorder: CrashRecorder) {
        failures += recorder.objections
        for index in stride(from: 0, to: recorder.moments.count, by: momentStride) where failures.count < 5 {
            let moment = recorder.moments[index]
            for choice in moment.disk.legalCrashChoices(limit: choiceLimit) {
                check(
                    moment.disk.crashed(keeping: choice), moment.model,
                    "power cut before op \(index) \(moment.operation), \(choice)", index)
                if !choice.exceptions.isEmpty { partial += 1 }
            }
            for choice in [CrashChoice.everything, .nothing] {
                check(
                    moment.disk.killed(keeping: choice), moment.model,
                    "kill before op \(index) \(moment.operation), \(choice)", index)
            }
        }
    }

    private func check(_ disk: SimulatedDisk, _ model: Model, _ story: String, _ step: Int) {
        guard failures.count < 5, states.insert(disk.stateHash &* 31 &+ UInt64(step)).inserted else { return }
        if states.count % 4 == 0 {
            // A checkpoint only saves time.
            let bare = disk.clone()
            bare.remove(World.path + "/checkpoint")
            guard reopen(bare, model, story + ", checkpoint deleted") != nil else { return }
        }
        var inside: [SimulatedDisk] = []
        if states.count % insideEvery == 0 {
            disk.beforeOperation = { [unowned disk] _ in inside.append(disk.clone()) }
        }
        guard let (tags, world) = reopen(disk, model, story) else { return }
        disk.beforeOperation = nil
        // Row 1: what the reopened process has seen must be there after a power cut.
        guard let (again, _) = reopen(world.disk.crashed(keeping: .nothing), model, story + ", read, power cut") else {
            return
        }
        if again != tags { failures.append("\(story): \(tags) before a power cut, \(again) after it") }
        for (index, clone) in inside.enumerated() {
            for choice in clone.legalCrashChoices(limit: insideLimit) {
                let crashed = clone.crashed(keeping: choice)
                guard states.insert(crashed.stateHash &* 37 &+ UInt64(step)).inserted else { continue }
                let place = "\(story), then in recovery before op \(index), \(choice)"
                guard let (converged, _) = reopen(crashed, model, place) else { return }
                // What was never acknowledged may have been lost in between, but nothing may come that was not there.
                if converged.count < tags.count || Array(converged.prefix(tags.count)) != tags {
                    if model.objection(to: converged) != nil { failures.append("\(place): \(tags), then \(converged)") }
                }
            }
        }
    }

    private func reopen(_ disk: SimulatedDisk, _ model: Model, _ story: String) -> ([Int], World)? {
        reopened += 1
        let world = World(disk, seed: 77)
        world.clientStateBytes = clientStateBytes
        do {
            let log = try world.open(configuration)
            let tags = try log.tags()
            if let objection = model.objection(to: tags) {
                failures.append("\(story): \(objection); read \(tags); \(log.recoveryReport)")
                return nil
            }
            let report = log.recoveryReport
            if !report.losses.isEmpty || !report.unreadable.isEmpty {
                failures.append("\(story): a crash is not damage: \(report)")
                return nil
            }
            if disk.allocatedBytes() > configuration.capacityBytes {
                failures.append("\(story): \(disk.allocatedBytes()) bytes on disk after recovery")
            }
            return (tags, world)
        } catch {
            failures.append("\(story): does not open: \(error)")
            return nil
        }
    }
}
