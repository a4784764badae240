import LogFormat
import Testing

@testable import SegmentedLog

/// Which frames count, by the `open` frames that were met.
@Suite struct EpochLedgerTests {
    private static func lsn(_ segment: UInt64, _ offset: UInt64) -> LSN {
        LSN(segment: SegmentNumber(segment), offset: offset)
    }

    /// The nonce of an epoch is a hundred times its number, unless another is asked for.
    private static func opening(
        _ epoch: UInt64, cut: LSN, at lsn: LSN, nonce: UInt64? = nil
    ) -> EpochLedger.Opening {
        EpochLedger.Opening(
            epoch: Epoch(epoch), nonce: nonce ?? epoch * 100, cut: cut, nextSequence: EventSequence(1), lsn: lsn)
    }

    private func isStale(_ ledger: EpochLedger, _ epoch: UInt64, _ lsn: LSN, nonce: UInt64? = nil) -> Bool {
        ledger.isStale(epoch: Epoch(epoch), nonce: nonce ?? epoch * 100, at: lsn)
    }

    /// Row 42: a crash leaves a torn group and behind it a whole one of the same size; recovery cuts at the torn one,
    /// and a new group of equal size lands there; after the next crash the old one must not count behind the new one.
    @Test func aWholeFrameOfAnEarlierEpochBehindANewOneIsStale() {
        let ledger = EpochLedger(
            base: Self.opening(1, cut: Self.lsn(1, 8192), at: Self.lsn(1, 8192)),
            found: [Self.opening(2, cut: Self.lsn(1, 9216), at: Self.lsn(1, 9216))])
        #expect(!isStale(ledger, 1, Self.lsn(1, 8704)), "before the cut")
        #expect(!isStale(ledger, 2, Self.lsn(1, 9216)), "the open frame itself")
        #expect(!isStale(ledger, 2, Self.lsn(1, 9728)), "the new group on the place of the torn one")
        #expect(isStale(ledger, 1, Self.lsn(1, 9216)), "at the cut")
        #expect(isStale(ledger, 1, Self.lsn(1, 10240)), "the old whole group behind it")
        #expect(isStale(ledger, 1, Self.lsn(2, 8192)), "and all of that epoch in later segments")
    }

    @Test func aFrameWithAnotherNonceThanItsEpochIsStale() {
        let ledger = EpochLedger(
            base: nil, found: [Self.opening(3, cut: Self.lsn(1, 8192), at: Self.lsn(1, 8192), nonce: 7)])
        #expect(!isStale(ledger, 3, Self.lsn(1, 8704), nonce: 7))
        #expect(isStale(ledger, 3, Self.lsn(1, 8704), nonce: 8))
    }

    /// Two processes that each opened epoch 2, one of which was cut away by epoch 3: only its own frames go.
    @Test func anOpeningThatAHigherOneCutAwayVoidsNothing() {
        let voided = Self.opening(2, cut: Self.lsn(1, 9000), at: Self.lsn(1, 10240))
        let winner = Self.opening(3, cut: Self.lsn(1, 9728), at: Self.lsn(1, 9728))
        let ledger = EpochLedger(
            base: Self.opening(1, cut: Self.lsn(1, 8192), at: Self.lsn(1, 8192)), found: [voided, winner])
        #expect(ledger.openings.map(\.epoch.rawValue) == [1, 3])
        #expect(!isStale(ledger, 1, Self.lsn(1, 9216)), "epoch 2 does not cut it any more")
        #expect(isStale(ledger, 1, Self.lsn(1, 9728)))
        #expect(isStale(ledger, 2, Self.lsn(1, 10240)))
        #expect(!isStale(ledger, 3, Self.lsn(1, 10240)))
    }

    @Test func ofTwoOpeningsOfOneEpochTheLaterOneCounts() {
        let ledger = EpochLedger(
            base: nil,
            found: [
                Self.opening(2, cut: Self.lsn(1, 9216), at: Self.lsn(1, 9216), nonce: 21),
                Self.opening(2, cut: Self.lsn(1, 9216), at: Self.lsn(2, 8192), nonce: 22),
            ])
        #expect(ledger.openings.map(\.nonce) == [22])
        #expect(isStale(ledger, 2, Self.lsn(1, 9728), nonce: 21))
        #expect(!isStale(ledger, 2, Self.lsn(2, 8704), nonce: 22))
    }

