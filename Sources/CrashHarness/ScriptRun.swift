internal import DurableChannel
internal import SimulatedFileIO

/// Runs a script, life after life, and hands each life's moments to whoever wants to cut it off there.
final class ScriptRun {
    let script: CrashScript
    /// Looks at states, and settles the model between lives.
    let sweep: ChannelSweep
    private(set) var counts = HarnessReport.Counts()
    private(set) var traceHash: UInt64 = 0
    private var disk: SimulatedDisk
    private var model = ChannelModel()
    /// What was in doubt has been decided. After a kill it is not: what no sync has reached is there for the next process, and
    /// a power cut before that has recovered may still take it.
    private var isSettled = true
    private var isClosed = true

    init(_ script: CrashScript, _ depth: ChannelHarness.Depth) {
        self.script = script
        sweep = ChannelSweep(script.channel.configuration, depth)
        disk = SimulatedDisk(script.disk.options)
    }

    /// A broken promise, and where.
    struct Failure {
        var life: Int
        /// Where the life was cut off; nil when it was found while it ran.
        var cut: CrashScript.Cut?
        /// Where recovery was cut off, then.
        var inside: CrashScript.Cut?
        /// What was done to what was left, then.
        var damage: CrashScript.Damage?
        var objection: String
    }

    /// Runs it to its end, or to the first failure. `look` gets each life when it is over, with its number and its moments, and
    /// checks what it likes with ``sweep``; it returns where the life was cut off when something failed.
    func run(
        upTo last: Int = .max, _ look: (Int, [ChannelRecorder.Moment]) -> CrashScript.Cut?
    ) -> Failure? {
        for number in script.lives.indices where number <= last {
            let life = script.lives[number]
            do {
                let recorder = try live(life, number)
                if let objection = recorder.objections.first {
                    return Failure(life: number, objection: objection)
                }
                let cut = look(number, recorder.moments)
                if let objection = sweep.failures.first {
                    return Failure(
                        life: number, cut: cut, inside: sweep.failedInside, damage: sweep.failedDamage,
                        objection: objection)
                }
                guard try end(life, recorder) else {
                    guard case .cut(let cut) = life.ending, let objection = sweep.failures.first else { return nil }
                    return Failure(life: number, cut: cut, objection: objection)
                }
            } catch {
                return Failure(life: number, objection: "\(error)")
            }
        }
        return nil
    }

    private func live(_ life: CrashScript.Life, _ number: Int) throws -> ChannelRecorder {
        var seeds = SeededRandom(seed: script.seed &+ UInt64(number) &* 0x9E37_79B9)
        let seed = life.isLook ? ChannelSweep.lookingSeed : seeds.next()
        let recorder = ChannelRecorder(disk, seed: seed, configuration: sweep.configuration, model: model)
        recorder.expectedErrors = [.full, .transactionTooLarge, .tooManyTakes, .configuration]
        if !life.faults.isEmpty {
            recorder.expectedErrors.formUnion([.outcomeUnknown, .readOnly, .fileOperation, .closed])
        }
        try recorder.open()
        if !isSettled { try recorder.settle() }
        isSettled = true
        recorder.model.openingEnded()
        if life.isLook { recorder.rollback(recorder.take(ChannelSweep.everything)) }
        let strikes = disk.faults.strikes
        for fault in life.faults { disk.faults.add(fault.fault) }
        for phase in life.phases {
            recorder.run(
                phase.clients.map { steps in
                    { recorder, client in
                        var client = ScriptClient(recorder, client)
                        client.run(steps)
                    }
                })
            if phase.settles { recorder.settleDown() }
        }
        disk.faults.removeAll()
        isClosed = try close(recorder, isDisturbed: disk.faults.strikes > strikes)
        recorder.noteEnd()
        counts.add(recorder, since: model)
        traceHash = traceHash &* 31 &+ disk.traceHash &* 17 &+ recorder.world.runtime.traceHash
        return recorder
    }

    /// False when it could not be closed cleanly, or perhaps was not, and is left as by a kill.
    private func close(_ recorder: ChannelRecorder, isDisturbed: Bool) throws -> Bool {
        defer { recorder.settleDown() }
        do throws(ChannelError) {
            try recorder.closeChannel()
            // After a failed write the end may not be written, and nothing is lost by that: the lease stays as it was, and
            // what the write has left in the page cache is there for the next process, as after a kill.
            guard !isDisturbed else { return false }
            recorder.endModel()
            return true
        } catch {
            // After two failed writes nothing more is written, the end of the epoch neither.
            guard isDisturbed, error.code == .readOnly else { throw error }
            return false
        }
    }

    /// What the next life finds. False when what this one left does not keep its promises.
    private func end(_ life: CrashScript.Life, _ recorder: ChannelRecorder) throws -> Bool {
        let moments = recorder.moments
        recorder.world.isLastOnItsDisk = true
        disk.beforeOperation = nil
        model = isClosed ? recorder.model : recorder.model.afterPowerCut()
        isSettled = isClosed
        if case .cut(let cut) = life.ending {
            let moment = moments[min(cut.operation, moments.count - 1)]
            disk = cut.survivor(of: moment.disk)
            model = moment.model(after: cut)
            isSettled = !cut.isKill
        }
        guard isSettled else { return true }
        guard let settled = sweep.settled(disk, model) else { return false }
        model = settled
        return true
    }
}
