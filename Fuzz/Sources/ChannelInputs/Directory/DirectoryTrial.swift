import CrashHarness
import DurableChannel
import FileIO
import SimulatedFileIO

/// One directory, opened and used.
struct DirectoryTrial {
    let directory: LogDirectory
    /// Pages that the disk does not give.
    let unreadable: [(name: String, bytes: Range<UInt64>)]
    let opening: DirectoryPlan.Opening
    /// Nothing was forged: what this one had is all that may come.
    let base: BaseLog?
    private var served: [UInt64] = []

    init(
        directory: LogDirectory, unreadable: [(name: String, bytes: Range<UInt64>)], opening: DirectoryPlan.Opening,
        base: BaseLog?
    ) {
        self.directory = directory
        self.unreadable = unreadable
        self.opening = opening
        self.base = base
    }

    /// More than a small log has, whatever its compressed frames say: a take may be asked for so many times.
    private static let mostTakes = 64
    /// What these errors mean of an opening: nothing was touched.
    private static let untouched: Set<ChannelError.Code> = [.configuration, .notAChannel, .newerVersion, .damaged]
    private static let refusals: Set<ChannelError.Code> = untouched.union([.full, .fileOperation])

    // MARK: Strict

    /// Under `strict`, damage is refused with every byte as it was.
    func openStrictly() {
        let world = process(seed: 11)
        let before = world.disk.liveHash
        withOpened(world, .strict) { channel in
            var last: UInt64 = 0
            for _ in 0..<Self.mostTakes {
                guard let take = try? channel.beginTake(maxEvents: opening.maxEvents), !take.isEmpty else { break }
                check(take.events, after: &last)
                try? take.commit()
            }
            Promise.require(channel.metrics.addsUp, "strict: \(channel.metrics)")
            try? channel.close()
        } refused: { error in
            let untouched = Self.untouched.contains(error.code)
            Promise.require(!untouched || world.disk.liveHash == before, "strict: \(error), and something was touched")
        }
    }

    // MARK: Salvage

    mutating func openAndUse() {
        let world = process(seed: 12)
        let before = world.disk.liveHash
        var end: ChannelMetrics?
        var served: [UInt64] = []
        withOpened(world, .salvage) { channel in
            let report = channel.lossReport
            let told = report.parts.reduce(0) { $0 + $1.sequences.count }
            Promise.require(told == channel.metrics.putEvents, "the loss report tells of \(told): \(channel.metrics)")
            _ = report.json
            served = takeEverything(channel)
            checkWhole(served, channel)
            putOne(channel)
            try? channel.checkpoint()
            Promise.require(channel.metrics.addsUp, "\(channel.metrics)")
            let metrics = channel.metrics
            do throws(ChannelError) {
                try channel.close()
                end = metrics
            } catch {
                Promise.require(error.code != .closed, "the first to close it is told that it is closed")
            }
        } refused: { error in
            let untouched = Self.untouched.contains(error.code)
            Promise.require(!untouched || world.disk.liveHash == before, "\(error), and something was touched")
        }
        if let end { reopen(world.disk, end) }
    }

    /// After a clean end a channel opens as it was, under `strict` too: what was damaged is written down.
    private func reopen(_ disk: SimulatedDisk, _ end: ChannelMetrics) {
        withOpened(process(disk, seed: 13), .salvage) { channel in
            let metrics = channel.metrics
            // What is not given, to this opening or before, may be needed to go on.
            let isWhole = disk.faults.strikes == 0
            Promise.require(metrics.addsUp, "again: \(metrics)")
            // What it put may stand where the disk gives nothing: then numbers are skipped for all that may be there.
            Promise.require(metrics.putEvents >= end.putEvents, "put \(end.putEvents), then \(metrics.putEvents)")
            if isWhole {
                Promise.require(metrics.putEvents == end.putEvents, "put \(end.putEvents), then \(metrics.putEvents)")
                Promise.require(metrics.takenEvents == end.takenEvents, "taken \(end), then \(metrics)")
                Promise.require(metrics.heldEvents == end.heldEvents, "held \(end), then \(metrics)")
            }
            try? channel.close()
        } refused: { error in
            Promise.require(disk.faults.strikes > 0, "it was closed, and does not open: \(error)")
        }
    }

