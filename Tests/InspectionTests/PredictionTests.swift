import DurableChannel
import Inspection
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

@testable import CrashHarness

/// What an inspection says that an opening would find, the opening finds; and looking changes nothing.
@Suite struct PredictionTests {
    private static let seeds = 1...TestDepth.pick(sample: 40, part: 150, whole: 600)

    private static func look(_ disk: SimulatedDisk) throws -> LogInspection {
        let process = SimulatedProcess(disk, seed: 1)
        return try LogInspection(SomeLog.path, fileSystem: process.fileSystem, clock: { 0 })
    }

    private static func open(_ process: SimulatedProcess) throws(ChannelError) -> FileChannel {
        try FileChannel.open(
            at: SomeLog.path, configuration: SomeLog.configuration, fileSystem: process.fileSystem,
            runtime: process.runtime)
    }

    private static func fingerprint(_ disk: SimulatedDisk) -> [String: [UInt8]?] {
        let names = disk.names(in: SomeLog.path) ?? []
        return Dictionary(uniqueKeysWithValues: names.map { ($0, disk.contents(of: SomeLog.path + "/" + $0)) })
    }

    @Test(arguments: seeds) func anOpeningFindsWhatWasSaid(_ seed: Int) throws {
        let log = try SomeLog(seed: UInt64(seed))
        try Self.compare(log.disk, log.disk.clone(), "undamaged")
        for kind in 0..<4 {
            // What the disk does not give is no part of its copy.
            let damage = UInt64(seed * 16 + kind)
            guard let (disk, words) = log.damaged(seed: damage), let (other, _) = log.damaged(seed: damage) else {
                continue
            }
            try Self.compare(disk, other, words)
        }
    }

    private static func compare(_ disk: SimulatedDisk, _ other: SimulatedDisk, _ words: String) throws {
        let comment = Comment(rawValue: words)
        let before = fingerprint(disk)
        let inspection = try look(disk)
        let verification = try Verification(inspection)
        let status = StatusReport(inspection)
        #expect(fingerprint(disk) == before, comment)

        let process = SimulatedProcess(other, seed: 3)
        let channel: FileChannel
        do throws(ChannelError) { channel = try open(process) } catch {
            #expect(inspection.refusal?.code == error.code, "\(words): \(error)")
            return
        }
        let view = try #require(inspection.view, "\(words): \(String(describing: inspection.refusal))")
        let found = channel.recoveryReport
        #expect(view.report.tail == found.tail, comment)
        #expect(view.report.rows == found.rows, comment)
        #expect(view.report.losses == found.losses, comment)
        #expect(view.report.unreadable == found.unreadable, comment)
        #expect(view.report.unknown == found.unknown, comment)
        let metrics = channel.metrics
        #expect(status.held == metrics.heldEvents, comment)
        #expect(status.group.lost == metrics.lostEvents, comment)
        #expect(status.put == status.held + status.group.taken + status.group.dropped + status.group.lost, comment)

        // Takes come by everything; what they find lost, was said to be.
        let unreadable = !verification.unreadableEvents.isEmpty || !found.unreadable.isEmpty
        let lostBefore = status.group.lost - status.lostNow
        while let take = try? channel.beginTake(maxEvents: 50), !take.isEmpty { try take.commit() }
        let lost = channel.metrics.lostEvents - lostBefore
        if !unreadable {
            let said = verification.lostEvents.reduce(0) { $0 + $1.count }
            #expect(
                said == lost, "\(words): \(verification.lostEvents) were said to be lost, \(lost) were; \(found.losses)"
            )
            #expect(
                (verification.outcome == .eventsLost) == (lost > 0), "\(words): \(verification.outcome), \(lost) lost")
        }
        try? channel.close()
    }

    @Test(arguments: seeds) func aLogThatNothingHappenedToIsClean(_ seed: Int) throws {
        let log = try SomeLog(seed: UInt64(seed))
        let verification = try Verification(try Self.look(log.disk))
        #expect(verification.outcome <= .tornTail)
        #expect(verification.findingCount == 0, "\(verification.segments.flatMap(\.findings)) \(verification.findings)")
    }
}
