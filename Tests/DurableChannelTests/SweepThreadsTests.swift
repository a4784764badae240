import CrashHarness
import DurableChannel
import FileIO
import Glibc
import LogFormat
import TestSupport
import Testing

/// Row 39 with real threads, on a real file system: takes beside puts, checkpoints and resizes; run with the thread sanitizer, too.
@Suite(.serialized) struct SweepThreadsTests {
    static let transactions = TestDepth.pick(sample: 120, part: 120, whole: 1_200)
    static let producers = 8
    static let takers = 4

    @Test func realLinesGoInAndOutWithEightProducersAndFourTakers() throws {
        let lines = Lines.sample()
        try TestFiles.withDirectory { directory in
            let channel = try FileChannel.open(at: directory + "/channel", configuration: Self.configuration)
            let run = ThreadedRun(channel, lines)
            run.work()
            #expect(run.objections.isEmpty, "\(run.objections.first ?? "")")
            let metrics = channel.metrics
            #expect(metrics.heldEvents == 0 && metrics.takenEvents == metrics.putEvents)
            #expect(channel.isBalanced)
            print(
                "threads: \(metrics.putEvents) lines in \(metrics.putTransactions) puts, \(metrics.takeTransactions) takes, "
                    + "\(metrics.rolledBackTakes) rolled back, \(run.looks) looks at P5, \(metrics.groups) groups, "
                    + "up to \(metrics.mostGroupsInFlight) in flight, \(lines.count) lines of sample")
            try channel.close()
            let again = try FileChannel.open(at: directory + "/channel", configuration: Self.configuration)
            #expect(try again.take().isEmpty)
            #expect(again.metrics.takenEvents == metrics.takenEvents && again.isBalanced)
            try again.close()
        }
    }

    @Test func closingWhileEverybodyWorksLosesNothingThatWasAcknowledged() throws {
        let lines = Lines.sample()
        try TestFiles.withDirectory { directory in
            for round in 0..<3 {
                let path = "\(directory)/channel-\(round)"
                let run: ThreadedRun
                do {
                    let channel = try FileChannel.open(at: path, configuration: Self.configuration)
                    run = ThreadedRun(channel, lines, closingAfter: 20 * (round + 1))
                    run.work()
                }
                let again = try FileChannel.open(at: path, configuration: Self.configuration)
                while true {
                    let take = try again.beginTake(maxEvents: 500)
                    if take.isEmpty { break }
                    run.noteTaken(Array(take.events))
                    try take.commit()
                }
                run.checkAll()
                #expect(run.objections.isEmpty, "\(run.objections.first ?? "")")
                #expect(again.isBalanced && again.metrics.heldEvents == 0)
                try again.close()
            }
        }
    }

    static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 4 << 20)
        configuration.segmentBytes = 128 << 10
        configuration.whenFull = .block(nil)
        configuration.leaseStep = 200
        configuration.tailCacheBytes = 64 << 10
        configuration.checkpointIntervalBytes = 256 << 10
        return configuration
    }
}

/// Lines of a real access log where there is one, else such as stand in one.
enum Lines {
    static func sample(_ most: Int = 20_000) -> [[UInt8]] {
        let named = unsafe getenv("SLUICE_SAMPLE_LOG").map { unsafe String(cString: $0) }
        for path in [named, TestFiles.package + "/../shared/data/access.log"].compactMap({ $0 }) {
            guard let bytes = TestFiles.read(path) else { continue }
            let lines = bytes.split(separator: 10, maxSplits: most, omittingEmptySubsequences: true).prefix(most)
            if !lines.isEmpty { return lines.map(Array.init) }
        }
        return (0..<2000).map { number in
            Array(
                ("192.0.2.\(number % 250) - - [21/Nov/2025:09:\(10 + number % 50):00 +0000] \"GET /page/\(number * 7919 % 1000) "
                    + "HTTP/1.1\" \(number % 9 == 0 ? 404 : 200) \(number * 31 % 5000) \"-\" \"Mozilla/5.0\"").utf8)
        }
    }
}

/// Producers, takers and others on one channel, and what they have seen.
final class ThreadedRun: @unchecked Sendable {
    private let channel: FileChannel
    private let lines: [[UInt8]]
    /// Somebody closes it after so many commits of takes.
    private let closingAfter: Int?
    private let lock = Lock()
    // Under `lock`.
    private(set) var objections: [String] = []
    private(set) var looks = 0
    private var acknowledged = [Int](repeating: 0, count: SweepThreadsTests.producers)
    private var begun = [Int](repeating: 0, count: SweepThreadsTests.producers)
    /// Of each producer the events taken, by sequence.
    private var taken: [[UInt64: Int]] = Array(repeating: [:], count: SweepThreadsTests.producers)
    private var takenCount = 0
    /// Producers that have come to their end.
    private var finished = 0
    private var isOver = false

