import Glibc
import TestSupport
import Testing

/// How a process ends: by signals, closed pipes, and inputs that fail.
@Suite struct EndTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalEndsAPutWithEverythingReadCommitted(number: Int32) {
        Bench.with { bench in
            let put = bench.startPut(["--acks"], .pipe)
            put.send("one\ntwo\nhalf a li")
            #expect(put.line() == "ack 1 2")
            put.signal(number)
            let end = put.finish()
            #expect(end.code == 0 && end.text == "")
            #expect(end.errors.contains("in the middle of a line: its 9 bytes so far were not put"))
            // Closed cleanly: nothing to recover.
            let taken = bench.take()
            #expect(taken.text == "one\ntwo\n" && taken.errors == "")
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalEndsAFollowingTakePromptlyAndCleanly(number: Int32) {
        Bench.with { bench in
            #expect(bench.put([], bytes("one\n")).code == 0)
            let take = bench.startTake(["--follow"])
            #expect(take.line() == "one")
            usleep(20_000)
            let started = ContinuousClock.now
            take.signal(number)
            let end = take.finish()
            #expect(end.code == 0 && end.errors == "")
            #expect(ContinuousClock.now - started < .seconds(5))
            let rest = bench.take()
            #expect(rest.text == "" && rest.errors == "")
        }
    }

    @Test func aSignalEndsATakeWhoseReaderTakesNothingAndItComesAgain() {
        Bench.with { bench in
            let lines = logLines(5000)
            #expect(bench.put([], lines).code == 0)
            let take = bench.startTake(["--batch", "5000"])
            usleep(300_000)
            take.signal(SIGTERM)
            usleep(1_500_000)
            #expect(take.finish().code == 0)
            #expect(areSame(bench.take().output, lines))
        }
    }

    @Test(arguments: ["1", "4"])
    func aFullChannelEndsAtASignalAndSaysHowManyLinesWereReadAndNotPut(producers: String) {
        Bench.with { bench in
            let lines = logLines(20_000)
            let put = bench.startPut(
                ["--capacity-bytes", "1MiB", "--compression", "none", "--acks", "--producers", producers],
                .bytes(lines))
            #expect(put.waitForError("waiting for room"))
            usleep(500_000)
            let read = lines[..<put.inputPosition].count { $0 == 10 }
            put.signal(SIGTERM)
            let end = put.finish()
            #expect(end.code == 1 && end.errors.contains("the channel stayed full"))
            let acknowledged = end.text.split(separator: "\n").reduce(0) { sum, line in
                let words = line.split(separator: " ")
                return sum + Int(words[2])! - Int(words[1])! + 1
            }
            let unput = read - acknowledged
            #expect(unput > 1000)
            #expect(end.errors.contains("sluice: \(unput) lines that had been read were not put\n"), "\(end.errors)")
            #expect(bench.take().output.count { $0 == 10 } == acknowledged)
        }
    }

    @Test func aReaderThatGoesEndsATakeQuietlyAndLosesNothing() {
        Bench.with { bench in
            let lines = logLines(20_000)
            #expect(bench.put([], lines).code == 0)
            let take = bench.startTake(["--batch", "100"])
            var read: [UInt8] = []
            for _ in 0..<150 { read += bytes((take.line() ?? "?") + "\n") }
            take.closeOutput()
            let end = take.finish()
            #expect(end.code == 0 && end.errors == "")
            // What was committed had been written, so nothing is missing in between; what was not committed comes
            // again.
            let rest = bench.take().output
            #expect(read.count < lines.count && lines.starts(with: read) && rest.count < lines.count)
            #expect(lines.suffix(rest.count) == rest[...])
        }
    }

    @Test func aReaderOfAcknowledgementsThatGoesEndsAPutQuietly() {
        Bench.with { bench in
            let put = bench.startPut(["--acks"], .pipe)
            put.send("one\n")
            #expect(put.line() == "ack 1 1")
            put.closeOutput()
            put.send("two\n")
            let end = put.finish()
            #expect(end.code == 0 && end.errors == "")
            #expect(bench.take().text == "one\ntwo\n")
        }
    }

    @Test func anInputThatFailsExits74WithWhatCameBeforePut() {
        Bench.with { bench in
            let directory = bench.startPut([], .file(bench.path)).finish()
            #expect(directory.code == 74 && directory.errors.contains("standard input"))
            let closed = bench.startPut([], .closed).finish()
            #expect(closed.code == 74 && closed.errors.contains("standard input"))
            #expect(bench.put([], bytes("one\n")).code == 0)
            #expect(bench.take().text == "one\n")
        }
    }

    @Test func aClosedStandardOutputNeverBecomesAFileOfTheChannel() {
        Bench.with { bench in
            let put = bench.startPut(["--acks"], .bytes(bytes("one\ntwo\n")), closesOutput: true).finish()
            #expect(put.code == 74 && put.errors.contains("standard output"))
            let take = bench.startTake([], closesOutput: true).finish()
            #expect(take.code == 74 && take.errors.contains("standard output"))
            #expect(bench.take().text == "one\ntwo\n")
        }
    }
}
