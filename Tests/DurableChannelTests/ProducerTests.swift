import CrashHarness
import DurableChannel
import FileIO
import Glibc
import SimulatedFileIO
import Testing
import TestSupport

/// A put that is committed again is there once, and is answered with its first receipt.
@Suite struct ProducerTests {
    private static let id = ProducerID(high: 0x1234, low: 0x5678)

    private func stamp(_ sequence: UInt64, _ id: ProducerID = id) -> ProducerStamp {
        ProducerStamp(id: id, sequence: sequence)
    }

    // MARK: Repeats

    @Test func aRepeatIsAnsweredWithTheFirstReceiptAndNothingIsPut() throws {
        let world = World()
        let channel = try world.open(World.roomy { $0.capacityEvents = 10 })
        try channel.put(tags: 0..<2)
        let first = try channel.put(tags: 2..<5, producer: stamp(7))
        #expect(!first.isRepeat && first.sequences == 3..<6 && first.lsn != nil && first.checksum != nil)
        try channel.put(tags: 5..<6)
        let writes = world.disk.operationCount
        for _ in 0..<3 {
            let again = try channel.put(tags: 2..<5, producer: stamp(7))
            #expect(again.isRepeat)
            #expect(again.sequences == first.sequences && again.lsn == first.lsn && again.checksum == first.checksum)
        }
        #expect(world.disk.operationCount == writes, "nothing is written")
        #expect(channel.metrics.repeatedCommits == 3 && channel.metrics.putEvents == 6)
        // Their room was given back.
        try channel.put(tags: 6..<10)
        #expect(try channel.take().tags == Array(0..<10))
        // Also when the events are long gone.
        #expect(try channel.put(tags: 2..<5, producer: stamp(7)).sequences == 3..<6)
        #expect(try channel.take().isEmpty)
    }

    @Test(arguments: ["closed", "killed", "cut"], [true, false])
    func aRepeatIsRecognisedAfterReopening(_ end: String, _ withCheckpoint: Bool) throws {
        let world = World()
        let channel = try world.open()
        let first = try channel.put(tags: 0..<3, producer: stamp(1))
        let other = try channel.put(tags: 3..<4, producer: stamp(9, ProducerID(high: 1, low: 0)))
        // Several segments later, whose snapshots must carry it; the first one is retired.
        for round in 0..<15 {
            try channel.put(tags: [100 + round], bytes: 3000)
            #expect(try !channel.take().isEmpty)
        }
        world.settle()
        #expect(world.segmentNames().count < 4)
        if end == "closed" { try channel.close() }
        let next = end == "killed" ? world.afterKill() : world.afterPowerCut()
        if !withCheckpoint { next.remove("checkpoint") }
        let after = try next.open()
        for (receipt, again) in [
            (first, try after.put(tags: 0..<3, producer: stamp(1))),
            (other, try after.put(tags: 3..<4, producer: stamp(9, ProducerID(high: 1, low: 0)))),
        ] {
            #expect(again.isRepeat && again.sequences == receipt.sequences && again.lsn == receipt.lsn)
            #expect(again.checksum == nil || again.checksum == receipt.checksum)
        }
        #expect(try after.take().isEmpty)
        #expect(try !after.put(tags: [50], producer: stamp(2)).isRepeat)
        #expect(after.isBalanced)
    }

    @Test func onlyTheLastTransactionOfAProducerIsRememberedAndAnEarlierOneIsStale() throws {
        let world = World()
        let channel = try world.open()
        try channel.put(tags: [0], producer: stamp(5))
        // Gaps are allowed.
        try channel.put(tags: [1], producer: stamp(17))
        for sequence in [0, 1, 5, 16] as [UInt64] {
            let error = failure { try channel.put(tags: [2], producer: stamp(sequence)) }
            #expect(error?.code == .staleProducer, "\(sequence)")
            #expect(error?.message.contains("17") == true)
        }
        #expect(channel.metrics.putEvents == 2)
        #expect(try channel.put(tags: [1], producer: stamp(17)).isRepeat)
        let after = try world.afterPowerCut().open()
        #expect(failure { try after.put(tags: [2], producer: stamp(5)) }?.code == .staleProducer)
        #expect(try after.put(tags: [2], producer: stamp(.max)).sequences == 3..<4)
        #expect(failure { try after.put(tags: [2], producer: stamp(.max - 1)) }?.code == .staleProducer)
        #expect(try after.put(tags: [2], producer: stamp(.max)).isRepeat)
        #expect(try after.take().tags == [0, 1, 2])
    }

