internal import FileIO
internal import LogFormat
internal import SegmentedLog

/// Lets segments go when every event in them is decided, durably, also out of order. One round at a time, in the background.
final class Retirement: @unchecked Sendable {
    private let log: Log
    private let ledger: PointerLedger
    private let runtime: any Runtime

    private let lock = Lock()
    // Guarded by `lock`.
    private var isRunning = false
    private var isAskedAgain = false
    /// The round that is running lets segments go; the log may not list them any more, and their room is not back yet.
    private var isLettingGo = false
    private var isStopped = false
    private var waiting: [Waiter] = []
    /// The end of the oldest segment with events: when everything below it is decided, there is something to do.
    private var oldestEnd = EventSequence(1)
    /// What was decided at the last round; out of order too, so when as much more is decided as the smallest segment holds,
    /// it is worth a look.
    private var accountedAtLast: UInt64 = 0
    private var lookAfter = mostBeforeLook
    private static let mostBeforeLook: UInt64 = 8_192
    private static let retryNanoseconds: UInt64 = 20_000_000

    init(_ log: Log, _ ledger: PointerLedger, _ runtime: any Runtime) {
        self.log = log
        self.ledger = ledger
        self.runtime = runtime
    }

    func start() { check() }

    /// No further round begins, and nobody waits for one any more.
    func stop() {
        lock.withLock { isStopped = true }
        release()
    }

    /// After events were decided: cheap, and looks at the segments only when that may give something.
    func checkIfUseful() {
        let (below, accounted, held) = ledger.lock.withLock {
            (ledger.state.group.acknowledgedBelow, ledger.state.group.accounted, ledger.state.held)
        }
        let isUseful = lock.withLock {
            below >= oldestEnd || accounted >= accountedAtLast + lookAfter || held == 0
        }
        if isUseful { check() }
    }

    /// Lets go what may go, and waits for what is going, before somebody is told that there is no room; false when
    /// there is nothing. Blocks as ``checkNow()`` does.
    func reclaim() -> Bool {
        guard awaitsRoom || !candidates().isEmpty else { return false }
        checkNow()
        return true
    }

    /// Segments are on their way out: when the round is done there is more room.
    var awaitsRoom: Bool { lock.withLock { isLettingGo } }

    /// As the blocking ``reclaim()-(_)``, without a thread.
    func reclaim() async -> Bool {
        guard awaitsRoom || !candidates().isEmpty else { return false }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            checkAndTell(Waiter { continuation.resume() })
        }
        return true
    }

    /// As ``check()``; returns when the round is done. Not from background work.
    func checkNow() {
        let cell = WaitCell()
        checkAndTell(Waiter { [runtime] in runtime.signal(cell, value: 1) })
        _ = runtime.wait(for: cell)
    }

    /// Asks for a round. Wakes the waiter once: when one has ended, or at once when there are none any more.
    private func checkAndTell(_ waiter: Waiter) {
        let waits = lock.withLock { () -> Bool in
            if !isStopped { waiting.append(waiter) }
            return !isStopped
        }
        guard waits else { return waiter.wake() }
        check()
    }

    /// Looks at all segments and retires those that may go.
    func check() {
        let begins = lock.withLock { () -> Bool in
            if isRunning || isStopped {
                isAskedAgain = isRunning
                return false
            }
            isRunning = true
            return true
        }
        guard begins else {
            if lock.withLock({ isStopped }) { release() }
            return
        }
        let chosen = candidates()
        guard !chosen.isEmpty else { return ended(nil, chosen) }
        lock.withLock { isLettingGo = true }
        log.retire(chosen) { [self] error in ended(error, chosen) }
    }

    private func candidates() -> [SegmentNumber] {
        let segments = log.segments
        var smallest = Self.mostBeforeLook
        let (numbers, end, accounted) = ledger.lock.withLock { () -> ([SegmentNumber], EventSequence, UInt64) in
            var numbers: [SegmentNumber] = []
            var oldest: EventSequence?
            for segment in segments where segment.holdsEvents {
                let range = SequenceRange(first: segment.baseSequence, end: segment.endSequence)
                if segment.endOffset != nil { smallest = min(smallest, max(range.count, 16)) }
                #if PlantedBugs
                    if PlantedBug.retireWhenHandedOut.isPlanted, segment.endOffset != nil,
                        range.end <= ledger.state.group.cursor
                    {
                        numbers.append(segment.number)
                        continue
                    }
                #endif
                if segment.endOffset != nil, ledger.state.group.isAcknowledged(range) {
                    numbers.append(segment.number)
                } else if oldest == nil {
                    oldest = segment.endOffset == nil ? EventSequence(.max) : segment.endSequence
                }
            }
            return (numbers, oldest ?? EventSequence(.max), ledger.state.group.accounted)
        }
        lock.withLock {
            oldestEnd = end
            accountedAtLast = accounted
            lookAfter = smallest
        }
        return numbers
    }

    private func ended(_ error: LogError?, _ chosen: [SegmentNumber]) {
        // A snapshot must cover a segment's end before it may go; with commits under way that may take a moment.
        let left = chosen.isEmpty ? [] : log.segments.map(\.number).filter { chosen.contains($0) }
        let (again, retries) = lock.withLock { () -> (Bool, Bool) in
            (isRunning, isLettingGo) = (false, false)
            defer { isAskedAgain = false }
            return (isAskedAgain && !isStopped, !left.isEmpty && !isStopped)
        }
        // A log that is read-only stays so until it is opened again.
        let isOver = error?.code == .readOnly || error?.code == .closed
        if !isOver, retries || error != nil {
            runtime.schedule(after: Self.retryNanoseconds) { [weak self] in self?.check() }
        } else if again {
            return check()
        }
        // Only when there may be more room: those who wait for it ask for rounds themselves, and would wake each other for ever.
        release(wakesPutters: left.count < chosen.count)
    }

    /// Whoever waited for the round goes on.
    private func release(wakesPutters: Bool = false) {
        let told = lock.withLock { () -> [Waiter] in
            defer { waiting = [] }
            return waiting
        }
        for waiter in told { waiter.wake() }
        if wakesPutters { ledger.wakePutters() }
    }
}
