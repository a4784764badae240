package import FileIO
package import SimulatedFileIO

/// A ``SimulatedRuntime`` for clients that wait: each client is a thread of its own, and only one of them runs at any time.
///
/// A client that waits gives the turn away: to another client that can go on, or to a piece of the simulated runtime's work.
/// The seed decides which, so a run with any number of clients in the middle of their calls repeats from its seed. A client
/// gives its turn away, too, when what it waits for is there already: as a thread would that is not woken at once.
package final class ClientRuntime: Runtime, @unchecked Sendable {
    package let base: SimulatedRuntime
    private let seed: UInt64
    private var choices: SeededRandom
    /// Of 16 turns so many are for work while a client could go on: the fewer, the more groups are in flight.
    private let turnsOfWork: UInt64
    /// Blocks the threads that have not got the turn.
    private let threads = SystemRuntime()
    // Everything below is changed only by who has the turn.
    private var clients: [Client] = []
    private var current: Client?
    private var isWorking = false
    private var turnsWithoutWork: UInt64 = 0

    private final class Client: @unchecked Sendable {
        package let turn = WaitCell()
        package var cell: WaitCell?
        package var deadline: UInt64?
        package var isDone = false

        package func canGoOn(at now: UInt64) -> Bool {
            guard !isDone else { return false }
            guard let cell else { return true }
            return cell.value != 0 || deadline.map { now >= $0 } ?? false
        }
    }

    package init(seed: UInt64, _ base: SimulatedRuntime) {
        self.base = base
        self.seed = seed
        choices = SeededRandom(seed: seed ^ 0x5EED)
        turnsOfWork = [1, 2, 6].randomElement(using: &choices)!
    }

    deinit { threads.shutdown() }

    // MARK: Clients

    /// Runs the clients side by side, and returns when all have ended.
    package func run(_ bodies: [@Sendable () -> Void]) {
        guard !bodies.isEmpty else { return }
        clients = bodies.map { _ in Client() }
        current = clients.randomElement(using: &choices)
        threads.signal(current!.turn, value: 1)
        onThreads(bodies.count) { [self] index in
            let client = clients[index]
            awaitTurn(client)
            bodies[index]()
            client.isDone = true
            if let next = next() { hand(to: next) }
        }
        clients = []
        current = nil
    }

    /// The client does nothing for some time.
    package func sleep(_ nanoseconds: UInt64) { _ = wait(for: WaitCell(), timeout: nanoseconds) }

    /// Others may get their turn here.
    package func yield() {
        let cell = WaitCell()
        cell.signal(1)
        _ = wait(for: cell)
    }

    // MARK: Runtime

    package func wallClock() -> UInt64 { base.wallClock() }
    package func monotonicClock() -> UInt64 { base.monotonicClock() }
    package func random() -> UInt64 { base.random() }
    package func signal(_ cell: WaitCell, value: UInt32) { cell.signal(value) }

    package func giveWay() { base.giveWay() }

    package func schedule(after delay: UInt64, _ work: @escaping @Sendable () -> Void) {
        base.schedule(after: delay, work)
    }

    package func wait(for cell: WaitCell) -> UInt32 {
        pause(cell, nil)
        return cell.value
    }

    package func wait(for cell: WaitCell, timeout: UInt64) -> UInt32? {
        let (end, overflow) = base.monotonicClock().addingReportingOverflow(timeout)
        pause(cell, overflow ? nil : end)
        return cell.value == 0 ? nil : cell.value
    }

    // MARK: Turns

    private func pause(_ cell: WaitCell, _ deadline: UInt64?) {
        precondition(!isWorking, "scheduled work must not wait for a cell")
        guard let me = current else { return waitAlone(cell, deadline) }
        me.cell = cell
        me.deadline = deadline
        // Going to sleep takes time, and more when nothing else happens: two who wake each other for ever come to the end of
        // their patience.
        turnsWithoutWork += 1
        base.advance(by: Self.turnNanoseconds * min(turnsWithoutWork, 1000))
        if let next = next(), next !== me {
            hand(to: next)
            awaitTurn(me)
        }
        me.cell = nil
        me.deadline = nil
    }

    /// Without other clients.
    private func waitAlone(_ cell: WaitCell, _ deadline: UInt64?) {
        for _ in 0..<Self.mostSteps {
            if cell.value != 0 { return }
            if let deadline {
                let now = base.monotonicClock()
                guard now < deadline else { return }
                _ = base.wait(for: cell, timeout: min(deadline - now, 1_000_000))
            } else {
                isWorking = true
                precondition(
                    base.step(), "deadlock with seed \(seed): a cell is waited for, and nothing could signal it")
                isWorking = false
            }
        }
        fatalError("with seed \(seed) work goes on for ever, and what is waited for does not come")
    }

    private static let mostSteps = 200_000
    private static let turnNanoseconds: UInt64 = 50_000

    /// A client that can go on. Until there is one, and by choice before, work is done. nil when all have ended.
    private func next() -> Client? {
        for _ in 0..<Self.mostSteps {
            let ready = clients.filter { $0.canGoOn(at: base.monotonicClock()) }
            let works = base.hasWork && UInt64.random(in: 0..<16, using: &choices) < turnsOfWork
            if !ready.isEmpty, !works { return ready.randomElement(using: &choices) }
            if base.hasWork {
                isWorking = true
                turnsWithoutWork = 0
                base.step()
                isWorking = false
            } else if clients.allSatisfy(\.isDone) {
                return nil
            } else if let deadline = clients.compactMap({ $0.isDone ? nil : $0.deadline }).min() {
                base.advance(by: deadline - base.monotonicClock())
            } else {
                fatalError(
                    "deadlock with seed \(seed): every client waits, and nothing is left that could wake one")
            }
        }
        fatalError("with seed \(seed) work goes on for ever, and no client can go on")
    }

    private func hand(to client: Client) {
        current = client
        threads.signal(client.turn, value: 1)
    }

    private func awaitTurn(_ client: Client) {
        _ = threads.wait(for: client.turn)
        client.turn.reset()
    }
}
