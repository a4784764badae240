/// Tells whether a name stands twice, comparing bytes: two spellings of one accented letter are two names. Linear in the
/// number of names however they were chosen.
struct NameSet {
    private static let few = 16
    private var names: [String] = []
    private var many: Set<[UInt8]> = []

    /// False when the name is already in it.
    mutating func insert(_ name: String) -> Bool {
        if names.count < Self.few {
            guard !names.contains(where: { $0 == name && $0.utf8.elementsEqual(name.utf8) }) else { return false }
            names.append(name)
            return true
        }
        if many.isEmpty { many = Set(names.map { [UInt8]($0.utf8) }) }
        return many.insert([UInt8](name.utf8)).inserted
    }
}
