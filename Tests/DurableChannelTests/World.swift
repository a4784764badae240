import CrashHarness
import DurableChannel
import SimulatedFileIO

/// One process on a simulated disk, and the channel there.
typealias World = SimulatedProcess

extension SimulatedProcess {
    static var path: String { ChannelRecorder.path }
    var system: SimulatedFileSystem { fileSystem }

    /// Small segments, so that every few transactions roll.
    static func small(_ change: (inout ChannelConfiguration) -> Void = { _ in }) -> ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 512 << 10)
        configuration.segmentBytes = 24 << 10
        configuration.snapshotLimitBytes = 4096
        configuration.whenFull = .reject
        configuration.compression = .none
        configuration.leaseStep = 8
        change(&configuration)
        return configuration
    }

    func open(_ configuration: ChannelConfiguration = small()) throws(ChannelError) -> FileChannel {
        try FileChannel.open(at: Self.path, configuration: configuration, fileSystem: system, runtime: runtime)
    }

    func segmentNames() -> [String] { (disk.names(in: Self.path) ?? []).filter { $0.hasSuffix(".seg") } }
}
