import FileIO
import Glibc
import LogFormat
import SegmentedLog
import SimulatedFileIO
import Testing

/// Rows 25 and 26: no room, and no descriptors or memory, at each operation in turn.
@Suite struct ResourceErrorTests {
    /// A workload that opens, rolls, checkpoints and retires, and what became of each put.
    private struct Run {
        var world = World()
        var log: Log?
        var kept: [Int] = []
        var codes: [LogError.Code: Int] = [:]
        var openingFailed = false
        var failures: [LogError] = []

        /// - Parameter arm: sets the fault; nil when the run is to be without.
        mutating func perform(_ arm: (World) -> Void) throws {
            arm(world)
            if let error = open() {
                openingFailed = true
                failures.append(error)
                if let again = open() {
                    failures.append(again)
                    return
                }
            }
            for index in 0..<40 {
                put(index)
                if index % 3 == 0 { takeNote(index) }
                if index == 25 {
                    do throws(LogError) { try log!.checkpoint() } catch { failures.append(error) }
                }
                if index == 32 {
                    do throws(LogError) { try log!.retire([log!.segments[0].number]) } catch { failures.append(error) }
                }
                world.runtime.advance(by: 200_000_000)
            }
            world.runtime.runUntilIdle()
        }

        private mutating func open() -> LogError? {
            do throws(LogError) {
                log = try world.open()
                return nil
            } catch {
                return error
            }
        }

        private mutating func put(_ tag: Int) {
            if let error = appendError(log!, tag) {
                codes[error.code, default: 0] += 1
                failures.append(error)
            } else {
                kept.append(tag)
            }
        }

        private mutating func takeNote(_ tag: Int) {
            do throws(LogError) {
                guard let frame = try? note(tag) else { return }
                _ = try log!.append([frame])
            } catch {
                codes[error.code, default: 0] += 1
                failures.append(error)
                if error.code != .outcomeUnknown { Issue.record("a record without events was refused: \(error)") }
            }
        }

        /// What is left of the puts after the first segment was let go, at the most.
        func check(_ story: Comment) throws {
            guard let log else { return }
            let now = try log.readings()
            #expect(now == texts(kept.suffix(now.count)), story)
            #expect(now.count >= kept.count - 14, story)
            let (report, readings) = try expectConvergence(world.afterPowerCut())
            #expect(report.losses.isEmpty && report.unreadable.isEmpty, story)
            #expect(readings == texts(kept.suffix(readings.count)), story)
            #expect(readings.count >= kept.count - 14, story)
        }
    }

    /// Row 25: once at each operation that takes room.
    @Test(
        arguments: [SimulatedOperation.create, .prewrite, .write, .submit, .rename, .synchronize],
        [ENOSPC, EDQUOT, EFBIG])
    func noRoomOnceAtAnyOperationIsATypedErrorAndNothingIsLost(_ operation: SimulatedOperation, _ errno: Int32) throws {
        var met = 0
        for skipping in 0..<200 {
            var run = Run()
            try run.perform { $0.disk.faults.add(Fault(operation, errno: errno, skipping: skipping)) }
            guard run.world.disk.faults.strikes > 0 else { break }
            met += 1
            let story: Comment = "\(operation) \(skipping): \(run.codes), \(run.failures)"
            let allowed: Set<LogError.Code> = [.full, .fileOperation, .outcomeUnknown]
            #expect(allowed.isSuperset(of: run.failures.map(\.code)), story)
            #expect(run.failures.allSatisfy { $0.fileError == nil || $0.fileError?.errno == errno }, story)
            #expect(run.kept.count >= 38, story)
            #expect(run.log?.readOnlyError == nil, story)
            try run.check(story)
        }
        #expect(met >= 2, "the workload meets the fault")
    }

