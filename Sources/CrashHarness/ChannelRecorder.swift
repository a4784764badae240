package import DurableChannel
internal import FileIO
package import LogFormat
package import SimulatedFileIO

/// Runs clients on a channel, each a thread of its own in an order that the seed decides, and notes the disk and the model
/// before each storage operation.
package final class ChannelRecorder: ScriptStage, @unchecked Sendable {
    package struct Moment {
        package var disk: SimulatedDisk
        package var model: ChannelModel
        /// What comes next.
        package var operation: String
        var traits = MomentTraits()
        var isRetiring = false

        package init(disk: SimulatedDisk, model: ChannelModel, operation: String) {
            self.disk = disk
            self.model = model
            self.operation = operation
        }

        /// What clients may count on when the life is cut off here.
        func model(after cut: CrashScript.Cut) -> ChannelModel {
            cut.isKill && !traits.hasFailed ? model : model.afterPowerCut()
        }
    }

    package static let path = "/var/channel"

    package let world: SimulatedProcess
    package let runtime: ClientRuntime
    package let configuration: ChannelConfiguration
    package var model: ChannelModel
    package private(set) var moments: [Moment] = []
    package private(set) var channel: FileChannel!
    /// What was wrong already while it ran.
    package private(set) var objections: [String] = []
    private var putNumbers: [Int: UInt64] = [:]
    /// What a take of this life may find marked though it was never given to a client.
    private var markedBefore: UInt64 = 1
    private let firstStamp: UInt64

    package init(
        _ disk: SimulatedDisk, seed: UInt64, configuration: ChannelConfiguration, model: ChannelModel = ChannelModel(),
        noting: Bool = true
    ) {
        let capacity = configuration.capacityBytes!
        world = SimulatedProcess(disk, seed: seed)
        runtime = ClientRuntime(seed: seed, world.runtime)
        self.configuration = configuration
        self.model = model
        self.model.dropsOldest = configuration.whenFull == .dropOldest
        if configuration.durability != .commit { self.model.weaken() }
        firstStamp = model.puts.compactMap { $0.stamp?.sequence }.max() ?? 0
        guard noting else { return }
        disk.beforeOperation = { [unowned self, unowned disk] operation in
            note(disk, before: operation)
            let taken = disk.allocatedBytes()
            if !mayBeSmaller, taken > capacity { objections.append("\(taken) bytes on disk before \(operation)") }
        }
    }

    deinit { world.disk.beforeOperation = nil }

    /// The capacity was changed, or the disk lies: what is taken is not compared.
    var mayBeSmaller = false
    private var traits = MomentTraits()
    private var isOpening = false
    /// Of the last checkpoint that was written, since which nothing was retired.
    private var checkpointMoment: Int?
    private static let longestRetirement = 16
    private static let longestLife = 4_000

    private func note(_ disk: SimulatedDisk, before operation: SimulatedDisk.OperationRecord) {
        // Nothing that a script asks for takes so many: somebody tries the same again, for ever.
        precondition(
            moments.count < Self.longestLife,
            "a life does not come to its end; its last operations: \(moments.suffix(12).map(\.operation))")
        traits.look(at: disk, isOpening: isOpening)
        var moment = Moment(disk: disk.clone(), model: model, operation: operation.description)
        moment.traits = traits
        moments.append(moment)
        noteRetirement(operation)
    }

    /// The moment behind the last operation.
    func noteEnd() {
        traits.look(at: world.disk, isOpening: false)
        var moment = Moment(disk: world.disk.clone(), model: model, operation: "the end")
        moment.traits = traits
        moments.append(moment)
    }

    /// A retirement writes a checkpoint, takes names away, and syncs the directory.
    private func noteRetirement(_ operation: SimulatedDisk.OperationRecord) {
        let last = moments.count - 1
        switch operation.operation {
        case .write where operation.path.hasSuffix("/checkpoint"): checkpointMoment = last
        case .rename, .unlink:
            guard let first = checkpointMoment, operation.path.contains(".seg"), last - first <= Self.longestRetirement
            else { return }
            for index in first...last { moments[index].isRetiring = true }
        case .synchronizeDirectory:
            if moments.dropLast().last?.isRetiring == true { moments[last].isRetiring = true }
        default: break
        }
    }

    package func object(_ objection: String?) {
        if let objection { objections.append(objection) }
    }

    package func open() throws {
        markedBefore = model.leaseBound
        isOpening = true
        defer { isOpening = false }
        channel = try FileChannel.open(
            at: Self.path, configuration: configuration, fileSystem: world.fileSystem, runtime: runtime)
    }

    /// Looks at what the opening has found, which decides what was in doubt.
    func settle() throws {
        model.lease(through: channel.metrics.putEvents, step: configuration.leaseStep)
        let take = try channel.beginTake(maxEvents: ChannelSweep.everything, maxBytes: .max)
        let found = try model.identify(take.events)
        take.rollback()
        object(model.settle(on: found, bookmarks: channel.bookmark, .init(channel.metrics)))
        model.deliver(found, leaseStep: configuration.leaseStep)
    }

    package private(set) var mostGroupsInFlight = 0

    package func close() throws {
        try closeChannel()
        endModel()
        checkBalance()
    }

    package func closeChannel() throws(ChannelError) {
        mostGroupsInFlight = max(mostGroupsInFlight, channel.metrics.mostGroupsInFlight)
        let begun = model.version
        try channel.close()
        model.synchronized(at: begun)
    }

    /// The channel was closed cleanly.
    package func endModel() { model.closed(markedBefore: markedBefore) }

    /// Runs clients side by side; each gets its number.
    package func run(_ clients: [@Sendable (ChannelRecorder, Int) -> Void]) {
        runtime.run(clients.enumerated().map { number, client in { [unowned self] in client(self, number) } })
        checkBalance()
    }

    package func settleDown() { world.runtime.runUntilIdle() }

    package func checkBalance() {
        if !channel.isBalanced { object("not balanced: \(channel.metrics)") }
    }

    // MARK: Puts

    /// One transaction, with a bookmark of the client's own (and one that several set), and a producer's stamp. False when it
    /// was not acknowledged.
    @discardableResult
    package func put(
        _ client: Int, _ count: Int = 3, bytes: Int = 300, bookmark: Bool = true, shared: Bool = false,
        stamped: Bool = true
    ) -> Bool {
        let number = (putNumbers[client] ?? firstStamp) + 1
        var put = ChannelModel.Put(count: count, bytes: bytes, floor: model.acknowledgedEnd)
        if stamped {
            putNumbers[client] = number
            put.stamp = ProducerStamp(id: .client(client), sequence: number)
        }
        let value = "put \(model.puts.count) of \(client)"
        if bookmark { put.bookmarks.append(.init(name: BookmarkName.source(client), value: value)) }
        if shared { put.bookmarks.append(.init(name: BookmarkName.shared, value: value)) }
        return commit(put)
    }

    private func commit(_ put: ChannelModel.Put) -> Bool {
        // The events are tagged with the number that the put is going to have; when they had to wait for room, and others
        // began theirs meanwhile, once more.
        while true {
            let index = model.puts.count
            do throws(ChannelError) {
                let transaction = try begin(put, index)
                // With `dropNewest` there may be fewer than were meant.
                var put = put
                put.count = transaction.eventCount
                guard index == model.puts.count, put.count > 0 else {
                    transaction.rollback()
                    if put.count == 0 { return false }
                    continue
                }
                _ = model.beginPut(put)
                return end(index, transaction)
            } catch {
                noteError(error)
                return false
            }
        }
    }

    private func begin(_ put: ChannelModel.Put, _ index: Int) throws(ChannelError) -> PutTransaction {
        var transaction = try channel.beginPut(producer: put.stamp)
        var place = 0
        for _ in 0..<put.count {
            let event = event(index * ChannelModel.tagStride + place, bytes: put.bytes)
            if try transaction.append(event) == .accepted { place += 1 }
        }
        for bookmark in put.bookmarks { try transaction.setBookmark(bookmark.name, Array(bookmark.value.utf8)) }
        return transaction
    }

    private func end(_ index: Int, _ transaction: consuming PutTransaction) -> Bool {
        do throws(ChannelError) {
            let receipt = try transaction.commit()
            object(model.place(index, at: receipt.sequences.lowerBound))
            if receipt.isRepeat || receipt.sequences.count != model.puts[index].count {
                object("put \(index) got \(receipt)")
            }
            model.endPut(index, .done)
            return true
        } catch {
            model.endPut(index, error.code == .outcomeUnknown ? .unknown : .refused)
            noteError(error)
            return false
        }
    }

    /// Commits again what ended with `outcomeUnknown`: it was cut off by the epoch that followed, so it is no repeat.
    package func retryUnknown(_ client: Int) {
        guard let index = model.puts.lastIndex(where: { $0.stamp?.id == .client(client) }) else { return }
        while model.puts[index].wasUnknown, model.puts[index].answer != .done {
            do throws(ChannelError) {
                let transaction = try begin(model.puts[index], index)
                // With `dropNewest` there may be no room for it now.
                guard transaction.eventCount == model.puts[index].count else { return }
                model.beginAgain(index)
                _ = end(index, transaction)
            } catch { return noteError(error) }
        }
    }

    /// Commits a producer's last transaction once more, as if the answer had been lost.
    package func repeatLast(_ client: Int) {
        guard
            let index = model.puts.lastIndex(where: { $0.stamp?.id == .client(client) }),
            model.puts[index].answer == .done, model.puts[index].stamp?.sequence == putNumbers[client] ?? firstStamp
        else { return }
        do throws(ChannelError) {
            let receipt = try begin(model.puts[index], index).commit()
            let base = model.puts[index].base!
            if !receipt.isRepeat || receipt.sequences != base..<base + UInt64(model.puts[index].count) {
                object("put \(index), repeated, got \(receipt)")
            }
        } catch { noteError(error) }
    }

    /// A bookmark without events.
    package func bookmark(_ client: Int) {
        let name = BookmarkName.alone(client)
        let place = model.setters[name]?.count ?? 0
        let value = "\(place) of \(client) at \(model.version)"
        model.setters[name, default: []].append(.alone(value: value, .none, ended: 0))
        model.changed()
        var answer = ChannelModel.Answer.done
        do throws(ChannelError) { try channel.setBookmark(name, Array(value.utf8)) } catch {
            answer = error.code == .outcomeUnknown ? .unknown : .refused
            noteError(error)
        }
        model.setters[name]![place] = .alone(value: value, answer, ended: model.version)
        model.changed()
    }

    // MARK: Takes

    /// A take that is open, with its number in the model.
    package final class Open: @unchecked Sendable {
        fileprivate var transaction: TakeTransaction?
        package fileprivate(set) var number = 0
        package fileprivate(set) var events: [UInt64] = []
        package var isEmpty: Bool { events.isEmpty }

        fileprivate init() {}
    }

    package func take(_ most: Int, waitingUpTo wait: Duration = .zero) -> Open {
        let open = Open()
        model.beginGathering(most, leaseStep: configuration.leaseStep)
        do throws(ChannelError) {
            let transaction = try channel.beginTake(maxEvents: most, waitingUpTo: wait)
            check(transaction.events)
            open.events = transaction.events.map(\.sequence.rawValue)
            open.transaction = consume transaction
        } catch { noteError(error) }
        open.number = model.endGathering(most, open.events, leaseStep: configuration.leaseStep)
        return open
    }

    private func check(_ events: TakenEvents) {
        var last: UInt64 = 0
        // Takers pass by what is being dropped; when that fails, it may be marked as far as the lease goes.
        let leaseReaches = model.dropsOldest && errorCount > 0
        for event in events {
            let sequence = event.sequence.rawValue
            if sequence <= last { object("\(sequence) is handed out behind \(last)") }
            last = sequence
            let (tag, objection) = tagOf(event, model)
            object(objection)
            let given = ChannelModel.Given(sequence: sequence, tag: tag, isMarked: event.isRedelivered)
            model.objections(to: given, markedBefore: leaseReaches ? .max : markedBefore).forEach(object)
            for take in model.takes where take.answer == .none && take.events.contains(sequence) {
                object("\(sequence) is handed out to two takers")
            }
        }
    }

    /// False when it was not acknowledged.
    @discardableResult
    package func commit(_ take: Open, deadLetters: Int = 0, bookmark client: Int? = nil) -> Bool {
        guard var transaction = take.transaction.take() else { return false }
        do throws(ChannelError) {
            for sequence in take.events.prefix(deadLetters) {
                try transaction.deadLetter(EventSequence(sequence))
                model.takes[take.number].dead.insert(sequence)
            }
            if let client {
                let value = "take \(take.number)"
                let name = BookmarkName.sink(client)
                try transaction.setBookmark(name, Array(value.utf8))
                model.takes[take.number].bookmark = .init(name: name, value: value)
            }
            model.beginCommit(take.number)
            try transaction.commit()
            model.endCommit(take.number, .done)
            return true
        } catch {
            model.endCommit(take.number, error.code == .outcomeUnknown ? .unknown : .refused)
            noteError(error)
            return false
        }
    }

    package func rollback(_ take: Open) {
        guard let transaction = take.transaction.take() else { return }
        // From here on others may have them.
        model.endCommit(take.number, .refused)
        transaction.rollback()
    }

    /// After the channel was closed.
    package func commitClosed(_ take: Open) {
        guard let transaction = take.transaction.take() else { return }
        model.endCommit(take.number, .refused)
        do throws(ChannelError) {
            try transaction.commit()
            object("take \(take.number) was committed after the end")
        } catch {
            if error.code != .closed { object("take \(take.number), committed after the end: \(error)") }
        }
    }

    package func synchronize() {
        let begun = model.version
        do throws(ChannelError) {
            try channel.synchronize()
            model.synchronized(at: begun)
        } catch { noteError(error) }
    }

    package func checkpoint() {
        do throws(ChannelError) { try channel.checkpoint() } catch {
            if !expectedCheckpointErrors.contains(error.code) { noteError(error) }
        }
    }

    // MARK: Everything else

    package func resize(bytes: UInt64) {
        mayBeSmaller = true
        do throws(ChannelError) { try channel.resize(capacityBytes: bytes) } catch { noteError(error) }
    }

    package func resize(events: UInt64?) {
        do throws(ChannelError) { try channel.resize(capacityEvents: events) } catch { noteError(error) }
    }

    /// Another process on this disk opens the channel, and then this one does again: both must be refused (rows 30, 31).
    package func intrude() {
        for other in [SimulatedFileSystem(disk: world.disk, runtime: world.runtime), world.fileSystem] {
            do throws(ChannelError) {
                _ = try FileChannel.open(
                    at: Self.path, configuration: configuration, fileSystem: other, runtime: runtime)
                object("the channel was opened a second time")
            } catch {
                let isFailure = [.fileOperation, .readOnly, .full, .notAChannel].contains(error.code)
                let isExpected = error.code == .inUse || isFailure && expectedErrors.contains(.fileOperation)
                if !isExpected { object("who opened the channel a second time got \(error)") }
            }
        }
    }

    package func eventCount(_ take: Open) -> Int { take.events.count }
    package func jumpWallClock(milliseconds: Int) {
        world.runtime.jumpWallClock(by: Int64(milliseconds) * 1_000_000)
    }
    package func yield() { runtime.yield() }
    package func sleep(milliseconds: Int) { runtime.sleep(UInt64(milliseconds) * 1_000_000) }

    /// Errors that the workload did not ask for.
    package var expectedErrors: Set<ChannelError.Code> = []
    /// Of checkpoints alone.
    package var expectedCheckpointErrors: Set<ChannelError.Code> = []
    package private(set) var errors: [ChannelError.Code: Int] = [:]

    package private(set) var lastError: ChannelError?
    package var errorCount: Int { errors.values.reduce(0, +) }

    private func noteError(_ error: ChannelError) {
        lastError = error
        errors[error.code, default: 0] += 1
        if !expectedErrors.contains(error.code) { object("\(error)") }
    }
}

extension ProducerID {
    package static func client(_ number: Int) -> ProducerID { ProducerID(high: 0xC11E, low: UInt64(number + 1)) }
}
