import FileIO
import Synchronization

/// What went through a ``CountingFileSystem``.
final class Traffic: Sendable {
    private let groupCount = Atomic<Int>(0)
    private let groupByteCount = Atomic<Int>(0)
    private let otherByteCount = Atomic<Int>(0)
    private let readByteCount = Atomic<Int>(0)
    private let callCount = Atomic<Int>(0)

    struct Reading: Equatable {
        /// Durable writes: one for each group of the log.
        var groups: Int
        var groupBytes: Int
        /// Everything else that was written: pre-written zeros, identities, checkpoints.
        var otherBytes: Int
        var readBytes: Int
        /// Calls of files and directories of any kind: each is one system call, or a few.
        var calls: Int

        var writtenBytes: Int { groupBytes + otherBytes }

        static func + (left: Self, right: Self) -> Self {
            Reading(
                groups: left.groups + right.groups, groupBytes: left.groupBytes + right.groupBytes,
                otherBytes: left.otherBytes + right.otherBytes, readBytes: left.readBytes + right.readBytes,
                calls: left.calls + right.calls)
        }

        static func - (left: Self, right: Self) -> Self {
            Reading(
                groups: left.groups - right.groups, groupBytes: left.groupBytes - right.groupBytes,
                otherBytes: left.otherBytes - right.otherBytes, readBytes: left.readBytes - right.readBytes,
                calls: left.calls - right.calls)
        }
    }

    var reading: Reading {
        Reading(
            groups: groupCount.load(ordering: .relaxed), groupBytes: groupByteCount.load(ordering: .relaxed),
            otherBytes: otherByteCount.load(ordering: .relaxed), readBytes: readByteCount.load(ordering: .relaxed),
            calls: callCount.load(ordering: .relaxed))
    }

    func countGroup(_ bytes: Int) {
        groupCount.add(1, ordering: .relaxed)
        groupByteCount.add(bytes, ordering: .relaxed)
    }

    func countOther(_ bytes: Int) { otherByteCount.add(bytes, ordering: .relaxed) }

    func countRead(_ bytes: Int) { readByteCount.add(bytes, ordering: .relaxed) }

    func countCall() { callCount.add(1, ordering: .relaxed) }

    /// Longer than a log waits before it states in a mark that it is idle.
    private static let quietNanoseconds: UInt64 = 150_000_000

    /// Returns when nothing has gone through for a while.
    func waitUntilQuiet() {
        let clock = SystemRuntime()
        var last = reading
        while true {
            _ = clock.wait(for: WaitCell(), timeout: Self.quietNanoseconds)
            guard reading != last else { return }
            last = reading
        }
    }
}
