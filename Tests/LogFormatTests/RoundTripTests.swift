import Testing

@testable import LogFormat

@Suite struct RoundTripTests {
    @Test func everyStructureDecodesToWhatWasEncoded() throws {
        #expect(try decoded(Samples.identity.encode()) { try IdentityBlock(decoding: $0) } == Samples.identity)
        let checkpoint = try Samples.checkpoint()
        #expect(try decoded(checkpoint.encode()) { try CheckpointSlot(decoding: $0) } == checkpoint)
        let snapshot = try Samples.snapshot()
        #expect(try decoded(snapshot.encode()) { try Snapshot(decoding: $0) } == snapshot)
        #expect(try decoded(Samples.client.encode()) { try ClientState(decoding: $0) } == Samples.client)
        #expect(try decoded([]) { try ClientState(decoding: $0) } == ClientState())
        #expect(try decoded(Samples.open.encode()) { try OpenRecord(decoding: $0) } == Samples.open)
        #expect(try decoded(Samples.seal.encode()) { try SealRecord(decoding: $0) } == Samples.seal)
        #expect(try decoded(Samples.lease.encode()) { try LeaseRecord(decoding: $0) } == Samples.lease)
        #expect(try decoded(Samples.drop.encode()) { try DropRecord(decoding: $0) } == Samples.drop)
        #expect(try decoded(Samples.loss.encode()) { try LossRecord(decoding: $0) } == Samples.loss)
        #expect(
            try decoded(Samples.deliveryCount.encode()) { try DeliveryCountRecord(decoding: $0) }
                == Samples.deliveryCount)
        #expect(try decoded(Samples.extendedEvent.encode()) { try Event(decoding: $0) } == Samples.extendedEvent)
        #expect(try decoded(Samples.bookmark.encode()) { try Bookmark(decoding: $0) } == Samples.bookmark)
        for batch in [Samples.put, Samples.twoPuts, Samples.takeCommit, Samples.bookmarks] {
            let raw = try batch.encode()
            let decoded = try TransactionBatch(
                decoding: raw.rawBytes, type: batch.type, eventCount: UInt32(batch.eventCount),
                transactionCount: UInt32(batch.transactions.count))
            #expect(decoded == batch)
        }
    }

    @Test func everyFrameDecodesToWhatWasWritten() throws {
        for (name, payload) in try Samples.payloads() {
            for gap in stride(from: 0, through: 104, by: 8) where gap + payload.minimumFrameBytes % 8 <= 111 {
                let frame = Samples.frame(payload, gap: gap)
                if frame.count - 104 - payload.bytes.count > FormatConstants.maximumGapBytes { continue }
                let header = try FrameHeader.decode(
                    frame.rawBytes, at: 0, life: Samples.life, position: Samples.position)
                try Frame.verify(
                    frame.rawBytes, at: 0, header: header, life: Samples.life, position: Samples.position)
                #expect(header.type == payload.type, "\(name)")
                #expect(header.frameBytes == UInt32(frame.count))
                #expect(header.baseSequence == EventSequence(42))
                #expect(header.durableThrough == Samples.durable)
                #expect(Frame.trailerLength(frame.rawBytes, endingAt: frame.count) == header.frameBytes)
                let stored = frame.rawBytes.extracting(96..<96 + Int(header.storedBytes))
                #expect(try FramePayload.decompress(stored, header: header).count == Int(payload.rawBytes))
            }
        }
    }

    @Test func compressedPayloadComesBack() throws {
        let raw = Array(String(repeating: "a line of a log\n", count: 500).utf8)
        let payload = try FramePayload(
            type: .put, eventCount: 1, transactionCount: 1, raw: raw, compression: .lz4)
        #expect(payload.compression == .lz4)
        #expect(payload.bytes.count < raw.count / 10)
        let frame = Samples.frame(payload)
        let header = try FrameHeader.decode(frame.rawBytes, at: 0, life: Samples.life, position: Samples.position)
        #expect(try FramePayload.decompress(payload.bytes.rawBytes, header: header) == raw)
    }

    @Test func payloadThatDoesNotShrinkIsStoredAsItIs() throws {
        var random = Random(seed: 1)
        for raw in [[], [7], random.bytes(4096)] {
            let payload = try FramePayload(
                type: .put, eventCount: 1, transactionCount: 1, raw: raw, compression: .lz4)
            #expect(payload.compression == .none)
            #expect(payload.bytes == raw)
        }
    }

    @Test func frameIsRefusedAtAnyOtherPlace() throws {
        let frame = Samples.frame(try Samples.payloads()[2].payload)
        var lives = [Samples.life, Samples.life, Samples.life, Samples.life]
        lives[0].logUUID.high ^= 1
        lives[1].logUUID.low ^= 1
        lives[2].salt ^= 1
        lives[3].segment = SegmentNumber(4)
        let expected = FormatError(.frameHeader, .badChecksum, at: Samples.position)
        for life in lives {
            #expect(throws: expected) {
                try FrameHeader.decode(frame.rawBytes, at: 0, life: life, position: Samples.position)
            }
        }
        #expect(throws: FormatError.self) {
            try FrameHeader.decode(frame.rawBytes, at: 0, life: Samples.life, position: Samples.position + 8)
        }
    }

    @Test func laterVersionAndUnknownFeatureAreToldFromDamage() throws {
        func repaired(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var block = Samples.identity.encode()
            change(&block)
            let checksum = Checksum.crc32c(block.rawBytes.extracting(0..<4092))
            for index in 0..<4 { block[4092 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index)) }
            return block
        }
        #expect(throws: FormatError(.identityBlock, .newerVersion, at: 8 as UInt64)) {
            try decoded(repaired { $0[8] = 2 }) { try IdentityBlock(decoding: $0) }
        }
        #expect(throws: FormatError(.identityBlock, .unknownFeature, at: 32 as UInt64)) {
            try decoded(repaired { $0[39] = 0x80 }) { try IdentityBlock(decoding: $0) }
        }
        #expect(try decoded(repaired { $0[24] = 1 }) { try IdentityBlock(decoding: $0).allowsWriting } == false)
        #expect(try decoded(repaired { $0[16] = 1 }) { try IdentityBlock(decoding: $0).allowsWriting } == true)
        var damaged = Samples.identity.encode()
        damaged[8] = 2
        #expect(throws: FormatError(.identityBlock, .badChecksum, at: 0 as UInt64)) {
            try IdentityBlock(decoding: damaged.rawBytes)
        }
    }

    @Test func checkpointOfAnotherSlotOrLogIsRefused() throws {
        let bytes = try Samples.checkpoint().encode() + [1, 2, 3]
        let slot = try CheckpointSlot(decoding: bytes.rawBytes, slot: 1, logUUID: Samples.uuid)
        #expect(try slot == Samples.checkpoint())
        #expect(throws: FormatError(.checkpointSlot, .mismatch(.slot), at: 12 as UInt64)) {
            try CheckpointSlot(decoding: bytes.rawBytes, slot: 0, logUUID: Samples.uuid)
        }
        #expect(throws: FormatError(.checkpointSlot, .mismatch(.logUUID), at: 16 as UInt64)) {
            try CheckpointSlot(decoding: bytes.rawBytes, slot: 1, logUUID: LogUUID(high: 1, low: 1))
        }
    }

    @Test func positionsPrintAsTheDesignSays() {
        #expect(LSN(segment: SegmentNumber(0x1F), offset: 0x2A00).description == "1f/2a00")
        #expect(EventSequence(1234).description == "1234")
        #expect(Samples.uuid.description == "11223344-5566-7788-99aa-bbccddeeff01")
        #expect(
            FormatError(.frameHeader, .outOfRange(.rawBytes), at: 0x2A10 as UInt64).description
                == "frame header, byte 2a10 (hexadecimal): rawBytes has a value that the format does not allow")
    }
}
