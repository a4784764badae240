/// Carries out the steps of one client of a script.
package struct ScriptClient<Stage: ScriptStage> {
    private let stage: Stage
    private let number: Int
    private var open: [Stage.Open] = []

    private static var mostTakes: Int { 3 }

    package init(_ stage: Stage, _ number: Int) {
        self.stage = stage
        self.number = number
    }

    package mutating func run(_ steps: [CrashScript.Step]) {
        for step in steps { perform(step) }
        while !open.isEmpty { stage.rollback(open.removeFirst()) }
    }

    private mutating func perform(_ step: CrashScript.Step) {
        switch step {
        case .put(let count, let bytes, let bookmark, let shared, let stamped):
            stage.put(number, count, bytes: bytes, bookmark: bookmark, shared: shared, stamped: stamped)
        case .fill(let count, let bytes):
            while stage.put(number, count, bytes: bytes, bookmark: true, shared: false, stamped: true) {}
        case .retry: stage.retryUnknown(number)
        case .repeatLast: stage.repeatLast(number)
        case .take(let count, let wait):
            guard open.count < Self.mostTakes else { return }
            let take = stage.take(count, waitingUpTo: .milliseconds(wait))
            if stage.eventCount(take) == 0 { stage.rollback(take) } else { open.append(take) }
        case .commit(let take, let deadLetters, let bookmark):
            guard let take = remove(take) else { return }
            stage.commit(
                take, deadLetters: min(deadLetters, stage.eventCount(take)), bookmark: bookmark ? number : nil)
        case .rollback(let take): if let take = remove(take) { stage.rollback(take) }
        case .drain(let count): drain(count)
        case .bookmark: stage.bookmark(number)
        case .checkpoint: stage.checkpoint()
        case .synchronize: stage.synchronize()
        case .resizeBytes(let bytes): stage.resize(bytes: bytes)
        case .resizeEvents(let events): stage.resize(events: events)
        case .jump(let milliseconds): stage.jumpWallClock(milliseconds: milliseconds)
        case .intrude: stage.intrude()
        case .yield: stage.yield()
        case .sleep(let milliseconds): stage.sleep(milliseconds: milliseconds)
        }
    }

    private mutating func remove(_ take: Int) -> Stage.Open? {
        open.isEmpty ? nil : open.remove(at: take % open.count)
    }

    private mutating func drain(_ count: Int) {
        while true {
            let take = stage.take(count, waitingUpTo: .zero)
            if stage.eventCount(take) == 0 { return stage.rollback(take) }
            guard stage.commit(take, deadLetters: 0, bookmark: nil) else { return }
        }
    }
}
