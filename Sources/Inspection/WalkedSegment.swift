package import DurableChannel
package import FileIO
package import LogFormat
package import SegmentedLog

/// A segment file, as a walk comes to it.
package struct WalkedSegment: Sendable {
    package enum Role: String, Sendable, CaseIterable {
        /// Part of the log, and ended.
        case live
        /// Part of the log, and the last one.
        case active
        /// A durable snapshot does not list it any more: let go, and about to be removed or used again.
        case retired
        /// Of this log, and no part of it: made ready and never used, or cut off as a whole.
        case unused
        /// Of another log, or another segment's under this name.
        case foreign
        /// Looked at by itself.
        case alone
        /// An opening would be refused, so nothing says whether it is part of the log.
        case unjudged

        /// What stands in it may count.
        package var isPartOfLog: Bool { [.live, .active, .alone, .unjudged].contains(self) }
    }

    /// In the directory.
    package var name: String
    /// By its name; once it is open, of a file looked at alone, by its identity. nil: unknown.
    package var number: SegmentNumber?
    package var role: Role
    /// As the log lists it.
    package var entry: SegmentEntry?
    package var identity: IdentityBlock?
    /// What is wrong with each copy of its identity; nil for a valid one.
    package var copies: [SegmentScan.IdentityFlaw?] = []
    package var status: FileStatus?
    /// How many bytes frames are looked for in.
    package var readableBytes: UInt64 = 0

    init(_ name: String, _ number: SegmentNumber?, _ inspection: LogInspection) {
        self.name = name
        self.number = number
        entry = number.flatMap { inspection.view?.entry($0) }
        role =
            if inspection.file != nil {
                .alone
            } else if let view = inspection.view, let number {
                if entry != nil {
                    view.tail.lsn.segment == number ? .active : .live
                } else if inspection.isInUse, number > view.tail.lsn.segment {
                    // Made since the log was looked at, or ready for what comes next.
                    .active
                } else if view.report.foreignFiles.contains(name) {
                    .foreign
                } else if number < view.tail.lsn.segment {
                    .retired
                } else {
                    .unused
                }
            } else {
                .unjudged
            }
    }

    /// What its file says.
    mutating func note(_ scan: SegmentScan, _ inspection: LogInspection) {
        identity = scan.identity
        status = scan.status
        readableBytes = scan.end
        copies = scan.copies.map { copy in
            if case .failure(let flaw) = copy { flaw } else { nil }
        }
        if role == .alone { number = scan.life?.segment ?? number }
    }
}

/// A whole frame.
package struct WalkedFrame {
    package let segment: WalkedSegment
    package let lsn: LSN
    package let header: FrameHeader
    package let verdict: Verdict
    /// Numbers of events that nothing holds, before this frame: whatever held them is gone.
    package let missingBefore: SequenceRange?
    private let scan: SegmentScan

    init(
        segment: WalkedSegment, lsn: LSN, header: FrameHeader, verdict: Verdict, missingBefore: SequenceRange?,
        scan: SegmentScan
    ) {
        self.segment = segment
        self.lsn = lsn
        self.header = header
        self.verdict = verdict
        self.missingBefore = missingBefore
        self.scan = scan
    }

    /// The sequences of its events; empty for a frame that numbers none.
    package var sequences: SequenceRange {
        SequenceRange(first: header.baseSequence, end: header.endSequence)
    }

    /// The payload before compression. To be asked for while the walk is at this frame.
    /// - Throws: `damaged` when it does not decompress though its checksum is right; `fileOperation`.
    package func raw() throws(ChannelError) -> [UInt8] {
        do throws(FileError) {
            let stored = try scan.payload(of: header, at: lsn.offset)
            do throws(FormatError) { return try FramePayload.decompress(stored, header: header) } catch {
                throw FileError(.read, path: "\(error)", errno: 0, reason: .unsupported)
            }
        } catch {
            if error.reason == .unsupported, error.errno == 0 {
                throw ChannelError(
                    .damaged,
                    "the payload of \(lsn) does not decompress though its checksum is right (\(error.path)); it was forged, or "
                        + "written by a faulty program",
                    lsn: lsn)
            }
            throw ChannelError(.fileOperation, "the frame at \(lsn) cannot be read", lsn: lsn, fileError: error)
        }
    }

    /// Its bytes as they are stored, header and trailer included.
    package func bytes() -> [UInt8] { scan.bytes(lsn.offset..<lsn.offset + UInt64(header.frameBytes)) }
}

/// Bytes that no whole frame covers.
package struct WalkedHole {
    package let segment: WalkedSegment
    package let range: Range<UInt64>
    package let verdict: Verdict
    package let flaw: SegmentScan.Flaw
    /// What stood there, as far as what stands around it says; nil where nothing is missing, or nobody knows.
    package let sequences: SequenceRange?
    private let scan: SegmentScan

    init(
        segment: WalkedSegment, range: Range<UInt64>, verdict: Verdict, flaw: SegmentScan.Flaw,
        sequences: SequenceRange?, scan: SegmentScan
    ) {
        self.segment = segment
        self.range = range
        self.verdict = verdict
        self.flaw = flaw
        self.sequences = sequences
        self.scan = scan
    }

    package var lsn: LSN { LSN(segment: segment.number ?? SegmentNumber(0), offset: range.lowerBound) }

    /// The first of its bytes, `most` at most; zeros where the disk does not give them.
    package func bytes(atMost most: Int) -> [UInt8] {
        scan.bytes(range.lowerBound..<min(range.upperBound, range.lowerBound + UInt64(most)))
    }
}
