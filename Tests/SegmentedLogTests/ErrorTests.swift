import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 21 to 23 and 27: writes, syncs and closes that fail.
@Suite struct ErrorTests {
    /// With a `fdatasync` of its own behind each write.
    static let twoCalls = World.small { $0.writeMethods = [.writeThenSync] }
    static let faults: [Fault.Outcome] = [.absent, .whole, .torn(.sectors([0..<1])), .torn(.tornInside(sector: 0))]

    /// Submits puts with these tags without waiting; the answers come into the box.
    static func submit(_ log: Log, _ tags: Range<Int>, _ box: AnswerBox, bytes: Int = 400) throws {
        for tag in tags {
            log.submit([try put(tag, bytes: bytes)]) { result in box.answers[tag] = result }
        }
    }

    // MARK: Rows 21 and 22

    /// Row 21, 27.
    @Test(arguments: 0..<4) func aFailedWriteIsLatchedAtOnceAndWritingGoesOnInAFreshSegment(_ outcome: Int) throws {
        let world = World()
        let log = try world.open()
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        world.disk.faults.add(Fault(.submit, errno: EIO, outcome: Self.faults[outcome]))
        let error = appendError(log, 3)
        #expect(error?.code == .outcomeUnknown)
        #expect(error?.fileError?.errno == EIO)
        #expect(error?.lsn == LSN(segment: SegmentNumber(1), offset: 0x2800))
        #expect(log.readOnlyError == nil)
        let receipt = try log.append([put(4, bytes: 400)])
        #expect(receipt.sequences == 4..<5)
        #expect(receipt.lsn.segment > SegmentNumber(1))
        #expect(log.epoch == Epoch(2))
        #expect(try log.readings() == texts([0, 1, 2, 4]))
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty && report.unknown.isEmpty)
        #expect(readings == texts([0, 1, 2, 4]))
    }

    /// Row 21.
    @Test func aSecondFailedWriteMakesTheLogReadOnly() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        world.disk.faults.add(Fault(.submit, errno: EIO, count: Fault.forever))
        #expect(appendError(log, 3)?.code == .outcomeUnknown)
        world.runtime.runUntilIdle()
        let error = appendError(log, 4)
        #expect(error?.code == .readOnly)
        #expect(error?.fileError?.errno == EIO)
        #expect(error?.fileError?.path.hasPrefix(World.path) == true)
        #expect(log.readOnlyError == error)
        #expect(try log.readings() == texts(0...2), "reading goes on")
        world.disk.faults.removeAll()
        #expect(appendError(log, 5)?.code == .readOnly, "until it is opened again")
        // Its table is that of an epoch that never began.
        #expect(throws: error!) { try log.checkpoint() }
        try log.close()
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty)
        #expect(readings == texts(0...2))
    }

    /// Row 22.
    @Test(arguments: [true, false]) func aFailedSyncIsNeverAcknowledgedAndNeverTriedAgain(_ isWhole: Bool) throws {
        let world = World()
        let log = try world.open(Self.twoCalls)
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        // The simulated fdatasync of a submitted write is its completion.
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: isWhole ? .whole : .absent))
        #expect(appendError(log, 3)?.code == .outcomeUnknown)
        for index in 4..<7 { _ = try log.append([put(index, bytes: 400)]) }
        #expect(log.epoch == Epoch(2))
        #expect(try log.readings() == texts([0, 1, 2, 4, 5, 6]))
        for next in [world.afterPowerCut(), world.afterKill()] {
            let (report, readings) = try expectConvergence(next, Self.twoCalls)
            #expect(report.losses.isEmpty)
            #expect(readings == texts([0, 1, 2, 4, 5, 6]))
        }
    }

    /// Row 22: the page cache shows the bytes, the disk has them not.
    @Test func whatAFailedSyncLeftInThePageCacheIsNotServedByTheNextProcess() throws {
        let world = World()
        let log = try world.open(Self.twoCalls)
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .absent))
        let box = AnswerBox()
        try Self.submit(log, 3..<4, box)
        world.runtime.run { box.answers[3] != nil }
        // Killed before anything else is written.
        let next = world.afterKill()
        #expect(try next.frame(tag: 3).header.eventCount == 1, "in the cache it is whole")
        let log2 = try next.open(Self.twoCalls)
        let readings = try log2.readings()
        #expect(readings == texts(0...2))
        #expect(try log2.append([put(4, bytes: 400)]).sequences == 4..<5)
        let (report, after) = try expectConvergence(next.afterPowerCut(), Self.twoCalls)
        #expect(report.losses.isEmpty)
        #expect(after == texts([0, 1, 2, 4]))
    }

    /// Row 21, 22.
    @Test(arguments: 0..<6, [false, true])
    func groupsBehindAFailedOneEndUnknownAndThoseBeforeItAreAcknowledged(_ failing: Int, _ twoCalls: Bool) throws {
        for seed in 1...8 {
            let world = World(seed: UInt64(seed))
            let configuration = World.small {
                $0.segmentBytes = 32 << 10
                $0.capacityBytes = 512 << 10
                $0.maximumGroupBytes = 4096
                if twoCalls { $0.writeMethods = [.writeThenSync] }
            }
            let log = try world.open(configuration)
            world.disk.faults.add(Fault(.submit, errno: EIO, skipping: failing))
            let box = AnswerBox()
            try Self.submit(log, 0..<6, box, bytes: 3000)
            world.runtime.run { box.answers.count == 6 }
            #expect(log.mostGroupsInFlight == 4)
            let codes = (0..<6).map { box.code($0) }
            #expect(codes[..<failing].allSatisfy { $0 == nil }, "seed \(seed): \(codes)")
            #expect(codes[failing] == .outcomeUnknown, "seed \(seed): \(codes)")
            // Behind it: in flight with it, or not begun yet and then written in the new epoch.
            let unknown = codes.count { $0 == .outcomeUnknown }
            #expect(unknown <= 4)
            #expect(codes[failing..<failing + unknown].allSatisfy { $0 == .outcomeUnknown }, "seed \(seed): \(codes)")
            #expect(codes[(failing + unknown)...].allSatisfy { $0 == nil }, "seed \(seed): \(codes)")
            let kept = (0..<6).filter { codes[$0] == nil }
            #expect(try log.readings() == texts(kept), "seed \(seed)")
            let sequences = kept.flatMap { tag in (try? box.answers[tag]?.get())?.sequences.map(Int.init) ?? [] }
            #expect(sequences == Array((1...6).prefix(kept.count)))
            // With this the new epoch has begun, whose cut settles what was unknown.
            _ = try log.append([put(6)])
            let (report, readings) = try expectConvergence(world.afterPowerCut(), configuration)
            #expect(report.losses.isEmpty && report.unknown.isEmpty, "seed \(seed): \(codes)")
            #expect(readings == texts(kept + [6]))
        }
    }

    /// Row 21: a failed write while groups are in flight on both sides of a roll.
    @Test(arguments: 0..<8) func aFailedWriteAtARollVoidsTheNextSegmentToo(_ skipping: Int) throws {
        for seed in 1...10 {
            let world = World(seed: UInt64(seed))
            let log = try world.open()
            for index in 0..<10 { _ = try log.append([put(index, bytes: 400)]) }
            world.runtime.runUntilIdle()
            world.disk.faults.add(Fault(.submit, errno: EIO, skipping: skipping))
            let box = AnswerBox()
            try Self.submit(log, 10..<20, box, bytes: 1900)
            world.runtime.run { box.answers.count == 10 }
            let kept = (10..<20).filter { box.code($0) == nil }
            #expect((10..<20).allSatisfy { box.code($0) == nil || box.code($0) == .outcomeUnknown })
            #expect(try log.readings() == texts(Array(0..<10) + kept), "seed \(seed)")
            let (report, readings) = try expectConvergence(world.afterPowerCut())
            #expect(report.losses.isEmpty, "seed \(seed): \(report.lossTexts)")
            #expect(readings == texts(Array(0..<10) + kept), "seed \(seed)")
        }
    }

    /// Row 21: the power goes at any step after the failure.
    @Test func aPowerCutAnywhereBehindAFailedWriteLosesNothingAcknowledged() throws {
        for seed in 1...2 {
            let recorder = CrashRecorder(SimulatedDisk(), seed: UInt64(seed), configuration: World.small())
            try recorder.open()
            try recorder.submit(3)
            recorder.drain()
            recorder.world.disk.faults.add(Fault(.submit, errno: EIO, skipping: 1, outcome: .whole))
            try recorder.submit(6, bytes: 1900)
            recorder.drain()
            try recorder.submit(3)
            recorder.drain()
            let sweep = CrashSweep(World.small())
            sweep.insideEvery = 100
            sweep.choiceLimit = 16
            sweep.sweep(recorder)
            #expect(sweep.failures.isEmpty, "\(sweep.failures.first ?? "")")
        }
    }

    /// Row 22: the sync with which recovery makes durable what it found.
    @Test(arguments: [Fault.Outcome.absent, .whole, .torn(.whole)], 0..<5)
    func whatRecoveryCannotSyncIsNotServedWithoutBeingCarriedOver(_ outcome: Fault.Outcome, _ skipping: Int) throws {
        for seed in 1...6 {
            let first = World(seed: UInt64(seed))
            let log = try first.open(Self.twoCalls)
            for index in 0..<12 { _ = try log.append([put(index, bytes: 400)]) }
            let box = AnswerBox()
            try Self.submit(log, 12..<18, box, bytes: 900)
            for _ in 0..<4 { first.runtime.step() }
            let acknowledged = Array(0..<12) + box.answers.keys.filter { box.code($0) == nil }.sorted()
            // In the page cache, and perhaps nowhere else.
            let world = first.afterKill(.everything)
            world.disk.faults.add(
                Fault(.synchronize, errno: EIO, on: .suffix(".seg"), skipping: skipping, outcome: outcome))
            let again = try world.open(Self.twoCalls)
            let readings = try again.readings()
            #expect(Array(readings.prefix(acknowledged.count)) == texts(acknowledged), "seed \(seed)")
            #expect(readings == texts(0..<readings.count), "seed \(seed)")
            #expect(again.recoveryReport.losses.isEmpty, "seed \(seed)")
            let next = try again.append([put(50)])
            #expect(next.sequences.lowerBound == UInt64(readings.count + 1))
            let (report, after) = try expectConvergence(world.afterPowerCut(), Self.twoCalls)
            #expect(report.losses.isEmpty, "seed \(seed)")
            #expect(after == readings + ["50"], "seed \(seed)")
        }
    }

    /// Row 22, 13: a checkpoint that only the page cache shows.
    @Test(arguments: [1, 2])
    func aCheckpointWhoseSyncFailedIsWrittenAnewOrReportedAndNeverBelieved(_ count: Int) throws {
        let world = World()
        let log = try world.open()
        for index in 0..<10 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        // The creation wrote two; of generation 3 one, then also the new file that was to replace it, fails.
        world.disk.faults.add(Fault(.synchronize, errno: EIO, count: count))
        do throws(LogError) {
            try log.checkpoint()
            #expect(count == 1, "a new file took its place")
        } catch {
            #expect(count == 2)
            #expect(error.code == .fileOperation)
            #expect(error.fileError?.operation == .synchronize)
        }
        #expect(try log.append([put(10)]).sequences == 11..<12, "the log itself is not affected")
        for next in [world.afterKill(), world.afterPowerCut()] {
            let (report, readings) = try expectConvergence(next)
            #expect(report.losses.isEmpty && readings == texts(0...10))
            #expect(report.base == (count == 1 ? "checkpoint slot 1, generation 3" : "checkpoint slot 0, generation 2"))
        }
    }

    /// Row 21: no fresh segment can be had after a failed write.
    @Test(arguments: [SimulatedOperation.open, .write, .synchronize, .rename, .synchronizeDirectory])
    func aFreshSegmentThatCannotBeMadeAfterAFailedWriteMakesTheLogReadOnly(_ operation: SimulatedOperation) throws {
        let world = World()
        let log = try world.open()
        for index in 0..<3 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        world.disk.faults.add(Fault(.submit, errno: EIO))
        world.disk.faults.add(
            Fault(operation, errno: EIO, on: .matching { !$0.hasPrefix("0000") }, count: Fault.forever))
        let codes = (3..<6).map { tag -> LogError.Code? in
            defer { world.runtime.runUntilIdle() }
            return appendError(log, tag)?.code
        }
        #expect(codes[0] == .outcomeUnknown)
        // A segment that was ready before the failure may still be used; then the log goes on.
        if let error = log.readOnlyError {
            #expect(codes[1] == .readOnly && codes[2] == .readOnly)
            #expect(error.fileError?.errno == EIO)
        } else {
            #expect(codes[1...].allSatisfy { $0 == nil || $0 == .outcomeUnknown })
        }
        let kept = [0, 1, 2] + (3..<6).filter { codes[$0 - 3] == nil }
        #expect(try log.readings() == texts(kept))
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty)
        #expect(readings == texts(kept))
    }

    // MARK: Row 23

    /// Row 23: each directory sync that happens while segments roll, once.
    @Test(arguments: 0..<6, [Fault.Outcome.absent, .whole])
    func aFailedDirectorySyncNeverLosesAnAcknowledgedAppend(_ skipping: Int, _ outcome: Fault.Outcome) throws {
        let world = World()
        let log = try world.open()
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO, skipping: skipping, outcome: outcome))
        var kept: [Int] = []
        var codes: Set<LogError.Code> = []
        for index in 0..<80 {
            if let error = appendError(log, index, bytes: 400) { codes.insert(error.code) } else { kept.append(index) }
            if index % 20 == 19 { world.runtime.advance(by: 1_000_000_000) }
        }
        world.runtime.runUntilIdle()
        #expect(world.disk.faults.strikes == 1 || skipping == 5)
        #expect(codes.isSubset(of: [.fileOperation]), "\(codes)")
        // Refused for a tenth of a second, which here comes after twenty appends at the latest.
        #expect(kept.count >= 60)
        #expect(try log.readings() == texts(kept))
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty, "\(report.lossTexts)")
        #expect(readings == texts(kept))
    }

    /// Row 23.
    @Test(arguments: 0..<5) func aFailedDirectorySyncInRetirementCostsNothing(_ skipping: Int) throws {
        let world = World()
        let log = try world.open()
        for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        let left = Int(log.segments.last!.baseSequence.rawValue) - 1
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO, skipping: skipping))
        do throws(LogError) { try log.retire(log.segments.dropLast().map(\.number)) } catch {
            #expect(error.fileError?.operation == .synchronizeDirectory)
        }
        world.runtime.runUntilIdle()
        for index in 60..<80 {
            // It may have met the next segment's name.
            while let error = appendError(log, index) {
                try #require(error.fileError?.operation == .synchronizeDirectory)
                world.runtime.advance(by: 200_000_000)
            }
        }
        #expect(world.disk.allocatedBytes() <= 320 << 10)
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty, "\(report.lossTexts)")
        #expect(readings == texts(left..<80))
    }

    /// Row 23: a power cut may bring them back, whatever a later sync says.
    @Test(arguments: 0..<4) func filesWhoseRemovalWasNotSyncedTakeTheirRoomUntilTheNextOpening(_ skipping: Int) throws {
        var segments: [Int] = []
        for count in [0, 1] {
            let world = World()
            let log = try world.open()
            for index in 0..<60 { _ = try log.append([put(index, bytes: 400)]) }
            world.runtime.runUntilIdle()
            world.disk.faults.add(
                Fault(.synchronizeDirectory, errno: EIO, skipping: skipping, count: count, outcome: .absent))
            try? log.retire(log.segments.dropLast().map(\.number))
            world.runtime.runUntilIdle()
            world.disk.faults.removeAll()
            var index = 60
            while appendError(log, index, bytes: 400) == nil {
                index += 1
                if index == 90 { try log.retire([log.segments[0].number]) }
                try #require(index < 10_000)
            }
            world.runtime.runUntilIdle()
            #expect(index > 90)
            segments.append(world.afterPowerCut(.nothing).segmentNames().count)
        }
        #expect(segments[1] <= segments[0])
    }

    /// Row 23.
    @Test(arguments: 0..<6)
    func aFailedDirectorySyncAtOpeningIsATypedErrorAndTheNextOpeningWorks(_ skipping: Int) throws {
        let world = try World.killed()
        world.disk.faults.add(Fault(.synchronizeDirectory, errno: EIO, skipping: skipping))
        let error = openingError(world)
        if let error {
            #expect(error.fileError?.operation == .synchronizeDirectory)
            #expect(error.fileError?.errno == EIO)
        }
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty && readings == texts(0...59))
    }

    /// Row 23.
    @Test(arguments: [false, true]) func aFailedCloseOfAFileIsReportedAndCostsNothing(_ atClose: Bool) throws {
        let world = World()
        let log = try world.open()
        let target: Fault.Target = atClose ? .suffix(".tmp") : .anything
        world.disk.faults.add(Fault(.close, errno: EIO, on: target, count: Fault.forever))
        for index in 0..<40 { _ = try log.append([put(index, bytes: 400)]) }
        do throws(LogError) {
            try log.close()
            Issue.record("the error of a close was ignored")
        } catch {
            #expect(error.code == .fileOperation)
            #expect(error.fileError?.operation == .close)
        }
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty && readings == texts(0..<40))
    }
}

/// Answers of submitted appends, by tag.
final class AnswerBox: @unchecked Sendable {
    var answers: [Int: Result<AppendReceipt, LogError>] = [:]

    /// nil when it was acknowledged.
    func code(_ tag: Int) -> LogError.Code? {
        if case .failure(let error) = answers[tag] { error.code } else { nil }
    }
}

/// What appending one put throws; nil when it is durable.
func appendError(_ log: Log, _ tag: Int, bytes: Int = 400) -> LogError? {
    do throws(LogError) {
        guard let frame = try? put(tag, bytes: bytes) else { return nil }
        _ = try log.append([frame])
        return nil
    } catch {
        return error
    }
}