    // MARK: Using

    private func takeEverything(_ channel: FileChannel) -> [UInt64] {
        var last: UInt64 = 0
        var served: [UInt64] = []
        for _ in 0..<Self.mostTakes {
            do throws(ChannelError) {
                let take = try channel.beginTake(maxEvents: opening.maxEvents)
                if take.isEmpty { break }
                check(take.events, after: &last)
                served += take.events.map(\.sequence.rawValue)
                try take.commit()
            } catch { break }
        }
        Promise.require(channel.metrics.addsUp, "after takes \(channel.metrics)")
        return served
    }

    /// Numbers ascend; where nothing was forged each event is the one that was put.
    private func check(_ events: TakenEvents, after last: inout UInt64) {
        for event in events {
            let sequence = event.sequence.rawValue
            Promise.require(sequence > last, "event \(sequence) comes behind \(last)")
            last = sequence
            _ = event.headers
            guard let base else { continue }
            let isRight = base.bodies[sequence].map { $0[...] == event.body } ?? false
            Promise.require(isRight, "event \(sequence) is not the one that was put")
        }
    }

    /// A log whose segments are as they were has everything, whatever became of the files that only save time.
    private func checkWhole(_ served: [UInt64], _ channel: FileChannel) {
        guard let base, unreadable.isEmpty, directory.segments == base.directory.segments else { return }
        let came = Set(served).subtracting(base.doubtful)
        Promise.require(came == base.held, "\(base.held.sorted()) are held, \(came.sorted()) came")
    }

    /// A put works, and its event can be taken; or it is refused with a reason. (A forged frame may have the number that this
    /// event gets, and be given in its place: then only the taking itself is looked at.)
    private func putOne(_ channel: FileChannel) {
        let before = channel.metrics
        let body = Array("put behind all".utf8)
        do throws(ChannelError) {
            var put = try channel.beginPut()
            try put.append(body: body)
            let receipt = try put.commit()
            let next = before.putEvents + 1
            Promise.require(receipt.sequences == next..<next + 1, "\(receipt.sequences) behind \(before)")
            guard before.heldEvents == before.inFlightEvents + before.unreadableEvents else { return }
            let take = try channel.beginTake(maxEvents: 10)
            let isGiven = take.events.last.map { $0.body == body[...] && $0.sequence.rawValue == next } ?? false
            Promise.require(isGiven || base == nil, "event \(next) was put, and is not given to a take")
            try take.commit()
        } catch {
            let refusals: Set<ChannelError.Code> = [.full, .readOnly, .fileOperation, .outcomeUnknown]
            Promise.require(refusals.contains(error.code), "a put was refused: \(error.code), \(error)")
        }
    }

    // MARK: Opening

    private func process(seed: UInt64) -> SimulatedProcess { process(directory.disk(), seed: seed) }

    private func process(_ disk: SimulatedDisk, seed: UInt64) -> SimulatedProcess {
        for page in unreadable {
            disk.faults.add(
                Fault(.read, errno: 5, on: .name(page.name), range: page.bytes, count: Fault.forever))
        }
        return SimulatedProcess(disk, seed: seed)
    }

    /// Opens the channel and lets it be used; afterwards nothing of it is in memory.
    private func withOpened(
        _ world: SimulatedProcess, _ policy: DamagePolicy, _ use: (FileChannel) -> Void, refused: (ChannelError) -> Void
    ) {
        weak var left: FileChannel?
        do throws(ChannelError) {
            let channel = try FileChannel.open(
                at: LogDirectory.path, configuration: opening.configuration(policy), fileSystem: world.fileSystem,
                runtime: world.runtime)
            left = channel
            use(channel)
        } catch {
            Promise.require(Self.refusals.contains(error.code), "an opening was refused: \(error.code), \(error)")
            refused(error)
        }
        world.runtime.runUntilIdle()
        world.runtime.dropAllWork()
        Promise.require(left == nil, "a channel that was closed is in memory")
    }
}

extension ChannelMetrics {
    /// Every event that was put is one of these.
    fileprivate var addsUp: Bool { putEvents == heldEvents + takenEvents + droppedEvents + lostEvents }
}
