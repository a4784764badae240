internal import Glibc

/// A child process: started with `posix_spawnp`, waited for.
public enum Child {
    /// The exit code, or nil when it could not be started or was killed.
    public static func run(_ arguments: [String], output: String, errors: String) -> Int32? {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)

        let environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"]
        let words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        let variables = unsafe environment.map { unsafe strdup($0) } + [nil]
        defer {
            unsafe (words + variables).forEach { word in unsafe free(word) }
        }
        var process: pid_t = 0
        guard unsafe posix_spawnp(&process, arguments[0], &actions, nil, words, variables) == 0 else { return nil }
        var status: Int32 = 0
        guard unsafe waitpid(process, &status, 0) == process, status & 0x7F == 0 else { return nil }
        return (status >> 8) & 0xFF
    }
}
