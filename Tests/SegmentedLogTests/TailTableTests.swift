import Testing

@testable import SegmentedLog

/// The recovery table: complete, without overlap, and without rows that never apply.
@Suite struct TailTableTests {
    private static let situations: [TailSituation] = TailSituation.Found.allCases.flatMap { found in
        TailSituation.Previous.allCases.flatMap { previous in
            [false, true].flatMap { vouched in
                TailSituation.Beyond.allCases.map { beyond in
                    TailSituation(found: found, previous: previous, vouched: vouched, beyond: beyond)
                }
            }
        }
    }

    @Test func everyCombinationMatchesExactlyOneRow() {
        #expect(Self.situations.count == 5 * 3 * 2 * 5)
        #expect(Set(Self.situations).count == Self.situations.count)
        for situation in Self.situations {
            let names = TailTable.rows.filter { $0.matches(situation) }.map(\.name)
            #expect(names.count == 1, "\(situation): \(names)")
        }
    }

    @Test func everyRowIsReachedAndNamedOnce() {
        #expect(Set(TailTable.rows.map(\.name)).count == TailTable.rows.count)
        for row in TailTable.rows {
            #expect(Self.situations.contains { row.matches($0) }, "\(row.name)")
        }
    }

    @Test func everyActionAppears() {
        #expect(Set(TailTable.rows.map(\.action)) == Set(TailAction.allCases))
    }

    @Test func theRowThatIsGivenIsTheOneThatMatches() {
        for situation in Self.situations {
            #expect(TailTable.row(for: situation).matches(situation))
        }
    }

    /// What must never happen, read off the table.
    @Test func theTableKeepsItsPromises() {
        for situation in Self.situations {
            let action = TailTable.row(for: situation).action
            // Proven bytes are never cut off as a torn tail.
            if situation.vouched { #expect(action != .cut && action != .cutUnreadable, "\(situation)") }
            // What nobody vouches for is never called damage, and nothing is delivered across it.
            let isDamage: Set<TailAction> = [.damageToFrame, .damageToSegment, .damageToStatement]
            let isHeld: Set<TailAction> = [.holdToFrame, .holdToSegment, .holdToStatement]
            if !situation.vouched { #expect(!isDamage.contains(action) && !isHeld.contains(action), "\(situation)") }
            // Only a valid frame is replayed, and none behind a seal.
            if action == .accept { #expect(situation.found == .frame && situation.previous != .seal) }
            // Bytes that cannot be read are never lost.
            if situation.found == .unreadable { #expect(!isDamage.contains(action), "\(situation)") }
            if isHeld.contains(action) { #expect(situation.found == .unreadable) }
        }
    }
}
