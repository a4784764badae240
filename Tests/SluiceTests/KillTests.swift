import Glibc
import TestSupport
import Testing

/// SIGKILL at any moment: from file to file each line is there once.
@Suite(.serialized) struct KillTests {
    /// Runs it again and again, killed so many microseconds after its first acknowledgement, until it was killed often
    /// enough while it worked; then to its end. The number of kills.
    private func run(_ start: () -> Program, kills: Int, delay: (Int) -> UInt32) -> Int {
        var killed = 0
        var attempts = 0
        while killed < kills && attempts < kills * 4 {
            attempts += 1
            let program = start()
            guard program.line() != nil else {
                #expect(program.finish().code == 0)
                return killed
            }
            usleep(delay(attempts))
            program.signal(SIGKILL)
            let end = program.finish()
            if end.end.signal == SIGKILL { killed += 1 }
        }
        return killed
    }

    @Test(arguments: [10, 100])
    func linesGoFromFileToFileOnceThroughTwentyKillsEach(batch: Int) {
        Bench.with { bench in
            let lines = logLines(60_000)
            #expect(TestFiles.write(lines, to: bench.file("in")))
            let put = ["--file", bench.file("in"), "--batch", "\(batch)", "--acks"]
            let killedPuts = run({ bench.startPut(put) }, kills: 20) { UInt32($0 * 677 % 8000) }
            #expect(killedPuts == 20)
            #expect(bench.put(["--file", bench.file("in")]).code == 0)

            let take = ["--output", bench.file("out"), "--batch", "\(batch)", "--acks"]
            let killedTakes = run({ bench.startTake(take) }, kills: 20) { UInt32($0 * 877 % 8000) }
            #expect(killedTakes == 20)
            #expect(bench.take(["--output", bench.file("out")]).code == 0)
            #expect(areSame(TestFiles.read(bench.file("out")), lines))
            let rest = bench.take()
            #expect(rest.output == [] && rest.errors == "")
        }
    }

    @Test func putAndTakeInTurnsBothKilledLoseAndDoubleNothing() {
        Bench.with { bench in
            let lines = logLines(30_000)
            #expect(TestFiles.write(lines, to: bench.file("in")))
            for turn in 0..<12 {
                let put = bench.startPut(["--file", bench.file("in"), "--batch", "50", "--acks"])
                _ = put.line()
                usleep(UInt32(turn * 911 % 6000))
                put.signal(SIGKILL)
                _ = put.finish()
                let take = bench.startTake(["--output", bench.file("out"), "--batch", "20", "--acks"])
                if turn % 3 != 0 { _ = take.line() }
                usleep(UInt32(turn * 1201 % 9000))
                take.signal(SIGKILL)
                _ = take.finish()
            }
            #expect(bench.put(["--file", bench.file("in")]).code == 0)
            #expect(bench.take(["--output", bench.file("out")]).code == 0)
            #expect(areSame(TestFiles.read(bench.file("out")), lines))
        }
    }

    @Test func whatWasAcknowledgedIsThereAndWhatWasNotTakenForGoodComesMarked() {
        Bench.with { bench in
            let put = bench.startPut(["--batch", "7", "--acks"], .bytes(logLines(50_000)))
            var acknowledged = 0
            for _ in 0..<300 { acknowledged = put.line().flatMap { Int($0.split(separator: " ")[2]) } ?? acknowledged }
            put.signal(SIGKILL)
            let rest = put.finish()
            for line in rest.text.split(separator: "\n") where line.split(separator: " ").count == 3 {
                acknowledged = Int(line.split(separator: " ")[2]) ?? acknowledged
            }
            #expect(acknowledged >= 2100)
            // One batch is more than the pipe and its reader hold: it is killed before it can commit anything.
            let take = bench.startTake(["--batch", "10000", "--format", "jsonl"])
            #expect(take.line()?.contains("\"redelivered\":false") == true)
            take.signal(SIGKILL)
            _ = take.finish()
            let again = bench.take(["--format", "jsonl"])
            let events = again.text.split(separator: "\n")
            #expect(again.errors.contains("had not been closed") && again.errors.contains("nothing was lost"))
            #expect(events.count >= acknowledged)
            #expect(events.first?.contains("\"redelivered\":true") == true)
        }
    }
}
