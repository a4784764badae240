import Glibc
import TestSupport
import Testing

/// `--file` and `--output`, which remember how far they are.
@Suite struct FileTests {
    private func write(_ text: String, _ path: String) { #expect(TestFiles.write(bytes(text), to: path)) }

    @Test func aFileIsPutOnceAndGoesOnWhereItStopped() {
        Bench.with { bench in
            let file = bench.file("app.log")
            write("one\ntwo\n", file)
            #expect(bench.put(["--file", file, "--acks"]).text == "ack 1 2\n")
            #expect(bench.put(["--file", file, "--acks"]).text == "")
            write("one\ntwo\nthree\n", file)
            let more = bench.put(["--file", file, "--acks"])
            #expect(more.text == "ack 3 3\n" && more.errors == "")
            #expect(bench.take().text == "one\ntwo\nthree\n")
        }
    }

    @Test func aFileIsTheSameByWhateverPathItIsCalled() {
        Bench.with { bench in
            write("one\n", bench.file("app.log"))
            unsafe mkdir(bench.file("d"), 0o700)
            unsafe symlink("..", bench.file("d/up"))
            #expect(bench.put(["--file", bench.file("app.log"), "--acks"]).text == "ack 1 1\n")
            for path in ["d/../app.log", "./app.log", "d/up/app.log", "d/up/./d/../app.log"] {
                #expect(bench.put(["--file", bench.file(path), "--acks"]).text == "", "\(path)")
            }
        }
    }

    @Test func aTruncatedAndARotatedFileAreSaidAndNoLineIsLeftOut() {
        Bench.with { bench in
            let file = bench.file("app.log")
            write("one\ntwo\n", file)
            #expect(bench.put(["--file", file]).errors == "")
            write("3\n", file)
            let truncated = bench.put(["--file", file])
            #expect(truncated.code == 0 && truncated.errors.contains("app.log was truncated"))
            write("3\nfour\n", file)
            unsafe rename(file, file + ".1")
            write("five\n", file)
            let rotated = bench.put(["--file", file])
            #expect(rotated.code == 0 && rotated.errors.contains("app.log was rotated"))
            #expect(bench.put(["--file", file]).errors == "")
            #expect(bench.take().text == "one\ntwo\n3\nfour\nfive\n")
        }
    }

    @Test func aLinkThatComesToMeanAnotherFileIsARotation() {
        Bench.with { bench in
            write("one\n", bench.file("log.1"))
            write("two\n", bench.file("log.2"))
            unsafe symlink("log.1", bench.file("current"))
            #expect(bench.put(["--file", bench.file("current")]).errors == "")
            unsafe unlink(bench.file("current"))
            unsafe symlink("log.2", bench.file("current"))
            let rotated = bench.put(["--file", bench.file("current")])
            #expect(rotated.code == 0 && rotated.errors.contains("/current was rotated"))
            #expect(bench.take().text == "one\ntwo\n")
        }
    }

    @Test func severalRotationsAreFollowedAndWhatIsNotPutIsNamed() {
        Bench.with { bench in
            let file = bench.file("app.log")
            /// So many seconds after 1970.
            func write(_ text: String, _ path: String, at time: Int) {
                #expect(TestFiles.write(bytes(text), to: path))
                let stamp = timespec(tv_sec: time, tv_nsec: 0)
                #expect(unsafe utimensat(AT_FDCWD, path, [stamp, stamp], 0) == 0)
            }
            write("1\n", file, at: 100)
            #expect(bench.put(["--file", file]).errors == "")
            unsafe rename(file, file + ".1")
            // Numbers that count up.
            write("2\n", file + ".2", at: 200)
            write("compressed", file + ".3.gz", at: 300)
            write("4\n", file, at: 400)
            let rotated = bench.put(["--file", file])
            #expect(rotated.code == 0 && rotated.errors.contains("now app.log.1, app.log.2, is put before the new one"))
            #expect(rotated.errors.contains("not put: app.log.3.gz ("))
            #expect(bench.take().text == "1\n2\n4\n")
        }
    }

    @Test func whatStandsInTheOutputStaysAndIsWrittenOn() {
        Bench.with { bench in
            let output = bench.file("out")
            write("mine\n", output)
            #expect(bench.put([], bytes("1\n2\n")).code == 0)
            #expect(bench.take(["--output", output, "--limit", "1"]).code == 0)
            #expect(TestFiles.text(output) == "mine\n1\n")
            // As a take that was killed before its commit leaves it.
            write("mine\n1\n2\nhalf a li", output)
            let taken = bench.take(["--output", output])
            #expect(taken.code == 0 && taken.errors.contains("was cut back by 11 bytes"))
            #expect(TestFiles.text(output) == "mine\n1\n2\n")
        }
    }

    @Test func anOutputThatIsNotWhatWasWrittenIsAnErrorAndLeftAlone() {
        func check(_ change: (String) -> Void, _ message: String) {
            Bench.with { bench in
                let output = bench.file("out")
                #expect(bench.put([], bytes("1\n2\n3\n")).code == 0)
                #expect(bench.take(["--output", output, "--limit", "2"]).code == 0)
                change(output)
                let before = TestFiles.read(output)
                let refused = bench.take(["--output", output, "--acks"])
                #expect(refused.code == 74 && refused.text == "")
                #expect(refused.errors.contains(message), "\(refused.errors)")
                #expect(TestFiles.read(output) == before)
                // The event is still there.
                #expect(bench.take().text == "3\n")
            }
        }
        check(
            { _ = TestFiles.write(bytes("1\n"), to: $0) }, "has 2 bytes, and 4 bytes of events were delivered into it")
        check({ _ = TestFiles.write(bytes("1\nX\n3\n"), to: $0) }, "is not the file into which 4 bytes")
        check({ unsafe unlink($0) }, "is gone, and 4 bytes of events")
        check(
            {
                unsafe rename($0, $0 + ".old")
                _ = TestFiles.write(bytes("1\n2\n"), to: $0)
            }, "is not the file into which 4 bytes")
    }

    @Test func twoNamesOfOneOutputAreOneOutput() {
        Bench.with { bench in
            #expect(bench.put([], bytes("1\n2\n3\n")).code == 0)
            #expect(bench.take(["--output", bench.file("out"), "--limit", "1"]).code == 0)
            unsafe symlink("out", bench.file("link"))
            #expect(bench.take(["--output", bench.file("link"), "--limit", "1"]).code == 0)
            #expect(bench.take(["--output", bench.file("work/../out")]).code == 0)
            #expect(TestFiles.text(bench.file("out")) == "1\n2\n3\n")
        }
    }

    @Test func anOutputMovedAwayWhileItIsWrittenIsAnErrorAndItsTakeComesAgain() {
        Bench.with { bench in
            let output = bench.file("out")
            let lines = logLines(20_000)
            #expect(bench.put([], lines).code == 0)
            let running = bench.startTake(["--output", output, "--batch", "10", "--acks"])
            #expect(running.line() == "ack 1 10")
            unsafe rename(output, output + ".1")
            let end = running.finish()
            #expect(end.code == 74 && end.errors.contains("was moved or replaced while it was written"))
            unsafe rename(output + ".1", output)
            #expect(bench.take(["--output", output]).code == 0)
            #expect(areSame(TestFiles.read(output), lines))
        }
    }

    @Test func aSmallChannelThatFillsCarriesAFileInSeveralTurns() {
        Bench.with { bench in
            let lines = logLines(20_000)
            #expect(TestFiles.write(lines, to: bench.file("in")))
            var turns = 0
            while turns < 40 {
                let put = bench.startPut([
                    "--file", bench.file("in"), "--capacity-bytes", "1MiB", "--compression", "none",
                ])
                let isFull = waitForRoomOrEnd(put)
                if isFull { put.signal(SIGTERM) }
                #expect(put.finish().code == 0)
                #expect(bench.take(["--output", bench.file("out")]).code == 0)
                turns += 1
                if !isFull { break }
            }
            #expect(turns > 3 && turns < 40)
            #expect(areSame(TestFiles.read(bench.file("out")), lines))
        }
    }

    /// True when it says that it waits for room, false when it has ended.
    private func waitForRoomOrEnd(_ program: Program) -> Bool {
        for _ in 0..<6000 {
            if program.errors.contains("waiting for room") { return true }
            if unsafe access("/proc/\(program.process)/exe", F_OK) != 0 { return false }
            usleep(10_000)
        }
        return true
    }
}
