internal import CrashHarness
internal import DurableChannel
internal import FileIO
internal import LogFormat

/// The steps of a script, carried out on a channel of this process by threads that truly run at once. Says everything before it
/// does it, and what came of it; judges nothing.
final class LifeStage: ScriptStage, @unchecked Sendable {
    /// A take that is open.
    final class Open {
        fileprivate var transaction: TakeTransaction?
        fileprivate(set) var number = 0
        fileprivate(set) var events: [EventSequence] = []
    }

    private let channel: FileChannel
    private let runtime: LifeRuntime
    private let reporter: LifeReporter
    /// Opens the channel a second time, which must be refused.
    private let openAgain: @Sendable () throws(ChannelError) -> Void
    private let life: Int
    // Changed by the reporter's order of lines.
    private var nextPut: Int
    private var nextTake = 0

    private let lock = Lock()
    /// Of each client, under `lock`.
    private var lastStamped: [Int: Stamped] = [:]
    private var settings = 0

    private struct Stamped {
        var number: Int
        var count: Int
        var bytes: Int
        var bookmark: Bool
        var shared: Bool
        var answer: LifeMessage.Answer
        var base: UInt64 = 0
    }

    init(
        _ channel: FileChannel, _ runtime: LifeRuntime, _ reporter: LifeReporter, life: Int, firstPut: Int,
        openAgain: @escaping @Sendable () throws(ChannelError) -> Void
    ) {
        self.channel = channel
        self.runtime = runtime
        self.reporter = reporter
        self.life = life
        self.openAgain = openAgain
        nextPut = firstPut
    }

    private func fail(_ error: ChannelError) {
        reporter.report(.failed(code: error.code.rawValue, error.description))
    }

    private func answer(to error: ChannelError) -> LifeMessage.Answer {
        error.code == .outcomeUnknown ? .unknown : .refused
    }

    // MARK: Puts

    func put(_ client: Int, _ count: Int, bytes: Int, bookmark: Bool, shared: Bool, stamped: Bool) -> Bool {
        var number = 0
        reporter.report {
            number = nextPut
            nextPut += 1
            return .put(
                number, client: client, count: count, bytes: bytes, bookmark: bookmark, shared: shared,
                stamped: stamped)
        }
        var put = Stamped(
            number: number, count: count, bytes: bytes, bookmark: bookmark, shared: shared, answer: .refused)
        commit(&put, client, isStamped: stamped)
        if stamped { lock.withLock { lastStamped[client] = put } }
        return put.answer == .done
    }

    /// - Parameter isRetry: it has so many events as it had.
    private func commit(_ put: inout Stamped, _ client: Int, isStamped: Bool, isRetry: Bool = false) {
        var hasBegun = !isRetry
        do throws(ChannelError) {
            let transaction = try begin(put, client, isStamped: isStamped)
            let count = transaction.eventCount
            if isRetry {
                // With `dropNewest` there may be no room for it now.
                guard count == put.count else { return transaction.rollback() }
                hasBegun = true
                reporter.report(.again(put.number))
            } else {
                put.count = count
                guard count > 0 else {
                    transaction.rollback()
                    return reporter.report(.ended(put.number, .refused, base: 0))
                }
                reporter.report(.committing(put.number, count: count))
            }
            let receipt = try transaction.commit()
            put.answer = .done
            put.base = receipt.sequences.lowerBound
            reporter.report(.ended(put.number, .done, base: put.base))
            if receipt.isRepeat || receipt.sequences.count != count {
                reporter.report(.wrong("put \(put.number) of \(count) events got \(receipt)"))
            }
        } catch {
            fail(error)
            // What could not even begin again is as it was.
            guard hasBegun else { return }
            put.answer = answer(to: error)
            reporter.report(.ended(put.number, put.answer, base: 0))
        }
    }

    private func begin(_ put: Stamped, _ client: Int, isStamped: Bool) throws(ChannelError) -> PutTransaction {
        // A later put of a client has a higher number, in all lives.
        let stamp = isStamped ? ProducerStamp(id: .client(client), sequence: UInt64(put.number + 1)) : nil
        var transaction = try channel.beginPut(producer: stamp)
        var place = 0
        for _ in 0..<put.count {
            let tag = put.number * ChannelModel.tagStride + place
            if try transaction.append(event(tag, bytes: put.bytes)) == .accepted { place += 1 }
        }
        let value = Array(LifeMessage.value(ofPut: put.number, client).utf8)
        if put.bookmark { try transaction.setBookmark(BookmarkName.source(client), value) }
        if put.shared { try transaction.setBookmark(BookmarkName.shared, value) }
        return transaction
    }

