package import CrashHarness
internal import DurableChannel
internal import FileIO
internal import Glibc

/// One life of a channel in a real process, which tells on standard output what it does (``LifeMessage``).
///
/// It opens the channel, looks at what is there, lets the clients of one life of a script do their steps on threads of their own,
/// and closes it: unless it is killed before, by whoever watches or by itself.
package struct Life: Sendable {
    package var directory: String
    package var script: CrashScript
    /// Which of the script's lives.
    package var number: Int
    /// The number of its first put: so many had the lives before.
    package var firstPut: Int
    /// It does not say what it finds: for lives in which reading may fail.
    package var isBlind = false
    /// Stops itself at the start, until somebody traces it and lets it go on.
    package var waitsForTracer = false
    /// Ends itself where it would close the channel.
    package var endsByKill = false
    /// Ends itself at one of its storage operations.
    package var killAt: UInt64?
    package var killPlace = KillingFileSystem.Place.before
    package var limits = ChildProcess.Limits()
    /// The limits hold from the opening on, or only when it is open.
    package var limitsOpening = true

    package init(directory: String, script: CrashScript, number: Int, firstPut: Int) {
        self.directory = directory
        self.script = script
        self.number = number
        self.firstPut = firstPut
    }

    /// How many events at most there are to look at.
    private static let everything = 1 << 20
    private static let eventsInALine = 40

    /// Lives it. Returns whether the channel could be opened; whatever went wrong has been said.
    package func run() -> Bool {
        let reporter = LifeReporter(descriptor: STDOUT_FILENO)
        let fileSystem = KillingFileSystem(LinuxFileSystem(), at: killAt, killPlace)
        let runtime = LifeRuntime()
        let configuration = script.channel.configuration
        let directory = directory
        let open = { @Sendable () throws(ChannelError) -> FileChannel in
            try FileChannel.open(at: directory, configuration: configuration, fileSystem: fileSystem, runtime: runtime)
        }
        if waitsForTracer { raise(SIGSTOP) }
        if limitsOpening { limits.apply() }
        reporter.report(.begun)
        do throws(ChannelError) {
            let channel = try open()
            try look(at: channel, reporter)
            if !limitsOpening { limits.apply() }
            let stage = LifeStage(channel, runtime, reporter, life: number, firstPut: firstPut) {
                () throws(ChannelError) in _ = try open()
            }
            for phase in script.lives[number].phases {
                Self.run(phase.clients, on: stage)
            }
            if endsByKill { KillingFileSystem.endProcess() }
            reporter.report(.closing)
            try channel.close()
            if !channel.isBalanced { reporter.report(.wrong("not balanced: \(channel.metrics)")) }
            reporter.report(.closed)
            reporter.report(.operations(fileSystem.operations))
            return true
        } catch {
            reporter.report(.failed(code: error.code.rawValue, error.description))
            return false
        }
    }

    /// One alone on the thread that opened the channel: its calls come in the same order each time.
    private static func run(_ clients: [[CrashScript.Step]], on stage: LifeStage) {
        if clients.count == 1 {
            var client = ScriptClient(stage, 0)
            return client.run(clients[0])
        }
        onThreads(clients.count) { number in
            var client = ScriptClient(stage, number)
            client.run(clients[number])
        }
    }

    /// Takes everything that is there, and gives it back.
    private func look(at channel: FileChannel, _ reporter: LifeReporter) throws(ChannelError) {
        reporter.report(.opened(putEvents: channel.metrics.putEvents))
        let report = channel.recoveryReport
        // Neither is an error of the disk, which may give tomorrow what it does not give today.
        if !report.losses.isEmpty { reporter.report(.wrong("a crash is not damage: \(report)")) }
        if !report.unreadable.isEmpty {
            reporter.report(isBlind ? .withheld : .wrong("the disk gives everything: \(report)"))
        }
        if isBlind { return }
        let take = try channel.beginTake(maxEvents: Self.everything, maxBytes: .max)
        var line: [SeenEvent] = []
        for event in take.events {
            line.append(SeenEvent(event))
            guard line.count == Self.eventsInALine else { continue }
            reporter.report(.found(line))
            line = []
        }
        if !line.isEmpty { reporter.report(.found(line)) }
        take.rollback()
        for name in names(upTo: script.mostClients) {
            guard let value = channel.bookmark(name) else { continue }
            reporter.report(.bookmark(name: name, value: String(decoding: value, as: UTF8.self)))
        }
        reporter.report(.looked(ChannelModel.Counts(channel.metrics)))
        if !channel.isBalanced { reporter.report(.wrong("not balanced: \(channel.metrics)")) }
    }

    private func names(upTo clients: Int) -> [String] {
        [BookmarkName.shared]
            + (0..<clients).flatMap { [BookmarkName.source($0), BookmarkName.sink($0), BookmarkName.alone($0)] }
    }
}

extension Life {
    /// Opens a channel that another process should have, and closes it. Why it cannot, or nil.
    package static func intrude(into directory: String, _ script: CrashScript) -> (isInUse: Bool, words: String)? {
        do throws(ChannelError) {
            try FileChannel.open(at: directory, configuration: script.channel.configuration).close()
            return nil
        } catch {
            return (error.code == .inUse, error.description)
        }
    }
}

extension CrashScript {
    /// Clients of one life at once.
    package var mostClients: Int { lives.flatMap(\.phases).map(\.clients.count).max() ?? 0 }
}
