import CrashHarness
import DurableChannel
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Bytes whose checksums are right and whose contents are not: of a faulty program, or forged. Opening and taking never trap,
/// and the equation holds.
@Suite struct ForgeryTests {
    /// A channel with 10 events, 3 of them taken, closed; then `body` appends to its log.
    private func forged(_ body: (Log) throws -> Void) throws -> World {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<10)
        #expect(try channel.take(3).count == 3)
        try channel.close()
        let next = world.next()
        try next.forge(body)
        return next.next(seed: 6)
    }

    /// Opens, uses and opens again; what opening throws, if it does.
    @discardableResult
    private func expectSound(
        _ world: World, _ story: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ChannelError? {
        do throws(ChannelError) {
            let channel = try world.open()
            #expect(channel.isBalanced, story, sourceLocation: sourceLocation)
            let total = channel.lossReport.parts.reduce(0) { $0 + $1.sequences.count }
            #expect(total == channel.metrics.putEvents, story, sourceLocation: sourceLocation)
            _ = channel.lossReport.json
            let sequences = try channel.put(tags: [99]).sequences
            #expect(sequences.lowerBound >= 11, story, sourceLocation: sourceLocation)
            let take = try channel.beginTake(maxEvents: 3)
            take.rollback()
            let events = try channel.take(100_000)
            #expect(events.last?.tag == 99, story, sourceLocation: sourceLocation)
            #expect(channel.metrics.heldEvents == 0 && channel.isBalanced, story, sourceLocation: sourceLocation)
            try channel.checkpoint()
            try channel.close()
            let again = try World(world.disk, seed: 7).open()
            #expect(again.metrics.heldEvents == 0 && again.isBalanced, story, sourceLocation: sourceLocation)
            return nil
        } catch {
            #expect(
                [.damaged, .newerVersion].contains(error.code), "\(story): \(error)", sourceLocation: sourceLocation)
            return error
        }
    }

    // MARK: Frames

    @Test func aPutThatCannotBeReadThoughItsChecksumsAreRightIsLostAndTheRestIsServed() throws {
        var random = SeededRandom(seed: 5)
        let raws: [[UInt8]] = [
            [], [UInt8](repeating: 0, count: 64), (0..<200).map { _ in UInt8(random.next() & 255) },
            [UInt8](repeating: 255, count: 500),
        ]
        for raw in raws {
            let world = try forged { log in
                _ = try log.append([FramePayload(type: .put, eventCount: 3, transactionCount: 1, raw: raw)])
            }
            let channel = try world.open()
            #expect(channel.recoveryReport.remarks.contains { $0.contains("put frame") })
            #expect(channel.metrics.putEvents == 13)
            try channel.put(tags: [10])
            #expect(try channel.take().tags == Array(3...10))
            #expect(channel.metrics.lostEvents == 3 && channel.isBalanced)
            try channel.close()
            #expect(try World(world.disk, seed: 8).open().metrics.lostEvents == 3)
        }
    }

    @Test func aPutWhoseTransactionHoldsOtherCountsThanItsFrameIsLost() throws {
        var encoder = PutEncoder()
        for tag in 0..<2 { try encoder.append(Event(body: body(tag))) }
        let raw = try encoder.finish(id: 1)
        for (events, transactions) in [(1, 1), (3, 1), (2, 2), (4_000_000_000, 1), (2, 4_000_000_000)]
            as [(UInt32, UInt32)]
        {
            let world = try forged { log in
                _ = try log.append([
                    FramePayload(type: .put, eventCount: events, transactionCount: transactions, raw: raw)
                ])
            }
            let channel = try world.open()
            #expect(channel.metrics.putEvents == 10 + UInt64(events))
            try channel.put(tags: [10])
            #expect(try channel.take().tags == Array(3...10), "\(events) events, \(transactions) transactions")
            #expect(channel.metrics.lostEvents == UInt64(events) && channel.isBalanced)
        }
    }

    @Test func takesAndDropsOfEventsThatWereNeverPutCountNothing() throws {
        let ranges: [SequenceRange] = [
            CapacityTests.range(5, 1 << 40), CapacityTests.range(1 << 61, 1 << 62), CapacityTests.range(100, 101),
            CapacityTests.range(11, 12), CapacityTests.range(1, 1 << 62),
        ]
        for range in ranges {
            for type in [FrameType.takeCommit, .drop, .loss] {
                let world = try forged { log in
                    let payload: FramePayload
                    switch type {
                    case .takeCommit:
                        let transaction = Transaction(id: 1, group: "default", ranges: [range])
                        payload = try FramePayload(
                            type: type, transactionCount: 1,
                            raw: try TransactionBatch(type: type, transactions: [transaction]).encode())
                    case .drop:
                        payload = try FramePayload(
                            type: type, raw: try DropRecord(reason: .skipped, group: "", ranges: [range]).encode())
                    default:
                        payload = try FramePayload(
                            type: type,
                            raw: try LossRecord(
                                reason: .damaged, segment: SegmentNumber(1), fromOffset: 1, toOffset: 2,
                                firstSequence: range.first, endSequence: range.end
                            ).encode())
                    }
                    _ = try log.append([payload])
                }
                #expect(try expectSound(world, "\(type) of \(range)") == nil)
            }
        }
    }

    @Test func aLeaseOfAnyHeightMarksNothingThatIsPutLater() throws {
        for limit in [1, 11, 12, 1 << 40, 1 << 62] as [UInt64] {
            let world = try forged { log in
                _ = try log.append([
                    FramePayload(
                        type: .lease, raw: try LeaseRecord(group: "default", limit: EventSequence(limit)).encode())
                ])
            }
            let channel = try world.copy().open()
            try channel.put(tags: [10])
            let events = try channel.take()
            #expect(events.tags == Array(3...10))
            #expect(events.marks == (4...11).map { $0 < min(limit, 11) }, "lease \(limit)")
            try expectSound(world, "lease \(limit)")
        }
    }

    /// Numbers above 2^62, where nothing may be reckoned any more: a record that names one is refused with its place.
    @Test func recordsOfNumbersThatNoEventCanHaveAreDamage() throws {
        let good = CapacityTests.range(5, 1 << 62)
        let records: [(FrameType, [UInt8])] = [
            (.lease, try LeaseRecord(group: "default", limit: good.end).encode()),
            (.drop, try DropRecord(reason: .overflow, group: "default", ranges: [good]).encode()),
            (
                .deliveryCount,
                try DeliveryCountRecord(group: "default", entries: [.init(sequence: good.end, count: 2)]).encode()
            ),
            (
                .takeCommit,
                try TransactionBatch(
                    type: .takeCommit, transactions: [Transaction(id: 1, group: "default", ranges: [good])]
                ).encode()
            ),
        ]
        for (type, raw) in records {
            let place = try #require(raw.place(of: good.end.rawValue), "\(type)")
            for number in [(1 << 62) + 1, 1 << 63, .max - 1, .max] as [UInt64] {
                let world = try forged { log in
                    _ = try log.append([
                        FramePayload(
                            type: type, transactionCount: type == .takeCommit ? 1 : 0,
                            raw: raw.storing(number, at: place))
                    ])
                }
                let error = failure { try world.open() }
                #expect(
                    error?.code == .damaged && error?.lsn != nil, "\(type) of \(number): \(String(describing: error))")
            }
        }
    }

    /// The same in the channel's part of a snapshot.
    @Test func aSnapshotOfNumbersThatNoEventCanHaveIsDamage() throws {
        let good = UInt64(1) << 62
        let changes: [(inout ClientState.Group) -> Void] = [
            { $0.acknowledgedBelow = EventSequence(good) }, { $0.leaseLimit = EventSequence(good) },
            { $0.acknowledged = [CapacityTests.range(6, good)] },
        ]
        for (index, change) in changes.enumerated() {
            for number in [good + 1, 1 << 63, .max] {
                let world = try withPointers { (bytes: [UInt8]) in
                    var state = unsafe try ClientState(decoding: bytes.span.bytes)
                    change(&state.groups[0])
                    let bytes = try state.encode()
                    return bytes.storing(number, at: try #require(bytes.place(of: good)))
                }
                #expect(failure { try world.open() }?.code == .damaged, "change \(index), \(number)")
            }
        }
    }

    // MARK: More than a snapshot holds

    /// Records that leave more ranges than a snapshot has room for: no snapshot says more than the last one that could
    /// be written, until takes have closed the gaps. Nothing traps, nothing is lost, and it can be drained.
    @Test func aLogThatLeavesMoreRangesThanASnapshotHoldsIsOpenedAndDrained() throws {
        let world = World()
        var configuration = ChannelConfiguration(capacityBytes: 16 << 20)
        configuration.segmentBytes = 4 << 20
        configuration.whenFull = .reject
        let records = 66
        let perRecord: UInt64 = 1024
        let count = records * Int(perRecord) * 2
        let channel = try world.open(configuration)
        for _ in 0..<4 {
            var put = try channel.beginPut()
            for _ in 0..<count / 4 { try put.append(body: "") }
            try put.commit()
        }
        try channel.close()
        let next = world.next()
        // Every second event, range by range.
        try next.forge(capacityBytes: 16 << 20, segmentBytes: 4 << 20) { log in
            for record in 0..<UInt64(records) {
                let ranges = (0..<perRecord).map { index -> SequenceRange in
                    let first: UInt64 = 2 + 2 * (record * perRecord + index)
                    return CapacityTests.range(first, first + 1)
                }
                _ = try log.append([
                    FramePayload(
                        type: .drop, raw: try DropRecord(reason: .skipped, group: "", ranges: ranges).encode())
                ])
            }
        }
        let after = try next.next(seed: 6).open(configuration)
        #expect(after.metrics.droppedEvents == UInt64(count / 2) && after.isBalanced)
        try after.checkpoint()
        try after.put(tags: [7])
        // As it stands, with what was added, after a power cut too.
        let again = try World(world.disk.crashed(keeping: .nothing), seed: 9).open(configuration)
        #expect(again.metrics.droppedEvents == UInt64(count / 2) && again.metrics.heldEvents == UInt64(count / 2) + 1)
        var taken: [UInt64] = []
        while true {
            let events = try again.take(100_000)
            if events.isEmpty { break }
            taken += events.numbers
        }
        #expect(taken == (0..<UInt64(count / 2)).map { 2 * $0 + 1 } + [UInt64(count) + 1])
        #expect(again.metrics.heldEvents == 0 && again.isBalanced)
        try again.close()
    }

    /// Whatever stands in records of every kind.
    @Test(arguments: 1...30) func recordsOfRandomBytesAreDamageOrNothing(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let samples: [(FrameType, [UInt8])] = [
            (.lease, try LeaseRecord(group: "default", limit: EventSequence(5)).encode()),
            (.drop, try DropRecord(reason: .overflow, group: "default", ranges: [CapacityTests.range(4, 6)]).encode()),
            (
                .deliveryCount,
                try DeliveryCountRecord(
                    group: "default", entries: [DeliveryCountRecord.Entry(sequence: EventSequence(5), count: 2)]
                ).encode()
            ),
            (
                .takeCommit,
                try TransactionBatch(
                    type: .takeCommit,
                    transactions: [
                        Transaction(
                            id: 1, group: "default", ranges: [CapacityTests.range(4, 6)],
                            bookmarks: [
                                Bookmark(name: "b", value: [1])
                            ])
                    ]
                ).encode()
            ),
            (
                .bookmark,
                try TransactionBatch(
                    type: .bookmark, transactions: [Transaction(id: 1, bookmarks: [Bookmark(name: "b", value: [1])])]
                ).encode()
            ),
        ]
        for (type, sample) in samples {
            var raw = sample
            for _ in 0..<Int(random.next() % 4) + 1 {
                raw[Int(random.next() % UInt64(raw.count))] = UInt8(random.next() & 255)
            }
            if random.next() % 8 == 0 { raw = (0..<Int(random.next() % 100)).map { _ in UInt8(random.next() & 255) } }
            let world = try forged { log in
                let count: UInt32 = [.takeCommit, .bookmark].contains(type) ? 1 : 0
                _ = try log.append([FramePayload(type: type, transactionCount: count, raw: raw)])
            }
            try expectSound(world, "seed \(seed), \(type): \(raw)")
        }
    }

    // MARK: Snapshots

    /// A channel whose checkpoint and newest snapshot hold these bytes as the channel's part.
    private func withPointers(_ change: (inout ClientState) -> Void) throws -> World {
        try withPointers { bytes in
            var state = unsafe try ClientState(decoding: bytes.span.bytes)
            change(&state)
            return try state.encode()
        }
    }

    private func withPointers(_ change: ([UInt8]) throws -> [UInt8]) throws -> World {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: 0..<10, producer: ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1))
        try channel.setBookmark("b", [1])
        let take = try channel.beginTake(maxEvents: 5)
        take.rollback()
        #expect(try channel.take(3).count == 3)
        try channel.close()
        let next = world.next()
        // Both slots, and the segment's own snapshot goes unused.
        let name = "checkpoint"
        let half = next.contents(name).count / 2
        var found = 0
        for slot in 0..<2 {
            let bytes = Array(next.contents(name)[slot * half..<slot * half + half])
            guard var value = unsafe try? CheckpointSlot(decoding: bytes.span.bytes) else { continue }
            guard !value.snapshot.client.isEmpty else { continue }
            value.snapshot.client = try change(value.snapshot.client)
            let encoded = try value.encode()
            next.change(name) { $0.replaceSubrange(slot * half..<slot * half + encoded.count, with: encoded) }
            found += 1
        }
        #expect(found > 0)
        return next
    }

    /// Row 37. Its events must not be let go, and this version does not know of which it has need.
    @Test func aSnapshotOfAnotherConsumerGroupIsRefusedUntouched() throws {
        let changes: [(inout ClientState) -> Void] = [
            { $0.groups.append(ClientState.Group(name: "another")) }, { $0.groups[0].name = "another" },
        ]
        for change in changes {
            let world = try withPointers(change)
            let files = world.names().filter { $0 != "pid" }
            let before = files.map { world.contents($0) }
            let error = failure { try world.open() }
            #expect(
                error?.code == .newerVersion && error?.message.contains("'another'") == true,
                "\(String(describing: error))")
            #expect(files.map { world.contents($0) } == before)
        }
    }

    @Test func countsOfASnapshotThatDoNotAddUpAreSetFromTheSequences() throws {
        for (taken, dropped, lost) in [(0, 0, 0), (3, 1, 0), (1000, 0, 0), (.max, .max, .max), (.max, 4, 0)]
            as [(UInt64, UInt64, UInt64)]
        {
            let world = try withPointers {
                $0.groups[0].taken = taken
                $0.groups[0].droppedByOverflow = dropped
                $0.groups[0].lost = lost
            }
            let channel = try world.copy().open()
            #expect(channel.isBalanced && channel.metrics.putEvents == 10)
            #expect(channel.recoveryReport.remarks.contains { $0.contains("counts") })
            #expect(try channel.take().tags == Array(3..<10))
            #expect(try expectSound(world, "\(taken), \(dropped), \(lost)") == nil)
        }
    }

    @Test func pointersBeyondTheEndOfTheLogAreCutBackToIt() throws {
        let changes: [(inout ClientState.Group) -> Void] = [
            { $0.acknowledgedBelow = EventSequence(1 << 62) }, { $0.acknowledgedBelow = EventSequence(12) },
            { $0.acknowledgedBelow = EventSequence(.max) },
            { $0.acknowledged = [CapacityTests.range(6, 1 << 50)] },
            { $0.acknowledged = [CapacityTests.range(1 << 60, 1 << 61)] },
            { $0.leaseLimit = EventSequence(.max) }, { $0.leaseLimit = EventSequence(0) },
            { $0.acknowledged = (0..<100).map { CapacityTests.range(100 + 4 * $0, 102 + 4 * $0) } },
        ]
        for (index, change) in changes.enumerated() {
            do {
                let world = try withPointers { change(&$0.groups[0]) }
                try expectSound(world, "change \(index)")
            } catch is FormatError {
                // It cannot be encoded, so it cannot be on a disk with a right checksum.
            }
        }
    }

    @Test func producersAndCountsOfASnapshotThatNobodyCanHaveAreHarmless() throws {
        let stamp = ProducerStamp(id: ProducerID(high: 1, low: 1), sequence: 1)
        let changes: [(inout ClientState) -> Void] = [
            { $0.producers[0].eventCount = .max }, { $0.producers[0].firstSequence = EventSequence(.max) },
            { $0.producers[0].firstSequence = EventSequence(1 << 62) },
            { $0.producers[0].firstSequence = EventSequence(0) },
            { $0.producers[0].lsn = LSN(segment: SegmentNumber(.max), offset: .max) },
            { $0.producers[0].producerSequence = .max },
            {
                $0.deliveryCounts = [
                    ClientState.DeliveryCount(groupIndex: 0, sequence: EventSequence(1 << 62), count: .max)
                ]
            },
            { $0.deliveryCounts = [ClientState.DeliveryCount(groupIndex: 0, sequence: EventSequence(5), count: .max)] },
            { $0.deliveryCounts = [ClientState.DeliveryCount(groupIndex: 63, sequence: EventSequence(5), count: 3)] },
            { $0.groups = [] },
            { $0.groups.append(ClientState.Group(name: "another")) },
            { $0.groups[0].name = "another" },
        ]
        for (index, change) in changes.enumerated() {
            let world: World
            do { world = try withPointers(change) } catch is FormatError { continue }
            if let channel = try? world.copy().open() {
                for sequence in [1, 2, .max, .max - 1] as [UInt64] {
                    let error = failure {
                        try channel.put(tags: [5], producer: ProducerStamp(id: stamp.id, sequence: sequence))
                    }
                    #expect(error == nil || error?.code == .staleProducer)
                }
                for _ in 0..<2 {
                    let take = try channel.beginTake()
                    take.rollback()
                }
                #expect(channel.isBalanced)
                try channel.close()
            }
            try expectSound(world, "change \(index)")
        }
    }

    @Test(arguments: 1...40) func randomBytesInTheChannelsPartOfASnapshotAreDamageOrNothing(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let world = try withPointers { (bytes: [UInt8]) in
            var bytes = bytes
            for _ in 0..<Int(random.next() % 6) + 1 {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 255)
            }
            return bytes
        }
        try expectSound(world, "seed \(seed)")
    }
}

extension [UInt8] {
    /// Where these 8 bytes of a number stand first.
    fileprivate func place(of number: UInt64) -> Int? {
        (0..<Swift.max(0, count - 7)).first { storing(number, at: $0) == self }
    }

    fileprivate func storing(_ number: UInt64, at place: Int) -> [UInt8] {
        var bytes = self
        for index in 0..<8 { bytes[place + index] = UInt8(truncatingIfNeeded: number >> (8 * UInt64(index))) }
        return bytes
    }
}
