internal import FileIO
internal import SimulatedFileIO

/// Makes a script that breaks a promise smaller, as long as what is left breaks one, too.
///
/// Taking steps away moves the operation at which the life was cut off, so each attempt looks at all of its last life's moments,
/// with what was kept at the failure and with the plain choices. The method is that of delta debugging (Zeller and Hildebrandt,
/// 2002): halves first, then smaller pieces.
public struct Shrinker {
    /// So many scripts are run at most, and none is begun after so many seconds: each looks at all moments of a life.
    public var mostAttempts = 400
    public var mostSeconds: UInt64 = 60
    /// Attempts so far.
    public private(set) var attempts = 0
    private var best: HarnessReport.BrokenPromise

    private let clock = SystemRuntime()
    private var started: UInt64 = 0

    public init(_ broken: HarnessReport.BrokenPromise) { best = broken }

    private var mayGoOn: Bool {
        attempts < mostAttempts && clock.monotonicClock() - started < mostSeconds * 1_000_000_000
    }

    /// The smallest that was found.
    public mutating func shrink() -> HarnessReport.BrokenPromise {
        started = clock.monotonicClock()
        var size = 0
        repeat {
            size = best.script.size
            shrinkLives()
            for life in best.script.lives.indices { shrinkLife(life) }
            shrinkNumbers()
        } while best.script.size < size && mayGoOn
        return best
    }

    private mutating func shrinkLives() {
        var index = 0
        while index < best.script.lives.count - 1 {
            if !attempt({ $0.lives.remove(at: index) }) { index += 1 }
        }
    }

    private mutating func shrinkLife(_ life: Int) {
        remove(best.script.lives[life].faults.count) { $0.lives[life].faults.removeSubrange($1) }
        remove(best.script.lives[life].damage.count) { $0.lives[life].damage.removeSubrange($1) }
        remove(best.script.lives[life].phases.count) { $0.lives[life].phases.removeSubrange($1) }
        for phase in best.script.lives[life].phases.indices {
            remove(best.script.lives[life].phases[phase].clients.count) {
                $0.lives[life].phases[phase].clients.removeSubrange($1)
            }
            for client in best.script.lives[life].phases[phase].clients.indices {
                remove(best.script.lives[life].phases[phase].clients[client].count) {
                    $0.lives[life].phases[phase].clients[client].removeSubrange($1)
                }
            }
        }
    }

    /// Takes pieces of a list of `count` away: half of it, then quarters, and so on.
    private mutating func remove(_ count: Int, _ change: (inout CrashScript, Range<Int>) -> Void) {
        var left = count
        var piece = left
        while piece > 0 {
            var start = 0
            while start < left {
                let range = start..<min(start + piece, left)
                if attempt({ change(&$0, range) }) { left -= range.count } else { start += piece }
            }
            piece /= 2
        }
    }

    /// Fewer and smaller events.
    private mutating func shrinkNumbers() {
        for life in best.script.lives.indices {
            for phase in best.script.lives[life].phases.indices {
                for client in best.script.lives[life].phases[phase].clients.indices {
                    for step in best.script.lives[life].phases[phase].clients[client].indices {
                        for smaller in best.script.lives[life].phases[phase].clients[client][step].smaller {
                            _ = attempt { $0.lives[life].phases[phase].clients[client][step] = smaller }
                        }
                    }
                }
            }
        }
    }

    private mutating func attempt(_ change: (inout CrashScript) -> Void) -> Bool {
        guard mayGoOn else { return false }
        var script = best.script
        change(&script)
        guard !script.lives.isEmpty, script != best.script else { return false }
        attempts += 1
        guard let broken = ChannelHarness.search(script) else { return false }
        best = broken
        return true
    }
}

extension CrashScript {
    /// Lives, faults, clients and steps.
    var size: Int {
        lives.reduce(0) { sum, life in
            let clients = life.phases.flatMap(\.clients)
            return sum + 1 + life.faults.count + life.damage.count + clients.count + clients.joined().count
        }
    }
}

extension CrashScript.Step {
    /// The same with less in it, the least first.
    fileprivate var smaller: [CrashScript.Step] {
        guard case .put(let count, let bytes, let bookmark, let shared, let stamped) = self else { return [] }
        let plain = CrashScript.Step.put(count: count, bytes: bytes, bookmark: false, shared: false, stamped: false)
        let single = CrashScript.Step.put(
            count: 1, bytes: bytes, bookmark: bookmark, shared: shared, stamped: stamped)
        let short = CrashScript.Step.put(
            count: count, bytes: 10, bookmark: bookmark, shared: shared, stamped: stamped)
        return [plain, single, short].filter { $0 != self }
    }
}
