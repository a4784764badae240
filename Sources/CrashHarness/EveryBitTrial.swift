internal import DurableChannel
internal import LogFormat
internal import SegmentedLog
internal import SimulatedFileIO

/// Opens a log of which something was changed, under both policies, and goes on with it.
package struct EveryBitTrial {
    package struct Outcome: Sendable, Equatable {
        /// Under `salvage`.
        package var isOpened = false
        /// Under `strict`: it did not open, or a take ended at the damage.
        package var isRefusedStrictly = false
        /// Counted as lost.
        package var lost = 0
        /// Missing, and nothing vouched for it.
        package var unknown = 0
        package var objection: String?
    }

    private let log: EveryBitLog
    private let variant: EveryBitVariant
    private let check: EveryBitCheck
    private var outcome = Outcome()

    /// - Parameter ground: makes a place that holds the changed log; asked once for each policy.
    package static func run(
        _ log: EveryBitLog, _ variant: EveryBitVariant, on ground: () throws(EveryBitObjection) -> any EveryBitGround
    ) -> Outcome {
        var trial = EveryBitTrial(log: log, variant: variant, check: EveryBitCheck(log, variant))
        do throws(EveryBitObjection) {
            try trial.runStrictly(try ground())
            try trial.runSalvaging(try ground())
        } catch { trial.outcome.objection = error.description }
        return trial.outcome
    }

    package static func run(_ log: EveryBitLog, _ variant: EveryBitVariant) -> Outcome {
        run(log, variant) { () throws(EveryBitObjection) in
            log.ground(after: variant)
        }
    }

    /// Which bytes of the files any step of a trial reads, when nothing was changed. What it never reads cannot make a
    /// difference to it: the engine, its clock and its random numbers are the same, and it learns of bytes by reading only.
    static func read(of log: EveryBitLog) -> [String: [Bool]] {
        var isRead = log.files.mapValues { [Bool](repeating: false, count: $0.count) }
        let variant = EveryBitVariant(log.files.keys.first!, .untouched)
        let outcome = run(log, variant) { () throws(EveryBitObjection) in
            let disk = log.disk.clone()
            disk.options.countsReads = true
            disk.beforeOperation = { operation in
                let name = String(operation.path.dropFirst(EveryBitPlace.path.count + 1))
                guard var bytes = isRead[name] else { return }
                switch operation.operation {
                case .read:
                    let range = (operation.range ?? 0..<UInt64(bytes.count)).clamped(to: 0..<UInt64(bytes.count))
                    for byte in range { bytes[Int(byte)] = true }
                // Read under another name, perhaps.
                case .rename: bytes = bytes.map { _ in true }
                default: return
                }
                isRead[name] = bytes
            }
            return EveryBitPlace(disk)
        }
        // Whoever ends early has read too little.
        guard outcome.objection == nil else { return log.files.mapValues { $0.map { _ in true } } }
        return isRead
    }

    /// Where something else stands instead of a file, an error may say what to move away (row 33): from the opening, from the take
    /// that comes to it, or, where a checkpoint is to be written, from the close. Nothing else keeps a channel shut under `salvage`:
    /// of each log at least one segment with its identity is left (rows 10, 17 to 19), and nothing is of a newer version (row 37: no
    /// single bit makes one, a checksum is over it).
    private func mayRefuse(_ error: ChannelError) -> Bool {
        [.symbolicLink, .directory, .fifo].contains(variant.kind) && error.code == .fileOperation
    }

    private func close(_ channel: FileChannel) throws(ChannelError) {
        do throws(ChannelError) { try channel.close() } catch { if !mayRefuse(error) { throw error } }
    }

    // MARK: strict

    private mutating func runStrictly(_ ground: any EveryBitGround) throws(EveryBitObjection) {
        let before = ground.fingerprint()
        let channel: FileChannel
        let process = ground.process()
        do throws(ChannelError) { channel = try process.open(.strict) } catch {
            outcome.isRefusedStrictly = true
            guard error.code == .damaged || mayRefuse(error) else {
                throw EveryBitObjection("strict: \(error)")
            }
            guard ground.fingerprint() == before else {
                throw EveryBitObjection("strict: not opened, and not untouched: \(error); now \(ground.names())")
            }
            return
        }
        var verdict = EveryBitCheck.Verdict()
        do throws(ChannelError) {
            let look = try EveryBitLook(channel, log.bookmarkNames)
            // What is missing must be counted, and nothing may be.
            if look.metrics.lostEvents > 0 {
                throw ChannelError(.closed, "opened, with \(look.metrics.lostEvents) events lost")
            }
            if let objection = check.judge(look, &verdict) { throw ChannelError(.closed, objection) }
            try close(channel)
        } catch {
            // What stands before the checkpoint is not read by the opening; the take that comes to it stays there.
            guard error.code == .damaged || mayRefuse(error) else { throw EveryBitObjection("strict: \(error)") }
            outcome.isRefusedStrictly = true
        }
    }

    // MARK: salvage

    private mutating func runSalvaging(_ ground: any EveryBitGround) throws(EveryBitObjection) {
        let (before, outside) = (ground.fingerprint(), ground.outside())
        var first: EveryBitLook?
        var next: UInt64 = 0
        var opened: FileChannel?
        let process = ground.process()
        do throws(ChannelError) {
            let channel = try process.open(.salvage)
            outcome.isOpened = true
            opened = channel
            let look = try begin(channel)
            first = look
            next = try put(on: channel)
            let least = check.leastNext(look)
            if next < least {
                throw ChannelError(.closed, "a new event is \(next), and numbers before \(least) were given")
            }
            try close(channel)
        } catch {
            guard mayRefuse(error), first == nil else {
                throw EveryBitObjection("salvage: \(error)\(Self.words(first))")
            }
            if !outcome.isOpened, ground.fingerprint() != before {
                throw EveryBitObjection("refused, and not untouched: \(error)")
            }
            outcome.isOpened = false
            // It may hold the directory; whether it can write a checkpoint does not matter any more.
            try? opened?.close()
            return try runRestored(ground)
        }
        let asides = ground.names().count { $0.hasPrefix("aside-") }
        do throws(ChannelError) {
            let process = ground.process()
            let channel = try process.open(.salvage)
            try goOn(channel, first!, next)
            try close(channel)
        } catch { throw EveryBitObjection("salvage, opened again: \(error)\(Self.words(first))") }
        if ground.outside() != outside { throw EveryBitObjection("what a link leads to was changed") }
        let names = ground.names()
        if names.count(where: { $0.hasPrefix("aside-") }) > asides {
            throw EveryBitObjection("opened again, it has set more aside: \(names)")
        }
        if ground.allocatedBytes() > EveryBitWriter.configuration.capacityBytes! {
            throw EveryBitObjection("\(ground.allocatedBytes()) bytes on disk: \(names)")
        }
    }

    /// Whoever was told to move something away, and has put the file back, has everything.
    private func runRestored(_ ground: any EveryBitGround) throws(EveryBitObjection) {
        ground.restore(variant.file, log.files[variant.file]!)
        do throws(ChannelError) {
            let process = ground.process()
            let channel = try process.open(.salvage)
            let look = try EveryBitLook(channel, log.bookmarkNames)
            guard Set(look.events.map(\.sequence)) == Set(log.held.keys), log.objection(toEvents: look) == nil,
                look.metrics.lostEvents == 0, look.metrics.isBalanced
            else { throw ChannelError(.closed, "not all is there\(Self.words(look))") }
            try channel.close()
        } catch { throw EveryBitObjection("refused, and put back: \(error)") }
    }

    private static func words(_ look: EveryBitLook?) -> String {
        guard let look else { return "" }
        return
            "; found \(look.events.map { "\($0.sequence)" + ($0.isMarked ? "*" : "") }); \(look.metrics); \(look.report)"
    }

    /// What the first opening shows.
    private mutating func begin(_ channel: FileChannel) throws(ChannelError) -> EveryBitLook {
        if channel.recoveryReport.created { throw ChannelError(.closed, "a new channel was made over the damaged one") }
        let total = LossReport.Fate.allCases.reduce(0) { $0 + channel.lossReport.count($1) }
        let put = channel.metrics.putEvents
        if total != put { throw ChannelError(.closed, "of \(put) events the report knows \(total)") }
        let look = try EveryBitLook(channel, log.bookmarkNames)
        var verdict = EveryBitCheck.Verdict()
        if let objection = check.judge(look, &verdict) {
            throw ChannelError(.closed, objection + Self.words(look))
        }
        outcome.lost = verdict.lost
        outcome.unknown = verdict.unknown
        return look
    }

    private static let added = Array("beside the damage".utf8)

    private func put(on channel: FileChannel) throws(ChannelError) -> UInt64 {
        var put = try channel.beginPut()
        _ = try put.append(body: Self.added)
        return try put.commit().sequences.lowerBound
    }

    /// What is there is the same as before, and the new event behind it; it is marked as what was handed out; it can be taken, and
    /// then nothing is left.
    private func goOn(_ channel: FileChannel, _ first: EveryBitLook, _ next: UInt64) throws(ChannelError) {
        let look = try EveryBitLook(channel, log.bookmarkNames)
        let (was, new) = (first.events.map(\.sequence), look.events.last)
        guard look.events.map(\.sequence) == was + [next], new?.event.body == Self.added, new?.isMarked == false,
            zip(first.events, look.events).allSatisfy({ $0.tag == $1.tag && $1.isMarked })
        else { throw ChannelError(.closed, "\(was) and \(next) were there; now\(Self.words(look))") }
        guard look.bookmarks == first.bookmarks else {
            throw ChannelError(.closed, "bookmarks were \(first.bookmarks), and are \(look.bookmarks)")
        }
        let (before, after) = (first.metrics, look.metrics)
        guard after.isBalanced, after.lostEvents == before.lostEvents, after.takenEvents == before.takenEvents,
            after.droppedEvents == before.droppedEvents, after.unreadableEvents == before.unreadableEvents
        else { throw ChannelError(.closed, "it counted \(before), and counts \(after)") }
        var taken: [UInt64] = []
        while case let more = try channel.take(ChannelSweep.everything).numbers, !more.isEmpty { taken += more }
        guard taken == was + [next] else { throw ChannelError(.closed, "\(was) were there, and \(taken) were taken") }
        let left = channel.metrics
        guard left.isBalanced, left.heldEvents == left.unreadableEvents else {
            throw ChannelError(.closed, "all is taken, and it counts \(left)")
        }
    }
}
