import CrashHarness
import DurableChannel
import TestSupport
import Testing

/// Inputs of the fuzz targets that use a whole channel. A broken promise ends the process, here as in the fuzzer.
@Suite struct FailCaseTests {
    @Test func directoriesThatOnceFailedNoLongerDo() throws {
        for input in try #require(FailCases.inputs(of: "FuzzDirectory")) { DirectoryInput.run(input) }
    }

    @Test func scriptsThatOnceFailedNoLongerDo() throws {
        for input in try #require(FailCases.inputs(of: "FuzzScript")) { ScriptInput.run(input) }
    }

    /// What the log of an input holds is what its making says that it holds: else nothing could be said of what is missing.
    @Test func everyLogToBeginWithIsServedWhole() {
        #expect(Set(BaseLog.all.map(\.name)).count == BaseLog.all.count)
        for (number, base) in BaseLog.all.enumerated() {
            #expect(base.name == "nothing" || !base.held.isEmpty && !base.bodies.isEmpty, "\(base.name) holds nothing")
            #expect(!base.structures.lacksAnyOf(base.directory))
            DirectoryInput.run([UInt8(number), 0, 0])
        }
    }

    /// A change with its checksum put right is noticed as forged, and the same one without is not.
    @Test func whatIsForgedIsToldFromWhatIsDamaged() throws {
        for base in BaseLog.all where base.name != "nothing" {
            let number = UInt8(try #require(BaseLog.all.firstIndex { $0.name == base.name }))
            let file = UInt8(try #require(base.directory.names.firstIndex { $0.hasSuffix(".seg") }))
            // The commit time of the first frame, of a segment's file.
            let edit: [UInt8] = [file, 1, 41, 0, 2, 9]
            let damaged = DirectoryPlan([number, 0, 0, 4] + edit).carriedOut().directory
            let forged = DirectoryPlan([number, 0, 0, 4 | 0x80] + edit).carriedOut().directory
            #expect(damaged != base.directory && forged != base.directory && damaged != forged)
            #expect(!base.structures.lacksAnyOf(damaged), "\(base.name)")
            #expect(base.structures.lacksAnyOf(forged), "\(base.name)")
        }
    }

    @Test func anyBytesAreAScriptThatIsReadAgainAsItWasWritten() throws {
        var random = Numbers(7)
        for length in 0..<300 {
            let input = (0..<length).map { _ in UInt8(random.next(256)) }
            let script = CrashScript(input)
            #expect(try CrashScript(parsing: script.text) == script)
            #expect(script.lives.count <= 3)
        }
    }
}
