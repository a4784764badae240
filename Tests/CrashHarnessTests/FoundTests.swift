import Testing

/// Scripts that broke a promise once, by what was wrong; `walcrash run` found them, and made them as small as they are. Those
/// with crashes and failed calls; damage is in `FoundDamageTests.swift`, and bytes that the disk did not give in
/// `FoundUnreadableTests.swift`.
@Suite struct FoundTests {
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

    /// A renaming had left both names of a reserve, which counted as one that was there and could not be used.
    @Test func aChannelWhoseReserveHadTwoNamesDidNotOpen() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 47
            disk sector 512 block 512 bothNames
            channel capacity 274432 segment 24576 snapshot 3072 groups 8 lease 8 cache 3000 checkpoint 65536 full block 300 lz4
            life
              phase
                client
                  put 5 1314
                  put 3 1226 stamped
                client
                  put 2 2279 stamped
                client
                  bookmark
                  put 4 1736
                  put 4 2025 bookmark
                  take 12 0
                client
                  take 12 2
                  sleep 2574
                  put 2 697
              end close
            life
              fault complete errno 24 skip 0 count 1 leaves whole delay 0
              phase
                client
                  put 4 522
                  take 12 2
                  put 6 1940
                client
                  take 5 0
                  put 6 2173
                  bookmark
                  commit 0 0
                  take 2 2
                  put 1 10 stamped
                client
                  take 5 2
                  put 6 2253
                client
                  put 1 10 shared
                  intrude
                  take 11 0
                  put 1 10
                  take 9 1
              end power 74 random 4468083861368964364
            life
              end power 17 legal 2
            """)
    }

    /// It returned as if all were well, and acknowledged events were not synced.
    @Test func closingAReadOnlyLogUnderAWeakerDurabilityHidWhatItMeant() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 81
            disk sector 512 block 512 torn bothNames
            channel capacity 348160 segment 24576 snapshot 3072 groups 1 lease 1 cache 1048576 checkpoint 1048576 full reject events 48 lz4 durability none
            life
              fault write errno 122 skip 9 count 1 leaves torn delay 0
              phase
                client
                  yield
                  take 4 0
                  checkpoint
                  put 1 10 bookmark stamped
                client
                  put 4 10
                  put 1 10 stamped
                  checkpoint
                  take 5 1
                  put 1 10
                  put 1 10 shared
              end power 69 random 11139329299684845960
            """)
    }

    /// A failed sync gave up the put for which a segment was being prepared, and with it its claim, which was subtracted all the same.
    @Test func aSegmentThatIsPreparedForAPutThatWasGivenUpTrapped() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 3000134
            disk sector 4096 block 512 torn
            channel capacity 307200 segment 20480 snapshot 3072 groups 1 lease 3 cache 0 checkpoint 1048576 full reject durability none
            life
              phase
                client
                  put 1 1795 stamped
                client
                client
                  put 2 2444
                  take 2 0
                  take 1 2
                  commit 2 0 bookmark
                client
                  put 3 164 stamped
                  put 5 2036
                  put 5 1137
                client
                  put 4 202 stamped
                  put 4 2266
                  put 6 1667 stamped
                  put 6 1667 stamped
                  put 6 1667 stamped
                  put 6 1667 stamped
                  put 6 1667 stamped
                  put 6 1667 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
            life
              phase
                client
                  put 2 121
                  put 3 163
                client
                  checkpoint
                  take 6 0
                  take 1 1
                client
                  put 6 1690 stamped
                  put 6 1690 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              fault synchronize errno 5 skip 9 count 1 leaves whole delay 0
              phase
                client
              end power 100000 everything
            """)
    }

    /// It listed the segment of an epoch that never began, and the one that the log led to counted as gone.
    @Test func aCheckpointAfterTwoFailedWritesCostSequences() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 22010033
            disk sector 512 block 512 torn bothNames
            channel capacity 286720 segment 20480 snapshot 3072 groups 2 lease 8 cache 0 checkpoint 1048576 full reject lz4 writeThenSync
            life
              phase
                client
                client
                  put 4 1626
                  take 4 2
                  put 6 1648
                  commit 2 0
                  put 1 10 stamped
                client
                  put 6 240
                  put 3 10 bookmark
                client
                  put 6 1377
                  put 6 1377
                  put 6 1377
                  put 6 1377
                  put 6 1377 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end close
            life
              end kill 42 random 15646709151187885266
            life
              fault submit errno 5 skip 17 count 20 leaves torn delay 0
              phase
                client
                  put 6 1994 stamped
                  put 6 1994
                  put 6 1994
                  put 6 1994
                  put 6 1994
                  put 6 1994
                  put 1 10 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  take 6 100
                  checkpoint
              end power 153 everything
            """)
    }

    /// A sync of the directory had failed for a segment that was removed, and the next one succeeded for a segment that was made:
    /// its name was gone after a power cut, with what had been acknowledged in it.
    @Test func theFailedSyncOfOneNameTookAnotherWithIt() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 24021060
            disk sector 512 block 512
            channel capacity 266240 segment 20480 snapshot 3072 groups 2 lease 1000 cache 1048576 checkpoint 8192 full block 300 lz4
            life
              phase
                client
                  sleep 938
                  take 6 1
                  put 1 10 bookmark shared
                client
                  put 4 770
                client
                  put 1 10
                  take 8 0
                  take 5 0
                client
                  put 6 1546
                  put 6 1546 stamped
                  put 6 1546
                  put 6 1546
                  put 6 1546 stamped
              end power 298 random 11237540328117435750
            life
              fault synchronizeDirectory errno 5 skip 2 count 1 leaves torn delay 0
              phase
                client
                  take 7 2
                client
                  put 1 10
                  yield
                client
                  put 1 10 shared
                  put 1 10 stamped
                  put 1 10 bookmark
                client
                  put 6 883
                  put 6 883
                  put 6 883
                  put 6 883
                  put 6 883
                  put 6 883
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end power 73 random 3928278283298222364
            """)
    }

    /// It began with what the client had known before a retirement, and without a checkpoint the segments that had gone in
    /// between were missed.
    @Test func aSegmentBeganWithASnapshotThatNeededWhatHadBeenLetGo() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 25000047
            disk sector 512 block 512 torn bothNames notDirect
            channel capacity 266240 segment 20480 snapshot 3072 groups 1 lease 1000 cache 1048576 checkpoint 1048576 full dropOldest
            life
              phase
                client
                  put 1 10
                client
                  take 10 2
                  put 4 10
                  take 5 1
                  commit 2 2
                  put 1 10 stamped
                client
                  take 8 1
                  put 6 2091
                  take 2 0
                client
                  events 149
                  put 5 10
                  put 5 2001
                  put 6 10
                client
                  put 3 10
                  bookmark
                client
                  put 6 1633
                  put 6 1633
                  put 6 1633
                  put 6 1633
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end close
            life
              fault rename errno 27 skip 1 count 1 leaves whole delay 0
              phase
                client
                  put 6 781
                  put 1 10
                client
                  put 2 2094
                  take 11 1
                  commit 2 0
                client
                  bookmark
                  put 1 10 bookmark shared
                client
                  put 6 1579
                  put 6 1579
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end power 117 random 4067861016416223067
            """)
    }

    /// It had no events and nothing but the next roll let it go: a put that came before that was dropped, in a channel that was
    /// empty.
    @Test func aSegmentWithoutEventsThatACrashHadLeftTookTheRoomOfAPut() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 30000233
            disk sector 512 block 512
            channel capacity 258048 segment 20480 snapshot 8192 groups 4 lease 1 cache 1048576 checkpoint 8192 full dropNewest events 118 lz4
            life
              phase
                client
                  take 11 1
                client
                  put 1 10
                  take 4 1
                  put 2 2061
                client
                  put 6 143
                client
                  put 1 10
                  put 4 287
                client
                  put 2 1600
                  put 1 10
                  put 3 10
              end power 194 random 16738296001297276933
            life
              phase
                client
                  take 12 0
              end close
            life
              phase
                client
                  bookmark
                client
                  take 12 0
                  take 6 1
              end power 32 everything
            """)
    }

    /// The seal names a segment that a failed write had begun. An opening removed it, as a snapshot says that it is not needed; the
    /// next one, without the checkpoint, reported it as missing.
    @Test func aSegmentThatWasLetGoByRightsWasReportedAsMissingWhenItsFileWasGone() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 36030024
            disk sector 512 block 512 torn
            channel capacity 286720 segment 20480 snapshot 3072 groups 4 lease 1000 cache 3000 checkpoint 1048576 full block 300 writeThenSync
            life
              phase
                client
                  put 1 10
                client
                  put 6 1622
              end power 73 random 13101162728119598394
            life
              fault submit errno 5 skip 2 count 3 leaves torn delay 0
              phase
                client
                  take 6 100
                  take 6 100
                  commit 0 0
              end power 100 random 14289501618441650804
            life
              end power 16 everything
            """)
    }

    /// A failed write had begun a segment for events, and left it without any. To drop what it held began a commit that never ended:
    /// closing the channel waited for it for ever.
    @Test func aDropThatFoundNothingToDropKeptTheChannelFromClosing() throws {
        try expectKept(
            """
            sluice crash script 1
            seed 37000817
            channel capacity 307200 segment 20480 snapshot 3072 groups 2 lease 3 cache 1048576 checkpoint 8192 full dropOldest lz4
            life
              phase
                client
                  put 5 245 stamped
                  put 5 1868 stamped
                client
                  put 5 1577 bookmark shared stamped
                  put 2 1479 bookmark stamped
                client
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                  put 6 1247 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
            life
              fault complete errno 23 skip 2 count 2 leaves torn delay 0
              phase
                client
                  bookmark
                  put 1 222 bookmark stamped
                client
                  take 12 2
                client
                  put 5 138 bookmark stamped
                  retry
                client
                  put 6 1081 stamped
              end power 60 random 1
            """)
    }

    /// A segment that had an identity, and nothing else, stated where an epoch had cut the log. The next one cut at that segment, and
    /// removed it.
    @Test func aCutStatedByAnEmptySegmentWasForgottenWithIt() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 41
            disk sector 512 block 512 bothNames
            channel capacity 1343488 segment 131072 snapshot 4096 groups 4 lease 3 cache 0 checkpoint 1048576 full dropNewest events 141 block 4096 lz4 writeThenSync
            life
              fault complete errno 12 skip 13 count 1 leaves torn delay 0
              phase
                client
                  put 6 10
                  drain 5
                client
                  take 1 1
                client
                  put 6 10
                  put 4 10
              end power 81 random 10167744662408060940
            """)
    }

    /// An empty segment that had been meant for an epoch was neither listed nor removed, and its room was counted as taken.
    @Test func anEmptySegmentBesideAFreshOneTookRoomUntilTheNextOpening() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 49000475
            disk sector 4096 block 512 bothNames
            channel capacity 270336 segment 24576 snapshot 8192 groups 8 lease 64 cache 0 checkpoint 65536 full dropOldest lz4
            life
              phase
                client
                  put 1 10
              end kill 259 random 5442321896253267444
            life
              fault complete errno 28 skip 3 count 1 leaves torn delay 0
              phase
                client
                  take 5 2
                  take 9 1
                client
                  take 6 2
                  take 1 1
              end power 33 everything
            """)
    }

    /// Each had put together what it was to state before it waited: both slots were of before a retirement whose file was gone, which
    /// counted as damage.
    @Test func twoCheckpointsThatHadWaitedWentBehindARetirement() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 60000329
            disk sector 512 block 512 torn bothNames
            channel capacity 307200 segment 20480 snapshot 3072 groups 8 lease 1 cache 3000 checkpoint 1048576 full dropNewest lz4
            life
              phase
                client
                  bookmark
                  take 4 2
                  commit 2 0 bookmark
                client
                  put 3 10
                  take 2 2
                  commit 1 0
                  put 6 1714
                  put 4 1302
                client
                  put 3 10 stamped
                  take 1 2
                  put 1 10 bookmark stamped
                client
                  put 6 1950
                  put 6 1950
                  put 6 1950
                  put 6 1950
                  put 6 1950
                  put 6 1950 stamped
                  put 6 1950
                  put 6 1950
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end kill 164 random 8464623563838742163
            """)
    }
}