    @Test func aCutInALaterSegmentIsFoundByItsPlace() {
        let inPlace = Self.opening(2, cut: Self.lsn(1, 9216), at: Self.lsn(1, 9216))
        let later = Self.opening(3, cut: Self.lsn(1, 10240), at: Self.lsn(2, 8704))
        let ledger = EpochLedger(base: nil, found: [later, inPlace])
        #expect(ledger.opening(cuttingAt: Self.lsn(1, 10240)) == later)
        #expect(ledger.opening(cuttingAt: Self.lsn(1, 9216)) == nil, "it stands there itself")
        #expect(ledger.opening(cuttingAt: Self.lsn(1, 9728)) == nil)
        #expect(isStale(ledger, 2, Self.lsn(1, 10240)))
        #expect(!isStale(ledger, 2, Self.lsn(1, 9728)))
        // An open frame that stands on the next block boundary behind its cut.
        let rounded = EpochLedger(
            base: nil, found: [Self.opening(4, cut: Self.lsn(1, 9000), at: Self.lsn(1, 9216))])
        #expect(rounded.opening(cuttingAt: Self.lsn(1, 9000))?.epoch == Epoch(4))
    }

    @Test func ofSeveralCutsAtOnePlaceTheHighestEpochIsFound() {
        let cut = Self.lsn(1, 9216)
        let ledger = EpochLedger(
            base: nil,
            found: [
                Self.opening(2, cut: cut, at: Self.lsn(2, 8192)), Self.opening(3, cut: cut, at: Self.lsn(3, 8192)),
            ])
        #expect(ledger.opening(cuttingAt: cut)?.epoch == Epoch(3))
        #expect(ledger.openings.map(\.epoch.rawValue) == [3], "the second cut the first away")
        #expect(ledger.voids(SegmentNumber(2)))
        #expect(!ledger.voids(SegmentNumber(3)))
        #expect(!ledger.voids(SegmentNumber(1)))
    }

    /// Row 43: a cut in the old segment makes every later segment of that epoch stale.
    @Test func aCutBeforeARollVoidsTheSegmentBehindIt() {
        let ledger = EpochLedger(
            base: Self.opening(1, cut: Self.lsn(1, 8192), at: Self.lsn(1, 8192)),
            found: [Self.opening(2, cut: Self.lsn(1, 12288), at: Self.lsn(3, 8192))])
        #expect(ledger.voids(SegmentNumber(2)))
        #expect(!ledger.voids(SegmentNumber(1)))
        #expect(isStale(ledger, 1, Self.lsn(2, 8192)))
    }

    @Test func withoutAnyOpeningEveryFrameCounts() {
        let ledger = EpochLedger(base: nil, found: [])
        #expect(!isStale(ledger, 1, Self.lsn(1, 8192)))
        #expect(ledger.opening(cuttingAt: Self.lsn(1, 8192)) == nil)
        #expect(!ledger.voids(SegmentNumber(1)))
    }

    @Test func theLowestCutOfAllHigherEpochsDecides() {
        let ledger = EpochLedger(
            base: nil,
            found: [
                Self.opening(2, cut: Self.lsn(1, 9216), at: Self.lsn(1, 9216)),
                Self.opening(3, cut: Self.lsn(1, 10240), at: Self.lsn(1, 10240)),
                Self.opening(5, cut: Self.lsn(2, 9216), at: Self.lsn(2, 9216)),
            ])
        #expect(isStale(ledger, 1, Self.lsn(1, 9216)))
        #expect(!isStale(ledger, 2, Self.lsn(1, 9728)))
        #expect(isStale(ledger, 2, Self.lsn(1, 10240)))
        #expect(!isStale(ledger, 3, Self.lsn(2, 8192)))
        #expect(isStale(ledger, 3, Self.lsn(2, 9216)))
        #expect(!isStale(ledger, 4, Self.lsn(2, 8704)), "an epoch whose open frame was not met")
        #expect(isStale(ledger, 4, Self.lsn(2, 9216)))
        #expect(!isStale(ledger, 6, Self.lsn(2, 10240)))
    }
}
