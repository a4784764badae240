import CrashHarness
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

@testable import DurableChannel

/// Rows 11 to 19 as takers meet them: damage costs the frames that it touches, is recorded before anything behind it is handed
/// out, and is counted.
@Suite struct DamageTests {
    private static let configuration = World.roomy { $0.tailCacheBytes = 0 }
    private static let strict = World.roomy {
        $0.tailCacheBytes = 0
        $0.damagePolicy = .strict
    }

    /// One put for each of 60 tags, in several segments, none of them in memory; everything durable.
    private func backlog(_ configuration: ChannelConfiguration = configuration) throws -> (World, FileChannel) {
        let world = World()
        let channel = try world.open(configuration)
        for tag in 0..<60 { try channel.put(tags: [tag], bytes: 2500) }
        world.settle()
        return (world, channel)
    }

    enum Kind: CaseIterable { case payload, header, length, trailer, zeros, random }

    private func damage(_ world: World, _ sequence: UInt64, _ kind: Kind) throws {
        let frame = try world.frame(holding: sequence)
        let name = World.segment(frame.segment)
        switch kind {
        case .payload: world.flip(name, at: frame.offset + 1000)
        case .header: world.flip(name, at: frame.offset + 40)
        case .length: world.flip(name, at: frame.offset + 9, bit: 6)
        case .trailer: world.flip(name, at: frame.end - 2)
        case .zeros:
            world.change(name) {
                $0.replaceSubrange(frame.offset..<frame.offset + 512, with: [UInt8](repeating: 0, count: 512))
            }
        case .random:
            var random = SeededRandom(seed: sequence)
            world.change(name) {
                for index in frame.offset..<frame.offset + 512 { $0[index] = UInt8(random.next() & 255) }
            }
        }
    }

    // MARK: While taking, salvage

    /// Row 11, 12, 14.
    @Test(arguments: Kind.allCases) func damageMetWhileTakingCostsItsFrameIsRecordedFirstAndIsCounted(_ kind: Kind)
        throws
    {
        let (world, channel) = try backlog()
        try damage(world, 31, kind)
        #expect(try channel.take(20).tags == Array(0..<20))
        #expect(channel.metrics.state == .ok)
        let take = try OpenTake(channel, 1000)
        #expect(take.events.tags == Array(20..<30) + Array(31..<60))
        var metrics = channel.metrics
        #expect(metrics.lostEvents == 1 && channel.isBalanced)
        guard case .degraded = metrics.state else {
            Issue.record("state is \(metrics.state)")
            return
        }
        // The record was durable before the events behind the hole were handed out.
        let cut = world.afterPowerCut()
        let losses = try cut.frames().filter { $0.header.type == .loss }.map { try LossRecord($0) }
        #expect(losses.map { $0.firstSequence.rawValue..<$0.endSequence.rawValue } == [31..<32])
        let after = try cut.open(Self.configuration)
        #expect(after.metrics.lostEvents == 1 && after.isBalanced)
        #expect(try after.take(1000).tags == Array(20..<30) + Array(31..<60))
        try take.commit()
        metrics = channel.metrics
        #expect(metrics.heldEvents == 0 && metrics.takenEvents == 59 && metrics.lostEvents == 1)
        // What was given up stays given up.
        try channel.close()
        let next = try world.next().open(Self.configuration)
        #expect(next.metrics.lostEvents == 1 && next.isBalanced)
        #expect(try next.take().isEmpty)
    }

