import DurableChannel
import FileIO
import LogFormat
import SimulatedFileIO

/// Runs clients on a channel, each a thread of its own in an order that the seed decides, and notes the disk and the model
/// before each storage operation.
final class CrashRecorder: @unchecked Sendable {
    struct Moment {
        var disk: SimulatedDisk
        var model: CrashModel
        var operation: String
    }

    let world: World
    let runtime: SweepRuntime
    let configuration: ChannelConfiguration
    var model: CrashModel
    private(set) var moments: [Moment] = []
    private(set) var channel: FileChannel!
    /// What was wrong already while it ran.
    private(set) var objections: [String] = []
    private var putNumbers: [Int: UInt64] = [:]
    /// What a take of this life may find marked though it was never given to a client.
    private var markedBefore: UInt64 = 1
    private let firstStamp: UInt64

    init(
        _ disk: SimulatedDisk, seed: UInt64, configuration: ChannelConfiguration, model: CrashModel = CrashModel(),
        noting: Bool = true
    ) {
        let capacity = configuration.capacityBytes!
        world = World(disk, seed: seed)
        runtime = SweepRuntime(seed: seed, world.runtime)
        self.configuration = configuration
        self.model = model
        self.model.dropsOldest = configuration.whenFull == .dropOldest
        firstStamp = model.puts.compactMap { $0.stamp?.sequence }.max() ?? 0
        guard noting else { return }
        disk.beforeOperation = { [unowned self, unowned disk] operation in
            moments.append(Moment(disk: disk.clone(), model: self.model, operation: operation.description))
            let taken = disk.allocatedBytes()
            if taken > capacity { objections.append("\(taken) bytes on disk before \(operation)") }
        }
    }

    deinit { world.disk.beforeOperation = nil }

    func object(_ objection: String?) {
        if let objection { objections.append(objection) }
    }

    func open() throws {
        markedBefore = model.leaseBound
        channel = try FileChannel.open(
            at: World.path, configuration: configuration, fileSystem: world.system, runtime: runtime)
    }

    private(set) var mostGroupsInFlight = 0

    func close() throws {
        try closeChannel()
        endModel()
        checkBalance()
    }

    func closeChannel() throws(ChannelError) {
        mostGroupsInFlight = max(mostGroupsInFlight, channel.metrics.mostGroupsInFlight)
        try channel.close()
    }

    /// The channel was closed cleanly.
    func endModel() { model.closed(markedBefore: markedBefore) }

    /// Runs clients side by side; each gets its number.
    func run(_ clients: [@Sendable (CrashRecorder, Int) -> Void]) {
        runtime.run(clients.enumerated().map { number, client in { [unowned self] in client(self, number) } })
        checkBalance()
    }

    func settleDown() { world.runtime.runUntilIdle() }

    func checkBalance() {
        if !channel.isBalanced { object("not balanced: \(channel.metrics)") }
    }

    // MARK: Puts

    /// One transaction, with a bookmark of the client's own (and one that several set), and a producer's stamp. The answer's
    /// receipt, or nil when it was not acknowledged.
    @discardableResult
    func put(
        _ client: Int, _ count: Int = 3, bytes: Int = 300, bookmark: Bool = true, shared: Bool = false,
        stamped: Bool = true
    ) -> PutReceipt? {
        let number = (putNumbers[client] ?? firstStamp) + 1
        var put = CrashModel.Put(count: count, bytes: bytes, floor: model.acknowledgedEnd)
        if stamped {
            putNumbers[client] = number
            put.stamp = ProducerStamp(id: .client(client), sequence: number)
        }
        let value = "put \(model.puts.count) of \(client)"
        if bookmark { put.bookmarks.append(.init(name: "source-\(client)", value: value)) }
        if shared { put.bookmarks.append(.init(name: "shared", value: value)) }
        return commit(put)
    }

