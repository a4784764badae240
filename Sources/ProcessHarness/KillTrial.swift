internal import CrashHarness
internal import FileIO
internal import Glibc

/// One channel of a ``KillPlan``: its processes are started one after the other, killed, and what each finds is held against what
/// the ones before had been told.
final class KillTrial {
    private(set) var counts = KillCounts()
    let plan: KillPlan
    private(set) var witness: Witness
    /// In which it works; removed when everything was right.
    private let directory: String
    private var volume: Volume?

    /// Who says nothing for so long hangs.
    private static let mostSeconds = 60
    /// Who is not to be killed is killed after so long all the same: where there is no room, each put may wait for a second.
    private static let longestLife = Duration.seconds(4)

    /// - Parameter directory: for this trial alone. Made when it is not there.
    init(_ plan: KillPlan, in directory: String) {
        self.plan = plan
        self.directory = directory
        witness = Witness(plan.script)
    }

    private var scriptFile: String { "\(directory)/script" }
    private var channel: String { (volume?.path ?? directory) + "/channel" }

    /// What was wrong; nil when every promise was kept. Blocks for some seconds.
    func run() -> String? {
        do throws(Volume.Failure) { try live() } catch { witness.object("\(error)") }
        counts.add(witness)
        // What is left of a channel that broke a promise is wanted.
        if let volume, !witness.objections.isEmpty { copy(volume.path, to: "\(directory)/volume-left") }
        volume?.unmount()
        guard let objection = witness.objections.first else {
            remove(directory)
            return nil
        }
        return objection
    }

    private func live() throws(Volume.Failure) {
        // What an earlier run of this seed has left.
        remove(directory)
        unsafe mkdir(directory, 0o700)
        guard write(plan.script.text, toFile: scriptFile) else {
            throw Volume.Failure(description: "\(scriptFile) cannot be written")
        }
        if let kind = plan.volume {
            volume = try Volume(kind, named: "volume-\(plan.seed)", in: directory, room: plan.room, inodes: plan.inodes)
        }
        for (number, life) in plan.lives.enumerated() where witness.objections.isEmpty {
            try live(number, life)
        }
        guard witness.objections.isEmpty else { return }
        try volume?.makeRoom()
        for number in [plan.lastLife, plan.emptyLife] where witness.objections.isEmpty {
            try live(number, KillPlan.Life(ending: .close))
        }
        witness.expectNothing()
        guard witness.objections.isEmpty else { return }
        if witness.stage != .closed { witness.object("the last life did not come to its end") }
    }

    // MARK: One life

    private func live(_ number: Int, _ life: KillPlan.Life) throws(Volume.Failure) {
        let isLast = number >= plan.lastLife
        witness.begin(
            life: number, isDisturbed: life.isDisturbed || volume != nil && !isLast, isBlind: life.isBlind,
            isOnlyFull: [.tmpfs, .inodes].contains(plan.volume) && !life.isDisturbed && !isLast)
        let errors = "\(directory)/errors-\(number)"
        guard let child = ChildProcess(ChildProcess.itself, arguments(number, life), errors: errors) else {
            return witness.object("a process cannot be started, errno \(errno)")
        }
        counts.lives += 1
        var schedule = Schedule(life, isLast: isLast)
        let watch = LifeWatch(child)
        let watched = self.watch(watch, &schedule)
        _ = write(watch.said, toFile: "\(directory)/said-\(number)")
        if watched != nil {
            // Nobody reads any more what it says.
            schedule.isKilled = true
            child.send(SIGKILL)
        }
        let wasOver = witness.stage
        let end = child.wait()
        if let objection = watched { witness.object("\(objection); in life \(number)") }
        judge(end, life, number, isKilled: schedule.isKilled)
        counts.note(life, end, at: wasOver)
        let isCut = schedule.isCut
        witness.end(isPowerCut: isCut)
        if isCut {
            counts.powerCuts += 1
            try volume?.remount()
        }
    }

    private func arguments(_ number: Int, _ life: KillPlan.Life) -> [String] {
        var words = ["life", scriptFile, channel, "--life", "\(number)", "--first-put", "\(witness.model.puts.count)"]
        if case .killAt(let operation, let place) = life.ending {
            words += ["--kill-at", "\(operation)", "--kill-place", place.rawValue]
        }
        if let files = life.limits.openFiles { words += ["--open-files", "\(files)"] }
        if let bytes = life.limits.fileBytes { words += ["--file-bytes", "\(bytes)"] }
        if life.isBlind { words += ["--limit-opening", "--blind"] }
        return words
    }

    /// What is done to a process, and when.
    private struct Schedule {
        enum Action { case kill, turnReadOnly, cutPower, intrude }

        private var actions: [(delay: Duration, Action)] = []
        private var begun: ContinuousClock.Instant?
        /// Nobody knows when it will be done, so it is not killed while it hangs.
        private var waitsForWords = false
        private var lastWords = ContinuousClock.now
        private static let mostSilence = Duration.seconds(2)
        /// Who says nothing until then hangs.
        private(set) var deadline = ContinuousClock.now + .seconds(KillTrial.mostSeconds)
        var isKilled = false
        var isCut = false

