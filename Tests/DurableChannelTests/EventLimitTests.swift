import CrashHarness
import SimulatedFileIO
import Testing
import TestSupport

@testable import DurableChannel

/// Sizes and numbers at their edges: each beyond it has its typed error, and the transaction can be used after it.
@Suite struct EventLimitTests {
    /// Large enough for the largest event and transaction; on a real disk, since that many bytes are much for a simulated one.
    private func withLargeChannel(_ body: (FileChannel) throws -> Void) throws {
        try TestFiles.withDirectory { root in
            var configuration = ChannelConfiguration(capacityBytes: 1 << 30)
            configuration.segmentBytes = 8 << 20
            configuration.compression = .none
            configuration.whenFull = .reject
            configuration.tailCacheBytes = 1 << 20
            let channel = try FileChannel.open(at: root + "/c", configuration: configuration)
            try body(channel)
            try channel.close()
        }
    }

    // MARK: Events

    /// Row 38.
    @Test func anEventWithoutABodyAndOneWithoutAnythingAreEvents() throws {
        let world = World()
        let channel = try world.open()
        var put = try channel.beginPut()
        try put.append(body: "")
        try put.append(Event(headers: ["only": "a header"], body: ""))
        try put.append(Event(body: "", extensionsForTest: [.priority(3), .traceID(high: 1, low: 2)]))
        #expect(try put.commit().sequences == 1..<4)
        for open in [channel, try world.afterPowerCut().open()] {
            let events = try open.take()
            #expect(events.numbers == [1, 2, 3])
            #expect(events.allSatisfy { $0.body.isEmpty && $0.bodyBytes == 0 })
            #expect(events.map(\.headers.count) == [0, 1, 0])
            #expect(events[2].extensions == [.priority(3), .traceID(high: 1, low: 2)])
            #expect(open.isBalanced)
        }
    }

    /// Row 38.
    @Test func aBodyOf16MebibytesIsTakenAndOneByteMoreIsInvalid() throws {
        try withLargeChannel { channel in
            let largest = 16 << 20
            var put = try channel.beginPut()
            #expect(failure { try put.append(body: body(1, largest + 1)) }?.code == .invalidEvent)
            #expect(put.eventCount == 0)
            try put.append(body: body(2, largest))
            try put.append(body: body(3))
            #expect(try put.commit().sequences == 1..<3)
            // One event is handed out whatever its size, and no more than one.
            let take = try channel.beginTake(maxBytes: 1000)
            let events = Array(take.events)
            #expect(events.tags == [2])
            #expect(Array(events[0].body) == body(2, largest))
            try take.commit()
            #expect(try channel.take().tags == [3])
        }
    }

    /// Row 38.
    @Test func aTransactionOf64MebibytesIsTakenAndOneByteMoreIsTooLarge() throws {
        try withLargeChannel { channel in
            var put = try channel.beginPut()
            for tag in 0..<3 { try put.append(body: body(tag, 16 << 20)) }
            let rest = (64 << 20) - put.encodedBytes
            #expect(failure { try put.append(body: body(3, rest)) }?.code == .transactionTooLarge)
            #expect(put.eventCount == 3)
            // Its own 8 bytes and up to 8 of padding.
            try put.append(body: body(3, rest - 24))
            #expect((64 << 20) - put.encodedBytes <= 16)
            #expect(failure { try put.append(body: body(4)) }?.code == .transactionTooLarge)
            #expect(try put.commit().sequences == 1..<5)
            let take = try channel.beginTake(maxBytes: .max)
            #expect(take.events.map(\.bodyBytes) == [16 << 20, 16 << 20, 16 << 20, rest - 24])
            #expect(take.events.map(\.tag) == [0, 1, 2, 3])
            try take.commit()
        }
    }

    /// Row 38. Also where the transaction has claimed more than that, and nothing else of the event need be looked at.
    @Test func aRepeatWithABodyOfMoreThan16MebibytesIsInvalidToo() throws {
        try withLargeChannel { channel in
            var put = try channel.beginPut()
            // Claims double: 64 MiB now.
            for bytes in [16 << 20, 16 << 20, 40_000] { try put.append(body: body(1, bytes)) }
            #expect(failure { try put.append(body: body(2, (16 << 20) + 1)) }?.code == .invalidEvent)
            #expect(put.eventCount == 3)
            put.rollback()
        }
    }

