/// The fields of a frame's header with their places and what stands in them, for whoever looks at bytes.
package enum FrameFields {
    package struct Named: Sendable {
        /// In the frame.
        package var range: Range<Int>
        package var meaning: String
    }

    /// - Parameter bytes: at least a header's; nothing about them need be valid.
    package static func of(_ bytes: [UInt8]) -> [Named] {
        guard bytes.count >= FrameHeader.byteCount else { return [] }
        typealias Layout = FrameHeaderLayout
        var fields: [Named] = []
        func add<Value>(_ field: Field<Value>, _ meaning: String) {
            let place = field.place
            fields.append(
                Named(range: place.offset..<place.offset + place.size, meaning: "\(field.name) \(meaning)"))
        }
        let span = bytes.rawBytes
        func number<Value: FixedWidthInteger & BitwiseCopyable>(_ field: Field<Value>) -> Value {
            span.load(field, at: 0)
        }
        func hex(_ value: some BinaryInteger) -> String { String(value, radix: 16) }
        fields.append(Named(range: 0..<4, meaning: "magic \"\(String(decoding: bytes[0..<4], as: UTF8.self))\""))
        let type = number(Layout.type)
        add(Layout.type, FrameType(rawValue: type).map { "\($0) (\(type))" } ?? "\(type), which is none")
        add(Layout.encoding, "\(number(Layout.encoding))")
        let compression = number(Layout.compression)
        add(Layout.compression, Compression(rawValue: compression).map { "\($0)" } ?? "\(compression), which is none")
        add(Layout.flags, "\(number(Layout.flags))")
        add(Layout.frameBytes, "\(number(Layout.frameBytes))")
        add(Layout.storedBytes, "\(number(Layout.storedBytes))")
        add(Layout.rawBytes, "\(number(Layout.rawBytes))")
        add(Layout.eventCount, "\(number(Layout.eventCount))")
        add(Layout.transactionCount, "\(number(Layout.transactionCount))")
        add(Layout.payloadChecksum, hex(number(Layout.payloadChecksum)))
        add(Layout.baseSequence, "\(number(Layout.baseSequence))")
        add(Layout.commitTime, "\(number(Layout.commitTime))")
        add(Layout.durableSegment, hex(number(Layout.durableSegment)))
        add(Layout.durableOffset, hex(number(Layout.durableOffset)))
        add(Layout.durableSequence, "\(number(Layout.durableSequence))")
        add(Layout.epoch, "\(number(Layout.epoch))")
        add(Layout.nonce, hex(number(Layout.nonce)))
        add(Layout.reserved, "\(number(Layout.reserved))")
        add(Layout.headerChecksum, hex(number(Layout.headerChecksum)))
        return fields
    }
}
