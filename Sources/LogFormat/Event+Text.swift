// Events whose values and bodies are text, written as literals: `Event(headers: ["host": "a"], body: "a line")`.

extension EventHeader {
    /// With the UTF-8 of `value`.
    public init(key: String, value: String) {
        self.init(key: key, value: [UInt8](value.utf8))
    }

    /// The value as text, or nil when it is not UTF-8. A copy.
    public var text: String? { String(validating: value, as: UTF8.self) }
}

extension Event {
    /// With the UTF-8 of the headers' values and of the body; the headers keep their order.
    public init(headers: KeyValuePairs<String, String> = [:], body: String) {
        self.init(headers: headers, body: [UInt8](body.utf8))
    }

    /// With the UTF-8 of the headers' values; the headers keep their order.
    public init(headers: KeyValuePairs<String, String>, body: [UInt8]) {
        self.init(headers: headers.map { EventHeader(key: $0.key, value: $0.value) }, body: body)
    }
}
