import DurableChannel
import LineTransfer
import Synchronization

/// What is said of puts while they are made. Used by all producers.
final class PutReport: Sendable {
    private let output = StandardOutput()
    private let acknowledges: Bool
    private let progress = Progress("put")
    private let committedLines = Atomic<UInt64>(0)
    private let started = ContinuousClock.now
    /// In seconds since the start.
    private let nextWord = Atomic<Int>(0)

    /// How often a full channel is spoken of.
    private static let secondsBetweenWords = 30

    init(_ acknowledges: Bool) {
        self.acknowledges = acknowledges
    }

    func committed(_ sequences: Range<UInt64>, of batch: LineBatch) throws(LineTransferError) {
        committedLines.add(UInt64(sequences.count), ordering: .relaxed)
        if acknowledges { try output.write(Array("ack \(sequences.lowerBound) \(sequences.upperBound - 1)\n".utf8)) }
        progress.add(lines: sequences.count, bytes: batch.byteCount / batch.lineCount * sequences.count)
    }

    /// All that was put, where the progress was shown.
    func end() { progress.showTotal() }

    /// Says what whoever filled the pipe would have to send once more.
    func tellUnput(readLines: UInt64, _ error: LineTransferError) {
        let left = readLines - committedLines.load(ordering: .relaxed)
        let verb = error.channelError?.code == .outcomeUnknown ? "acknowledged" : "put"
        if left > 0 { complain("\(left) lines that had been read were not \(verb)") }
    }

    func isWaiting(_ error: ChannelError) -> Bool {
        let seconds = Int((ContinuousClock.now - started) / .seconds(1))
        let due = nextWord.load(ordering: .relaxed)
        if seconds >= due,
            nextWord.compareExchange(expected: due, desired: seconds + Self.secondsBetweenWords, ordering: .relaxed)
                .exchanged
        {
            complain(inOptions("waiting for room: \(error)"))
        }
        return !Termination.isRequested
    }
}
