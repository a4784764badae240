/// A promise that an input must not break. A broken one ends the process: so a fuzzer notices it, and so does a test.
package enum Promise {
    package static func require(_ holds: Bool, _ message: @autoclosure () -> String) {
        guard holds else { fatalError(message()) }
    }
}
