import DurableChannel
import Testing

@testable import LineTransfer

@Suite struct DecisionTests {
    private static func bookmark(offset: UInt64 = 1000) -> FileBookmark {
        let covered = FileBookmark.fingerprintBytes(before: offset)
        return FileBookmark(
            .source, device: 1, inode: 10, offset: offset, lines: 0, head: Fingerprint(byteCount: covered, hash: 5),
            tail: Fingerprint(byteCount: covered, hash: 6))
    }

    /// Every combination of what can differ, with what is to be done about it.
    private struct Row {
        var device: UInt64
        var inode: UInt64
        var size: UInt64
        var head: UInt64
        var tail: UInt64
        var source: SourceDecision
        var sink: SinkDecision
    }

    private static var rows: [Row] {
        var rows: [Row] = []
        for device in [UInt64(1), 2] {
            for inode in [UInt64(10), 11] {
                for size in [UInt64(0), 999, 1000, 1001] {
                    for (head, tail) in [(UInt64(5), UInt64(6)), (5, 0), (0, 6), (0, 0)] {
                        let isSameInode = inode == 10
                        let isShort = size < 1000
                        let isSameContent = head == 5 && tail == 6
                        let source: SourceDecision =
                            if !isSameInode { .replaced } else if device == 2 {
                                !isShort && isSameContent ? .goOn : .replaced
                            } else if isShort { .truncated } else { isSameContent ? .goOn : .rewritten }
                        let sink: SinkDecision =
                            switch source {
                            case .goOn: .goOn(length: 1000)
                            case .truncated: .shorter
                            default: .other
                            }
                        rows.append(
                            Row(
                                device: device, inode: inode, size: size, head: head, tail: tail, source: source,
                                sink: sink))
                    }
                }
            }
        }
        return rows
    }

    @Test func eachLookOfAFileHasItsDecision() {
        #expect(Self.rows.count == 64)
        for row in Self.rows {
            let found = FileObservation(
                device: row.device, inode: row.inode, size: row.size, head: Fingerprint(byteCount: 256, hash: row.head),
                tail: Fingerprint(byteCount: 256, hash: row.tail))
            #expect(SourceDecision(Self.bookmark(), found) == row.source, "\(row)")
            #expect(SinkDecision(Self.bookmark(), found) == row.sink, "\(row)")
        }
    }

    @Test func withoutABookmarkASourceStartsAndASinkAdoptsOrCreates() {
        let found = FileObservation(device: 1, inode: 1, size: 77, head: .nothing, tail: .nothing)
        #expect(SourceDecision(nil, found) == .start)
        #expect(SinkDecision(nil, found) == .adopt(length: 77))
        #expect(SinkDecision(nil, nil) == .create)
        #expect(SinkDecision(Self.bookmark(), nil) == .missing)
    }

    @Test func aFileOfWhichNothingWasSeenIsKnownByDeviceAndInodeAlone() {
        let empty = FileBookmark(.sink, device: 1, inode: 10, offset: 0, head: .nothing, tail: .nothing)
        var found = FileObservation(device: 1, inode: 10, size: 50, head: .nothing, tail: .nothing)
        #expect(SinkDecision(empty, found) == .goOn(length: 0))
        #expect(SourceDecision(empty, found) == .goOn)
        found.device = 2
        #expect(SinkDecision(empty, found) == .other)
        #expect(SourceDecision(empty, found) == .replaced)
    }
}
