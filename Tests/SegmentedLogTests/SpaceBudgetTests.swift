import LogFormat
import Testing

@testable import SegmentedLog

/// How a capacity is divided.
@Suite struct SpaceBudgetTests {
    private static func configuration(
        _ capacity: UInt64, _ change: (inout LogConfiguration) -> Void = { _ in }
    ) -> LogConfiguration {
        var configuration = LogConfiguration(capacityBytes: capacity)
        change(&configuration)
        return configuration
    }

    /// Why a configuration cannot work; nil when it can.
    private func objection(_ configuration: LogConfiguration, blockBytes: Int = 512) -> LogError? {
        do throws(LogError) {
            _ = try SpaceBudget(configuration, blockBytes: blockBytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            264 << 10, 320 << 10, 1 << 20, 1_234_567, 10 << 20, 100 << 20, 1 << 30, (1 << 30) + 1, 64 << 30, 1 << 37,
        ] as [UInt64], [512, 4096])
    func theSumNeverExceedsTheCapacity(_ capacity: UInt64, _ block: Int) throws {
        guard objection(Self.configuration(capacity), blockBytes: block) == nil else {
            #expect(capacity < 300 << 10 || (capacity < 512 << 10 && block == 4096))
            return
        }
        let budget = try SpaceBudget(Self.configuration(capacity), blockBytes: block)
        #expect(budget.fixedBytes + budget.segmentBudgetBytes == capacity)
        #expect(budget.segmentBudgetBytes >= 2 * UInt64(budget.segmentBytes))
        #expect(budget.segmentBytes % 4096 == 0 && budget.reserveBytes % 4096 == 0 && budget.slotBytes % 4096 == 0)
        #expect(UInt64(budget.segmentBytes) <= max(capacity / 8, 16384))
        #expect(budget.segmentBytes <= 64 << 20)
        #expect(budget.setAsideBytes <= max(64 << 10, capacity / 20))
        #expect(CheckpointSlot.headerBytes + budget.snapshotLimitBytes <= budget.slotBytes)
        // A full snapshot and an open frame fit into a reserve segment, and the snapshot that retires the other one.
        #expect(SpaceBudget.identityBytes + 2 * budget.firstGroupBytes + block <= Int(budget.reserveBytes))
        #expect(budget.largestRegularGroupBytes >= block)
    }

    @Test func everyGroupGetsASegmentThatItFitsIn() throws {
        let budget = try SpaceBudget(Self.configuration(1 << 20), blockBytes: 512)
        for group in stride(from: 512, through: 256 << 10, by: 512) {
            let bytes = budget.segmentBytes(forGroupOf: group)
            #expect(bytes % 4096 == 0)
            #expect(bytes >= UInt64(SpaceBudget.identityBytes + budget.firstGroupBytes + group + 512))
            #expect((bytes == UInt64(budget.segmentBytes)) == (group <= budget.largestRegularGroupBytes))
        }
    }

    @Test func eachConfigurationErrorThrowsAndNamesTheSetting() {
        typealias Change = (inout LogConfiguration) -> Void
        let cases: [(String, Int, UInt64, Change)] = [
            ("blockBytes", 256, 1 << 20, { _ in }),
            ("blockBytes", 768, 1 << 20, { _ in }),
            ("blockBytes", 131_072, 1 << 20, { _ in }),
            ("groupsInFlight", 512, 1 << 20, { $0.groupsInFlight = 0 }),
            ("groupsInFlight", 512, 1 << 20, { $0.groupsInFlight = 65 }),
            ("maximumGroupBytes", 512, 1 << 20, { $0.maximumGroupBytes = 4095 }),
            ("maximumGroupBytes", 512, 1 << 20, { $0.maximumGroupBytes = (64 << 20) + 1 }),
            ("writeMethods", 512, 1 << 20, { $0.writeMethods = [] }),
            ("capacityBytes", 512, 65_535, { _ in }),
            ("capacityBytes is 65536", 512, 65_536, { _ in }),
            ("capacityBytes", 512, (1 << 56) + 1, { _ in }),
            ("snapshotLimitBytes", 512, 1 << 20, { $0.snapshotLimitBytes = 255 }),
            ("snapshotLimitBytes", 512, 1 << 20, { $0.snapshotLimitBytes = (32 << 20) + 1 }),
            ("segmentBytes", 512, 1 << 20, { $0.segmentBytes = 12_288 }),
            ("segmentBytes", 512, 1 << 20, { $0.segmentBytes = 20_000 }),
            ("segmentBytes", 512, 1 << 40, { $0.segmentBytes = 4_294_967_295 }),
            (
                "segmentBytes", 512, 1 << 20,
                {
                    $0.segmentBytes = 16_384
                    $0.snapshotLimitBytes = 16_384
                }
            ),
            ("capacityBytes", 512, 1 << 20, { $0.segmentBytes = 1 << 20 }),
            (
                "segments", 512, 1 << 30,
                {
                    $0.segmentBytes = 64 << 10
                    $0.snapshotLimitBytes = 1024
                }
            ),
            (
                "4088 segments", 512, 1200 << 20,
                {
                    $0.segmentBytes = 256 << 10
                    $0.snapshotLimitBytes = 200 << 10
                }
            ),
        ]
        for (index, (word, block, capacity, change)) in cases.enumerated() {
            let error = objection(Self.configuration(capacity, change), blockBytes: block)
            #expect(error?.code == .configuration, "case \(index), \(word): \(String(describing: error))")
            #expect(error?.message.contains(word) == true, "case \(index), \(word): \(String(describing: error))")
        }
    }

    @Test func nothingIsAdjusted() throws {
        let asked = Self.configuration(2 << 20) {
            $0.segmentBytes = 128 << 10
            $0.snapshotLimitBytes = 10_000
        }
        let budget = try SpaceBudget(asked, blockBytes: 4096)
        #expect(budget.segmentBytes == 128 << 10)
        #expect(budget.snapshotLimitBytes == 10_000)
        #expect(budget.slotBytes == 12_288)
        #expect(budget.setAsideBytes == 104_857 / 4096 * 4096)
    }

    @Test func segmentsAreLargeEnoughForTheSnapshotThatIsAllowed() throws {
        for limit in [2 << 20, 9 << 20, 15 << 20, 32 << 20] {
            let asked = Self.configuration(2 << 30) { $0.snapshotLimitBytes = limit }
            #expect(try SpaceBudget(asked, blockBytes: 4096).segmentBytes == UInt32(max(16 << 20, 2 * limit)))
        }
    }

    @Test func roundingUpGoesToTheNextMultiple() {
        #expect([0, 1, 511, 512, 513].map { SpaceBudget.roundUp($0, to: 512) } == [0, 512, 512, 512, 1024])
        #expect(SpaceBudget.roundUp(UInt64(4097), to: 4096) == 8192)
        // Somebody's sparse file.
        #expect(SpaceBudget.roundUp(UInt64(Int64.max), to: 4096) == 1 << 63)
    }
}
