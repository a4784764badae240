internal import FileIO

/// One at a time, in the order of asking, across I/O. Unlike a ``Lock`` it may be held over a wait, since whoever waits for it
/// waits through the ``Runtime``: in the simulator other work goes on meanwhile.
final class Turn: @unchecked Sendable {
    private let lock = Lock()
    private var isTaken = false
    private var waiting: [WaitCell] = []

    /// Returns whether it had to be waited for.
    @discardableResult
    func take(_ runtime: any Runtime) -> Bool {
        let cell = lock.withLock { () -> WaitCell? in
            if !isTaken {
                isTaken = true
                return nil
            }
            let cell = WaitCell()
            waiting.append(cell)
            return cell
        }
        guard let cell else { return false }
        _ = runtime.wait(for: cell)
        return true
    }

    /// For work that may not wait.
    func takeIfFree() -> Bool {
        lock.withLock {
            defer { isTaken = true }
            return !isTaken
        }
    }

    /// Somebody waits for it.
    var isWanted: Bool { lock.withLock { !waiting.isEmpty } }

    /// Hands it to the one who has waited longest.
    func give(_ runtime: any Runtime) {
        let next = lock.withLock { () -> WaitCell? in
            guard !waiting.isEmpty else {
                isTaken = false
                return nil
            }
            return waiting.removeFirst()
        }
        if let next { runtime.signal(next, value: 1) }
    }
}