    /// Row 25: a full disk that stays full, from each operation on, and then has room again.
    @Test(arguments: [SimulatedOperation.create, .prewrite, .rename])
    func noRoomForLongRefusesPutsTakesNotesAndEndsByItself(_ operation: SimulatedOperation) throws {
        for skipping in stride(from: 0, to: 40, by: 3) {
            let world = World()
            let log = try world.open()
            world.disk.faults.add(Fault(operation, errno: ENOSPC, skipping: skipping, count: Fault.forever))
            var kept: [Int] = []
            for index in 0..<60 {
                if let error = appendError(log, index) {
                    #expect(error.code == .full, "\(operation) \(skipping): \(error)")
                    if operation != .rename { #expect(error.fileError?.errno == ENOSPC) }
                } else {
                    kept.append(index)
                }
                // The reserve needs no new file, only its new name.
                if operation != .rename { _ = try log.append([note(index)]) }
                world.runtime.advance(by: 200_000)
            }
            #expect(try log.readings() == texts(kept))
            world.disk.faults.removeAll()
            world.runtime.advance(by: 1_000_000_000)
            for index in 60..<64 {
                _ = try log.append([put(index, bytes: 400)])
                kept.append(index)
            }
            let (report, readings) = try expectConvergence(world.afterPowerCut())
            #expect(report.losses.isEmpty)
            #expect(readings == texts(kept), "\(operation) \(skipping)")
        }
    }

    /// Row 25: the disk itself is full, with other people's files.
    @Test func aFullDiskRefusesPutsAndTakesNotesInConstantSpace() throws {
        let world = World()
        let log = try world.open()
        for index in 0..<20 { _ = try log.append([put(index, bytes: 400)]) }
        world.runtime.runUntilIdle()
        world.disk.options.capacityBytes = world.disk.allocatedBytes()
        var kept = Array(0..<20)
        var refused = 0
        for index in 20..<60 {
            if let error = appendError(log, index) {
                #expect(error.code == .full)
                refused += 1
            } else {
                kept.append(index)
            }
            world.runtime.advance(by: 1_000_000)
        }
        #expect(refused > 0)
        for index in 0..<200 { _ = try log.append([note(index, bytes: 400)]) }
        #expect(try log.readings() == texts(kept))
        let reopened = world.afterPowerCut()
        #expect(try reopened.open().readings() == texts(kept))
        world.disk.options.capacityBytes = nil
        world.runtime.advance(by: 1_000_000_000)
        _ = try log.append([put(60)])
        let (report, readings) = try expectConvergence(world.afterPowerCut())
        #expect(report.losses.isEmpty)
        #expect(readings == texts(kept + [60]))
    }

    /// Row 26: once at each operation, those that only look included.
    @Test(
        arguments: [
            SimulatedOperation.open, .create, .list, .status, .openDirectory, .lock, .volume, .rename, .unlink,
        ], [EMFILE, ENFILE, ENOMEM])
    func noDescriptorOrMemoryOnceIsATypedErrorAndNothingIsLost(_ operation: SimulatedOperation, _ errno: Int32) throws {
        for skipping in 0..<200 {
            var run = Run()
            try run.perform { $0.disk.faults.add(Fault(operation, errno: errno, skipping: skipping)) }
            guard run.world.disk.faults.strikes > 0 else { break }
            let story: Comment = "\(operation) \(skipping): \(run.codes), \(run.failures)"
            #expect(run.failures.allSatisfy { $0.fileError?.reason == .outOfResources }, story)
            #expect(run.codes.keys.allSatisfy { $0 == .fileOperation }, story)
            #expect(run.kept.count >= 38, story)
            try run.check(story)
        }
    }

    /// Row 26: an open that fails for want of descriptors changes nothing, and works when there are some.
    @Test(arguments: [SimulatedOperation.open, .create, .list, .status, .read])
    func anOpeningWithoutResourcesLosesNothing(_ operation: SimulatedOperation) throws {
        let whole = try World.killed()
        for skipping in 0..<60 {
            let world = whole.copy()
            world.disk.faults.add(Fault(operation, errno: ENOMEM, skipping: skipping, count: 3))
            let error = openingError(world)
            guard world.disk.faults.strikes > 0 else { break }
            let story: Comment = "\(operation) \(skipping): \(String(describing: error))"
            if let error { #expect(error.fileError?.reason == .outOfResources, story) }
            world.disk.faults.removeAll()
            let next = error == nil ? world.afterPowerCut() : world
            let log = try next.open()
            #expect(log.recoveryReport.losses.isEmpty, story)
            #expect(try log.readings() == texts(0...59), story)
        }
    }
}
