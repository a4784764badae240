internal import FileIO

extension FileChannel {
    /// Outside the ledger's lock.
    func wake(_ woken: Woken) {
        for waiter in woken.waiters { waiter.wake() }
        for cell in woken.cells { runtime.signal(cell, value: 1) }
    }

    /// There may be room.
    func wakePutters() { ledger.wakePutters() }

    /// Waits until woken, for at most `nanoseconds`. `list` is where the ledger keeps those who wait; `isDue` is asked under
    /// the lock, so that no change is missed between looking and waiting.
    func block(
        _ nanoseconds: UInt64, in list: WaitingList,
        unless isDue: () -> Bool = { false }
    ) {
        let cell = WaitCell()
        let waiter = Waiter { [runtime] in runtime.signal(cell, value: 1) }
        let waits = ledger.lock.withLock { () -> Bool in
            if ledger.closing || isDue() { return false }
            ledger[list].append(waiter)
            return true
        }
        guard waits else { return }
        let woken =
            nanoseconds == .max ? runtime.wait(for: cell) : runtime.wait(for: cell, timeout: nanoseconds)
        if woken == nil { ledger.lock.withLock { ledger[list].removeAll { $0 === waiter } } }
    }

    /// As ``block(_:in:unless:)``, without a thread. Ends early when the task is cancelled.
    func suspend(
        _ nanoseconds: UInt64, in list: WaitingList, unless isDue: @escaping @Sendable () -> Bool = { false }
    ) async {
        let suspension = Suspension()
        let waiter = Waiter { suspension.end() }
        let waits = ledger.lock.withLock { () -> Bool in
            if ledger.closing || isDue() { return false }
            ledger[list].append(waiter)
            return true
        }
        guard waits else { return }
        if nanoseconds != .max { runtime.schedule(after: nanoseconds) { suspension.end() } }
        await withTaskCancellationHandler {
            await suspension.wait()
        } onCancel: {
            suspension.end()
        }
        ledger.lock.withLock { ledger[list].removeAll { $0 === waiter } }
    }
}

/// One wait of a task, ended by whoever comes first; also before it has begun.
private final class Suspension: @unchecked Sendable {
    private let lock = Lock()
    private var hasEnded = false
    private var continuation: CheckedContinuation<Void, Never>?

    func wait() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isOver = lock.withLock { () -> Bool in
                if !hasEnded { self.continuation = continuation }
                return hasEnded
            }
            if isOver { continuation.resume() }
        }
    }

    func end() {
        let continuation = lock.withLock { () -> CheckedContinuation<Void, Never>? in
            hasEnded = true
            defer { self.continuation = nil }
            return self.continuation
        }
        continuation?.resume()
    }
}

/// How long an append has waited for room, and waits on. It looks again now and then by itself, for room on the disk that
/// others leave is announced by nobody.
struct RoomWait {
    private let channel: FileChannel
    private let started: UInt64
    private var looks = 0
    private var drops = 0
    private static let longest: UInt64 = 50_000_000

    init(_ channel: FileChannel) {
        self.channel = channel
        started = channel.runtime.monotonicClock()
    }

    /// True the first time that it is asked.
    var isFirst: Bool {
        mutating get {
            looks += 1
            return looks == 1
        }
    }

    /// True every second time that it is asked.
    var looksAgain: Bool {
        mutating get {
            drops += 1
            return drops % 2 == 1
        }
    }

    /// How long to wait before looking again; nil when the time is over.
    func remaining(of timeout: Duration?) -> UInt64? {
        guard let timeout else { return Self.longest }
        let waited = channel.runtime.monotonicClock() - started
        let limit = timeout.nanoseconds
        return waited < limit ? min(limit - waited, Self.longest) : nil
    }

    func block(_ nanoseconds: UInt64) { channel.block(nanoseconds, in: .putters) }

    func suspend(_ nanoseconds: UInt64) async { await channel.suspend(nanoseconds, in: .putters) }
}

/// Where the ledger keeps those who wait.
enum WaitingList: Sendable { case takers, putters }

extension PointerLedger {
    /// There may be room. Outside the lock.
    func wakePutters() {
        let waiters = lock.withLock { () -> [Waiter] in
            defer { waiting.putters = [] }
            return waiting.putters
        }
        for waiter in waiters { waiter.wake() }
    }

    /// Under the lock.
    fileprivate subscript(_ list: WaitingList) -> [Waiter] {
        get { list == .takers ? waiting.takers : waiting.putters }
        set { if list == .takers { waiting.takers = newValue } else { waiting.putters = newValue } }
    }
}
