/// Reads what the process of a life says, for a witness. Used by one thread.
final class LifeWatch {
    enum Step { case more, end, tooLate }

    let child: ChildProcess
    /// All that it said, to be looked at when a promise was broken.
    private(set) var said: [UInt8] = []
    private var rest: [UInt8] = []

    init(_ child: ChildProcess) { self.child = child }

    /// Waits for something that is said, until `deadline`.
    func step(until deadline: ContinuousClock.Instant, _ witness: inout Witness) -> Step {
        switch child.read(until: deadline) {
        case .tooLate: return .tooLate
        // What is cut off was being said when the process was killed.
        case .end: return .end
        case .bytes(let bytes):
            for line in lines(bytes) {
                if let message = LifeMessage(line) {
                    witness.read(message)
                } else {
                    witness.object("a process said '\(line)'")
                }
            }
            return .more
        }
    }

    private func lines(_ bytes: [UInt8]) -> [Substring] {
        said += bytes
        rest += bytes
        guard let last = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        defer { rest.removeFirst(last + 1) }
        return rest[..<last].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self)[...] }
    }
}
