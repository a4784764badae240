import CrashHarness
import LogFormat
import SimulatedFileIO
import Testing

@testable import DurableChannel

/// Takes of a full channel go on in two small reserves, in turn: the one that is full goes when a snapshot covers it.
@Suite struct ReserveTests {
    /// Everything is full, and a commit has begun that its thread does not come to append.
    private static func full(_ world: World) throws -> (channel: FileChannel, heldUp: UInt64) {
        let channel = try world.open(World.small())
        // Many in each segment, so that none is let go for what is taken here.
        _ = try channel.fill(bytes: 20, perTransaction: 50)
        world.disk.options.capacityBytes = world.disk.allocatedBytes()
        return (channel, channel.ledger.lock.withLock { channel.ledger.state.beginCommit() })
    }

    /// One event after the other; the first error.
    private static func take(_ most: Int, from channel: FileChannel) -> (taken: Int, error: ChannelError?) {
        for taken in 0..<most {
            do throws(ChannelError) { _ = try channel.take(1) } catch { return (taken, error) }
        }
        return (most, nil)
    }

    @Test func aTakeWaitsForTheReserveThatACommitWhichWasHeldUpKeeps() throws {
        // As many as there is room for while nothing comes back.
        let (first, _) = try Self.full(World())
        let (count, error) = Self.take(1000, from: first)
        #expect(error?.code == .full)
        #expect(count > 4)

        let world = World()
        let (channel, heldUp) = try Self.full(world)
        #expect(Self.take(count, from: channel).error == nil)
        world.runtime.schedule(after: 5_000_000) {
            channel.ledger.lock.withLock { channel.ledger.state.endCommit(heldUp, nil) }
        }
        #expect(Self.take(1, from: channel).error == nil)
        #expect(channel.isBalanced)
    }

    @Test func whatKeepsTheReserveForGoodIsToldAndTheEventsComeAgain() throws {
        let (channel, heldUp) = try Self.full(World())
        let (count, error) = Self.take(1000, from: channel)
        #expect(error?.code == .full)
        #expect(channel.metrics.takenEvents == UInt64(count))
        channel.ledger.lock.withLock { channel.ledger.state.endCommit(heldUp, nil) }
        let take = try channel.beginTake(maxEvents: 1)
        #expect(take.events.first?.sequence == EventSequence(UInt64(count + 1)))
        #expect(take.events.first?.isRedelivered == true)
        try take.commit()
        #expect(channel.isBalanced)
    }
}
