package import CrashHarness
internal import DurableChannel
internal import LogFormat

/// Reads what processes say about one channel, one life after the other, and holds it against what was promised: the model of
/// the simulated harness, fed from a pipe.
package struct Witness: Sendable {
    package private(set) var model = ChannelModel()
    /// What was wrong; empty as long as every promise was kept.
    package private(set) var objections: [String] = []
    /// Errors that clients got, by their code, over all lives.
    package private(set) var errors: [String: Int] = [:]
    package private(set) var lastError = ""

    /// How far the process of this life is.
    package enum Stage: Int, Comparable, Sendable {
        case started, begun, opened, looked, closing, closed

        package static func < (one: Stage, other: Stage) -> Bool { one.rawValue < other.rawValue }
    }

    package private(set) var stage = Stage.started
    package private(set) var operations: UInt64?

    /// In any life.
    private var wasOpened = false
    private let leaseStep: UInt64
    private let script: CrashScript
    private var channel: CrashScript.Channel { script.channel }
    // Of this life.
    private var number = 0
    private var isDisturbed = false
    private(set) var isBlind = false
    /// Of those that say more than that there is no room.
    package private(set) var errorsInThisLife = 0
    private var isOnlyFull = false
    /// One thread does everything in it.
    private var isAlone = false
    /// What is acknowledged when the take under way begins.
    private var acknowledged: Set<UInt64> = []
    private var markedBefore: UInt64 = 1
    private var found: [ChannelModel.Found] = []
    private var bookmarks: [String: [UInt8]] = [:]
    /// Its takes, by its own numbers, as the model counts them.
    private var takes: [Int: Int] = [:]
    private var settings: [Int: (place: Int, value: String)] = [:]
    /// When each of the syncs under way began.
    private var synchronizing: [Int] = []

    package init(_ script: CrashScript) {
        self.script = script
        leaseStep = script.channel.leaseStep
        model.dropsOldest = script.channel.whenFull == .dropOldest
        if script.channel.durability != .commit { model.weaken() }
    }

    package mutating func object(_ objection: String?) { if let objection { objections.append(objection) } }

    // MARK: Lives

    /// - Parameters:
    ///   - isDisturbed: operations may fail in it, and clients be told so.
    ///   - isBlind: it does not say what it finds (``Life/isBlind``): what was in doubt stays so until the next one.
    ///   - isOnlyFull: nothing fails in it but what takes more room: what is there can be taken.
    package mutating func begin(life: Int, isDisturbed: Bool, isBlind: Bool = false, isOnlyFull: Bool = false) {
        self.isBlind = isBlind
        self.isOnlyFull = isOnlyFull
        isAlone = script.lives.indices.contains(life) && script.lives[life].phases.allSatisfy { $0.clients.count == 1 }
        acknowledged = []
        number = life
        self.isDisturbed = isDisturbed
        stage = .started
        operations = nil
        errorsInThisLife = 0
        markedBefore = model.leaseBound
        found = []
        bookmarks = [:]
        takes = [:]
        settings = [:]
        synchronizing = []
    }

    /// - Parameter isPowerCut: what was never synced may be gone, and not only the process.
    package mutating func end(isPowerCut: Bool) {
        model.processEnded()
        if isPowerCut { model = model.afterPowerCut() }
    }

    private static let expected: Set<String> = ["full", "transactionTooLarge", "tooManyTakes", "configuration"]
    private static let expectedWhenDisturbed: Set<String> = ["outcomeUnknown", "readOnly", "fileOperation", "closed"]

    package mutating func read(_ message: LifeMessage) {
        switch message {
        case .begun: stage = .begun
        case .opened(let events):
            stage = isBlind ? .looked : .opened
            wasOpened = true
            if isBlind { model.openedUnseen(before: events + 1) }
            model.lease(through: events, step: leaseStep)
        case .withheld: model.doubtPointers()
        case .found(let events): for event in events { if let one = identified(event) { found.append(one) } }
        case .bookmark(let name, let value): bookmarks[name] = Array(value.utf8)
        case .looked(let counts): settle(counts)
        case .failed(let code, let text): fail(code, text)
        case .wrong(let text): objections.append(text)
        case .closing: stage = .closing
        case .closed:
            stage = .closed
            // After a failed write the end may not be written: nothing is lost by that, and the lease stays as it was.
            if !isDisturbed { model.closed(markedBefore: markedBefore) }
        case .operations(let count): operations = count
        default: readClients(message)
        }
    }

    private mutating func fail(_ code: String, _ text: String) {
        errors[code, default: 0] += 1
        if !Self.expected.contains(code) { errorsInThisLife += 1 }
        lastError = text
        let isExpected =
            Self.expected.contains(code)
            || isDisturbed && !(isOnlyFull && code == "readOnly")
                && (Self.expectedWhenDisturbed.contains(code) || code == "notAChannel" && !wasOpened)
        if !isExpected { objections.append("\(code): \(text)") }
    }

    private mutating func settle(_ counts: ChannelModel.Counts) {
        stage = .looked
        defer { model.deliver(found, leaseStep: leaseStep) }
        // What is in none of the puts cannot be held against any.
        guard objections.isEmpty else { return }
        // The file system was stopped while it looked: what it did not get, the next one finds.
        if isDisturbed, counts.held != found.count { return }
        let known = model.words
        let bookmarks = bookmarks
        if let objection = model.settle(on: found, bookmarks: { bookmarks[$0] }, counts) {
            objections.append("\(objection); found \(found); clients know of \(known)")
        }
        model.openingEnded()
    }

    /// With its tag, if it is what was put under that.
    private mutating func identified(_ event: SeenEvent) -> ChannelModel.Found? {
        tag(of: event).map { ChannelModel.Found(sequence: event.sequence, tag: $0, isMarked: event.isMarked) }
    }

    /// Everything was taken in the life before this one.
    package mutating func expectNothing() {
        if !found.isEmpty { objections.append("everything was taken, and there is \(found)") }
    }

    private mutating func tag(of event: SeenEvent) -> Int? {
        guard let tag = event.tag, tag >= 0, tag / ChannelModel.tagStride < model.puts.count else {
            objections.append("\(event.sequence) has the tag \(event.tag.map { "\($0)" } ?? "none"), which no put has")
            return nil
        }
        let body = body(tag, bytes: model.puts[tag / ChannelModel.tagStride].bytes)
        let checksum = unsafe Checksum.crc32c(body.span.bytes)
        guard event.bodyBytes == body.count, event.bodyChecksum == checksum else {
            objections.append("\(event.sequence), event \(tag), has another body")
            return nil
        }
        return tag
    }

    // MARK: Clients

    private mutating func readClients(_ message: LifeMessage) {
        switch message {
        case .put(let put, let client, let count, let bytes, let bookmark, let shared, let stamped):
            begin(put, client, count, bytes, bookmark, shared, isStamped: stamped)
        case .committing(let put, let count):
            if count != model.puts[put].count { model.shorten(put, to: count) }
        case .again(let put): model.beginAgain(put)
        case .ended(let put, let answer, let base):
            if answer == .done { object(model.place(put, at: base)) }
            model.endPut(put, answer.inModel)
        case .gathering(let most):
            model.beginGathering(most, leaseStep: leaseStep)
            if isAlone { acknowledged = model.surelyHeld() }
        case .given(let take, let most, let events): give(take, most, events)
        case .taking(let take, let letters, let client):
            guard let take = takes[take] else { return objections.append("there is no take \(take)") }
            model.takes[take].dead = Set(model.takes[take].events.prefix(letters))
            if let client {
                let ordinal = takes.first { $0.value == take }!.key
                model.takes[take].bookmark = ChannelModel.Setting(
                    name: BookmarkName.sink(client), value: LifeMessage.value(ofTake: ordinal, life: number))
            }
            model.beginCommit(take)
        case .taken(let take, let answer): end(take, answer)
        case .setting(let client, let value): set(client, value)
        case .set(let client, let answer): endSetting(client, answer)
        case .synchronizing: synchronizing.append(model.version)
        case .synchronized:
            // Whichever of several it was that has ended: what was there when the first began is durable.
            if let first = synchronizing.first { model.synchronized(at: first) }
            synchronizing.removeLast(min(1, synchronizing.count))
        default: break
        }
    }

    private mutating func begin(
        _ number: Int, _ client: Int, _ count: Int, _ bytes: Int, _ bookmark: Bool, _ shared: Bool, isStamped: Bool
    ) {
        guard number == model.puts.count else {
            return objections.append("put \(number) comes, and \(model.puts.count) is next")
        }
        var put = ChannelModel.Put(count: count, bytes: bytes, floor: model.acknowledgedEnd)
        let value = LifeMessage.value(ofPut: number, client)
        if isStamped { put.stamp = ProducerStamp(id: .client(client), sequence: UInt64(number + 1)) }
        if bookmark { put.bookmarks.append(.init(name: BookmarkName.source(client), value: value)) }
        if shared { put.bookmarks.append(.init(name: BookmarkName.shared, value: value)) }
        _ = model.beginPut(put)
    }

    private mutating func give(_ take: Int, _ most: Int, _ events: [SeenEvent]) {
        var last: UInt64 = 0
        // After a failure what was handed out and is given back may be marked as far as the lease goes.
        let bound = errorsInThisLife > 0 ? .max : markedBefore
        for event in events {
            if event.sequence <= last { objections.append("\(event.sequence) is handed out behind \(last)") }
            last = event.sequence
            let tag = tag(of: event)
            let given = ChannelModel.Given(sequence: event.sequence, tag: tag, isMarked: event.isMarked)
            objections += model.objections(to: given, markedBefore: bound)
            // A commit that fails has given its events back before anybody could say so.
            let holder = model.takes.first {
                $0.answer == .none && !$0.isCommitting && $0.events.contains(event.sequence)
            }
            if holder != nil { objections.append("\(event.sequence) is handed out to two takers") }
        }
        // The oldest first. What nobody has had since is not passed over.
        if isAlone, !isDisturbed, let passed = acknowledged.subtracting(events.map(\.sequence)).min(), passed < last {
            objections.append("\(passed) is passed over, and \(last) handed out")
        }
        takes[take] = model.endGathering(most, events.map(\.sequence), leaseStep: leaseStep)
    }

    private mutating func end(_ take: Int, _ answer: LifeMessage.Answer) {
        guard let number = takes[take] else { return objections.append("there is no take \(take)") }
        let isCommitting = model.takes[number].isCommitting
        model.endCommit(number, answer.inModel)
        if isOnlyFull, isCommitting, answer != .done {
            objections.append("take \(number) could not be committed, where only room was short: \(lastError)")
        }
        guard answer == .done else { return }
        let events = Set(model.takes[number].events)
        for later in model.takes[(number + 1)...] where later.events.contains(where: events.contains) {
            objections.append("of \(later.events) some were handed out while take \(number) committed them")
        }
    }

    private mutating func set(_ client: Int, _ value: String) {
        let name = BookmarkName.alone(client)
        settings[client] = (model.setters[name]?.count ?? 0, value)
        model.setters[name, default: []].append(.alone(value: value, .none, ended: 0))
        model.changed()
    }

    private mutating func endSetting(_ client: Int, _ answer: LifeMessage.Answer) {
        guard let (place, value) = settings[client] else { return objections.append("\(client) has set nothing") }
        model.setters[BookmarkName.alone(client)]![place] = .alone(
            value: value, answer.inModel, ended: model.version)
        model.changed()
    }
}

extension LifeMessage.Answer {
    fileprivate var inModel: ChannelModel.Answer {
        switch self {
        case .done: .done
        case .refused: .refused
        case .unknown: .unknown
        }
    }
}
