import FileIO
import SimulatedFileIO

/// What stands in a channel's directory, as a value.
package struct LogDirectory: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        case bytes([UInt8])
        case directory, link, other
    }

    /// On a simulated disk.
    package static let path = "/channel"

    package var files: [String: Content] = [:]

    package init() {}

    /// What a reader of the disk sees.
    package init(_ disk: SimulatedDisk) {
        for name in disk.names(in: Self.path) ?? [] {
            // Nothing here makes anything but files.
            files[name] = .bytes(disk.contents(of: "\(Self.path)/\(name)") ?? [])
        }
    }

    package var names: [String] { files.keys.sorted() }

    package func bytes(_ name: String) -> [UInt8]? {
        guard case .bytes(let bytes) = files[name] else { return nil }
        return bytes
    }

    /// The files that hold events and records, by name.
    package var segments: [String: Content] { files.filter { $0.key.hasSuffix(".seg") } }

    /// Durable, on a disk that is not much larger than a channel of these inputs may be: what a forged length asks for
    /// beyond that ends with an error, as on a real one.
    package func disk() -> SimulatedDisk {
        var options = SimulatedDisk.Options()
        options.capacityBytes = 4 << 20
        let disk = SimulatedDisk(options)
        disk.plant(.directory, at: Self.path)
        for name in names {
            let path = "\(Self.path)/\(name)"
            switch files[name]! {
            case .bytes(let bytes): disk.setContents(of: path, to: bytes)
            case .directory: disk.plant(.directory, at: path)
            case .link: disk.plant(.symbolicLink, at: path)
            case .other: disk.plant(.other, at: path)
            }
        }
        return disk
    }
}
