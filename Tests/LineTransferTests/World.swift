import CrashHarness
import DurableChannel
import SimulatedFileIO

@testable import LineTransfer

/// One process on a simulated disk that carries the lines of `/in/app.log` through a channel to `/out/copy`.
typealias World = SimulatedProcess

extension SimulatedProcess {
    static var sourceName: String { BookmarkName.source("/in/app.log".utf8) }
    static var sinkName: String { BookmarkName.sink("/out/copy".utf8) }
    var system: SimulatedFileSystem { fileSystem }

    /// With a file of lines, durably there, and an empty directory for the output.
    static func holding(_ input: [UInt8], seed: UInt64 = 1) throws -> World {
        let world = World(seed: seed)
        try world.prepare(input)
        return world
    }

    func prepare(_ input: [UInt8]) throws {
        try system.makeDirectory(at: "/in")
        try system.makeDirectory(at: "/out")
        disk.setContents(of: "/in/app.log", to: input)
    }

    /// Small segments, so that every few transactions roll.
    static func small(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 320 << 10)
        configuration.segmentBytes = 16 << 10
        configuration.snapshotLimitBytes = 2048
        configuration.whenFull = .reject
        configuration.compression = .none
        configuration.leaseStep = 4
        change(&configuration)
        return configuration
    }

    func open(_ configuration: ChannelConfiguration = small()) throws(ChannelError) -> FileChannel {
        try FileChannel.open(at: "/var/channel", configuration: configuration, fileSystem: system, runtime: runtime)
    }

    func source(_ channel: FileChannel) throws -> LineSource {
        let bookmark = try channel.bookmark(Self.sourceName).map {
            try FileBookmark(decoding: $0, of: .source, named: Self.sourceName)
        }
        return try LineSource("app.log", in: system.openDirectory(at: "/in"), bookmark: bookmark, readBytes: 4096)
    }

    func sink(_ channel: FileChannel) throws -> LineSink {
        try LineSink("copy", in: system.openDirectory(at: "/out"), channel: channel, bookmarkName: Self.sinkName)
    }

    /// Puts up to so many batches of the file. The sequences of each commit.
    @discardableResult
    func put(_ channel: FileChannel, batch: Int, batches: Int = .max) throws -> [Range<UInt64>] {
        var source = try source(channel)
        let put = LinePut(into: channel)
        var commits: [Range<UInt64>] = []
        for _ in 0..<batches {
            guard let lines = try source.nextBatch(put.limits(lines: batch)) else { break }
            let reading = source
            try put.put(
                lines, bookmark: { Bookmark(name: Self.sourceName, value: reading.bookmark(at: $0).encoded()) },
                committed: { (sequences) throws(LineTransferError) in commits.append(sequences) },
                isWaiting: { _ in false })
        }
        return commits
    }

    @discardableResult
    func take(_ channel: FileChannel, batch: Int, limit: UInt64? = nil) throws -> UInt64 {
        try LineTake(batchEvents: batch, limit: limit).run(from: channel, to: sink(channel))
    }

    /// Carries everything, in the manner of two processes, one after the other.
    func carry(batch: Int) throws {
        let putting = try open()
        try put(putting, batch: batch)
        try putting.close()
        let taking = try open()
        try take(taking, batch: batch)
        try taking.close()
    }

    var output: [UInt8]? { disk.contents(of: "/out/copy") }
}

/// An output in memory.
final class MemoryOutput: LineOutput {
    var bytes: [UInt8] = []
    var writes = 0
    /// Throws at this write, counted from 0.
    var failsAt = Int.max

    func write(_ buffer: AlignedBuffer, count: Int) throws(LineTransferError) {
        if writes == failsAt { throw LineTransferError(.outputClosed, "closed") }
        writes += 1
        bytes += buffer.bytes.extracting(0..<count).array
    }

    func prepareCommit() throws(LineTransferError) -> Bookmark? { nil }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}
