import Glibc
import TestSupport
import Testing

/// What is refused, with which exit code and which words.
@Suite struct RefusalTests {
    @Test(arguments: [
        [], ["fetch"], ["put"], ["take"], ["put", "D", "extra"], ["take", "D", "--nonsense"],
        ["put", "D", "--output", "x"],
        ["take", "D", "--file", "x"], ["put", "D", "--batch"], ["put", "D", "--batch", "0"],
        ["put", "D", "--batch", "-1"],
        ["put", "D", "--batch", "many"], ["put", "D", "--batch", "1", "--batch", "2"], ["put", "D", "--acks=yes"],
        ["put", "D", "--compression", "zip"], ["put", "D", "--durability", "maybe"],
        ["put", "D", "--capacity-bytes", "1.5GiB"],
        ["put", "D", "--capacity-bytes", "1GB"], ["put", "D", "--capacity-bytes", "99999999999999999999"],
        ["put", "D", "--capacity-bytes", "17179869184TiB"], ["put", "D", "--capacity-bytes", "4096"],
        ["put", "D", "--segment-bytes", "1000"], ["put", "D", "--segment-bytes", "8GiB"],
        ["put", "D", "--header", "novalue"],
        ["put", "D", "--header", "=v"], ["put", "D", "--header", "k=1", "--header", "k=2"],
        ["put", "D", "--file", "F", "--producers", "2"], ["put", "D", "--file", ""],
        ["put", "D", "--producers", "257"],
        ["take", "D", "--limit", "0"], ["take", "D", "--format", "xml"], ["put", ""],
    ])
    func wrongArgumentsExit64AndTouchNothing(words: [String]) {
        Bench.with { bench in
            let arguments = words.map { $0 == "D" ? bench.channel : $0 == "F" ? bench.file("in") : $0 }
            #expect(TestFiles.write(bytes("line\n"), to: bench.file("in")))
            let result = Program.run(arguments, in: bench.file("work"), input: bytes("line\n"))
            #expect(result.code == 64, "\(words): \(result.end) \(result.errors)")
            #expect(result.errors.hasPrefix("sluice: ") && result.text == "")
            for word in ["capacityBytes", "segmentBytes"] { #expect(!result.errors.contains(word), "\(result.errors)") }
            #expect(unsafe access(bench.channel, F_OK) != 0, "\(words)")
        }
    }

    @Test func aHeaderThatIsWrongIsNamed() {
        func refusal(_ words: [String]) -> String {
            var errors = ""
            Bench.with { bench in
                let result = bench.put(words, bytes("line\n"))
                #expect(result.code == 64)
                #expect(unsafe access(bench.channel, F_OK) != 0)
                errors = result.errors
            }
            return errors
        }
        let long = { (count: Int) in String(repeating: "x", count: count) }
        #expect(refusal(["--header", "k=1", "--header", "k=2"]).contains("--header k: this key is given twice"))
        #expect(refusal(["--header", long(256) + "=1"]).contains("a key has 1 to 255 bytes"))
        #expect(
            refusal(["--header", "big=" + long(65537)]).contains("--header big: a key has 1 to 255 bytes, a value"))
        #expect(refusal((0...1024).flatMap { ["--header", "k\($0)=1"] }).contains("1025 are too many"))
        Bench.with { bench in
            #expect(bench.put(["--header", long(255) + "=" + long(65536)], bytes("line\n")).code == 0)
            #expect(bench.take().text == "line\n")
        }
    }

    @Test func anArgumentThatIsNoUTF8IsRefusedAndNotRepaired() {
        Bench.with { bench in
            let code = Child.run(
                ["sh", "-c", "cd \"$1\" && exec \"$0\" put \"$(printf 'd\\377')\"", Program.path, bench.path],
                output: bench.file("work/output"), errors: bench.file("work/errors"))
            #expect(code == 64)
            #expect(TestFiles.text(bench.file("work/errors"))?.contains("is no UTF-8") == true)
            #expect(TestFiles.names(in: bench.path) == ["work"])
        }
    }

    @Test func aStandardOutputWithoutRoomExits74AndTheEventsStay() {
        Bench.with { bench in
            #expect(bench.put([], bytes("one\ntwo\n")).code == 0)
            let code = Child.run(
                [Program.path, "take", bench.channel], output: "/dev/full", errors: bench.file("work/errors"))
            #expect(code == 74)
            #expect(TestFiles.text(bench.file("work/errors"))?.contains("No space left on device") == true)
            #expect(bench.take().text == "one\ntwo\n")
        }
    }

    @Test func anAnswerThatCannotBeGivenExits74() {
        Bench.with { bench in
            for word in ["--help", "--version"] {
                let code = Child.run([Program.path, word], output: "/dev/full", errors: bench.file("work/errors"))
                #expect(code == 74)
            }
        }
    }

    @Test func aTakeFromADirectoryWithoutAChannelSaysWhatMakesOne() {
        Bench.with { bench in
            unsafe mkdir(bench.channel, 0o700)
            let result = bench.take()
            #expect(result.code == 1 && result.errors.contains("; 'sluice put' makes one"), "\(result.errors)")
            #expect(TestFiles.names(in: bench.channel) == [])
        }
    }

