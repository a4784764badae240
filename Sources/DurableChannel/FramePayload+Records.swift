internal import LogFormat

extension FramePayload {
    /// Records of the channel. They are within the format's limits by construction, so one that cannot be encoded is a mistake
    /// in the program.
    static func record(_ type: FrameType, _ encode: () throws(FormatError) -> [UInt8]) -> FramePayload {
        do throws(FormatError) { return try FramePayload(type: type, raw: try encode()) } catch {
            preconditionFailure("a \(type) record of the channel cannot be made: \(error)")
        }
    }

    static func lease(_ group: String, _ limit: EventSequence) -> FramePayload {
        record(.lease) { () throws(FormatError) in try LeaseRecord(group: group, limit: limit).encode() }
    }

    /// - Parameter ranges: at most 1,024.
    static func drop(_ reason: DropReason, _ group: String, _ ranges: [SequenceRange]) -> FramePayload {
        record(.drop) { () throws(FormatError) in
            try DropRecord(reason: reason, group: group, ranges: ranges).encode()
        }
    }

    static func deliveryCounts(_ group: String, _ entries: [DeliveryCountRecord.Entry]) -> FramePayload {
        record(.deliveryCount) { () throws(FormatError) in
            try DeliveryCountRecord(group: group, entries: entries).encode()
        }
    }

    static func loss(_ range: SequenceRange, at lsn: LSN) -> FramePayload {
        // The numbers are missing between two whole frames: the place is where the second one stands.
        record(.loss) { () throws(FormatError) in
            try LossRecord(
                reason: .damaged, segment: lsn.segment, fromOffset: lsn.offset, toOffset: lsn.offset + 1,
                firstSequence: range.first, endSequence: range.end
            ).encode()
        }
    }

    /// Ranges taken, with the bookmarks of the take: one frame, so all or nothing, of as many transactions as the ranges need.
    static func takeCommit(
        _ id: UInt64, _ group: String, _ ranges: [SequenceRange], _ bookmarks: [Bookmark]
    ) -> FramePayload {
        let most = FormatConstants.maximumRangesInTransaction
        let transactions = stride(from: 0, to: ranges.count, by: most).map { start in
            Transaction(
                id: id, group: group, ranges: Array(ranges[start..<min(start + most, ranges.count)]),
                bookmarks: start == 0 ? bookmarks : [])
        }
        return batch(.takeCommit, transactions)
    }

    static func bookmarks(_ id: UInt64, _ group: String, _ bookmarks: [Bookmark]) -> FramePayload {
        batch(.bookmark, [Transaction(id: id, group: group, bookmarks: bookmarks)])
    }

    private static func batch(_ type: FrameType, _ transactions: [Transaction]) -> FramePayload {
        do throws(FormatError) {
            return try FramePayload(
                type: type, transactionCount: UInt32(transactions.count),
                raw: try TransactionBatch(type: type, transactions: transactions).encode())
        } catch {
            preconditionFailure("a \(type) record of the channel cannot be made: \(error)")
        }
    }
}
