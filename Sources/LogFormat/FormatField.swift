/// The fields of the format by the names that they have in chapter 3 of DESIGN.md. For errors and layouts.
public enum FormatField: String, Sendable, CustomStringConvertible {
    // Identity block, checkpoint slot
    case magic, version, blockBytes, compatibleFeatures, readOnlyCompatibleFeatures, incompatibleFeatures, logUUID
    case segmentNumber, salt, segmentBytes, creationTime, predecessorNumber, predecessorSalt, dataDirectory, kind, keyID
    case openingCount, openings, openSegment, reserved, checksum, slot, generation, time, payloadBytes
    // Frames
    case type, encoding, compression, flags, frameBytes, storedBytes, rawBytes, eventCount, transactionCount
    case payloadChecksum, baseSequence, commitTime, durableSegment, durableOffset, durableSequence, epoch, nonce
    case headerChecksum, gap, payload
    // Transactions, events, bookmarks
    case transactionBytes, transactionID, producerID, producerSequence, bookmarkCount, groupNameBytes, rangeCount
    case groupName, range, bookmarkName, bookmarkValue, headerCount, bodyBytes, headerKey, headerValue
    case extensionBytes, extensionTag, extensionLength
    // Records
    case cutSegment, cutOffset, nextSequence, previousEpoch, groupsInFlight, durability, reason, nextSegment, nextSalt
    case limit, segment, fromOffset, toOffset, firstSequence, endSequence, entryCount, sequence, count
    // Snapshot
    case coveredSegment, coveredOffset, coveredSequence, oldestSegment, newestSegment, segmentCount, clientBytes
    case number, endOffset, holdsEvents
    // The channel's part of a snapshot
    case groupCount, acknowledgedBelow, leaseLimit, taken, droppedByOverflow, expired, deadLettered, skipped, lost
    case producerCount, deliveryCountCount, groupIndex, bookmarkBytes, covered

    public var description: String { rawValue }
}
