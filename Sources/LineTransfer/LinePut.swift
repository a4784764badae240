public import DurableChannel

/// Puts batches of lines into a channel, each line as one event.
///
/// A batch is one transaction, unless it does not fit: it is ended early when the transaction is nearly full, or when
/// the channel has no more room, so that what fits is safe. What has not been acknowledged is put again when there is
/// room; nothing is put twice. Blocks while the channel is full. Several threads may use it at once.
public struct LinePut: Sendable {
    /// What a transaction takes beside its events and its bookmark's value, generously.
    static let transactionOverheadBytes = 1024

    private let channel: FileChannel
    private let headers: [EventHeader]
    private let transactionBytes: Int

    /// - Parameter headers: of every event.
    public init(into channel: FileChannel, headers: [EventHeader] = []) {
        self.channel = channel
        self.headers = headers
        // A transaction may take a quarter of the capacity.
        let quarter = Int(clamping: channel.metrics.capacityBytes / 4)
        transactionBytes = min(FormatConstants.maximumTransactionBytes, quarter) - Self.transactionOverheadBytes
    }

    /// What an event of these headers takes beside its body.
    public var bytesPerLine: Int { Event(headers: headers, body: []).encodedBytes }

    /// The limits with which a batch of so many lines fits into one transaction.
    public func limits(lines: Int) -> LineBatch.Limits {
        LineBatch.Limits(lines: lines, bytes: max(1, transactionBytes), bytesPerLine: bytesPerLine)
    }

    /// Puts all lines of a batch.
    ///
    /// - Parameters:
    ///   - bookmark: to be committed with the lines before a place in the batch.
    ///   - committed: called after each commit with its sequences, which are durable then.
    ///   - isWaiting: called each time the channel has refused for want of room, in the rhythm of its own waiting
    ///     (``OverflowPolicy/block(_:)``). False: give up.
    /// - Throws: ``LineTransferError/Code/channel``, ``LineTransferError/Code/stopped``, or what `committed` throws.
    ///   What was acknowledged by then is put, and nothing else, unless the channel's error is
    ///   ``ChannelError/Code/outcomeUnknown``.
    public func put(
        _ batch: LineBatch, bookmark: ((LineRun.Boundary) -> Bookmark)? = nil,
        committed: (Range<UInt64>) throws(LineTransferError) -> Void,
        isWaiting: (ChannelError) -> Bool
    ) throws(LineTransferError) {
        var done = Place()
        while done.run < batch.runs.count {
            do throws(PutFailure) {
                let (sequences, next) = try transaction(batch, from: done, bookmark)
                done = next
                try PutFailure.passing { () throws(LineTransferError) in try committed(sequences) }
            } catch {
                switch error {
                case .full(let refusal):
                    guard isWaiting(refusal) else { throw stopped(refusal) }
                case .final(let error):
                    throw error
                }
            }
        }
    }

    /// Puts lines from a place on, as many as one transaction takes, and says which place comes next.
    private func transaction(
        _ batch: LineBatch, from place: Place, _ bookmark: ((LineRun.Boundary) -> Bookmark)?
    ) throws(PutFailure) -> (sequences: Range<UInt64>, next: Place) {
        var put = try PutFailure.passing { () throws(ChannelError) in try channel.beginPut() }
        var next = place
        var last = place
        lines: while next.run < batch.runs.count {
            let run = batch.runs[next.run]
            for index in next.line..<run.count {
                next.line = index
                guard try append(run, index, to: &put) else { break lines }
                last = next
            }
            next = Place(run: next.run + 1)
        }
        if let bookmark = bookmark?(batch.runs[last.run].boundary(after: last.line)) {
            try PutFailure.passing { () throws(ChannelError) in try put.setBookmark(bookmark.name, bookmark.value) }
        }
        do throws(ChannelError) {
            return (try put.commit().sequences, next)
        } catch {
            throw PutFailure(error)
        }
    }

    /// False when the transaction is to be committed without this line, which goes into the next one.
    private func append(_ run: LineRun, _ index: Int, to put: inout PutTransaction) throws(PutFailure) -> Bool {
        let bytes = run.bytes(of: index)
        let isFirst = put.eventCount == 0
        if !isFirst && put.encodedBytes + bytes.byteCount + bytesPerLine > transactionBytes { return false }
        do throws(ChannelError) {
            try put.append(headers: headers, body: bytes)
            return true
        } catch {
            let waits = error.code == .full || error.code == .transactionTooLarge
            if waits && !isFirst { return false }
            if error.code == .transactionTooLarge { throw .final(tooLarge(run, index, error)) }
            throw PutFailure(error)
        }
    }

    private func tooLarge(_ run: LineRun, _ index: Int, _ error: ChannelError) -> LineTransferError {
        var described = LineTransferError(error)
        described.message =
            "line \(run.lineNumber(of: index)) of \(run.bytes(of: index).byteCount) bytes, with "
            + "\(bytesPerLine) of headers and frame, does not fit into this "
            + "channel: an event may take a quarter of its capacity; open the channel with a larger capacity (\(error))"
        return described
    }

    private func stopped(_ error: ChannelError) -> LineTransferError {
        var described = LineTransferError(.stopped, "the channel stayed full (\(error))")
        described.channelError = error
        return described
    }
}

extension LinePut {
    /// A line of a batch: the next to be put.
    private struct Place {
        var run = 0
        var line = 0
    }
}

/// Why a transaction came to nothing.
private enum PutFailure: Error {
    /// For want of room: the same lines may be put again.
    case full(ChannelError)
    case final(LineTransferError)

    init(_ error: ChannelError) {
        self = error.code == .full ? .full(error) : .final(LineTransferError(error))
    }

    static func passing<R: ~Copyable>(_ body: () throws(ChannelError) -> R) throws(PutFailure) -> R {
        do throws(ChannelError) { return try body() } catch { throw PutFailure(error) }
    }

    static func passing(_ body: () throws(LineTransferError) -> Void) throws(PutFailure) {
        do throws(LineTransferError) { try body() } catch { throw .final(error) }
    }
}
