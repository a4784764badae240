import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing
import TestSupport

/// What an epoch has cut off stays off, and no number that was given since is lost to it, whatever a bad sector hides: the cut
/// is stated apart from the frames, or there is nothing left behind it.
@Suite struct CutOffTests {
    private static let large = World.small {
        $0.segmentBytes = 64 << 10
        $0.capacityBytes = 2 << 20
        $0.snapshotLimitBytes = 4096
        $0.maximumGroupBytes = 16384
    }

    /// What a reader comes to: "sequence=tag", and ranges.
    private static func served(_ log: Log) throws -> [String] {
        let reader = log.makeReader()
        var items: [String] = []
        while let item = try reader.next() {
            switch item {
            case .frame(let frame) where frame.header.type == .put:
                items.append("\(frame.header.baseSequence.rawValue)=\(tag(frame.payload))")
            case .frame: break
            case .damage(let range), .unreadable(let range): items.append("\(range)")
            }
        }
        return items
    }

    /// Rows 21 and 24: the reserve segment between two failed writes has been let go, and with it the first cut.
    @Test(arguments: [false, true], [false, true])
    func aCutHoldsWhenTheSegmentThatBeganItsEpochIsGone(_ isFlipped: Bool, _ isOpenedBetween: Bool) throws {
        var world = World()
        var log = try world.open(Self.large)
        for tag in 0..<2 { _ = try log.append([put(tag)]) }
        for round in 0..<(isOpenedBetween ? 1 : 2) {
            world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .whole))
            #expect(throws: LogError.self) { try log.append([put(100 + round)]) }
            world.runtime.runUntilIdle()
        }
        if isOpenedBetween {
            world = world.afterPowerCut()
            log = try world.open(Self.large)
        }
        var given: [UInt64: Int] = [:]
        for tag in 2..<12 { given[try log.append([put(tag, bytes: 300)]).sequences.lowerBound] = tag }
        world.runtime.runUntilIdle()
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        let newest = try #require(world.segmentNames().last)
        if isFlipped {
            world.flip(newest, at: 8192 + 100)
        } else {
            let number = try #require(UInt64(newest.prefix(16), radix: 16))
            world.disk.faults.add(World.unreadable(number, 8192..<8704))
        }
        let now = try Self.served(world.open(Self.large))
        #expect(!now.contains { $0.hasSuffix("=100") || $0.hasSuffix("=101") }, "\(now)")
        world.disk.faults.removeAll()
        let again = try Self.served(world.afterPowerCut().open(Self.large))
        for (sequence, tag) in given { #expect(again.contains("\(sequence)=\(tag)"), "\(again)") }
    }

    /// A log whose client covers all that is durable, after one failed write behind two events: segment 1 is cut, an epoch began in 2.
    private static func cutOnce() throws -> (World, Log) {
        let world = World()
        world.clientStateBytes = 10
        let log = try world.open(large)
        for tag in 0..<2 { _ = try log.append([put(tag)]) }
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .whole))
        #expect(throws: LogError.self) { try log.append([put(100)]) }
        world.runtime.runUntilIdle()
        return (world, log)
    }

    /// Before each operation of an append that fails, and of what follows from that.
    private static func moments(of log: Log, _ world: World, bytes: Int = 40, _ fault: Fault) -> [SimulatedDisk] {
        world.disk.faults.add(fault)
        var moments: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned world] _ in moments.append(world.disk.clone()) }
        #expect(throws: LogError.self) { try log.append([put(100, bytes: bytes)]) }
        world.runtime.runUntilIdle()
        world.disk.beforeOperation = nil
        return moments
    }

    private static func reopened(_ world: World, _ fault: Fault? = nil) throws -> (World, Log) {
        let next = world.afterPowerCut()
        next.clientStateBytes = 10
        if let fault { next.disk.faults.add(fault) }
        let log = try next.open(large)
        next.runtime.runUntilIdle()
        return (next, log)
    }

    /// Puts events until there is a new segment, and one more; returns those in it, tags by sequences.
    private static func fillOneMore(_ log: Log, _ world: World) throws -> [UInt64: Int] {
        let newest = try #require(log.segments.last?.number)
        var given: [UInt64: Int] = [:]
        for tag in 2..<200 {
            given[try log.append([put(tag, bytes: 300)]).sequences.lowerBound] = tag
            world.runtime.runUntilIdle()
            guard let last = log.segments.last, last.number > newest, last.holdsEvents else { continue }
            return given.filter { $0.key >= last.baseSequence.rawValue }
        }
        throw NoRoll()
    }

    private struct NoRoll: Error {}

    /// Without checkpoint, and without the first frames of the newest segment, which its snapshot is among: what was cut off stays
    /// off; and when the disk gives them again, all that was given is there.
    private static func expectCutOff(_ world: World, _ given: [UInt64: Int], unreadable: [UInt64] = []) throws {
        let next = world.afterPowerCut()
        next.disk.remove(World.path + "/checkpoint")
        let newest = try #require(next.segmentNames().compactMap { UInt64($0.prefix(16), radix: 16) }.max())
        for number in unreadable + [newest] { next.disk.faults.add(World.unreadable(number, 8192..<8704)) }
        let now = try served(next.open(large))
        #expect(!now.contains { $0.hasSuffix("=100") }, "\(now)")
        next.disk.faults.removeAll()
        let again = try served(next.afterPowerCut().open(large))
        for (sequence, tag) in given { #expect(again.contains("\(sequence)=\(tag)"), "\(again)") }
        #expect(!given.isEmpty)
    }

    /// Rows 21, 24 and 42: replay began behind the cut, so that only the identity of the segment there told of it, and that segment
    /// was let go.
    @Test func aCutBeforeThePlaceWhereReplayBeganHoldsWhenItsSegmentIsGone() throws {
        var (world, log) = try Self.cutOnce()
        try log.checkpoint()
        (world, log) = try Self.reopened(world)
        #expect(log.recoveryReport.replayedFrom.lsn.segment == SegmentNumber(2))
        let given = try Self.fillOneMore(log, world)
        // Nobody needs its events any more; those before it somebody does.
        try log.retire([SegmentNumber(2)])
        world.runtime.runUntilIdle()
        try Self.expectCutOff(world, given)
    }

    /// As before; and the disk gives neither copy of that identity at the opening.
    @Test func aCutIsKnownByItsOpenFrameWhenItsIdentityCannotBeRead() throws {
        var (world, log) = try Self.cutOnce()
        try log.checkpoint()
        (world, log) = try Self.reopened(world, World.unreadable(2, 0..<8192))
        #expect(log.recoveryReport.replayedFrom.lsn.segment == SegmentNumber(2))
        var given: [UInt64: Int] = [:]
        for tag in 2..<8 { given[try log.append([put(tag, bytes: 300)]).sequences.lowerBound] = tag }
        world.runtime.runUntilIdle()
        world.disk.faults.removeAll()
        try Self.expectCutOff(world, given)
    }

    /// Neither copy of an identity, and an `open` frame before the base, of an epoch that is higher than the base's: nobody writes that,
    /// but its checksums hold.
    @Test(arguments: [1, 2] as [UInt64]) func aForgedOpenFrameBeforeTheBaseCostsNoNumber(_ cutSegment: UInt64) throws {
        var world = World()
        world.clientStateBytes = 10
        var log = try world.open()
        for tag in 0..<9 {
            _ = try log.append([put(tag, bytes: 900)])
            world.runtime.runUntilIdle()
        }
        #expect(log.segments.last?.number == SegmentNumber(2))
        for _ in 0..<2 { try log.checkpoint() }
        let bytes = try world.bytes(of: World.segment(2))
        let life = try unsafe IdentityBlock(decoding: bytes.span.bytes).life
        let record = OpenRecord(
            cut: LSN(segment: SegmentNumber(cutSegment), offset: 8192), nextSequence: EventSequence(1),
            previousEpoch: Epoch(1), blockBytes: 512, groupsInFlight: 4, durability: .commit, reason: .recovered)
        let open = try FramePayload(type: .open, raw: record.encode())
        let buffer = AlignedBuffer(byteCount: 512)
        buffer.withMutableBytes { (bytes: inout MutableRawSpan) in
            Frame.write(
                open, baseSequence: EventSequence(1), commitTime: 0, durableThrough: .nothing, epoch: Epoch(1000),
                nonce: 77, frameBytes: open.minimumFrameBytes, life: life, position: 8192, into: &bytes, at: 0)
        }
        try world.overwrite(World.segment(2), 8192..<8704) {
            unsafe buffer.bytes.unsafeLoad(fromByteOffset: $0 - 8192, as: UInt8.self)
        }
        try world.overwrite(World.segment(2), 0..<8192)
        world = world.afterPowerCut()
        world.clientStateBytes = 10
        log = try world.open()
        let sequence = try log.append([put(5000)]).sequences.lowerBound
        world.runtime.runUntilIdle()
        world = world.afterPowerCut()
        world.clientStateBytes = 10
        log = try world.open()
        #expect(try log.append([put(6000)]).sequences.lowerBound > sequence)
        #expect(try log.tags().contains(5000))
    }

    /// Rows 21, 34 and 42: the segment that was cut is let go, and its file stays.
    @Test func aCutHoldsAsLongAsTheFileOfItsSegmentIsThere() throws {
        var (world, log) = try Self.cutOnce()
        log.retire([SegmentNumber(1)]) { _ in }
        while log.segments.contains(where: { $0.number == SegmentNumber(1) }) { _ = world.runtime.step() }
        (world, log) = try Self.reopened(world, Fault(.unlink, errno: EIO, on: .name(World.segment(1))))
        #expect(world.segmentNames().contains(World.segment(1)))
        #expect(!log.segments.contains { $0.number == SegmentNumber(1) })
        let given = try Self.fillOneMore(log, world)
        #expect(world.segmentNames().contains(World.segment(1)))
        try Self.expectCutOff(world, given)
    }

    /// Rows 21, 24 and 43: a failed write behind a roll, and what it left in the later segment stands at the beginning of all that is
    /// there.
    @Test func aSegmentBehindACutIsVoidAlsoWhereNothingStandsBeforeIt() throws {
        var world = World()
        world.clientStateBytes = 10
        var log = try world.open()
        for tag in 0..<7 { _ = try log.append([put(tag, bytes: 900)]) }
        world.runtime.runUntilIdle()
        // The seal is written; the first group of segment 2 fails, and is whole.
        let moments = Self.moments(
            of: log, world, bytes: 900, Fault(.complete, errno: EIO, skipping: 1, outcome: .whole))
        let both = moments.map { World($0.crashed(keeping: .nothing), seed: 9) }.last {
            Set($0.segmentNames()).isSuperset(of: [World.segment(2), World.segment(3)])
        }
        world = try #require(both)
        world.clientStateBytes = 10
        world.disk.faults.add(Fault(.unlink, errno: EIO, on: .name(World.segment(2))))
        log = try world.open()
        world.runtime.runUntilIdle()
        try log.retire([SegmentNumber(1)])
        var given: [UInt64: Int] = [:]
        for tag in 200..<203 { given[try log.append([put(tag, bytes: 300)]).sequences.lowerBound] = tag }
        world.runtime.runUntilIdle()
        #expect(world.segmentNames().first == World.segment(2))
        try Self.expectCutOff(world, given, unreadable: [2, 3])
    }

    /// Rows 12, 21 and 24: no frame that can be read says that the last one before a cut was durable.
    @Test func theLastFrameBeforeACutIsVouchedForByAnIdentityAlone() throws {
        var world = World()
        var log = try world.open(Self.large)
        _ = try log.append([put(0)])
        let damaged = log.durableThrough.lsn
        _ = try log.append([put(1)])
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .absent))
        #expect(throws: LogError.self) { try log.append([put(100)]) }
        world.runtime.runUntilIdle()
        #expect(log.segments.count == 2)
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        world.flip(World.segment(1), at: Int(damaged.offset) + 100)
        world.disk.faults.add(World.unreadable(2, 8192..<9216))
        log = try world.open(Self.large)
        let lost = log.recoveryReport.losses.map { $0.firstSequence.rawValue..<$0.endSequence.rawValue }
        #expect(lost == [2..<3], "\(log.recoveryReport)")
        #expect(try log.append([put(2)]).sequences.lowerBound > 2)
    }

    /// Rows 6, 22 and 24: the power went while a prepared segment got its new identity, the disk does not give the copy that was
    /// written, and the segment cannot be removed.
    @Test func anEpochThatOnlyAnUnreadableCopyStatesKeepsItsNumber() throws {
        let world = World()
        let log = try world.open()
        _ = try world.append(to: log, bytes: 400) { world.segmentNames().count == 2 }
        #expect(log.segments.count == 1, "the other one is ready")
        let moments = Self.moments(of: log, world, Fault(.complete, errno: EIO, outcome: .whole))
        var found = 0
        for disk in moments {
            for choice in [CrashChoice.nothing, .everything] {
                var next = World(disk.crashed(keeping: choice), seed: 9)
                guard next.segmentNames().count == 2 else { continue }
                let bytes = next.contents(World.segment(2))
                guard bytes[0..<4096] != bytes[4096..<8192] else { continue }
                found += 1
                next.disk.faults.add(World.unreadable(2, 0..<4096))
                next.disk.faults.add(Fault(.unlink, errno: EIO, on: .name(World.segment(2))))
                var log = try next.pinned()
                let before = try Self.served(log)
                let sequence = try log.append([put(50)]).sequences.lowerBound
                next = next.afterPowerCut(seed: 10)
                log = try next.pinned()
                let now = try Self.served(log)
                #expect(Set(now).isSuperset(of: before + ["\(sequence)=50"]), "\(now), \(before) before")
            }
        }
        #expect(found > 0)
    }

    /// Rows 24 and 43: the segment behind the roll cannot be removed, and the `open` frame in the one before it cannot be read.
    @Test func whatIsLeftOverBehindARollIsCutOffByAnIdentity() throws {
        var found = 0
        for seed in 1..<4 as Range<UInt64> where found < 3 {
            let recorder = CrashRecorder(SimulatedDisk(), seed: seed, configuration: World.small())
            try recorder.open()
            for _ in 0..<6 {
                for _ in 0..<4 {
                    try recorder.submit(1, bytes: seed == 1 ? 900 : seed == 2 ? 1500 : 700)
                    recorder.steps(2)
                }
            }
            recorder.drain()
            for moment in recorder.moments where found < 3 {
                for choice in moment.disk.legalCrashChoices(limit: 40) where found < 3 {
                    let disk = moment.disk.crashed(keeping: choice)
                    let report = try World(disk.clone(), seed: 5).pinned().recoveryReport
                    let left = report.unknown.filter { $0.type == .put && $0.lsn.segment > report.tail.lsn.segment }
                    guard let first = left.first,
                        left.contains(where: { $0.firstSequence.rawValue <= report.tail.nextSequence.rawValue + 2 })
                    else { continue }
                    found += 1
                    try goOnBeside(World(disk, seed: 6), left: first.lsn.segment.rawValue)
                }
            }
        }
        #expect(found == 3)
    }

    private func goOnBeside(_ first: World, left: UInt64) throws {
        var world = first
        world.disk.faults.add(Fault(.unlink, errno: EIO, on: .name(World.segment(left))))
        var log = try world.pinned()
        var given: [UInt64: Int] = [:]
        let from = log.durableThrough.lsn
        for tag in 900..<903 { given[try log.append([put(tag)]).sequences.lowerBound] = tag }
        let fault = World.unreadable(
            from.segment.rawValue, from.offset / 512 * 512 - 512..<log.durableThrough.lsn.offset)
        for round in 0..<2 {
            world = world.afterPowerCut(seed: UInt64(50 + round))
            world.disk.faults.add(fault)
            log = try world.pinned()
            for item in try Self.served(log) {
                let parts = item.split(separator: "=").compactMap { UInt64($0) }
                guard parts.count == 2, let tag = given[parts[0]] else { continue }
                #expect(parts[1] == UInt64(tag), "\(item)")
            }
            let sequence = try log.append([put(910 + round)]).sequences.lowerBound
            #expect(given.updateValue(910 + round, forKey: sequence) == nil)
        }
        let now = try Self.served(world.afterPowerCut(seed: 60).pinned())
        for (sequence, tag) in given { #expect(now.contains("\(sequence)=\(tag)"), "\(now)") }
    }

    /// Rows 24 and 36: whenever the power goes inside an opening, there is no `open` frame with something whole behind it.
    @Test func whatAnEpochCutsOffInItsSegmentIsGoneBeforeItsOpenFrameIsThere() throws {
        var found = 0
        for seed in 1..<4 as Range<UInt64> where found < 3 {
            let recorder = CrashRecorder(SimulatedDisk(), seed: seed, configuration: World.small())
            try recorder.open()
            for _ in 0..<4 {
                try recorder.submit(4, bytes: 700)
                recorder.steps(3)
            }
            recorder.drain()
            for moment in recorder.moments where found < 3 {
                for choice in moment.disk.legalCrashChoices(limit: 60) where found < 3 {
                    let disk = moment.disk.crashed(keeping: choice)
                    let probe = try World(disk.clone(), seed: 5).open()
                    let tail = probe.recoveryReport.tail.lsn
                    guard probe.durableThrough.lsn.segment == tail.segment,
                        probe.recoveryReport.unknown.contains(where: {
                            $0.type == .put && $0.lsn.segment == tail.segment
                        })
                    else { continue }
                    found += 1
                    disk.beforeOperation = { [unowned disk] _ in
                        let world = World(disk.clone().crashed(keeping: .nothing), seed: 7)
                        let frames = (try? world.frames(tail.segment.rawValue)) ?? []
                        let behind = frames.drop { $0.header.type != .open || $0.offset < Int(tail.offset) }
                        #expect(!behind.contains { $0.header.type == .put })
                    }
                    _ = try World(disk, seed: 6).open()
                    disk.beforeOperation = nil
                }
            }
        }
        #expect(found == 3)
    }
}
