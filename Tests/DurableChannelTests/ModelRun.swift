import CrashHarness
import DurableChannel
import LogFormat
import SimulatedFileIO

/// One random life after the other of one channel, step by step, beside a ``ModelQueue``; everything comes from the seed.
final class ModelRun {
    let seed: UInt64
    private var random: SeededRandom
    private var configuration: ChannelConfiguration
    private var disk = SimulatedDisk()
    private var recorder: ChannelRecorder!
    private var queue = ModelQueue()
    private var open: [ChannelRecorder.Open] = []
    /// The most that the disk may show: the capacity, or what was there when it was lowered.
    private var allowedBytes: UInt64 = 0
    /// What goes wrong in this run.
    private let faults: Faults
    /// Something failed in this life: takes may find less than there is.
    private var isDisturbed = false
    private(set) var step = 0
    private(set) var story: [String] = []
    private(set) var counts: [String: Int] = [:]
    /// Set by the disk at the operation at which the power goes.
    private var moment: ChannelRecorder.Moment?
    private var crashAt = Int.max

    enum Faults: CaseIterable { case none, once, noRoom }

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        var channel = CrashScript.Channel.random(&random)
        // The list knows nothing of what is acknowledged and not durable.
        channel.durability = .commit
        configuration = channel.configuration
        faults = Int.random(in: 0..<2, using: &random) == 0 ? .none : Faults.allCases.randomElement(using: &random)!
    }

    private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    private func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private var dropsOldest: Bool { configuration.whenFull == .dropOldest }

    // MARK: Running

    /// nil when every promise was kept.
    func run(steps: Int) -> String? {
        do {
            try begin()
            while step < steps {
                step += 1
                try advance()
                if let objection = objection() { return objection }
                if moment != nil { try crash() } else if isReadOnly { try reopen() }
                if let objection = objection() { return objection }
            }
            try drain()
            recorder.world.isLastOnItsDisk = true
            return objection()
        } catch let failure as Failure {
            return failure.text
        } catch {
            return "\(error)"
        }
    }

    struct Failure: Error { var text: String }

    private var isReadOnly: Bool { if case .readOnly = recorder.channel.metrics.state { true } else { false } }

    private func note(_ what: String) {
        story.append("\(step) \(what)")
        counts[String(what.prefix { $0 != " " }), default: 0] += 1
    }

    private func begin() throws {
        recorder = ChannelRecorder(
            disk, seed: random.next(), configuration: configuration, model: recorder?.model ?? ChannelModel(),
            noting: false)
        recorder.expectedErrors = [
            .full, .outcomeUnknown, .readOnly, .transactionTooLarge, .tooManyTakes, .fileOperation, .staleProducer,
        ]
        allowedBytes = max(configuration.capacityBytes!, allowedBytes)
        crashAt = chance(60) ? disk.operationCount + number(0...400) : .max
        disk.beforeOperation = { [unowned self, unowned disk] operation in
            if disk.operationCount == crashAt, moment == nil {
                moment = .init(disk: disk.clone(), model: recorder.model, operation: operation.description)
            }
        }
        isDisturbed = false
        try openChannel()
    }

    private func openChannel() throws {
        for attempt in 0..<3 {
            do {
                try recorder.open()
                return
            } catch let error as ChannelError {
                note("open: \(error)")
                guard faults != .none, attempt < 2, [.fileOperation, .full, .readOnly].contains(error.code) else {
                    throw error
                }
                disk.faults.removeAll()
                disk.options.capacityBytes = nil
            }
        }
    }

    private func objection() -> String? {
        if let objection = recorder.objections.first { return objection }
        let metrics = recorder.channel.metrics
        let overflow = Int(metrics.droppedByReason[.overflow] ?? 0)
        let sum = metrics.heldEvents + metrics.takenEvents + metrics.droppedEvents + metrics.lostEvents
        if metrics.putEvents != sum { return "P5: \(metrics)" }
        let counted = [
            Int(metrics.putEvents) + 1, Int(metrics.takenEvents), Int(metrics.droppedByReason[.deadLetter] ?? 0),
            Int(metrics.heldEvents) + overflow, Int(metrics.inFlightEvents), Int(metrics.lostEvents),
        ]
        let expected = [
            Int(queue.next), queue.taken, queue.deadLetters, queue.held.count + queue.dropped, queue.inFlight, 0,
        ]
        if counted != expected {
            return
                "next, taken, dead letters, held and dropped, in flight, lost are \(counted), and should be \(expected)"
        }
        if overflow < queue.dropped { return "\(queue.dropped) were dropped, and \(overflow) are counted" }
        let bytes = disk.allocatedBytes()
        if bytes > allowedBytes { return "\(bytes) bytes on disk, \(allowedBytes) allowed" }
        if bytes <= recorder.channel.metrics.capacityBytes { allowedBytes = recorder.channel.metrics.capacityBytes }
        return nil
    }

    // MARK: Steps

    private func advance() throws {
        switch number(0...99) {
        case 0..<34: put()
        case 34..<56: try take()
        case 56..<74: endOne()
        case 74..<77: recorder.bookmark(number(0...2))
        case 77..<79: recorder.checkpoint()
        case 79..<81: recorder.repeatLast(number(0...2))
        case 81..<83: resize()
        case 83..<87: fault()
        case 87..<89: try reopen()
        case 89..<91: recorder.world.runtime.advance(by: UInt64(number(1...6_000)) * 1_000_000)
        case 91..<94: recorder.settleDown()
        default: for _ in 0..<number(1...30) { recorder.world.runtime.step() }
        }
    }

    private func put() {
        let client = number(0...2)
        let count = chance(20) ? number(1...20) : number(1...4)
        let bytes = chance(30) ? number(0...2000) : number(0...300)
        let isDone = recorder.put(
            client, count, bytes: bytes, bookmark: chance(30), shared: chance(20), stamped: chance(50))
        guard isDone, let put = recorder.model.puts.last, let base = put.base else {
            note("put \(count) x \(bytes) refused: \(recorder.lastError?.code.rawValue ?? "dropped")")
            return noteDisturbance()
        }
        let sequences = base..<base + UInt64(put.count)
        note("put \(sequences) x \(bytes)")
        guard base == queue.next else {
            return recorder.object("a put got \(sequences), and \(queue.next) is next")
        }
        queue.put(sequences)
    }

    /// After an error.
    private func noteDisturbance() {
        if let code = recorder.lastError?.code, code != .full, code != .transactionTooLarge { isDisturbed = true }
    }

    private func take() throws {
        guard open.count < 6 else { return endOne() }
        let most = number(1...30)
        let errors = recorder.errorCount
        let take = recorder.take(most)
        let failed = recorder.errorCount != errors
        note("take \(most): \(take.events)" + (failed ? " \(recorder.lastError!)" : ""))
        if failed { noteDisturbance() }
        if let objection = queue.take(
            most, take.events, mayDrop: dropsOldest, mayBeFewer: failed || isDisturbed || faults != .none)
        {
            recorder.object(objection)
        }
        if !take.isEmpty { open.append(take) }
    }

    private func endOne() {
        guard !open.isEmpty else { return put() }
        let take = open.remove(at: number(0...open.count - 1))
        guard chance(75) else {
            note("roll back \(take.events)")
            recorder.rollback(take)
            return queue.giveBack(take.events)
        }
        let letters = chance(15) ? number(0...min(3, take.events.count)) : 0
        recorder.commit(take, deadLetters: letters, bookmark: chance(30) ? number(0...2) : nil)
        switch recorder.model.takes[take.number].answer {
        case .done:
            note("commit \(take.events), \(letters) dead letters")
            queue.commit(take.events, deadLetters: letters)
        case .unknown, .refused, .none, .acknowledged:
            note("commit \(take.events): \(recorder.lastError!)")
            noteDisturbance()
            // Under `readOnly` nobody is given them until the next opening.
            if recorder.lastError!.code != .readOnly { queue.giveBack(take.events) }
        }
    }

    private func resize() {
        let channel = recorder.channel!
        do throws(ChannelError) {
            if chance(50) {
                let events: UInt64? = chance(30) ? nil : UInt64(number(5...200))
                note("resize to \(events.map(String.init) ?? "any") events")
                try channel.resize(capacityEvents: events)
            } else {
                let bytes = configuration.capacityBytes! - UInt64(number(0...Int(configuration.capacityBytes! / 4)))
                note("resize to \(bytes) bytes")
                try channel.resize(capacityBytes: bytes)
            }
        } catch {
            let isExpected =
                error.code == .configuration || faults != .none && [.fileOperation, .full].contains(error.code)
            if !isExpected { recorder.object("resize: \(error)") }
        }
        // A segment may be on its way.
        let bytes = disk.allocatedBytes() + UInt64(configuration.segmentBytes!)
        allowedBytes = max(allowedBytes == channel.metrics.capacityBytes ? 0 : bytes, channel.metrics.capacityBytes)
    }

    private func fault() {
        switch faults {
        case .none: break
        case .once:
            let operation: SimulatedOperation = [
                .complete, .submit, .write, .synchronize, .read, .synchronizeDirectory,
            ]
            .randomElement(using: &random)!
            let outcome: Fault.Outcome = [.absent, .whole, .torn(.sectors([0..<1]))].randomElement(using: &random)!
            note("fault \(operation) \(outcome)")
            // A second failure in a row would be the end of writing, which is for another test to see.
            disk.faults.removeAll()
            disk.faults.add(Fault(operation, errno: 5, skipping: number(0...6), outcome: outcome))
        case .noRoom:
            if disk.options.capacityBytes == nil {
                disk.options.capacityBytes = disk.allocatedBytes() + UInt64(number(0...40_000))
            } else {
                disk.options.capacityBytes = nil
                recorder.world.runtime.advance(by: 1_000_000_000)
            }
            note("room \(disk.options.capacityBytes.map(String.init) ?? "any")")
        }
    }

    // MARK: Lives

    private func reopen() throws {
        note("reopen with \(open.count) takes")
        let markers = open
        let isClean = !isReadOnly
        do throws(ChannelError) { try recorder.closeChannel() } catch {
            note("close: \(error)")
            isDisturbed = true
        }
        for take in markers { recorder.commitClosed(take) }
        open = []
        if !isClean || isDisturbed {
            // What was in doubt is decided by what is there.
            try restart(disk, recorder.model, "after a reopening")
        } else {
            queue.giveBack(queue.held)
            recorder.endModel()
            try begin()
        }
    }

    private func crash() throws {
        let found = moment!
        moment = nil
        let isKill = chance(30)
        let choice = found.disk.randomCrashChoice(using: &random)
        note("\(isKill ? "kill" : "crash") before \(found.operation), \(choice)")
        let next = isKill ? found.disk.killed(keeping: choice) : found.disk.crashed(keeping: choice)
        open = []
        recorder.world.isLastOnItsDisk = true
        try restart(next, found.model, story.last!)
    }

    /// The next life, on a disk where something may be in doubt.
    private func restart(_ next: SimulatedDisk, _ model: ChannelModel, _ story: String) throws {
        next.options.capacityBytes = nil
        let sweep = ChannelSweep(configuration)
        guard let (settled, found, metrics) = sweep.look(next, model, story) else {
            throw Failure(text: sweep.failures.first ?? story)
        }
        disk.beforeOperation = nil
        disk = next
        recorder.model = settled
        queue = ModelQueue(
            found, next: metrics.putEvents + 1, taken: Int(metrics.takenEvents),
            deadLetters: Int(metrics.droppedByReason[.deadLetter] ?? 0),
            dropped: Int(metrics.droppedByReason[.overflow] ?? 0))
        try begin()
    }

    /// Everything is given back and taken, in order; nothing is left.
    private func drain() throws {
        disk.faults.removeAll()
        disk.options.capacityBytes = nil
        crashAt = .max
        for take in open { recorder.rollback(take) }
        open = []
        if isDisturbed || isReadOnly { try reopen() }
        queue.giveBack(queue.held)
        while true {
            let take = recorder.take(number(1...40))
            if let objection = queue.take(
                .max, take.events, mayDrop: dropsOldest, mayBeFewer: true)
            {
                throw Failure(text: "at the end: \(objection)")
            }
            if take.isEmpty { break }
            recorder.commit(take)
            guard recorder.model.takes[take.number].answer == .done else {
                throw Failure(text: "at the end: \(recorder.lastError!)")
            }
            queue.commit(take.events, deadLetters: 0)
        }
        if dropsOldest { queue.drop { _ in true } }
        guard queue.held.isEmpty, recorder.channel.metrics.heldEvents == 0 else {
            throw Failure(text: "at the end \(queue.held) are left, \(recorder.channel.metrics.heldEvents) counted")
        }
    }
}
