import DurableChannel
import FileIO
import Glibc
import Inspection
import LogFormat
import SegmentedLog
import Synchronization
import TestSupport
import Testing

/// A log that is looked at while its process puts, takes, lets segments go and uses their files again, as fast as it can.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LiveTests {
    private static let seconds = TestDepth.pick(sample: 2, part: 4, whole: 12)

    /// Two threads put and two take while `body` runs; returns what they were refused, and what `body` says.
    private static func withTraffic(
        at path: String, _ body: @escaping @Sendable () throws -> [String]
    ) throws -> [String] {
        var configuration = ChannelConfiguration(capacityBytes: 4 << 20)
        configuration.segmentBytes = 64 << 10
        configuration.snapshotLimitBytes = 16 << 10
        let channel = try FileChannel.open(at: path, configuration: configuration)
        let isOver = SharedFlag()
        let outcomes = onThreads(5) { (index: Int) -> Result<[String], any Error> in
            if index == 4 {
                defer { isOver.set() }
                return Result { try body() }
            }
            var failures: [String] = []
            while !isOver.isSet {
                do throws(ChannelError) {
                    if index < 2 {
                        var put = try channel.beginPut()
                        for event in 0..<20 {
                            try put.append(body: Array("event \(event) of some length or other".utf8))
                        }
                        try put.commit()
                    } else {
                        let take = try channel.beginTake(maxEvents: 35, waitingUpTo: .milliseconds(20))
                        try take.commit()
                    }
                } catch { failures.append("\(error)") }
            }
            return .success(failures)
        }
        try channel.close()
        return try outcomes.flatMap { try $0.get() }
    }

    private final class SharedFlag: Sendable {
        private let flag = Atomic<Bool>(false)
        var isSet: Bool { flag.load(ordering: .relaxed) }
        func set() { flag.store(true, ordering: .relaxed) }
    }

    private static func look(_ path: String) throws -> LogInspection {
        try LogInspection(path, clock: { 0 })
    }

    @Test func whatIsWrittenMeanwhileIsNeverCalledDamage() throws {
        try TestFiles.withDirectory { directory in
            let path = directory + "/channel"
            let refused = try Self.withTraffic(at: path) {
                let end = ContinuousClock.now + .seconds(Self.seconds)
                var (looks, frames) = (0, UInt64(0))
                var wrong: [String] = []
                while ContinuousClock.now < end {
                    let inspection = try Self.look(path)
                    if inspection.process != getpid() { wrong.append("in use by \(inspection.process ?? 0)") }
                    if let refusal = inspection.refusal { wrong.append("\(refusal)") }
                    let verification = try Verification(inspection)
                    let found = verification.segments.flatMap(\.findings) + verification.findings
                    wrong += found.map { "\($0)" } + verification.lostEvents.map { "lost: \($0)" }
                    let status = StatusReport(inspection)
                    if status.state != .clean { wrong.append("\(status.state): \(status.findings)") }
                    let sum = status.held + status.group.taken + status.group.dropped + status.group.lost
                    if sum != status.put { wrong.append("\(status.put) put, \(sum) accounted for") }
                    looks += 1
                    frames += verification.frames
                }
                if looks < 4 || frames < 100 { wrong.append("\(looks) looks at \(frames) frames") }
                return wrong
            }
            #expect(refused == [])
            #expect(try Verification(try Self.look(path)).outcome == .clean)
        }
    }

    @Test func whoFollowsSeesEveryEventInItsOrderOrIsToldWhatIsGone() throws {
        try TestFiles.withDirectory { directory in
            let path = directory + "/channel"
            let refused = try Self.withTraffic(at: path) {
                let end = ContinuousClock.now + .seconds(Self.seconds)
                var next: UInt64?
                var (seen, skipped) = (UInt64(0), 0)
                var isBehindGap = false
                var wrong: [String] = []
                try LogFollower(try Self.look(path), pollMilliseconds: 1).run { item in
                    switch item {
                    case .frame(let frame):
                        let base = frame.header.baseSequence.rawValue
                        if frame.header.eventCount > 0 {
                            if let next, base != next, !isBehindGap || base < next {
                                wrong.append("\(base) behind \(next)")
                            }
                            isBehindGap = false
                            next = frame.header.endSequence.rawValue
                            seen += UInt64(frame.header.eventCount)
                        }
                    case .recycled:
                        skipped += 1
                        isBehindGap = true
                    default: break
                    }
                    return ContinuousClock.now < end ? .goOn : .stop
                }
                if seen < 1000 { wrong.append("\(seen) events seen, \(skipped) times something was gone") }
                return wrong
            }
            #expect(refused == [])
        }
    }
}