    private func commit(_ put: CrashModel.Put) -> PutReceipt? {
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
                    if put.count == 0 { return nil }
                    continue
                }
                _ = model.beginPut(put)
                return end(index, transaction)
            } catch {
                noteError(error)
                return nil
            }
        }
    }

    private func begin(_ put: CrashModel.Put, _ index: Int) throws(ChannelError) -> PutTransaction {
        var transaction = try channel.beginPut(producer: put.stamp)
        var place = 0
        for _ in 0..<put.count {
            let event = event(index * CrashModel.tagStride + place, bytes: put.bytes)
            if try transaction.append(event) == .accepted { place += 1 }
        }
        for bookmark in put.bookmarks { try transaction.setBookmark(bookmark.name, Array(bookmark.value.utf8)) }
        return transaction
    }

    private func end(_ index: Int, _ transaction: consuming PutTransaction) -> PutReceipt? {
        do throws(ChannelError) {
            let receipt = try transaction.commit()
            object(model.place(index, at: receipt.sequences.lowerBound))
            if receipt.isRepeat || receipt.sequences.count != model.puts[index].count {
                object("put \(index) got \(receipt)")
            }
            model.endPut(index, .done)
            return receipt
        } catch {
            model.endPut(index, error.code == .outcomeUnknown ? .unknown : .refused)
            noteError(error)
            return nil
        }
    }

    /// Commits again what ended with `outcomeUnknown`: it was cut off by the epoch that followed, so it is no repeat.
    func retryUnknown(_ client: Int) {
        guard let index = model.puts.lastIndex(where: { $0.stamp?.id == .client(client) }) else { return }
        while model.puts[index].unknownSince != nil, model.puts[index].answer != .done {
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
    func repeatLast(_ client: Int) {
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
    func bookmark(_ client: Int) {
        let name = "alone-\(client)"
        let place = model.setters[name]?.count ?? 0
        let value = "\(place) of \(client) at \(model.version)"
        model.setters[name, default: []].append(.alone(value: value, .none))
        model.changed()
        var answer = CrashModel.Answer.done
        do throws(ChannelError) { try channel.setBookmark(name, Array(value.utf8)) } catch {
            answer = error.code == .outcomeUnknown ? .unknown : .refused
            noteError(error)
        }
        model.setters[name]![place] = .alone(value: value, answer)
        model.changed()
    }

    // MARK: Takes

    /// A take that is open, with its number in the model.
    final class Open: @unchecked Sendable {
        fileprivate var transaction: TakeTransaction?
        fileprivate(set) var number = 0
        fileprivate(set) var events: [UInt64] = []
        var isEmpty: Bool { events.isEmpty }

        fileprivate init() {}
    }

    func take(_ most: Int, waitingUpTo wait: Duration = .zero) -> Open {
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
        for event in events {
            let sequence = event.sequence.rawValue
            if sequence <= last { object("\(sequence) is handed out behind \(last)") }
            last = sequence
            let (tag, objection) = tagOf(event, model)
            object(objection)
            if let tag {
                let (index, place) = tag.quotientAndRemainder(dividingBy: CrashModel.tagStride)
                object(model.place(index, at: sequence - UInt64(place)))
            }
            if model.handedOut.contains(sequence), !event.isRedelivered {
                object("\(sequence) comes again without mark")
            }
            if !model.handedOut.contains(sequence), sequence >= markedBefore, event.isRedelivered {
                object("\(sequence) comes for the first time, with the mark")
            }
            for take in model.takes where take.events.contains(sequence) {
                if take.answer == .done { object("\(sequence) was taken and is handed out again") }
                if take.answer == .none { object("\(sequence) is handed out to two takers") }
            }
        }
    }

    func commit(_ take: Open, deadLetters: Int = 0, bookmark client: Int? = nil) {
        guard var transaction = take.transaction.take() else { return }
        do throws(ChannelError) {
            for sequence in take.events.prefix(deadLetters) {
                try transaction.deadLetter(EventSequence(sequence))
                model.takes[take.number].dead.insert(sequence)
            }
            if let client {
                let value = "take \(take.number)"
                try transaction.setBookmark("sink-\(client)", Array(value.utf8))
                model.takes[take.number].bookmark = .init(name: "sink-\(client)", value: value)
            }
            model.beginCommit(take.number)
            try transaction.commit()
            model.endCommit(take.number, .done)
        } catch {
            model.endCommit(take.number, error.code == .outcomeUnknown ? .unknown : .refused)
            noteError(error)
        }
    }

    func rollback(_ take: Open) {
        guard let transaction = take.transaction.take() else { return }
        // From here on others may have them.
        model.endCommit(take.number, .refused)
        transaction.rollback()
    }

    /// After the channel was closed.
    func commitClosed(_ take: Open) {
        guard let transaction = take.transaction.take() else { return }
        model.endCommit(take.number, .refused)
        do throws(ChannelError) {
            try transaction.commit()
            object("take \(take.number) was committed after the end")
        } catch {
            if error.code != .closed { object("take \(take.number), committed after the end: \(error)") }
        }
    }

    func checkpoint() {
        do throws(ChannelError) { try channel.checkpoint() } catch { noteError(error) }
    }

    /// Errors that the workload did not ask for.
    var expectedErrors: Set<ChannelError.Code> = []
    private(set) var errors: [ChannelError.Code: Int] = [:]

    private(set) var lastError: ChannelError?
    var errorCount: Int { errors.values.reduce(0, +) }

    private func noteError(_ error: ChannelError) {
        lastError = error
        errors[error.code, default: 0] += 1
        if !expectedErrors.contains(error.code) { object("\(error)") }
    }
}

extension ProducerID {
    static func client(_ number: Int) -> ProducerID { ProducerID(high: 0xC11E, low: UInt64(number + 1)) }
}

/// The event of a tag: its body is made from the tag.
func event(_ tag: Int, bytes: Int) -> Event {
    Event(headers: ["tag": "\(tag)"], body: body(tag, bytes: bytes))
}

/// Every third is half as long; every second can be compressed.
func body(_ tag: Int, bytes: Int) -> [UInt8] {
    let count = tag % 3 == 2 ? bytes / 2 : bytes
    if tag % 2 == 0 { return [UInt8](repeating: UInt8(truncatingIfNeeded: tag &* 31), count: count) }
    var state = UInt64(tag) &* 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// The tag of an event, and what is wrong with it.
func tagOf(_ event: TakenEvent, _ model: CrashModel) -> (Int?, String?) {
    guard let header = event.header("tag"), let tag = Int(String(decoding: header, as: UTF8.self)) else {
        return (nil, "\(event.sequence) has no tag")
    }
    let index = tag / CrashModel.tagStride
    guard index < model.puts.count else { return (nil, "\(event.sequence) has the tag \(tag), which no put has") }
    guard event.body.elementsEqual(body(tag, bytes: model.puts[index].bytes)) else {
        return (tag, "\(event.sequence), event \(tag), has another body")
    }
    return (tag, nil)
}
