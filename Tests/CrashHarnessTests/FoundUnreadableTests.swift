import Testing

/// As ``FoundTests``: scripts with bytes that the disk did not give.
@Suite struct FoundUnreadableTests {
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

    /// Neither checkpoint nor snapshot could be read: the log began at the first frame that could.
    @Test func eventsBeforeTheFirstReadableFrameWereHeldAndNotThere() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 2000507
            disk sector 512 block 512 bothNames
            channel capacity 421888 segment 24576 snapshot 3072 groups 1 lease 1000 cache 1048576 checkpoint 8192 full dropOldest
            life
              end power 27 random 17451988831160452984
            life
              phase
                client
                  put 4 1592
              end power 21 random 6837520726941384353
            life
              damage unreadable 5043024139352240411
              end close
            """)
    }

    /// The records of what became of them could not be read, and their segments had been let go: a take that came to them failed for
    /// ever.
    @Test func eventsOfASegmentThatWasLetGoWereHeldAndNotThere() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 23000491
            disk sector 512 block 512
            channel capacity 401408 segment 20480 snapshot 8192 groups 4 lease 8 cache 0 checkpoint 8192 full reject lz4
            life
              phase
                client
                client
                  take 9 2
                  take 4 2
                  commit 1 0
                client
                  bookmark
                  put 4 240
                client
                  put 1 10
                  take 2 2
                  rollback 2
                  drain 1
                  bookmark
                client
                  put 2 1883
                  put 3 1706
                  take 12 1
                client
                  put 4 10 shared stamped
                  put 5 2225
                  put 1 10
                  put 3 1156
                  put 1 10
              end power 145 random 17853996393795219813
            life
              damage unreadable 5027290836902582706
              end close
            """)
    }

    /// The opening beside the bad sector could not see the last epoch, and gave its number to its own.
    @Test func anEpochInABadSectorHadItsNumberGivenAway() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 28020012
            disk sector 4096 block 512
            channel capacity 327680 segment 20480 snapshot 3072 groups 4 lease 8 cache 1048576 checkpoint 8192 full reject lz4
            life
              end power 259 random 7225040567402223094
            life
              phase
                client
                  put 1 10 stamped
              end power 18 random 11382464894460854710
            life
              damage unreadable 16660487240779991675
              end close
            """)
    }

    /// The seal stood in the bad sector, and nothing else said that the segment behind it was begun: it was removed.
    @Test func aSegmentBehindASealInABadSectorWasVoided() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 28020012
            disk sector 4096 block 512
            channel capacity 327680 segment 20480 snapshot 3072 groups 4 lease 8 cache 1048576 checkpoint 8192 full reject lz4
            life
              phase
                client
                  put 6 1767
              end power 259 random 7225040567402223094
            life
              phase
                client
                client
                  take 5 0
                client
                  put 6 1477
                  put 1 10
              end power 39 random 11382464894460854710
            life
              damage unreadable 16660487240779991675
              end close
            """)
    }

    /// Both reserves were in use, and neither was made free: beside a bad sector the client's state does not reach to the tail.
    @Test func aFullChannelWithABadSectorInItsReserveDidNotOpen() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 29040054
            disk sector 512 block 512 torn
            channel capacity 241664 segment 20480 snapshot 4096 groups 4 lease 1 cache 0 checkpoint 1048576 full reject events 70
            life
              phase
                client
                  put 1 1541
                  put 6 929
                  take 4 1
                client
                  take 4 2
                  put 4 10
              end power 258 random 1131395837904762577
            life
              phase
                client
                  put 1 10
                  take 1 1
                  put 5 10
                  put 6 10
                  put 1 10
                client
                  take 11 2
                  put 6 288
                  put 1 10
                  take 12 1
                client
                  put 6 258
                  take 11 0
                  bookmark
                client
                  bookmark
                  take 1 0
              end power 230 random 14186606069683331733
            life
              end power 10 random 13181065034302828906
            life
              damage unreadable 16798086320888536463
              end close
            """)
    }

    /// The segment before it was missing, and the numbers of what could not be read counted as lost with that one.
    @Test func whatStoodBehindAMissingSegmentInABadSectorWasCountedAsLost() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 31000522
            disk sector 512 block 512 torn bothNames notDirect
            channel capacity 258048 segment 20480 snapshot 3072 groups 2 lease 64 cache 3000 checkpoint 65536 full dropOldest
            life
              end kill 22 random 10951300135715724610
            life
              phase
                client
                  bookmark
                  put 3 1665
                client
                  put 1 2443 shared stamped
                  put 3 2269
                client
                  take 5 2
                  put 6 1545
                  put 1 10
                client
                  put 4 2356
                client
                  take 12 2
                  put 1 10
              end power 91 random 9149487438851197834
            life
              damage unreadableStart 10244930188515428708
              end close
            """)
    }

    /// The opening after a failed write stood in the bad sector, and what it had cut off was served under numbers of others.
    @Test func anEpochInABadSectorDidNotCutOffWhatItHadCut() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 33000385
            disk sector 512 block 512 torn bothNames
            channel capacity 376832 segment 32768 snapshot 4096 groups 2 lease 64 cache 1048576 checkpoint 1048576 full reject events 79 lz4
            life
              fault complete errno 12 skip 4 count 1 leaves whole delay 0
              phase
                client
                  bookmark
                  put 1 10
                client
                client
                  take 2 0
                  put 4 2271
                client
                  take 4 2
                client
                  put 6 10
                  put 6 10
                  take 8 2
                  take 3 1
              end power 93 random 9571367253483731140
            life
              damage unreadableStart 14765706712739510995
              end close
            """)
    }

    /// The segment that the seal before it names had been let go, and what says so stood in the bad sector.
    @Test func aSegmentInABadSectorBehindOneThatWasLetGoWasVoided() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 34000032
            disk sector 512 block 512 torn notDirect
            channel capacity 307200 segment 20480 snapshot 3072 groups 1 lease 1 cache 3000 checkpoint 8192 full block 300 writeThenSync durability interval
            life
              fault submit errno 5 skip 15 count 1 leaves torn delay 0
              phase
                client
                  rollback 1
                  put 5 1709 shared stamped
                  retry
                  put 5 1646 shared stamped
                  retry
                  take 3 1
                  rollback 2
                  put 6 229
                  retry
                  commit 2 2
                  commit 1 0
                client
                  put 3 1500 bookmark stamped
                  retry
                  put 3 89
                  retry
                  take 12 2
                  take 5 2
                client
                  put 4 2116 stamped
                  retry
                  put 3 175
                  retry
                  take 6 1
                  take 10 0
                  events any
                  sleep 878
                client
                  bookmark
                  put 3 2192 stamped
                  retry
                  put 6 2230 bookmark shared
                  retry
                  commit 1 2
                client
                  put 4 120 bookmark stamped
                  retry
                  take 4 2
                  take 9 1
                  put 5 2432
                  retry
                  put 5 2299 stamped
                  retry
                  take 9 0
                  checkpoint
                client
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                  put 6 1067 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  checkpoint
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  checkpoint
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end kill 188 random 6106372155471308793
            life
              fault complete errno 24 skip 1 count 1 leaves torn delay 0
              phase
                client
                  take 9 2
                  put 1 132 stamped
                  retry
                  take 5 0
                  take 12 1
                client
                  take 3 0
                  put 6 1966
                  retry
                  put 4 34 bookmark
                  retry
                client
                  commit 1 0 bookmark
                  checkpoint
                  rollback 1
                  events 150
                  put 6 1689 stamped
                  retry
                client
                  put 6 1571 stamped
                  put 6 1571 stamped
                  put 6 1571 stamped
                  put 6 1571 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  checkpoint
                  take 6 100
                  commit 0 0
              end power 23 random 4339575109613156349
            life
              damage unreadableStart 9125741738572850374
              end close
            """)
    }

    /// The segment that the seal before it names had been let go: held by one opening, and counted as lost by the next.
    @Test func aSegmentInABadSectorBehindOneThatWasLetGoWasHeldByOneOpeningOnly() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 34020135
            disk sector 512 block 512 torn bothNames
            channel capacity 299008 segment 20480 snapshot 8192 groups 2 lease 3 cache 0 checkpoint 65536 full reject events 163
            life
              phase
                client
                  put 1 300 stamped
                  retry
                  bookmark
                  put 2 1661 stamped
                  retry
                  put 3 88 stamped
                  retry
                  events 54
                  repeat
                client
                  put 1 2294
                  retry
                  take 1 2
                  commit 0 0 bookmark
                  take 12 1
                  take 8 0
                  commit 2 2
                client
                  put 6 3 bookmark
                  retry
                  take 6 2
                  put 6 190 bookmark stamped
                  retry
                client
                  rollback 2
                  put 5 1392 stamped
                  retry
                  put 4 33 shared stamped
                  retry
                  bookmark
                  put 4 82 bookmark
                  retry
                  repeat
                client
                  put 1 83 bookmark shared stamped
                  retry
                  put 5 238 bookmark
                  retry
                  put 4 15 bookmark stamped
                  retry
                  put 2 995 bookmark stamped
                  retry
                  take 12 1
                  take 4 1
                  put 1 1432 stamped
                  retry
              end power 230 random 16804437031372134051
            life
              phase
                client
                  commit 1 0 bookmark
                  put 6 1763 shared stamped
                  retry
                  put 3 236
                  retry
                  take 3 1
                  put 3 230
                  retry
                client
                  put 5 190 bookmark stamped
                  retry
                  commit 2 0
                  commit 2 0 bookmark
                  put 3 1078
                  retry
                  checkpoint
                client
                  take 11 2
                  take 7 0
                  put 4 2212
                  retry
                  checkpoint
                  take 2 1
                  checkpoint
                  put 3 1907 bookmark stamped
                  retry
              end power 66 random 9908031407434137762
            life
              damage unreadableStart 16849513859387076598
              end close
            """)
    }

    /// The snapshot at its beginning stood in the bad sector, and the frame behind it, which cut the log in front of it, did not: a
    /// reader said that there was nothing, and the event behind them was counted as lost.
    @Test func anEventBehindABadSectorThatAnEpochHadCutOffWasCountedAsLost() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 35010017
            disk sector 512 block 512 torn
            channel capacity 327680 segment 20480 snapshot 3072 groups 1 lease 1000 cache 1048576 checkpoint 65536 full dropOldest lz4
            life
              phase
                client
                  put 4 10 bookmark stamped
                  put 6 1407
                client
                  put 6 1254
                  put 6 1254
                  put 6 1254
                  put 6 1254
                client
                  take 6 100
              end power 75 random 6839677184664430264
            life
              phase
                client
                  put 1 10 stamped
              end power 19 random 12673131929460484985
            life
              damage unreadableStart 16832573983033042294
              end close
            """)
    }

    /// Not the channel's mistake: it was open once, and handed its events out, before it stayed shut; the harness took their marks
    /// for damage.
    @Test func theMarksOfAnOpeningBeforeTheOneThatStayedShutWereTakenForDamage() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 36040471
            disk sector 512 block 512 torn bothNames
            channel capacity 327680 segment 20480 snapshot 3072 groups 8 lease 8 cache 3000 checkpoint 8192 full dropOldest
            life
              phase
                client
                  put 5 10
                client
                  take 5 2
                  take 7 1
                client
                  put 6 10
                  put 6 1581
                  put 1 1581
              end power 74 random 13497077141313013291
            life
              damage unreadableStart 6049111078125688312
              end close
            """)
    }

    /// Neither checkpoint nor snapshot, and the identity of the only whole segment in the bad sector: its events counted as lost.
    @Test func theOldestSegmentWithoutItsIdentityAndWithoutASnapshotWasCountedAsLost() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 37010210
            disk sector 512 block 512
            channel capacity 278528 segment 24576 snapshot 4096 groups 4 lease 8 cache 1048576 checkpoint 65536 full dropNewest events 112 lz4 durability interval
            life
              phase
                client
                  put 6 231
                client
                  put 3 1916
                client
                  put 1 10
                  put 2 521
                  take 1 2
                client
                  put 5 1993
                  bookmark
                  take 5 1
                  put 2 1423
                  put 3 2214
                  put 1 10
                  take 11 0
                  put 1 10
              end power 68 random 4060629961603098079
            life
              damage unreadableStart 10159033217072019826
              end close
            """)
    }

    /// Two writes had failed, and the reserve segment between them was let go: nothing told of the first cut.
    @Test func aCutStatedByASegmentThatWasLetGoWasForgottenWithIt() throws {
        try expectKept(
            """
            sluice crash script 1
            channel capacity 1212416 segment 131072 snapshot 4096 groups 1 lease 1000 cache 0 checkpoint 8192 full reject block 4096 lz4 writeThenSync
            life
              fault submit errno 24 skip 3 count 12 leaves torn delay 0
              phase
                client
                  put 6 189 bookmark
                  put 6 1201
                  put 4 1824 bookmark shared stamped
                  put 1 169
            life
              phase
                client
                  put 1 143 bookmark
              end power 170 random 8745519857976634960
            life
              damage unreadableStart 9016455488086959586
            """)
    }

    /// Replay began behind the cut, in the segment whose identity alone told of it, and that was let go.
    @Test func aCutBeforeThePlaceWhereReplayBeganWasForgotten() throws {
        try expectKept(
            """
            sluice crash script 1
            channel capacity 1245184 segment 131072 snapshot 8192 groups 2 lease 1 cache 1048576 checkpoint 1048576 full block 300
            life
              fault complete errno 5 skip 11 count 1 leaves whole delay 0
              phase
                client
                  sleep 1094
                  take 4 0
                  commit 1 0 bookmark
                  put 2 1129 bookmark shared
                client
                  put 5 2142 bookmark shared stamped
                  put 2 225 bookmark stamped
                  take 11 0
                  take 2 2
                  put 5 157 shared stamped
                client
                  put 6 2377 bookmark
                  take 8 2
            life
              phase
                client
                  put 5 228 bookmark
              end power 43 random 13108818092362167569
            life
              damage unreadableStart 16252100618623299362
            """)
    }

    /// The harness took them for missing: what had been dropped before was counted in the damaged bytes alone.
    @Test func eventsThatWereDroppedForThoseThatWerePutBesideTheDamage() throws {
        try expectKept(
            """
            sluice crash script 1
            channel capacity 241664 segment 20480 snapshot 4096 groups 4 lease 1000 cache 0 checkpoint 1048576 full dropOldest lz4 writeThenSync
            life
              phase
                client
                  put 5 28 shared stamped
                  put 4 134 shared
                  take 4 2
                  put 3 25
            life
              phase
                client
                  put 4 1187
                  bookmark
                  put 1 2407 bookmark shared stamped
                  take 12 0
                  put 2 2146
                  take 2 1
                  commit 0 0
                  put 4 944 stamped
                  put 4 1097
            life
              phase
                client
                  put 6 230
                  bookmark
                  put 4 1488 shared stamped
              end power 69 random 4733020765186482702
            life
              damage unreadableStart 18437592233225464868
            """)
    }
    /// The harness took for decided what the opening that was cut off was about to decide.
    @Test func whatAnOpeningWasAboutToCutOffWasThere() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 62010076
            disk sector 512 block 512
            channel capacity 327680 segment 20480 snapshot 3072 groups 2 lease 8 cache 3000 checkpoint 8192 full reject
            life
              phase
                client
                client
                  put 1 10
                  intrude
                client
                  take 5 1
                  commit 1 0
                  put 1 10
                client
                  put 1 10
                client
                  put 1 975
                  put 6 975
                  put 6 975
                  put 6 975
                client
                  take 6 100
                  commit 0 0
              end power 97 random 13245981170207077963
            life
              end power 0 random 8449481795857827292
            life
              damage unreadable 13205328562191781425
              end close
            """)
    }
}
