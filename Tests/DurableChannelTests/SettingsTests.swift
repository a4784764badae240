import CrashHarness
import DurableChannel
import SegmentedLog
import SimulatedFileIO
import Testing

/// An opening that does not name a capacity keeps to that of the last one, whatever has become of the file that says it.
@Suite struct SettingsTests {
    private static let unnamed: ChannelConfiguration = {
        var configuration = ChannelConfiguration()
        configuration.whenFull = .reject
        configuration.compression = .none
        return configuration
    }()

    /// A channel of one MiB with ten events, and the bytes of its settings.
    private func small() throws -> (World, [UInt8]) {
        let world = World()
        let channel = try world.open(ChannelConfiguration(capacityBytes: 1 << 20))
        try channel.put(tags: 0..<10, bytes: 500)
        try channel.close()
        return (world, try #require(world.disk.contents(of: World.path + "/settings")))
    }

    private func expectKept(_ world: World, _ story: String) throws {
        let channel = try world.open(Self.unnamed)
        #expect(channel.metrics.capacityBytes == 1 << 20, "\(story)")
        #expect(try channel.take().tags == Array(0..<10), "\(story)")
        var tag = 10
        while failure({ try channel.put(tags: [tag], bytes: 20_000) }) == nil, tag < 1000 { tag += 1 }
        #expect(tag < 100, "\(story)")
        #expect(world.disk.allocatedBytes() <= 1 << 20, "\(story)")
        try channel.close()
    }

    /// Rows 13, 14, 18.
    @Test func whateverStandsInPlaceOfTheSettingsTheChannelOpensAndStaysWithinItsCapacity() throws {
        let (_, text) = try small()
        var contents: [[UInt8]?] = [nil, [], Array("capacityBytes 1048576\nsegmentBytes 131073\n".utf8)]
        for bit in stride(from: 0, to: text.count * 8, by: 7) {
            var flipped = text
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            contents.append(flipped)
        }
        for length in 1..<text.count where length % 5 == 0 { contents.append(Array(text.prefix(length))) }
        for content in contents {
            let (world, _) = try small()
            if let content { world.setContents("settings", content) } else { world.remove("settings") }
            let story = content.map { String(decoding: $0, as: UTF8.self) } ?? "missing"
            try expectKept(world, story)
        }
    }

    @Test func whatWasEstimatedIsSaidAndNotWrittenDownAndNamingTheCapacityHealsIt() throws {
        let (world, text) = try small()
        world.remove("settings")
        let channel = try world.open(Self.unnamed)
        #expect(channel.recoveryReport.remarks.contains { $0.contains("name the capacity") })
        try channel.close()
        #expect(!world.names().contains("settings"))
        try world.open(ChannelConfiguration(capacityBytes: 1 << 20)).close()
        #expect(world.disk.contents(of: World.path + "/settings") == text)
        let healed = try world.open(Self.unnamed)
        #expect(healed.recoveryReport.remarks.isEmpty)
    }

    @Test(arguments: [(300 << 10, 20 << 10), (4 << 20, 128 << 10), (64 << 20, 2 << 20), (256 << 20, 8 << 20)])
    func withoutSettingsAChannelOfAnySizesOpensAndServesWhatItHolds(_ capacity: Int, _ segment: Int) throws {
        let world = World()
        var configuration = ChannelConfiguration(capacityBytes: UInt64(capacity))
        configuration.segmentBytes = UInt32(segment)
        configuration.compression = .none
        if capacity < 64 << 20 { configuration.snapshotLimitBytes = capacity / 80 }
        let channel = try world.open(configuration)
        let tags = 0..<min(60, capacity / 8 / 5000)
        for tag in tags { try channel.put(tags: [tag], bytes: 5000) }
        try channel.setBookmark("file", [UInt8](repeating: 1, count: 500))
        try channel.close()
        world.remove("settings")
        let next = try world.open(Self.unnamed)
        #expect(try next.take(1000).tags == Array(tags))
        #expect(next.metrics.capacityBytes <= max(UInt64(capacity), 16 * UInt64(segment)))
    }
}
