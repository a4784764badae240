/// An input to begin with, and the target that it is for.
struct Seed {
    let target: String
    let name: String
    let bytes: [UInt8]

    init(_ target: String, _ name: String, _ bytes: [UInt8]) {
        self.target = target
        self.name = name
        self.bytes = bytes
    }
}
