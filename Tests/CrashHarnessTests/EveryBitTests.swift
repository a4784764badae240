import CrashHarness
import DurableChannel
import SimulatedFileIO
import Synchronization
import TestSupport
import Testing

/// Every promise about a small log of which something was changed: a thin sample of what `walcrash bits` goes through, with logs
/// from a simulated disk instead of real processes. And the judge, on what it must object to.
@Suite struct EveryBitTests {
    /// A log whose process closed it, left it alone, or was killed.
    private static func make(_ end: EveryBitLog.End) throws -> EveryBitLog {
        let lines = Mutex<[String]>([])
        let say = { @Sendable (line: EveryBitPromises.Line) in lines.withLock { $0.append(line.text) } }
        let first = SimulatedProcess(seed: 1)
        try EveryBitWriter(
            path: EveryBitPlace.path, fileSystem: first.fileSystem, runtime: first.runtime, say: say
        ).firstLife()
        let second = first.afterKill(seed: 2)
        var survivor: SimulatedDisk?
        try EveryBitWriter(
            path: EveryBitPlace.path, fileSystem: second.fileSystem, runtime: second.runtime, say: say
        ).secondLife { (channel) throws(ChannelError) in
            switch end {
            case .closed:
                try channel.close()
                say(.closed)
            case .idle: second.runtime.runUntilIdle(horizon: 1_000_000_000)
            case .killed: break
            }
            survivor = second.disk.killed(keeping: .everything)
        }
        let disk = try #require(survivor)
        var files: [String: [UInt8]] = [:]
        for name in disk.names(in: EveryBitPlace.path) ?? [] {
            files[name] = disk.contents(of: EveryBitPlace.path + "/" + name)
        }
        let promises = try #require(EveryBitPromises(lines: lines.withLock { $0 }))
        return try EveryBitLog(end, files: files, promises: promises)
    }

    @Test(arguments: EveryBitLog.End.allCases)
    func whateverIsChangedInOnePlaceCostsNoMoreThanThatPlace(_ end: EveryBitLog.End) throws {
        var sweep = EveryBitSweep(try Self.make(end))
        sweep.every = TestDepth.pick(sample: 40_009, part: 10_007, whole: 1_009)
        sweep.everyFile = TestDepth.pick(sample: 29, part: 11, whole: 1)
        let result = sweep.run()
        #expect(result.failureCount == 0, "\(result.failures)")
        for kind in [.untouched, .flipped, .cut] as [EveryBitVariant.Kind] {
            let row = try #require(result.rows[kind])
            #expect(row.variants > 0 && row.opened + row.unread == row.variants, "\(kind): \(row)")
        }
        // A sample in which nothing was lost would show nothing.
        #expect(result.rows.values.contains { $0.lost > 0 })
    }

    /// The variants of `walcrash bits` are known by these numbers and names.
    @Test func aVariantIsFoundByItsNumberAndByItsName() throws {
        let log = try Self.make(.closed)
        let sweep = EveryBitSweep(log)
        #expect(sweep.count > log.bytes * 9)
        for number in stride(from: 0, to: sweep.count, by: 5_003) {
            let variant = sweep[number]
            #expect(EveryBitVariant(variant.description) == variant && variant.fits(log.files), "\(variant)")
        }
        #expect(sweep[sweep.count - 1].kind == .flipped && EveryBitVariant("pid:flipped") == nil)
        #expect(EveryBitVariant("pid:cut:9")!.fits(["pid": [1, 2]]) == false)
    }

    // MARK: What the judge must object to

    private static func removals(_ log: EveryBitLog) -> [EveryBitVariant] {
        EveryBitSweep.wholeFiles(log).filter { $0.kind == .removed }
    }

    /// More was changed than it knows of.
    @Test func moreDamageThanWasDoneIsNotExcused() throws {
        let log = try Self.make(.closed)
        let costly = try #require(Self.removals(log).first { EveryBitTrial.run(log, $0).lost > 0 })
        let told = EveryBitVariant("pid", .removed)
        #expect(EveryBitTrial.run(log, told).objection == nil)
        let outcome = EveryBitTrial.run(log, told) { () throws(EveryBitObjection) in log.ground(after: costly) }
        #expect(outcome.objection != nil)
    }

    /// A refusal that is not where one may be, and one that has written something.
    @Test func anErrorThatIsNotDueIsNotExcusedAndStrictMustNotWrite() throws {
        let log = try Self.make(.closed)
        let segment = try #require(log.files.keys.filter { $0.hasSuffix(".seg") }.min())
        let fifo = EveryBitVariant(segment, .fifo)
        #expect(EveryBitTrial.run(log, fifo).objection == nil)
        let told = EveryBitVariant(segment, .untouched)
        #expect(
            EveryBitTrial.run(log, told) { () throws(EveryBitObjection) in log.ground(after: fifo) }.objection != nil)

        let refused = Self.removals(log).filter { EveryBitTrial.run(log, $0).isRefusedStrictly }
        let objections = refused.compactMap { removed in
            EveryBitTrial.run(log, removed) { () throws(EveryBitObjection) in Restless(log.ground(after: removed)) }
                .objection
        }
        #expect(objections.contains { $0.contains("not untouched") }, "\(refused), \(objections)")
    }

    /// Never the same twice.
    private final class Restless: EveryBitGround {
        private let inner: EveryBitPlace
        private var looks: UInt64 = 0

        init(_ inner: EveryBitPlace) { self.inner = inner }

        func process() -> EveryBitProcess { inner.process() }
        func outside() -> [UInt64] { inner.outside() }
        func restore(_ name: String, _ bytes: [UInt8]) { inner.restore(name, bytes) }
        func names() -> [String] { inner.names() }
        func allocatedBytes() -> UInt64 { inner.allocatedBytes() }

        func fingerprint() -> [UInt64] {
            looks += 1
            return [looks]
        }
    }

    /// What was promised and is not there, or is there and was never put.
    @Test func aLogThatDoesNotHoldWhatWasPromisedIsNone() throws {
        let log = try Self.make(.killed)
        let lines = log.promises.lines
        func objection(_ lines: [String]) throws -> String? {
            let promises = try #require(EveryBitPromises(lines: lines))
            do { _ = try EveryBitLog(.killed, files: log.files, promises: promises) } catch { return "\(error)" }
            return nil
        }
        #expect(try objection(lines) == nil)
        // One more was acknowledged than is there; a body was longer; a put that nobody has made.
        #expect(try objection(lines + ["putting 99 2 20", "put 99 1000"]) != nil)
        let other = lines.map { $0.hasPrefix("putting 30 ") ? $0 + "1" : $0 }
        #expect(other != lines)
        #expect(try objection(other) != nil)
        let without = lines.filter { !$0.hasPrefix("putting 30 ") && !$0.hasPrefix("put 30 ") }
        #expect(try objection(without) != nil)
        #expect(EveryBitPromises(lines: ["put 1 1"]) == nil)
    }
}