    @Test func helpAndVersionAreAnswers() {
        Bench.with { bench in
            for words in [["--help"], ["-h"], ["help"], ["put", "--help"], ["take", "D", "--help"]] {
                let result = Program.run(words, in: bench.file("work"))
                #expect(result.code == 0 && result.errors == "")
                #expect(result.text.contains("usage: sluice") && result.text.contains("Exit codes: 0"))
            }
            let version = Program.run(["--version"], in: bench.file("work"))
            #expect(version.code == 0 && version.text.hasPrefix("sluice ") && version.text.hasSuffix("format 1\n"))
        }
    }

    @Test func everyOptionStandsInTheHelp() {
        Bench.with { bench in
            let help = Program.run(["--help"], in: bench.file("work")).text
            for option in [
                "--file F", "--batch N", "--producers P", "--header K=V", "--compression lz4|none",
                "--durability commit|interval|none", "--capacity-bytes B", "--segment-bytes S", "--acks", "--limit N",
                "--output F", "--format text|jsonl", "--follow", "--help", "--version",
            ] { #expect(help.contains(option), "\(option)") }
        }
    }

    @Test func filesThatCannotBeUsedExit74() {
        func check(_ words: (Bench) -> [String], _ message: String) {
            Bench.with { bench in
                #expect(TestFiles.write(bytes("line\n"), to: bench.file("plain")))
                #expect(bench.put([], bytes("kept\n")).code == 0)
                let result = Program.run(words(bench), in: bench.file("work"), input: bytes("line\n"))
                #expect(result.code == 74 && result.text == "", "\(result)")
                #expect(result.errors.hasPrefix("sluice: ") && result.errors.contains(message), "\(result.errors)")
                #expect(bench.take().text == "kept\n")
            }
        }
        check({ ["put", $0.file("plain")] }, "plain")
        check({ ["take", $0.file("plain")] }, "plain")
        check({ ["put", $0.file("plain/below")] }, "plain")
        check({ ["take", $0.file("nowhere")] }, "nowhere")
        check({ _ in ["put", "/proc/sluice"] }, "/proc/sluice")
        check({ ["put", $0.channel, "--file", $0.file("nowhere")] }, "No such file")
        check({ ["put", $0.channel, "--file", $0.file("work")] }, "work is a directory: name a file in it")
        check({ ["put", $0.channel, "--file", "/dev/null"] }, "sluice put DIR < /dev/null")
        check({ ["take", $0.channel, "--output", $0.file("work")] }, "work is a directory: name a file in it")
        check({ ["take", $0.channel, "--output", $0.file("no/where")] }, "No such file")
        check({ ["take", $0.channel, "--output", "/dev/full"] }, "sluice take DIR > /dev/full")
        for words in [["put", "--file"], ["take", "--output"]] {
            check(
                { bench in
                    unsafe mkfifo(bench.file("fifo"), 0o600)
                    return [words[0], bench.channel, words[1], bench.file("fifo")]
                }, "fifo is not a regular file")
        }
    }

    @Test func aFileThatIsNotThereLeavesNoNewChannel() {
        Bench.with { bench in
            #expect(bench.put(["--file", bench.file("nowhere")]).code == 74)
            #expect(unsafe access(bench.channel, F_OK) != 0)
            #expect(bench.take().code == 74)
            #expect(unsafe access(bench.channel, F_OK) != 0)
        }
    }

    @Test func anOutputInTheChannelsDirectoryIsRefused() {
        Bench.with { bench in
            #expect(bench.put([], bytes("one\n")).code == 0)
            let segment = TestFiles.names(in: bench.channel).first { $0.hasSuffix(".seg") } ?? ""
            for name in [segment, "new"] {
                let result = bench.take(["--output", "\(bench.channel)/\(name)"])
                #expect(result.code == 64 && result.errors.contains("the channel's own directory"))
            }
            #expect(bench.take().text == "one\n")
        }
    }

    @Test func aChannelInUseExits75WhoeverUsesIt() {
        Bench.with { bench in
            let holder = bench.startPut(["--acks"], .pipe)
            holder.send("one\n")
            #expect(holder.line() == "ack 1 1")
            for result in [bench.put([], bytes("two\n")), bench.take()] {
                #expect(result.code == 75 && result.text == "")
                #expect(result.errors.contains(bench.channel), "\(result.errors)")
            }
            // The lock ends with its holder, however that ends.
            holder.signal(SIGKILL)
            #expect(holder.finish().end == Program.End(signal: SIGKILL))
            #expect(bench.take().text == "one\n")
        }
    }

    @Test func aDirectoryOfSomethingElseIsNotMadeAChannel() {
        Bench.with { bench in
            unsafe mkdir(bench.channel, 0o700)
            #expect(TestFiles.write(bytes("mine"), to: "\(bench.channel)/0000000000000001.seg"))
            let result = bench.put([], bytes("one\n"))
            #expect(result.code == 1 || result.code == 74, "\(result)")
            #expect(TestFiles.text("\(bench.channel)/0000000000000001.seg") == "mine")
        }
    }

    @Test func aLineThatNoTransactionOfTheChannelHoldsIsRefusedByItsNumber() {
        Bench.with { bench in
            let line = [UInt8](repeating: UInt8(ascii: "x"), count: 600 << 10)
            let result = bench.put(["--capacity-bytes", "2MiB", "--acks"], bytes("one\n") + line + bytes("\nthree\n"))
            #expect(result.code == 1 && result.text == "ack 1 1\n")
            #expect(result.errors.contains("line 2 of 614400 bytes, with "))
            #expect(result.errors.contains("headers and frame, does not fit into this channel"))
            #expect(bench.take().text == "one\n")
        }
    }
}
