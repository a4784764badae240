import FileIO
import LogFormat
import SimulatedFileIO
import Testing

@testable import SegmentedLog

/// Reports of the last openings, beside the log.
@Suite struct ReportTests {
    private func reports(_ world: World) throws -> [(epoch: Epoch, bytes: [UInt8])] {
        try Log.reports(at: World.path, fileSystem: world.system)
    }

    @Test func aReportIsKeptUnderTheEpochOfItsOpeningAndASecondOneTakesItsPlace() throws {
        let world = World()
        let log = try world.open()
        try log.keepReport([1, 2, 3], isDurable: true)
        try log.keepReport([4, 5], isDurable: true)
        try log.close()
        let next = world.afterPowerCut()
        let again = try next.open()
        #expect(again.recoveryReport.foreignFiles.isEmpty && again.recoveryReport.removedFiles.isEmpty)
        try again.keepReport([6], isDurable: false)
        let kept = try reports(next)
        #expect(kept.map(\.epoch) == [Epoch(2), Epoch(1)])
        #expect(kept.map(\.bytes) == [[6], [4, 5]])
    }

    @Test func theOldestGoFirstAndTheDirectoryStaysWithinItsLimitThroughCrashes() throws {
        var world = World()
        let limit = World.small().capacityBytes
        for round in 0..<60 {
            let log = try world.open()
            while round == 3, (try? log.append([put(1, bytes: 900)])) != nil {}
            let bytes = [UInt8](repeating: UInt8(round), count: round % 2 == 0 ? log.reportLimitBytes : 10)
            try log.keepReport(bytes, isDurable: round % 3 == 0)
            let kept = try reports(world)
            #expect(kept.first?.bytes == bytes)
            #expect((2...8).contains(kept.count) || round == 0)
            #expect(world.disk.allocatedBytes() <= limit, "round \(round)")
            #expect(log.room.diskBytes <= limit)
            // Creations that survive, and removals that do not.
            var random = SeededRandom(seed: UInt64(round))
            world = World(
                world.disk.crashed(keeping: world.disk.randomCrashChoice(using: &random)), seed: UInt64(round) + 7)
            #expect(world.disk.allocatedBytes() <= limit, "after the crash of round \(round)")
        }
    }

    @Test func aReportThatIsTooLongIsRefusedAndAFailureLeavesTheLogAsItIs() throws {
        let world = World()
        let log = try world.open()
        #expect(throws: LogError.self) {
            try log.keepReport([UInt8](repeating: 1, count: log.reportLimitBytes + 1), isDurable: true)
        }
        world.disk.faults.add(Fault(.create, errno: 28))
        #expect(throws: LogError.self) { try log.keepReport([1], isDurable: true) }
        #expect(try reports(world).isEmpty)
        _ = try log.append([put(1)])
        #expect(try log.tags() == [1])
    }

    @Test func whatStandsInPlaceOfAReportIsNoReportAndHarmsNothing() throws {
        let world = World()
        let log = try world.open()
        try log.keepReport(Array("{}".utf8), isDurable: true)
        try log.close()
        let directory = try world.system.openDirectory(at: World.path)
        try directory.rename(FileNames.report(Epoch(1)), to: "report-zzzzzzzzzzzzzzzz")
        let again = try world.open()
        #expect(again.recoveryReport.foreignFiles == ["report-zzzzzzzzzzzzzzzz"])
        #expect(try reports(world).isEmpty)
    }

    @Test func theStepsOfAnOpeningAreNamedInTheirOrder() throws {
        let world = World()
        _ = try world.open().append([put(1)])
        let report = try world.afterKill().open().recoveryReport
        #expect(report.steps.map(\.name) == ["base", "sync", "survey", "replay", "epoch", "files"])
        let text = report.json(listing: 4).rendered
        #expect(text.contains("\"framesReplayed\": \(report.framesReplayed)"))
        #expect(text.contains("\"T9 torn tail\"") || text.contains("\"rows\": {"))
    }
}