    init(_ channel: FileChannel, _ lines: [[UInt8]], closingAfter: Int? = nil) {
        self.channel = channel
        self.lines = lines
        self.closingAfter = closingAfter
    }

    func work() {
        let producers = SweepThreadsTests.producers
        let takers = SweepThreadsTests.takers
        onThreads(producers + takers + 2) { [self] thread in
            var random = SeededNumbers(UInt64(thread + 1))
            do throws(ChannelError) {
                switch thread {
                case 0..<producers: try produce(thread, &random)
                case producers..<producers + takers: try take(&random)
                case producers + takers: try watch()
                default: try disturb(&random)
                }
            } catch {
                if closingAfter == nil || error.code != .closed { object("thread \(thread): \(error)") }
            }
        }
        if closingAfter == nil { checkAll() }
    }

    private func object(_ text: String) {
        lock.withLock {
            objections.append(text)
            isOver = true
        }
    }

    private var isDone: Bool { lock.withLock { isOver } }

    private func line(_ producer: Int, _ number: Int) -> [UInt8] { lines[(producer * 997 + number) % lines.count] }

    private func produce(_ producer: Int, _ random: inout SeededNumbers) throws(ChannelError) {
        defer { lock.withLock { finished += 1 } }
        var number = 0
        for _ in 0..<SweepThreadsTests.transactions where !isDone {
            var put = try channel.beginPut()
            let count = 1 + random.next(20)
            for place in 0..<count {
                try put.append(
                    headers: [
                        EventHeader(key: "producer", value: "\(producer)"),
                        EventHeader(key: "number", value: "\(number + place)"),
                    ], body: line(producer, number + place))
            }
            if random.next(10) == 0 { continue }
            lock.withLock { begun[producer] = number + count }
            _ = try put.commit()
            number += count
            lock.withLock { acknowledged[producer] = number }
        }
    }

    private func take(_ random: inout SeededNumbers) throws(ChannelError) {
        while !isDone {
            let take = try channel.beginTake(maxEvents: 1 + random.next(60), waitingUpTo: .milliseconds(20))
            if take.isEmpty {
                endWhenAllIsTaken()
                continue
            }
            var last: UInt64 = 0
            for event in take.events {
                if event.sequence.rawValue <= last { object("\(event.sequence) comes behind \(last)") }
                last = event.sequence.rawValue
            }
            switch random.next(10) {
            case 0: take.rollback()
            case 1: continue
            default:
                let events = Array(take.events)
                try take.commit()
                noteTaken(events)
            }
        }
    }

    private func endWhenAllIsTaken() {
        let metrics = channel.metrics
        let total = UInt64(lock.withLock { acknowledged.reduce(0, +) })
        lock.withLock {
            let isLast = finished == SweepThreadsTests.producers && metrics.heldEvents == 0
            if isLast, metrics.takenEvents == total { isOver = true }
        }
    }

    func noteTaken(_ events: [TakenEvent]) {
        lock.withLock {
            for event in events {
                guard let producer = event.number("producer"), let number = event.number("number"),
                    event.body.elementsEqual(line(producer, number))
                else {
                    objections.append("\(event.sequence) is no event of anybody's")
                    continue
                }
                if taken[producer].updateValue(number, forKey: event.sequence.rawValue) != nil {
                    objections.append("\(event.sequence) was taken twice")
                }
            }
            takenCount += 1
            if let closingAfter, takenCount >= closingAfter { isOver = true }
        }
    }

    /// P5, at any moment.
    private func watch() throws(ChannelError) {
        while !isDone {
            if !channel.isBalanced { object("not balanced: \(channel.metrics)") }
            lock.withLock { looks += 1 }
            usleep(300)
        }
        if closingAfter != nil { try channel.close() }
    }

    private func disturb(_ random: inout SeededNumbers) throws(ChannelError) {
        while !isDone {
            switch random.next(3) {
            case 0: try channel.checkpoint()
            case 1: try channel.resize(capacityBytes: UInt64(3 + random.next(3)) << 20)
            default: try channel.setBookmark("disturber", [UInt8](repeating: 7, count: random.next(100)))
            }
            usleep(2000)
        }
    }

    /// Nothing lost, nothing doubled, and the order of each producer kept.
    func checkAll() {
        lock.withLock {
            for producer in taken.indices {
                let numbers = taken[producer].sorted { $0.key < $1.key }.map(\.value)
                if numbers != Array(0..<numbers.count) {
                    objections.append("the lines of producer \(producer) are not in order")
                }
                if numbers.count < acknowledged[producer] || numbers.count > begun[producer] {
                    objections.append(
                        "of producer \(producer) \(numbers.count) lines came, \(acknowledged[producer]) were acknowledged"
                    )
                }
            }
        }
    }
}

extension TakenEvent {
    fileprivate func number(_ key: String) -> Int? {
        header(key).flatMap { Int(String(decoding: $0, as: UTF8.self)) }
    }
}

/// Random enough for threads.
struct SeededNumbers {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next(_ end: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % end
    }
}
