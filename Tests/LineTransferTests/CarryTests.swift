import CrashHarness
import DurableChannel
import SimulatedFileIO
import TestSupport
import Testing

@testable import LineTransfer

/// File to channel to file, crashed at every storage operation: each line is in the output once.
@Suite struct CarryTests {
    private static let input = bytes("first\n\nthird line\r\n4\nfive five five\nsix\n7\n")

    @Test func linesAreCarriedOnceHoweverSmallTheSteps() throws {
        for batch in [1, 2, 3, 100] {
            let world = try World.holding(Self.input)
            for _ in 0..<10 {
                let channel = try world.open()
                try world.put(channel, batch: batch, batches: 2)
                try world.take(channel, batch: batch, limit: 1)
                try channel.close()
            }
            #expect(world.output == Self.input)
        }
    }

    /// Every moment before a storage operation of a run.
    private func moments(of world: World, _ run: () throws -> Void) rethrows -> [(disk: SimulatedDisk, before: String)]
    {
        var moments: [(SimulatedDisk, String)] = []
        world.disk.beforeOperation = { [unowned disk = world.disk] operation in
            moments.append((disk.clone(), operation.description))
        }
        defer { world.disk.beforeOperation = nil }
        try run()
        return moments
    }

    /// One of so many of the legal ways is tried.
    private static let sampling = TestDepth.pick(sample: 4, part: 1, whole: 1)

    private func crashEverywhere(
        _ run: @escaping (World) throws -> Void, expecting expected: [UInt8], choices: Int, inside: Int
    ) -> CrashTrial<Void>.Report {
        var trial = CrashTrial(
            known: (), prepare: { try $0.prepare(Self.input) }, program: { process, _ in try run(process) },
            check: { process, _ in process.output == expected ? nil : describe(process.output) })
        trial.choicesPerOperation = choices / Self.sampling
        trial.secondCrashEvery = inside
        let report = trial.run()
        #expect(report.operations > 40)
        return report
    }

    private func describe(_ output: [UInt8]?) -> String {
        output.map { String(decoding: $0, as: UTF8.self) } ?? "nothing"
    }

    @Test func aPowerCutOrKillAtAnyOperationCarriesEachLineOnce() throws {
        let result = crashEverywhere({ try $0.carry(batch: 3) }, expecting: Self.input, choices: 16, inside: 90)
        #expect(result.failures == [])
        #expect(result.states > 500 / Self.sampling && result.secondCrashes > 100 / Self.sampling, "\(result)")
    }

    @Test func aPowerCutAtAnyOperationOfASinkThatAppendsKeepsWhatStoodThere() throws {
        let mine = bytes("somebody else's\nhalf")
        func run(_ world: World) throws {
            if world.output == nil { world.disk.setContents(of: "/out/copy", to: mine) }
            try world.carry(batch: 4)
        }
        let result = crashEverywhere(run, expecting: mine + Self.input, choices: 12, inside: 100)
        #expect(result.failures == [])
        #expect(result.states > 300 / Self.sampling, "\(result)")
    }

