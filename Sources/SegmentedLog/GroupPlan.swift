internal import LogFormat

/// Where the frames of a group go: plain arithmetic over lengths.
struct GroupPlan: Equatable, Sendable {
    /// Where each frame stands in the group, the last one's gap included.
    private(set) var places: [Range<Int>] = []
    /// The padding frame; nil when the last frame's gap fills the block.
    private(set) var padding: Range<Int>?
    /// A multiple of the block size.
    private(set) var totalBytes: Int

    /// - Parameters:
    ///   - frames: not empty.
    ///   - blockBytes: what the group is padded to.
    init(_ frames: [FramePayload], blockBytes: Int) {
        self.init(
            lengths: frames.lazy.map(\.minimumFrameBytes), blockBytes: blockBytes,
            lastMustBeLast: frames.last!.type == .seal || frames.last!.type == .close)
    }

    /// - Parameters:
    ///   - lengths: minimum length of each frame, multiples of 8.
    ///   - lastMustBeLast: nothing may follow a seal or a close: padding goes before it.
    init(lengths: some RandomAccessCollection<Int>, blockBytes: Int, lastMustBeLast: Bool) {
        let used = lengths.reduce(0, +)
        totalBytes = SpaceBudget.roundUp(used, to: blockBytes)
        let rest = totalBytes - used
        let last = lengths.count - 1
        var position = 0
        places.reserveCapacity(lengths.count)
        for length in lengths {
            if places.count == last, lastMustBeLast, rest >= FormatConstants.minimumFrameBytes {
                padding = position..<(position + rest)
                position += rest
            }
            places.append(position..<position + length)
            position += length
        }
        if rest >= FormatConstants.minimumFrameBytes {
            if !lastMustBeLast { padding = used..<totalBytes }
        } else {
            // Too short for a frame of its own: zeros inside the last frame's length.
            places[last] = places[last].lowerBound..<places[last].upperBound + rest
        }
    }
}
