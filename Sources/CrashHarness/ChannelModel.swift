package import DurableChannel

/// What the clients of a channel have asked for and been told, kept outside of it: what must be found after a crash.
///
/// An event is known by its tag, which stands in its header: the number of its put, and its place in it.
package struct ChannelModel: Sendable {
    package enum Answer: Sendable {
        case none, done, refused, unknown
        /// Acknowledged, under a weaker durability, before a power cut.
        case acknowledged
    }

    package struct Setting: Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package struct Put: Sendable {
        package var count: Int
        package var bytes: Int
        package var bookmarks: [Setting] = []
        package var stamp: ProducerStamp?
        /// Everything acknowledged before its commit began ended here: its own sequences are not lower.
        package var floor: UInt64
        /// From its receipt, or from what a taker was given.
        package var base: UInt64?
        package var answer = Answer.none
        package var begun = 0
        /// When its answer came.
        package var ended = 0
        /// Ended with `outcomeUnknown` at some time.
        package var wasUnknown = false
        /// Its commit had begun when a life ended, and the opening that followed decided that it did not count.
        var wasCutOff = false
        /// The answer before it was committed again.
        private(set) var answerBefore = Answer.none

        package init(count: Int, bytes: Int, floor: UInt64) {
            self.count = count
            self.bytes = bytes
            self.floor = floor
        }

        fileprivate mutating func begin(at version: Int) {
            answerBefore = answer
            answer = .none
            begun = version
        }

        fileprivate mutating func cutOff() {
            if answer != .refused { wasCutOff = true }
            answer = .refused
        }
    }

    package struct Take: Sendable {
        package var events: [UInt64]
        package var dead: Set<UInt64> = []
        package var bookmark: Setting?
        /// Its commit has begun; before that its events are in flight and no more.
        package var isCommitting = false
        package var answer = Answer.none
        package var begun = 0
        /// When its answer came.
        package var ended = 0
        /// Its commit was in doubt, and what followed decided that it did not count.
        fileprivate(set) var wasCutOff = false

        package var taken: [UInt64] { events.filter { !dead.contains($0) } }

        fileprivate mutating func cutOff() {
            if isCommitting, answer != .refused { wasCutOff = true }
            answer = .refused
        }
    }

    /// Who set a bookmark, in the order in which the commits began.
    package enum Setter: Sendable { case put(Int), take(Int), alone(value: String, Answer, ended: Int) }

    package var puts: [Put] = []
    package var takes: [Take] = []
    package var setters: [String: [Setter]] = [:]
    /// Given to a taker at any time. Sequences.
    package var handedOut: Set<UInt64> = []
    /// Events are known by tag and sequence once they are durable.
    package var tags: [UInt64: Int] = [:]
    /// One more than the highest sequence that was given to a taker.
    package var handedOutEnd: UInt64 = 1
    /// How many events the takes that are being gathered may have claimed.
    package var gathering: UInt64 = 0
    /// No lease goes further.
    package var leaseBound: UInt64 = 1
    /// The oldest may have been dropped to make room.
    package var dropsOldest = false
    /// Changes with each change of anything above.
    package private(set) var version = 0
    /// An opening did not get all of the log: it may have skipped numbers.
    private var hasSkipped = false
    /// When it was last compared with what was found.
    private var settledAt = 0
    /// When the channel was last opened with nobody to see what was there: what was in doubt before was decided by that.
    private var openedUnseenAt = 0
    /// Puts that an opening cuts off which has not ended yet: what stands on the disk may still be judged otherwise, when it is damaged.
    private(set) var beingCutOff: Set<Int> = []
    /// Under a weaker durability: what was answered since then may have been acknowledged before it was durable. nil under
    /// `commit`.
    private var weakSince: Int?

    package init() {}

    package static let tagStride = 1000

    package mutating func changed() { version += 1 }

    // MARK: Weaker durability

    /// From now on commits are acknowledged before they are durable.
    package mutating func weaken() { weakSince = weakSince ?? version }

    /// Everything that was answered before is durable.
    package mutating func synchronized(at version: Int) { weakSince = weakSince.map { max($0, version) } }

    /// What clients may still count on when the power goes, or when a write has failed: what was acknowledged under a weaker
    /// durability is no more than begun. What was handed out was synced before (DESIGN.md, 9), and all that stands before it.
    package func afterPowerCut() -> ChannelModel {
        guard let weakSince else { return self }
        var model = self
        for index in puts.indices where puts[index].answer == .done && puts[index].ended >= weakSince {
            if puts[index].base! >= handedOutEnd { model.puts[index].answer = .acknowledged }
        }
        for index in takes.indices where takes[index].answer == .done && takes[index].ended >= weakSince {
            model.takes[index].answer = .none
        }
        for (name, all) in setters {
            model.setters[name] = all.map { setter in
                guard case .alone(let value, .done, let ended) = setter, ended >= weakSince else { return setter }
                return .alone(value: value, .none, ended: ended)
            }
        }
        return model
    }

    // MARK: What clients do

    /// The end of what is acknowledged.
    package var acknowledgedEnd: UInt64 {
        puts.reduce(1) { max($0, $1.answer == .done ? ($1.base ?? 0) + UInt64($1.count) : 1) }
    }

    package mutating func beginPut(_ put: Put) -> Int {
        puts.append(put)
        puts[puts.count - 1].begun = version
        for bookmark in put.bookmarks { setters[bookmark.name, default: []].append(.put(puts.count - 1)) }
        changed()
        return puts.count - 1
    }

    /// For fewer events than were meant there was room.
    package mutating func shorten(_ index: Int, to count: Int) {
        puts[index].count = count
        changed()
    }

    package mutating func endPut(_ index: Int, _ answer: Answer) {
        // What is refused the second time may have been done the first time.
        let isOpen = answer == .refused && puts[index].answerBefore == .unknown
        puts[index].answer = isOpen ? .unknown : answer
        puts[index].ended = version
        if answer == .unknown { puts[index].wasUnknown = true }
        if answer == .done { cutUnknown(before: puts[index].begun) }
        changed()
    }

    /// A commit that began after another had ended with `outcomeUnknown` was acknowledged: it stands in an epoch that cuts the
    /// other off, so that is known now.
    private mutating func cutUnknown(before version: Int) {
        let since = min(openedUnseenAt, version)..<version
        for index in puts.indices where puts[index].answer == .unknown {
            if since.contains(puts[index].ended) { puts[index].answer = .refused }
        }
        for index in takes.indices where takes[index].answer == .unknown {
            if since.contains(takes[index].ended) { takes[index].cutOff() }
        }
    }

    /// An unknown one is committed again.
    package mutating func beginAgain(_ index: Int) {
        puts[index].begin(at: version)
        puts[index].floor = acknowledgedEnd
        // An opening in between may have settled its bookmarks on what was there.
        for bookmark in puts[index].bookmarks { setters[bookmark.name, default: []].append(.put(index)) }
        changed()
    }

    /// Where a put's events stand is known. Returns what is wrong with that.
    package mutating func place(_ index: Int, at base: UInt64) -> String? {
        if let known = puts[index].base, known != base { return "put \(index) was at \(known) and is at \(base)" }
        guard base >= puts[index].floor else {
            return "put \(index) is at \(base), and \(puts[index].floor - 1) was acknowledged before it began"
        }
        puts[index].base = base
        for place in 0..<puts[index].count {
            let sequence = base + UInt64(place)
            let tag = index * Self.tagStride + place
            if let other = tags[sequence], other != tag { return "\(sequence) was event \(other) and is event \(tag)" }
            tags[sequence] = tag
        }
        changed()
        return nil
    }

    /// A taker asks for events; `leaseStep` more may be leased.
    package mutating func beginGathering(_ most: Int, leaseStep: UInt64) {
        gathering += UInt64(most)
        raiseLease(by: leaseStep)
        changed()
    }

    private mutating func raiseLease(by step: UInt64) {
        // What is dropped moves the place where takers are, and that is as far as there are events.
        let end = dropsOldest ? max(handedOutEnd, acknowledgedEnd) + 100 : handedOutEnd
        leaseBound = max(leaseBound, end + gathering + step)
    }

    /// A taker is going to be given everything up to a sequence.
    package mutating func lease(through last: UInt64, step: UInt64) {
        leaseBound = max(leaseBound, last + 1 + step)
        changed()
    }

    package mutating func endGathering(_ most: Int, _ events: [UInt64], leaseStep: UInt64) -> Int {
        gathering -= UInt64(most)
        handedOut.formUnion(events)
        handedOutEnd = max(handedOutEnd, (events.last ?? 0) + 1)
        raiseLease(by: leaseStep)
        takes.append(Take(events: events))
        changed()
        return takes.count - 1
    }

    /// What was found was given to a taker, who has not answered.
    package mutating func deliver(_ found: [Found], leaseStep: UInt64) {
        handedOut.formUnion(found.map(\.sequence))
        handedOutEnd = max(handedOutEnd, (found.last?.sequence ?? 0) + 1)
        raiseLease(by: leaseStep)
        changed()
    }

    /// An event as a taker got it.
    package struct Given: Equatable, Sendable {
        package var sequence: UInt64
        /// nil when it is none that was put.
        package var tag: Int?
        package var isMarked: Bool

        package init(sequence: UInt64, tag: Int?, isMarked: Bool) {
            self.sequence = sequence
            self.tag = tag
            self.isMarked = isMarked
        }
    }

    /// What is wrong with what a taker was given, in view of what was said before.
    ///
    /// - Parameter bound: what was there before this life, and stands in front of it, may carry the mark without having been
    ///   handed out.
    package mutating func objections(to given: Given, markedBefore bound: UInt64) -> [String] {
        var objections: [String] = []
        let sequence = given.sequence
        if let tag = given.tag {
            let (index, place) = tag.quotientAndRemainder(dividingBy: Self.tagStride)
            if index >= puts.count || place >= puts[index].count || puts[index].answer == .refused {
                objections.append("\(sequence) is event \(tag), which was never put")
            } else if sequence <= place {
                objections.append("\(sequence) is no sequence for event \(tag)")
            } else if let objection = self.place(index, at: sequence - UInt64(place)) {
                objections.append(objection)
            }
        }
        if handedOut.contains(sequence), !given.isMarked { objections.append("\(sequence) comes again without mark") }
        if !handedOut.contains(sequence), sequence >= bound, given.isMarked {
            objections.append("\(sequence) comes for the first time, with the mark")
        }
        if takes.contains(where: { $0.answer == .done && $0.events.contains(sequence) }) {
            objections.append("\(sequence) was taken and is handed out again")
        }
        return objections
    }

    /// What was acknowledged, and no taker has or may have taken. Nothing where that can be dropped, or may be hidden.
    package func surelyHeld() -> Set<UInt64> {
        if dropsOldest || hasSkipped { return [] }
        var held: Set<UInt64> = []
        for put in puts where put.answer == .done { held.formUnion(put.base!..<put.base! + UInt64(put.count)) }
        for take in takes where take.answer != .refused { held.subtract(take.events) }
        return held
    }

    package mutating func beginCommit(_ index: Int) {
        takes[index].isCommitting = true
        takes[index].begun = version
        if let bookmark = takes[index].bookmark { setters[bookmark.name, default: []].append(.take(index)) }
        changed()
    }

    package mutating func endCommit(_ index: Int, _ answer: Answer) {
        takes[index].answer = answer
        takes[index].ended = version
        if answer == .done { cutUnknown(before: takes[index].begun) }
        changed()
    }

    /// The channel is open again, and nobody looks at what is there: what was in doubt stays so until somebody does.
    ///
    /// - Parameter end: its next sequence.
    package mutating func openedUnseen(before end: UInt64) {
        openedUnseenAt = version
        forgetLost(from: end)
        // What it decided against is free again, and may be dropped before anybody looks.
        for index in takes.indices where dropsOldest && takes[index].answer == .none { takes[index].answer = .unknown }
        changed()
    }

    /// Takes that were being gathered have no end (how far they may have leased is known), and those that were open are over.
    package mutating func processEnded() {
        gathering = 0
        for index in takes.indices where takes[index].answer == .none && !takes[index].isCommitting {
            takes[index].answer = .refused
        }
        changed()
    }

    /// A clean end: the lease is what was handed out, or may have been before this life began.
    package mutating func closed(markedBefore bound: UInt64) {
        leaseBound = max(bound, dropsOldest ? acknowledgedEnd : handedOutEnd)
        changed()
    }

    /// What clients have been told, in one line.
    package var words: String {
        let puts = puts.enumerated().map { index, put in
            "\(index) (\(put.base.map { "\($0)..<\($0 + UInt64(put.count))" } ?? "\(put.count) events")) \(put.answer)"
        }
        let takes = takes.filter { !$0.events.isEmpty && $0.answer != .refused }.map { take in
            "\(take.events) \(take.isCommitting ? "\(take.answer)" : "open")"
        }
        return "puts \(puts.joined(separator: ", ")); takes \(takes.joined(separator: ", ")); handed out before "
            + "\(handedOutEnd), leased before \(leaseBound)"
    }

    /// An opening did not get all records of what was taken and set, as after damage to them: what they said may hold or not from
    /// here on, with the mark.
    package mutating func doubtPointers() {
        hasSkipped = true
        for index in takes.indices where takes[index].answer == .done {
            takes[index].answer = .unknown
            // No later commit says that it did not count.
            takes[index].ended = .max
        }
        for (name, all) in setters {
            setters[name] = all.map { setter in
                switch setter {
                case .put(let index):
                    .alone(value: puts[index].bookmarks.first { $0.name == name }!.value, .none, ended: 0)
                case .take(let index): .alone(value: takes[index].bookmark!.value, .none, ended: 0)
                case .alone(let value, _, _): .alone(value: value, .none, ended: 0)
                }
            }
        }
        changed()
    }

    // MARK: What must be found

    /// An event as it was found.
    package struct Found: Equatable, Sendable, CustomStringConvertible {
        package var sequence: UInt64
        package var tag: Int
        package var isMarked: Bool

        package init(sequence: UInt64, tag: Int, isMarked: Bool) {
            self.sequence = sequence
            self.tag = tag
            self.isMarked = isMarked
        }

        package var description: String { "\(sequence)=\(tag)" + (isMarked ? "*" : "") }
    }

    /// What a channel counts, as far as it survives a crash.
    package struct Counts: Equatable, Sendable {
        package var put: UInt64 = 0
        package var held: UInt64 = 0
        package var taken: UInt64 = 0
        package var deadLetters: UInt64 = 0
        package var overflow: UInt64 = 0
        package var lost: UInt64 = 0
        package var unreadable: UInt64 = 0

        package init(_ metrics: ChannelMetrics) {
            put = metrics.putEvents
            held = metrics.heldEvents
            taken = metrics.takenEvents
            deadLetters = metrics.droppedByReason[.deadLetter] ?? 0
            overflow = metrics.overflow
            lost = metrics.lostEvents
            unreadable = metrics.unreadableEvents
        }

        package init() {}

        fileprivate init(put: Int, held: Int, taken: Int, deadLetters: Int, overflow: Int) {
            self.put = UInt64(put)
            self.held = UInt64(held)
            self.taken = UInt64(taken)
            self.deadLetters = UInt64(deadLetters)
            self.overflow = UInt64(overflow)
        }
    }

    /// Events as they were found. Throws `damaged` when one of them was never put, or is not as it was put.
    func identify(_ events: some Sequence<TakenEvent>) throws(ChannelError) -> [Found] {
        var found: [Found] = []
        for event in events {
            let (tag, objection) = tagOf(event, self)
            if let objection { throw ChannelError(.damaged, objection) }
            found.append(Found(sequence: event.sequence.rawValue, tag: tag!, isMarked: event.isRedelivered))
        }
        return found
    }

    /// The fate of a sequence as far as clients know.
    private enum Fate { case held, taken, dead, perhaps }

    private func fates() -> [UInt64: Fate] {
        var fates: [UInt64: Fate] = [:]
        for take in takes where take.isCommitting && take.answer != .refused {
            for sequence in take.events {
                switch take.answer {
                case .done: fates[sequence] = take.dead.contains(sequence) ? .dead : .taken
                default: if fates[sequence] == nil { fates[sequence] = .perhaps }
                }
            }
        }
        return fates
    }

    /// What it cut off stays off from here on.
    package mutating func openingEnded() { beingCutOff = [] }

    /// Why what was found is not what was promised; nil when it is. What had no answer has one afterwards: the model is
    /// settled on what was found.
    package mutating func settle(
        on found: [Found], bookmarks: (String) -> [UInt8]?, _ counts: Counts
    ) -> String? {
        let before = Set(puts.indices.filter { puts[$0].wasCutOff })
        defer { beingCutOff.formUnion(puts.indices.filter { puts[$0].wasCutOff && !before.contains($0) }) }
        var plain = self
        let objection = plain.settle(on: found, bookmarks: bookmarks, counts, newestFirst: true)
        let unknown = takes.indices.filter { takes[$0].answer == .unknown }
        if objection != nil, !unknown.isEmpty {
            // What ended with `outcomeUnknown` was given to another, who has no answer either: it was the one or the other.
            var ways = [self]
            // Or it was dropped later.
            for index in dropsOldest ? unknown.prefix(6) : [] {
                ways += ways.map { way in
                    var way = way
                    way.takes[index].cutOff()
                    return way
                }
            }
            // The first of them was tried.
            for (way, newestFirst) in ways.flatMap({ [($0, true), ($0, false)] }).dropFirst() {
                var way = way
                if way.settle(on: found, bookmarks: bookmarks, counts, newestFirst: newestFirst) == nil {
                    self = way
                    return nil
                }
            }
        }
        self = plain
        return objection
    }

    private mutating func settle(
        on found: [Found], bookmarks: (String) -> [UInt8]?, _ counted: Counts, newestFirst: Bool
    ) -> String? {
        for (one, next) in zip(found, found.dropFirst()) where next.sequence <= one.sequence {
            return "\(next) comes after \(one)"
        }
        forgetLost(from: counted.put + 1)
        // Where every event is that is there.
        for event in found {
            let (index, place) = event.tag.quotientAndRemainder(dividingBy: Self.tagStride)
            guard index < puts.count, place < puts[index].count, puts[index].answer != .refused else {
                return "\(event) was never put"
            }
            guard event.sequence > place else { return "\(event) is no sequence for it" }
            if let objection = self.place(index, at: event.sequence - UInt64(place)) { return objection }
        }
        if dropsOldest { placeDropped(before: counted.put + 1, bookmarks) }
        let there = Set(found.map(\.sequence))
        var taken = 0
        var dead = 0
        var dropped = 0
        var fates = fates()
        if let objection = settlePuts(there, &fates) { return objection }
        if let objection = settleTakes(there, &fates, newestFirst) { return objection }
        for put in puts where put.answer == .done {
            for sequence in put.base!..<put.base! + UInt64(put.count) where !there.contains(sequence) {
                switch fates[sequence] ?? .held {
                case .taken: taken += 1
                case .dead: dead += 1
                case .held, .perhaps: dropped += 1
                }
            }
        }
        for event in found {
            if handedOut.contains(event.sequence), !event.isMarked { return "\(event) was handed out and has no mark" }
            if event.sequence >= leaseBound, event.isMarked {
                return "\(event) has the mark, and no lease can reach beyond \(leaseBound)"
            }
        }
        if let objection = settleBookmarks(bookmarks) { return objection }
        for index in takes.indices where takes[index].answer == .none || takes[index].answer == .unknown {
            takes[index].cutOff()
        }
        let put = puts.reduce(0) { $0 + ($1.answer == .done ? $1.count : 0) }
        let expected = Counts(put: put, held: found.count, taken: taken, deadLetters: dead, overflow: dropped)
        // The opening that found it has made it durable.
        synchronized(at: version)
        settledAt = version
        // Numbers that were skipped for what might have stood there count as put and lost.
        var counted = counted
        if hasSkipped, counted.put - min(counted.put, counted.lost) == expected.put {
            counted.put = expected.put
            counted.lost = 0
        }
        if expected != counted { return "counted are \(counted), and there are \(expected)" }
        changed()
        return nil
    }

    /// Of what a weaker durability had acknowledged, what stands behind the end of the log is gone, and its numbers are given
    /// again. What stands before it is judged as if it had been durable.
    private mutating func forgetLost(from end: UInt64) {
        for index in puts.indices where puts[index].answer == .acknowledged {
            guard puts[index].base! >= end else {
                puts[index].answer = .done
                continue
            }
            for place in 0..<UInt64(puts[index].count) { tags[puts[index].base! + place] = nil }
            puts[index].base = nil
            puts[index].cutOff()
        }
    }

    /// Puts that have no answer may be durable, and all of their events dropped since: then their numbers are those that no other
    /// put has.
    private mutating func placeDropped(before end: UInt64, _ bookmarks: (String) -> [UInt8]?) {
        let placed = puts.compactMap { put in put.base.map { $0..<$0 + UInt64(put.count) } }
        var next: UInt64 = 1
        for range in placed.sorted(by: { $0.lowerBound < $1.lowerBound }) + [end..<end] {
            if next < range.lowerBound {
                let open = puts.indices
                    .filter { puts[$0].base == nil && [.none, .unknown].contains(puts[$0].answer) }
                    .map { ($0, trace(of: puts[$0], bookmarks)) }
                    .sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map(\.0)
                for index in filling(next..<range.lowerBound, with: open) ?? [] {
                    puts[index].base = next
                    next += UInt64(puts[index].count)
                }
            }
            next = max(next, range.upperBound)
        }
    }

    /// Whether what a put set is there: 1, or not: -1. 0 when it set nothing.
    private func trace(of put: Put, _ bookmarks: (String) -> [UInt8]?) -> Int {
        if put.bookmarks.isEmpty { return 0 }
        return put.bookmarks.contains { bookmarks($0.name).map { String(decoding: $0, as: UTF8.self) } == $0.value }
            ? 1 : -1
    }

    /// The first of `open` that have just these numbers, one behind the other.
    private func filling(_ gap: Range<UInt64>, with open: [Int]) -> [Int]? {
        if gap.isEmpty { return [] }
        guard open.reduce(0, { $0 + puts[$1].count }) >= gap.count else { return nil }
        for (place, index) in open.enumerated() {
            let put = puts[index]
            guard put.count <= gap.count, put.floor <= gap.lowerBound else { continue }
            var others = open
            others.remove(at: place)
            if let rest = filling(gap.dropFirst(put.count), with: others) { return [index] + rest }
        }
        return nil
    }

    /// Each put whole or absent, and what was acknowledged present unless it was taken.
    private mutating func settlePuts(_ there: Set<UInt64>, _ fates: inout [UInt64: Fate]) -> String? {
        for (index, put) in puts.enumerated() {
            guard let base = put.base else {
                // Nothing of it was ever seen.
                if put.answer == .done { return "put \(index) has no place" }
                puts[index].cutOff()
                continue
            }
            for sequence in base..<base + UInt64(put.count) {
                let fate = fates[sequence] ?? .held
                let isThere = there.contains(sequence)
                if fate == .taken || fate == .dead, isThere { return "event \(sequence) was taken and is there again" }
                if fate == .held, !isThere, !dropsOldest { return "event \(sequence) of put \(index) is gone" }
            }
            puts[index].answer = .done
        }
        return nil
    }

    /// Each take whole or not: its dead letters behind the rest.
    private mutating func settleTakes(
        _ there: Set<UInt64>, _ fates: inout [UInt64: Fate], _ newestFirst: Bool
    ) -> String? {
        // What two takes without an answer were given, one after the other, tells of neither.
        let unanswered = takes.filter { $0.isCommitting && ($0.answer == .none || $0.answer == .unknown) }
        let claims = Dictionary(unanswered.flatMap { $0.events.map { ($0, 1) } }, uniquingKeysWith: +)
        for index in newestFirst ? Array(takes.indices.reversed()) : Array(takes.indices) {
            let take = takes[index]
            guard take.answer == .none || take.answer == .unknown else { continue }
            guard take.isCommitting else {
                takes[index].answer = .refused
                continue
            }
            // Nothing but its bookmark can tell.
            if take.events.isEmpty { continue }
            // Of a take that counts nothing is there; what is gone of one that does not was dropped later.
            // (So is what a put whose outcome is unknown has dropped, though a taker has it since.)
            let isInDoubt = take.answer == .unknown || puts.contains { $0.wasUnknown && $0.ended >= settledAt }
            let mayBeDropped = dropsOldest && isInDoubt
            if mayBeDropped, take.taken.contains(where: there.contains) {
                takes[index].cutOff()
                continue
            }
            let open = take.events.filter { fates[$0] == .perhaps && claims[$0] == 1 }
            let rest = open.filter { !take.dead.contains($0) }
            let letters = open.filter { take.dead.contains($0) }
            let gone = rest.count { !there.contains($0) }
            let goneLetters = letters.count { !there.contains($0) }
            // While its commit was under way nobody could drop them.
            if take.answer == .none {
                if gone != 0, gone != rest.count { return "of take \(index) \(gone) of \(rest.count) events are gone" }
                if goneLetters != 0, goneLetters != letters.count {
                    return "of take \(index) \(goneLetters) of \(letters.count) dead letters are gone"
                }
                if goneLetters != 0, gone != rest.count { return "take \(index) is there for its dead letters only" }
            }
            let mine = take.events.filter { fates[$0] == .perhaps && !there.contains($0) }
            // A bookmark stands before the dead letters: it may be there without them.
            if take.taken.isEmpty, mine.isEmpty { continue }
            for sequence in mine { fates[sequence] = take.dead.contains(sequence) ? .dead : .taken }
            guard !mine.isEmpty else {
                takes[index].cutOff()
                continue
            }
            takes[index].answer = .done
            takes[index].events = mine
            takes[index].dead.formIntersection(mine)
        }
        return nil
    }

    private mutating func settleBookmarks(_ value: (String) -> [UInt8]?) -> String? {
        for (name, all) in setters {
            let found = value(name).map { String(decoding: $0, as: UTF8.self) }
            var isExplained = false
            for setter in ordered(all).reversed() {
                let (wanted, isSure, isPossible) = standing(setter, name)
                if wanted == found, isPossible {
                    isExplained = true
                    break
                }
                if isSure { return "bookmark \(name) is \(found ?? "not there"), and \(wanted) was set durably" }
            }
            if !isExplained, found != nil { return "bookmark \(name) is \(found!), which is not possible" }
            // From now on it is what was found.
            setters[name] = found.map { [.alone(value: $0, .done, ended: 0)] }
        }
        return nil
    }

    /// Of several clients that set one bookmark the later in the log counts.
    private func ordered(_ setters: [Setter]) -> [Setter] {
        let placed = setters.enumerated().compactMap { position, setter -> UInt64? in
            switch setter {
            case .put(let index): puts[index].base ?? .max
            // What was found when this life began.
            case .alone: position == 0 ? 0 : nil
            case .take: nil
            }
        }
        guard placed.count == setters.count else { return setters }
        return zip(placed, setters).sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// What it set, whether that is durable, and whether it may be.
    private func standing(_ setter: Setter, _ name: String) -> (String, Bool, Bool) {
        switch setter {
        case .put(let index):
            let put = puts[index]
            return (put.bookmarks.first { $0.name == name }!.value, put.answer == .done, put.answer == .done)
        case .take(let index):
            let take = takes[index]
            let isSure = take.answer == .done
            // Nothing but its bookmark can tell.
            return (take.bookmark!.value, isSure, isSure || (take.taken.isEmpty && take.answer != .refused))
        case .alone(let value, let answer, _):
            return (value, answer == .done, answer != .refused)
        }
    }
}
