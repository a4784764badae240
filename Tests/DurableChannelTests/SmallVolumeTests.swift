import CrashHarness
import DurableChannel
import FileIO
import Glibc
import TestSupport
import Testing

/// Row 25, P9: a real disk that fills. Needs a file system of 16 to 64 MiB of its own, which tools/test mounts where it may:
/// `mount -t tmpfs -o size=24m none /tmp/small/b; SLUICE_SMALL_VOLUMES=/tmp/small swift test`.
@Suite(
    .serialized, .timeLimit(.minutes(5)),
    .enabled(if: TestFiles.smallVolume("b") != nil, "SLUICE_SMALL_VOLUMES names no small file systems"))
struct SmallVolumeTests {
    /// Far more than there is.
    private static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 1 << 30)
        configuration.segmentBytes = 1 << 20
        configuration.snapshotLimitBytes = 64 << 10
        configuration.compression = .none
        configuration.whenFull = .reject
        return configuration
    }

    private static let bytes = 20_000

    /// Puts until the disk is full; the tag of the first event that was refused.
    private func fill(_ channel: FileChannel, from first: Int) throws -> Int {
        var tag = first
        var error: ChannelError?
        while error == nil, tag < first + 100_000 {
            do throws(ChannelError) {
                _ = try channel.put(tags: [tag], bytes: Self.bytes)
                tag += 1
            } catch let thrown {
                error = thrown
            }
        }
        #expect(error?.code == .full && error?.fileError?.errno == ENOSPC, "\(String(describing: error))")
        return tag
    }

    /// Takes `tags`, one in each commit.
    private func drain(_ channel: FileChannel, _ tags: Range<Int>) throws {
        for tag in tags { try #require(try channel.take(1).tags == [tag]) }
        #expect(channel.isBalanced)
    }

    /// By itself: the channel stays open, and is asked again.
    private func untilARefusedPutGoesThrough(_ channel: FileChannel, _ tag: Int) throws {
        for attempt in 0..<200 {
            do throws(ChannelError) {
                _ = try channel.put(tags: [tag], bytes: Self.bytes)
                return
            } catch {
                try #require(error.code == .full && attempt < 199, "\(error)")
                usleep(50_000)
            }
        }
    }

    @Test func aChannelThatFillsItsDiskIsDrainedOneEventPerCommitAndTakesPutsAgain() throws {
        try TestFiles.withDirectory(in: try #require(TestFiles.smallVolume("b"))) { directory in
            let path = directory + "/c"
            let channel = try openOnDisk(path, Self.configuration)
            let end = try fill(channel, from: 0)
            #expect(end > 200)
            #expect(channel.metrics.state.name == "degraded")
            try drain(channel, 0..<end)
            #expect(channel.metrics.heldEvents == 0)
            try untilARefusedPutGoesThrough(channel, end)
            let again = try fill(channel, from: end + 1)
            #expect(again - end > 200, "all of the disk is of use again")
            // And across an opening on the full disk.
            try channel.close()
            let next = try openOnDisk(path, Self.configuration)
            try drain(next, end..<again)
            try next.close()
        }
    }

    @Test func somebodyElsesFileFillsTheDiskTakesGoOnAndPutsResumeWhenItIsGone() throws {
        try TestFiles.withDirectory(in: try #require(TestFiles.smallVolume("b"))) { directory in
            let channel = try openOnDisk(directory + "/c", Self.configuration)
            for tag in 0..<120 { try channel.put(tags: [tag], bytes: Self.bytes) }
            // What is being made ahead of use is there by then.
            usleep(200_000)
            let filler = directory + "/filler"
            try #require(TestFiles.fillDisk(with: filler) > 1 << 20)
            let end = try fill(channel, from: 120)
            try drain(channel, 0..<end - 20)
            #expect(unsafe unlink(filler) == 0)
            try untilARefusedPutGoesThrough(channel, end)
            try drain(channel, end - 20..<end + 1)
            #expect(channel.metrics.state == .ok)
            try channel.close()
        }
    }
}
