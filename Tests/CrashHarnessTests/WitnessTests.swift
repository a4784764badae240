import CrashHarness
import DurableChannel
import LogFormat
import ProcessHarness
import Testing

/// What processes say on their pipes, and what a witness makes of it.
@Suite struct WitnessTests {
    /// One life after the other, each what its process said; `blind` lives do not say what they found.
    private func objections(
        _ lives: [(blind: Bool, said: String)], isDisturbed: Bool = true,
        _ channel: (inout CrashScript.Channel) -> Void = { _ in }
    ) -> [String] {
        let alone = CrashScript.Life([CrashScript.Phase([[.yield]])])
        var script = CrashScript(name: "said", seed: 1, lives: lives.map { _ in alone })
        channel(&script.channel)
        var witness = Witness(script)
        for (number, life) in lives.enumerated() {
            witness.begin(life: number, isDisturbed: isDisturbed, isBlind: life.blind)
            for line in life.said.split(separator: "\n") {
                guard let message = LifeMessage(line) else { return ["no message: \(line)"] }
                witness.read(message)
            }
            witness.end(isPowerCut: true)
        }
        return witness.objections
    }

    private static let unknownPut = """
        begun
        opened 0
        looked 0 0 0 0 0 0 0
        put 0 0 2 0 0 0 0
        committing 0 2
        ended 0 unknown 0

        """

    @Test func aPutInDoubtThatAnOpeningCountedIsNotDeniedByWhatIsPutBehindIt() {
        let blind = """
            begun
            opened 2
            put 1 0 1 0 0 0 0
            committing 1 1
            ended 1 done 3
            """
        let found = """
            begun
            opened 3
            found 1:0:0:0:0 2:1:0:0:0 3:1000:0:0:0
            looked 3 3 0 0 0 0 0
            """
        #expect(objections([(false, Self.unknownPut), (true, blind), (false, found)]) == [])
    }

    @Test func aPutInDoubtIsDeniedByWhatTheSameProcessPutsBehindIt() {
        let more = """
            put 1 0 1 0 0 0 0
            committing 1 1
            ended 1 done 3
            """
        let found = """
            begun
            opened 3
            found 1:0:0:0:0 2:1:0:0:0 3:1000:0:0:0
            looked 3 3 0 0 0 0 0
            """
        let objections = objections([(false, Self.unknownPut + more), (false, found)])
        #expect(objections.count == 1 && objections[0].hasPrefix("1=0 was never put"), "\(objections)")
    }

    private static let unansweredTake = """
        begun
        opened 0
        looked 0 0 0 0 0 0 0
        put 0 0 2 0 0 0 0
        committing 0 2
        ended 0 done 1
        gathering 2
        given 0 2 1:0:0:0:0 2:1:0:0:0
        taking 0 0 -1
        """

    /// An event in each of two puts; nothing is left of the first.
    private static func looked(_ counts: String) -> String {
        """
        begun
        opened 3
        found 3:1000:0:0:0
        looked \(counts)
        """
    }

    @Test func whatWasTakenWithoutAnAnswerMayBeDroppedBeforeAnybodyLooks() {
        let blind = """
            begun
            opened 2
            put 1 0 1 0 0 0 0
            committing 1 1
            ended 1 done 3
            """
        let lives = [(blind: false, said: Self.unansweredTake), (true, blind)]
        // Put, held, taken, dead letters, overflow.
        for counts in ["3 1 2 0 0 0 0", "3 1 0 0 2 0 0"] {
            let all = lives + [(false, Self.looked(counts))]
            #expect(objections(all) { $0.whenFull = .dropOldest } == [], "\(counts)")
        }
        let half = lives + [(false, Self.looked("3 1 1 0 1 0 0"))]
        #expect(objections(half) { $0.whenFull = .dropOldest }.count == 1)
        // Where nothing is dropped they can only have been taken.
        let dropped = lives + [(false, Self.looked("3 1 0 0 2 0 0"))]
        #expect(objections(dropped).count == 1)
    }

    @Test func whatAWeakerDurabilityLostIsGoneForAnOpeningThatNobodyLooksAt() {
        let weak = """
            begun
            opened 0
            looked 0 0 0 0 0 0 0
            put 0 0 2 0 0 0 0
            committing 0 2
            ended 0 done 1
            """
        let blind = """
            begun
            opened 0
            put 1 0 1 0 0 0 0
            committing 1 1
            ended 1 done 1
            """
        #expect(objections([(false, weak), (true, blind)]) { $0.durability = .interval } == [])
        let objections = objections([(false, weak), (true, blind)])
        #expect(objections.count == 1 && objections[0].contains("was acknowledged before it began"), "\(objections)")
    }

