import CommandOptions
import DurableChannel
import LineTransfer

/// `sluice take`.
struct TakeCommand {
    private let directory: String
    private let output: String?
    private let take: LineTake
    private let acknowledges: Bool

    init(_ arguments: Arguments, _ verb: VerbTable) throws(UsageError) {
        directory = arguments.operands[0]
        output = arguments.text("--output")
        acknowledges = arguments.has("--acks")
        take = LineTake(
            format: EventFormat(rawValue: arguments.text("--format") ?? "text") ?? .text,
            batchEvents: Int(arguments.number("--batch") ?? 1000), limit: arguments.number("--limit"),
            follows: arguments.has("--follow"))
        if let output, FilePlace.isIn(directory, output) {
            throw UsageError(
                "--output \(output) is in the channel's own directory, which holds nothing but the channel", verb)
        }
    }

    func run() throws(LineTransferError) {
        let place = try output.map { (path) throws(LineTransferError) in try FilePlace.sink(path) }
        var configuration = ChannelConfiguration()
        configuration.createsIfMissing = false
        let channel = try FileChannel.open(directory, configuration)
        do throws(LineTransferError) {
            try run(channel, place)
        } catch {
            try? channel.close()
            throw error
        }
        try channel.finish()
    }

    private func run(_ channel: FileChannel, _ place: FilePlace?) throws(LineTransferError) {
        let standardOutput = StandardOutput()
        var output: any LineOutput = standardOutput
        if let place {
            let sink = try LineSink(
                place.name, in: try place.open(), channel: channel, bookmarkName: place.bookmarkName)
            sink.findings.forEach(complain)
            output = sink
        }
        let progress = Progress("taken")
        defer { progress.showTotal() }
        do throws(LineTransferError) {
            try take.run(from: channel, to: output, shouldStop: { Termination.isRequested }) {
                (batch) throws(LineTransferError) in
                if acknowledges { try standardOutput.write(Array("ack \(batch.first) \(batch.last)\n".utf8)) }
                progress.add(lines: batch.eventCount, bytes: batch.byteCount)
            }
        } catch {
            // The take that nobody read is rolled back, and comes again.
            if error.code == .stopped { return }
            throw error
        }
        let unreadable = channel.metrics.unreadableEvents
        if unreadable > 0 {
            complain("\(unreadable) events in \(directory) cannot be read at present and are held; check the device")
        }
    }
}