        init(_ life: KillPlan.Life, isLast: Bool) {
            let later = Duration.milliseconds(15)
            switch life.ending {
            case .close, .killAt:
                waitsForWords = true
                if !isLast { actions = [(KillTrial.longestLife, .kill)] }
            case .killAfter(let delay): actions = [(.microseconds(delay), .kill)]
            case .readOnlyAfter(let delay):
                actions = [(.microseconds(delay), .turnReadOnly), (.microseconds(delay) + later, .kill)]
            case .cutAfter(let delay):
                actions = [(.microseconds(delay), .cutPower), (.microseconds(delay) + later, .kill)]
            }
            if life.isIntrudedOn { actions.append((.milliseconds(20), .intrude)) }
            actions.sort { $0.delay < $1.delay }
        }

        mutating func said(_ witness: Witness) {
            if begun == nil, witness.stage >= .begun { begun = .now }
            lastWords = .now
            deadline = .now + .seconds(KillTrial.mostSeconds)
        }

        var next: ContinuousClock.Instant {
            guard let begun, let first = actions.first, !isPostponed(first.1) else { return deadline }
            return min(deadline, begun + first.delay)
        }

        mutating func due() -> Action? {
            guard let begun, let first = actions.first, begun + first.delay <= .now, !isPostponed(first.1) else {
                return nil
            }
            return actions.removeFirst().1
        }

        private func isPostponed(_ action: Action) -> Bool {
            action == .kill && waitsForWords && lastWords + Self.mostSilence < .now
        }
    }

    /// Reads until the process is over. Returns what went wrong with itself.
    private func watch(_ watch: LifeWatch, _ schedule: inout Schedule) -> String? {
        while true {
            while let action = schedule.due() {
                if let objection = perform(action, watch, &schedule) { return objection }
            }
            switch watch.step(until: schedule.next, &witness) {
            case .end: return nil
            case .more: schedule.said(witness)
            case .tooLate:
                guard ContinuousClock.now < schedule.deadline else {
                    schedule.isKilled = true
                    watch.child.send(SIGKILL)
                    return "a process said nothing for \(Self.mostSeconds) s, at \(witness.stage)"
                }
            }
        }
    }

    private func perform(_ action: Schedule.Action, _ watch: LifeWatch, _ schedule: inout Schedule) -> String? {
        switch action {
        case .kill:
            schedule.isKilled = true
            watch.child.send(SIGKILL)
        case .turnReadOnly, .cutPower:
            schedule.isCut = true
            do throws(Volume.Failure) {
                if action == .cutPower { try volume?.cutPower() } else { try volume?.turnReadOnly() }
            } catch { return "\(error)" }
        case .intrude: return intrude(on: watch, isCut: schedule.isCut, isKnown: volume == nil && !witness.isBlind)
        }
        return nil
    }

    /// Row 30: it is told who has the channel.
    ///
    /// - Parameter isKnown: the first could write who it is: there was room, and it had descriptors left.
    private func intrude(on watch: LifeWatch, isCut: Bool, isKnown: Bool) -> String? {
        guard witness.stage == .looked else { return nil }
        let words = ["intruder", scriptFile, channel]
        guard let result = ChildProcess.run(ChildProcess.itself, words, seconds: Double(Self.mostSeconds)) else {
            return "a second opener did not come to its end"
        }
        if result.end == .code(75), !isKnown || result.output.contains(" \(watch.child.process)") {
            counts.intruders += 1
            return nil
        }
        // Of a file system that was stopped it gets nothing.
        if isCut, result.end == .code(74) { return nil }
        // It was let in, or something else was wrong: right only if the first was about to end, or did, meanwhile.
        while true {
            switch watch.step(until: .now, &witness) {
            case .more: continue
            case .end: return nil
            case .tooLate:
                guard witness.stage == .looked else { return nil }
                return "a second opener got \(result.end) and '\(result.output)'"
            }
        }
    }

    /// Whether a process may end so.
    private func judge(_ end: ChildProcess.End, _ life: KillPlan.Life, _ number: Int, isKilled: Bool) {
        var mayBeKilled = isKilled
        if case .killAt = life.ending { mayBeKilled = true }
        switch end {
        case .signal(SIGKILL) where mayBeKilled: break
        case .code(0): break
        case .code(3):
            if witness.stage >= .looked { break }
            counts.refusedOpenings += 1
            guard life.isDisturbed || volume != nil && number < plan.lastLife else {
                return witness.object("life \(number) cannot open the channel: \(witness.lastError)")
            }
        default:
            let words = contents(ofFile: "\(directory)/errors-\(number)").split(separator: "\n").prefix(3)
            witness.object("life \(number) ended with \(end) at \(witness.stage): \(words.joined(separator: " "))")
        }
    }
}