    /// Of a put of two events and one of three, both without an answer, numbers are missing for three.
    @Test func whatWasPutWithoutAnAnswerAndDroppedIsWhatItsNumbersFit() {
        let puts = """
            begun
            opened 0
            looked 0 0 0 0 0 0 0
            put 0 0 2 0 0 0 0
            committing 0 2
            put 1 1 3 0 0 0 0
            committing 1 3
            """
        let blind = """
            begun
            opened 3
            put 2 0 1 0 0 0 0
            committing 2 1
            ended 2 done 4
            """
        let found = """
            begun
            opened 4
            found 4:2000:0:0:0
            looked 4 1 0 0 3 0 0
            """
        #expect(objections([(false, puts), (true, blind), (false, found)]) { $0.whenFull = .dropOldest } == [])
    }

    /// An event is taken with others, which a power cut makes doubtful, and comes again; then it is made a dead letter.
    @Test func ofTwoTakesWithoutAnAnswerTheLaterHadTheEventAfterTheOtherWasUndone() {
        let weak = """
            begun
            opened 0
            looked 0 0 0 0 0 0 0
            put 0 0 1 0 0 0 0
            committing 0 1
            ended 0 done 1
            gathering 2
            given 0 2 1:0:0:0:0
            taking 0 0 -1
            taken 0 done
            """
        let blind = """
            begun
            opened 1
            gathering 1
            given 0 1 1:0:1:0:0
            taking 0 1 -1
            """
        let found = """
            begun
            opened 1
            looked 1 0 0 1 0 0 0
            """
        #expect(objections([(false, weak), (true, blind), (false, found)]) { $0.durability = .interval } == [])
    }

    @Test func whatIsMissingWasOfAPutWhoseBookmarkIsThere() {
        let puts = """
            begun
            opened 0
            looked 0 0 0 0 0 0 0
            put 0 0 2 0 1 0 0
            committing 0 2
            put 1 1 2 0 1 0 0
            committing 1 2
            """
        let blind = """
            begun
            opened 2
            put 2 0 1 0 0 0 0
            committing 2 1
            ended 2 done 3
            """
        let found = """
            begun
            opened 3
            found 3:2000:0:0:0
            bookmark source-1 put 1 of 1
            looked 3 1 0 0 2 0 0
            """
        #expect(objections([(false, puts), (true, blind), (false, found)]) { $0.whenFull = .dropOldest } == [])
    }

    private static let twoPuts = """
        begun
        opened 0
        looked 0 0 0 0 0 0 0
        put 0 0 1 0 0 0 0
        committing 0 1
        ended 0 done 1
        put 1 0 1 0 0 0 0
        committing 1 1
        ended 1 done 2

        """

    @Test func whoTakesAloneIsGivenTheOldestFirst() {
        func objections(_ given: String) -> [String] {
            self.objections([(false, Self.twoPuts + "gathering 1\n" + given)], isDisturbed: false)
        }
        #expect(objections("given 0 1 1:0:0:0:0") == [])
        #expect(objections("given 0 1 2:1000:0:0:0") == ["1 is passed over, and 2 handed out"])
    }

    @Test func anEventOfAPutThatWasRefusedIsNotHandedOut() {
        let refused = """
            begun
            opened 0
            looked 0 0 0 0 0 0 0
            put 0 0 1 0 0 0 0
            committing 0 1
            ended 0 refused 0
            gathering 1
            given 0 1 1:0:0:0:0
            """
        #expect(objections([(false, refused)]) == ["1 is event 0, which was never put"])
    }

    @Test func anEventThatNobodyHasPutIsAnObjectionWhereverItIsSeen() {
        let found = """
            begun
            opened 1
            found 1:-:0:0:0
            looked 1 1 0 0 0 0 0
            """
        #expect(objections([(false, found)]) == ["1 has the tag none, which no put has"])
    }

    @Test func whatIsLeftWhenEverythingWasTakenIsAnObjection() {
        var witness = Witness(CrashScript(name: "said", seed: 1, lives: []))
        witness.begin(life: 0, isDisturbed: false)
        for line in (Self.twoPuts + "gathering 1\ngiven 0 1 1:0:0:0:0\ntaking 0 0 -1\ntaken 0 done").split(
            separator: "\n")
        {
            witness.read(LifeMessage(line)!)
        }
        witness.end(isPowerCut: false)
        witness.begin(life: 1, isDisturbed: false)
        for line in ["begun", "opened 2", "found 2:1000:0:0:0", "looked 2 1 1 0 0 0 0"] as [Substring] {
            witness.read(LifeMessage(line)!)
        }
        #expect(witness.objections == [])
        witness.expectNothing()
        #expect(witness.objections == ["everything was taken, and there is [2=1000]"])
    }

    @Test func whereOnlyRoomIsShortATakeIsCommitted() {
        for answer in ["done", "refused"] {
            var witness = Witness(CrashScript(name: "said", seed: 1, lives: []))
            witness.begin(life: 0, isDisturbed: true, isOnlyFull: true)
            let said = Self.twoPuts + "gathering 1\ngiven 0 1 1:0:0:0:0\ntaking 0 0 -1\ntaken 0 \(answer)"
            for line in said.split(separator: "\n") { witness.read(LifeMessage(line)!) }
            #expect(witness.objections.count == (answer == "done" ? 0 : 1))
        }
    }
}
