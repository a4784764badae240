import FileIO
import LogFormat
import SegmentedLog
import SimulatedFileIO
import TestSupport
import Testing

/// A segment read through without a log: all checksums, and what they do not cover.
@Suite struct SegmentCheckTests {
    /// Four puts of two events in the first segment, the log closed.
    private static func make() throws -> World {
        let world = World()
        let log = try world.open()
        for tag in 0..<4 { _ = try log.append([put(tag, events: 2, bytes: 300)]) }
        try log.close()
        return world
    }

    private static func check(_ world: World) throws -> SegmentCheck {
        try SegmentCheck(SegmentNumber(1), in: try world.system.openDirectory(at: World.path))
    }

    @Test func aWholeSegmentHasAllItsFramesAndEvents() throws {
        let world = try Self.make()
        let check = try Self.check(world)
        let frames = try world.frames(1)
        #expect(check.frames == frames.count)
        #expect(check.events == 8)
        #expect(check.identities == 2)
        #expect(check.damagedRanges == 0 && check.damaged.isEmpty)
        #expect(check.checkedBytes == UInt64(world.contents(World.segment(1)).count))
    }

    @Test func aSealEndsIt() throws {
        let world = World()
        let log = try world.open()
        for tag in 0..<20 { _ = try log.append([put(tag, bytes: 900)]) }
        try log.close()
        let seal = try #require(try world.frames(1).last { $0.header.type == .seal })
        let check = try Self.check(world)
        #expect(check.checkedBytes == UInt64(seal.end))
        #expect(check.damagedRanges == 0)
    }

    /// Every bit of every frame is covered by a checksum or compared.
    @Test func aFlippedBitAnywhereCostsTheFrameItStandsIn() throws {
        let world = try Self.make()
        let whole = try Self.check(world)
        let frames = try world.frames(1)
        let stride = TestDepth.pick(sample: 101, part: 7, whole: 1)
        for frame in frames {
            for offset in Swift.stride(from: frame.offset, to: frame.end, by: stride) {
                world.flip(World.segment(1), at: offset, bit: UInt8(offset % 8))
                let check = try Self.check(world)
                #expect(check.frames == whole.frames - 1, "at \(offset)")
                // Of the last one its header is all that is known, and only when that is whole.
                let isSeen = frame.offset != frames.last!.offset || offset >= frame.offset + FrameHeader.byteCount
                #expect(
                    check.damaged == (isSeen ? [UInt64(frame.offset)..<UInt64(frame.end)] : []), "at \(offset)")
                world.flip(World.segment(1), at: offset, bit: UInt8(offset % 8))
            }
        }
    }

    @Test func oneCopyOfTheIdentityIsEnoughAndNoneIsAnError() throws {
        let world = try Self.make()
        world.spoilIdentity(1, copies: [0])
        #expect(try Self.check(world).identities == 1)
        world.spoilIdentity(1, copies: [1])
        #expect { try Self.check(world) } throws: { ($0 as? LogError)?.code == .damaged }
    }

    @Test func aMissingSegmentIsAnError() throws {
        let world = try Self.make()
        let directory = try world.system.openDirectory(at: World.path)
        #expect { try SegmentCheck(SegmentNumber(9), in: directory) } throws: {
            ($0 as? LogError)?.code == .fileOperation
        }
    }

    @Test func aFileThatWasCutIsCheckedToItsEnd() throws {
        let world = try Self.make()
        let frames = try world.frames(1)
        world.truncate(World.segment(1), to: frames[2].offset + 100)
        let check = try Self.check(world)
        #expect(check.frames == 2)
        #expect(check.damaged == [UInt64(frames[2].offset)..<UInt64(frames[2].offset + 100)])
    }

    /// Nothing that stands behind the identity makes it trap, hang, or lose count.
    @Test func anyBytesGiveAnAnswer() throws {
        let world = try Self.make()
        let name = World.segment(1)
        let original = world.contents(name)
        var random = SeededRandom(seed: 7)
        for _ in 0..<TestDepth.pick(sample: 10, part: 50, whole: 300) {
            var bytes = original
            // Pieces of it, in other places, so that magics stand everywhere.
            for _ in 0..<20 {
                let length = Int(random.next() % 400)
                let from = 8192 + Int(random.next() % 2000)
                let to = 8192 + Int(random.next() % UInt64(bytes.count - 8192 - length))
                bytes.replaceSubrange(to..<to + length, with: original[from..<from + length])
            }
            world.setContents(name, bytes)
            let check = try Self.check(world)
            #expect(check.damaged.count == min(check.damagedRanges, SegmentCheck.mostRanges))
            #expect(check.checkedBytes <= UInt64(bytes.count))
        }
    }

    @Test func whatTheDiskDoesNotGiveIsDamaged() throws {
        let world = try Self.make()
        let frames = try world.frames(1)
        let sector = UInt64(frames[1].offset) / 512 * 512
        world.disk.faults.add(World.unreadable(1, sector..<sector + 512))
        let check = try Self.check(world)
        #expect(check.frames < frames.count)
        #expect(check.damagedRanges == 1)
    }

    @Test func anEndThatTheDiskDoesNotGiveIsDamagedToo() throws {
        for behind in [0, 2048] {
            let world = try Self.make()
            let frames = try world.frames(1)
            let sector = UInt64(frames.last!.offset) / 512 * 512 + UInt64(behind)
            world.disk.faults.add(World.unreadable(1, sector..<sector + 512))
            let check = try Self.check(world)
            #expect(check.damagedRanges == 1, "\(behind) behind the last frame")
            #expect(check.damaged.last?.upperBound == UInt64(world.contents(World.segment(1)).count))
        }
    }
}
