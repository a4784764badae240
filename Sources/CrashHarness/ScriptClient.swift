internal import DurableChannel
internal import SimulatedFileIO

/// Carries out the steps of one client of a script.
struct ScriptClient {
    private let recorder: ChannelRecorder
    private let number: Int
    private var open: [ChannelRecorder.Open] = []

    private static let mostTakes = 3

    init(_ recorder: ChannelRecorder, _ number: Int) {
        self.recorder = recorder
        self.number = number
    }

    mutating func run(_ steps: [CrashScript.Step]) {
        for step in steps { perform(step) }
        while !open.isEmpty { recorder.rollback(open.removeFirst()) }
    }

    private mutating func perform(_ step: CrashScript.Step) {
        switch step {
        case .put(let count, let bytes, let bookmark, let shared, let stamped):
            recorder.put(number, count, bytes: bytes, bookmark: bookmark, shared: shared, stamped: stamped)
        case .fill(let count, let bytes): while recorder.put(number, count, bytes: bytes) != nil {}
        case .retry: recorder.retryUnknown(number)
        case .repeatLast: recorder.repeatLast(number)
        case .take(let count, let wait):
            guard open.count < Self.mostTakes else { return }
            let take = recorder.take(count, waitingUpTo: .milliseconds(wait))
            if take.isEmpty { recorder.rollback(take) } else { open.append(take) }
        case .commit(let take, let deadLetters, let bookmark):
            guard let take = remove(take) else { return }
            recorder.commit(
                take, deadLetters: min(deadLetters, take.events.count), bookmark: bookmark ? number : nil)
        case .rollback(let take): if let take = remove(take) { recorder.rollback(take) }
        case .drain(let count): drain(count)
        case .bookmark: recorder.bookmark(number)
        case .checkpoint: recorder.checkpoint()
        case .synchronize: recorder.synchronize()
        case .resizeBytes(let bytes): recorder.resize(bytes: bytes)
        case .resizeEvents(let events): recorder.resize(events: events)
        case .jump(let milliseconds): recorder.world.runtime.jumpWallClock(by: Int64(milliseconds) * 1_000_000)
        case .intrude: recorder.intrude()
        case .yield: recorder.runtime.yield()
        case .sleep(let milliseconds): recorder.runtime.sleep(UInt64(milliseconds) * 1_000_000)
        }
    }

    private mutating func remove(_ take: Int) -> ChannelRecorder.Open? {
        open.isEmpty ? nil : open.remove(at: take % open.count)
    }

    private mutating func drain(_ count: Int) {
        while true {
            let take = recorder.take(count)
            if take.isEmpty { return recorder.rollback(take) }
            recorder.commit(take)
            guard recorder.model.takes[take.number].answer == .done else { return }
        }
    }
}
