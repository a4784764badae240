internal import DurableChannel
package import LogFormat

/// The event of a tag: its body is made from the tag.
package func event(_ tag: Int, bytes: Int) -> Event {
    Event(headers: ["tag": "\(tag)"], body: body(tag, bytes: bytes))
}

/// Every third is half as long; every second can be compressed.
package func body(_ tag: Int, bytes: Int) -> [UInt8] {
    let count = tag % 3 == 2 ? bytes / 2 : bytes
    if tag % 2 == 0 { return [UInt8](repeating: UInt8(truncatingIfNeeded: tag &* 31), count: count) }
    var state = UInt64(tag) &* 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}

/// The tag of an event, and what is wrong with it.
func tagOf(_ event: TakenEvent, _ model: ChannelModel) -> (Int?, String?) {
    guard let header = event.header("tag"), let tag = Int(String(decoding: header, as: UTF8.self)) else {
        return (nil, "\(event.sequence) has no tag")
    }
    let index = tag / ChannelModel.tagStride
    guard index < model.puts.count else { return (nil, "\(event.sequence) has the tag \(tag), which no put has") }
    guard event.body == body(tag, bytes: model.puts[index].bytes)[...] else {
        return (tag, "\(event.sequence), event \(tag), has another body")
    }
    return (tag, nil)
}

/// The bookmarks that clients of scripts set, each under its own name but for one.
package enum BookmarkName {
    package static let shared = "shared"
    /// With a put.
    package static func source(_ client: Int) -> String { "source-\(client)" }
    /// With a take.
    package static func sink(_ client: Int) -> String { "sink-\(client)" }
    /// By itself.
    package static func alone(_ client: Int) -> String { "alone-\(client)" }
}
