// Text in bytes, compared and copied where it stands. The lowest calls are `unsafe` only because they take the bytes of a
// span out of its type; bounds are checked by `extracting`.

extension RawSpan {
    /// True when the range is UTF-8. Allocates nothing; ASCII is looked at eight bytes at a time.
    func isUTF8(_ range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        while range.upperBound - offset >= 8 {
            if loadInteger(at: offset, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return isUTF8BeyondASCII(range) }
            offset += 8
        }
        while offset < range.upperBound {
            if loadInteger(at: offset, as: UInt8.self) & 0x80 != 0 { return isUTF8BeyondASCII(range) }
            offset += 1
        }
        return true
    }

    private func isUTF8BeyondASCII(_ range: Range<Int>) -> Bool {
        unsafe extracting(range).withUnsafeBytes { bytes in
            do throws(UTF8.ValidationError) {
                _ = try unsafe UTF8Span(validating: Span(_unsafeBytes: bytes))
                return true
            } catch {
                return false
            }
        }
    }

    /// The text of a range that is UTF-8.
    func text(_ range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBytes { bytes in unsafe String(decoding: bytes, as: UTF8.self) }
    }

    /// True when both ranges hold the same bytes.
    func isEqual(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        extracting(left).isEqual(to: extracting(right))
    }

    /// True when the range holds the UTF-8 of the text.
    func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
        unsafe extracting(range).isEqual(to: text.utf8.span.bytes)
    }

    private func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var offset = 0
        while byteCount - offset >= 8 {
            if loadInteger(at: offset, as: UInt64.self) != other.loadInteger(at: offset) { return false }
            offset += 8
        }
        while offset < byteCount {
            if loadInteger(at: offset, as: UInt8.self) != other.loadInteger(at: offset) { return false }
            offset += 1
        }
        return true
    }
}

extension MutableRawSpan {
    /// Copies the UTF-8 of the text to `offset`.
    mutating func store(_ text: String, at offset: Int) {
        unsafe store(text.utf8.span.bytes, at: offset)
    }
}
