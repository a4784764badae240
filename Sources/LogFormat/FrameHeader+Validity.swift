extension FrameHeader {
    /// The rules of DESIGN.md 3.5 that concern the fields and the frame's place, in the order of the text.
    func check(at place: LSN) throws(FormatError) {
        try checkLengths(place.offset)
        try checkCounts(place.offset)
        guard baseSequence.rawValue.isNumber,
            baseSequence.rawValue <= FormatConstants.maximumNumber - UInt64(eventCount)
        else {
            throw Self.outOfRange(FrameHeaderLayout.baseSequence, place.offset)
        }
        guard epoch.rawValue.isNumber else { throw Self.outOfRange(FrameHeaderLayout.epoch, place.offset) }
        guard nonce != 0 else { throw Self.outOfRange(FrameHeaderLayout.nonce, place.offset) }
        guard durableThrough.isWellFormed else {
            throw Self.outOfRange(FrameHeaderLayout.durableSegment, place.offset)
        }
        guard durableThrough.nextSequence <= baseSequence else {
            throw Self.outOfRange(FrameHeaderLayout.durableSequence, place.offset)
        }
        guard durableThrough.lsn <= place else {
            throw Self.outOfRange(FrameHeaderLayout.durableOffset, place.offset)
        }
    }

    private func checkLengths(_ position: UInt64) throws(FormatError) {
        guard encoding == FormatConstants.encoding else {
            throw Self.outOfRange(FrameHeaderLayout.encoding, position)
        }
        guard frameBytes % UInt32(FormatConstants.alignment) == 0, frameBytes <= FormatConstants.maximumFrameBytes
        else {
            throw Self.outOfRange(FrameHeaderLayout.frameBytes, position)
        }
        let gap = Int64(frameBytes) - Int64(FormatConstants.minimumFrameBytes) - Int64(storedBytes)
        guard gap >= 0, gap <= FormatConstants.maximumGapBytes else {
            throw Self.outOfRange(FrameHeaderLayout.storedBytes, position)
        }
        guard rawBytes <= FormatConstants.maximumRawBytes else {
            throw Self.outOfRange(FrameHeaderLayout.rawBytes, position)
        }
        let agree =
            switch compression {
            case .none: storedBytes == rawBytes
            case .lz4:
                storedBytes >= 1 && storedBytes < rawBytes
                    && UInt64(rawBytes) <= UInt64(FormatConstants.maximumCompressionRatio) * UInt64(storedBytes)
            }
        guard agree else { throw Self.outOfRange(FrameHeaderLayout.rawBytes, position) }
        if type.isEmpty, storedBytes != 0 { throw Self.outOfRange(FrameHeaderLayout.storedBytes, position) }
        if type == .padding, compression != .none { throw Self.outOfRange(FrameHeaderLayout.compression, position) }
    }

    private func checkCounts(_ position: UInt64) throws(FormatError) {
        guard eventCount == 0 || type == .put else {
            throw Self.outOfRange(FrameHeaderLayout.eventCount, position)
        }
        guard (transactionCount != 0) == type.holdsTransactions else {
            throw Self.outOfRange(FrameHeaderLayout.transactionCount, position)
        }
    }

    static func outOfRange<Value>(_ field: Field<Value>, _ position: UInt64) -> FormatError {
        FormatError(.frameHeader, .outOfRange(field.name), at: position &+ UInt64(field.offset))
    }
}
