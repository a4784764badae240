import Glibc
import TestSupport
import Testing

/// What goes in comes out.
@Suite struct TransferTests {
    @Test(arguments: [
        "", "\n", "\n\n\n", "one\n", "one\ntwo\nthree\n", "one\r\ntwo\r\n", "\r\n\r\n", "one\n\n\ntwo\n", " \t \n",
        "é€😀\n",
        "a\u{0}b\n\u{0}\n",
    ])
    func linesComeOutAsTheyWentIn(text: String) {
        Bench.with { bench in
            let put = bench.put([], bytes(text))
            #expect(put.code == 0 && put.errors == "" && put.text == "")
            let taken = bench.take()
            #expect(taken.code == 0 && taken.errors == "")
            #expect(taken.output == bytes(text))
            #expect(bench.take().output == [])
        }
    }

    @Test func aLastLineWithoutANewlineGetsOne() {
        Bench.with { bench in
            #expect(bench.put([], bytes("one\ntwo")).code == 0)
            #expect(bench.take().text == "one\ntwo\n")
        }
    }

    @Test func anyBytesComeOutAsTheyWentIn() {
        Bench.with { bench in
            let all = (0...255).map { UInt8($0) } + (0...255).reversed().map { UInt8($0) } + [10]
            #expect(bench.put([], all).code == 0)
            #expect(areSame(bench.take().output, all))
        }
    }

    @Test func aLineOfSixteenMebibytesComesOutAndOneByteMoreIsRefusedByItsNumberAndPlace() {
        Bench.with { bench in
            let longest = [UInt8](repeating: UInt8(ascii: "x"), count: 16 << 20)
            #expect(bench.put(["--capacity-bytes", "200MiB"], bytes("a\n") + longest + bytes("\nb\n")).code == 0)
            #expect(areSame(bench.take().output, bytes("a\n") + longest + bytes("\nb\n")))

            let refused = bench.put(
                ["--capacity-bytes", "200MiB", "--acks"], bytes("before\n") + longest + bytes("y\nbehind\n"))
            #expect(refused.code == 1)
            #expect(refused.text == "ack 4 4\n")
            #expect(refused.errors.contains("line 2, which begins at byte 7, is longer than 16777216 bytes"))
            #expect(bench.take().text == "before\n")
        }
    }

    @Test func eachCommitIsAcknowledgedWithItsSequences() {
        Bench.with { bench in
            let put = bench.put(["--acks", "--batch", "2"], bytes("1\n2\n3\n4\n5\n"))
            #expect(put.text == "ack 1 2\nack 3 4\nack 5 5\n")
            let some = bench.take(["--acks", "--batch=2", "--limit", "3"])
            #expect(some.text == "1\n2\nack 1 2\n3\nack 3 3\n")
            let rest = bench.take(["--acks", "--output", bench.file("out")])
            #expect(rest.text == "ack 4 5\n")
            #expect(TestFiles.text(bench.file("out")) == "4\n5\n")
            #expect(bench.put(["--acks"]).text == "")
        }
    }

    @Test func aPipeThatPausesIsCommittedMeanwhile() {
        Bench.with { bench in
            let put = bench.startPut(["--acks"], .pipe)
            put.send("one\ntwo\nthr")
            #expect(put.line() == "ack 1 2")
            put.send("ee\n")
            #expect(put.line() == "ack 3 3")
            put.send("four")
            put.endInput()
            let end = put.finish()
            #expect(end.code == 0 && end.text == "ack 4 4\n")
            #expect(bench.take().text == "one\ntwo\nthree\nfour\n")
        }
    }

    @Test func eventsAsJSONLines() {
        Bench.with { bench in
            #expect(
                bench.put(
                    ["--header", "host=web-1", "--header", "empty=", "--header", "eq=a=b"], bytes("say \"hi\"\\\t\n\n")
                ).code == 0)
            #expect(bench.put([], [0xFF, 0xFE, 10]).code == 0)
            #expect(
                bench.take(["--format", "jsonl"]).text == """
                    {"sequence":1,"redelivered":false,"headers":{"host":"web-1","empty":"","eq":"a=b"},"body":"say \\"hi\\"\\\\\\t"}
                    {"sequence":2,"redelivered":false,"headers":{"host":"web-1","empty":"","eq":"a=b"},"body":""}
                    {"sequence":3,"redelivered":false,"headers":{},"body_base64":"//4="}

                    """)
        }
    }

    @Test func severalProducersPutEachLineOnce() {
        Bench.with { bench in
            let lines = logLines(20_000)
            let put = bench.put(["--producers", "4", "--batch", "100", "--acks"], lines)
            #expect(put.code == 0 && put.errors == "")
            #expect(put.text.split(separator: "\n").count == 200)
            let taken = bench.take()
            let sorted = { (text: [UInt8]) in
                text.split(separator: 10).map { String(decoding: $0, as: UTF8.self) }.sorted()
            }
            #expect(sorted(taken.output) == sorted(lines))
        }
    }

    @Test(arguments: [
        ["--compression", "none"], ["--compression", "lz4"], ["--durability", "interval"], ["--durability", "none"],
        ["--segment-bytes", "64KiB", "--capacity-bytes", "2MiB"], ["--capacity-bytes=1MiB", "--batch", "10000"],
    ])
    func everySettingCarriesLines(options: [String]) {
        Bench.with { bench in
            let lines = logLines(2000)
            let put = bench.put(options, lines)
            #expect(put.code == 0 && put.errors == "")
            #expect(areSame(bench.take().output, lines))
        }
    }

    @Test func aChannelRemembersItsCapacityAndSegmentSize() {
        Bench.with { bench in
            #expect(bench.put(["--capacity-bytes", "2MiB", "--segment-bytes", "128KiB"], bytes("1\n")).code == 0)
            let settings = TestFiles.text("\(bench.channel)/settings")
            #expect(Program.run(["put", bench.channel], in: bench.file("work"), input: bytes("2\n")).code == 0)
            #expect(TestFiles.text("\(bench.channel)/settings") == settings)
            let grown = Program.run(["put", bench.channel, "--capacity-bytes", "4MiB"], in: bench.file("work"))
            #expect(grown.code == 0 && TestFiles.text("\(bench.channel)/settings") != settings)
            #expect(bench.take().text == "1\n2\n")
        }
    }

    @Test func aBatchThatNoTransactionHoldsIsCut() {
        Bench.with { bench in
            // A quarter of 4 MiB holds less than the 2 MiB of lines.
            let lines = logLines(15_000)
            let put = bench.put(["--capacity-bytes", "4MiB", "--batch", "1000000", "--acks"], lines)
            #expect(put.code == 0 && put.errors == "")
            #expect(put.text.split(separator: "\n").count > 1)
            #expect(areSame(bench.take().output, lines))
        }
    }
}
