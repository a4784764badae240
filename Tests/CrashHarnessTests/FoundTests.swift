import CrashHarness
import Testing

/// Scripts that broke a promise once, by what was wrong; `walcrash run` found them, and made them as small as they are.
@Suite struct FoundTests {
    private func expectKept(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let report = ChannelHarness.replay(try CrashScript(parsing: text))
        #expect(report.broken == nil, "\(report.broken?.objection ?? "")", sourceLocation: sourceLocation)
        #expect(report.coverage.states > 0, "it looks at nothing", sourceLocation: sourceLocation)
    }

    /// It counted as one without events, and was let go at once; a take that came to them failed for ever.
    @Test func aSegmentOfWhichNoEventCouldBeReadWasLetGo() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 53
            disk sector 512 block 512 torn
            channel capacity 634880 segment 65536 snapshot 3072 groups 8 lease 8 cache 3000 checkpoint 65536 full block 300 events 91 lz4
            life
              phase
                client
                  bookmark
                  put 2 2056
                  put 1 10 bookmark stamped
              end power 53 random 12314340322529375006
            life
              damage unreadable 15398912699239230750
              end close
            """)
    }

    /// Failed syncs had used up both reserves, and the next opening found no room for its segment.
    @Test func aChannelWithoutItsReservesDidNotOpen() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 100034
            disk sector 4096 block 512 torn bothNames
            channel capacity 258048 segment 20480 snapshot 8192 groups 2 lease 64 cache 1048576 checkpoint 65536 full block 300 events 96
            life
              fault synchronize errno 5 skip 0 count 4 leaves absent delay 0
              phase
                client
                  put 4 519 bookmark stamped
                client
                  put 4 1255
                client
                  take 10 1
                  put 5 159
                  put 1 10 stamped
                  bookmark
                  bookmark
              end power 87 everything
            """)
    }

    /// Replay began behind it, so nobody noticed that it was gone; a take that came to its events failed for ever.
    @Test func aMissingSegmentThatTheCheckpointCoversToItsEndWasNotCountedAsLost() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 100001
            disk sector 512 block 512 notDirect
            channel capacity 401408 segment 20480 snapshot 8192 groups 8 lease 8 cache 3000 checkpoint 1048576 full reject
            life
              phase
                client
                  bookmark
                client
                  take 2 2
                  put 4 143
                client
                  bookmark
                  take 4 1
                  commit 0 2 bookmark
                client
                client
                  take 7 2
                  put 3 276
                  put 4 288
                  take 12 2
                  put 1 10
                client
                  put 3 578
              end power 84 random 9401444055497689520
            life
              end power 19 random 18317857936421739421
            life
              damage removeSegments 14740656574838400647
              end close
            """)
    }
}
