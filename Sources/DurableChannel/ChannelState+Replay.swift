internal import LogFormat
internal import SegmentedLog

/// Replay: the records behind the snapshot, in the order of the log.
extension ChannelState {
    /// Applies one frame. What cannot be understood though its checksum is right says so in the answer; for a put that is a
    /// matter for whoever reads its events, any other record would change the pointers and is refused.
    mutating func replay(_ frame: ReplayedFrame) throws(ChannelError) -> String? {
        let header = frame.header
        do throws(FormatError) {
            switch header.type {
            case .put, .takeCommit, .bookmark: try replayTransactions(frame)
            case .lease:
                let bytes = try raw(frame)
                let record = try LeaseRecord(decoding: bytes.rawSpan)
                try check(record.group, frame)
                group.leaseLimit = record.limit
            case .drop:
                let bytes = try raw(frame)
                let record = try DropRecord(decoding: bytes.rawSpan)
                if !record.group.isEmpty { try check(record.group, frame) }
                for range in record.ranges { acknowledge(range, .dropped(record.reason)) }
            case .loss:
                let bytes = try raw(frame)
                let record = try LossRecord(decoding: bytes.rawSpan)
                acknowledge(SequenceRange(first: record.firstSequence, end: record.endSequence), .lost)
            case .deliveryCount:
                let bytes = try raw(frame)
                let record = try DeliveryCountRecord(decoding: bytes.rawSpan)
                try check(record.group, frame)
                deliveryCounts.apply(
                    record.entries.filter { !group.isAcknowledged($0.sequence) }, limit: limits.deliveryCounts)
            case .snapshot, .open, .seal, .close, .mark, .padding: break
            }
        } catch {
            let what = "the \(header.type) frame at \(frame.lsn) is not valid (\(error)) though its checksum is right"
            if header.type == .put { return what + "; its events are looked at again when they are taken" }
            throw ChannelError(
                .damaged, what + "; it was forged or written by a faulty program; inspect the log", lsn: frame.lsn)
        }
        return nil
    }

    private func raw(_ frame: ReplayedFrame) throws(FormatError) -> [UInt8] {
        try FramePayload.decompress(frame.payload, header: frame.header)
    }

    private func check(_ name: String, _ frame: ReplayedFrame) throws(FormatError) {
        guard name == group.name else { throw FormatError(.transaction, .outOfRange(.groupName), at: 0) }
    }

    private mutating func replayTransactions(_ frame: ReplayedFrame) throws(FormatError) {
        let header = frame.header
        let bytes = try raw(frame)
        let heads = try TransactionHead.heads(
            in: bytes.rawSpan, type: header.type, transactionCount: header.transactionCount)
        var first = header.baseSequence.rawValue
        for head in heads {
            if header.type == .takeCommit {
                try check(head.group, frame)
                for range in head.ranges { acknowledge(range, .taken) }
            }
            bookmarks.apply(head.bookmarks, at: frame.lsn)
            let end = first + UInt64(head.eventCount)
            #if PlantedBugs
                if PlantedBug.forgetProducers.isPlanted {
                    first = end
                    continue
                }
            #endif
            if head.producer != .none {
                producers.apply(
                    ProducerStamp(id: head.producer, sequence: head.producerSequence),
                    PutReceipt(sequences: first..<end, lsn: frame.lsn, checksum: header.payloadChecksum), limits)
            }
            first = end
        }
    }
}