    /// Row 11. The power goes at any operation of the take that comes upon the damage.
    @Test func aPowerCutWhileALossIsRecordedLosesNothingElse() throws {
        let (world, channel) = try backlog()
        try damage(world, 31, .payload)
        #expect(try channel.take(25).count == 25)
        var states: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] _ in
            states += disk.legalCrashChoices(limit: 12).map { disk.crashed(keeping: $0) }
        }
        let take = try OpenTake(channel, 1000)
        world.disk.beforeOperation = nil
        take.rollback()
        #expect(states.count > 3)
        for state in states {
            let after = try World(state, seed: 4).open(Self.configuration)
            #expect(try after.take(1000).tags == Array(25..<30) + Array(31..<60))
            #expect(after.metrics.lostEvents == 1 && after.isBalanced)
        }
    }

    @Test func severalDamagedFramesAreEachCountedAndTheRestIsServedInOrder() throws {
        let (world, channel) = try backlog()
        let lost = [1, 2, 17, 33, 59, 60].map(UInt64.init)
        for sequence in lost { try damage(world, sequence, .payload) }
        let held = try OpenTake(channel, 5)
        #expect(held.events.tags == [2, 3, 4, 5, 6])
        #expect(try channel.drain(perCommit: 7) == (7..<60).filter { !lost.contains(UInt64($0 + 1)) })
        try held.commit()
        #expect(channel.metrics.lostEvents == 6 && channel.metrics.takenEvents == 54)
        #expect(channel.metrics.heldEvents == 0 && channel.isBalanced)
        world.settle()
        // Segments with losses are given back like others.
        #expect(world.segmentNames().count <= 3)
    }

    /// A frame of several events is damaged while some of them are handed out from memory: what comes first, decides.
    @Test func eventsThatAreHandedOutWhenTheirFrameIsDamagedAreDecidedOnce() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<10, bytes: 200)
        try channel.put(tags: 10..<20, bytes: 200)
        let held = try OpenTake(channel, 4)
        #expect(held.events.tags == [0, 1, 2, 3])
        try channel.close()
        held.rollback()
        let next = world.next()
        try next.damage(1)
        let again = try next.open(World.roomy())
        #expect(try again.take().tags == Array(10..<20))
        #expect(again.metrics.lostEvents == 10 && again.isBalanced)
    }

    // MARK: While taking, strict

    @Test(arguments: Kind.allCases)
    func underStrictATakeThatMeetsDamageThrowsAndThePositionStaysAndNothingIsWritten(_ kind: Kind) throws {
        let (world, channel) = try backlog(Self.strict)
        try damage(world, 31, kind)
        // What stands before it is served.
        let before = try OpenTake(channel, 1000)
        #expect(before.events.tags == Array(0..<30))
        world.settle()
        let hash = world.disk.liveHash
        for _ in 0..<3 {
            let error = failure { _ = try channel.beginTake() }
            #expect(error?.code == .damaged && error?.lsn != nil, "\(String(describing: error))")
        }
        #expect(world.disk.liveHash == hash)
        #expect(channel.metrics.lostEvents == 0 && channel.metrics.heldEvents == 60 && channel.metrics.openTakes == 1)
        guard case .failed(let message) = channel.metrics.state else {
            Issue.record("state is \(channel.metrics.state)")
            return
        }
        #expect(message.contains("strict"))
        #expect(channel.isBalanced)
        // Puts go on, and what was handed out before is committed.
        try channel.put(tags: [60])
        try before.commit()
        #expect(failure { _ = try channel.beginTake() }?.code == .damaged)
        try channel.close()
        let salvaged = try world.next().open(Self.configuration)
        #expect(try salvaged.take(1000).tags == Array(31..<61))
        #expect(salvaged.metrics.lostEvents == 1 && salvaged.isBalanced)
    }

    // MARK: At opening

    /// A channel with 20 taken, 5 handed out, and damage that opening looks at: behind the last checkpoint, and vouched for.
    private func damagedTail() throws -> World {
        let world = World()
        let channel = try world.open(Self.configuration)
        for tag in 0..<30 { try channel.put(tags: [tag], bytes: 500) }
        #expect(try channel.take(20).count == 20)
        let take = try OpenTake(channel, 5)
        try channel.checkpoint()
        for tag in 30..<50 { try channel.put(tags: [tag], bytes: 500) }
        world.settle()
        take.rollback()
        let next = world.afterPowerCut()
        try next.damage(36)
        try next.damage(37)
        return next
    }

    /// Row 11, 15.
    @Test func damageFoundAtOpeningIsReportedAndItsPartsAddUp() throws {
        let world = try damagedTail()
        let channel = try world.open(Self.configuration)
        #expect(channel.recoveryReport.losses.count >= 1)
        let report = channel.lossReport
        let metrics = channel.metrics
        #expect(report.parts.reduce(0) { $0 + $1.sequences.count } == metrics.putEvents)
        #expect(zip(report.parts, report.parts.dropFirst()).allSatisfy { $0.sequences.end == $1.sequences.first })
        #expect(report.parts.first?.sequences.first == EventSequence(1))
        #expect(report.count(.decided) == 20 && report.count(.lost) == 2)
        #expect(report.count(.mayRepeat) + report.count(.intact) == 28)
        #expect(report.count(.lost) == metrics.lostEvents && metrics.takenEvents == 20 && metrics.heldEvents == 28)
        #expect(metrics.state.name == "degraded" && channel.isBalanced)
        let events = try channel.take(1000)
        #expect(events.tags == Array(20..<35) + Array(37..<50))
        #expect(UInt64(events.marks.count { $0 }) == report.count(.mayRepeat))
        #expect(report.json.contains("\"lost\": 2") && report.json.contains("\"total\": 50"))
        // And for whoever asks later, a power cut between.
        let next = world.afterPowerCut()
        let kept = try Log.reports(at: World.path, fileSystem: next.system).first
        #expect(kept?.epoch == channel.recoveryReport.epoch)
        let text = String(decoding: kept?.bytes ?? [], as: UTF8.self)
        #expect(text.contains("\"lost\": 2") && text.contains("\"total\": 50") && text.contains("\"survey\": "))
    }

    @Test func theReportOfAnOpeningWithMoreDamageThanItHasRoomForIsCutShortAndKept() throws {
        var report = LossReport()
        report.parts = (1..<5000 as Range<UInt64>).map { number -> LossReport.Part in
            let sequences = SequenceRange(first: EventSequence(number), end: EventSequence(number + 1))
            return LossReport.Part(fate: number % 2 == 0 ? .lost : .intact, sequences: sequences)
        }
        let world = World()
        let log = try Log.open(
            at: World.path, fileSystem: world.system, runtime: world.runtime,
            configuration: LogConfiguration(capacityBytes: 1 << 20))
        try FileChannel.keep(log.recoveryReport, report, in: log)
        let kept = try #require(try Log.reports(at: World.path, fileSystem: world.system).first?.bytes)
        #expect(kept.count <= log.reportLimitBytes && kept.count > log.reportLimitBytes / 4)
        #expect(String(decoding: kept, as: UTF8.self).contains("\"lost\": 2499, "))
    }

    /// Row 11, 15.
    @Test func underStrictDamageFoundAtOpeningRefusesAndTouchesNothing() throws {
        let world = try damagedTail()
        let hash = world.disk.liveHash
        let error = world.openingError(Self.strict)
        #expect(error?.code == .damaged && error?.lsn != nil)
        #expect(world.disk.liveHash == hash)
    }

    /// Row 17. Each segment in turn is missing.
    @Test func aMissingSegmentIsALossOfItsEventsAndTheRestIsServed() throws {
        let (whole, _) = try backlog()
        for name in whole.segmentNames() {
            let world = whole.afterPowerCut()
            world.remove(name)
            let channel = try world.open(Self.configuration)
            let tags = try channel.take(1000).tags
            let lost = channel.metrics.lostEvents
            let story: Comment = "without \(name)"
            #expect(tags == tags.sorted() && tags.count < 60, story)
            #expect(UInt64(tags.count) + lost == channel.metrics.putEvents && channel.isBalanced, story)
            #expect(channel.lossReport.parts.reduce(0) { $0 + $1.sequences.count } == channel.metrics.putEvents, story)
            #expect(try channel.put(tags: [60]).sequences.lowerBound >= 61, story)
            let hash = whole.disk.liveHash
            let other = whole.afterPowerCut()
            other.remove(name)
            #expect(other.openingError(Self.strict)?.code == .damaged, story)
            #expect(whole.disk.liveHash == hash)
        }
    }

    /// Damage to records of the pointers: at most what the frame said is forgotten, never a mark too few.
    @Test(arguments: [FrameType.lease, .takeCommit, .deliveryCount, .bookmark, .drop])
    func damageToARecordOfThePointersCostsWhatItSaidAndNoMark(_ type: FrameType) throws {
        let configuration = World.roomy {
            $0.tailCacheBytes = 0
            $0.whenFull = .dropOldest
            $0.capacityEvents = 40
        }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<40)
        var take = try OpenTake(channel, 3)
        take.rollback()
        take = try OpenTake(channel, 10)
        try take.commit()
        try channel.setBookmark("b", [1])
        try channel.put(tags: 40..<60)
        let held = try OpenTake(channel, 5)
        try channel.put(tags: [60])
        world.settle()
        let cut = world.afterPowerCut()
        held.rollback()
        let frame = try #require(try cut.frames().last { $0.header.type == type })
        cut.flip(World.segment(frame.segment), at: frame.offset + 100)
        cut.remove("checkpoint")
        let copy = cut.copy()
        let hash = copy.disk.liveHash
        #expect(
            copy.openingError(
                {
                    var strict = configuration; strict.damagePolicy = .strict; return strict
                }())?.code == .damaged)
        #expect(copy.disk.liveHash == hash)
        let after = try cut.open(configuration)
        #expect(after.isBalanced)
        let events = try after.take(1000)
        let handed = Set(take.events.numbers + held.events.numbers)
        #expect(
            events.allSatisfy { $0.isRedelivered || !handed.contains($0.sequence.rawValue) },
            "\(events.numbers) \(events.marks)")
        #expect(Set(events.numbers).isSuperset(of: held.events.numbers))
        switch type {
        case .takeCommit: #expect(events.numbers.contains(1), "taken again")
        case .bookmark: #expect(after.bookmark("b") == nil)
        case .drop: #expect(events.count == 41, "60 and one that had been dropped")
        default: #expect(!events.numbers.contains(1) && after.bookmark("b") == [1])
        }
        #expect(after.isBalanced && after.metrics.heldEvents == 0)
    }

    /// Rows 24, 44: the lease of what was handed out stands where the disk gives nothing at present.
    @Test func whatWasHandedOutUnderALeaseThatCannotBeReadComesMarked() throws {
        let configuration = World.roomy { $0.tailCacheBytes = 0 }
        let world = World()
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<20)
        let held = try OpenTake(channel, 5)
        try channel.put(tags: 20..<40, bytes: 400)
        world.settle()
        let cut = world.afterPowerCut()
        held.rollback()
        let lease = try #require(try cut.frames().last { $0.header.type == .lease })
        cut.remove("checkpoint")
        cut.disk.faults.add(
            Fault(
                .read, errno: 5, on: .name(World.segment(lease.segment)),
                range: UInt64(lease.offset)..<UInt64(lease.offset + 8), count: Fault.forever))
        let again = try cut.open(configuration)
        #expect(again.recoveryReport.losses.isEmpty && again.recoveryReport.unreadable.count == 1)
        let events = try again.take(5)
        #expect(events.tags == [0, 1, 2, 3, 4] && events.allSatisfy(\.isRedelivered))
    }

    // MARK: Metrics

    /// The age of the oldest event needs a look into the log. One that fails is not repeated at each call.
    @Test(arguments: ["damaged", "unreadable"])
    func metricsLookOnceForTheAgeOfAnOldestEventThatCannotBeRead(_ what: String) throws {
        let world = World()
        let channel = try world.open(World.small { $0.tailCacheBytes = 0 })
        for tag in 0..<3 { try channel.put(tags: [tag]) }
        world.settle()
        let frame = try world.frame(holding: 1)
        if what == "damaged" {
            try world.damage(1)
        } else {
            world.disk.faults.add(
                Fault(
                    .read, errno: EIO, on: .name(World.segment(frame.segment)),
                    range: UInt64(frame.offset)..<UInt64(frame.end), count: Fault.forever))
        }
        world.disk.options.countsReads = true
        /// The ages that so many calls give, and how often they read.
        func look(_ calls: Int = 1) -> (ages: [Duration?], reads: Int) {
            let before = world.disk.operationCount
            let ages = (0..<calls).map { _ in channel.metrics.oldestAge }
            return (ages, world.disk.operationCount - before)
        }
        var found = look()
        #expect(found.ages == [nil] && found.reads > 0)
        found = look(5)
        #expect(found.ages.allSatisfy { $0 == nil } && found.reads == 0)
        // After a while it is tried again; the disk may give it by then.
        world.runtime.advance(by: 6_000_000_000)
        found = look()
        #expect(found.ages == [nil] && found.reads > 0)
        // What is oldest next is looked for at once. (An unreadable one stays the oldest.)
        if what == "damaged" {
            #expect(try channel.take(1).tags == [1])
        } else {
            world.disk.faults.removeAll()
            world.runtime.advance(by: 6_000_000_000)
        }
        #expect(look().ages != [nil])
        found = look(5)
        #expect(found.ages.allSatisfy { $0 != nil } && found.reads == 0)
    }
}
