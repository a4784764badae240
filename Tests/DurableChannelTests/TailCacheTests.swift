import LogFormat
import Testing

@testable import DurableChannel

/// What is kept in memory for takers: what they come to next.
@Suite struct TailCacheTests {
    /// Puts of 100 bytes and 10 events each, in a cache that has room for three of them.
    private static func put(_ number: UInt64) -> RecentPut {
        RecentPut(
            base: EventSequence(10 * number), eventCount: 10,
            lsn: LSN(segment: SegmentNumber(1), offset: 8192 + number),
            commitTime: 0, raw: [UInt8](repeating: UInt8(number), count: 100))
    }

    private static func cache(puts: Range<UInt64>, handedOut: UInt64) -> TailCache {
        var cache = TailCache(limitBytes: 300)
        for number in puts { cache.insert(put(number), handedOut: EventSequence(handedOut)) }
        return cache
    }

    private static func found(_ cache: TailCache) -> [UInt64] {
        (0..<20).filter { cache.find(EventSequence(10 * $0 + 5))?.base == EventSequence(10 * $0) }
    }

    @Test func ofABacklogTheOldestAreKept() {
        #expect(Self.found(Self.cache(puts: 0..<10, handedOut: 0)) == [0, 1, 2])
    }

    @Test func whatWasHandedOutMakesRoom() {
        var cache = Self.cache(puts: 0..<3, handedOut: 0)
        // Not all of the second one was handed out.
        cache.insert(Self.put(3), handedOut: EventSequence(19))
        #expect(Self.found(cache) == [1, 2, 3])
        cache.insert(Self.put(4), handedOut: EventSequence(19))
        #expect(Self.found(cache) == [1, 2, 3])
        cache.insert(Self.put(5), handedOut: EventSequence(40))
        #expect(Self.found(cache) == [2, 3, 5])
    }

    @Test func behindABacklogItBeginsAgainOnlyWhenTakersHaveComeToItsEnd() {
        var cache = Self.cache(puts: 0..<10, handedOut: 0)
        cache.forget(below: EventSequence(20))
        cache.insert(Self.put(10), handedOut: EventSequence(20))
        #expect(Self.found(cache) == [2], "there is room, but a hole would be before it")
        cache.insert(Self.put(11), handedOut: EventSequence(30))
        cache.insert(Self.put(12), handedOut: EventSequence(30))
        #expect(Self.found(cache) == [2, 11, 12])
    }

    @Test func whenAllIsDecidedItBeginsAgain() {
        var cache = Self.cache(puts: 0..<10, handedOut: 0)
        cache.forget(below: EventSequence(30))
        cache.insert(Self.put(10), handedOut: EventSequence(30))
        #expect(Self.found(cache) == [10])
    }

    @Test func aPutThatComesLateStandsInItsPlace() {
        var cache = TailCache(limitBytes: 300)
        for number: UInt64 in [1, 0, 2] { cache.insert(Self.put(number), handedOut: EventSequence(0)) }
        #expect(Self.found(cache) == [0, 1, 2])
    }

    @Test func onePutThatIsLargerThanTheCacheIsNotKeptAndTakesNothingAway() {
        var cache = Self.cache(puts: 0..<3, handedOut: 0)
        var large = Self.put(3)
        large.raw = [UInt8](repeating: 0, count: 301)
        cache.insert(large, handedOut: EventSequence(30))
        #expect(cache.find(EventSequence(35)) == nil)
        #expect(Self.found(cache) == [0, 1, 2])
    }
}
