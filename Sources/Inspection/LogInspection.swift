package import DurableChannel
package import FileIO
package import LogFormat
package import SegmentedLog

/// A log that is only looked at: its directory, or one segment file alone, on a read-only mount, a copy, or beside the process
/// that writes it. What an opening would find and decide is found by the opening's own passes; nothing is changed.
///
/// Costs what an opening costs: what stands behind the last checkpoint is read.
package struct LogInspection: Sendable {
    /// Of the directory.
    package let path: String
    package let directory: any StorageDirectory
    /// One segment file alone, by its name in the directory: nothing else there is looked at.
    package let file: String?
    /// What lies there.
    package let inventory: LogInventory
    /// The process that has the directory open, if there is one that can be seen.
    package let process: Int32?
    /// What an opening would find; nil where it would be refused, or for one file alone.
    package let view: LogView?
    /// The pointers, as that opening would restore them.
    package let channel: ChannelReplay?
    /// Acknowledged bytes that are gone, and bytes that the disk does not give, as an opening would find them behind the last
    /// checkpoint. Of a log that is being written only what several looks agreed on.
    package let findings: Set<DamagedRange>
    /// False when the log changed faster than it could be looked at, so that no two looks agreed: then nothing is said to be wrong.
    package let isSteady: Bool
    /// Why an opening would be refused.
    package let refusal: ChannelError?
    /// What the directory was last opened with; nil where nothing says so.
    package let settings: LogSettings?
    /// Open frames that replay came by, the last one last.
    package let opens: [(lsn: LSN, header: FrameHeader, record: OpenRecord)]
    /// Stored and raw bytes of the put frames that replay came by.
    package let replayed: (stored: UInt64, raw: UInt64)

    package var isInUse: Bool { process != nil }

    /// - Parameters:
    ///   - path: of a directory, or of a segment file.
    ///   - source: where reads are answered from; the page cache, unless the disk is in doubt.
    /// - Throws: `fileOperation`, when there is no such directory or file, or it cannot be listed. Whatever lies in it is an answer.
    package init(
        _ path: String, fileSystem: any FileSystem = LinuxFileSystem(), source: ReadSource = .cache,
        clock: @escaping () -> UInt64
    ) throws(ChannelError) {
        var path = path
        var file: String?
        let opened: any StorageDirectory
        do throws(FileError) {
            do throws(FileError) { opened = try fileSystem.openDirectory(at: path) } catch {
                guard error.reason == .wrongKind, let (parent, name) = Self.parts(path) else { throw error }
                opened = try fileSystem.openDirectory(at: parent)
                (path, file) = (parent, name)
            }
        } catch {
            throw ChannelError(.fileOperation, "\(path) cannot be looked into", fileError: error)
        }
        let directory = ReadOnlyDirectory(opened, source: source)
        if let name = file {
            // Something else than a file has no bytes to look at.
            do throws(FileError) { try directory.open(name, for: .reading).close() } catch {
                throw ChannelError(.fileOperation, "\(path)/\(name) cannot be looked into", fileError: error)
            }
        }
        self.path = path
        self.directory = directory
        self.file = file
        // Only the kernel's own files have locks that it knows of.
        process =
            file == nil && fileSystem is LinuxFileSystem
            ? LockHolder.process(ofDirectoryAt: path, on: try? opened.volume()) : nil
        let listed: LogInventory
        do throws(FileError) {
            if let file { listed = LogInventory(only: file) } else { listed = try LogInventory(directory) }
        } catch {
            throw ChannelError(.fileOperation, "\(path) cannot be listed", fileError: error)
        }
        settings = file == nil ? LogSettings.read(in: directory) : nil
        guard file == nil else {
            (view, channel, refusal, opens, replayed) = (nil, nil, nil, [], (0, 0))
            (findings, isSteady, inventory) = ([], true, listed)
            return
        }
        let (pass, found, isSteady) = Self.steadyPass(directory, clock: clock, isInUse: process != nil)
        (view, channel, refusal) = (pass.view, pass.channel, pass.refusal)
        (opens, replayed) = (pass.opens, (pass.storedBytes, pass.rawBytes))
        (findings, self.isSteady) = (found, isSteady)
        // What it was judged by: names come and go.
        inventory = pass.view?.inventory ?? listed
    }

    private static func parts(_ path: String) -> (parent: String, name: String)? {
        var path = Substring(path)
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        guard let slash = path.lastIndex(of: "/") else { return path.isEmpty ? nil : (".", String(path)) }
        let parent = slash == path.startIndex ? "/" : path[..<slash]
        return (String(parent), String(path[path.index(after: slash)...]))
    }

    // MARK: What an opening would find

    /// One look at the log as a whole.
    private struct Pass {
        var view: LogView?
        var channel: ChannelReplay?
        var refusal: ChannelError?
        var opens: [(lsn: LSN, header: FrameHeader, record: OpenRecord)] = []
        var storedBytes: UInt64 = 0
        var rawBytes: UInt64 = 0

        init(_ directory: any StorageDirectory, clock: @escaping () -> UInt64) {
            var channel = ChannelReplay()
            var refused: ChannelError?
            func passOn(_ body: () throws(ChannelError) -> Void) throws(LogError) {
                do throws(ChannelError) { try body() } catch {
                    refused = error
                    throw LogError(.damaged, error.message, lsn: error.lsn)
                }
            }
            do throws(LogError) {
                let view = try LogView(
                    directory, clock: clock,
                    begin: { (snapshot) throws(LogError) in
                        try passOn { () throws(ChannelError) in try channel.restore(snapshot) }
                    },
                    replay: { (frame) throws(LogError) in
                        try passOn { () throws(ChannelError) in try channel.replay(frame) }
                        note(frame)
                    })
                channel.finish(view)
                self.view = view
                self.channel = channel
            } catch {
                refusal = refused ?? ChannelError(error)
            }
        }

        private mutating func note(_ frame: ReplayedFrame) {
            if frame.header.type == .put {
                storedBytes += UInt64(frame.header.storedBytes)
                rawBytes += UInt64(frame.header.rawBytes)
            }
            guard frame.header.type == .open, let record = try? OpenRecord(decoding: frame.payload.rawBytes) else {
                return
            }
            opens.append((frame.lsn, frame.header, record))
        }

        /// What would be said to be wrong.
        var findings: Set<DamagedRange> { Set((view?.newLosses ?? []) + (view?.report.unreadable ?? [])) }
    }

    /// How often a log that is being written is looked at, and how many looks must agree on what is wrong.
    private static let mostPasses = 24
    private static let agreeingPasses = 4

    /// A log that is written meanwhile never stands still: names come and go between the listing and the reading, and a place that
    /// was read a moment too early holds zeros. So there what seems wrong counts only where several looks in a row, apart from each
    /// other, find the same.
    private static func steadyPass(
        _ directory: any StorageDirectory, clock: @escaping () -> UInt64, isInUse: Bool
    ) -> (pass: Pass, findings: Set<DamagedRange>, isSteady: Bool) {
        var pass = Pass(directory, clock: clock)
        var suspected = pass.findings
        guard isInUse else { return (pass, suspected, true) }
        var agreeing = 1
        for round in 1..<mostPasses {
            if pass.view != nil, suspected.isEmpty { return (pass, [], true) }
            if agreeing == agreeingPasses { return (pass, suspected, true) }
            Pause.milliseconds(5 * round)
            let next = Pass(directory, clock: clock)
            let common = suspected.intersection(next.findings)
            let isSame = pass.view == nil ? pass.refusal == next.refusal : next.view != nil && !common.isEmpty
            (suspected, agreeing) = isSame ? (common, agreeing + 1) : (next.findings, 1)
            pass = next
        }
        return (pass, [], false)
    }
}
