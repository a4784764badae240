import CrashHarness
import DurableChannel
import SimulatedFileIO

/// A small log that an input changes, made once in a process, always the same.
package struct BaseLog: Sendable {
    package let name: String
    package let directory: LogDirectory
    /// Every event that was ever put, or may have been, by its number.
    package let bodies: [UInt64: [UInt8]]
    /// Acknowledged and not taken.
    package let held: Set<UInt64>
    /// Of a put that was under way when the power went: there, or not.
    package let doubtful: Set<UInt64>
    /// What has the right checksums in it.
    package let structures: ValidStructures

    private init(_ name: String, _ directory: LogDirectory, _ writer: LogWriter?, doubtful: Set<UInt64> = []) {
        self.name = name
        self.directory = directory
        bodies = writer?.bodies ?? [:]
        held = (writer?.held ?? []).subtracting(doubtful)
        self.doubtful = doubtful
        structures = ValidStructures(directory)
    }

    /// The order is part of what an input means.
    package static let all: [BaseLog] = {
        do {
            let rolled = try made("rolled", seed: 3, closes: false, roll)
            return [
                BaseLog("nothing", LogDirectory(), nil), try made("closed", seed: 1, closes: true, few),
                try made("killed", seed: 2, closes: false, few), rolled,
                try made("rolled-closed", seed: 4, closes: true, roll),
                try made("compressed", seed: 5, compression: .lz4, closes: false, roll), try torn(),
                try made("full", seed: 7, closes: false, fill), try damaged(rolled),
                try made("weak", seed: 9, durability: .interval, closes: true, few),
            ]
        } catch {
            preconditionFailure("a log to begin with cannot be made: \(error)")
        }
    }()

    /// Of all of them: small segments, so that every few transactions roll.
    package static var configuration: ChannelConfiguration {
        var configuration = ChannelConfiguration(capacityBytes: 320 << 10)
        configuration.segmentBytes = 20 << 10
        configuration.snapshotLimitBytes = 3 << 10
        configuration.whenFull = .reject
        configuration.compression = .none
        configuration.leaseStep = 6
        return configuration
    }

    private static func open(_ world: SimulatedProcess, _ configuration: ChannelConfiguration = configuration) throws
        -> FileChannel
    {
        try FileChannel.open(
            at: LogDirectory.path, configuration: configuration, fileSystem: world.fileSystem, runtime: world.runtime)
    }

    private static func made(
        _ name: String, seed: UInt64, compression: Compression = .none, durability: DurabilityMode = .commit,
        closes: Bool, _ use: (inout LogWriter) throws -> Void
    ) throws -> BaseLog {
        let world = SimulatedProcess(seed: seed)
        var configuration = configuration
        configuration.compression = compression
        configuration.durability = durability
        var writer = LogWriter(try open(world, configuration))
        try use(&writer)
        world.runtime.runUntilIdle()
        let killed = LogDirectory(world.disk)
        try writer.channel.close()
        world.runtime.runUntilIdle()
        return BaseLog(name, closes ? LogDirectory(world.disk) : killed, writer)
    }

    /// All kinds of records in one segment.
    private static func few(_ writer: inout LogWriter) throws {
        try writer.put(3, bytes: 40, bookmark: "file", stamped: true)
        try writer.put(1, bytes: 700)
        try writer.take(2, bookmark: "sink")
        try writer.put(4, bytes: 10, stamped: true)
        try writer.rollBack(3)
        try writer.take(2, deadLetters: 1)
        try writer.channel.checkpoint()
        try writer.put(2, bytes: 100, bookmark: "file")
        try writer.take(1)
    }

    /// Several segments, the first of them retired and used again.
    private static func roll(_ writer: inout LogWriter) throws {
        for round in 0..<16 {
            try writer.put(4, bytes: 1000, bookmark: round % 4 == 0 ? "file" : nil, stamped: round % 2 == 0)
            if round > 1 { try writer.take(3) }
        }
    }

    /// No room is left; takes go on in the reserve.
    private static func fill(_ writer: inout LogWriter) throws {
        do {
            while true { try writer.put(4, bytes: 1500) }
        } catch let error as ChannelError where error.code == .full {}
        for _ in 0..<12 { try writer.take(1) }
    }

    /// The power went while a put was under way, twice: there are cuts, and epochs.
    private static func torn() throws -> BaseLog {
        var disk = SimulatedDisk()
        var before: LogWriter?
        var doubtful: Set<UInt64> = []
        for seed in [60, 61] as [UInt64] {
            let world = SimulatedProcess(disk, seed: seed)
            let channel = try open(world)
            var writer = try before.map { try LogWriter(channel, after: $0) } ?? LogWriter(channel)
            try writer.put(2, bytes: 300, stamped: true)
            try writer.take(1)
            var survivors: [SimulatedDisk] = []
            disk.beforeOperation = { [unowned disk] _ in
                guard
                    let choice = disk.legalCrashChoices(limit: 12).last(where: {
                        !$0.exceptions.isEmpty && $0.exceptions.count < disk.pendingOperations.count
                    })
                else { return }
                survivors.append(disk.crashed(keeping: choice))
            }
            let held = writer.held
            try writer.put(3, bytes: 900)
            disk.beforeOperation = nil
            doubtful = writer.held.subtracting(held)
            try channel.close()
            world.runtime.runUntilIdle()
            before = writer
            disk = survivors.first ?? disk.crashed(keeping: .nothing)
        }
        return BaseLog("torn", LogDirectory(disk), before, doubtful: doubtful)
    }

    /// An event of `log` was damaged, and that was found, recorded and set aside.
    private static func damaged(_ log: BaseLog) throws -> BaseLog {
        var directory = log.directory
        guard let name = directory.segments.keys.min(), var bytes = directory.bytes(name) else { return log }
        bytes[9000] ^= 1
        directory.files[name] = .bytes(bytes)
        let world = SimulatedProcess(directory.disk(), seed: 8)
        let channel = try open(world)
        var held: Set<UInt64> = []
        let take = try channel.beginTake(maxEvents: 1000)
        for event in take.events { held.insert(event.sequence.rawValue) }
        take.rollback()
        try channel.close()
        world.runtime.runUntilIdle()
        return BaseLog("damaged", LogDirectory(world.disk), bodies: log.bodies, held: held)
    }

    private init(_ name: String, _ directory: LogDirectory, bodies: [UInt64: [UInt8]], held: Set<UInt64>) {
        self.name = name
        self.directory = directory
        self.bodies = bodies
        self.held = held
        doubtful = []
        structures = ValidStructures(directory)
    }
}
