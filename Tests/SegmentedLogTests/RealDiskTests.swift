import FileIO
import Glibc
import LogFormat
import SegmentedLog
import Synchronization
import Testing

/// The same engine on Linux, with real threads.
@Suite(.serialized) struct RealDiskTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let base = unsafe getenv("TMPDIR").flatMap { unsafe String(validatingCString: $0) } ?? "/tmp"
        let path = base + "/sluice-log-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        defer { remove(path) }
        try body(path)
    }

    private func remove(_ path: String) {
        let system = LinuxFileSystem()
        if let directory = try? system.openDirectory(at: path) {
            for name in (try? directory.list()) ?? [] { try? directory.unlink(name) }
            directory.close()
        }
        unsafe rmdir(path)
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
            for cycle in 0..<1000 {
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
        var threads: [pthread_t] = []
        for index in 0..<Self.appenders { threads.append(start { [self] in append(index) }) }
        threads.append(start { [self] in read() })
        threads.append(start { [self] in retire() })
        for thread in threads { pthread_join(thread, nil) }
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

    private func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(ThreadBody(body))
        unsafe pthread_create(&thread, nil, runThreadBody, box.toOpaque())
        return thread
    }
}

private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let context = unsafe context {
        unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
    }
    return nil
}
