public import FileIO

/// ``Runtime`` on one thread: every choice that threads, clocks and devices would make comes from one seed.
///
/// Work that was scheduled and writes in flight wait in one list. ``step()`` picks one of those that are due, at random,
/// and runs it to its end. So the caller's own code, and waiting in particular, is where others get their turn: a run is
/// a series of pieces that never overlap, in an order that the seed decides and repeats.
public final class SimulatedRuntime: Runtime, @unchecked Sendable {
    /// Submitted writes complete before ``StorageFile/submitWrite(_:count:at:completion:)`` returns, as on Linux.
    public var inlineCompletion = false

    /// Whether work from ``schedule(after:_:)`` may wait for a cell. The contract of ``Runtime`` forbids it, and by
    /// default it traps. A harness that runs its clients as scheduled work turns it on; a client that waits then rests
    /// on the stack until those that were started later have come to an end.
    public var permitsWaitingWork = false

    /// Over everything that ran and every number that was drawn. Equal in two runs that did the same.
    public private(set) var traceHash: UInt64

    /// Pieces of work and completions that ran.
    public private(set) var stepCount = 0

    private struct Item {
        var dueTime: UInt64
        var ordinal: UInt64
        var isCompletion: Bool
        var work: () -> Void
    }

    private var items: [Item] = []
    private var nextOrdinal: UInt64 = 0
    private var now: UInt64 = 1_000_000_000
    private var wallOffset: UInt64
    private var isRunningWork = false
    private var scheduling: SeededRandom
    private var numbers: SeededRandom

    /// - Parameter wallClock: where the wall clock starts, in nanoseconds since 1970.
    public init(seed: UInt64, wallClock: UInt64 = 1_750_000_000_000_000_000) {
        scheduling = SeededRandom(seed: seed)
        numbers = SeededRandom(seed: Mixing.mix(seed, 1))
        wallOffset = wallClock - now
        traceHash = Mixing.mix(seed)
    }

    // MARK: Runtime

    public func wallClock() -> UInt64 {
        wallOffset &+ now
    }

    public func monotonicClock() -> UInt64 {
        now
    }

    public func random() -> UInt64 {
        let number = numbers.next()
        traceHash = Mixing.mix(traceHash, number)
        return number
    }

    public func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) {
        add(after: delay, isCompletion: false, work)
    }

    public func wait(for cell: WaitCell) -> UInt32 {
        waiting {
            while cell.value == 0 {
                guard step() else {
                    preconditionFailure("deadlock: a cell is waited for, and no work or write is left to signal it")
                }
            }
        }
        return cell.value
    }

    public func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? {
        let (end, overflow) = now.addingReportingOverflow(timeout)
        let deadline = overflow ? UInt64.max : end
        waiting {
            while cell.value == 0 && now < deadline {
                if let due = nextDueTime, due <= deadline { _ = step() } else { now = deadline }
            }
        }
        return cell.value == 0 ? nil : cell.value
    }

    public func signal(_ cell: WaitCell, value: UInt32) {
        cell.signal(value)
    }

    public func giveWay() {}

    // MARK: Driving

    /// Runs one piece of work or completes one write in flight; among those that are due, any one. When none is due, the
    /// clock goes forward to the next. False when nothing is left.
    ///
    /// Must not be called by work (unless that waits for a cell).
    @discardableResult
    public func step() -> Bool {
        precondition(!isRunningWork, "work must not run other work, except by waiting for a cell")
        guard let due = nextDueTime else { return false }
        now = max(now, due)
        let candidates = items.indices.filter { items[$0].dueTime <= now }
        let chosen = candidates[Int(scheduling.next() % UInt64(candidates.count))]
        items.swapAt(chosen, items.count - 1)
        let item = items.removeLast()
        traceHash = Mixing.mix(traceHash, item.ordinal)
        stepCount += 1
        now += 1_000 + scheduling.next() % 20_000
        isRunningWork = true
        item.work()
        isRunningWork = false
        return true
    }

    /// Runs until nothing is left but work that waits for more than `horizon` nanoseconds from then on: what the work itself
    /// asks for at once runs too, and writes in flight always complete.
    public func runUntilIdle(horizon: UInt64 = 0) {
        while items.contains(where: { $0.isCompletion || $0.dueTime <= now.addingSaturating(horizon) }) { step() }
    }

    /// Runs until the condition holds; false when nothing is left to run and it still does not.
    @discardableResult
    public func run(until condition: () -> Bool) -> Bool {
        while !condition() {
            guard step() else { return false }
        }
        return true
    }

    /// Whether work or writes in flight are left.
    public var hasWork: Bool { !items.isEmpty }

    /// Lets time pass, on both clocks.
    public func advance(by nanoseconds: UInt64) {
        now &+= nanoseconds
    }

    /// Sets the wall clock forward or back, as an operator or NTP would.
    public func jumpWallClock(by nanoseconds: Int64) {
        wallOffset = wallOffset &+ UInt64(bitPattern: nanoseconds)
    }

    /// Forgets all work and all writes in flight, as the end of the process does.
    public func dropAllWork() {
        items = []
    }

    /// Runs the end of a submitted write now or later.
    func complete(after delay: UInt64, _ work: @escaping () -> Void) {
        if inlineCompletion {
            now += delay
            work()
        } else {
            add(after: delay, isCompletion: true, work)
        }
    }

    private func add(after delay: UInt64, isCompletion: Bool, _ work: @escaping () -> Void) {
        let (due, overflow) = now.addingReportingOverflow(delay)
        items.append(
            Item(
                dueTime: overflow ? .max : due, ordinal: nextOrdinal, isCompletion: isCompletion, work: work))
        nextOrdinal += 1
    }

    private var nextDueTime: UInt64? {
        items.lazy.map(\.dueTime).min()
    }

    private func waiting(_ body: () -> Void) {
        let wasRunning = isRunningWork
        precondition(!wasRunning || permitsWaitingWork, "scheduled work must not wait for a cell")
        isRunningWork = false
        body()
        isRunningWork = wasRunning
    }
}

extension UInt64 {
    fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

/// splitmix64: small, fast, and the same numbers everywhere. Not for secrets.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        defer { state &+= 0x9E37_79B9_7F4A_7C15 }
        return Mixing.mix(state)
    }
}
