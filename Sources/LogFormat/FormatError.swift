/// What was wrong with some bytes, or with a value that was to become bytes. Three words, made without allocation; the
/// text is put together only when ``description`` is read.
public struct FormatError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being decoded or encoded.
    public enum Structure: String, Sendable {
        case identityBlock = "identity block"
        case frameHeader = "frame header"
        case frame
        case payload
        case snapshot
        case clientState = "client state"
        case openRecord = "open record"
        case sealRecord = "seal record"
        case leaseRecord = "lease record"
        case dropRecord = "drop record"
        case lossRecord = "loss record"
        case deliveryCountRecord = "delivery count record"
        case checkpointSlot = "checkpoint slot"
        case transaction
        case event
        case bookmark
        case sequenceRange = "sequence range"
    }

    public enum Code: Equatable, Sendable {
        /// The structure is longer than the bytes that are there.
        case tooShort
        /// There are bytes behind the end of the structure.
        case trailingBytes
        /// The structure does not begin with its magic.
        case badMagic
        /// The stored checksum is not that of the bytes (and, for frames, of their place).
        case badChecksum
        /// A byte or bit that must be zero is not.
        case reservedNotZero
        /// The field's value is not one that the format allows.
        case outOfRange(FormatField)
        /// The field does not agree with what is stated elsewhere.
        case mismatch(FormatField)
        /// The field's values do not ascend as they must.
        case outOfOrder(FormatField)
        /// The field's value stands twice.
        case repeated(FormatField)
        /// The field's text is not UTF-8.
        case notUTF8(FormatField)
        /// The stored bytes are not a compressed form of exactly `rawBytes` bytes.
        case doesNotDecompress
        /// Whole and undamaged, but of a later version of the format than this code knows.
        case newerVersion
        /// Whole and undamaged, but it uses an incompatible feature that this code does not know.
        case unknownFeature
    }

    public var structure: Structure
    public var code: Code
    /// Where: for identity blocks and frames the byte offset that the caller named plus that of the field; for all else
    /// the byte offset in the bytes that were given. When encoding: where the field would stand, or 0.
    public var offset: UInt64

    public init(_ structure: Structure, _ code: Code, at offset: UInt64) {
        self.structure = structure
        self.code = code
        self.offset = offset
    }

    init(_ structure: Structure, _ code: Code, at offset: Int) {
        self.init(structure, code, at: UInt64(max(0, offset)))
    }

    static func outOfRange<Value>(_ structure: Structure, _ field: Field<Value>, at base: Int) -> FormatError {
        FormatError(structure, .outOfRange(field.name), at: base + field.offset)
    }

    /// True when the bytes are whole and were written by a later version, so that they are neither damage nor torn.
    public var isNewer: Bool { code == .newerVersion || code == .unknownFeature }

    public var description: String {
        "\(structure.rawValue), byte \(String(offset, radix: 16)) (hexadecimal): \(meaning)"
    }

    private var meaning: String {
        switch code {
        case .tooShort: "it is longer than the bytes that are there; it was cut off or its length is damaged"
        case .trailingBytes: "there are bytes behind its end; a length or count in it is damaged"
        case .badMagic: "it does not begin with its magic; nothing was written here, or it was overwritten"
        case .badChecksum: "the checksum does not hold; the bytes were damaged, torn, or written for another place"
        case .reservedNotZero: "a byte that must be zero is not; this is damage or a writer that broke the format"
        case .outOfRange(let field): "\(field) has a value that the format does not allow"
        case .mismatch(let field): "\(field) does not agree with what is stated elsewhere"
        case .outOfOrder(let field): "the values of \(field) do not ascend"
        case .repeated(let field): "\(field) has the same value twice"
        case .notUTF8(let field): "\(field) is not UTF-8"
        case .doesNotDecompress: "the payload does not decompress to the length that the header states"
        case .newerVersion: "written by a later version of the format; open it with a later version of the library"
        case .unknownFeature: "it uses a feature that this version does not know; open it with a later version"
        }
    }
}
