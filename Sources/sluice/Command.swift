import CommandOptions
import DurableChannel
import FileIO
import Glibc
import LineTransfer

/// The version of the package.
private let version = "0.1.0"

/// The whole program: parses, works, and ends the process.
func run(_ arguments: ArraySlice<String>) -> Never {
    Descriptors.reserveStandardOnes()
    ProcessMemory.keepFreed()
    Termination.arm()
    do {
        try checkText()
        switch try Arguments.parse(arguments, by: table) {
        case .help(let verb): try say(verb.map { table.help($0) } ?? table.help)
        case .version: try say("sluice \(version), on-disk format \(FormatConstants.version)")
        case .run(let verb, let arguments):
            if verb.name == "put" {
                try PutCommand(arguments, verb).run()
            } else {
                try TakeCommand(arguments, verb).run()
            }
        }
        Progress.end()
        exit(0)
    } catch let error as UsageError {
        let usages = (error.verb.map { [$0] } ?? table.verbs).map { "usage: \(table.usage($0))\n" }
        complain("\(error.message)\n\(usages.joined())sluice --help says more")
        exit(64)
    } catch let error as LineTransferError {
        // Whoever read the output has gone: nothing is wrong, and nobody is left to be told.
        if error.code == .outputClosed { exit(0) }
        complain(inOptions("\(error)"))
        exit(exitCode(of: error))
    } catch {
        complain("\(error)")
        exit(1)
    }
}

/// Swift repairs arguments that are no UTF-8, and a repaired path is another path.
private func checkText() throws(UsageError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
        guard let word = unsafe CommandLine.unsafeArgv[index] else { continue }
        if unsafe String(validatingCString: word) == nil {
            throw UsageError("argument \(index) is no UTF-8; files and directories with such names cannot be used")
        }
    }
}

private func exitCode(of error: LineTransferError) -> Int32 {
    switch (error.channelError?.code, error.code) {
    case (.inUse, _): 75
    case (.configuration, _): 64
    case (_, .missingFile), (_, .shorterFile), (_, .otherFile): 74
    default: error.fileError == nil ? 1 : 74
    }
}

/// The library speaks of its own settings; whoever reads a message of the command has options.
func inOptions(_ message: String) -> String {
    // The snapshot's limit is a share of the capacity, and no option.
    let words = [
        (", or lower snapshotLimitBytes", ""), ("snapshotLimitBytes or segmentBytes", "--segment-bytes"),
        ("snapshotLimitBytes", "--capacity-bytes"), (", or set allowsNetworkFileSystem", ""),
        ("capacityBytes", "--capacity-bytes"), ("segmentBytes", "--segment-bytes"),
        ("set createsIfMissing to make one", "'sluice put' makes one"),
    ]
    var rest = Substring(message)
    var text = ""
    while !rest.isEmpty {
        if let (word, option) = words.first(where: { rest.hasPrefix($0.0) }) {
            text += option
            rest = rest.dropFirst(word.count)
        } else {
            text.append(rest.removeFirst())
        }
    }
    return text
}

/// A line on standard output, which is the answer that was asked for.
private func say(_ text: String) throws(LineTransferError) {
    try StandardOutput().write(Array("\(text)\n".utf8))
}

/// A line on standard error.
func complain(_ text: String) {
    Progress.clear()
    let line = Array("sluice: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
}

extension FileChannel {
    /// Opens for a command, and says what the opening found that a person should know.
    static func open(_ path: String, _ configuration: ChannelConfiguration) throws(LineTransferError) -> FileChannel {
        let channel: FileChannel
        do throws(ChannelError) {
            channel = try FileChannel.open(at: path, configuration: configuration)
        } catch {
            throw LineTransferError(error)
        }
        channel.tellOfRecovery()
        return channel
    }

    /// One line when the last user of the channel has not closed it, one for each thing that was lost.
    private func tellOfRecovery() {
        let (report, loss) = (recoveryReport, lossReport)
        if !report.created && !report.wasClosedCleanly {
            let lost = loss.count(.lost) == 0 ? "nothing was lost" : "\(loss.count(.lost)) events are lost"
            complain(
                "\(path) had not been closed; recovered in \(report.durationNanoseconds / 1_000_000) ms, "
                    + "\(report.framesReplayed) frames replayed: \(lost), \(loss.count(.mayRepeat)) events may be "
                    + "repeats and carry the mark")
        }
        for range in report.losses { complain("lost: \(range)") }
        for range in report.unreadable { complain("not readable at present, held: \(range)") }
        for remark in report.remarks { complain(remark) }
    }

    /// Closes, and passes the error on as the commands know it.
    func finish() throws(LineTransferError) {
        do throws(ChannelError) { try close() } catch { throw LineTransferError(error) }
    }
}
