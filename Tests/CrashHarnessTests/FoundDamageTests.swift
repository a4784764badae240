import Testing

/// As ``FoundTests``: scripts with files that were damaged.
@Suite struct FoundDamageTests {
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

    /// An opening had made it, and nothing else knew its salt: the log ended in front of it, and its numbers were given again.
    @Test func theNewestSegmentWithoutItsIdentityWasNotCountedAsLost() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 20000305
            disk sector 512 block 512 torn
            channel capacity 1081344 segment 131072 snapshot 4096 groups 8 lease 8 cache 1048576 checkpoint 65536 full block 300 block 4096 lz4 writeThenSync
            life
              phase
                client
                  put 1 10 stamped
                  put 1 10
                  drain 8
                  put 5 2383
                  take 6 1
                  put 1 10
                client
                  bookmark
                  put 6 10
              end power 136 random 14518534951006668310
            life
              phase
                client
                  put 1 10 shared stamped
                  put 1 10 stamped
                  put 1 10
                  put 1 10
                client
                  put 1 10 stamped
                  put 5 10
                  take 2 2
                client
                  take 3 1
                  put 1 10 bookmark stamped
                  take 12 0
                client
                  bookmark
                  take 2 1
                client
                  take 6 2
                  checkpoint
              end power 53 random 5923036034417276109
            life
              phase
                client
                  put 1 10
              end power 16 random 18033343846399708333
            life
              damage garbleIdentity 898462419296729387
              end close
            """)
    }

    /// Both reserves were in use, and neither was made free for the segment that the opening needed.
    @Test func aFlippedBitInAnUnusedSegmentKeptAFullChannelShut() throws {
        try expectKept(
            """
            sluice crash script 1
            name random
            seed 23020018
            disk sector 512 block 512 torn bothNames
            channel capacity 327680 segment 20480 snapshot 3072 groups 2 lease 1 cache 1048576 checkpoint 1048576 full dropNewest
            life
              fault complete errno 5 skip 2 count 1 leaves torn delay 0
              phase
                client
                  take 2 2
                  take 2 1
                client
                  put 1 10 shared stamped
                  put 5 207
                  put 1 10
                client
                  take 10 2
                  put 3 1913
                  put 3 159
                client
                  put 3 273
                  put 1 10
                client
                  put 6 1975
                  put 1 10 stamped
                  put 6 1975
                  put 6 1975
                  put 6 1975
                  put 6 1975
                  put 6 1975
                client
                  take 6 100
                  commit 0 0
                  take 6 100
              end power 189 random 5799306239725345561
            life
              damage flip 11305346785784490070
              end close
            """)
    }

    /// A failed write had begun it, so no seal named it; the checkpoint did, and stated less of it than it held. What it held beyond that
    /// was numbered again.
    @Test func numbersBehindTheProvenEndOfAMissingSegmentWereGivenAgain() throws {
        try expectKept(
            """
            sluice crash script 1
            seed 42000103
            channel capacity 286720 segment 20480 snapshot 3072 groups 2 lease 64 cache 0 checkpoint 65536 full block 300 lz4
            life
              phase
                client
                  put 4 2335 bookmark
                  put 2 2455 stamped
                  take 3 2
                  put 2 129
                  put 3 1605 shared stamped
                  take 2 1
                  take 9 2
                client
                  put 4 2454 stamped
                  put 3 1777 stamped
                client
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
                  put 6 1206 stamped
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
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
            life
              fault complete errno 28 skip 9 count 1 leaves whole delay 0
              phase
                client
                  put 3 15 stamped
                client
                  put 4 1829 shared stamped
                  put 1 146
                  put 1 198 stamped
                client
                  put 5 76 stamped
                  take 5 2
                  bookmark
                client
                  put 6 1234 stamped
                  put 6 1234 stamped
                  put 6 1234 stamped
                  put 6 1234 stamped
                  put 6 1234 stamped
                  put 6 1234 stamped
                client
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
                  take 6 100
                  commit 0 0
              end power 104 random 17339798658714499313
            life
              damage remove 4348714215947099317
            """)
    }
}
