import LogFormat
import SegmentedLog
import Testing

/// What `walcrash bits` has found.
@Suite struct FoundByEveryBitTests {
    /// A log that was killed: ten puts, a checkpoint that is newer than its client's state and vouches for them, and two more puts
    /// that were acknowledged.
    private static func killedBehindACheckpoint() throws -> (World, DurableThrough) {
        let first = World()
        let state = StateBox()
        let log = try Log.open(
            at: World.path, fileSystem: first.system, runtime: first.runtime, configuration: World.small(),
            clientState: { state.value! })
        state.value = ClientCheckpoint(through: log.durableThrough, bytes: [7])
        for index in 0..<10 { _ = try log.append([put(index, bytes: 400)]) }
        let proven = log.durableThrough
        try log.checkpoint()
        for index in 10..<12 { _ = try log.append([put(index, bytes: 400)]) }
        return (first.afterPowerCut(), proven)
    }

    /// Rows 16 and 17: the checkpoint vouches for a part of what the file does not hold any more. That much was counted as lost, and
    /// the rest, acknowledged as well, was missed by nobody; its numbers were given again.
    @Test func whatAShortSegmentHeldBehindTheLastStatementIsNotNumberedAgain() throws {
        let (whole, proven) = try Self.killedBehindACheckpoint()
        for size in stride(from: 8192, to: Int(proven.lsn.offset), by: 512) {
            let world = whole.copy()
            world.truncate(World.segment(1), to: size)
            let log = try world.open()
            #expect(try log.append([put(12)]).sequences.lowerBound >= 13, "cut at \(size): \(log.recoveryReport)")
        }
    }

    /// The same, when nothing stands in the newest segment any more, and it is as long as before.
    @Test func whatAWipedSegmentHeldBehindTheLastStatementIsNotNumberedAgain() throws {
        let (world, _) = try Self.killedBehindACheckpoint()
        let size = world.contents(World.segment(1)).count
        world.setContents(World.segment(1), [UInt8](repeating: 0, count: size))
        let log = try world.open()
        #expect(try log.append([put(12)]).sequences.lowerBound >= 13, "\(log.recoveryReport)")
    }
}