    @Test func producersDoNotKnowOfEachOther() throws {
        let channel = try World().open(World.roomy())
        for low in 1...15 as ClosedRange<UInt64> {
            try channel.put(tags: [Int(low)], producer: stamp(3, ProducerID(high: 0, low: low)))
        }
        for low in 1...15 as ClosedRange<UInt64> {
            #expect(
                try channel.put(tags: [0], producer: stamp(3, ProducerID(high: 0, low: low))).sequences == low..<low + 1
            )
        }
        #expect(try channel.take().tags == Array(1...15))
    }

    @Test func aBookmarkWithoutEventsIsRecognisedAsWell() throws {
        let world = World()
        let channel = try world.open()
        var put = try channel.beginPut(producer: stamp(1))
        try put.setBookmark("b", [1])
        #expect(try put.commit().isRepeat == false)
        try channel.setBookmark("b", [2])
        for open in [channel, try world.afterPowerCut().open()] {
            put = try open.beginPut(producer: stamp(1))
            try put.setBookmark("b", [1])
            #expect(try put.commit().isRepeat)
            #expect(open.bookmark("b") == [2], "a repeat sets nothing back")
        }
    }

    // MARK: While the first is under way

    /// Several commit the same transaction at once; some of them in the middle of the first one's write.
    @Test(arguments: 1...20) func ofCommitsSideBySideOneIsPutAndTheOthersAreRepeats(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        let receipts = Receipts()
        clients.run(
            (0..<6).map { client in
                {
                    let stamp = ProducerStamp(id: Self.id, sequence: UInt64(1 + client / 3))
                    do throws(ChannelError) {
                        receipts.add(stamp.sequence, try channel.put(tags: [Int(stamp.sequence)], producer: stamp))
                    } catch {
                        #expect(error.code == .staleProducer && stamp.sequence == 1)
                    }
                }
            })
        for sequence in [1, 2] as [UInt64] {
            let answers = receipts.all(sequence)
            guard let first = answers.first else { continue }
            #expect(answers.count { !$0.isRepeat } == 1, "seed \(seed)")
            #expect(answers.allSatisfy { $0.sequences == first.sequences && $0.lsn == first.lsn })
        }
        // The first of a producer may come too late, when the second was faster; then it never was.
        let tags = try channel.take().tags
        #expect(tags == [1, 2] || tags == [2], "seed \(seed): \(tags)")
        #expect(receipts.all(1).isEmpty == (tags == [2]))
    }

    /// The first one fails: whoever waited for it puts it.
    @Test(arguments: 1...20) func whenTheFirstFailsOneOfThoseWhoWaitedPutsIt(_ seed: Int) throws {
        let world = World()
        let (channel, clients) = try world.openForClients(seed: UInt64(seed))
        world.disk.faults.add(Fault(.submit, errno: EIO, outcome: seed % 2 == 0 ? .whole : .absent))
        let receipts = Receipts()
        let failures = Problems()
        clients.run(
            (0..<4).map { _ in
                {
                    do throws(ChannelError) {
                        receipts.add(1, try channel.put(tags: [1], producer: ProducerStamp(id: Self.id, sequence: 1)))
                    } catch {
                        failures.add("\(error.code)")
                    }
                }
            })
        #expect(failures.all == ["outcomeUnknown"])
        #expect(receipts.all(1).count { !$0.isRepeat } == 1 && receipts.all(1).count == 3)
        #expect(try channel.take().tags == [1])
        #expect(try world.afterPowerCut().open(World.roomy()).take().isEmpty)
    }

    @Test func onRealThreadsOneIsPutAndTheOthersAreRepeats() throws {
        try TestFiles.withDirectory { root in
            let channel = try openOnDisk(root + "/c")
            let receipts = Receipts()
            let failures = Problems()
            onThreads(8) { _ in
                for sequence in 1...20 as ClosedRange<UInt64> {
                    do throws(ChannelError) {
                        let stamp = ProducerStamp(id: Self.id, sequence: sequence)
                        receipts.add(sequence, try channel.put(tags: [Int(sequence)], producer: stamp))
                    } catch {
                        if error.code != .staleProducer { failures.add("\(error)") }
                    }
                }
            }
            #expect(failures.all.isEmpty, "\(failures.all)")
            for sequence in 1...20 as ClosedRange<UInt64> {
                #expect(receipts.all(sequence).count { !$0.isRepeat } == 1)
                #expect(Set(receipts.all(sequence).map(\.sequences)).count == 1)
            }
            #expect(try channel.take().tags == Array(1...20))
            try channel.close()
        }
    }

    // MARK: After a failure

    /// Row 21. The outcome is unknown; putting it again, in this life or the next one, has it there exactly once.
    @Test(arguments: 0..<4) func afterAnUnknownOutcomePuttingItAgainHasItOnce(_ outcome: Int) throws {
        let outcomes: [Fault.Outcome] = [.absent, .whole, .torn(.sectors([0..<1])), .torn(.tornInside(sector: 0))]
        for crash in ["none", "killed", "cut", "cut keeping all"] {
            let world = World()
            let channel = try world.open()
            try channel.put(tags: [0], producer: stamp(1))
            world.disk.faults.add(Fault(.submit, errno: EIO, outcome: outcomes[outcome]))
            #expect(failure { try channel.put(tags: [1, 2], bytes: 400, producer: stamp(2)) }?.code == .outcomeUnknown)
            let after: FileChannel
            switch crash {
            case "none":
                after = channel
                // What failed left the producer's entry as it was.
                #expect(try channel.put(tags: [0], producer: stamp(1)).isRepeat)
            case "killed": after = try world.afterKill().open()
            case "cut": after = try world.afterPowerCut().open()
            default: after = try world.afterPowerCut(.everything).open()
            }
            let again = try after.put(tags: [1, 2], bytes: 400, producer: stamp(2))
            #expect(again.sequences == 2..<4)
            if crash == "none" { #expect(!again.isRepeat) }
            #expect(try after.take().tags == [0, 1, 2], "\(outcomes[outcome]), \(crash)")
            #expect(try after.put(tags: [1, 2], producer: stamp(2)).isRepeat)
        }
    }

    /// Whatever is refused before it is written leaves the producer's entry as it was.
    @Test func afterARefusedCommitTheEntryIsUnchanged() throws {
        let world = World()
        let channel = try world.open(World.roomy())
        try channel.put(tags: [0], producer: stamp(1))
        var put = try channel.beginPut(producer: stamp(2))
        try put.append(body: body(1))
        try put.setBookmark("b", [UInt8](repeating: 0, count: 1300))
        var other = try channel.beginPut(producer: stamp(2))
        try other.append(body: body(1))
        try other.setBookmark("c", [UInt8](repeating: 0, count: 1300))
        try channel.setBookmark("taken", [UInt8](repeating: 0, count: 1000))
        #expect(commitFailure(put)?.code == .invalidBookmark)
        #expect(commitFailure(other)?.code == .invalidBookmark)
        #expect(try channel.put(tags: [0], producer: stamp(1)).isRepeat)
        #expect(try !channel.put(tags: [1], producer: stamp(2)).isRepeat)
        #expect(try channel.take().tags == [0, 1])
    }
}

/// Receipts by producer sequence, of threads or clients.
private final class Receipts: @unchecked Sendable {
    private let lock = Lock()
    private var receipts: [UInt64: [PutReceipt]] = [:]

    func add(_ sequence: UInt64, _ receipt: PutReceipt) {
        lock.withLock { receipts[sequence, default: []].append(receipt) }
    }

    func all(_ sequence: UInt64) -> [PutReceipt] { lock.withLock { receipts[sequence] ?? [] } }
}
