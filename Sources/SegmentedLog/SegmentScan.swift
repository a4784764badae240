package import FileIO
package import LogFormat

/// One segment file from its beginning to its end, going on behind whatever is wrong.
///
/// It looks at bytes only: every frame's header, payload, gap and trailer are held against their checksums, and what no whole
/// frame covers is named. Whether a frame counts (epochs, cuts, what was durable) is for whoever knows the log. The file may
/// be in use, and may be recycled meanwhile: ``isCurrent`` asks.
///
/// Costs one pass over the file and a buffer of 1 MiB (or of the largest frame), whatever the file holds. One owner; not thread-safe.
package final class SegmentScan {
    package enum Piece: Sendable {
        /// A whole frame: everything about it was verified.
        case frame(FrameHeader, at: UInt64)
        /// Bytes that no whole frame covers: in front of a whole frame, or a last frame whose header is valid and which is not
        /// whole (torn, when a crash came in between).
        case hole(Range<UInt64>, Flaw)
        /// Behind the last frame: space not written yet, or a former life's bytes. Not judged.
        case rest(Range<UInt64>)
    }

    /// What stands at the beginning of a hole.
    package enum Flaw: Sendable {
        /// No valid header.
        case noHeader
        /// A valid header; payload, gap or trailer are not as it says, or the file ends before.
        case notWhole(FrameHeader)
        /// The disk does not give the bytes.
        case unreadable
    }

    /// A copy of the identity that is no identity.
    package enum IdentityFlaw: Error, Sendable {
        case invalid(FormatError)
        case unreadable(FileError)
    }

    /// In its directory.
    package let name: String
    package let status: FileStatus
    /// Both copies, in their order.
    package let copies: [Result<IdentityBlock, IdentityFlaw>]
    /// What counts: of two that differ the one of the higher epoch. nil when neither is valid.
    package let identity: IdentityBlock?
    /// What its frames' checksums are seeded with: as the caller or the identity says. nil when nobody does: then no frame can be
    /// told from other bytes, and there are no pieces.
    package let life: SegmentLife?
    /// Frames are looked for up to here: the segment's size, or the file's if that is less.
    package let end: UInt64

    private let directory: any StorageDirectory
    private let file: any StorageFile
    private let window: SegmentWindow?
    private var offset: UInt64
    private var waiting: Piece?
    private var isOver = false

    package static let firstOffset = UInt64(SpaceBudget.identityBytes)

    /// Opens the file and reads its identity.
    ///
    /// - Parameters:
    ///   - life: goes before what the identity says; for one whose identity is gone.
    ///   - bytes: its size, for one whose identity is gone; else the file's.
    /// - Throws: `fileOperation`; `newerVersion` for an identity of a later version.
    package init(
        _ name: String, in directory: any StorageDirectory, life: SegmentLife? = nil, segmentBytes bytes: UInt64? = nil,
        source: ReadSource = .cache
    ) throws(LogError) {
        self.name = name
        self.directory = directory
        do throws(FileError) {
            file = try directory.open(name, for: .reading)
            status = try file.status()
        } catch {
            throw .file(error, "segment \(name) in \(directory.path) cannot be opened")
        }
        copies = Self.identities(file, source)
        if copies.contains(where: \.isNewer) {
            throw LogError(
                .newerVersion,
                "\(name) in \(directory.path) was written by a newer version or with a feature that this version does not know; use "
                    + "the version that wrote it")
        }
        identity = copies.compactMap { try? $0.get() }.max { $0.opening.epoch < $1.opening.epoch }
        self.life = life ?? copies.lazy.compactMap { try? $0.get().life }.first
        let size = identity?.segmentBytes ?? bytes ?? status.size
        end = min(size, status.size, UInt64(SpaceBudget.largestSegmentBytes))
        offset = Self.firstOffset
        let (file, end) = (file, end)
        window = self.life.map {
            SegmentWindow(file: file, life: $0, end: end, source: source, windowBytes: Self.windowBytes)
        }
    }

    deinit { try? file.close() }

    private static let windowBytes = 1 << 20

    private static func identities(
        _ file: any StorageFile, _ source: ReadSource
    ) -> [Result<IdentityBlock, IdentityFlaw>] {
        let buffer = AlignedBuffer(byteCount: IdentityBlock.byteCount)
        return (0..<2).map { copy in
            let place = UInt64(copy * IdentityBlock.byteCount)
            do throws(FileError) {
                // Each copy by itself: one unreadable sector must not take both.
                let count = try file.read(
                    into: buffer, at: 0, count: IdentityBlock.byteCount, from: place, source: source)
                return Result { () throws(IdentityFlaw) in
                    do throws(FormatError) {
                        return try IdentityBlock(decoding: buffer.bytes.extracting(0..<count))
                    } catch { throw .invalid(error) }
                }
            } catch { return .failure(.unreadable(error)) }
        }
    }

    /// The next piece, in order; nil behind the last one. What stands behind a `seal` is a rest.
    package func next() -> Piece? {
        if let piece = waiting {
            waiting = nil
            switch piece {
            case .frame(let header, let place): pass(header, at: place)
            case .hole(let range, _), .rest(let range): offset = range.upperBound
            }
            return piece
        }
        guard !isOver, let window, offset < end else { return nil }
        let place = offset
        let found = window.probe(at: place, verifyingPayload: true)
        if case .frame(let header) = found {
            pass(header, at: place)
            return .frame(header, at: place)
        }
        if let next = window.nextFrame(from: place + 8) {
            waiting = .frame(next.header, at: next.offset)
            offset = next.offset
            return .hole(place..<next.offset, Flaw(found))
        }
        isOver = true
        return last(found, window)
    }

    private func pass(_ header: FrameHeader, at place: UInt64) {
        offset = place + UInt64(header.frameBytes)
        guard header.type == .seal else { return }
        isOver = true
        if offset < end { waiting = .rest(offset..<end) }
    }

    /// Nothing whole follows.
    private func last(_ found: SegmentWindow.Probe, _ window: SegmentWindow) -> Piece {
        let start = offset
        if case .badPayload(let header) = found {
            offset = max(start + 1, min(start + UInt64(header.frameBytes), window.end))
            if offset < window.end { waiting = .rest(offset..<window.end) }
            return .hole(start..<offset, .notWhole(header))
        }
        offset = window.end
        if window.missedSectors || found.isUnreadable, !window.gives(from: start, to: window.end) {
            return .hole(start..<window.end, .unreadable)
        }
        return .rest(start..<window.end)
    }

    /// The whole frame behind the hole that ``next()`` has just given; nil when none is.
    package var frameBehindHole: (header: FrameHeader, offset: UInt64)? {
        if case .frame(let header, let place) = waiting { (header, place) } else { nil }
    }

    /// Goes on at another place, with nothing that was read before: for a place that is being written, or is asked about.
    package func seek(to place: UInt64) {
        waiting = nil
        isOver = false
        offset = place
        window?.forget()
    }

    /// The stored payload of a frame that ``next()`` has just given.
    package func payload(of header: FrameHeader, at place: UInt64) throws(FileError) -> [UInt8] {
        guard let window else { return [] }
        return try window.payload(of: header, at: place)
    }

    /// The bytes of a range, as far as there are any; zeros where the disk does not give them.
    package func bytes(_ range: Range<UInt64>) -> [UInt8] {
        guard range.lowerBound < range.upperBound else { return [] }
        return SegmentWindow(
            file: file,
            life: life ?? SegmentLife(logUUID: LogUUID(high: 0, low: 0), salt: 1, segment: SegmentNumber(1)),
            end: status.size, source: .cache
        ).copy(range)
    }

    /// Whether its name still names this file, in the same life. When it does not, what was read last is of no meaning: the segment
    /// was let go, and its file may be another one's by now.
    package var isCurrent: Bool {
        guard let now = try? directory.status(of: name), (now.device, now.inode) == (status.device, status.inode) else {
            return false
        }
        guard let identity else { return true }
        return Self.identities(file, .cache).contains { (try? $0.get())?.salt == identity.salt }
    }
}

extension SegmentScan.Flaw {
    fileprivate init(_ probe: SegmentWindow.Probe) {
        self =
            switch probe {
            case .badPayload(let header): .notWhole(header)
            case .unreadable: .unreadable
            case .frame, .nothing: .noHeader
            }
    }
}

extension SegmentWindow.Probe {
    fileprivate var isUnreadable: Bool { if case .unreadable = self { true } else { false } }
}

extension Result<IdentityBlock, SegmentScan.IdentityFlaw> {
    fileprivate var isNewer: Bool {
        if case .failure(.invalid(let error)) = self { error.isNewer } else { false }
    }
}
