public import SimulatedFileIO

/// One process on a simulated disk: its scheduler and clock, and its way to the files.
///
/// Several may come one after the other, each on what the one before has left (``afterPowerCut(_:seed:)``,
/// ``afterKill(_:seed:)``), or be on one disk at once. Not thread-safe, but for clients of a ``ClientRuntime``.
public final class SimulatedProcess {
    public let disk: SimulatedDisk
    public let runtime: SimulatedRuntime
    public let fileSystem: SimulatedFileSystem

    /// Nobody looks at the disk any more when this process is over: what it had under way may come to an end there.
    package var isLastOnItsDisk = false

    /// - Parameter seed: for everything that this process draws: the order of what runs, and its random numbers.
    public init(_ disk: SimulatedDisk = SimulatedDisk(), seed: UInt64 = 1) {
        self.disk = disk
        runtime = SimulatedRuntime(seed: seed)
        fileSystem = SimulatedFileSystem(disk: disk, runtime: runtime)
    }

    /// Work that nobody will run any more holds the channel that asked for it, and so does an append that a channel
    /// submitted (a delivery count, a retirement) until it is answered.
    deinit {
        if isLastOnItsDisk { runtime.runUntilIdle() }
        runtime.dropAllWork()
    }

    /// The next process, on the same disk after the power came back. This one must not be used any more.
    public func afterPowerCut(_ choice: CrashChoice = .nothing, seed: UInt64 = 2) -> SimulatedProcess {
        isLastOnItsDisk = true
        return SimulatedProcess(disk.crashed(keeping: choice), seed: seed)
    }

    /// The next process, on the same running machine, after this one was killed. This one must not be used any more.
    public func afterKill(_ choice: CrashChoice = .everything, seed: UInt64 = 2) -> SimulatedProcess {
        isLastOnItsDisk = true
        return SimulatedProcess(disk.killed(keeping: choice), seed: seed)
    }
}
