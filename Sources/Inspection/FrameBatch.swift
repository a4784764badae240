package import DurableChannel
package import LogFormat

/// The transactions of a frame and, of a put, its events: opened, not copied.
package struct FrameBatch: Sendable {
    package struct Transaction: Sendable {
        package let head: TransactionHead
        /// Places of its events in the batch.
        package let events: Range<Int>
        /// The sequences of its events.
        package let sequences: SequenceRange
    }

    package let frame: FrameHeader
    package let lsn: LSN
    package private(set) var transactions: [Transaction] = []
    private let raw: [UInt8]
    private let index: PutFrameIndex?

    /// nil for a frame that holds no transactions.
    package static func of(_ frame: WalkedFrame) -> Result<FrameBatch, ChannelError>? {
        guard frame.header.type.holdsTransactions else { return nil }
        return Result { () throws(ChannelError) in try FrameBatch(frame) }
    }

    private init(_ frame: WalkedFrame) throws(ChannelError) {
        let header = frame.header
        self.frame = header
        lsn = frame.lsn
        let raw = try frame.raw()
        self.raw = raw
        do throws(FormatError) {
            index =
                header.type == .put
                ? try PutFrameIndex(
                    indexing: raw.rawBytes, eventCount: header.eventCount, transactionCount: header.transactionCount)
                : nil
            var place = 0
            let heads = try TransactionHead.heads(
                in: raw.rawBytes, type: header.type, transactionCount: header.transactionCount)
            for head in heads {
                let first = EventSequence(header.baseSequence.rawValue + UInt64(place))
                transactions.append(
                    Transaction(
                        head: head, events: place..<place + head.eventCount,
                        sequences: SequenceRange(
                            first: first, end: EventSequence(first.rawValue + UInt64(head.eventCount)))))
                place += head.eventCount
            }
        } catch {
            throw ChannelError(
                .damaged,
                "the \(header.type) frame at \(frame.lsn) is not valid (\(error)) though its checksums are right; it was forged, or "
                    + "written by a faulty program",
                lsn: frame.lsn)
        }
    }

    /// How many events it holds.
    package var eventCount: Int { index?.count ?? 0 }

    /// The event at a place, from 0 to below ``eventCount``.
    package func event(_ place: Int) -> WalkedEvent {
        guard let index else { preconditionFailure("a \(frame.type) frame has no events") }
        return WalkedEvent(
            sequence: EventSequence(frame.baseSequence.rawValue + UInt64(place)), lsn: lsn,
            commitTime: frame.commitTime,
            view: EventView(raw: raw, place: index.place(place)))
    }
}

/// An event, where it stands.
package struct WalkedEvent: Sendable {
    package let sequence: EventSequence
    /// Of its frame.
    package let lsn: LSN
    package let commitTime: UInt64
    package let view: EventView
}

extension FrameBatch.Transaction {
    package func members(_ lsn: LSN) -> [(String, JSON)] {
        [
            ("lsn", .text("\(lsn)")), ("transaction", .whole(head.id)),
            ("producer", head.producer == .none ? .null : .text("\(head.producer)")),
            ("producer_sequence", head.producer == .none ? .null : .whole(head.producerSequence)),
            ("group", head.group.isEmpty ? .null : .text(head.group)), ("event_count", .whole(UInt64(head.eventCount))),
            ("sequences", head.eventCount == 0 ? .null : sequences.json), ("ranges", .list(head.ranges.map(\.json))),
            (
                "bookmarks",
                .list(head.bookmarks.map { .object([("name", .text($0.name)), ("value", .bytes($0.value))]) })
            ),
        ]
    }

    /// One line.
    package var words: String {
        var parts = ["transaction \(head.id)"]
        if head.producer != .none { parts.append("producer \(head.producer) no. \(head.producerSequence)") }
        if head.eventCount > 0 { parts.append("events \([sequences].words)") }
        if !head.ranges.isEmpty { parts.append("'\(head.group)' takes \(head.ranges.words)") }
        for bookmark in head.bookmarks {
            parts.append("bookmark \(bookmark.name) = \(bookmark.value.escaped(most: 60))")
        }
        return parts.joined(separator: ", ")
    }
}

extension WalkedEvent {
    /// Header and body as text where they are UTF-8, else as base64.
    package var members: [(String, JSON)] {
        var members: [(String, JSON)] = [
            ("sequence", .whole(sequence.rawValue)), ("lsn", .text("\(lsn)")), ("commit_time", .whole(commitTime)),
        ]
        members += EventJSON.members(view.event)
        return members
    }

    /// One line: number, headers, and the beginning of the body.
    package func line(mostBytes: Int) -> String {
        let headers = view.headers.map { "\($0.key)=\($0.value.escaped(most: 40))" }.joined(separator: " ")
        return "\(sequence)" + (headers.isEmpty ? "" : "  [\(headers)]")
            + "  \(Array(view.body).escaped(most: mostBytes))"
    }
}