    func retryUnknown(_ client: Int) {
        guard var put = lock.withLock({ lastStamped[client] }), put.answer == .unknown else { return }
        commit(&put, client, isStamped: true, isRetry: true)
        lock.withLock { lastStamped[client] = put }
    }

    func repeatLast(_ client: Int) {
        guard let put = lock.withLock({ lastStamped[client] }), put.answer == .done else { return }
        do throws(ChannelError) {
            let receipt = try begin(put, client, isStamped: true).commit()
            if !receipt.isRepeat || receipt.sequences != put.base..<put.base + UInt64(put.count) {
                reporter.report(.wrong("put \(put.number) at \(put.base), repeated, got \(receipt)"))
            }
        } catch { fail(error) }
    }

    func bookmark(_ client: Int) {
        let place = lock.withLock {
            settings += 1
            return settings
        }
        let value = "\(life).\(place) of \(client)"
        reporter.report(.setting(client: client, value: value))
        do throws(ChannelError) {
            try channel.setBookmark(BookmarkName.alone(client), Array(value.utf8))
            reporter.report(.set(client: client, .done))
        } catch {
            fail(error)
            reporter.report(.set(client: client, answer(to: error)))
        }
    }

    // MARK: Takes

    func take(_ most: Int, waitingUpTo wait: Duration) -> Open {
        let open = Open()
        reporter.report(.gathering(most: most))
        var seen: [SeenEvent] = []
        do throws(ChannelError) {
            let transaction = try channel.beginTake(maxEvents: most, waitingUpTo: wait)
            seen = transaction.events.map(SeenEvent.init)
            open.events = transaction.events.map(\.sequence)
            open.transaction = consume transaction
        } catch { fail(error) }
        reporter.report {
            open.number = nextTake
            nextTake += 1
            return .given(take: open.number, most: most, seen)
        }
        return open
    }

    func eventCount(_ take: Open) -> Int { take.events.count }

    func commit(_ take: Open, deadLetters: Int, bookmark client: Int?) -> Bool {
        guard var transaction = take.transaction.take() else { return false }
        do throws(ChannelError) {
            for sequence in take.events.prefix(deadLetters) { try transaction.deadLetter(sequence) }
            if let client {
                let value = Array(LifeMessage.value(ofTake: take.number, life: life).utf8)
                try transaction.setBookmark(BookmarkName.sink(client), value)
            }
        } catch {
            fail(error)
            // Before others may have them.
            reporter.report(.taken(take.number, .refused))
            transaction.rollback()
            return false
        }
        reporter.report(.taking(take.number, deadLetters: deadLetters, bookmark: client))
        do throws(ChannelError) {
            try transaction.commit()
            reporter.report(.taken(take.number, .done))
            return true
        } catch {
            fail(error)
            reporter.report(.taken(take.number, answer(to: error)))
            return false
        }
    }

    func rollback(_ take: Open) {
        guard let transaction = take.transaction.take() else { return }
        // From here on others may have them.
        reporter.report(.taken(take.number, .refused))
        transaction.rollback()
    }

    // MARK: Everything else

    func checkpoint() { passing { () throws(ChannelError) in try channel.checkpoint() } }
    func resize(events: UInt64?) { passing { () throws(ChannelError) in try channel.resize(capacityEvents: events) } }
    func resize(bytes: UInt64) { passing { () throws(ChannelError) in try channel.resize(capacityBytes: bytes) } }

    private func passing(_ body: () throws(ChannelError) -> Void) {
        do throws(ChannelError) { try body() } catch { fail(error) }
    }

    func synchronize() {
        reporter.report(.synchronizing)
        do throws(ChannelError) {
            try channel.synchronize()
            reporter.report(.synchronized)
        } catch { fail(error) }
    }

    func intrude() {
        do throws(ChannelError) {
            try openAgain()
            reporter.report(.wrong("this process opened the channel a second time"))
        } catch {
            if error.code != .inUse { fail(error) }
        }
    }

    func jumpWallClock(milliseconds: Int) { runtime.jumpWallClock(milliseconds: milliseconds) }
    func yield() { runtime.giveWay() }

    /// Where a script sleeps nothing happens that it waits for; a hundredth of the time is enough for what runs beside it.
    func sleep(milliseconds: Int) {
        _ = runtime.wait(for: WaitCell(), timeout: UInt64(milliseconds) * 10_000)
    }
}

extension SeenEvent {
    init(_ event: TakenEvent) {
        let body = Array(event.body)
        self.init(
            sequence: event.sequence.rawValue,
            tag: event.header("tag").flatMap { Int(String(decoding: $0, as: UTF8.self)) },
            isMarked: event.isRedelivered, bodyBytes: body.count, bodyChecksum: unsafe Checksum.crc32c(body.span.bytes))
    }
}
