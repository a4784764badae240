import FileIO
import Glibc
import LogFormat
import SegmentedLog
import Synchronization
import Testing
import TestSupport

/// The same engine on Linux, with real threads.
@Suite(.serialized) struct RealDiskTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        try TestFiles.withDirectory { try body($0 + "/log") }
    }

    /// What `du` says: every file's blocks, and the directory's own.
    private func diskUsage(_ path: String) throws -> UInt64 {
        let directory = try LinuxFileSystem().openDirectory(at: path)
        defer { directory.close() }
        var sum: UInt64 = 4096
        for name in try directory.list() { sum += try directory.status(of: name)?.allocatedBytes ?? 0 }
        return sum
    }

    @Test func appendsSurviveReopeningOnARealDisk() throws {
        try withDirectory { path in
            let runtime = SystemRuntime()
            defer { runtime.shutdown() }
            let configuration = LogConfiguration(capacityBytes: 16 << 20)
            let log = try Log.open(
                at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
            for index in 0..<500 { _ = try log.append([put(index, bytes: 5000)]) }
            #expect(log.segments.count > 1)
            #expect(try log.tags() == Array(0..<500))
            try log.close()
            let again = try Log.open(
                at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
            #expect(again.recoveryReport.wasClosedCleanly)
            #expect(try again.tags() == Array(0..<500))
            try again.close()
        }
    }

    @Test func aOneMebibyteLogStaysWithinItsLimitThroughReopenings() throws {
        try withDirectory { path in
            let runtime = SystemRuntime()
            defer { runtime.shutdown() }
            let configuration = LogConfiguration(capacityBytes: 1 << 20)
            for cycle in 0..<TestDepth.pick(sample: 200, part: 1000, whole: 1000) {
                let log = try Log.open(
                    at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
                if cycle == 0 { _ = try log.append([put(7)]) }
                if cycle % 50 == 0 {
                    let taken = try diskUsage(path)
                    #expect(taken <= 1 << 20, "\(taken) bytes at cycle \(cycle)")
                }
                try log.close()
            }
            let log = try Log.open(
                at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
            #expect(try log.tags() == [7])
            _ = try log.append([put(8)])
            #expect(try diskUsage(path) <= 1 << 20)
            try log.close()
        }
    }

    /// tools/read-log.py shares no line with the library. It must see the same frames, one by one, in logs as they come: rolled,
    /// compressed, closed, reopened, with a torn frame behind a cut.
    @Test func theIndependentReaderSeesTheSameFrames() throws {
        try withDirectory { path in
            let runtime = SystemRuntime()
            defer { runtime.shutdown() }
            var configuration = LogConfiguration(capacityBytes: 4 << 20)
            configuration.segmentBytes = 128 << 10
            var expected: [String] = []
            for life in 0..<3 {
                let log = try Log.open(
                    at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
                for index in 0..<60 { _ = try log.append([compressible(index, life), note(index, bytes: 100 * life)]) }
                let reader = log.makeReader()
                expected = []
                while case .frame(let frame) = try reader.next() { expected.append(line(frame)) }
                try log.close()
            }
            let output = path + ".jsonl"
            let script = TestFiles.package + "/tools/read-log.py"
            #expect(
                Child.run(["python3", script, path, "--format", "jsonl"], output: output, errors: "/dev/null") == 0)
            let frames = try #require(TestFiles.text(output)).split(separator: "\n").filter {
                $0.contains("\"line\": \"frame\"")
            }
            #expect(expected.count > 300)
            for (mine, its) in zip(expected, frames) { #expect(its.contains(mine)) }
            // The close that followed, and its padding.
            #expect((expected.count + 1...expected.count + 2).contains(frames.count))
            #expect(frames.allSatisfy { $0.contains("\"valid\": true") })
        }
    }

    private func compressible(_ index: Int, _ life: Int) throws -> FramePayload {
        let text = String(repeating: "GET /index.html 200 \(index) ", count: 40 + index)
        return try FramePayload(
            type: .put, eventCount: 1, transactionCount: 1, raw: Array(text.utf8),
            compression: life == 1 ? .none : .lz4)
    }

    private func line(_ frame: LogFrame) -> String {
        let header = frame.header
        return "\"segment\": \"\(frame.lsn.segment)\", \"offset\": \(frame.lsn.offset), "
            + "\"type\": \"\(header.type)\", "
            + "\"compression\": \(header.compression.rawValue), \"frame_bytes\": \(header.frameBytes), "
            + "\"stored_bytes\": \(header.storedBytes), \"raw_bytes\": \(header.rawBytes), "
            + "\"event_count\": \(header.eventCount), \"transaction_count\": \(header.transactionCount), "
            + "\"base_sequence\": \(header.baseSequence), \"epoch\": \(header.epoch), "
    }

    /// Eight threads append, one reads and one retires, and groups are seen to overlap. For the thread sanitizer, too.
    @Test func threadsAppendReadAndRetireAtOnce() throws {
        try withDirectory { path in
            let runtime = SystemRuntime()
            defer { runtime.shutdown() }
            var configuration = LogConfiguration(capacityBytes: 32 << 20)
            configuration.segmentBytes = 1 << 20
            configuration.idleMarkDelay = 1_000_000
            let log = try Log.open(
                at: path, fileSystem: LinuxFileSystem(), runtime: runtime, configuration: configuration)
            let work = OverlapWork(log)
            work.run()
            #expect(work.failures.isEmpty, "\(work.failures.first ?? "")")
            #expect(log.mostGroupsInFlight >= 2)
            #expect(work.mostAppendersAtOnce >= 4)
            try log.close()
        }
    }
}

/// Threads over one log. Every append's answer is checked against what a reader sees.
private final class OverlapWork: @unchecked Sendable {
    let log: Log
    private let lock = Lock()
    private var running = 0
    private var most = 0
    private var sequences: Set<UInt64> = []
    private var problems: [String] = []
    private let done = Atomic<Int>(0)

    static let appenders = 8
    static let appendsEach = 150

    init(_ log: Log) { self.log = log }

    var failures: [String] { lock.withLock { problems } }
    var mostAppendersAtOnce: Int { lock.withLock { most } }

    func run() {
        onThreads(Self.appenders + 2) { [self] index in
            switch index {
            case Self.appenders: read()
            case Self.appenders + 1: retire()
            default: append(index)
            }
        }
        if sequences.count != Self.appenders * Self.appendsEach {
            problems.append("\(sequences.count) sequences for \(Self.appenders * Self.appendsEach) appends")
        }
    }

    private func append(_ index: Int) {
        for round in 0..<Self.appendsEach {
            do {
                let frame = try put(index * 10_000 + round, bytes: 3000 + round * 13)
                lock.withLock {
                    running += 1
                    most = max(most, running)
                }
                let receipt = try log.append([frame])
                lock.withLock {
                    running -= 1
                    if !sequences.insert(receipt.sequences.lowerBound).inserted {
                        problems.append("sequence \(receipt.sequences.lowerBound) was given out twice")
                    }
                }
            } catch {
                lock.withLock { problems.append("append: \(error)") }
            }
        }
        done.add(1, ordering: .sequentiallyConsistent)
    }

    private var isDone: Bool { done.load(ordering: .sequentiallyConsistent) == Self.appenders }

    private func read() {
        let reader = log.makeReader()
        var last: UInt64 = 0
        while true {
            let finished = isDone
            do {
                while let item = try reader.next() {
                    switch item {
                    case .frame(let frame):
                        let base = frame.header.baseSequence.rawValue
                        if base < last { lock.withLock { problems.append("\(base) was read after \(last)") } }
                        last = base
                    case .damage(let range), .unreadable(let range):
                        lock.withLock { problems.append("reader: \(range)") }
                    }
                }
            } catch {
                if error.code != .notFound { lock.withLock { problems.append("read: \(error)") } }
            }
            if finished { return }
            usleep(1000)
        }
    }

    private func retire() {
        while !isDone {
            do { try log.retire(log.segments.dropLast(3).map(\.number)) } catch {
                lock.withLock { problems.append("retire: \(error)") }
            }
            usleep(5000)
        }
    }
}
