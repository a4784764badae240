import LogFormat

/// Gives one input to the decoders of snapshots and of the channel's part in them, and traps when they break a promise
/// (``FrameInput``).
package enum SnapshotInput {
    package enum Mode: UInt8, CaseIterable, Sendable {
        /// A snapshot as it is.
        case raw
        /// With its counts and lengths put right: what is behind the table is the channel's part.
        case repaired
        /// The channel's part alone.
        case client
    }

    package static func run(_ input: [UInt8]) {
        guard let first = input.first, let mode = Mode(rawValue: first % UInt8(Mode.allCases.count)) else { return }
        var bytes = Array(input.dropFirst())
        switch mode {
        case .client: client(bytes)
        case .repaired:
            Repair.snapshot(&bytes, at: 0, count: bytes.count)
            snapshot(bytes)
        case .raw: snapshot(bytes)
        }
    }

    static func snapshot(_ bytes: [UInt8]) {
        guard let snapshot = try? Snapshot(decoding: unsafe bytes.span.bytes) else { return }
        Promise.require((try? snapshot.encode()) == bytes, "a snapshot is not canonical")
        Promise.require(snapshot.encodedBytes == bytes.count, "another length than it has")
        Promise.require(!snapshot.segments.isEmpty, "a snapshot without segments")
        for (entry, next) in zip(snapshot.segments, snapshot.segments.dropFirst()) {
            Promise.require(entry.number < next.number, "the table does not ascend")
        }
        client(snapshot.client)
    }

    private static func client(_ bytes: [UInt8]) {
        guard let state = try? ClientState(decoding: unsafe bytes.span.bytes) else { return }
        let encoded = try? state.encode()
        Promise.require(encoded != nil, "a channel's part was accepted that cannot be written")
        // Nothing at all and four counts of 0 are the same.
        let isEmpty = bytes.isEmpty && state == ClientState()
        Promise.require(encoded == bytes || isEmpty, "a channel's part is not canonical")
        for group in state.groups {
            for (range, next) in zip(group.acknowledged, group.acknowledged.dropFirst()) {
                Promise.require(range.first < range.end && range.end < next.first, "ranges touch")
            }
        }
    }
}
