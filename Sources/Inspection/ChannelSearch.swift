package import FileIO
internal import SegmentedLog

/// The channels below a directory, by what lies in it: a segment, a checkpoint, or a reserve.
package enum ChannelSearch {
    private static let mostDepth = 8
    private static let mostDirectories = 100_000

    /// Their paths, in order. Links are not followed; a channel's own directory is not looked into. What cannot be read is named.
    package static func paths(
        below root: String, fileSystem: any FileSystem = LinuxFileSystem()
    ) -> (channels: [String], unread: [FileError]) {
        var channels: [String] = []
        var unread: [FileError] = []
        var waiting: [(path: String, depth: Int)] = [(root, 0)]
        var count = 0
        while let (path, depth) = waiting.popLast(), count < mostDirectories {
            count += 1
            do throws(FileError) {
                let directory = try fileSystem.openDirectory(at: path)
                defer { directory.close() }
                let names = try directory.list()
                if !(try LogInventory(directory)).isVirgin {
                    channels.append(path)
                    continue
                }
                guard depth < mostDepth else { continue }
                for name in names.reversed() where (try? directory.status(of: name))?.kind == .directory {
                    waiting.append((path.hasSuffix("/") ? path + name : "\(path)/\(name)", depth + 1))
                }
            } catch { unread.append(error) }
        }
        return (channels, unread)
    }
}