    @Test func anOutputThatSomebodyElseHasNotSyncedIsMadeDurableBeforeItsLengthCounts() throws {
        let mine = bytes("somebody else's\n")
        let world = try World.holding(Self.input)
        let directory = try world.system.openDirectory(at: "/out")
        let file = try directory.create("copy", method: .writeThenSync)
        let buffer = AlignedBuffer(byteCount: mine.count)
        buffer.copy(from: mine, at: 0)
        try file.write(buffer, count: mine.count, at: 0)
        for moment in try moments(of: world, { try world.carry(batch: 3) }) {
            for choice in moment.disk.legalCrashChoices(limit: 8 / Self.sampling) {
                let next = World(moment.disk.crashed(keeping: choice), seed: 7)
                try next.carry(batch: 3)
                let output = next.output ?? []
                #expect(
                    output.suffix(Self.input.count) == Self.input[...] && output.count <= mine.count + Self.input.count)
            }
        }
        #expect(world.output == mine + Self.input)
    }

    /// Another program that writes lines to a log and syncs nothing.
    private func log(_ text: String, _ world: World, _ name: String = "app.log") throws {
        let directory = try world.system.openDirectory(at: "/in")
        let file =
            try directory.status(of: name) == nil
            ? directory.create(name, method: .writeThenSync) : directory.open(name, for: .writing(.writeThenSync))
        let buffer = AlignedBuffer(byteCount: text.utf8.count)
        buffer.copy(from: bytes(text), at: 0)
        try file.write(buffer, count: text.utf8.count, at: file.status().size)
    }

    /// Cuts the power at each operation of putting a log that nobody syncs, and lets its writer go on with what is left
    /// of it. Then the output has the lines that are in the log, each once: what was lost with the log's end had not
    /// been put, so it does not stand before a position that the log does not reach.
    private func cutPowerWhilePutting(_ prepare: (World) throws -> Void) throws {
        let world = try World.holding([])
        world.disk.remove("/in/app.log")
        try prepare(world)
        let recorded = try moments(of: world) {
            let channel = try world.open()
            try world.put(channel, batch: 2)
            try channel.close()
        }
        var states = 0
        var failures: [String] = []
        let all = recorded + [(world.disk.clone(), "the end")]
        // Every second moment is enough: those between are the same with one choice more or less.
        for moment in stride(from: all.count - 1, through: 0, by: -2).map({ all[$0] }) where failures.count < 5 {
            for choice in moment.disk.legalCrashChoices(limit: 4) {
                let next = World(moment.disk.crashed(keeping: choice), seed: 7)
                try log("behind the power cut\n", next)
                try next.carry(batch: 2)
                let logs = ["/in/app.log.1", "/in/app.log"].compactMap { next.disk.contents(of: $0) }
                let expected: [UInt8] = Array(plainLines(Array(logs.joined())).map { $0 + bytes("\n") }.joined())
                if next.output != expected {
                    failures.append("before \(moment.before), \(choice): \(describe(next.output))")
                }
                states += 1
            }
        }
        #expect(failures == [])
        #expect(states > 60, "\(states)")
    }

    @Test func aPowerCutThatTakesTheEndOfTheSourceDoublesNoLine() throws {
        try cutPowerWhilePutting { world in
            world.disk.setContents(of: "/in/app.log", to: bytes("durable\n"))
            try log("one\ntwo\nthree\nfour\n", world)
            try log(String(repeating: "long ", count: 2000) + "\nlast\n", world)
        }
    }

    @Test func aPowerCutThatTakesTheNameOfTheSourceDoublesNoLine() throws {
        try cutPowerWhilePutting { world in try log("one\ntwo\nthree\nfour\n", world) }
    }

    @Test func aPowerCutThatUndoesARotationDoublesNoLine() throws {
        try cutPowerWhilePutting { world in
            world.disk.setContents(of: "/in/app.log", to: bytes("one\ntwo\nthree\n"))
            let channel = try world.open()
            try world.put(channel, batch: 2, batches: 1)
            try channel.close()
            try world.system.openDirectory(at: "/in").rename("app.log", to: "app.log.1")
            try log("four\nfive\nsix\n", world)
        }
    }

    @Test(arguments: [SimulatedOperation.write, .synchronize, .truncate, .create, .synchronizeDirectory])
    func anErrorOfTheOutputAtAnyPlaceIsTypedAndTheNextRunCarriesEachLineOnce(operation: SimulatedOperation) throws {
        for outcome in [Fault.Outcome.absent, .whole] {
            var struck = 0
            for skipping in 0..<12 {
                let world = try World.holding(Self.input)
                let putting = try world.open()
                try world.put(putting, batch: 2)
                try world.take(putting, batch: 2, limit: 2)
                try putting.close()
                // As a killed take leaves it: there is something to cut.
                world.disk.setContents(of: "/out/copy", to: (world.output ?? []) + bytes("rest"))
                let name = operation == .synchronizeDirectory ? "out" : "copy"
                world.disk.faults.add(Fault(operation, errno: 5, on: .name(name), skipping: skipping, outcome: outcome))
                do {
                    let channel = try world.open()
                    defer { try? channel.close() }
                    try world.take(channel, batch: 2)
                } catch let error as LineTransferError {
                    #expect(error.code == .fileOperation && error.fileError?.errno == 5)
                    struck += 1
                }
                world.disk.faults.removeAll()
                let again = World(world.disk.killed(), seed: 3)
                try again.carry(batch: 2)
                #expect(again.output == Self.input, "\(operation) \(skipping)")
                let dark = World(world.disk.crashed(keeping: .nothing), seed: 3)
                try dark.carry(batch: 2)
                #expect(dark.output == Self.input, "\(operation) \(skipping) after a power cut")
            }
            // Nothing is created here, and no name made durable, for the file is there.
            #expect(struck > 0 || operation == .create || operation == .synchronizeDirectory)
        }
    }

    @Test func anOutputThatCannotBeMadeDurableAtTheBeginningIsTypedAndHarmless() throws {
        for (operation, name) in [
            (SimulatedOperation.create, "copy"), (.synchronize, "copy"), (.synchronizeDirectory, "out"),
        ] {
            let world = try World.holding(Self.input)
            world.disk.faults.add(Fault(operation, errno: 5, on: .name(name)))
            let error = #expect(throws: LineTransferError.self) { try world.carry(batch: 3) }
            #expect(error?.code == .fileOperation)
            let again = World(world.disk.killed(), seed: 4)
            try again.carry(batch: 3)
            #expect(again.output == Self.input, "\(operation)")
        }
    }

    @Test func aSinkRefusesAnotherFileAndTouchesNothing() throws {
        func check(_ code: LineTransferError.Code, _ change: (World) throws -> Void) throws {
            let world = try World.holding(Self.input)
            try world.carry(batch: 3)
            world.disk.setContents(of: "/in/app.log", to: Self.input + bytes("more\n"))
            try change(world)
            let before = world.output
            let channel = try world.open()
            try world.put(channel, batch: 3)
            let error = #expect(throws: LineTransferError.self) { try world.take(channel, batch: 3) }
            #expect(error?.code == code)
            #expect(world.output == before)
            #expect(channel.metrics.heldEvents == 1)
            try channel.close()
        }
        try check(.missingFile) { $0.disk.remove("/out/copy") }
        try check(.shorterFile) { $0.disk.setContents(of: "/out/copy", to: Array(Self.input.dropLast())) }
        try check(.otherFile) { $0.disk.setContents(of: "/out/copy", to: Self.input.reversed()) }
        try check(.otherFile) {
            let directory = try $0.system.openDirectory(at: "/out")
            try directory.rename("copy", to: "other")
            $0.disk.setContents(of: "/out/copy", to: Self.input)
        }
    }

    @Test func bookmarksOfSourceAndSinkAreRefusedForEachOther() throws {
        let world = try World.holding(Self.input)
        let channel = try world.open()
        try world.put(channel, batch: 3)
        try channel.setBookmark(World.sinkName, channel.bookmark(World.sourceName)!)
        let error = #expect(throws: LineTransferError.self) { try world.sink(channel) }
        #expect(error?.code == .invalidBookmark)
        #expect(world.output == nil)
        try channel.close()
    }
}
