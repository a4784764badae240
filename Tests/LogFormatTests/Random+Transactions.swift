@testable import LogFormat

extension Random {
    /// An event of any shape: often small, sometimes with many headers, keys in several scripts, extensions, no body.
    mutating func event() -> Event {
        let headers = index(below: 8) == 0 ? index(below: 100) : index(below: 4)
        return Event(
            headers: (0..<headers).map { EventHeader(key: name($0), value: bytes(index(below: 20))) },
            extensions: index(below: 3) == 0 ? extensions() : [],
            body: bytes(index(below: 4) == 0 ? 0 : index(below: 300)))
    }

    /// A transaction for a put frame, sometimes with bookmarks and a producer.
    mutating func put() -> Transaction {
        let hasProducer = index(below: 2) == 0
        return Transaction(
            id: next(), producer: hasProducer ? ProducerID(high: 1, low: next() | 1) : .none,
            producerSequence: hasProducer ? next() : 0, bookmarks: bookmarks(below: 4),
            events: events(1 + index(below: 6)))
    }

    /// Some have the headers of the one before them.
    private mutating func events(_ count: Int) -> [Event] {
        var events: [Event] = []
        for _ in 0..<count {
            var event = event()
            if let last = events.last, index(below: 3) == 0 { event.headers = last.headers }
            events.append(event)
        }
        return events
    }

    mutating func bookmarks(below limit: Int) -> [Bookmark] {
        (0..<index(below: limit)).map { Bookmark(name: name($0), value: bytes(index(below: 40))) }
    }

    /// A name that no other number has.
    private mutating func name(_ number: Int) -> String {
        [
            "k\(number)", "\(number)", "content-type-\(number)", "schlüssel-\(number)", "鍵\(number)", "\(number)🔑",
            String(repeating: "n", count: 200) + "\(number)",
        ][index(below: 7)]
    }

    private mutating func extensions() -> [EventExtension] {
        let all: [EventExtension] = [
            .eventTime(next()), .expiry(next()), .priority(7), .traceID(high: next(), low: next()),
            .unknown(tag: 5, bytes: bytes(index(below: 30))), .unknown(tag: 65_535, bytes: []),
        ]
        return all.filter { _ in index(below: 2) == 0 }
    }
}
