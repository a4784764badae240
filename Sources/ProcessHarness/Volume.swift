internal import FileIO
internal import Glibc

/// A small file system of its own, made and mounted for one trial: of a file through a loop device, or in memory. Takes root.
package final class Volume {
    package enum Kind: String, Sendable, CaseIterable {
        case ext4, xfs, btrfs
        /// In memory, with few blocks.
        case tmpfs
        /// In memory, with few inodes.
        case inodes

        /// It can be made to take no more writes while it is used.
        package var canTurnReadOnly: Bool { self == .ext4 }
        /// It can be stopped as by a power cut: what it had not written is lost.
        package var canBeCut: Bool { self == .ext4 || self == .xfs }
    }

    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    package let kind: Kind
    /// Where it is mounted.
    package let path: String
    private let image: String
    private let log: String
    private var isMounted = false

    private static let seconds = 60.0

    /// - Parameters:
    ///   - directory: gets the mount point, and the image.
    ///   - room: how many bytes of it are free.
    package init(_ kind: Kind, named name: String, in directory: String, room: UInt64, inodes: Int) throws(Failure) {
        self.kind = kind
        path = "\(directory)/\(name)"
        image = "\(directory)/\(name).image"
        log = "\(directory)/\(name).log"
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw Failure(description: "\(path) cannot be made")
        }
        switch kind {
        case .tmpfs: try call("mount", ["-t", "tmpfs", "-o", "size=\(room)", "none", path])
        case .inodes: try call("mount", ["-t", "tmpfs", "-o", "size=64m,nr_inodes=\(inodes)", "none", path])
        case .ext4:
            try makeImage(48 << 20)
            try call("mkfs.ext4", ["-q", "-F", "-m", "0", image])
            try mount()
        case .xfs:
            try makeImage(320 << 20)
            try call("mkfs.xfs", ["-q", "-f", image])
            try mount()
        case .btrfs:
            // Mixed: data and metadata share what is free, as elsewhere.
            try makeImage(64 << 20)
            try call("mkfs.btrfs", ["-q", "-f", "--mixed", image])
            try mount()
        }
        isMounted = true
        if kind != .tmpfs, kind != .inodes { try addBallast(leaving: room) }
    }

    deinit { unmount() }

    /// Why volumes of this kind cannot be made here; nil when they can.
    package static func obstacle(to kind: Kind, in directory: String) -> String? {
        guard getuid() == 0 else { return "only root may mount" }
        do throws(Failure) {
            let volume = try Volume(kind, named: "volume-try", in: directory, room: 1 << 20, inodes: 20)
            volume.unmount()
            return nil
        } catch {
            Self.remove("volume-try", in: directory)
            return error.description
        }
    }

    /// Of a run that was interrupted.
    package static func removeRemains(in directory: String) {
        let places = [directory] + names(in: directory).filter { $0.hasPrefix("trial-") }.map { "\(directory)/\($0)" }
        let mounted = contents(ofFile: "/proc/self/mounts").split(separator: "\n").map { $0.split(separator: " ") }
        for place in places {
            for mount in mounted where mount.count > 1 && mount[1].hasPrefix("\(place)/volume-") {
                _ = ChildProcess.run("umount", [String(mount[1])], seconds: seconds)
                remove(String(mount[1].split(separator: "/").last!), in: place)
            }
        }
    }

    private static func remove(_ name: String, in directory: String) {
        unsafe rmdir("\(directory)/\(name)")
        unsafe unlink("\(directory)/\(name).image")
        unsafe unlink("\(directory)/\(name).log")
    }

    private func call(_ program: String, _ arguments: [String]) throws(Failure) {
        let words = ([program] + arguments).joined(separator: " ")
        guard let result = ChildProcess.run(program, arguments, errors: log, seconds: Self.seconds) else {
            throw Failure(description: "\(words): it is not there, or does not end")
        }
        guard result.end == .code(0) else {
            let reason = contents(ofFile: log).split(separator: "\n").last.map { ": \($0)" } ?? ""
            throw Failure(description: "\(words): \(result.end)\(reason)")
        }
    }

    private func makeImage(_ bytes: Int) throws(Failure) {
        let file = unsafe open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { if file >= 0 { close(file) } }
        guard file >= 0, ftruncate(file, bytes) == 0 else {
            throw Failure(description: "\(image) cannot be made, errno \(errno)")
        }
    }

    private func mount() throws(Failure) {
        // An error that ext4 meets turns it read-only: so it is when it is told of one (``turnReadOnly()``).
        let options = kind == .ext4 ? "loop,errors=remount-ro" : "loop"
        try call("mount", ["-o", options, image, path])
        isMounted = true
    }

    private var ballast: String { "\(path)/ballast" }

    private func addBallast(leaving room: UInt64) throws(Failure) {
        do {
            let free = try LinuxFileSystem().openDirectory(at: path).volume().freeBytes
            guard free > room else { return }
            let file = unsafe open(ballast, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw Failure(description: "\(ballast) cannot be made, errno \(errno)") }
            defer { close(file) }
            // What is called free need not all be for one file.
            var bytes = Int(free - room)
            while bytes > 0, posix_fallocate(file, 0, bytes) != 0 { bytes -= 1 << 18 }
            guard bytes > 0, fsync(file) == 0 else { throw Failure(description: "\(ballast) cannot be filled") }
        } catch let error as Failure { throw error } catch { throw Failure(description: "\(error)") }
    }

    /// There is room from here on.
    package func makeRoom() throws(Failure) {
        switch kind {
        case .tmpfs: try call("mount", ["-o", "remount,size=64m", path])
        case .inodes: try call("mount", ["-o", "remount,nr_inodes=1000", path])
        case .ext4, .xfs, .btrfs:
            unsafe unlink(ballast)
            // What was removed is free only then.
            try call("sync", ["-f", path])
        }
    }

    /// Whoever writes is refused from here on, also through descriptors that are open.
    package func turnReadOnly() throws(Failure) {
        guard kind == .ext4 else { throw Failure(description: "\(kind) cannot be turned read-only while it is used") }
        guard let device = device?.split(separator: "/").last else {
            throw Failure(description: "\(path) is not mounted")
        }
        let trigger = "/sys/fs/ext4/\(device)/trigger_fs_error"
        let file = unsafe open(trigger, O_WRONLY | O_CLOEXEC)
        defer { if file >= 0 { close(file) } }
        guard file >= 0, unsafe write(file, "1", 1) == 1 else {
            throw Failure(description: "\(trigger) cannot be written, errno \(errno)")
        }
    }

    /// The file system stops where it is, and nothing that it had not written gets to its device: what a power cut leaves of it, but
    /// for what the device itself had not written.
    package func cutPower() throws(Failure) {
        let directory = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw Failure(description: "\(path) cannot be opened, errno \(errno)") }
        defer { close(directory) }
        // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number; 2: what is in the journal's memory is lost, too.
        var flags: UInt32 = 2
        guard unsafe ioctl(directory, 0x8004_587D, &flags) == 0 else {
            throw Failure(description: "\(path) cannot be stopped, errno \(errno)")
        }
    }

    /// As after a boot: from the image alone.
    package func remount() throws(Failure) {
        try detach()
        try mount()
    }

    /// A process that another thread starts may have a descriptor of this one's for a moment.
    private func detach() throws(Failure) {
        for _ in 0..<100 {
            let result = ChildProcess.run("umount", [path], errors: log, seconds: Self.seconds)
            if result?.end == .code(0) {
                isMounted = false
                return
            }
            usleep(20_000)
        }
        try call("umount", [path])
    }

    private var device: String? {
        contents(ofFile: "/proc/self/mounts").split(separator: "\n").map { $0.split(separator: " ") }
            .last { $0.count > 1 && $0[1] == path }.map { String($0[0]) }
    }

    package func unmount() {
        guard isMounted else { return }
        do throws(Failure) { try detach() } catch {
            _ = ChildProcess.run("umount", ["-l", path], seconds: Self.seconds)
        }
        isMounted = false
        Self.remove(path.split(separator: "/").last.map { String($0) } ?? "", in: directoryOfPath)
    }

    private var directoryOfPath: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
}
