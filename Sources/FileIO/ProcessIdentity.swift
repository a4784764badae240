internal import Glibc

/// This process, for messages to people.
public enum ProcessIdentity {
    public static var current: Int32 { getpid() }
}
