import LogFormat
import Testing

@testable import SegmentedLog

/// Where the frames of a group go: groups fill their blocks exactly.
@Suite struct GroupPlanTests {
    private func check(_ plan: GroupPlan, _ lengths: [Int], _ block: Int, _ isLast: Bool) {
        let story: Comment = "\(lengths), blocks of \(block), last \(isLast): \(plan)"
        let used = lengths.reduce(0, +)
        #expect(plan.totalBytes % block == 0 && plan.totalBytes >= used, story)
        #expect(plan.totalBytes - used < block, "no block too many: \(plan)")
        // Frames and padding lie side by side, without a hole.
        var pieces = plan.places
        if let padding = plan.padding { pieces.append(padding) }
        pieces.sort { $0.lowerBound < $1.lowerBound }
        var end = 0
        for piece in pieces {
            #expect(piece.lowerBound == end, story)
            end = piece.upperBound
        }
        #expect(end == plan.totalBytes, story)
        // Only the last frame is longer than it must be, by a gap of fewer bytes than a frame.
        #expect(plan.places.dropLast().map(\.count) == lengths.dropLast(), story)
        let gap = plan.places.last!.count - lengths.last!
        #expect((0..<FormatConstants.minimumFrameBytes).contains(gap), story)
        #expect(plan.padding == nil || gap == 0, story)
        if let padding = plan.padding {
            #expect(padding.count >= FormatConstants.minimumFrameBytes, story)
            #expect(padding.upperBound == (isLast ? plan.places.last!.lowerBound : plan.totalBytes), story)
        }
        if isLast { #expect(plan.places.last!.upperBound == plan.totalBytes, story) }
    }

    @Test(arguments: [512, 4096], [false, true])
    func everyLengthOfPayloadFillsItsBlocksExactly(_ block: Int, _ isLast: Bool) {
        for bytes in 1...1200 {
            let length = Frame.minimumBytes(storedBytes: bytes)
            check(GroupPlan(lengths: [length], blockBytes: block, lastMustBeLast: isLast), [length], block, isLast)
        }
    }

    @Test(arguments: [512, 4096], [false, true])
    func everyPairOfLengthsFillsItsBlocksExactly(_ block: Int, _ isLast: Bool) {
        for first in stride(from: 104, through: 1200, by: 56) {
            for second in stride(from: 104, through: 1200, by: 8) {
                let plan = GroupPlan(lengths: [first, second], blockBytes: block, lastMustBeLast: isLast)
                check(plan, [first, second], block, isLast)
            }
        }
    }

    @Test func aRestOf104BytesIsAFrameAndOf96IsAGap() {
        let padded = GroupPlan(lengths: [408], blockBytes: 512, lastMustBeLast: false)
        #expect(padded.padding == 408..<512)
        #expect(padded.places == [0..<408])
        let gapped = GroupPlan(lengths: [416], blockBytes: 512, lastMustBeLast: false)
        #expect(gapped.padding == nil)
        #expect(gapped.places == [0..<512])
        let exact = GroupPlan(lengths: [512], blockBytes: 512, lastMustBeLast: false)
        #expect(exact.padding == nil)
        #expect(exact.places == [0..<512])
        #expect(exact.totalBytes == 512)
    }

    @Test(arguments: [FrameType.seal, .close]) func paddingGoesBeforeAFrameThatMustBeLast(_ type: FrameType) throws {
        let raw = type == .seal ? [UInt8](repeating: 1, count: 16) : []
        let put = try FramePayload(type: .put, eventCount: 1, transactionCount: 1, raw: [1, 2, 3, 4, 5, 6, 7, 8])
        let last = try FramePayload(type: type, raw: raw)
        let alone = GroupPlan([last], blockBytes: 512)
        #expect(alone.padding == 0..<(512 - last.minimumFrameBytes))
        #expect(alone.places == [512 - last.minimumFrameBytes..<512])
        let both = GroupPlan([put, last], blockBytes: 512)
        #expect(both.places == [0..<112, 512 - last.minimumFrameBytes..<512])
        #expect(both.padding == 112..<(512 - last.minimumFrameBytes))
        let other = GroupPlan([last, put], blockBytes: 512)
        #expect(other.padding?.upperBound == 512, "only as the last frame")
    }
}
