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

    /// Rows 21, 24 and 42: replay began behind the cut, so that only the identity of the segment there told of it, and that segment
    /// was let go.
    @Test func aCutBeforeThePlaceWhereReplayBeganHoldsWhenItsSegmentIsGone() throws {
        var world = World()
        world.clientStateBytes = 10
        var log = try world.open(Self.large)
        for tag in 0..<2 { _ = try log.append([put(tag)]) }
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .whole))
        #expect(throws: LogError.self) { try log.append([put(100)]) }
        world.runtime.runUntilIdle()
        try log.checkpoint()
        world = world.afterPowerCut()
        world.clientStateBytes = 10
        log = try world.open(Self.large)
        #expect(log.recoveryReport.replayedFrom.lsn.segment == SegmentNumber(2))
        var given: [UInt64: Int] = [:]
        var tag = 2
        while log.segments.count < 3 {
            given[try log.append([put(tag, bytes: 300)]).sequences.lowerBound] = tag
            tag += 1
            world.runtime.runUntilIdle()
        }
        // Nobody needs its events any more; those before it somebody does.
        let second = log.segments[1].number
        try log.retire([second])
        let third = log.segments[1]
        given = given.filter { $0.key >= third.baseSequence.rawValue }
        world = world.afterPowerCut()
        world.disk.remove(World.path + "/checkpoint")
        world.disk.faults.add(World.unreadable(third.number.rawValue, 8192..<8704))
        let now = try Self.served(world.open(Self.large))
        #expect(!now.contains { $0.hasSuffix("=100") }, "\(now)")
        world.disk.faults.removeAll()
        let again = try Self.served(world.afterPowerCut().open(Self.large))
        for (sequence, tag) in given { #expect(again.contains("\(sequence)=\(tag)"), "\(again)") }
    }

    /// Rows 6, 22 and 24: the power went while a prepared segment got its new identity, the disk does not give the copy that was
    /// written, and the segment cannot be removed.
    @Test func anEpochThatOnlyAnUnreadableCopyStatesKeepsItsNumber() throws {
        let world = World()
        let log = try world.open()
        for tag in 0..<3 { _ = try log.append([put(tag, bytes: 500)]) }
        world.runtime.runUntilIdle()
        #expect(world.segmentNames().count == 2)
        world.disk.faults.add(Fault(.complete, errno: EIO, outcome: .whole))
        var moments: [SimulatedDisk] = []
        world.disk.beforeOperation = { [unowned world] _ in moments.append(world.disk.clone()) }
        #expect(throws: LogError.self) { try log.append([put(100)]) }
        world.runtime.runUntilIdle()
        world.disk.beforeOperation = nil
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