    /// Row 38. What a bookmark takes is not there for events, however they are appended.
    @Test func aTransactionWithABookmarkTakesRepeatsUpTo64MebibytesAndStaysUsable() throws {
        try withLargeChannel { channel in
            var put = try channel.beginPut()
            try put.setBookmark("b", [UInt8](repeating: 1, count: 30_000))
            for tag in 0..<3 { try put.append(body: body(tag, 16 << 20)) }
            let rest = (64 << 20) - put.encodedBytes - 8
            for bytes in [rest, rest - 29_000] {
                #expect(failure { try put.append(body: body(3, bytes)) }?.code == .transactionTooLarge)
            }
            #expect(put.eventCount == 3)
            try put.append(body: body(3, rest - 30_100))
            #expect(try put.commit().sequences == 1..<5)
            #expect(channel.bookmark("b")?.count == 30_000)
        }
    }

    // MARK: Headers

    @Test func headersAtTheirLimitsAreTakenAndThoseBeyondAreInvalid() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        let longKey = String(repeating: "k", count: 255)
        let longValue = String(repeating: "v", count: 65_536)
        var put = try channel.beginPut()
        let bad: [[EventHeader]] = [
            [EventHeader(key: "", value: "v")],
            [EventHeader(key: longKey + "k", value: "v")],
            [EventHeader(key: String(repeating: "\u{E9}", count: 128), value: "v")],
            [EventHeader(key: "k", value: longValue + "v")],
            (0..<1025).map { EventHeader(key: "\($0)", value: "v") },
            [
                EventHeader(key: "twice", value: "a"), EventHeader(key: "once", value: "b"),
                EventHeader(key: "twice", value: "c"),
            ],
            (0..<600).map { EventHeader(key: "\($0 % 599)", value: "v") },
        ]
        for headers in bad {
            let error = failure { try put.append(Event(headers: headers, body: body(0))) }
            #expect(error?.code == .invalidEvent, "\(headers.count) headers")
            #expect(put.eventCount == 0)
        }
        let good: [[EventHeader]] = [
            [EventHeader(key: "k", value: "")],
            [EventHeader(key: longKey, value: longValue)],
            [EventHeader(key: String(repeating: "\u{E9}", count: 127) + "e", value: "v")],
            (0..<1024).map { EventHeader(key: "\($0)", value: "\($0)") },
            // Not ASCII; and two keys that are equal as text and differ in their bytes.
            [
                EventHeader(key: "\u{1F30A}\u{65E5}\u{672C}", value: "wave"), EventHeader(key: "\u{E9}", value: "one"),
                EventHeader(key: "e\u{301}", value: "two"),
            ],
        ]
        for headers in good { try put.append(Event(headers: headers, body: body(1))) }
        #expect(try put.commit().sequences == 1..<6)
        for open in [channel, try world.afterPowerCut().open(World.roomy())] {
            let events = try open.take()
            #expect(events.map { $0.headers.map { Array($0.key.utf8) } } == good.map { $0.map { Array($0.key.utf8) } })
            #expect(events.map { $0.headers.map(\.value) } == good.map { $0.map(\.value) })
            #expect(events[4].header("\u{E9}").map(Array.init) == Array("one".utf8))
            #expect(events[4].header("e\u{301}").map(Array.init) == Array("two".utf8))
            #expect(events[3].header("1023").map(Array.init) == Array("1023".utf8))
            #expect(events[3].header("1024") == nil)
        }
    }

    // MARK: Bookmarks

    @Test func bookmarksAtTheirLimitsAreTakenAndThoseBeyondAreInvalid() throws {
        let world = World()
        let channel = try world.open(ChannelConfiguration(capacityBytes: 64 << 20))
        let longName = String(repeating: "n", count: 255)
        var put = try channel.beginPut()
        for (name, bytes) in [
            ("", 1), (longName + "n", 1), (String(repeating: "\u{E9}", count: 128), 1), ("n", 65_537),
        ] {
            let error = failure { try put.setBookmark(name, [UInt8](repeating: 7, count: bytes)) }
            #expect(error?.code == .invalidBookmark, "a name of \(name.utf8.count) bytes, a value of \(bytes)")
        }
        try put.setBookmark(longName, [])
        try put.setBookmark("twice", [1])
        try put.setBookmark("twice", [2])
        try put.append(body: body(1))
        try put.commit()
        #expect(channel.bookmark(longName) == [])
        #expect(channel.bookmark("twice") == [2])
        // All together 65,536 bytes: a value of that size has no room beside them, and not under any name.
        let whole = [UInt8](repeating: 9, count: 65_536 - longName.utf8.count - "twice".utf8.count - 1 - "n".utf8.count)
        #expect(failure { try channel.setBookmark("n", whole + [9]) }?.code == .invalidBookmark)
        #expect(channel.bookmark("n") == nil)
        try channel.setBookmark("n", whole)
        #expect(channel.bookmark("n") == whole)
        #expect(failure { try channel.setBookmark("m", []) }?.code == .invalidBookmark)
        try channel.setBookmark("n", [3])
        try channel.setBookmark("m", [])
        #expect(channel.bookmark("nobody") == nil)
        #expect(try channel.take().tags == [1])
    }

    @Test func bookmarksAreAsManyAs4096AndOneMoreIsInvalidWithoutAnyOfItsEvents() throws {
        let world = World()
        let configuration = ChannelConfiguration(capacityBytes: 64 << 20)
        let channel = try world.open(configuration)
        for start in stride(from: 0, to: 4096, by: 512) {
            var put = try channel.beginPut()
            for index in start..<start + 512 { try put.setBookmark("\(index)", Array("\(index)".utf8)) }
            try put.commit()
        }
        var put = try channel.beginPut()
        try put.append(body: body(1))
        try put.setBookmark("one more", [])
        #expect(commitFailure(put)?.code == .invalidBookmark)
        #expect(channel.metrics.putEvents == 0)
        try channel.setBookmark("17", [1])
        try channel.checkpoint()
        for open in [channel, try world.afterPowerCut().open(configuration)] {
            #expect(open.bookmark("17") == [1])
            #expect((0..<4096).allSatisfy { open.bookmark("\($0)") == ($0 == 17 ? [1] : Array("\($0)".utf8)) })
            #expect(failure { try open.setBookmark("one more", []) }?.code == .invalidBookmark)
        }
    }

    @Test func namesOfBookmarksThatDifferInTheirBytesAreDifferentNames() throws {
        let world = World()
        let channel = try world.open()
        var put = try channel.beginPut()
        try put.setBookmark("\u{E9}", [1])
        try put.setBookmark("e\u{301}", [2])
        try put.commit()
        let take = try channel.beginTake()
        take.rollback()
        try channel.setBookmark("E", [3])
        for open in [channel, try world.afterPowerCut().open()] {
            #expect(open.bookmark("\u{E9}") == [1])
            #expect(open.bookmark("e\u{301}") == [2])
            #expect(open.bookmark("e") == nil)
        }
    }

    // MARK: Takes

    @Test func aTakeGivesAsManyEventsAsItIsAskedFor() throws {
        let channel = try World().open(World.roomy())
        try channel.put(tags: 0..<50, bytes: 1000)
        try channel.put(tags: 50..<100, bytes: 1000)
        #expect(failure { _ = try channel.beginTake(maxEvents: 0) }?.code == .configuration)
        #expect(failure { _ = try channel.beginTake(maxEvents: -1) }?.code == .configuration)
        #expect(failure { _ = try channel.beginTake(group: "another") }?.code == .unsupported)
        #expect(channel.metrics.openTakes == 0)
        #expect(try channel.take(1).tags == [0])
        #expect(try channel.take(60).tags == Array(1..<61))
        #expect(try channel.take(.max).tags == Array(61..<100))
        #expect(try channel.take(.max).isEmpty)
    }

    @Test func aTakeGivesNoMoreOnceItsBytesAreReachedAndOneEventAtLeast() throws {
        let channel = try World().open(World.roomy())
        try channel.put(tags: 0..<20, bytes: 1000)
        for bytes in [.min, -1, 0, 1, 1000] {
            let take = try channel.beginTake(maxBytes: bytes)
            #expect(take.events.count == 1, "maxBytes \(bytes)")
            take.rollback()
        }
        let take = try channel.beginTake(maxBytes: 5000)
        #expect((4...5).contains(take.events.count))
        take.rollback()
        let all = try channel.beginTake(maxBytes: .max)
        #expect(all.events.count == 20)
    }

    @Test func aTakeHasAtMost64RangesAndTheRestComesWithTheNextOne() throws {
        let world = World()
        let configuration = ChannelConfiguration(capacityBytes: 16 << 20)
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<200)
        let singles = try (0..<140).map { _ in try OpenTake(channel, 1) }
        for (index, take) in singles.enumerated() { if index % 2 == 0 { try take.commit() } else { take.rollback() } }
        let first = try channel.beginTake(maxEvents: 1000)
        #expect(first.events.map(\.tag) == (0..<64).map { 2 * $0 + 1 })
        let second = try channel.beginTake(maxEvents: 1000)
        // The last of them touches what was never handed out.
        #expect(second.events.map(\.tag) == [129, 131, 133, 135, 137] + Array(139..<200))
        try first.commit()
        let after = try world.afterPowerCut().open(configuration)
        #expect(after.metrics.takenEvents == 70 + 64 && after.isBalanced)
        #expect(try after.take().tags == [129, 131, 133, 135, 137] + Array(139..<200))
        try second.commit()
        #expect(channel.metrics.heldEvents == 0)
    }

    /// A take holds the frames that its events stand in, whole. Between the first and the last of a run of sequences
    /// each frame is taken whole, so beside `maxBytes` it is two frames for each run, and a run more than one needs a
    /// rolled-back take.
    @Test(arguments: 1...8) func aTakeHoldsItsBytesAndTwoFramesForEachRunOfItsEvents(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let channel = try World(seed: UInt64(seed)).open(
            ChannelConfiguration(capacityBytes: 16 << 20))
        var largestFrame = 0
        var largestEvent = 0
        for tag in 0..<60 {
            var put = try channel.beginPut()
            for _ in 0...Int(random.next() % 20) {
                let bytes = [10, 100, 5000, 20_000].randomElement(using: &random)!
                try put.append(body: body(tag, bytes))
                largestEvent = max(largestEvent, bytes + 8)
            }
            largestFrame = max(largestFrame, put.encodedBytes + 8)
            try put.commit()
        }
        // Holes: every few events one that is rolled back later.
        var held: [OpenTake] = []
        if seed % 2 == 0 {
            for _ in 0..<100 {
                let take = try OpenTake(channel, 1 + Int(random.next() % 3))
                if random.next() % 2 == 0 { try take.commit() } else { held.append(take) }
            }
            for take in held { take.rollback() }
        }
        var shortest = Int.max
        while true {
            let maxBytes = [0, 1000, 30_000, 300_000].randomElement(using: &random)!
            let take = try channel.beginTake(maxEvents: 200, maxBytes: maxBytes)
            guard !take.isEmpty else { break }
            let numbers = take.events.map(\.sequence.rawValue)
            let runs = 1 + zip(numbers, numbers.dropFirst()).count { $1 != $0 + 1 }
            #expect(runs <= 64)
            let bound = maxBytes + largestEvent + 2 * runs * largestFrame
            #expect(take.events.heldBytes <= bound, "\(runs) runs")
            shortest = min(shortest, take.events.reduce(0) { $0 + $1.bodyBytes })
            try take.commit()
        }
        #expect(shortest < largestFrame)
    }

    @Test func asManyAs1024TakesAreOpenAndOneMoreIsRefused() throws {
        let world = World()
        let configuration = ChannelConfiguration(capacityBytes: 128 << 20)
        let channel = try world.open(configuration)
        try channel.put(tags: 0..<3000)
        var takes = try (0..<1024).map { _ in try OpenTake(channel, 1) }
        #expect(channel.metrics.openTakes == 1024)
        #expect(failure { _ = try channel.beginTake() }?.code == .tooManyTakes)
        #expect(channel.metrics.openTakes == 1024)
        for index in stride(from: 0, to: 1024, by: 2) { try takes[index].commit() }
        try channel.checkpoint()
        for index in stride(from: 0, to: 1024, by: 2) { takes[index] = try OpenTake(channel, 1) }
        #expect(failure { _ = try channel.beginTake() }?.code == .tooManyTakes)
        let after = try world.afterPowerCut().open(configuration)
        #expect(after.metrics.takenEvents == 512 && after.isBalanced)
        #expect(try after.drain(perCommit: 500) == (0..<512).map { 2 * $0 + 1 } + Array(1024..<3000))
        for take in takes { take.rollback() }
        #expect(channel.metrics.openTakes == 0 && channel.metrics.inFlightEvents == 0)
        #expect(try channel.drain(perCommit: 500).count == 3000 - 512)
    }

    /// In a small channel the ranges between open takes are fewer; whatever is open, a snapshot has room for it.
    @Test func rangesBetweenTakesAreBoundedAndTheirSnapshotHasRoom() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<2000)
        var open: [OpenTake] = []
        var refused: ChannelError?
        // Every second one is committed, so that none of those that stay touch.
        while refused == nil, open.count < 2000 {
            do throws(ChannelError) {
                let gap = try OpenTake(channel, 1)
                open.append(try OpenTake(channel, 1))
                try gap.commit()
            } catch {
                refused = error
            }
        }
        #expect(refused?.code == .tooManyTakes)
        #expect(open.count > 50, "\(open.count) takes")
        try channel.checkpoint()
        for take in open { take.rollback() }
        try channel.checkpoint()
        let held = channel.metrics.heldEvents
        // A single take goes on, however many ranges are left.
        #expect(try channel.drain(perCommit: 100).count == Int(held))
        #expect(channel.isBalanced && channel.metrics.heldEvents == 0)
    }

    @Test func deliveryCountsAreKeptForTheLowestEventsOnlyAndTheirSnapshotHasRoom() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: 0..<500)
        for _ in 0..<3 {
            let take = try channel.beginTake(maxEvents: 500)
            #expect(take.events.count == 500)
            take.rollback()
            world.settle()
        }
        try channel.checkpoint()
        try channel.put(tags: [500])
        // From the checkpoint, and without it from the records.
        let withCheckpoint = world.afterPowerCut()
        let without = world.afterPowerCut()
        without.remove("checkpoint")
        for open in [channel, try withCheckpoint.open(World.roomy()), try without.open(World.roomy())] {
            let counts = try open.take(501).map(\.deliveryCount)
            let kept = counts.prefix { $0 == 3 }.count
            #expect(kept >= 16 && kept < 500, "\(kept) are kept")
            #expect(counts.dropFirst(kept).allSatisfy { $0 == 0 })
            try open.checkpoint()
        }
    }

    @Test func producersBeyondTheLimitAreForgottenOldestFirstAndCounted() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        func stamp(_ index: Int) -> ProducerStamp {
            ProducerStamp(id: ProducerID(high: 1, low: UInt64(index + 1)), sequence: 1)
        }
        for index in 0..<200 { try channel.put(tags: [index], producer: stamp(index)) }
        let evicted = Int(channel.metrics.evictedProducers)
        #expect(evicted > 0 && evicted < 190)
        try channel.checkpoint()
        for index in 200..<300 { try channel.put(tags: [index], producer: stamp(index)) }
        #expect(Int(channel.metrics.evictedProducers) == evicted + 100)
        // Without a checkpoint since, so that replay sees more of them than are kept.
        let after = world.afterPowerCut()
        let again = try after.open(World.roomy())
        try again.checkpoint()
        for open in [channel, again] {
            let first = evicted + 100
            for index in first..<300 {
                #expect(try open.put(tags: [index], producer: stamp(index)).isRepeat, "\(index)")
            }
            #expect(try !open.put(tags: [0], producer: stamp(first - 1)).isRepeat)
            #expect(open.metrics.repeatedCommits == UInt64(300 - first))
        }
    }
}

extension Event {
    fileprivate init(body: String, extensionsForTest extensions: [EventExtension]) {
        self.init(headers: [], extensions: extensions, body: Array(body.utf8))
    }
}

extension TakenEvents {
    /// Bytes of the frames that it keeps in memory, each once.
    fileprivate var heldBytes: Int {
        var frames: [ObjectIdentifier: Int] = [:]
        for piece in pieces { frames[ObjectIdentifier(piece.frame)] = piece.frame.raw.count }
        return frames.values.reduce(0, +)
    }
}
