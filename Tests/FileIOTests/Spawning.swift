import Glibc

/// Starts a program; its process id.
func spawn(_ arguments: [String]) -> pid_t {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    var child: pid_t = 0
    let failure = unsafe posix_spawnp(&child, arguments[0], nil, nil, &pointers, nil)
    return failure == 0 ? child : -1
}

/// Waits for the end of a child; its raw status.
@discardableResult
func waitForEnd(of child: pid_t) -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) == -1 && errno == EINTR {}
    return status
}
